//! The body of `GET /api/services/<id>/history`: hours of the history, as equal steps of a chart.

use serde::{Deserialize, Serialize};
use types::{Range, ServiceId, Timestamp};

use super::book::{Entry, HOUR, MINUTE, Sample, Sums, fraction};

/// How long one point is, in seconds; at most 500 of them make the range. Below an hour each
/// check is looked at.
const fn step(range: Range) -> i64 {
    match range {
        Range::Day => 5 * MINUTE,
        Range::Week => HOUR,
        Range::Month => 2 * HOUR,
        Range::Quarter => 6 * HOUR,
    }
}

/// Whether the single checks have to be read.
pub const fn needs_checks(range: Range) -> bool {
    step(range) < HOUR
}

/// The steps of a range that ends with the one that is running, in seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from: i64,
    pub until: i64,
    step: i64,
}

impl Span {
    pub fn until(range: Range, now: Timestamp) -> Self {
        let (step, now) = (step(range), now.as_seconds());
        let until = now - now.rem_euclid(step) + step;
        Self {
            from: until - range.seconds(),
            until,
            step,
        }
    }

    /// The start of the first hour that it reaches into.
    pub const fn first_hour(self) -> i64 {
        self.from - self.from.rem_euclid(HOUR)
    }
}

/// An hour of the history.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct HourRow {
    /// Its start, in seconds since the epoch.
    pub at: i64,
    pub sums: Sums,
    /// Its checks, where they were asked for and are still there.
    pub samples: Option<Vec<Sample>>,
}

/// Of the checks that have a latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Latency {
    mean: u32,
    p50: u32,
    p95: u32,
    p99: u32,
    max: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Series {
    service: ServiceId,
    range: &'static str,
    step_seconds: i64,
    /// The fraction of checks that did not fail; `None` where there were none.
    uptime: Option<f64>,
    latency_ms: Option<Latency>,
    points: Vec<Point>,
}

/// One step. All are `None` where nothing was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Point {
    at: Timestamp,
    up: Option<f64>,
    latency_ms: Option<Latency>,
}

/// Adds the hours, which are in order, up to steps.
pub fn series(service: &ServiceId, range: Range, span: Span, hours: &[HourRow]) -> Series {
    let count = usize::try_from((span.until - span.from) / span.step).unwrap_or(0);
    let mut steps = vec![Sums::default(); count];
    let step_of = |at: i64| {
        let index = usize::try_from((at - span.from).div_euclid(span.step)).ok();
        index.filter(|index| *index < count)
    };
    for hour in hours {
        match &hour.samples {
            Some(samples) => {
                for sample in samples {
                    if let Some(step) = step_of(sample.at()).and_then(|at| steps.get_mut(at)) {
                        step.add(*sample);
                    }
                }
            }
            None => {
                if let Some(step) = step_of(hour.at).and_then(|at| steps.get_mut(at)) {
                    step.add_all(&hour.sums);
                }
            }
        }
    }
    let mut all = Sums::default();
    let mut points = Vec::with_capacity(count);
    let mut at = span.from;
    for step in &steps {
        all.add_all(step);
        points.push(Point {
            at: Timestamp::from_seconds(at),
            up: fraction(step.up, step.checks),
            latency_ms: latency(step),
        });
        at += span.step;
    }
    Series {
        service: service.clone(),
        range: range.as_str(),
        step_seconds: span.step,
        uptime: fraction(all.up, all.checks),
        latency_ms: latency(&all),
        points,
    }
}

/// The hours with the one that is being counted: the book knows it whole, the history does not yet.
pub fn with_current(hours: &[HourRow], entry: &Entry, range: Range) -> Vec<HourRow> {
    let mut hours = hours.to_vec();
    if entry.sums.checks == 0 {
        return hours;
    }
    let known = hours.iter().position(|hour| hour.at == entry.hour);
    let mut current = known.map(|index| hours.remove(index)).unwrap_or_default();
    (current.at, current.sums) = (entry.hour, entry.sums.clone());
    if needs_checks(range) {
        let samples = current.samples.get_or_insert_default();
        let flushed = samples.last().map_or(i64::MIN, |sample| sample.0);
        samples.extend(entry.pending.iter().filter(|sample| sample.0 > flushed));
    }
    hours.push(current);
    hours
}

