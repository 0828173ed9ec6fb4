//! Checks of kind `ddns`: the dead-man switch of the home line.

use types::{Timestamp, config::services::DdnsCheck};

use super::{Facts, Outcome};

/// How long the host may be silent, in seconds: two periods, for one report may be lost.
pub fn patience(check: &DdnsCheck) -> i64 {
    2 * 60 * i64::from(check.period_minutes)
}

/// Up while the host's last report is younger than that.
pub fn outcome(check: &DdnsCheck, facts: &Facts, now: Timestamp) -> Outcome {
    if now - facts.last.unwrap_or(facts.since) <= patience(check) {
        return Outcome::up(None);
    }
    let words = match facts.last {
        Some(_) => format!("no report for over twice {} minutes", check.period_minutes),
        None => "no report ever came".to_owned(),
    };
    Outcome::down("late", &words)
}
