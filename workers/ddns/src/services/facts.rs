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

/// How a service stands that nobody asks; `None` for one that is asked, and while nothing was heard of
/// it and nothing is late: that measures nothing. The evidence is as old as what was heard last.
pub fn outcome(service: &Service, facts: &Facts, now: Timestamp) -> Option<Outcome> {
    let found = match &service.check {
        Check::Heartbeat(check) => checks::heartbeat::outcome(check, facts, now),
        Check::Ddns(check) => checks::report::outcome(check, facts, now),
        _ => return None,
    };
    if facts.last.is_none() && found.verdict == Verdict::Up {
        return None;
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_255_200);

    /// How these stand, first watched and last heard so many minutes ago.
    fn levels(since: i64, last: Option<i64>, started: Option<i64>) -> [Option<Level>; 2] {
        let beating = json!({"id": "backup", "kind": "heartbeat", "period_minutes": 20,
            "grace_minutes": 0, "max_duration_ms": 600_000});
        let line =
            json!({"id": "home", "kind": "ddns", "host": "home.example.com", "period_minutes": 10});
        let ago = |minutes: i64| NOW.plus_seconds(-60 * minutes);
        let facts = Facts {
            last: last.map(ago),
            started: started.map(ago),
            ..Facts::none(ago(since))
        };
        [beating, line].map(|service| {
            let service = serde_json::from_value(service).unwrap();
            outcome(&service, &facts, NOW).map(|outcome| outcome.level)
        })
    }

    #[test]
    fn what_was_never_heard_is_not_known_until_it_is_late() {
        let [up, down] = [Some(Level::Up), Some(Level::Down)];
        assert_eq!(levels(0, None, None), [None; 2]);
        assert_eq!(levels(20, None, None), [None; 2]);
        assert_eq!(levels(21, None, None), [down; 2]);
        assert_eq!(levels(90, Some(20), None), [up; 2]);
        assert_eq!(levels(90, Some(21), None), [down; 2]);
        // A run that has begun has not ended well, but it may take too long.
        assert_eq!(levels(20, None, Some(10))[0], None);
        assert_eq!(levels(20, None, Some(11))[0], down);
    }
}
