//! What watching costs of D1's allowance.
//!
//! D1 counts a row for each that is inserted, updated or deleted, in the table and in each of its
//! indexes, and one for the counter of a table whose ids are never given twice. The free plan lets an
//! account write 100,000 and read 5 million a day, and make 50 queries an invocation. A hundred
//! services that are checked each minute write some 40,000 rows a day; since the book is one row, most
//! of it is the history, which costs a service a row in 5 minutes. What reports of addresses write is
//! not in it.

use types::config::{
    DdnsConfig,
    alerts::{AlertChannel, AlertEvent},
    services::{Check, Service},
};

use super::book::FLUSH_MINUTES;
use crate::alerts::plan::MAX_REMINDERS_A_DAY;

/// What D1's free plan allows.
pub const ROWS_WRITTEN_A_DAY: u32 = 100_000;
pub const ROWS_READ_A_DAY: u32 = 5_000_000;
/// What one run asks and writes at most: book, silences, incidents, beats, reports, uptimes; the
/// book, hours, incidents that close and open, the audit, reminders that go and alerts that come, and
/// the six of a day that is over.
pub const QUERIES_A_RUN: u32 = 6 + 7 + 6;
pub const QUERIES_AN_INVOCATION: u32 = 50;

const MINUTES_A_DAY: u32 = 24 * 60;
const FLUSHES_A_DAY: u32 = MINUTES_A_DAY / FLUSH_MINUTES;
/// The book, and that the cron ran.
const ROWS_A_RUN: u32 = 2;
/// Hours are flushed once more when they end, emptied of their checks after 30 days, and deleted
/// after 400; so is the row of the day, which is also written, and once more when a check was held
/// back until the next day.
const HOUR_ROWS: u32 = 3 * 24 + 3;
/// The beginning and the end of a run: a row, its entry in the index of run ids, and both again when
/// they are deleted.
const ROWS_A_RUN_OF_A_JOB: u32 = 2 * 4;
/// Changes of state that are reckoned with in a day.
const CHANGES: u32 = 100;
/// A row of the audit with its counter, and half an incident, which opens and closes: with its entry
/// in the index. Both are deleted one day.
const ROWS_A_CHANGE: u32 = 3 + 3;
/// An alert for one channel, that arrives at once: put in (with two indexes and a counter), taken
/// (with the entry of when it is due, that moves), settled, deleted; and how the channel does.
const ROWS_AN_ALERT: u32 = 4 + 3 + 2 + 3 + 1;
/// Of the uptimes, each hour: a day of hours, the hours of today, 90 days.
const ROWS_OF_UPTIME: u32 = 24 + 24 + 90;

/// Rows that watching these services reads and writes in a day, at most, as long as no more than 100
/// changes of state happen, and alerts arrive at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    pub rows_written: u32,
    /// By the cron; what readers ask for comes on top.
    pub rows_read: u32,
}

pub fn budget(config: &DdnsConfig) -> Budget {
    let told: u32 = config.alerts.iter().map(|_| CHANGES).sum();
    let reminders: u32 = config
        .alerts
        .iter()
        .map(|channel| reminders(channel, &config.services))
        .sum();
    let mut rows_written =
        MINUTES_A_DAY * ROWS_A_RUN + CHANGES * ROWS_A_CHANGE + (told + reminders) * ROWS_AN_ALERT;
    let mut rows_read = 3 * MINUTES_A_DAY;
    for service in &config.services {
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
            rows_read += 5 * MINUTES_A_DAY;
        }
    }
    Budget {
        rows_written,
        rows_read,
    }
}

/// How often this channel is reminded in a day in which all is down.
fn reminders(channel: &AlertChannel, services: &[Service]) -> u32 {
    if !channel.hears(AlertEvent::Reminder) {
        return 0;
    }
    let every = |service: &Service| service.remind_minutes.filter(|minutes| *minutes > 0);
    let told = services
        .iter()
        .filter(|service| service.alerts_to(&channel.name));
    let all: u32 = told
        .filter_map(every)
        .map(|minutes| MINUTES_A_DAY / minutes)
        .sum();
    all.min(MAX_REMINDERS_A_DAY)
}

#[cfg(test)]
mod tests {
    use types::config::Config as _;

    use super::*;

    fn services(count: usize, table: &serde_json::Value) -> DdnsConfig {
        let services: Vec<_> = (0..count)
            .map(|number| {
                let mut service = table.clone();
                service["id"] = format!("s{number}").into();
                service
            })
            .collect();
        let vars = serde_json::json!({"hosts": [], "services": services});
        DdnsConfig::parse(vars).unwrap()
    }

    #[test]
    fn a_hundred_services_each_minute_stay_in_the_allowance() {
        let tcp = serde_json::json!({"kind": "tcp", "address": "nas.example.com:22"});
        let each_minute = budget(&services(100, &tcp));
        assert_eq!(each_minute.rows_written, 1440 * 2 + 600 + 100 * (288 + 75));
        assert!(each_minute.rows_written < ROWS_WRITTEN_A_DAY);
        assert!(each_minute.rows_read < ROWS_READ_A_DAY / 10);
        let mut seldom = tcp;
        seldom["interval_minutes"] = 60.into();
        assert_eq!(
            budget(&services(100, &seldom)).rows_written,
            1440 * 2 + 600 + 100 * (24 + 75)
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
    fn nothing_watched_costs_its_minutes_alone() {
        let none = DdnsConfig::parse(serde_json::json!({"hosts": []})).unwrap();
        assert_eq!(budget(&none).rows_written, 1440 * 2 + 600);
    }

    #[test]
    fn what_is_told_costs_by_the_channel_and_reminders_no_more_than_are_sent() {
        let mut tcp = serde_json::json!({"kind": "tcp", "address": "nas.example.com:22"});
        let cost = |services: &DdnsConfig, channels: serde_json::Value| {
            let mut config = services.clone();
            config.alerts = serde_json::from_value(channels).unwrap();
            budget(&config).rows_written - budget(services).rows_written
        };
        let channels = |count: usize| -> serde_json::Value {
            let channel =
                |n| serde_json::json!({"name": format!("c{n}"), "kind": "ntfy", "topic": "x"});
            (0..count).map(channel).collect()
        };
        let quiet = services(100, &tcp);
        assert_eq!(cost(&quiet, channels(1)), 100 * 13);
        assert_eq!(cost(&quiet, channels(10)), 10 * 100 * 13);
        tcp["remind_minutes"] = 60.into();
        assert_eq!(cost(&services(1, &tcp), channels(2)), 2 * (100 + 24) * 13);
        let many = services(200, &tcp);
        assert_eq!(cost(&many, channels(10)), 10 * (100 + 150) * 13);
        let deaf = serde_json::json!([{"name": "a", "kind": "ntfy", "topic": "x", "events": ["down", "up"]}]);
        assert_eq!(cost(&many, deaf), 100 * 13);
        assert!(budget(&many).rows_written < ROWS_WRITTEN_A_DAY);
    }
}
