//! How this worker is, as `GET /api/health` says it: do R2, KV and D1 answer, does the cron run, and
//! what did it find the last time (`report`).
//!
//! Without R2 there is nothing to download, so that is a failure. Without KV readers are answered
//! from R2, and without D1 downloads are not counted: warnings.

use types::{
    Timestamp,
    health::{Check, Health, HealthStatus},
};

use crate::report::Report;

/// The cron runs every five minutes; after this many seconds three runs did not come.
const LATE_SECONDS: i64 = 16 * 60;

/// What was found. Each store: the milliseconds that it took to answer; `None` if it did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub r2: Option<i64>,
    pub kv: Option<i64>,
    pub d1: Option<i64>,
    /// What the cron saw last, if it ever ran.
    pub report: Option<Report>,
}

/// The health at `now`.
pub fn health(now: Timestamp, found: &Found) -> Health {
    let mut checks = vec![
        (
            "packs:responseTime",
            store(now, "PACKS", found.r2, HealthStatus::Fail),
        ),
        (
            "pack-kv:responseTime",
            store(now, "PACK_KV", found.kv, HealthStatus::Warn),
        ),
        (
            "pack-db:responseTime",
            store(now, "PACK_DB", found.d1, HealthStatus::Warn),
        ),
    ];
    if found.r2.is_some() {
        checks.push(("cron:age", cron(now, found.report.as_ref())));
    }
    if let Some(report) = &found.report {
        checks.extend(seen(report));
    }
    Health::of_named("pack", checks)
}

fn store(now: Timestamp, binding: &str, millis: Option<i64>, without: HealthStatus) -> Check {
    let check = Check::pass(binding, "datastore", now);
    let silent = || {
        (
            without,
            format!("{binding} does not answer; the log says why"),
        )
    };
    match millis {
        Some(millis) => check.measured(millis, "ms"),
        None => check.unless(Some(silent())),
    }
}

fn cron(now: Timestamp, report: Option<&Report>) -> Check {
    let check = Check::pass("cron", "system", now);
    let Some(report) = report else {
        return check.unless(warning(true, "the cron has never run"));
    };
    let age = (now - report.at).max(0);
    let late = warning(
        age > LATE_SECONDS,
        "the cron has not run for over 15 minutes",
    );
    check.measured(age, "s").unless(late)
}

