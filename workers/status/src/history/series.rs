//! The body of `GET /api/history/<target>`: rows of whatever age, as equal steps of a chart.

use serde::{Deserialize, Serialize};
use types::{Range, TargetId, Timestamp};

use super::{MINUTE, start};

/// How long one point is, in seconds: at most 500 of them make the range, and each is made of
/// whole rows of the ages in it.
const fn step(range: Range) -> i64 {
    match range {
        Range::Day => 5 * MINUTE,
        Range::Week => 30 * MINUTE,
        Range::Month => 120 * MINUTE,
        Range::Quarter => 360 * MINUTE,
    }
}

/// For how long an instance answers from what it read, in milliseconds: the longer the range,
/// the more rows it reads (D1's free plan has 5 million a day) and the less a minute changes.
pub const fn fresh_ms(range: Range) -> i64 {
    let minutes = match range {
        Range::Day => 1,
        Range::Week => 5,
        Range::Month => 15,
        Range::Quarter => 30,
    };
    minutes * MINUTE * 1000
}

/// The steps of a range that ends with the one that is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from: Timestamp,
    /// Where the running step ends.
    pub until: Timestamp,
    pub step: i64,
}

impl Span {
    pub fn until(range: Range, now: Timestamp) -> Self {
        let step = step(range);
        let until = start(now, step).plus_seconds(step);
        Self {
            from: until.plus_seconds(-range.seconds()),
            until,
            step,
        }
    }
}

/// What the rows of one step add up to, as D1 gives it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Sums {
    /// Seconds since the epoch.
    pub at: i64,
    pub pings: u32,
    pub up: u32,
    pub players_sum: u64,
    pub players_counted: u32,
    pub players_max: Option<u32>,
    pub latency_sum: u64,
    pub latency_max: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Series {
    target: TargetId,
    range: &'static str,
    step_seconds: i64,
    /// The fraction of pings that were answered; `None` where there were none.
    uptime: Option<f64>,
    points: Vec<Point>,
}

/// One step. All are `None` where nothing was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Point {
    at: Timestamp,
    /// The average, with one decimal.
    players: Option<f64>,
    /// The most at once.
    players_max: Option<u32>,
    /// The average over the pings that were answered.
    latency_ms: Option<u32>,
    latency_ms_max: Option<u32>,
    /// The fraction of pings that were answered.
    up: Option<f64>,
}

/// A chart and what it was made of. Steps that are over change no more, and D1 counts each row that
/// is read: the next chart takes up where this one ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    pub series: Series,
    sums: Vec<Sums>,
    until: Timestamp,
}

impl Chart {
    /// What is to be read for the next chart. The step before the one that was running is a part of
    /// it: its last row may have come late.
    pub fn unread(known: Option<&Self>, span: Span) -> Span {
        let settled = known.map(|known| known.until.plus_seconds(-2 * span.step));
        let from = settled.map_or(span.from, |settled| settled.max(span.from));
        Span { from, ..span }
    }

    /// The chart of `span`, of what is known and what was [`Self::unread`].
    pub fn of(
        target: &TargetId,
        range: Range,
        span: Span,
        known: Option<&Self>,
        read: Vec<Sums>,
    ) -> Self {
        let unread = Self::unread(known, span).from.as_seconds();
        let known = known.map_or(&[][..], |known| &known.sums);
        let settled = span.from.as_seconds()..unread;
        let settled = known.iter().filter(|sums| settled.contains(&sums.at));
        let sums: Vec<_> = settled.cloned().chain(read).collect();
        Self {
            series: series(target, range, span, &sums),
            sums,
            until: span.until,
        }
    }
}

/// Puts the sums, which are in order, where they belong among the steps.
fn series(target: &TargetId, range: Range, span: Span, sums: &[Sums]) -> Series {
    let mut sums = sums.iter().peekable();
    let mut points = Vec::new();
    let (mut pings, mut up) = (0, 0);
    let mut at = span.from;
    while at < span.until {
        while sums.next_if(|sums| sums.at < at.as_seconds()).is_some() {}
        let here = sums.next_if(|sums| sums.at == at.as_seconds());
        points.push(point(at, here));
        pings += here.map_or(0, |sums| sums.pings);
        up += here.map_or(0, |sums| sums.up);
        at = at.plus_seconds(span.step);
    }
    Series {
        target: target.clone(),
        range: range.as_str(),
        step_seconds: span.step,
        uptime: fraction(up, pings),
        points,
    }
}

fn point(at: Timestamp, sums: Option<&Sums>) -> Point {
    let sums = sums.filter(|sums| sums.pings > 0);
    Point {
        at,
        players: sums.and_then(|sums| {
            let tenths = mean(sums.players_sum * 10, sums.players_counted)?;
            Some(f64::from(tenths) / 10.0)
        }),
        players_max: sums.and_then(|sums| sums.players_max),
        latency_ms: sums.and_then(|sums| mean(sums.latency_sum, sums.up)),
        latency_ms_max: sums.and_then(|sums| sums.latency_max),
        up: sums.and_then(|sums| fraction(sums.up, sums.pings)),
    }
}

/// Rounded to the nearest.
fn mean(sum: u64, count: u32) -> Option<u32> {
    let count = u64::from(count);
    let rounded = (sum + count / 2).checked_div(count)?;
    Some(u32::try_from(rounded).unwrap_or(u32::MAX))
}

