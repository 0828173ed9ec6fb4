//! What D1 knows of the services that nobody asks: when they last let hear of themselves.

use std::collections::BTreeMap;

use types::{
    ServiceId, Timestamp,
    config::services::{Check, Service},
};

use super::{
    machine::{Level, Outcome},
    store::beats::LastBeats,
};
use crate::checks::{self, Facts, Verdict};

/// What is known of a service by its beats; `since` is when it was first watched.
pub fn of_beats(beats: &LastBeats, since: Timestamp) -> Facts {
    Facts {
        since,
        last: beats.ended_at(),
        failure: beats.end.as_ref().and_then(|end| end.failure.clone()),
        started: beats.running_since().map(Timestamp::from_millis),
    }
}

/// How a service stands that nobody asks; `None` for one that is asked. The evidence is as old as
/// what was heard last.
pub fn outcome(service: &Service, facts: &Facts, now: Timestamp) -> Option<Outcome> {
    let found = match &service.check {
        Check::Heartbeat(check) => checks::heartbeat::outcome(check, facts, now),
        Check::Ddns(check) => checks::report::outcome(check, facts, now),
        _ => return None,
    };
    let heard = facts.last.max(facts.started);
    Some(of_check(&found, heard.unwrap_or(facts.since)))
}

/// The result of a check as the state machine takes it.
pub fn of_check(found: &checks::Outcome, at: Timestamp) -> Outcome {
    let level = match found.verdict {
        Verdict::Up => Level::Up,
        Verdict::Degraded => Level::Degraded,
        Verdict::Down => Level::Down,
    };
    Outcome {
        level,
        reason: found.reason.clone(),
        at,
    }
}

/// The facts of every service that nobody asks.
pub fn all(
    services: &[Service],
    since: impl Fn(&ServiceId) -> Timestamp,
    beats: &BTreeMap<ServiceId, LastBeats>,
    reports: &BTreeMap<String, Timestamp>,
) -> BTreeMap<ServiceId, Facts> {
    let none = LastBeats::default();
    let facts = |service: &Service| match &service.check {
        Check::Heartbeat(_) => {
            let beats = beats.get(&service.id).unwrap_or(&none);
            Some(of_beats(beats, since(&service.id)))
        }
        Check::Ddns(check) => Some(Facts {
            last: reports.get(check.host.as_str()).copied(),
            ..Facts::none(since(&service.id))
        }),
        _ => None,
    };
    services
        .iter()
        .filter_map(|service| Some((service.id.clone(), facts(service)?)))
        .collect()
}
