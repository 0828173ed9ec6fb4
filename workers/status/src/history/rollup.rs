//! When which rows are added up into fewer, and deleted.
//!
//! Each piece of work takes, of every target, the oldest window alone. It comes due a quarter more
//! often than windows come of age, so that what was missed is caught up with at that pace, and a day
//! of catching up costs no more than a quarter above any other.

use types::Timestamp;

use super::{DAY, MINUTE, start};

/// How much the rows of an age stand for, in minutes.
pub const MINUTES: u32 = 1;
pub const FIVE_MINUTES: u32 = 5;
pub const HOURS: u32 = 60;

const MINUTES_KEPT: i64 = 2 * DAY;
const FIVE_MINUTES_KEPT: i64 = 30 * DAY;
const HOURS_KEPT: i64 = 400 * DAY;

/// In minutes: four fifths of the window's own length.
pub const FIVE_MINUTES_EVERY: u32 = 4;
pub const HOURS_EVERY: u32 = 48;

/// One piece of work, for every target's oldest window of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Adds the rows of step `from` up into one of step `to`, where the window ended by `before`.
    Roll {
        from: u32,
        to: u32,
        before: Timestamp,
    },
    /// Deletes the oldest row of step `step` that began before `before`.
    Purge { step: u32, before: Timestamp },
}

/// What the run of this minute has to do besides writing its own rows.
pub fn due(now: Timestamp) -> Vec<Work> {
    let before = |age: i64| start(now.plus_seconds(-age), MINUTE);
    let minute = now.as_seconds().div_euclid(MINUTE);
    let on = |every: u32, phase: i64| minute.rem_euclid(i64::from(every)) == phase;
    let mut due = Vec::new();
    if on(FIVE_MINUTES_EVERY, 0) {
        due.push(Work::Roll {
            from: MINUTES,
            to: FIVE_MINUTES,
            before: before(MINUTES_KEPT),
        });
    }
    if on(HOURS_EVERY, 1) {
        due.push(Work::Roll {
            from: FIVE_MINUTES,
            to: HOURS,
            before: before(FIVE_MINUTES_KEPT),
        });
    }
    if on(HOURS_EVERY, 2) {
        due.push(Work::Purge {
            step: HOURS,
            before: before(HOURS_KEPT),
        });
    }
    due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_comes_due_by_the_minute_and_once_in_it() {
        let at = |minute: i64| due(Timestamp::from_seconds(minute * 60 + 59));
        let every: Vec<_> = (0..96).flat_map(at).collect();
        let rolls = |step| {
            let is = |work: &&Work| matches!(work, Work::Roll { from, .. } if *from == step);
            every.iter().filter(is).count()
        };
        assert_eq!(
            (rolls(MINUTES), rolls(FIVE_MINUTES), every.len()),
            (24, 2, 28)
        );
        assert_eq!(
            at(2880),
            [Work::Roll {
                from: 1,
                to: 5,
                before: Timestamp::from_seconds(0)
            }]
        );
    }
}
