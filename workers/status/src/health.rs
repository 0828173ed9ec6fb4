//! How this worker is, as `GET /api/health` says it: do KV and D1 answer, does the cron run, is the
//! control document in KV a good one, are there writes left today.
//!
//! Without KV there is no status to serve, so that is a failure; without D1 charts and changes of
//! the control document wait, so that is a warning.

use types::{
    Timestamp,
    health::{Check, Health, HealthStatus},
    status::Writes,
};

use crate::control::Odd;

/// The cron runs each minute. As late as this a status is `stale`.
const LATE_SECONDS: i64 = 300;
/// The part of the day's writes, in percent, from which on there are few left.
const NEARLY_USED: u64 = 90;
/// The most characters of what is wrong with a document that are told.
const TOLD_CHARS: usize = 200;
const DAY_SECONDS: i64 = 24 * 3600;

/// What KV holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub millis: i64,
    /// When the newest observation was made.
    pub retrieved_at: Option<Timestamp>,
    pub writes: Option<Writes>,
    /// What is wrong with the control document, as it may be after an edit by hand.
    pub odd: Option<Odd>,
}

/// What D1 holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    pub millis: i64,
    /// The last minute that was written down.
    pub at: Option<Timestamp>,
}

/// What was found; `None` is what did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub kept: Option<Kept>,
    pub recorded: Option<Recorded>,
}

/// The health at `now`; `budget` is how often KV may be written to on a day.
pub fn health(now: Timestamp, found: &Found, budget: u32) -> Health {
    let mut checks = vec![
        ("status-kv:responseTime", kv(now, found.kept.as_ref())),
        ("status-db:responseTime", db(now, found.recorded)),
    ];
    if let Some(kept) = &found.kept {
        checks.push(("control:document", document(now, kept.odd.as_ref())));
        checks.push(("kv:writes", writes(now, kept.writes, budget)));
    }
    if found.kept.is_some() || found.recorded.is_some() {
        checks.push(("cron:age", cron(now, found)));
    }
    Health::of_named("status", checks)
}

fn kv(now: Timestamp, kept: Option<&Kept>) -> Check {
    let check = Check::pass("STATUS_KV", "datastore", now);
    match kept {
        Some(kept) => check.measured(kept.millis, "ms"),
        None => check.unless(Some(silent(HealthStatus::Fail, "KV does not answer"))),
    }
}

fn db(now: Timestamp, recorded: Option<Recorded>) -> Check {
    let check = Check::pass("STATUS_DB", "datastore", now);
    match recorded {
        Some(recorded) => check.measured(recorded.millis, "ms"),
        None => check.unless(Some(silent(
            HealthStatus::Warn,
            "the database does not answer",
        ))),
    }
}

fn silent(status: HealthStatus, what: &str) -> (HealthStatus, String) {
    (status, format!("{what}; the log says why"))
}

fn document(now: Timestamp, odd: Option<&Odd>) -> Check {
    let wrong = odd.map(|odd| {
        let (what, told) = match odd {
            Odd::Broken(told) => (
                "what KV holds is no control document, and the last good one stays in force",
                told,
            ),
            Odd::Stranger(told) => ("a part of the control document does nothing", told),
        };
        let told: String = told.to_string().chars().take(TOLD_CHARS).collect();
        (HealthStatus::Warn, format!("{what}: {told}"))
    });
    Check::pass("control", "datastore", now).unless(wrong)
}

fn writes(now: Timestamp, writes: Option<Writes>, budget: u32) -> Check {
    let today = writes.filter(|writes| (0..DAY_SECONDS).contains(&(now - writes.day)));
    let count = today.map_or(0, |writes| writes.count);
    let nearly = u64::from(count) * 100 >= u64::from(budget) * NEARLY_USED && count > 0;
    let wrong = nearly.then(|| {
        let output = format!(
            "nearly all of the day's {budget} writes are used: the status may be minutes old"
        );
        (HealthStatus::Warn, output)
    });
    Check::pass("STATUS_KV", "datastore", now)
        .measured(count.into(), "writes")
        .unless(wrong)
}

/// KV is not written in each run, and D1 may be down: of the two the later one tells.
fn cron(now: Timestamp, found: &Found) -> Check {
    let kept = found.kept.as_ref().and_then(|kept| kept.retrieved_at);
    let recorded = found.recorded.and_then(|recorded| recorded.at);
    let check = Check::pass("cron", "system", now);
    // No number in these words: they stay the same while the state does.
    let late = |words: &str| Some((HealthStatus::Warn, words.to_owned()));
    match kept.max(recorded) {
        None => check.unless(late("the cron has never run")),
        Some(at) => {
            let age = (now - at).max(0);
            let late =
                late("the cron has not run for over 5 minutes").filter(|_| age > LATE_SECONDS);
            check.measured(age, "s").unless(late)
        }
    }
}

