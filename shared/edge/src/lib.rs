//! The edge: everything that workers share and that names the Workers runtime.
//!
//! A worker's `lib.rs` hands each event to [`serve`] or [`tick`]; below that, this crate holds the
//! one way to read configuration, check a token, answer, log, tell the time, and reach KV, R2 and
//! sockets.

pub mod auth;
pub mod body;
pub mod cache;
pub mod clock;
pub mod concat;
pub mod conditional;
pub mod config;
mod contract;
pub mod d1;
pub mod doh;
pub mod email;
mod failure;
pub mod fetch;
mod fresh;
pub mod get;
pub mod health;
pub mod kv;
pub mod log;
pub mod peer;
pub mod prepared;
mod query;
pub mod queue;
pub mod r2;
mod random;
pub mod range;
pub mod reply;
mod serve;
pub mod signature;
pub mod socket;
pub mod stream;

pub use contract::Contract;
pub use failure::{Failure, method_not_allowed, not_found};
pub use fresh::{Fresh, Got};
pub use query::query;
pub use random::random_bytes;
pub use serve::{Audience, ErrorFormat, PUBLIC_HEADERS, Route, preflight, serve, tick};
