//! What is known of all services, as one value: the row of the table `book`.
//!
//! Only the cron writes it, once a run and by compare-and-swap, whatever the number of services. It
//! holds their states, what the last check of each gave, the hour that is being counted, and the
//! checks that are not in the history yet: those go there every [`FLUSH_MINUTES`] minutes, so that
//! the history costs D1 a row for that long and not for each check.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::{ServiceId, Timestamp, services::Uptime};

use super::{latency::Buckets, machine::Machine};
use crate::{alerts::plan::Reminded, checks::outside::MAX_REDIRECTS};

/// How often checks are written to the history.
pub const FLUSH_MINUTES: u32 = 5;
pub const MINUTE: i64 = 60;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// One check: the minute that it was in, since the epoch, and what it gave: the latency in
/// milliseconds, [`DOWN`] or [`UNTIMED`]. Stored as `[29920920,35]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample(pub i64, pub i64);

/// It failed.
pub const DOWN: i64 = -1;
/// It did not fail, and has no latency.
pub const UNTIMED: i64 = -2;

impl Sample {
    pub fn new(at: Timestamp, up: bool, latency_ms: Option<u32>) -> Self {
        let value = match latency_ms {
            _ if !up => DOWN,
            None => UNTIMED,
            Some(latency) => i64::from(latency),
        };
        Self(at.as_seconds().div_euclid(MINUTE), value)
    }

    pub const fn is_up(self) -> bool {
        self.1 != DOWN
    }

    pub fn latency_ms(self) -> Option<u32> {
        u32::try_from(self.1).ok()
    }

    pub const fn at(self) -> i64 {
        self.0 * MINUTE
    }
}

/// What the checks of a span of time add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    pub checks: u32,
    pub up: u32,
    /// Over those that have a latency.
    pub latency_sum: u64,
    pub latency_max: u32,
    pub buckets: Buckets,
}

impl Sums {
    pub fn add(&mut self, sample: Sample) {
        self.checks = self.checks.saturating_add(1);
        self.up = self.up.saturating_add(u32::from(sample.is_up()));
        if let Some(latency) = sample.latency_ms() {
            self.latency_sum += u64::from(latency);
            self.latency_max = self.latency_max.max(latency);
            self.buckets.add(latency);
        }
    }

    pub fn add_all(&mut self, other: &Self) {
        self.checks = self.checks.saturating_add(other.checks);
        self.up = self.up.saturating_add(other.up);
        self.latency_sum += other.latency_sum;
        self.latency_max = self.latency_max.max(other.latency_max);
        self.buckets.add_all(&other.buckets);
    }
}

/// Checks and good checks of the last 24 hours, 7, 30 and 90 days. Stored as eight numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows(pub [(u32, u32); 4]);

impl Windows {
    pub fn add(&mut self, sample: Sample) {
        for (checks, up) in &mut self.0 {
            *checks = checks.saturating_add(1);
            *up = up.saturating_add(u32::from(sample.is_up()));
        }
    }

    pub fn uptime(&self) -> Uptime {
        let [day, week, month, quarter] = self.0.map(|(checks, up)| fraction(up, checks));
        Uptime {
            day,
            week,
            month,
            quarter,
        }
    }
}

/// With six decimals, rounded down: only what was never down is 1.
pub fn fraction(part: u32, whole: u32) -> Option<f64> {
    let millionths = (u64::from(part) * 1_000_000).checked_div(u64::from(whole))?;
    let millionths = u32::try_from(millionths).unwrap_or(u32::MAX);
    Some(f64::from(millionths) / 1_000_000.0)
}

/// What the last check of a service gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    pub at: Timestamp,
    pub up: bool,
    pub latency_ms: Option<u32>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_none(value: &u32) -> bool {
    *value == 0
}

/// All that is known of one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub machine: Machine,
    /// When it was first heard of.
    pub known_since: Timestamp,
    pub last: Option<Last>,
    /// How many redirects a check of it is reckoned to follow.
    #[serde(default, skip_serializing_if = "is_none")]
    pub redirects: u32,
    #[serde(default)]
    pub windows: Windows,
    /// The start of the hour that is being counted, in seconds since the epoch.
    #[serde(default)]
    pub hour: i64,
    #[serde(default)]
    pub sums: Sums,
    /// Checks of that hour that are not in the history yet.
    #[serde(default)]
    pub pending: Vec<Sample>,
    /// Failures since then, of which is not known yet whether they are the service's or the line's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Sample>,
}

