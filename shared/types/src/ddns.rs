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
    #[serde(flatten)]
    pub addresses: Addresses,
    pub refused: Vec<RefusedAddress>,
}

/// What a DNS provider has of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderState {
    pub provider: String,
    pub state: String,
    pub expires_at: Option<Timestamp>,
    pub error: Option<String>,
}

/// One host of `GET /api/ddns/hosts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostState {
    pub host: HostName,
    /// What was reported last and taken.
    #[serde(flatten)]
    pub addresses: Addresses,
    /// Where the last report came from, as the edge saw it.
    pub seen: Option<Addresses>,
    /// What DNS answers.
    pub dns: Option<Addresses>,
    /// Whether all of these are the same.
    pub agree: Option<bool>,
    /// When an address of this host changed last.
    pub updated_at: Option<Timestamp>,
    pub next_refresh_at: Option<Timestamp>,
    pub providers: Vec<ProviderState>,
}

/// The body of `GET /api/ddns/hosts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosts {
    pub hosts: Vec<HostState>,
}

/// What a DNS provider answered to one update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderResult {
    pub provider: String,
    pub result: String,
    pub detail: Option<String>,
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
            addresses: Addresses {
                ipv4: Some(Ipv4Addr::new(8, 8, 8, 8)),
                ipv6: None,
            },
            seen: None,
            dns: None,
            agree: None,
            updated_at: Some(Timestamp::from_seconds(1_795_255_200)),
            next_refresh_at: None,
            providers: Vec::new(),
        };
        assert_eq!(
            serde_json::to_string(&Hosts { hosts: vec![state] }).unwrap(),
            r#"{"hosts":[{"host":"home.example.com","ipv4":"8.8.8.8","ipv6":null,"seen":null,"dns":null,"agree":null,"updated_at":"2026-11-21T10:00:00Z","next_refresh_at":null,"providers":[]}]}"#
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
                addresses,
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
