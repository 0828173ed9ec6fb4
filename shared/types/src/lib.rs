//! The common types of genkan: what travels in JSON, ids with one way in, tokens, problems,
//! configuration, and the texts that several workers draw (badges, metrics). Pure: no I/O, no clock,
//! no platform.
//!
//! The HTTP contract these types serve is `openapi.yaml` at the root of the repository.

pub mod badge;
pub mod config;
pub mod control;
pub mod ddns;
mod field;
pub mod gateway;
pub mod health;
mod name;
pub mod pack;
mod problem;
pub mod prometheus;
mod range;
mod record_type;
pub mod services;
mod sha1;
pub mod site;
pub mod status;
mod timestamp;
pub mod token;

pub use field::Field;
pub use name::{AlertName, Channel, InvalidName, PackName, ServiceId, SiteName, TargetId};
pub use problem::{Code, Problem};
pub use range::Range;
pub use record_type::RecordType;
pub use sha1::{InvalidSha1, Sha1};
pub use timestamp::Timestamp;
