//! One run of the cron: what is due is checked, all is judged, and what came of it is written in one
//! transaction. The same event twice, or a run that was overtaken, writes nothing.
//!
//! Six checks are under way at a time, each with a time-out of its own. [`schedule::BEGIN_WITHIN_MS`]
//! after the cron began no other is begun, however long what came before took, so that all of them are
//! over, and written down, before the minute is. What was not reached is first the next time.

use std::{cell::Cell, collections::BTreeMap, time::Duration};

use edge::{Failure, clock, log};
use futures::{StreamExt as _, stream};
use types::{
    ServiceId, Timestamp,
    config::{DdnsConfig, services::Service},
};
use worker::Env;

use super::{
    book::{Book, MINUTE, Windows},
    daily, facts,
    judge::{self, Found},
    schedule,
    store::{Store, run::Before},
};
use crate::{
    alerts::outbox,
    checks::{
        self, Facts, Secrets,
        outside::{Outside, SPENT},
    },
};

/// How often the uptimes are added up anew, in minutes; in between, checks are added to them.
const WINDOWS_EVERY: i64 = 60;
/// A run that is due this much before the last one is a late delivery of what was done already, in
/// minutes; one that is due longer before has a clock that was wrong.
const LATE_DELIVERY: i64 = 60;

/// Runs at `now`, the moment for which the cron was due; makes at most `requests` requests. The cron
/// began at `begun_ms` of the clock.
pub async fn run(
    env: &Env,
    config: &DdnsConfig,
    now: Timestamp,
    requests: u32,
    begun_ms: i64,
) -> Result<(), Failure> {
    if config.services.is_empty() {
        return Ok(());
    }
    let store = Store::new(env)?;
    let minute = now.as_seconds().div_euclid(MINUTE);
    let (beating, with_reports) = judge::unasked(&config.services);
    let windows = (minute.rem_euclid(WINDOWS_EVERY) == 3).then_some(now);
    let before = store.before(&beating, with_reports, windows).await?;
    if (0..LATE_DELIVERY).contains(&(before.book.minute - minute)) {
        return Ok(());
    }
    let Before {
        revision,
        mut book,
        incidents,
        silences,
        beats,
        reports,
        windows,
    } = before;
    judge::enter(&mut book, &config.services, now);
    // The day that is over is not in the history as such before its work is done.
    let is_whole = daily::due(book.day, now).1.is_none();
    if let Some(windows) = windows.filter(|_| is_whole) {
        renew(&mut book, &windows);
    }
    let news = judge::silenced(&config.services, &silences, now);
    let since = |id: &ServiceId| book.services.get(id).map_or(now, |entry| entry.known_since);
    let facts = facts::all(&config.services, since, &beats, &reports);
    let mut found = heard(&config.services, &facts, now);
    let planned = schedule::plan(
        judge::candidates(&config.services, &book, &news.paused),
        now,
        config.checks_a_run,
        requests,
    );
    let planned = planned.iter().filter_map(|candidate| {
        let mut services = config.services.iter();
        services.find(|service| service.id == candidate.id)
    });
    for asked in ask(env, config, planned.collect(), requests, now, begun_ms).await {
        if let Some(entry) = book.services.get_mut(&asked.id) {
            entry.asked(asked.requests, asked.found.is_none());
        }
        found.extend(asked.found.map(|found| (asked.id, found)));
    }
    let (written, alerts) = judge::judge(config, &mut book, news, &found, &incidents, now);
    let mut rows = outbox::rows_of(config, &alerts)?;
    rows.retain(|row| row.has_room(&mut book.reminded));
    let closed = written.closing.iter().map(|it| it.service.as_str());
    let told = alerts.iter().map(|alert| alert.service.as_str());
    let alerts = outbox::enqueue(&store.0, rows, &closed.chain(told).collect())?;
    store.after(revision, &book, &written, now, alerts).await?;
    for change in &written.changes {
        let words = format!("{} is {}", change.subject, change.after);
        log::info("service", &words);
    }
    Ok(())
}

/// Puts the uptimes as the history has them, and what is not in it yet.
fn renew(book: &mut Book, windows: &BTreeMap<ServiceId, Windows>) {
    for (id, entry) in &mut book.services {
        entry.windows = windows.get(id).copied().unwrap_or_default();
        for sample in &entry.pending {
            entry.windows.add(*sample);
        }
    }
}

/// How those stand that nobody asks.
fn heard(
    services: &[Service],
    facts: &BTreeMap<ServiceId, Facts>,
    now: Timestamp,
) -> BTreeMap<ServiceId, Found> {
    let found = |service: &Service| {
        let outcome = facts::outcome(service, facts.get(&service.id)?, now)?;
        let found = Found {
            outcome,
            latency_ms: None,
        };
        Some((service.id.clone(), found))
    };
    services.iter().filter_map(found).collect()
}

/// A service that was asked.
struct Asked {
    id: ServiceId,
    /// How many requests that took.
    requests: u32,
    /// `None` when the run had none left to ask it to the end.
    found: Option<Found>,
}

/// Asks these, in this order, six at a time. Those that there was no time or no request left for are
/// not in it.
async fn ask(
    env: &Env,
    config: &DdnsConfig,
    services: Vec<&Service>,
    requests: u32,
    now: Timestamp,
    begun_ms: i64,
) -> Vec<Asked> {
    let secrets = secrets(env);
    let left = Cell::new(requests);
    let checks = services.into_iter().map(|service| {
        let (secrets, left) = (&secrets, &left);
        async move {
            if left.get() == 0 || clock::millis() - begun_ms > schedule::BEGIN_WITHIN_MS {
                return None;
            }
            let network = Outside {
                doh_url: &config.doh_url,
                left,
                asked: Cell::new(0),
            };
            let none = Facts::none(now);
            let check = checks::check(&network, service, secrets, &none, now);
            // The check keeps its own time; this is for what hangs all the same.
            let limit = Duration::from_millis(u64::from(service.timeout_ms) + 1000);
            let late = || checks::Outcome::down("timeout", "no answer within the time");
            let found = clock::within(limit, Box::pin(check)).await;
            let found = reached(service, found.unwrap_or_else(late));
            Some(Asked {
                id: service.id.clone(),
                requests: network.asked.get(),
                found: found.map(|found| found_of(&found, now)),
            })
        }
    });
    stream::iter(checks)
        .buffer_unordered(schedule::AT_ONCE)
        .filter_map(async |asked| asked)
        .collect()
        .await
}

fn found_of(found: &checks::Outcome, now: Timestamp) -> Found {
    Found {
        outcome: facts::of_check(found, now),
        latency_ms: found.latency_ms,
    }
}

/// The outcome, unless it only says that this run has used up its requests: redirects count too.
/// What is wrong goes to the log in full.
fn reached(service: &Service, found: checks::Outcome) -> Option<checks::Outcome> {
    let detail = found.detail.as_deref().unwrap_or_default();
    if detail.to_ascii_lowercase().contains(SPENT) {
        return None;
    }
    if found.verdict == checks::Verdict::Down && !detail.is_empty() {
        log::info(&format!("check {}", service.id), detail);
    }
    Some(found)
}

/// The secret `CHECKS`. Without it, checks that need one fail and say so.
pub fn secrets(env: &Env) -> Secrets {
    let Ok(secret) = env.secret(checks::secrets::SECRET) else {
        return Secrets::default();
    };
    Secrets::parse(&secret.to_string()).unwrap_or_else(|error| {
        log::error("checks", &error);
        Secrets::default()
    })
}