fn latency(sums: &Sums) -> Option<Latency> {
    let percentile = |hundredths| sums.buckets.percentile(hundredths, sums.latency_max);
    let counted = sums.buckets.count();
    let mean = (sums.latency_sum + counted / 2).checked_div(counted)?;
    Some(Latency {
        mean: u32::try_from(mean).unwrap_or(u32::MAX),
        p50: percentile(50)?,
        p95: percentile(95)?,
        p99: percentile(99)?,
        max: sums.latency_max,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: i64 = 1_795_255_234;

    fn body(range: Range, hours: &[HourRow]) -> Value {
        let span = Span::until(range, Timestamp::from_seconds(NOW));
        let service = "web".parse().unwrap();
        serde_json::to_value(series(&service, range, span, hours)).unwrap()
    }

    fn hour(at: i64, samples: &[(i64, i64)], detailed: bool) -> HourRow {
        let samples: Vec<_> = samples
            .iter()
            .map(|(minute, value)| Sample(at / MINUTE + minute, *value))
            .collect();
        let mut sums = Sums::default();
        for sample in &samples {
            sums.add(*sample);
        }
        HourRow {
            at,
            sums,
            samples: detailed.then_some(samples),
        }
    }

    #[test]
    fn every_range_is_of_at_most_500_points_and_ends_now() {
        for range in Range::ALL {
            let body = body(range, &[]);
            let points = body["points"].as_array().unwrap();
            assert!((160..=500).contains(&points.len()), "{}", points.len());
            let step = body["step_seconds"].as_i64().unwrap();
            assert_eq!(step * i64::try_from(points.len()).unwrap(), range.seconds());
            let span = Span::until(range, Timestamp::from_seconds(NOW));
            assert!((span.until - step..span.until).contains(&NOW));
            assert_eq!(body["uptime"], Value::Null);
            assert_eq!(points[0]["latency_ms"], Value::Null);
        }
    }

    #[test]
    fn a_day_is_made_of_checks_and_the_others_of_hours() {
        let at = NOW - NOW.rem_euclid(HOUR) - HOUR;
        let samples = [(0, 30), (4, 30), (5, -1), (59, -2)];
        let day = body(Range::Day, &[hour(at, &samples, true)]);
        assert_eq!(day["uptime"], 0.75);
        let at_step = |body: &Value, at: i64| {
            let at = Timestamp::from_seconds(at).to_string();
            let points = body["points"].as_array().unwrap().clone();
            points.into_iter().find(|point| point["at"] == at).unwrap()
        };
        let first = at_step(&day, at);
        assert_eq!(
            first,
            json!({"at": Timestamp::from_seconds(at), "up": 1.0,
                "latency_ms": {"mean": 30, "p50": 25, "p95": 29, "p99": 29, "max": 30}})
        );
        let failed = at_step(&day, at + 300);
        assert_eq!(failed["up"], 0.0);
        assert_eq!(failed["latency_ms"], Value::Null);
        assert_eq!(at_step(&day, at + 600)["up"], Value::Null);
        let week = body(Range::Week, &[hour(at, &samples, false)]);
        assert_eq!(at_step(&week, at)["up"], 0.75);
        assert_eq!(week["latency_ms"]["max"], 30);
    }

    #[test]
    fn uptime_is_weighted_by_what_was_measured_and_what_is_outside_is_left_out() {
        let at = NOW - NOW.rem_euclid(HOUR);
        let hours = [
            hour(at - 100 * 24 * HOUR, &[(0, -1)], false),
            hour(at - HOUR, &[(0, 1), (1, 1), (2, 1)], false),
            hour(at, &[(0, -1)], false),
        ];
        assert_eq!(body(Range::Week, &hours)["uptime"], 0.75);
    }
}
