//! The control document: maintenance and MOTD, changed by operators, followed by proxies.
//!
//! Routes: `GET`, `PUT` and `PATCH /api/control`, `GET /api/control/document`, `/history`, `/preview`
//! and `/proxies`, `POST /api/control/restore`. State: KV `STATUS_KV`, key `control`, which readers
//! get; D1 `STATUS_DB`, table `control_history`, where revisions are made, and `proxies`.
//!
//! # How a revision comes to be
//!
//! KV has no transactions, and a reader may see an old value for a minute or more. So KV never decides
//! anything. A change reads the last row of `control_history`, makes the next document of it, and
//! claims the next revision by inserting its row, whose primary key is the revision: of two changes at
//! once one inserts and the other one begins again on top of it, where its `If-Match` no longer
//! matches. No revision is ever skipped or made twice, and `before` is always what was really there.
//! Then the text of the row is written to KV, byte for byte, and D1 is asked once more: whoever finds a
//! newer row writes that one instead, for KV keeps what is written last. KV takes one write a second
//! of a key: one that it refuses is tried again twice, with a pause, before the answer goes out.
//!
//! Wherever this stops, D1 is ahead and KV behind. The cron, and every request of an operator, compare
//! both ([`book::current`]):
//!
//! | KV holds | so |
//! |---|---|
//! | the last row | all is well |
//! | nothing, or an older row | a write was lost, or is not seen here yet: written again once the last row is older than [`book::SETTLED_SECONDS`] |
//! | a text that was taken over in the last [`book::TAKEN_SECONDS`] | the same: an old value, seen late |
//! | another text that is a good document | an edit by hand: the next revision, made by `kv` |
//! | another text that is none | broken by hand: it is left there, told, and the last row stays in force |
//!
//! A good edit by hand that names a target which is not configured stands, for a target may have gone
//! since; operators are told that it does nothing ([`change::strangers`]).
//!
//! A good edit by hand is in force for readers as soon as KV shows it, before it has its revision. An
//! exact older document put back by hand cannot be told from an old value and is overwritten: that is
//! what restore is for.
//!
//! # What readers see
//!
//! [`in_force`] reads KV alone, for most readers once in `CACHE_SECONDS` and instance (`snapshot`). Only
//! when there is nothing in KV, or nothing good, it asks D1, at most once in
//! [`readers::FALLBACK_SECONDS`] and instance. If D1 fails as well, what this instance last knew stays in
//! force.

mod book;
mod change;
mod cron;
mod drift;
mod effective;
mod formats;
mod http;
mod present;
mod query;
mod readers;
mod reports;
mod store;
mod text;

pub use cron::tick;
pub use http::{Route, parse, run};
pub use present::{Present, overlay};
pub use readers::{Odd, in_force, odd};
