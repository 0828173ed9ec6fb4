//! How the system is, as `GET /api/health` says it: does the database answer, does the cron run to
//! its end and check what is watched, do
//! DNS providers and alert channels take what they are sent, how is what is watched, and what do the
//! other workers say of themselves.
//!
//! `fail` is a database that does not answer, a service that is down and `critical`, and what another
//! worker calls a failure; all else is a warning. What the reader may not see is not in it, neither by
//! name nor in the status.

use std::collections::BTreeMap;

use types::{
    Timestamp,
    config::services::Service,
    health::{Check, Health, HealthStatus},
    services::{self, ServiceState},
};

use crate::services::Budget;

/// The cron runs each minute; later than this is late.
const LATE_SECONDS: i64 = 180;
/// The part of D1's allowance, in percent, from which on there is little left.
const NEARLY_USED: u64 = 90;

/// The key of what the database says.
const DATABASE: &str = "ops-db:responseTime";

/// What the database says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    Answered {
        millis: i64,
        /// When the cron ran to its end last, if it ever did.
        ticked_at: Option<Timestamp>,
    },
    Failed,
}

/// How those do that are told something: DNS providers, or alert channels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receivers {
    pub count: usize,
    /// Those that fail: a name, and why; for operators alone.
    pub failing: Vec<(String, String)>,
    /// Those that soon forget what they were told.
    pub expiring: usize,
    /// What waits for them.
    pub waiting: u32,
}

/// A service with its configuration.
pub type Watched<'a> = (&'a Service, services::Service);

/// What is watched.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Services<'a> {
    /// When a run wrote last what it found, if one ever did.
    pub ran_at: Option<Timestamp>,
    /// Those that the reader may see.
    pub visible: Vec<Watched<'a>>,
}

/// All that was found out.
#[derive(Debug, Clone, PartialEq)]
pub struct Found<'a> {
    pub database: Database,
    /// `None` where none are configured, or the database did not say.
    pub providers: Option<Receivers>,
    pub channels: Option<Receivers>,
    /// `None` where none are configured, or the database did not say.
    pub services: Option<Services<'a>>,
    /// What the others say of themselves, by their name; `None` when they say nothing.
    pub members: Vec<(&'static str, Option<Health>)>,
    pub budget: Budget,
    /// Whether the reader may read names and errors.
    pub for_operator: bool,
}

/// The health at `now`.
pub fn health(now: Timestamp, found: &Found<'_>) -> Health {
    let mut checks: BTreeMap<String, Vec<Check>> = BTreeMap::new();
    let mut add = |name: &str, check| checks.entry(name.to_owned()).or_default().push(check);
    match &found.database {
        Database::Failed => add(DATABASE, silent_database(now)),
        Database::Answered { millis, ticked_at } => {
            let store = Check::pass("OPS_DB", "datastore", now);
            add(DATABASE, store.measured(*millis, "ms"));
            let words = [
                "the cron has never run to its end",
                "the cron has not run to its end for over 3 minutes",
            ];
            add("cron:age", age(now, "cron", *ticked_at, words));
            add("ops-db:rowsWritten", rows_written(now, found.budget));
        }
    }
    if let Some(providers) = &found.providers {
        let check = receivers(now, "providers", "DNS providers", providers, found);
        add("providers:failing", check);
    }
    if let Some(channels) = &found.channels {
        let check = receivers(now, "alerts", "alert channels", channels, found);
        add("alerts:failing", check);
    }
    if let Some(services) = &found.services {
        let words = [
            "no service was ever checked",
            "no service was checked for over 3 minutes",
        ];
        add("services:age", age(now, "services", services.ran_at, words));
    }
    for (service, shown) in found.services.iter().flat_map(|it| &it.visible) {
        let down = if service.critical {
            HealthStatus::Fail
        } else {
            HealthStatus::Warn
        };
        let name = format!("service.{}:state", shown.id);
        add(&name, state(now, shown, down));
    }
    for (name, health) in &found.members {
        match health {
            None => {
                let words = format!("{name} does not answer");
                let check = Check::pass(name, "component", now);
                let silent = check.unless(Some((HealthStatus::Warn, words)));
                add(&format!("{name}:responseTime"), silent);
            }
            Some(health) => {
                for (key, checks) in &health.checks {
                    for check in checks {
                        add(&format!("{name}.{key}"), check.clone());
                    }
                }
            }
        }
    }
    Health::of("ddns", checks)
}

