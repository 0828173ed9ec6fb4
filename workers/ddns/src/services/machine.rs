//! The state of one service: results go in, what is shown and what is to be done comes out.
//!
//! Two things are kept apart. What the results *amount to* (`settled`) changes after `failures` failed
//! checks in a row, or `successes` good ones. What is *shown* is that, unless something stands before
//! it: the service is paused, in maintenance, or what it depends on is out. The words of a result
//! decide nothing.
//!
//! ```text
//! shown = paused > maintenance > unknown (a dependency is out, or it is not known yet whether it is)
//!                > up | degraded | down | unknown (nothing measured)
//! ```
//!
//! An incident opens when a service is shown down, and closes when it has recovered or is paused. The
//! outside is told when what is shown differs from what it was told last, so a service that was
//! `unknown` in between and is down again causes no second alert.

use serde::{Deserialize, Serialize};
use types::{Timestamp, services::ServiceState};

/// What the results amount to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Settled {
    #[default]
    Unmeasured,
    Up,
    Degraded,
    Down,
}

/// What the outside was told last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    #[default]
    Up,
    Degraded,
    Down,
}

impl Level {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

/// What one look at a service gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub level: Level,
    /// Why it is not up.
    pub reason: Option<String>,
    /// The moment that the evidence is of: that of the check, or of the last report.
    pub at: Timestamp,
}

/// An incident that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "is_false")]
    pub acknowledged: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// The state of one service, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pub state: ServiceState,
    pub since: Timestamp,
    pub settled: Settled,
    /// Failed checks in a row.
    pub failed: u32,
    /// Checks in a row that did not fail.
    pub passed: u32,
    /// Of the last of those, how many in a row were degraded.
    pub slow: u32,
    /// And how many were not.
    pub clean: u32,
    /// Whether it fails behind a line of which is not known whether it is out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub held: bool,
    /// When the first of the failed checks was.
    pub failing_since: Option<Timestamp>,
    /// Of when the newest evidence is that it was not down.
    pub good_at: Option<Timestamp>,
    pub incident: Option<Open>,
    pub told: Level,
    /// Whether it had been told as degraded before it was told as down.
    #[serde(default, skip_serializing_if = "is_false")]
    pub told_degraded: bool,
    pub told_at: Option<Timestamp>,
    /// When the outside was told last, or reminded.
    pub reminded_at: Option<Timestamp>,
    /// What was wrong with the last result that was not up.
    pub fault: Option<String>,
    /// Why it is shown as what it is; `None` while it is up.
    pub reason: Option<String>,
}

/// How many results in a row count, and how often is reminded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    pub failures: u32,
    pub successes: u32,
    /// 0 for never.
    pub remind_minutes: u32,
}

/// How it stands with what a service depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Line {
    Holds,
    /// It may be out: it is not known yet.
    Suspect,
    Out,
}

/// What one step goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input<'a> {
    pub now: Timestamp,
    /// `None` when nobody looked.
    pub outcome: Option<&'a Outcome>,
    pub paused: bool,
    /// Why there is maintenance, if there is.
    pub maintenance: Option<&'a str>,
    pub line: Line,
    /// Whether somebody has acknowledged the open incident.
    pub acknowledged: bool,
}

/// Why an incident closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    Recovered,
    Paused,
    /// The service is not in the configuration any more.
    Forgotten,
}

impl Closing {
    /// As an update of the incident says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::Paused => "paused",
            Self::Forgotten => "not watched any more",
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// What is shown has changed: for the audit.
    Changed {
        from: ServiceState,
        to: ServiceState,
    },
    OpenIncident,
    CloseIncident(Closing),
    Alert {
        from: Level,
        to: Level,
        /// Whether it had been told as degraded before it was told as down, if it comes from there.
        was_degraded: bool,
        /// How long it was what it was, in seconds.
        after_seconds: i64,
    },
    Reminder {
        down_seconds: i64,
    },
}

impl Machine {
    /// A service of which nothing is known.
    pub const fn new(now: Timestamp) -> Self {
        Self {
            state: ServiceState::Unknown,
            since: now,
            settled: Settled::Unmeasured,
            failed: 0,
            passed: 0,
            slow: 0,
            clean: 0,
            held: false,
            failing_since: None,
            good_at: None,
            incident: None,
            told: Level::Up,
            told_degraded: false,
            told_at: None,
            reminded_at: None,
            fault: None,
            reason: None,
        }
    }

    /// Whether the services that depend on this one cannot be judged.
    pub fn is_out(&self) -> bool {
        self.settled == Settled::Down && self.state != ServiceState::Paused
    }

    /// Whether the last results count: not while it is paused or the line is out.
    pub const fn has_counted(&self) -> bool {
        self.failed > 0 || self.passed > 0
    }

    /// One step; gives what is to be done.
    pub fn step(&mut self, rules: Rules, input: &Input<'_>) -> Vec<Decision> {
        if let Some(open) = &mut self.incident {
            open.acknowledged |= input.acknowledged;
        }
        self.held = input.line == Line::Suspect && !input.paused;
        self.count(input);
        self.settle(rules, input);
        let mut decisions = Vec::new();
        self.show(rules, input, &mut decisions);
        self.keep_incident(input.now, &mut decisions);
        self.tell(rules, input.now, &mut decisions);
        decisions
    }

