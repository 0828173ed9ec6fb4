//! What the history costs of D1's allowance.
//!
//! D1 counts a row for each that is inserted, updated or deleted, in the table and in each of its
//! indexes; the table has none besides itself. The free plan lets an account write 100,000 a day and
//! make 50 queries an invocation. With 20 targets it is 70,080 on a usual day, and 80,400 on one
//! that catches up with roll-ups that were missed; a target more or less is a twentieth of that.

use super::rollup::{FIVE_MINUTES, FIVE_MINUTES_EVERY, HOURS, HOURS_EVERY};

/// What D1's free plan allows.
pub const ROWS_WRITTEN_A_DAY: u32 = 100_000;
#[cfg(test)]
const QUERIES_A_RUN: usize = 50;

const MINUTES_A_DAY: u32 = 24 * 60;

/// The most rows that this many targets write in a day, catching up or not.
pub const fn rows_written_a_day(targets: u32) -> u32 {
    let measured = MINUTES_A_DAY;
    // The rows that go, and the one that comes.
    let into_five = MINUTES_A_DAY / FIVE_MINUTES_EVERY * (FIVE_MINUTES + 1);
    let into_hours = MINUTES_A_DAY / HOURS_EVERY * (HOURS / FIVE_MINUTES + 1);
    let purged = MINUTES_A_DAY / HOURS_EVERY;
    targets * (measured + into_five + into_hours + purged)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use types::Timestamp;

    use super::*;
    use crate::history::rollup::{self, Work};

    /// The table of one target: what each row stands for and begins at, and how many pings it
    /// counts. Every target's is the same, so one stands for all.
    #[derive(Default)]
    struct Table {
        rows: BTreeMap<(u32, i64), u32>,
        written: u32,
        queries: usize,
    }

    impl Table {
        fn measure(&mut self, now: i64) {
            self.rows.insert((1, now), 1);
            self.written += 1;
            self.queries += 1;
        }

        fn oldest(&self, step: u32) -> Option<i64> {
            let mut rows = self.rows.range((step, i64::MIN)..(step + 1, i64::MIN));
            rows.next().map(|((_, at), _)| *at)
        }

        fn work(&mut self, work: Work) {
            match work {
                Work::Roll { from, to, before } => {
                    self.queries += 2;
                    let length = i64::from(to) * 60;
                    let Some(start) = self.oldest(from).map(|at| at - at.rem_euclid(length)) else {
                        return;
                    };
                    if start + length > before.as_seconds() {
                        return;
                    }
                    let window = (from, start)..(from, start + length);
                    let old: Vec<_> = self.rows.range(window).map(|(key, n)| (*key, *n)).collect();
                    for (key, _) in &old {
                        self.rows.remove(key);
                    }
                    let pings: u32 = old.iter().map(|(_, pings)| pings).sum();
                    *self.rows.entry((to, start)).or_default() += pings;
                    self.written += u32::try_from(old.len()).unwrap() + 1;
                }
                Work::Purge { step, before } => {
                    self.queries += 1;
                    let oldest = self.oldest(step).filter(|at| *at < before.as_seconds());
                    if let Some(at) = oldest {
                        self.rows.remove(&(step, at));
                        self.written += 1;
                    }
                }
            }
        }
    }

    struct Year {
        most_written: u32,
        most_queries: usize,
        usual: u32,
        table: Table,
        measured: u32,
        purged_after: i64,
    }

    /// Minutes of 500 days, of which the cron or D1 misses some.
    fn simulate(missed: impl Fn(i64) -> bool, rolls: impl Fn(i64) -> bool) -> Year {
        let mut table = Table::default();
        let (mut most_written, mut most_queries, mut usual, mut measured) = (0, 0, 0, 0);
        for day in 0..500 {
            table.written = 0;
            for minute in day * 1440..(day + 1) * 1440 {
                if missed(minute) {
                    continue;
                }
                table.queries = 0;
                table.measure(minute * 60);
                measured += 1;
                if rolls(minute) {
                    for work in rollup::due(Timestamp::from_seconds(minute * 60)) {
                        table.work(work);
                    }
                }
                most_queries = most_queries.max(table.queries);
            }
            most_written = most_written.max(table.written);
            usual = table.written;
        }
        let purged_after = 500 * 1440 * 60 - table.oldest(60).unwrap();
        Year {
            most_written,
            most_queries,
            usual,
            table,
            measured,
            purged_after,
        }
    }

    #[test]
    fn a_year_stays_in_the_allowance() {
        let year = simulate(|_| false, |_| true);
        assert!(year.measured > 366 * 1440);
        for targets in [1, 20] {
            let (usual, most) = (targets * year.usual, rows_written_a_day(targets));
            println!(
                "{targets} targets: {usual} rows on a usual day, at most {most} of {ROWS_WRITTEN_A_DAY}; \
                 {} queries a run of {QUERIES_A_RUN}; {} rows kept",
                year.most_queries,
                targets as usize * year.table.rows.len(),
            );
            assert!(targets * year.most_written <= most);
            assert!(most <= ROWS_WRITTEN_A_DAY);
        }
        assert_eq!(20 * year.usual, 70_080);
        assert_eq!(rows_written_a_day(20), 80_400);
        assert!(year.most_queries <= QUERIES_A_RUN, "{}", year.most_queries);
        // 2 days of minutes, 28 of five minutes, 370 of hours, and what is about to be rolled up.
        let kept = 2 * 1440 + 28 * 288 + 370 * 24;
        assert!(
            (kept..kept + 100).contains(&year.table.rows.len()),
            "{}",
            year.table.rows.len()
        );
        let days = year.purged_after / 86_400;
        assert!((400..=401).contains(&days), "{days}");
    }

    #[test]
    fn what_was_missed_is_caught_up_with_and_nothing_is_counted_twice() {
        // Roll-ups fail for the days 100 to 110, and now and then; the cron misses some minutes.
        let rolls = |minute: i64| !(100 * 1440..110 * 1440).contains(&minute) && minute % 97 != 0;
        let missed = |minute: i64| minute % 11 == 0 || (200 * 1440..205 * 1440).contains(&minute);
        let year = simulate(missed, rolls);
        assert!(
            year.most_written <= rows_written_a_day(1),
            "{}",
            year.most_written
        );
        assert!(year.most_written > year.usual);
        let oldest = year.table.oldest(1).unwrap();
        assert!(oldest >= (498 * 1440 - 15) * 60, "{oldest}");
        let counted: u32 = year.table.rows.values().sum();
        // All but what is older than 400 days.
        let before = year.table.oldest(60).unwrap() / 60;
        let gone = (0..before).filter(|minute| !missed(*minute)).count();
        assert_eq!(counted as usize, year.measured as usize - gone);
    }
}
