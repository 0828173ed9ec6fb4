//! What becomes of a report: which hosts it is for, and which address each of them has by it.

use types::{
    config::{DdnsHost, Family, HostName},
    ddns::{Addresses, Reported},
    token::{Action, TokenEntry},
};

use crate::{
    address::judge,
    dyndns2::Code,
    update::{Asked, Update},
};

/// How many hosts one request may name.
pub const MAX_HOSTS: usize = 20;

/// What is to be done about one host of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// These addresses are this host's; a family that is not among them stays.
    Apply {
        host: &'a DdnsHost,
        addresses: Addresses,
    },
    /// The request names this host a second time: the verdict with this index is for both.
    Repeat { host: &'a DdnsHost, first: usize },
    /// Nothing but a line in the log. `host` is what the client called it, if anything, and
    /// `configured` the host that the token is for.
    Refuse {
        host: Option<String>,
        configured: Option<&'a DdnsHost>,
        code: Code,
    },
}

impl<'a> Verdict<'a> {
    /// The host that it is for.
    pub const fn configured(&self) -> Option<&'a DdnsHost> {
        match self {
            Self::Apply { host, .. } | Self::Repeat { host, .. } => Some(host),
            Self::Refuse { configured, .. } => *configured,
        }
    }

    /// The host as it was named.
    pub fn named(&self) -> Option<&str> {
        match self {
            Self::Apply { host, .. } | Self::Repeat { host, .. } => Some(host.host.as_str()),
            Self::Refuse { host, .. } => host.as_deref(),
        }
    }
}

/// Judges a request, host by host.
pub fn judge_hosts<'a>(
    update: &Update,
    hosts: &'a [DdnsHost],
    token: &TokenEntry,
) -> Vec<Verdict<'a>> {
    let whole = |code| {
        vec![Verdict::Refuse {
            host: None,
            configured: None,
            code,
        }]
    };
    if update.hosts.is_empty() {
        return whole(Code::Notfqdn);
    }
    if update.hosts.len() > MAX_HOSTS {
        return whole(Code::Numhost);
    }
    let mut verdicts = Vec::new();
    for asked in &update.hosts {
        let verdict = one(asked, &verdicts, &update.reported, hosts, token);
        verdicts.push(verdict);
    }
    verdicts
}

fn one<'a>(
    asked: &Asked,
    before: &[Verdict<'a>],
    reported: &Reported,
    hosts: &'a [DdnsHost],
    token: &TokenEntry,
) -> Verdict<'a> {
    let refuse = |host: &str, code| Verdict::Refuse {
        host: Some(host.to_owned()),
        configured: None,
        code,
    };
    let name = match asked {
        Asked::NotFullyQualified(text) => return refuse(text, Code::Notfqdn),
        Asked::Host(name) => name,
    };
    let Some(host) = hosts.iter().find(|host| host.host == *name) else {
        return refuse(name.as_str(), Code::Nohost);
    };
    if !covers(token, name) {
        return refuse(name.as_str(), Code::NotYours);
    }
    let applied = |verdict: &Verdict<'_>| matches!(verdict, Verdict::Apply { host, .. } if host.host == *name);
    if let Some(first) = before.iter().position(applied) {
        return Verdict::Repeat { host, first };
    }
    verdict(host, reported)
}

/// The verdict on a host that the token is for.
pub fn verdict<'a>(host: &'a DdnsHost, reported: &Reported) -> Verdict<'a> {
    let addresses = addresses_of(host, reported);
    if addresses.is_empty() {
        return Verdict::Refuse {
            host: Some(host.host.as_str().to_owned()),
            configured: Some(host),
            code: Code::Dnserr,
        };
    }
    Verdict::Apply { host, addresses }
}

/// Whether a token is for this host.
pub fn covers(token: &TokenEntry, host: &HostName) -> bool {
    token
        .allows(Action::DdnsUpdate, Some(host.as_str()))
        .is_ok()
}

/// The addresses that a report gives a host, of its families: as reported, or with its own suffix
/// below the reported prefix or below that of the reported address. When a prefix was told and
/// refused, the address says nothing of the network that the host is in.
pub fn addresses_of(host: &DdnsHost, reported: &Reported) -> Addresses {
    let base = match host.ipv6_suffix {
        Some(_) if reported.prefix_refused => None,
        Some(_) => reported.prefix.or(reported.ipv6),
        None => reported.ipv6,
    };
    let made = base.map(|base| host.ipv6_of(base));
    host.own(Addresses {
        ipv4: reported.ipv4,
        // A public prefix is not enough: what is made of it is judged too.
        ipv6: made.filter(|address| judge(&address.to_string()).is_ok()),
    })
}

/// What was reported, could be taken, and is not this host's: a line each.
pub fn left_out(host: &DdnsHost, reported: &Reported) -> Vec<String> {
    let alone = |family: Family| format!("the host has {} alone", family.as_str());
    let ipv4 = reported.ipv4.filter(|_| !host.has_family(Family::Ipv4));
    let ipv6 = reported.ipv6.filter(|_| !host.has_family(Family::Ipv6));
    let ipv4 = ipv4.map(|address| format!("{address} is left out: {}", alone(Family::Ipv6)));
    let ipv6 = ipv6.map(|address| format!("{address} is left out: {}", alone(Family::Ipv4)));
    ipv4.into_iter().chain(ipv6).collect()
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
