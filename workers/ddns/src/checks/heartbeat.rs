//! Checks of kind `heartbeat`: what a beat has to be, and when the silence has lasted too long.

use std::collections::BTreeMap;

use types::{Timestamp, config::services::HeartbeatCheck};

use super::{Outcome, bounded};

/// How the work behind a beat ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Success,
    Fail,
    /// The exit code of a process; 0 is success.
    Exit(i64),
}

/// A beat, as it came in. The start of work is no beat yet.
#[derive(Debug, Clone, PartialEq)]
pub struct BeatReport {
    pub ending: Ending,
    /// As reported, or from the start of the same run.
    pub duration_ms: Option<u64>,
    /// By name; `size_bytes` among them.
    pub metrics: BTreeMap<String, f64>,
}

/// What D1 knows of a service that nobody asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Since when the service is watched: the first beat is due a period later.
    pub since: Timestamp,
    /// The last beat that ended, good or bad, or the last report of a DDNS host.
    pub last: Option<Timestamp>,
    /// The reason for which that beat is a failure.
    pub failure: Option<String>,
    /// When a run began that has not ended.
    pub started: Option<Timestamp>,
}

impl Facts {
    /// Of a service that is asked: nothing need be known.
    pub const fn none(now: Timestamp) -> Self {
        Self {
            since: now,
            last: None,
            failure: None,
            started: None,
        }
    }
}

/// Whether a beat is a good one: else the reason, its stable code first. What was to be measured
/// and is not said is a failure too: a backup that does not tell its size may be empty.
pub fn judge_beat(check: &HeartbeatCheck, beat: &BeatReport) -> Result<(), String> {
    match beat.ending {
        Ending::Success | Ending::Exit(0) => {}
        Ending::Fail => return Err("failed: it says that it failed".to_owned()),
        Ending::Exit(code) => return Err(format!("exit: it ended with exit code {code}")),
    }
    if let Some(least) = check.min_size_bytes {
        let size = beat.metrics.get("size_bytes").copied();
        let size = size.ok_or("size: it does not say size_bytes")?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "a size above 2^53 is large enough"
        )]
        let is_large_enough = size >= least as f64;
        if !is_large_enough {
            return Err(bounded(&format!(
                "size: made {size} bytes, fewer than {least}"
            )));
        }
    }
    if check.min_duration_ms.is_some() || check.max_duration_ms.is_some() {
        let duration = beat.duration_ms;
        let took = duration.ok_or("duration: it does not say how long it took")?;
        if let Some(least) = check.min_duration_ms.filter(|least| took < *least) {
            return Err(format!("duration: took {took} ms, less than {least}"));
        }
        if let Some(most) = check.max_duration_ms.filter(|most| took > *most) {
            return Err(format!("duration: took {took} ms, more than {most}"));
        }
    }
    for limit in &check.limits {
        match beat.metrics.get(&limit.metric) {
            None => return Err(bounded(&format!("limit: it does not say {}", limit.metric))),
            Some(value) if !limit.holds(*value) => {
                return Err(bounded(&format!("limit: {value} is not {limit}")));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// When the next beat is due at the latest, grace included.
pub fn due_by(check: &HeartbeatCheck, facts: &Facts) -> Timestamp {
    let minutes = i64::from(check.period_minutes) + i64::from(check.grace_minutes);
    facts.last.unwrap_or(facts.since).plus_seconds(60 * minutes)
}

/// How a service stands that is known by its beats alone.
pub fn outcome(check: &HeartbeatCheck, facts: &Facts, now: Timestamp) -> Outcome {
    if let (Some(started), Some(most)) = (facts.started, check.max_duration_ms) {
        let most_seconds = i64::try_from(most.div_ceil(1000)).unwrap_or(i64::MAX);
        if now - started > most_seconds {
            let words = format!("it has not ended within {most} ms");
            return Outcome::down("duration", &words);
        }
    }
    if now > due_by(check, facts) {
        let minutes = check.period_minutes;
        let words = match facts.last {
            Some(_) => format!("nothing was heard for over {minutes} minutes"),
            None => "nothing was ever heard".to_owned(),
        };
        return Outcome::down("late", &words);
    }
    match &facts.failure {
        Some(reason) => {
            let (code, words) = reason.split_once(": ").unwrap_or(("failed", reason));
            Outcome::down(code, words)
        }
        None => Outcome::up(None),
    }
}
