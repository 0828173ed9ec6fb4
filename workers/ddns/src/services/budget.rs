//! What watching costs of D1's allowance.
//!
//! D1 counts a row for each that is inserted, updated or deleted, in the table and in each of its
//! indexes. The free plan lets an account write 100,000 and read 5 million a day, and make 50 queries
//! an invocation. A hundred services that are checked each minute write 38,440 rows a day; since the
//! book is one row, most of it is the history, which costs a service a row in 5 minutes.

use types::config::services::{Check, Service};

use super::book::FLUSH_MINUTES;

/// What D1's free plan allows.
pub const ROWS_WRITTEN_A_DAY: u32 = 100_000;
pub const ROWS_READ_A_DAY: u32 = 5_000_000;
/// What one run asks and writes at most: book, silences, incidents, beats, reports, uptimes; the
/// book, hours, incidents that close and open, the audit, alerts, and the five of a day that is over.
pub const QUERIES_A_RUN: u32 = 6 + 6 + 5;
pub const QUERIES_AN_INVOCATION: u32 = 50;

const MINUTES_A_DAY: u32 = 24 * 60;
const FLUSHES_A_DAY: u32 = MINUTES_A_DAY / FLUSH_MINUTES;
/// Hours are flushed once more when they end, emptied of their checks after 30 days, and deleted
/// after 400; so is the row of the day, which is also written.
const HOUR_ROWS: u32 = 3 * 24 + 2;
/// The beginning and the end of a run: a row, its entry in the index of run ids, and both again when
/// they are deleted.
const ROWS_A_RUN_OF_A_JOB: u32 = 2 * 4;
/// Changes of state that are reckoned with in a day: a row of the audit, and those of an incident, of
/// its indexes and of its alerts, opened or closed.
const CHANGES: u32 = 100;
const ROWS_A_CHANGE: u32 = 8;
/// Of the uptimes, each hour: a day of hours, the hours of today, 90 days.
const ROWS_OF_UPTIME: u32 = 24 + 24 + 90;

/// Rows that watching these services reads and writes in a day, at most, as long as no more than 100
/// changes of state happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    pub rows_written: u32,
    /// By the cron; what readers ask for comes on top.
    pub rows_read: u32,
}

pub fn budget(services: &[Service]) -> Budget {
    let mut rows_written = MINUTES_A_DAY + CHANGES * ROWS_A_CHANGE;
    let mut rows_read = 3 * MINUTES_A_DAY;
    for service in services {
        // The kinds that ask nobody are looked at each minute.
        let every = if service.kind().is_active() {
            service.interval_minutes.max(1)
        } else {
            1
        };
        let checks = MINUTES_A_DAY.div_ceil(every);
        rows_written += checks.min(FLUSHES_A_DAY) + HOUR_ROWS;
        rows_read += 24 * ROWS_OF_UPTIME + 24;
        if let Check::Heartbeat(check) = &service.check {
            let runs = MINUTES_A_DAY.div_ceil(check.period_minutes.max(1));
            rows_written += runs * ROWS_A_RUN_OF_A_JOB;
        }
        if !service.kind().is_active() {
            rows_read += 3 * MINUTES_A_DAY;
        }
    }
    Budget {
        rows_written,
        rows_read,
    }
}

#[cfg(test)]
mod tests {
    use types::config::{Config as _, DdnsConfig};

    use super::*;

    fn services(count: usize, table: &serde_json::Value) -> Vec<Service> {
        let services: Vec<_> = (0..count)
            .map(|number| {
                let mut service = table.clone();
                service["id"] = format!("s{number}").into();
                service
            })
            .collect();
        let vars = serde_json::json!({"hosts": [], "services": services});
        DdnsConfig::parse(vars).unwrap().services
    }

    #[test]
    fn a_hundred_services_each_minute_stay_in_the_allowance() {
        let tcp = serde_json::json!({"kind": "tcp", "address": "nas.example.com:22"});
        let each_minute = budget(&services(100, &tcp));
        assert_eq!(each_minute.rows_written, 38_440);
        assert!(each_minute.rows_written < ROWS_WRITTEN_A_DAY);
        assert!(each_minute.rows_read < ROWS_READ_A_DAY / 10);
        let mut seldom = tcp;
        seldom["interval_minutes"] = 60.into();
        assert_eq!(
            budget(&services(100, &seldom)).rows_written,
            1440 + 800 + 100 * (24 + 74)
        );
        assert!(budget(&services(200, &seldom)).rows_written < ROWS_WRITTEN_A_DAY);
    }

    #[test]
    fn beats_cost_by_their_period() {
        let beat = |period: u32| serde_json::json!({"kind": "heartbeat", "period_minutes": period});
        let often = budget(&services(1, &beat(1))).rows_written;
        let daily = budget(&services(1, &beat(1440))).rows_written;
        assert_eq!(often - daily, 1439 * 8);
    }

    #[test]
    fn nothing_watched_costs_the_book_alone() {
        assert_eq!(budget(&[]).rows_written, 1440 + 800);
    }
}
