//! The one clock. The runtime advances it only across I/O, so a span measures waiting, not work.

use std::{pin::pin, time::Duration};

use futures::future::{Either, select};
use types::Timestamp;
use worker::Delay;

/// Milliseconds since the epoch.
pub fn millis() -> i64 {
    // whole and far below 2^53
    #[allow(clippy::cast_possible_truncation)]
    let now = js_sys::Date::now() as i64;
    now
}

/// What `work` gives, unless that takes longer.
pub async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), Delay::from(limit)).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}

/// The current second.
pub fn now() -> Timestamp {
    Timestamp::from_millis(millis())
}

/// The moment at which an R2 object was stored.
pub fn stored_at(object: &worker::Object) -> Timestamp {
    Timestamp::from_millis(i64::try_from(object.uploaded().as_millis()).unwrap_or(i64::MAX))
}

/// The moment for which a cron was due.
pub fn scheduled(event: &worker::ScheduledEvent) -> Timestamp {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "milliseconds since the epoch"
    )]
    Timestamp::from_millis(event.schedule() as i64)
}
