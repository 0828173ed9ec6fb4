//! What one run makes of what it found: the book as it is afterwards, and what is written and told
//! beside it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use types::{
    ServiceId, Timestamp,
    config::{
        DdnsConfig,
        alerts::AlertEvent,
        services::{Check, Service},
    },
    services::ServiceState,
};

use super::{
    book::{Book, Entry, Hour, Last, MINUTE, Sample},
    daily,
    machine::{Decision, Level, Machine, Outcome, Rules},
    schedule::Candidate,
    store::{
        run::{Change, Closing, OpenIncidents, Opening, Outcome as Written},
        silences::Silence,
    },
    watch::{self, Decided, News, Watched},
};
use crate::{alerts::Alert, checks};

/// What was found of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub outcome: Outcome,
    pub latency_ms: Option<u32>,
}

/// What is silenced at a moment.
pub fn silenced(services: &[Service], silences: &[Silence], now: Timestamp) -> News {
    let mut news = News::default();
    for service in services {
        let id = &service.id;
        let silence = silences.iter().find(|it| it.service == id.as_str());
        if service.paused || silence.is_some_and(|silence| silence.paused) {
            news.paused.insert(id.clone());
        }
        if let Some(reason) = silence.and_then(|silence| silence.maintenance(now)) {
            news.maintenance.insert(id.clone(), reason.to_owned());
        }
    }
    news
}

/// The rules of a service.
pub fn watched(service: &Service) -> Watched {
    Watched {
        id: service.id.clone(),
        rules: Rules {
            failures: service.failures,
            successes: service.successes,
            remind_minutes: service.remind_minutes.unwrap_or(0),
        },
        depends_on: service.depends_on.clone(),
        patience: match &service.check {
            Check::Ddns(check) => checks::report::patience(check),
            _ => 0,
        },
    }
}

/// The services that ask the network and are not paused.
pub fn candidates(
    services: &[Service],
    book: &Book,
    paused: &BTreeSet<ServiceId>,
) -> Vec<Candidate> {
    let entry = |id: &ServiceId| book.services.get(id);
    let fails = |id: &ServiceId| entry(id).is_some_and(|entry| entry.machine.failed > 0);
    let asked_for: BTreeSet<&ServiceId> = services
        .iter()
        .filter(|service| fails(&service.id))
        .flat_map(|service| &service.depends_on)
        .collect();
    let is_asked = |service: &&Service| service.kind().is_active() && !paused.contains(&service.id);
    let candidate = |service: &Service| Candidate {
        id: service.id.clone(),
        interval_minutes: service.interval_minutes,
        checked_at: entry(&service.id).and_then(|entry| Some(entry.last.as_ref()?.at)),
        failing: fails(&service.id),
        asked_for: asked_for.contains(&service.id),
        cost: 1 + entry(&service.id).map_or(0, |entry| entry.redirects),
    };
    services.iter().filter(is_asked).map(candidate).collect()
}

/// Brings the book up to date with the configuration: every service has an entry.
pub fn enter(book: &mut Book, services: &[Service], now: Timestamp) {
    for service in services {
        let entry = book.services.entry(service.id.clone());
        entry.or_insert_with(|| Entry::new(now));
    }
}

/// What follows from what was found. `incidents` are those that were open before.
pub fn judge(
    config: &DdnsConfig,
    book: &mut Book,
    mut news: News,
    found: &BTreeMap<ServiceId, Found>,
    incidents: &OpenIncidents,
    now: Timestamp,
) -> (Written, Vec<Alert>) {
    let outcomes = found.iter();
    news.outcomes = outcomes
        .map(|(id, found)| (id.clone(), found.outcome.clone()))
        .collect();
    let acknowledged = incidents.open.iter().filter(|open| open.acknowledged);
    news.acknowledged = acknowledged
        .filter_map(|open| open.service.parse().ok())
        .collect();
    let services: Vec<Watched> = config.services.iter().map(watched).collect();
    let mut machines: BTreeMap<ServiceId, Machine> = book
        .services
        .iter()
        .map(|(id, entry)| (id.clone(), entry.machine.clone()))
        .collect();
    let decided = watch::round(&services, &mut machines, &news, now);
    book.services.retain(|id, _| machines.contains_key(id));
    for (id, machine) in machines {
        if let Some(entry) = book.services.get_mut(&id) {
            entry.machine = machine;
        }
    }
    let mut written = Written::default();
    count(book, found, now, &mut written);
    let (day, work) = daily::due(book.day, now);
    (book.day, written.work) = (Some(day), work);
    book.minute = now.as_seconds().div_euclid(MINUTE);
    let alerts = tell(config, book, &decided, incidents, now, &mut written);
    (written, alerts)
}