/// What the last run saw, as of then.
fn seen(report: &Report) -> [(&'static str, Check); 6] {
    let check = |id: &str, count: u32, unit: &str, wrong| {
        Check::pass(id, "system", report.at)
            .measured(count.into(), unit)
            .unless(wrong)
    };
    let uploads = report.uploads;
    let failed = format!(
        "failed in the last run: {}; the log says how",
        report.failed.join(", ")
    );
    let parts = u32::try_from(report.failed.len()).unwrap_or(u32::MAX);
    let unreadable = "a pack's registry cannot be read; the log names it";
    // One run finds what was published a moment ago, which KV does not show everywhere yet.
    let differs = "KV had to be put right in two runs in a row";
    let unfetchable = "what a channel points to cannot be fetched from its public URL";
    let stuck = "uploads have waited for 20 minutes: does the queue deliver?";
    let left = "objects in incoming/ were rejected and still lie there; GET /api/uploads says why";
    [
        (
            "cron:failures",
            check("cron", parts, "parts", warning(parts > 0, &failed)),
        ),
        (
            "registry:unreadable",
            check(
                "registry",
                report.unreadable,
                "packs",
                warning(report.unreadable > 0, unreadable),
            ),
        ),
        (
            "kv:agrees",
            check(
                "PACK_KV",
                report.kv_put_right,
                "packs",
                warning(report.kv_runs > 1, differs),
            ),
        ),
        (
            "channels:unfetchable",
            check(
                "channels",
                report.unfetchable,
                "channels",
                warning(report.unfetchable > 0, unfetchable),
            ),
        ),
        (
            "uploads:waiting",
            check(
                "uploads",
                uploads.waiting,
                "uploads",
                warning(uploads.stuck > 0, stuck),
            ),
        ),
        (
            "uploads:rejected",
            check(
                "uploads",
                uploads.rejected,
                "uploads",
                warning(uploads.rejected_left > 0, left),
            ),
        ),
    ]
}

fn warning(is: bool, words: &str) -> Option<(HealthStatus, String)> {
    is.then(|| (HealthStatus::Warn, words.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_255_200);

    fn well() -> Found {
        Found {
            r2: Some(1),
            kv: Some(2),
            d1: Some(3),
            report: Some(Report::new(NOW.plus_seconds(-200))),
        }
    }

    fn reported(change: impl FnOnce(&mut Report)) -> Health {
        let mut found = well();
        change(found.report.as_mut().unwrap());
        health(NOW, &found)
    }

    /// The only check that does not pass.
    fn only(health: &Health) -> (&str, HealthStatus) {
        let mut wrong = health.checks.iter().filter_map(|(name, checks)| {
            let check = checks
                .iter()
                .find(|check| check.status != HealthStatus::Pass)?;
            assert!(check.output.is_some());
            Some((name.as_str(), check.status))
        });
        let first = wrong.next().unwrap();
        assert_eq!(wrong.next(), None);
        first
    }

    #[test]
    fn all_is_well() {
        let health = health(NOW, &well());
        assert_eq!(health.status, HealthStatus::Pass);
        assert_eq!(health.checks.len(), 10);
        let age = health.checks["cron:age"][0].observed.as_ref().unwrap();
        assert_eq!((age.observed_value, age.observed_unit.as_str()), (200, "s"));
    }

    #[test]
    fn a_store_that_is_silent_is_named() {
        let without = |change: fn(&mut Found)| {
            let mut found = well();
            change(&mut found);
            health(NOW, &found)
        };
        let health = without(|found| found.kv = None);
        assert_eq!(only(&health), ("pack-kv:responseTime", HealthStatus::Warn));
        let health = without(|found| found.d1 = None);
        assert_eq!(only(&health), ("pack-db:responseTime", HealthStatus::Warn));
        let health = without(|found| (found.r2, found.report) = (None, None));
        assert_eq!(only(&health), ("packs:responseTime", HealthStatus::Fail));
        assert_eq!(health.status, HealthStatus::Fail);
    }

    #[test]
    fn each_finding_of_the_cron_is_a_warning_of_its_own() {
        type Finding = (&'static str, fn(&mut Report));
        let findings: [Finding; 7] = [
            ("cron:age", |report| report.at = NOW.plus_seconds(-961)),
            ("cron:failures", |report| report.fail("collection")),
            ("registry:unreadable", |report| report.unreadable = 1),
            ("kv:agrees", |report| report.kv_runs = 2),
            ("channels:unfetchable", |report| report.unfetchable = 1),
            ("uploads:waiting", |report| report.uploads.stuck = 1),
            ("uploads:rejected", |report| {
                report.uploads.rejected_left = 1;
            }),
        ];
        for (name, change) in findings {
            assert_eq!(only(&reported(change)), (name, HealthStatus::Warn));
        }
        let mut found = well();
        found.report = None;
        assert_eq!(only(&health(NOW, &found)), ("cron:age", HealthStatus::Warn));
    }

    #[test]
    fn what_is_usual_is_no_warning() {
        let usual: [fn(&mut Report); 4] = [
            |report| report.at = NOW.plus_seconds(-960),
            |report| report.at = NOW.plus_seconds(60),
            |report| (report.kv_put_right, report.kv_runs) = (1, 1),
            |report| (report.uploads.waiting, report.uploads.rejected) = (3, 2),
        ];
        for change in usual {
            assert_eq!(reported(change).status, HealthStatus::Pass);
        }
    }
}
