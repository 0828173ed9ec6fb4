//! What the pings saw over time: a row a target and minute in D1 (`STATUS_DB`, table `samples`).
//!
//! | Age | A row stands for |
//! |---|---|
//! | up to 2 days | a minute |
//! | up to 30 days | 5 minutes |
//! | up to 400 days | an hour |
//!
//! Rows are added up and deleted in one transaction, so that a ping counts once, however often a
//! roll-up is tried and wherever it breaks off. Minutes in which nothing was measured have no row:
//! a gap stays a gap, and uptime is over what was measured. What a day costs of D1's allowance is
//! computed by [`budget`], and shown in `GET /metrics`.
//!
//! Nothing here stops the cron: what D1 refuses is logged, and the minute is a gap.

pub mod budget;
pub mod rollup;
pub mod series;
mod store;

use std::collections::BTreeMap;

use edge::{Failure, log};
use serde::Serialize;
use types::{TargetId, Timestamp, status::Observation};
use worker::Env;

pub use store::{last_minute, read};

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60 * MINUTE;

/// One ping, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Sample<'a> {
    target: &'a TargetId,
    at: i64,
    up: bool,
    players: Option<u32>,
    latency_ms: Option<u32>,
}

impl<'a> Sample<'a> {
    fn of(target: &'a TargetId, seen: &Observation, minute: Timestamp) -> Self {
        let answer = seen.answer.as_ref().filter(|_| seen.online);
        let players = answer.and_then(|answer| answer.players.as_ref());
        Self {
            target,
            at: minute.as_seconds(),
            up: seen.online,
            players: players.and_then(|players| players.online),
            latency_ms: answer.map(|answer| {
                let latency = answer.latency_ms;
                latency.connect.saturating_add(latency.status)
            }),
        }
    }
}

/// Writes what one run of the cron saw, and rolls up what has become old. `now` is the moment that
/// the run was due: the same event, delivered twice, writes nothing the second time.
pub async fn record(env: &Env, observations: &BTreeMap<TargetId, Observation>, now: Timestamp) {
    let minute = start(now, MINUTE);
    let samples: Vec<_> = observations
        .iter()
        .map(|(target, seen)| Sample::of(target, seen, minute))
        .collect();
    // Apart, so that a roll-up that fails does not lose the minute too.
    survive("history", store::write(env, &samples).await);
    let due = rollup::due(now);
    if !due.is_empty() {
        survive("history roll-up", store::roll_up(env, &due).await);
    }
}

fn survive(about: &str, result: Result<(), Failure>) {
    if let Err(failure) = result {
        log::error(about, &failure.into_message());
    }
}

/// The start of the `step` seconds that this moment is in.
fn start(moment: Timestamp, step: i64) -> Timestamp {
    let seconds = moment.as_seconds();
    Timestamp::from_seconds(seconds - seconds.rem_euclid(step))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::observe::tests::answered_at;

    fn written(seen: &Observation) -> serde_json::Value {
        let target = "main".parse().unwrap();
        let minute = start(Timestamp::from_seconds(1_795_255_259), MINUTE);
        serde_json::to_value(Sample::of(&target, seen, minute)).unwrap()
    }

    #[test]
    fn a_ping_becomes_the_row_of_its_minute() {
        assert_eq!(
            written(&answered_at(0)),
            json!({"target": "main", "at": 1_795_255_200, "up": true, "players": 1, "latency_ms": 19})
        );
    }

    #[test]
    fn what_was_known_before_a_failure_is_not_measured_again() {
        let mut failed = answered_at(0);
        failed.online = false;
        assert_eq!(
            written(&failed),
            json!({"target": "main", "at": 1_795_255_200, "up": false, "players": null, "latency_ms": null})
        );
    }
}
