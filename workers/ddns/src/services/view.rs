//! What readers see of services: states as a run of the cron would find them at this moment without
//! asking anybody, for the eyes that may see them. Pure.
//!
//! Should no run check a service any more, what was seen last is not said for ever: what is up or
//! degraded becomes unknown. What is down stays so until it is seen otherwise, as its incident does.

use std::collections::{BTreeMap, BTreeSet};

use types::{
    ServiceId, Timestamp,
    config::{DdnsConfig, services::Service},
    services::{self, Incident, ServiceState},
    token::{Action, TokenEntry},
};

use super::{
    book::{Book, Entry, FLUSH_MINUTES, MINUTE},
    facts,
    judge::{self, Found},
    schedule,
    store::run::Before,
};

/// How much later than its turn a service may be checked, in minutes: runs may be cut short.
const OVERDUE_MINUTES: u32 = 10;

/// Who reads.
#[derive(Debug, Clone)]
pub enum Viewer {
    Anyone,
    /// Bears a token with `ops:read`, perhaps narrowed to some services.
    Token(TokenEntry),
}

impl Viewer {
    pub fn sees(&self, service: &Service) -> bool {
        service.public || self.operates(service.id.as_str())
    }

    /// Whether it reads of what has this id by its token, be it configured or not.
    pub fn operates(&self, id: &str) -> bool {
        match self {
            Self::Anyone => false,
            Self::Token(entry) => entry.allows(Action::OpsRead, Some(id)).is_ok(),
        }
    }

    /// Whether it reads everything.
    pub fn is_operator(&self) -> bool {
        match self {
            Self::Anyone => false,
            Self::Token(entry) => entry.allows(Action::OpsRead, None).is_ok(),
        }
    }
}

/// All services at a moment.
#[derive(Debug)]
pub struct Present<'a> {
    config: &'a DdnsConfig,
    book: Book,
    /// The moment: that of the clock, or of the last run if that was due later.
    pub now: Timestamp,
}

impl<'a> Present<'a> {
    /// What a run at `now` would find of those that nobody asks, on top of what is stored.
    pub fn of(config: &'a DdnsConfig, before: Before, now: Timestamp) -> Self {
        let Before {
            mut book,
            incidents,
            silences,
            beats,
            reports,
            ..
        } = before;
        let now = now.max(Timestamp::from_seconds(book.minute * MINUTE));
        judge::enter(&mut book, &config.services, now);
        let since = |id: &ServiceId| book.services.get(id).map_or(now, |entry| entry.known_since);
        let facts = facts::all(&config.services, since, &beats, &reports);
        let found: BTreeMap<ServiceId, Found> = config
            .services
            .iter()
            .filter_map(|service| {
                let outcome = facts::outcome(service, facts.get(&service.id)?, now)?;
                let found = Found {
                    outcome,
                    latency_ms: None,
                };
                Some((service.id.clone(), found))
            })
            .collect();
        let news = judge::silenced(&config.services, &silences, now);
        let paused = news.paused.clone();
        // What a look counts and dates is not kept: the next run does that.
        let kept = book.clone();
        judge::judge(config, &mut book, news, &found, &incidents, now);
        for (id, entry) in &mut book.services {
            if let Some(kept) = kept.services.get(id) {
                let machine = entry.machine.clone();
                *entry = kept.clone();
                entry.machine = machine;
            }
        }
        book.minute = kept.minute;
        forget(&mut book, config, &paused, now);
        Self { config, book, now }
    }

    pub fn entry(&self, id: &ServiceId) -> Option<&Entry> {
        self.book.services.get(id)
    }

    /// How often the book was flushed to the history: what was read of that before is older.
    pub const fn flushes(&self) -> i64 {
        self.book.minute.div_euclid(FLUSH_MINUTES as i64)
    }

    /// When a run wrote last what it found: the minute that it was due.
    pub fn ran_at(&self) -> Option<Timestamp> {
        let minute = Some(self.book.minute).filter(|minute| *minute > 0);
        minute.map(|minute| Timestamp::from_seconds(minute * MINUTE))
    }

    pub fn state(&self, id: &ServiceId) -> ServiceState {
        self.entry(id)
            .map_or(ServiceState::Unknown, |entry| entry.machine.state)
    }

    /// The services that this viewer sees, as configured.
    pub fn visible(&self, viewer: &'a Viewer) -> impl Iterator<Item = &'a Service> + use<'a> {
        let services = self.config.services.iter();
        services.filter(|service| viewer.sees(service))
    }

    /// A service as it is shown.
    pub fn show(&self, service: &Service, viewer: &Viewer) -> services::Service {
        let entry = self.entry(&service.id);
        let last = entry.and_then(|entry| entry.last.as_ref());
        let is_seen = |id: &&ServiceId| {
            let mut services = self.config.services.iter();
            services.any(|other| other.id == **id && viewer.sees(other))
        };
        services::Service {
            id: service.id.to_string(),
            name: service.name.clone(),
            group: service.group.clone(),
            kind: service.kind().as_str().to_owned(),
            state: self.state(&service.id),
            since: last.and(entry).map(|entry| entry.machine.since),
            latency_ms: last.and_then(|last| last.latency_ms),
            last_checked_at: last.map(|last| last.at),
            uptime: entry
                .map(|entry| entry.windows.uptime())
                .unwrap_or_default(),
            reason: entry.and_then(|entry| entry.machine.reason.clone()),
            depends_on: service
                .depends_on
                .iter()
                .filter(is_seen)
                .map(ServiceId::to_string)
                .collect(),
        }
    }
}

/// Says of those that are checked no more that nobody knows how they are.
fn forget(book: &mut Book, config: &DdnsConfig, paused: &BTreeSet<ServiceId>, now: Timestamp) {
    let candidates = judge::candidates(&config.services, book, paused);
    let patience = schedule::turn_minutes(&candidates, config.checks_a_run) + OVERDUE_MINUTES;
    for candidate in candidates {
        let Some(at) = candidate.checked_at else {
            continue;
        };
        let minutes = i64::from(candidate.interval_minutes + patience);
        let Some(entry) = book.services.get_mut(&candidate.id) else {
            continue;
        };
        let machine = &mut entry.machine;
        let is_well = matches!(machine.state, ServiceState::Up | ServiceState::Degraded);
        if is_well && now - at > minutes * MINUTE {
            (machine.state, machine.since) = (ServiceState::Unknown, at);
            machine.reason = Some(format!("not checked since {at}"));
        }
    }
}

/// An incident as a viewer may see it: who did something is for operators.
pub fn incident(mut incident: Incident, viewer: &Viewer) -> Incident {
    if matches!(viewer, Viewer::Anyone) {
        let operator = || "operator".to_owned();
        incident.acknowledged_by = incident.acknowledged_by.map(|_| operator());
        for update in &mut incident.updates {
            update.by = update.by.take().map(|_| operator());
        }
    }
    incident
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