/// With six decimals, rounded down: only what was never down is 1.
fn fraction(part: u32, whole: u32) -> Option<f64> {
    let millionths = (u64::from(part) * 1_000_000).checked_div(u64::from(whole))?;
    let millionths = u32::try_from(millionths).unwrap_or(u32::MAX);
    Some(f64::from(millionths) / 1_000_000.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const NOW: i64 = 1_795_255_234;

    fn body(range: Range, sums: &[Sums]) -> Value {
        let span = Span::until(range, Timestamp::from_seconds(NOW));
        let target = "main".parse().unwrap();
        serde_json::to_value(series(&target, range, span, sums)).unwrap()
    }

    #[test]
    fn every_range_is_of_at_most_500_points_and_ends_now() {
        for range in Range::ALL {
            let body = body(range, &[]);
            let points = body["points"].as_array().unwrap();
            assert!((200..=500).contains(&points.len()), "{}", points.len());
            let step = body["step_seconds"].as_i64().unwrap();
            assert_eq!(step * i64::try_from(points.len()).unwrap(), range.seconds());
            let span = Span::until(range, Timestamp::from_seconds(NOW));
            assert!((span.until.as_seconds() - step..span.until.as_seconds()).contains(&NOW));
        }
    }

    #[test]
    fn a_step_tells_averages_and_a_gap_is_null() {
        let from = Span::until(Range::Day, Timestamp::from_seconds(NOW))
            .from
            .as_seconds();
        let sums = Sums {
            at: from + 300,
            pings: 5,
            up: 4,
            players_sum: 10,
            players_counted: 3,
            players_max: Some(7),
            latency_sum: 90,
            latency_max: Some(40),
        };
        let body = body(Range::Day, &[sums]);
        let at = |index: usize| &body["points"][index];
        assert_eq!(
            *at(1),
            json!({
                "at": Timestamp::from_seconds(from + 300), "players": 3.3, "players_max": 7,
                "latency_ms": 23, "latency_ms_max": 40, "up": 0.8
            })
        );
        assert_eq!(
            *at(2),
            json!({
                "at": Timestamp::from_seconds(from + 600), "players": null, "players_max": null,
                "latency_ms": null, "latency_ms_max": null, "up": null
            })
        );
        assert_eq!(body["uptime"], 0.8);
    }

    #[test]
    fn uptime_is_weighted_by_what_was_measured() {
        let from = Span::until(Range::Day, Timestamp::from_seconds(NOW))
            .from
            .as_seconds();
        let sums = |at, pings, up| Sums {
            at,
            pings,
            up,
            ..Sums::default()
        };
        // Not the mean of 1 and 0.
        let rows = [sums(from, 3, 3), sums(from + 300, 1, 0)];
        assert_eq!(body(Range::Day, &rows)["uptime"], 0.75);
        assert_eq!(body(Range::Day, &[])["uptime"], Value::Null);
        // What was down once is never quite 1.
        let rows = [sums(from, 10_000_000, 9_999_999)];
        assert_eq!(body(Range::Day, &rows)["uptime"], 0.999_999);
    }

    /// A row a minute as D1 adds them up, of what was written by `now`: each minute's some seconds later.
    fn stored(span: Span, now: i64) -> Vec<Sums> {
        let rows = (span.from.as_seconds()..span.until.as_seconds()).step_by(60);
        let mut sums: Vec<Sums> = Vec::new();
        for at in rows.filter(|at| at + 50 <= now) {
            let step = at - at.rem_euclid(span.step);
            if sums.last().is_none_or(|last| last.at != step) {
                sums.push(Sums {
                    at: step,
                    ..Sums::default()
                });
            }
            let last = sums.last_mut().unwrap();
            last.pings += 1;
            last.up += u32::from(at % 7 != 0);
        }
        sums
    }

    #[test]
    fn a_chart_is_continued_with_few_rows() {
        let target = "main".parse().unwrap();
        for range in Range::ALL {
            let mut known: Option<Chart> = None;
            for later in [0, 1, 59, 60, 61, 1_800, 7_200, 90_000, 90_001, 8_000_000] {
                let now = NOW + later;
                let span = Span::until(range, Timestamp::from_seconds(now));
                let unread = Chart::unread(known.as_ref(), span);
                let read = stored(unread, now);
                let rows: u32 = read.iter().map(|sums| sums.pings).sum();
                if later == 61 {
                    assert!(i64::from(rows) <= 2 * span.step / 60, "{range:?}: {rows}");
                }
                let chart = Chart::of(&target, range, span, known.as_ref(), read);
                let whole = Chart::of(&target, range, span, None, stored(span, now));
                assert_eq!(chart, whole, "{range:?} {later}");
                known = Some(chart);
            }
        }
    }

    proptest! {
        #[test]
        fn any_rows_become_a_series(rows in prop::collection::vec((0_i64..100_000, 0_u32..90, 0_u32..90), 0..50)) {
            let mut sums: Vec<Sums> = rows
                .into_iter()
                .map(|(minute, pings, up)| Sums { at: NOW - minute * 60, pings, up: up.min(pings), ..Sums::default() })
                .collect();
            sums.sort_by_key(|sums| sums.at);
            let body = body(Range::Week, &sums);
            prop_assert_eq!(body["points"].as_array().unwrap().len(), 336);
            let uptime = body["uptime"].as_f64().unwrap_or(0.0);
            prop_assert!((0.0..=1.0).contains(&uptime));
        }
    }
}
