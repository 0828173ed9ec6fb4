//! Which provider of which host is to be told what, and when: pure.
//!
//! A provider is told when it does not have what the host has, by whoever notices first: the report
//! that changes the address, a later one, or the cron. The cron also tells it when the host's
//! `refresh_minutes` are over since it took anything, and tries again, ever more seldom, what it did
//! not take.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};
use types::{
    Timestamp,
    config::{DdnsHost, HostName, ProviderKind},
    ddns::{Addresses, Standing},
};

use crate::providers::Sent;

/// How long a lease holds, in seconds: longer than any telling takes.
pub const LEASE_SECONDS: i64 = 60;
/// The first pause after a failure, and the longest, in seconds.
const PAUSES: [i64; 2] = [60, 3600];
/// The longest that a provider is left alone because it asked for it, in seconds.
const LONGEST_REST: i64 = 86_400;
/// How long before a provider forgets a host it is warned of, in seconds.
const WARNING: i64 = 2 * 86_400;
/// The cron runs each minute: what is due before its next run is due.
const CRON_SECONDS: i64 = 60;

/// What is known of one provider and one host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Holding {
    pub provider: String,
    /// What it has for certain; a family of which that is not known is none.
    pub has: Addresses,
    pub acknowledged_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub warned_at: Option<Timestamp>,
    /// Failures since it took anything.
    pub attempts: u32,
    pub next_try_at: Option<Timestamp>,
    pub not_before: Option<Timestamp>,
    pub error: Option<String>,
    pub leased_until: Option<Timestamp>,
}

/// One host in the book.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Line {
    pub host: HostName,
    pub wanted: Addresses,
    pub updated_at: Timestamp,
    pub holdings: Vec<Holding>,
}

impl Line {
    pub fn holding(&self, provider: &str) -> Option<&Holding> {
        let mut holdings = self.holdings.iter();
        holdings.find(|holding| holding.provider == provider)
    }
}

/// One provider of one host, as configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Duty {
    pub host: HostName,
    pub provider: String,
    /// Whether an update is only good when it took it.
    pub required: bool,
    pub refresh_seconds: i64,
    /// Whether all its hosts have one address there: an account of MyDNS.jp.
    pub shared: bool,
}

/// The providers of a host.
pub fn duties(host: &DdnsHost) -> impl Iterator<Item = Duty> {
    host.providers.iter().map(|provider| Duty {
        host: host.host.clone(),
        provider: provider.name(),
        required: provider.required,
        refresh_seconds: i64::from(host.refresh_minutes) * 60,
        shared: provider.kind == ProviderKind::Mydns,
    })
}

/// What else is to be looked at when these are told: other hosts that share an account with them.
pub fn sharers(of: &[Duty], hosts: &[DdnsHost]) -> Vec<Duty> {
    let accounts: Vec<_> = of.iter().filter(|duty| duty.shared).collect();
    if accounts.is_empty() {
        return Vec::new();
    }
    let is_sharer = |duty: &Duty| {
        accounts.iter().any(|one| one.provider == duty.provider)
            && accounts.iter().all(|one| one.host != duty.host)
    };
    let all = hosts.iter().flat_map(duties);
    all.filter(|duty| duty.shared && is_sharer(duty)).collect()
}

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// A report, a rollback: it tells what is missing, at once.
    Report,
    Cron,
}

/// What is to be done about a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    Nothing,
    /// Somebody else is telling it.
    Busy,
    /// It is left alone until later.
    Resting,
    Tell,
}

/// What is to be done at `now`. `around` are all that may share an account with this one: while it is
/// told for one of them, it is told for no other.
pub fn due_among(
    duty: &Duty,
    around: &[Duty],
    lines: &[Line],
    occasion: Occasion,
    now: Timestamp,
) -> Due {
    let is_told = |(_, line): (&Duty, &Line)| {
        let holding = line.holding(&duty.provider);
        holding.is_some_and(|holding| holding.leased_until.is_some_and(|at| at > now))
    };
    match due(duty, line_of(lines, &duty.host), occasion, now) {
        Due::Tell if others(duty, around, lines).any(is_told) => Due::Busy,
        due => due,
    }
}

fn line_of<'a>(lines: &'a [Line], host: &HostName) -> Option<&'a Line> {
    lines.iter().find(|line| line.host == *host)
}

/// The other hosts that share this one's account, as far as they were ever reported.
fn others<'a>(
    duty: &'a Duty,
    around: &'a [Duty],
    lines: &'a [Line],
) -> impl Iterator<Item = (&'a Duty, &'a Line)> {
    let sharing = around
        .iter()
        .filter(|other| duty.shared && other.provider == duty.provider && other.host != duty.host);
    sharing.filter_map(|other| Some((other, line_of(lines, &other.host)?)))
}

/// What is to be done at `now` about this one alone; `line` is `None` for a host that was never
/// reported.
fn due(duty: &Duty, line: Option<&Line>, occasion: Occasion, now: Timestamp) -> Due {
    let Some(line) = line.filter(|line| !line.wanted.is_empty()) else {
        return Due::Nothing;
    };
    let Some(holding) = line.holding(&duty.provider) else {
        return Due::Tell;
    };
    let refresh = occasion == Occasion::Cron
        && refresh_at(duty, holding).is_none_or(|at| now.plus_seconds(CRON_SECONDS) > at);
    let later = |at: Option<Timestamp>| at.is_some_and(|at| at > now);
    if holding.has(line.wanted) && !refresh {
        Due::Nothing
    } else if later(holding.leased_until) {
        Due::Busy
    } else if later(holding.not_before)
        || (occasion == Occasion::Cron && later(holding.next_try_at))
    {
        Due::Resting
    } else {
        Due::Tell
    }
}

