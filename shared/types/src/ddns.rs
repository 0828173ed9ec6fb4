//! JSON bodies of the `ddns` worker about the home line's addresses.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::{Timestamp, config::HostName};

/// The addresses of one host, at most one a family.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    pub ipv4: Option<Ipv4Addr>,
    pub ipv6: Option<Ipv6Addr>,
}

impl Addresses {
    pub const fn is_empty(self) -> bool {
        self.ipv4.is_none() && self.ipv6.is_none()
    }

    /// These addresses after a report: a family that was not reported stays.
    #[must_use]
    pub fn updated(self, reported: Self) -> Self {
        Self {
            ipv4: reported.ipv4.or(self.ipv4),
            ipv6: reported.ipv6.or(self.ipv6),
        }
    }

    /// Whether no family has two addresses among both.
    pub fn agrees_with(self, other: Self) -> bool {
        self.updated(other) == other.updated(self)
    }
}

/// An address that was reported and not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedAddress {
    /// What was sent, cut to a bounded length.
    pub address: String,
    /// Why, in a word or a few: `private`, `malformed`.
    pub reason: String,
}

/// What a client reported: what can be used of it, and what cannot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    pub ipv4: Option<Ipv4Addr>,
    pub ipv6: Option<Ipv6Addr>,
    /// The home's IPv6 prefix, when it was told as such; its last bits are zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Ipv6Addr>,
    /// Whether a prefix was told that is among what was refused: then nobody knows the home's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub prefix_refused: bool,
    pub refused: Vec<RefusedAddress>,
}

/// How a DNS provider stands with a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It has the host's addresses.
    Current,
    /// It is still to be told, or is being told.
    Pending,
    /// It did not take what it was told last; it is told again.
    Failing,
    /// It has the addresses and forgets them within two days, since it was not told for days.
    Expiring,
    /// It has forgotten the host.
    Expired,
}

/// What a DNS provider has of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderState {
    pub provider: String,
    pub state: Standing,
    /// When it forgets the host, unless it is told again; null when it never does.
    pub expires_at: Option<Timestamp>,
    /// What went wrong last; null when nothing did.
    pub error: Option<String>,
}

/// Why the address that the home reports is not the one that it is seen at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Difference {
    /// It reports an address of RFC 6598: its provider translates.
    Cgnat,
    /// It reports a private address: a router before its router translates.
    DoubleNat,
    /// It reports a public address and connects from another one: a tunnel, a proxy, or a second
    /// line.
    VpnOrProxy,
}

/// One host of `GET /api/ddns/hosts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostState {
    pub host: HostName,
    /// What was reported last and taken.
    pub ipv4: Option<Ipv4Addr>,
    pub ipv6: Option<Ipv6Addr>,
    /// Where the last report over each family came from, as the edge saw it.
    pub seen: Option<Addresses>,
    /// What DNS answers; null when it could not be asked.
    pub dns: Option<Addresses>,
    /// Whether all of these are the same, family by family (of IPv6, what is seen by its /64); null when
    /// that cannot be told.
    pub agree: Option<bool>,
    /// What the last report over either family differs from where it came from by; left out when none
    /// does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<Difference>,
    /// When an address of this host changed last.
    pub updated_at: Option<Timestamp>,
    /// When its providers are told again, even if nothing changes.
    pub next_refresh_at: Option<Timestamp>,
    pub providers: Vec<ProviderState>,
}

/// The body of `GET /api/ddns/hosts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosts {
    pub hosts: Vec<HostState>,
}

/// What became, or would become, of one update at one DNS provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderOutcome {
    /// It took the addresses.
    Done,
    /// It did not, for now.
    Failed,
    /// It does not want them: the credentials or its records are to be looked at.
    Refused,
    /// It has them already and was not asked.
    Current,
    /// It asked to be left alone until later, somebody else is telling it, or there was no room for
    /// it: the cron tells it within minutes.
    Waiting,
    /// It would be told.
    WouldSend,
    /// It forgets the host soon.
    Expiring,
}

/// What a DNS provider answered to one update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderResult {
    pub provider: String,
    pub result: ProviderOutcome,
    /// In words, without anything secret.
    pub detail: Option<String>,
}

/// The body of `POST /api/ddns/report`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportRequest {
    /// Without: every host that the token is for.
    pub hostnames: Option<Vec<String>>,
    pub ipv4: Option<String>,
    /// With neither: the address that the report comes from.
    pub ipv6: Option<String>,
    /// Changes nothing and tells what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// What became of a report about one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostReport {
    /// As it was named; null when none was.
    pub host: Option<String>,
    /// The dyndns2 code: `good`, `nochg`, `dnserr`.
    pub result: String,
    /// The host's addresses; null when the report was refused.
    pub before: Option<Addresses>,
    pub after: Option<Addresses>,
    pub providers: Vec<ProviderResult>,
    /// Why it was not done, or why nothing was to be done; of what was done, what was refused beside it.
    pub why: Option<String>,
}

/// The answer to `POST /api/ddns/report`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportAnswer {
    pub hosts: Vec<HostReport>,
    pub dry_run: bool,
}

