//! The one clock. The runtime advances it only across I/O, so a span measures waiting, not work.

use types::Timestamp;

/// Milliseconds since the epoch.
pub fn millis() -> i64 {
    // whole and far below 2^53
    #[allow(clippy::cast_possible_truncation)]
    let now = js_sys::Date::now() as i64;
    now
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
