//! The Minecraft protocol without I/O: bytes in, values out, and back.
//!
//! Everything here is pure: no socket, no clock, no platform. What comes from outside is bounded before it is
//! allocated or walked, and no input can make it panic.
//!
//! | Module | What it is for |
//! |---|---|
//! | [`varint`], [`frame`] | the two layers below every packet |
//! | [`handshake`] | the packets of a status exchange |
//! | [`exchange`] | one server list ping on one connection, as a state machine |
//! | [`legacy_ping`] | the pings of clients before 1.7 |
//! | [`proxy_header`] | the PROXY protocol's header, in front of it all |
//! | [`failure`] | why a ping did not succeed |
//! | [`raw`], [`clean`], [`favicon`] | the status JSON as it is sent, and what genkan makes of it |
//! | [`text`] | text components and `§` codes: parsed once, rendered per format |
//! | [`pack_meta`], [`formats`] | `pack.mcmeta`, and which pack format belongs to which release |

#[cfg(test)]
mod captures_tests;
pub mod clean;
pub mod exchange;
pub mod failure;
pub mod favicon;
pub mod formats;
pub mod frame;
pub mod handshake;
mod json;
pub mod legacy_ping;
pub mod pack_meta;
pub mod proxy_header;
pub mod raw;
pub mod text;
pub mod varint;