/// Why a host's addresses are not told: an account has one a family, and another host that shares it
/// has got a different one since. To tell the older one would take the newer one away. Of two from
/// one second, that of the host whose name comes first is the newer one, so that there always is one.
pub fn overtaken(duty: &Duty, around: &[Duty], lines: &[Line]) -> Option<String> {
    let line = line_of(lines, &duty.host)?;
    let age = |line: &Line| (line.updated_at, Reverse(line.host.clone()));
    let (_, newer) = others(duty, around, lines)
        .find(|(_, other)| age(other) > age(line) && !other.wanted.agrees_with(line.wanted))?;
    let host = &newer.host;
    Some(if newer.updated_at > line.updated_at {
        format!("{host} has got another address since, and an account has one")
    } else {
        format!("{host} has got another address, and an account has one")
    })
}

fn refresh_at(duty: &Duty, holding: &Holding) -> Option<Timestamp> {
    let since = holding.acknowledged_at?;
    Some(since.plus_seconds(duty.refresh_seconds))
}

/// When a host's providers are told again even if nothing changes: the first of them, and not
/// before a pause is over.
pub fn next_refresh_at(duties: &[Duty], line: &Line) -> Option<Timestamp> {
    let next = |duty: &Duty| {
        let holding = line.holding(&duty.provider)?;
        let at = match (holding.has(line.wanted), refresh_at(duty, holding)) {
            (true, Some(at)) => Some(at),
            _ => holding.next_try_at,
        };
        at.max(holding.next_try_at).max(holding.not_before)
    };
    duties.iter().filter_map(next).min()
}

impl Holding {
    /// Whether it has for certain what a host has.
    pub fn has(&self, wanted: Addresses) -> bool {
        (wanted.ipv4.is_none() || wanted.ipv4 == self.has.ipv4)
            && (wanted.ipv6.is_none() || wanted.ipv6 == self.has.ipv6)
    }

    /// How it stands with a host that has these addresses.
    pub fn standing(&self, wanted: Addresses, now: Timestamp) -> Standing {
        match self.expires_at {
            Some(at) if at <= now => Standing::Expired,
            _ if self.attempts > 0 => Standing::Failing,
            Some(_) if self.expires_soon(now) => Standing::Expiring,
            _ if !self.has(wanted) => Standing::Pending,
            _ => Standing::Current,
        }
    }

    /// Whether it forgets the host within two days, or has.
    pub fn expires_soon(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at - now <= WARNING)
    }
}

/// What the book is to say of a provider that has been told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Settled {
    pub host: HostName,
    pub provider: String,
    /// Whether it has what it was told.
    pub done: bool,
    pub acknowledged_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub attempts: u32,
    pub next_try_at: Option<Timestamp>,
    pub not_before: Option<Timestamp>,
    pub error: Option<String>,
}

/// The longest error that is kept, in characters.
const KEPT_CHARS: usize = 200;

/// Cuts words to what is kept of them.
pub fn bounded(words: &str) -> String {
    words.chars().take(KEPT_CHARS).collect()
}

/// The state after `attempts` failures and then this.
pub fn settled(
    host: &HostName,
    provider: &str,
    attempts: u32,
    sent: &Sent,
    now: Timestamp,
) -> Settled {
    let (after, detail) = match sent {
        Sent::Done { expires_at, .. } => {
            return Settled {
                host: host.clone(),
                provider: provider.to_owned(),
                done: true,
                acknowledged_at: Some(now),
                expires_at: *expires_at,
                attempts: 0,
                next_try_at: None,
                not_before: None,
                error: None,
            };
        }
        Sent::Left { detail } => {
            return Settled {
                host: host.clone(),
                provider: provider.to_owned(),
                done: false,
                acknowledged_at: None,
                expires_at: None,
                attempts,
                next_try_at: None,
                not_before: None,
                error: (attempts > 0).then(|| bounded(detail)),
            };
        }
        Sent::Later {
            detail,
            after_seconds,
        } => (after_seconds.map(i64::from), detail),
        Sent::Refused { detail } => (None, detail),
    };
    let attempts = attempts.saturating_add(1);
    Settled {
        host: host.clone(),
        provider: provider.to_owned(),
        done: false,
        acknowledged_at: None,
        expires_at: None,
        attempts,
        next_try_at: Some(now.plus_seconds(delay(attempts, after))),
        not_before: after.map(|after| now.plus_seconds(after.clamp(0, LONGEST_REST))),
        error: Some(bounded(detail)),
    }
}

/// For how many seconds the cron leaves a provider alone after this many failures in a row: a
/// minute, then twice as long each time up to an hour; never shorter than the provider asked for,
/// up to a day.
pub fn delay(attempts: u32, asked: Option<i64>) -> i64 {
    let [first, longest] = PAUSES;
    let doublings = attempts.saturating_sub(1).min(16);
    let grown = (first << doublings).min(longest);
    grown.max(asked.unwrap_or(0).min(LONGEST_REST))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