    /// Counts the result, if there is one that counts.
    fn count(&mut self, input: &Input<'_>) {
        if input.paused || input.line == Line::Out {
            // Nobody looks, or what is seen says nothing of this service. What is known to the
            // outside as down is so until it is seen otherwise.
            if input.paused || self.incident.is_none() {
                self.settled = Settled::Unmeasured;
            }
            (self.failed, self.passed, self.slow, self.clean) = (0, 0, 0, 0);
            self.failing_since = None;
            return;
        }
        let Some(outcome) = input.outcome else { return };
        if outcome.level == Level::Down {
            self.failed = self.failed.saturating_add(1);
            (self.passed, self.slow, self.clean) = (0, 0, 0);
            self.failing_since.get_or_insert(input.now);
        } else {
            self.passed = self.passed.saturating_add(1);
            (self.slow, self.clean) = match outcome.level {
                Level::Degraded => (self.slow.saturating_add(1), 0),
                _ => (0, self.clean.saturating_add(1)),
            };
            (self.failed, self.failing_since) = (0, None);
            self.good_at = Some(outcome.at).max(self.good_at);
        }
        if outcome.level != Level::Up {
            self.fault.clone_from(&outcome.reason);
        }
    }

    /// Whether enough checks have failed, whatever the line.
    const fn has_failed(&self, rules: Rules) -> bool {
        self.failed > 0 && self.failed >= rules.failures
    }

    fn settle(&mut self, rules: Rules, input: &Input<'_>) {
        if input.line == Line::Holds && self.has_failed(rules) {
            self.settled = Settled::Down;
        }
        if self.passed == 0 {
            return;
        }
        let slow = self.slow > 0;
        let settled = if slow { Settled::Degraded } else { Settled::Up };
        let enough = match self.settled {
            Settled::Unmeasured => true,
            Settled::Down => self.passed >= rules.successes,
            Settled::Up => self.slow >= rules.failures,
            Settled::Degraded => slow || self.clean >= rules.successes,
        };
        if enough {
            self.settled = settled;
        }
    }

    fn show(&mut self, rules: Rules, input: &Input<'_>, decisions: &mut Vec<Decision>) {
        let held = self.has_failed(rules) && self.settled != Settled::Down;
        let (state, reason) = if input.paused {
            (ServiceState::Paused, Some("paused"))
        } else if let Some(reason) = input.maintenance {
            (ServiceState::Maintenance, Some(reason))
        } else if input.line == Line::Out {
            (ServiceState::Unknown, Some("what it depends on is down"))
        } else if held {
            let reason = "it fails, and what it depends on may be down";
            (ServiceState::Unknown, Some(reason))
        } else {
            match self.settled {
                Settled::Up => (ServiceState::Up, None),
                Settled::Degraded => (ServiceState::Degraded, self.fault.as_deref()),
                Settled::Down => (ServiceState::Down, self.fault.as_deref()),
                Settled::Unmeasured => (ServiceState::Unknown, Some("not measured yet")),
            }
        };
        self.reason = reason.map(str::to_owned);
        if state != self.state {
            decisions.push(Decision::Changed {
                from: self.state,
                to: state,
            });
            (self.state, self.since) = (state, input.now);
        }
    }

    fn keep_incident(&mut self, now: Timestamp, decisions: &mut Vec<Decision>) {
        let recovered = matches!(self.settled, Settled::Up | Settled::Degraded);
        let paused = self.state == ServiceState::Paused;
        if self.incident.is_some() && (recovered || paused) {
            self.incident = None;
            decisions.push(Decision::CloseIncident(if paused {
                Closing::Paused
            } else {
                Closing::Recovered
            }));
        }
        if self.incident.is_none() && self.state == ServiceState::Down {
            self.incident = Some(Open {
                at: now,
                acknowledged: false,
            });
            self.reminded_at = Some(now);
            decisions.push(Decision::OpenIncident);
        }
    }

    fn tell(&mut self, rules: Rules, now: Timestamp, decisions: &mut Vec<Decision>) {
        let level = match self.state {
            ServiceState::Up => Level::Up,
            ServiceState::Degraded => Level::Degraded,
            ServiceState::Down => Level::Down,
            ServiceState::Paused => {
                // Who paused it knows.
                (self.told, self.told_at, self.reminded_at) = (Level::Up, None, None);
                self.told_degraded = false;
                return;
            }
            ServiceState::Unknown | ServiceState::Maintenance => return,
        };
        if level != self.told {
            let after_seconds = self.told_at.map_or(0, |at| now - at);
            decisions.push(Decision::Alert {
                from: self.told,
                to: level,
                was_degraded: self.told_degraded,
                after_seconds,
            });
            self.told_degraded = self.told == Level::Degraded && level == Level::Down;
            (self.told, self.told_at, self.reminded_at) = (level, Some(now), Some(now));
            return;
        }
        let Some(open) = self.incident.filter(|open| !open.acknowledged) else {
            return;
        };
        let every = i64::from(rules.remind_minutes) * 60;
        let last = self.reminded_at.unwrap_or(open.at);
        if every > 0 && now - last >= every {
            decisions.push(Decision::Reminder {
                down_seconds: now - open.at,
            });
            self.reminded_at = Some(now);
        }
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