/// One report about one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    pub id: u32,
    pub at: Timestamp,
    /// The name of the token that it came with.
    pub token: String,
    /// The client's `User-Agent`, cut to a bounded length.
    pub client: Option<String>,
    /// The host as it was named; null when none was.
    pub host: Option<String>,
    pub reported: Reported,
    /// The dyndns2 code of the answer: `good`, `nochg`, `dnserr`.
    pub decision: String,
    pub providers: Vec<ProviderResult>,
    /// The host's addresses; null when the report was refused.
    pub before: Option<Addresses>,
    pub after: Option<Addresses>,
}

/// The body of `GET /api/ddns/log`: newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    pub entries: Vec<LogEntry>,
    /// What to send as `cursor` for what is older; null at the end.
    pub next_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_pinned() {
        let state = HostState {
            host: "home.example.com".parse().unwrap(),
            ipv4: Some(Ipv4Addr::new(8, 8, 8, 8)),
            ipv6: None,
            seen: None,
            dns: None,
            agree: None,
            difference: None,
            updated_at: Some(Timestamp::from_seconds(1_795_255_200)),
            next_refresh_at: None,
            providers: Vec::new(),
        };
        let told = HostState {
            difference: Some(Difference::VpnOrProxy),
            providers: vec![ProviderState {
                provider: "mydns/home".to_owned(),
                state: Standing::Failing,
                expires_at: Some(Timestamp::from_seconds(1_795_255_200)),
                error: Some("answered 503".to_owned()),
            }],
            ..state.clone()
        };
        assert_eq!(
            serde_json::to_string(&Hosts { hosts: vec![state] }).unwrap(),
            r#"{"hosts":[{"host":"home.example.com","ipv4":"8.8.8.8","ipv6":null,"seen":null,"dns":null,"agree":null,"updated_at":"2026-11-21T10:00:00Z","next_refresh_at":null,"providers":[]}]}"#
        );
        assert_eq!(
            serde_json::to_string(&told).unwrap(),
            r#"{"host":"home.example.com","ipv4":"8.8.8.8","ipv6":null,"seen":null,"dns":null,"agree":null,"difference":"vpn-or-proxy","updated_at":"2026-11-21T10:00:00Z","next_refresh_at":null,"providers":[{"provider":"mydns/home","state":"failing","expires_at":"2026-11-21T10:00:00Z","error":"answered 503"}]}"#
        );
    }

    #[test]
    fn a_report_and_its_answer_are_pinned() {
        let request: ReportRequest =
            serde_json::from_str(r#"{"hostnames":["home.example.com"],"ipv4":"8.8.8.8"}"#).unwrap();
        assert_eq!(
            (request.ipv4.as_deref(), request.dry_run),
            (Some("8.8.8.8"), false)
        );
        let hosts = vec![HostReport {
            host: Some("home.example.com".to_owned()),
            result: "good".to_owned(),
            before: Some(Addresses::default()),
            after: Some(Addresses {
                ipv4: Some(Ipv4Addr::new(8, 8, 8, 8)),
                ipv6: None,
            }),
            providers: vec![ProviderResult {
                provider: "cloudflare/zone".to_owned(),
                result: ProviderOutcome::WouldSend,
                detail: None,
            }],
            why: None,
        }];
        let answer = ReportAnswer {
            hosts,
            dry_run: true,
        };
        assert_eq!(
            serde_json::to_string(&answer).unwrap(),
            r#"{"hosts":[{"host":"home.example.com","result":"good","before":{"ipv4":null,"ipv6":null},"after":{"ipv4":"8.8.8.8","ipv6":null},"providers":[{"provider":"cloudflare/zone","result":"would-send","detail":null}],"why":null}],"dry_run":true}"#
        );
    }

    #[test]
    fn a_log_entry_is_pinned() {
        let addresses = Addresses {
            ipv4: None,
            ipv6: "2001:4860:4860::8888".parse().ok(),
        };
        let entry = LogEntry {
            id: 7,
            at: Timestamp::from_seconds(1_795_255_200),
            token: "router".to_owned(),
            client: Some("ddclient/3.10.0".to_owned()),
            host: Some("home.example.com".to_owned()),
            reported: Reported {
                ipv4: addresses.ipv4,
                ipv6: addresses.ipv6,
                prefix: None,
                prefix_refused: false,
                refused: vec![RefusedAddress {
                    address: "192.168.1.2".to_owned(),
                    reason: "private".to_owned(),
                }],
            },
            decision: "good".to_owned(),
            providers: Vec::new(),
            before: Some(Addresses::default()),
            after: Some(addresses),
        };
        let log = Log {
            entries: vec![entry],
            next_cursor: Some("7".to_owned()),
        };
        let json = serde_json::to_string(&log).unwrap();
        assert_eq!(
            json,
            r#"{"entries":[{"id":7,"at":"2026-11-21T10:00:00Z","token":"router","client":"ddclient/3.10.0","host":"home.example.com","reported":{"ipv4":null,"ipv6":"2001:4860:4860::8888","refused":[{"address":"192.168.1.2","reason":"private"}]},"decision":"good","providers":[],"before":{"ipv4":null,"ipv6":null},"after":{"ipv4":null,"ipv6":"2001:4860:4860::8888"}}],"next_cursor":"7"}"#
        );
        assert_eq!(serde_json::from_str::<Log>(&json).unwrap(), log);
    }
}
