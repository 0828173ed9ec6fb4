//! What a channel is told of a change of a service. Pure.
//!
//! A channel knows a service by what it hears of. Whoever does not hear of `degraded` takes it for up:
//! from down to degraded is the recovery, and what is up after that is no news. Whoever hears of
//! `degraded` and not of `down` goes on taking for degraded what was told as that before it went down.
//! So nobody is told that something is up again of which nothing was told, and whoever was told of a
//! trouble is told of its end, once.

use types::config::alerts::{AlertChannel, AlertEvent};

use super::Alert;

/// As what this channel hears of an alert; `None` when it is no news there.
pub fn hears(channel: &AlertChannel, alert: &Alert) -> Option<AlertEvent> {
    use AlertEvent::{Degraded, Down, Up};
    let event = alert.event;
    if !matches!(event, Down | Degraded | Up) {
        return channel.hears(event).then_some(event);
    }
    let from = match alert.previous.as_deref() {
        Some("down") => Down,
        Some("degraded") => Degraded,
        _ => Up,
    };
    let before = known(channel, from, alert.was_degraded);
    let after = known(channel, event, from == Degraded);
    (after != before && channel.hears(after)).then_some(after)
}

/// What a service is for this channel that is told to be this, and had been degraded before, or not.
fn known(channel: &AlertChannel, level: AlertEvent, was_degraded: bool) -> AlertEvent {
    use AlertEvent::{Degraded, Down, Up};
    match level {
        // Who hears of neither may still want to hear of reminders and ends.
        Down if channel.hears(Down) || !channel.hears(Degraded) => Down,
        Down if was_degraded => Degraded,
        Degraded if channel.hears(Degraded) => Degraded,
        _ => Up,
    }
}

#[cfg(test)]
#[path = "audience_tests.rs"]
mod tests;
