//! How this worker is, as `GET /api/health` says it: does the database answer, does the cron run.

use std::collections::BTreeMap;

use types::{
    Timestamp,
    health::{Check, Health, HealthStatus, Observed},
};

/// The cron runs each minute; later than this is late.
const LATE_SECONDS: i64 = 180;

/// What was found out about the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// It answered, and this is when the cron ran last, if it ever did.
    Answered {
        millis: i64,
        ticked_at: Option<Timestamp>,
    },
    Failed,
}

/// The health at `now`.
pub fn health(now: Timestamp, database: Database) -> Health {
    let mut checks = BTreeMap::new();
    let store = passing("OPS_DB", "datastore", now);
    let store = match database {
        Database::Failed => Check {
            status: HealthStatus::Fail,
            output: Some("the database does not answer; the log says why".to_owned()),
            ..store
        },
        Database::Answered { millis, ticked_at } => {
            checks.insert("cron:age".to_owned(), vec![cron(now, ticked_at)]);
            Check {
                observed: Some(observed(millis, "ms")),
                ..store
            }
        }
    };
    checks.insert("ops-db:responseTime".to_owned(), vec![store]);
    Health::of("ddns", checks)
}

fn cron(now: Timestamp, ticked_at: Option<Timestamp>) -> Check {
    let age = ticked_at.map(|at| now - at);
    // No number in these words: they stay the same while the state does.
    let late = match age {
        None => Some("the cron has never run"),
        Some(age) => (age > LATE_SECONDS).then_some("the cron has not run for over 3 minutes"),
    };
    Check {
        observed: age.map(|age| observed(age, "s")),
        status: late.map_or(HealthStatus::Pass, |_| HealthStatus::Warn),
        output: late.map(str::to_owned),
        ..passing("ddns", "system", now)
    }
}

fn passing(id: &str, kind: &str, now: Timestamp) -> Check {
    Check {
        component_id: id.to_owned(),
        component_type: kind.to_owned(),
        observed: None,
        status: HealthStatus::Pass,
        time: now,
        output: None,
    }
}

fn observed(value: i64, unit: &str) -> Observed {
    Observed {
        observed_value: value,
        observed_unit: unit.to_owned(),
    }
}

/// What stays the same while nothing but time passes: statuses and words, to be tagged.
pub fn state_of(health: &Health) -> String {
    let states: Vec<_> = health
        .checks
        .iter()
        .flat_map(|(name, checks)| checks.iter().map(move |check| (name, check)))
        .map(|(name, check)| format!("{name} {:?} {:?}", check.status, check.output))
        .collect();
    states.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_255_200);

    fn ticked(seconds_ago: Option<i64>) -> Health {
        let ticked_at = seconds_ago.map(|seconds| NOW.plus_seconds(-seconds));
        health(
            NOW,
            Database::Answered {
                millis: 2,
                ticked_at,
            },
        )
    }

    #[test]
    fn a_late_cron_is_a_warning_and_a_dead_database_a_failure() {
        assert_eq!(ticked(Some(0)).status, HealthStatus::Pass);
        assert_eq!(ticked(Some(180)).status, HealthStatus::Pass);
        assert_eq!(ticked(Some(181)).status, HealthStatus::Warn);
        assert_eq!(ticked(None).status, HealthStatus::Warn);
        assert_eq!(health(NOW, Database::Failed).status, HealthStatus::Fail);
    }

    #[test]
    fn the_state_changes_with_the_status_and_not_with_time() {
        assert_eq!(state_of(&ticked(Some(1))), state_of(&ticked(Some(60))));
        assert_ne!(state_of(&ticked(Some(1))), state_of(&ticked(Some(600))));
        assert_ne!(state_of(&ticked(None)), state_of(&ticked(Some(600))));
    }
}