/// Counts what says something of the services: not what was seen in maintenance, or through a line
/// that is out. What fails while it is not known whether the line is out is held back until it is.
fn count(
    book: &mut Book,
    found: &BTreeMap<ServiceId, Found>,
    now: Timestamp,
    written: &mut Written,
) {
    settle_held(book, &mut written.hours);
    for (id, found) in found {
        let Some(entry) = book.services.get_mut(id) else {
            continue;
        };
        let up = found.outcome.level != Level::Down;
        entry.last = Some(Last {
            at: now,
            up,
            latency_ms: found.latency_ms.filter(|_| up),
        });
        let machine = &entry.machine;
        let is_silent = matches!(
            machine.state,
            ServiceState::Paused | ServiceState::Maintenance
        );
        if is_silent || !machine.has_counted() {
            continue;
        }
        let sample = Sample::new(now, up, found.latency_ms);
        if machine.held {
            entry.held.push(sample);
        } else {
            book.count(id, sample, &mut written.hours);
        }
    }
    book.flush(now, &mut written.hours);
}

/// Counts what was held back of those whose line holds; forgets it of those whose line is out, and
/// of those that are paused.
fn settle_held(book: &mut Book, hours: &mut Vec<Hour>) {
    let known = |entry: &Entry| !entry.held.is_empty() && !entry.machine.held;
    let entries = book.services.iter();
    let known: Vec<_> = entries
        .filter(|(_, entry)| known(entry))
        .map(|(id, entry)| (id.clone(), entry.machine.has_counted()))
        .collect();
    for (id, holds) in known {
        if holds {
            book.release(&id, hours);
        } else if let Some(entry) = book.services.get_mut(&id) {
            entry.held.clear();
        }
    }
}

/// Sorts the decisions into what is written, and gives what is told.
fn tell(
    config: &DdnsConfig,
    book: &Book,
    decided: &[Decided],
    incidents: &OpenIncidents,
    now: Timestamp,
    written: &mut Written,
) -> Vec<Alert> {
    let mut ids: BTreeMap<&str, u32> = incidents
        .open
        .iter()
        .map(|open| (open.service.as_str(), open.id))
        .collect();
    let mut next = incidents.next;
    let mut alerts = Vec::new();
    for (id, decision) in decided {
        let entry = book.services.get(id);
        let reason = entry.and_then(|entry| entry.machine.reason.clone());
        match decision {
            Decision::Changed { from, to } => written.changes.push(Change {
                subject: id.clone(),
                before: from.as_str(),
                after: to.as_str(),
            }),
            Decision::OpenIncident => {
                written.opening.push(Opening {
                    id: next,
                    service: id.clone(),
                    reason,
                });
                ids.insert(id.as_str(), next);
                next += 1;
            }
            Decision::CloseIncident(closing) => written.closing.push(Closing {
                service: id.clone(),
                text: closing.as_str(),
            }),
            Decision::Alert { .. } | Decision::Reminder { .. } => {
                let incident = ids.get(id.as_str()).copied();
                let service = config.services.iter().find(|service| service.id == *id);
                if let (Some(service), Some(entry)) = (service, entry) {
                    alerts.push(alert(service, &entry.machine, decision, incident, now));
                }
            }
        }
    }
    alerts
}

fn alert(
    service: &Service,
    machine: &Machine,
    decision: &Decision,
    incident: Option<u32>,
    now: Timestamp,
) -> Alert {
    let mut was_degraded = false;
    let (event, previous, lasted) = match decision {
        Decision::Alert {
            from,
            to,
            was_degraded: before,
            after_seconds,
        } => {
            let event = match to {
                Level::Down => AlertEvent::Down,
                Level::Degraded => AlertEvent::Degraded,
                Level::Up => AlertEvent::Up,
            };
            was_degraded = *before;
            let lasted = (*from != Level::Up).then_some(*after_seconds);
            (event, Some(from.as_str()), lasted)
        }
        Decision::Reminder { down_seconds } => (AlertEvent::Reminder, None, Some(*down_seconds)),
        _ => (AlertEvent::Reminder, None, None),
    };
    Alert {
        v: 1,
        event,
        service: service.id.to_string(),
        name: service.name.clone(),
        group: service.group.clone(),
        state: Some(machine.state.as_str().to_owned()),
        previous: previous.map(str::to_owned),
        was_degraded,
        lasted_seconds: lasted,
        reason: machine.reason.clone(),
        since: machine.since,
        at: now,
        incident: incident.map(|id| id.to_string()),
    }
}

/// The services whose beats a run has to read, and whether it has to read reports.
pub fn unasked(services: &[Service]) -> (Vec<&ServiceId>, bool) {
    let beating = |service: &&Service| matches!(service.check, Check::Heartbeat(_));
    let ids = services.iter().filter(beating).map(|service| &service.id);
    let reports = services
        .iter()
        .any(|service| matches!(service.check, Check::Ddns(_)));
    (ids.collect(), reports)
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "told_tests.rs"]
mod told_tests;