impl Entry {
    pub fn new(now: Timestamp) -> Self {
        Self {
            machine: Machine::new(now),
            known_since: now,
            last: None,
            redirects: 0,
            windows: Windows::default(),
            hour: 0,
            sums: Sums::default(),
            pending: Vec::new(),
            held: Vec::new(),
        }
    }

    /// Remembers how many requests a check made. Nobody knows how many more it would have made for
    /// which the run had no more: the next one has room for some.
    pub fn asked(&mut self, requests: u32, is_cut: bool) {
        let reckoned = if is_cut { 4 * requests } else { requests };
        self.redirects = reckoned.saturating_sub(1).min(MAX_REDIRECTS);
    }
}

/// What goes to the history: an hour of a service as it stands, and the checks that are new in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hour {
    pub service: ServiceId,
    /// Its start, in seconds since the epoch.
    pub at: i64,
    pub sums: Sums,
    pub new: Vec<Sample>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Version1;

impl TryFrom<u32> for Version1 {
    type Error = String;

    fn try_from(number: u32) -> Result<Self, String> {
        match number {
            1 => Ok(Self),
            other => Err(format!("version {other} is not known here")),
        }
    }
}

impl From<Version1> for u32 {
    fn from(_: Version1) -> Self {
        1
    }
}

/// The whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    pub v: Version1,
    /// The minute of the last run, since the epoch: a run that comes twice is done once.
    pub minute: i64,
    /// The last day, since the epoch, that the daily work was done for.
    pub day: Option<i64>,
    pub services: BTreeMap<ServiceId, Entry>,
    #[serde(default, skip_serializing_if = "Reminded::is_empty")]
    pub reminded: Reminded,
}

impl Book {
    /// Counts a check; an hour that it ends goes to `finished`.
    pub fn count(&mut self, id: &ServiceId, sample: Sample, finished: &mut Vec<Hour>) {
        let Some(entry) = self.services.get_mut(id) else {
            return;
        };
        let hour = sample.at() - sample.at().rem_euclid(HOUR);
        if hour != entry.hour {
            finished.extend(take_hour(id, entry));
            (entry.hour, entry.sums) = (hour, Sums::default());
        }
        entry.sums.add(sample);
        entry.windows.add(sample);
        entry.pending.push(sample);
    }

    /// Counts what was held back of a service. A day whose work was done without is done again.
    pub fn release(&mut self, id: &ServiceId, finished: &mut Vec<Hour>) {
        let Some(entry) = self.services.get_mut(id) else {
            return;
        };
        for sample in std::mem::take(&mut entry.held) {
            let day = sample.at().div_euclid(DAY);
            self.day = self.day.map(|done| done.min(day - 1));
            self.count(id, sample, finished);
        }
    }

    /// Takes what is to go to the history, when it is time.
    pub fn flush(&mut self, now: Timestamp, hours: &mut Vec<Hour>) {
        let minute = now.as_seconds().div_euclid(MINUTE);
        let is_time = minute.rem_euclid(FLUSH_MINUTES.into()) == 0;
        for (id, entry) in &mut self.services {
            // Runs that did not happen do not keep checks back.
            let first = entry.pending.first();
            let is_old = first.is_some_and(|first| minute - first.0 >= i64::from(FLUSH_MINUTES));
            if is_time || is_old {
                hours.extend(take_hour(id, entry));
            }
        }
    }
}

