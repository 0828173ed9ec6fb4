//! One round over all services: results go in, new states and decisions come out. Pure.
//!
//! Services are gone through so that what others depend on comes first. How it stands with the
//! dependencies of a service, its [`Line`], follows from their states in this very round:
//!
//! - *out*: one of them is down, or unknown since something it depends on is out;
//! - *suspect*: one of them has failed but not often enough, or the service itself fails and there is
//!   no evidence yet, from after its first failure, that the dependency is alive. A service is not
//!   said to be down meanwhile, for at most [`HELD_SECONDS`], or the patience of the dependency and
//!   [`SLACK_SECONDS`] if that is longer: when a home line goes, the services behind it are the first
//!   to notice;
//! - it *holds* otherwise. A paused dependency says nothing and so holds.

use std::collections::{BTreeMap, BTreeSet};

use types::{ServiceId, Timestamp, services::ServiceState};

use super::machine::{Closing, Decision, Input, Level, Line, Machine, Outcome, Rules};

/// How long a failing service waits for news of what it depends on, in seconds; longer for one that
/// may be silent for longer.
pub const HELD_SECONDS: i64 = 30 * 60;
/// How long it takes until a silence that has lasted too long is a state, in seconds.
pub const SLACK_SECONDS: i64 = 2 * 60;

/// What a round has to know of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    pub id: ServiceId,
    pub rules: Rules,
    pub depends_on: Vec<ServiceId>,
    /// How long a line may be silent before it is down, in seconds; 0 for what is no line.
    pub patience: i64,
}

impl Watched {
    /// How long a failing service waits at most for news of this one, in seconds.
    fn holds(&self) -> i64 {
        HELD_SECONDS.max(self.patience + SLACK_SECONDS)
    }
}

/// What happened since the round before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    pub outcomes: BTreeMap<ServiceId, Outcome>,
    pub paused: BTreeSet<ServiceId>,
    /// Services in maintenance, and why.
    pub maintenance: BTreeMap<ServiceId, String>,
    /// Services whose open incident somebody has acknowledged.
    pub acknowledged: BTreeSet<ServiceId>,
}

/// A decision and the service that it is about.
pub type Decided = (ServiceId, Decision);

/// Steps every watched service once. Others are forgotten, and their incidents closed.
pub fn round(
    watched: &[Watched],
    machines: &mut BTreeMap<ServiceId, Machine>,
    news: &News,
    now: Timestamp,
) -> Vec<Decided> {
    let known: BTreeSet<&ServiceId> = watched.iter().map(|service| &service.id).collect();
    let mut decided = Vec::new();
    machines.retain(|id, machine| {
        let stays = known.contains(id);
        if !stays && machine.incident.is_some() {
            decided.push((id.clone(), Decision::CloseIncident(Closing::Forgotten)));
        }
        stays
    });
    // How it stands with what each depends on, and how long a failing service waits for news of it.
    let mut lines: BTreeMap<&ServiceId, (Line, i64)> = BTreeMap::new();
    for service in in_order(watched) {
        let id = &service.id;
        let mut machine = machines.remove(id).unwrap_or(Machine::new(now));
        let failing_since = failing_since(&machine, news.outcomes.get(id), now);
        let line = service
            .depends_on
            .iter()
            .filter_map(|on| {
                let (line, held) = *lines.get(on)?;
                let dependency = machines.get(on)?;
                Some(seen_through(dependency, line, held, failing_since, now))
            })
            .max()
            .unwrap_or(Line::Holds);
        let input = Input {
            now,
            outcome: news.outcomes.get(id),
            paused: news.paused.contains(id),
            maintenance: news.maintenance.get(id).map(String::as_str),
            line,
            acknowledged: news.acknowledged.contains(id),
        };
        let decisions = machine.step(service.rules, &input);
        decided.extend(decisions.into_iter().map(|decision| (id.clone(), decision)));
        machines.insert(id.clone(), machine);
        // Behind a line that may be silent for long, what stands between waits as long.
        let on = service.depends_on.iter();
        let longest = on.filter_map(|on| Some(lines.get(on)?.1)).max();
        lines.insert(id, (line, service.holds().max(longest.unwrap_or(0))));
    }
    decided
}

/// When the run of failures began that the service is in with this outcome.
fn failing_since(
    machine: &Machine,
    outcome: Option<&Outcome>,
    now: Timestamp,
) -> Option<Timestamp> {
    match outcome.map(|outcome| outcome.level) {
        Some(Level::Down) => Some(machine.failing_since.unwrap_or(now)),
        Some(_) => None,
        None => machine.failing_since,
    }
}

/// What a dependency, with its own line, means for a service that has been failing since then and
/// waits for news for at most `held` seconds.
fn seen_through(
    dependency: &Machine,
    line: Line,
    held: i64,
    failing_since: Option<Timestamp>,
    now: Timestamp,
) -> Line {
    if dependency.state == ServiceState::Paused {
        return Line::Holds;
    }
    if dependency.is_out() || line == Line::Out {
        return Line::Out;
    }
    let Some(since) = failing_since else {
        return Line::Holds;
    };
    let is_alive = dependency.failed == 0
        && line == Line::Holds
        && dependency.good_at.is_some_and(|at| at >= since);
    if is_alive || now - since > held {
        Line::Holds
    } else {
        Line::Suspect
    }
}

/// The services, each after those that it depends on. Among those that depend on each other in a
/// circle, which the configuration refuses, the order is that of the list.
fn in_order(watched: &[Watched]) -> Vec<&Watched> {
    let mut left: Vec<&Watched> = watched.iter().collect();
    let mut done: BTreeSet<&ServiceId> = BTreeSet::new();
    let known: BTreeSet<&ServiceId> = watched.iter().map(|service| &service.id).collect();
    let mut order = Vec::with_capacity(watched.len());
    while !left.is_empty() {
        let ready = |service: &&Watched| {
            let mut on = service.depends_on.iter();
            on.all(|id| done.contains(id) || !known.contains(id))
        };
        let (first, rest): (Vec<_>, Vec<_>) = left.iter().copied().partition(ready);
        let (first, rest) = if first.is_empty() {
            (rest, first)
        } else {
            (first, rest)
        };
        done.extend(first.iter().map(|service| &service.id));
        order.extend(first);
        left = rest;
    }
    order
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