fn silent_database(now: Timestamp) -> Check {
    let words = "the database does not answer; the log says why".to_owned();
    Check::pass("OPS_DB", "datastore", now).unless(Some((HealthStatus::Fail, words)))
}

/// The health of a service that is in a database which does not answer.
pub fn of_unread_service(now: Timestamp, id: &str) -> Health {
    let checks = BTreeMap::from([(DATABASE.to_owned(), vec![silent_database(now)])]);
    Health::of(id, checks)
}

/// The health of one service.
pub fn of_service(now: Timestamp, shown: &services::Service) -> Health {
    let at = shown.last_checked_at.unwrap_or(now);
    let mut checks = BTreeMap::new();
    let name = |measured: &str| format!("{}:{measured}", shown.id);
    let state = state(now, shown, HealthStatus::Fail);
    checks.insert(name("state"), vec![state]);
    if let Some(latency_ms) = shown.latency_ms {
        let check = Check::pass(&shown.id, "component", at);
        checks.insert(
            name("responseTime"),
            vec![check.measured(latency_ms.into(), "ms")],
        );
    }
    Health::of(&shown.id, checks)
}

/// What a state means. What is paused or in maintenance is as it is meant to be.
fn state(now: Timestamp, shown: &services::Service, down: HealthStatus) -> Check {
    let status = match shown.state {
        ServiceState::Up | ServiceState::Paused | ServiceState::Maintenance => None,
        ServiceState::Degraded | ServiceState::Unknown => Some(HealthStatus::Warn),
        ServiceState::Down => Some(down),
    };
    let wrong = status.map(|status| {
        let reason = shown.reason.as_deref().unwrap_or("no reason is known");
        (status, format!("{}: {reason}", shown.state.as_str()))
    });
    let at = shown.last_checked_at.unwrap_or(now);
    Check::pass(&shown.id, "component", at).unless(wrong)
}

/// How long ago something was done that is due each minute. `words` are what is wrong when it was
/// never done, and when it is late: without the age, so that they stay the same while the state does.
fn age(now: Timestamp, id: &str, done_at: Option<Timestamp>, words: [&str; 2]) -> Check {
    let check = Check::pass(id, "system", now);
    let [never, late] = words.map(|words| Some((HealthStatus::Warn, words.to_owned())));
    match done_at {
        None => check.unless(never),
        Some(at) => {
            let age = (now - at).max(0);
            check
                .measured(age, "s")
                .unless(late.filter(|_| age > LATE_SECONDS))
        }
    }
}

/// What the configured services write, of what an account may.
fn rows_written(now: Timestamp, budget: Budget) -> Check {
    let allowed = crate::services::ROWS_WRITTEN_A_DAY;
    let nearly = u64::from(budget.rows_written) * 100 >= u64::from(allowed) * NEARLY_USED;
    let wrong = nearly.then(|| {
        let words = format!(
            "the services write nearly all of the {allowed} rows that D1's free plan has for a day"
        );
        (HealthStatus::Warn, words)
    });
    Check::pass("OPS_DB", "datastore", now)
        .measured(budget.rows_written.into(), "rows/day")
        .unless(wrong)
}

/// How many fail; which, and why, operators are told alone.
fn receivers(
    now: Timestamp,
    id: &str,
    what: &str,
    receivers: &Receivers,
    found: &Found<'_>,
) -> Check {
    let Receivers {
        count,
        failing,
        expiring,
        waiting,
    } = receivers;
    let mut words = Vec::new();
    if !failing.is_empty() {
        let mut said = format!("{} of {count} {what} fail", failing.len());
        if found.for_operator {
            let named: Vec<_> = failing
                .iter()
                .map(|(name, error)| format!("{name}: {error}"))
                .collect();
            said = format!("{said} ({})", named.join("; "));
        }
        words.push(said);
    }
    if *expiring > 0 {
        words.push(format!(
            "{expiring} of {count} {what} forget a host within two days"
        ));
    }
    if *waiting > 0 && !failing.is_empty() {
        words.push("what they were to be told waits".to_owned());
    }
    let wrong = (!words.is_empty()).then(|| (HealthStatus::Warn, words.join("; ")));
    let failing = i64::try_from(failing.len()).unwrap_or(i64::MAX);
    Check::pass(id, "system", now)
        .measured(failing, what)
        .unless(wrong)
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
#[path = "health_tests.rs"]
mod tests;