#[cfg(test)]
mod tests {
    use types::control::Invalid;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_255_200);
    const BUDGET: u32 = 900;

    fn well() -> Found {
        Found {
            kept: Some(Kept {
                millis: 2,
                retrieved_at: Some(NOW.plus_seconds(-200)),
                writes: None,
                odd: None,
            }),
            recorded: Some(Recorded {
                millis: 3,
                at: Some(NOW.plus_seconds(-20)),
            }),
        }
    }

    fn kept(change: impl FnOnce(&mut Kept)) -> Found {
        let mut found = well();
        change(found.kept.as_mut().unwrap());
        found
    }

    fn check(found: &Found, name: &str) -> Check {
        health(NOW, found, BUDGET).checks[name][0].clone()
    }

    #[test]
    fn all_is_well() {
        let health = health(NOW, &well(), BUDGET);
        assert_eq!(health.status, HealthStatus::Pass);
        let names: Vec<_> = health.checks.keys().map(String::as_str).collect();
        let expected = [
            "control:document",
            "cron:age",
            "kv:writes",
            "status-db:responseTime",
            "status-kv:responseTime",
        ];
        assert_eq!(names, expected);
        let age = health.checks["cron:age"][0].observed.as_ref().unwrap();
        assert_eq!((age.observed_value, age.observed_unit.as_str()), (20, "s"));
    }

    #[test]
    fn without_kv_it_fails_and_without_a_database_it_warns() {
        let status = |found: &Found| health(NOW, found, BUDGET).status;
        let mut found = well();
        found.recorded = None;
        assert_eq!(status(&found), HealthStatus::Warn);
        assert_eq!(check(&found, "cron:age").status, HealthStatus::Pass);
        found = well();
        found.kept = None;
        assert_eq!(status(&found), HealthStatus::Fail);
        found.recorded = None;
        assert_eq!(health(NOW, &found, BUDGET).checks.len(), 2);
        assert_eq!(status(&found), HealthStatus::Fail);
    }

    #[test]
    fn a_broken_document_is_told_in_a_line() {
        let problem = Invalid::new("maintenance.enabled", "x".repeat(1000));
        let check = check(
            &kept(|kept| kept.odd = Some(Odd::Broken(problem))),
            "control:document",
        );
        assert_eq!(check.status, HealthStatus::Warn);
        let output = check.output.unwrap();
        assert!(
            output.contains("stays in force: maintenance.enabled: xxx"),
            "{output}"
        );
        assert!(output.len() < 300);
    }

    #[test]
    fn a_target_that_is_not_there_is_told() {
        let stranger = Invalid::new("targets.loby", "there is no such target; there are lobby");
        let found = kept(|kept| kept.odd = Some(Odd::Stranger(stranger)));
        let check = check(&found, "control:document");
        let expected = "a part of the control document does nothing: targets.loby: there is no such target; there are lobby";
        assert_eq!(check.status, HealthStatus::Warn);
        assert_eq!(check.output.unwrap(), expected);
    }

    #[test]
    fn the_cron_is_late_when_neither_store_has_seen_it() {
        let ran = |kept: Option<i64>, recorded: Option<i64>| {
            let at = |ago: Option<i64>| ago.map(|ago| NOW.plus_seconds(-ago));
            let mut found = well();
            found.kept.as_mut().unwrap().retrieved_at = at(kept);
            found.recorded.as_mut().unwrap().at = at(recorded);
            check(&found, "cron:age").status
        };
        assert_eq!(ran(Some(300), None), HealthStatus::Pass);
        assert_eq!(ran(Some(301), None), HealthStatus::Warn);
        assert_eq!(ran(Some(301), Some(60)), HealthStatus::Pass);
        assert_eq!(ran(Some(60), Some(900)), HealthStatus::Pass);
        assert_eq!(ran(None, None), HealthStatus::Warn);
        // A clock that is behind is no trouble of the cron's.
        assert_eq!(ran(Some(-30), None), HealthStatus::Pass);
    }

    #[test]
    fn few_writes_that_are_left_are_a_warning_on_their_day() {
        let day = NOW.plus_seconds(-3600);
        let wrote = |day, count| {
            let writes = Some(Writes { day, count });
            check(&kept(|kept| kept.writes = writes), "kv:writes")
        };
        assert_eq!(wrote(day, 809).status, HealthStatus::Pass);
        assert_eq!(wrote(day, 810).status, HealthStatus::Warn);
        let yesterday = wrote(NOW.plus_seconds(-DAY_SECONDS), 900);
        assert_eq!(yesterday.status, HealthStatus::Pass);
        assert_eq!(yesterday.observed.unwrap().observed_value, 0);
    }
}
