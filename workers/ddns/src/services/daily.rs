//! What is done once for each day that is over: its row in the history is made of its hours, single
//! checks are dropped that are older than 30 days, and what is older than 400 days is deleted.
//!
//! One day a run, so that days that were missed are made up for by as many runs.

use types::Timestamp;

use super::book::DAY;

/// How long the history keeps single checks, and anything, in days.
pub const CHECKS_KEPT: i64 = 30;
pub const KEPT: i64 = 400;
/// How long beats and the audit are kept, in days.
pub const BEATS_KEPT: i64 = 30;

/// The work for one day; all are starts of days, in seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// The day that is over.
    pub day: i64,
    /// The day whose single checks are dropped.
    pub thin: i64,
    /// What began before is deleted.
    pub purge_before: i64,
    /// Beats before are deleted.
    pub beats_before: i64,
}

/// The day that work is due for, `done` being the last one, both in days since the epoch. At the
/// first run there is nothing yet.
pub fn due(done: Option<i64>, now: Timestamp) -> (i64, Option<Work>) {
    let yesterday = now.as_seconds().div_euclid(DAY) - 1;
    let Some(done) = done else {
        return (yesterday, None);
    };
    if done >= yesterday {
        return (done, None);
    }
    let day = done + 1;
    let work = Work {
        day: day * DAY,
        thin: (day - CHECKS_KEPT) * DAY,
        purge_before: (day - KEPT) * DAY,
        beats_before: (day - BEATS_KEPT) * DAY,
    };
    (day, Some(work))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_day_gets_its_work_once_however_many_were_missed() {
        let at = |day: i64, minute: i64| Timestamp::from_seconds(day * DAY + minute * 60);
        let (mut done, work) = due(None, at(100, 5));
        assert_eq!((done, work), (99, None));
        let mut days = Vec::new();
        for (day, minute) in [
            (100, 6),
            (101, 0),
            (101, 1),
            (105, 0),
            (105, 1),
            (105, 2),
            (105, 3),
            (105, 4),
        ] {
            let (next, work) = due(Some(done), at(day, minute));
            done = next;
            days.extend(work.map(|work| (work.day / DAY, work.thin / DAY)));
        }
        assert_eq!(
            days,
            [(100, 70), (101, 71), (102, 72), (103, 73), (104, 74)]
        );
    }

    #[test]
    fn a_clock_that_goes_back_does_nothing() {
        assert_eq!(
            due(Some(100), Timestamp::from_seconds(50 * DAY)),
            (100, None)
        );
    }
}
