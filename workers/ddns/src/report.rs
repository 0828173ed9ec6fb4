//! What becomes of a report: which hosts it is applied to, and what the book then says.

use std::collections::BTreeMap;

use types::{
    Timestamp,
    config::{DdnsHost, HostName},
    ddns::{Addresses, Reported},
    token::{Action, TokenEntry},
};

use crate::{
    dyndns2::Code,
    update::{Asked, Update},
};

/// How many hosts one request may name.
pub const MAX_HOSTS: usize = 20;

/// What is to be done about one host of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The reported addresses are this host's.
    Apply(HostName),
    /// Nothing but a line in the log. `host` is what the client called it, if anything.
    Refuse { host: Option<String>, code: Code },
}

/// Who reported what, and when.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    pub at: Timestamp,
    /// The token's name.
    pub token: &'a str,
    /// The client's `User-Agent`, cut to a bounded length.
    pub client: Option<&'a str>,
    pub reported: &'a Reported,
}

/// Judges a request, host by host.
pub fn judge(update: &Update, hosts: &[DdnsHost], token: &TokenEntry) -> Vec<Verdict> {
    let whole = |code| vec![Verdict::Refuse { host: None, code }];
    if update.hosts.is_empty() {
        return whole(Code::Notfqdn);
    }
    if update.hosts.len() > MAX_HOSTS {
        return whole(Code::Numhost);
    }
    let one = |asked: &Asked| match asked {
        Asked::NotFullyQualified(text) => Verdict::Refuse {
            host: Some(text.clone()),
            code: Code::Notfqdn,
        },
        Asked::Host(host) => match refusal(host, update, hosts, token) {
            Some(code) => Verdict::Refuse {
                host: Some(host.as_str().to_owned()),
                code,
            },
            None => Verdict::Apply(host.clone()),
        },
    };
    update.hosts.iter().map(one).collect()
}

fn refusal(
    host: &HostName,
    update: &Update,
    hosts: &[DdnsHost],
    token: &TokenEntry,
) -> Option<Code> {
    let covered =
        |scope: &types::token::Scope| scope.covers(Action::DdnsUpdate, Some(host.as_str()));
    if !hosts.iter().any(|configured| configured.host == *host) {
        Some(Code::Nohost)
    } else if !token.scopes.iter().any(covered) {
        Some(Code::NotYours)
    } else if update.reported.addresses.is_empty() {
        Some(Code::Dnserr)
    } else {
        None
    }
}

/// The codes that recording would give, when the addresses are these: what HEAD answers.
pub fn preview(
    mut addresses: BTreeMap<HostName, Addresses>,
    reported: &Reported,
    verdicts: &[Verdict],
) -> Vec<Code> {
    let mut apply = |host: &HostName| {
        let before = addresses.get(host).copied().unwrap_or_default();
        let after = before.updated(reported.addresses);
        addresses.insert(host.clone(), after);
        if before == after {
            Code::Nochg
        } else {
            Code::Good
        }
    };
    verdicts
        .iter()
        .map(|verdict| match verdict {
            Verdict::Apply(host) => apply(host),
            Verdict::Refuse { code, .. } => *code,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use types::token::TokenHash;

    use super::*;
    use crate::update::parse;

    fn token(scopes: &[&str]) -> TokenEntry {
        TokenEntry {
            name: "router".to_owned(),
            sha256: TokenHash::of("x"),
            scopes: scopes.iter().map(|scope| scope.parse().unwrap()).collect(),
        }
    }

    fn codes(hostname: &str, myip: &str, scopes: &[&str]) -> Vec<Code> {
        let query = [("hostname", hostname), ("myip", myip)]
            .map(|(key, value)| (key.to_owned(), value.to_owned()));
        let update = parse(&query, None);
        let configured = ["a.example.com", "b.example.com"].map(|host| DdnsHost {
            host: host.parse().unwrap(),
            providers: Vec::new(),
        });
        let verdicts = judge(&update, &configured, &token(scopes));
        preview(BTreeMap::new(), &update.reported, &verdicts)
    }

    #[test]
    fn each_host_is_judged_by_itself() {
        assert_eq!(
            codes(
                "a.example.com,c.example.com,b.example.com,home",
                "8.8.8.8",
                &["ddns:update:a.example.com"]
            ),
            [Code::Good, Code::Nohost, Code::NotYours, Code::Notfqdn]
        );
    }

    #[test]
    fn a_host_that_is_named_twice_changes_once() {
        assert_eq!(
            codes("a.example.com,A.example.com.", "8.8.8.8", &["ddns:update"]),
            [Code::Good, Code::Nochg]
        );
    }

    #[test]
    fn without_a_public_address_nothing_is_applied() {
        assert_eq!(
            codes("a.example.com,c.example.com", "10.0.0.1", &["ddns:update"]),
            [Code::Dnserr, Code::Nohost]
        );
    }

    #[test]
    fn no_host_and_too_many_are_said_once() {
        assert_eq!(codes("", "8.8.8.8", &["ddns:update"]), [Code::Notfqdn]);
        let twenty = ["a.example.com"; MAX_HOSTS].join(",");
        assert_eq!(codes(&twenty, "8.8.8.8", &["ddns:update"]).len(), MAX_HOSTS);
        let more = format!("{twenty},home");
        assert_eq!(codes(&more, "8.8.8.8", &["ddns:update"]), [Code::Numhost]);
    }

    #[test]
    fn a_family_that_is_not_reported_stays() {
        let both = Addresses {
            ipv4: "8.8.8.8".parse().ok(),
            ipv6: "2001:4860:4860::8888".parse().ok(),
        };
        let v4 = Addresses {
            ipv4: "8.8.4.4".parse().ok(),
            ipv6: None,
        };
        assert_eq!(both.updated(v4).ipv6, both.ipv6);
        assert_eq!(both.updated(Addresses::default()), both);
    }
}