fn take_hour(id: &ServiceId, entry: &mut Entry) -> Option<Hour> {
    let new = std::mem::take(&mut entry.pending);
    (!new.is_empty()).then(|| Hour {
        service: id.clone(),
        at: entry.hour,
        sums: entry.sums.clone(),
        new,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id() -> ServiceId {
        "web".parse().unwrap()
    }

    fn book() -> Book {
        let entry = Entry::new(Timestamp::from_seconds(0));
        Book {
            services: BTreeMap::from([(id(), entry)]),
            ..Book::default()
        }
    }

    #[test]
    fn a_check_is_reckoned_with_what_it_took_last_and_with_more_when_it_was_cut_off() {
        let mut entry = Entry::new(Timestamp::from_seconds(0));
        for (requests, is_cut, redirects) in [
            (1, false, 0),
            (2, false, 1),
            (1, true, 3),
            (9, true, 20),
            (21, false, 20),
            (0, false, 0),
        ] {
            entry.asked(requests, is_cut);
            assert_eq!(entry.redirects, redirects, "{requests} {is_cut}");
        }
        entry.redirects = 3;
        let json = serde_json::to_value(&entry).unwrap();
        assert_eq!(json["redirects"], 3);
        assert_eq!(serde_json::from_value::<Entry>(json).unwrap(), entry);
    }

    #[test]
    fn the_stored_form_is_pinned() {
        let mut book = book();
        let at = Timestamp::from_seconds(1_795_255_200);
        book.minute = 29_920_920;
        book.count(&id(), Sample::new(at, true, Some(35)), &mut Vec::new());
        book.count(
            &id(),
            Sample::new(at.plus_seconds(60), false, Some(9)),
            &mut Vec::new(),
        );
        let entry = book.services.get_mut(&id()).unwrap();
        entry.last = Some(Last {
            at,
            up: true,
            latency_ms: Some(35),
        });
        let json = serde_json::to_string(&book).unwrap();
        assert_eq!(
            json,
            r#"{"v":1,"minute":29920920,"day":null,"services":{"web":{"machine":{"state":"unknown","since":"1970-01-01T00:00:00Z","settled":"unmeasured","failed":0,"passed":0,"slow":0,"clean":0,"failing_since":null,"good_at":null,"incident":null,"told":"up","told_at":null,"reminded_at":null,"fault":null,"reason":null},"known_since":"1970-01-01T00:00:00Z","last":{"at":"2026-11-21T10:00:00Z","up":true,"latency_ms":35},"windows":[[2,1],[2,1],[2,1],[2,1]],"hour":1795255200,"sums":{"checks":2,"up":1,"latency_sum":35,"latency_max":35,"buckets":[0,0,0,1]},"pending":[[29920920,35],[29920921,-1]]}}}"#
        );
        assert_eq!(serde_json::from_str::<Book>(&json).unwrap(), book);
        let held = json.replace("-1]]}}}", r#"-1]],"held":[[29920922,-1]]}}}"#);
        book.services.get_mut(&id()).unwrap().held = vec![Sample(29_920_922, DOWN)];
        assert_eq!(serde_json::to_string(&book).unwrap(), held);
        assert_eq!(serde_json::from_str::<Book>(&held).unwrap(), book);
        let newer = json.replace(r#""v":1"#, r#""v":2"#);
        assert!(serde_json::from_str::<Book>(&newer).is_err());
    }

    #[test]
    fn uptime_is_null_without_checks_and_1_only_without_failures() {
        let mut windows = Windows::default();
        assert_eq!(windows.uptime().day, None);
        windows.0[0] = (10_000_000, 9_999_999);
        windows.0[1] = (3, 3);
        assert_eq!(windows.uptime().day, Some(0.999_999));
        assert_eq!(windows.uptime().week, Some(1.0));
        assert_eq!(windows.uptime().month, None);
    }

    proptest! {
        /// Whenever checks come and runs are missed: each check goes to the history once, into its
        /// hour, whose sums are those of all its checks.
        #[test]
        fn every_check_gets_to_its_hour_once(steps in prop::collection::vec((1_i64..40, any::<bool>(), prop::option::of(-1_i64..3000)), 1..200)) {
            let mut book = book();
            let mut rows: BTreeMap<i64, (Sums, Vec<Sample>)> = BTreeMap::new();
            let mut all = Vec::new();
            let mut minute = 29_920_000;
            let mut store = |hours: Vec<Hour>| {
                for hour in hours {
                    let row = rows.entry(hour.at).or_default();
                    row.0 = hour.sums;
                    row.1.extend(hour.new);
                }
            };
            for (later, long, value) in steps {
                minute += if long { later } else { 1 };
                let mut hours = Vec::new();
                if let Some(value) = value {
                    all.push(Sample(minute, value));
                    book.count(&id(), Sample(minute, value), &mut hours);
                }
                book.flush(Timestamp::from_seconds(minute * 60), &mut hours);
                store(hours);
                prop_assert!(book.services[&id()].pending.len() <= 5);
            }
            let mut hours = Vec::new();
            book.flush(Timestamp::from_seconds((minute + 5) * 60), &mut hours);
            store(hours);
            let mut kept = Vec::new();
            for (at, (sums, samples)) in rows {
                let mut expected = Sums::default();
                for sample in &samples {
                    prop_assert_eq!(sample.at() - sample.at().rem_euclid(HOUR), at);
                    expected.add(*sample);
                }
                prop_assert_eq!(sums, expected);
                kept.extend(samples);
            }
            prop_assert_eq!(kept, all);
        }
    }
}
