//! What is to be done about one record: decided from what a zone has, without I/O.

use std::net::IpAddr;

use serde_json::{Value, json};
use types::ddns::Addresses;

use super::super::{Fault, Wanted};

/// A record that is to hold an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<'a> {
    pub wanted: &'a Wanted<'a>,
    pub ip: IpAddr,
}

/// A record as the zone has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    pub id: String,
    pub content: String,
}

/// What is to be done. Nothing else ever is: no record is deleted or replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The record holds the address.
    Nothing,
    /// Only the content: ttl, proxied and comment stay.
    Patch(Present),
    Create,
}

/// The addresses of a host, one record each.
pub fn addresses(addresses: Addresses) -> impl Iterator<Item = IpAddr> {
    let ipv4 = addresses.ipv4.map(IpAddr::V4);
    ipv4.into_iter().chain(addresses.ipv6.map(IpAddr::V6))
}

impl Target<'_> {
    /// The type of the record.
    pub fn kind(&self) -> &'static str {
        match self.ip {
            IpAddr::V4(_) => "A",
            IpAddr::V6(_) => "AAAA",
        }
    }

    /// The records of this name and type among those that were listed.
    pub fn matches(&self, listed: &[Value]) -> Result<Vec<Present>, Fault> {
        let ours = listed.iter().filter(|record| {
            let text = |key| record.get(key).and_then(Value::as_str).unwrap_or_default();
            text("type").eq_ignore_ascii_case(self.kind())
                && same_name(text("name"), self.wanted.host.as_str())
        });
        let present = ours.map(|record| {
            let content = record.get("content")?.as_str()?.to_owned();
            Some(Present {
                id: id(record)?,
                content,
            })
        });
        let all: Option<Vec<_>> = present.collect();
        all.ok_or_else(|| Fault::later("answered a record without id or content"))
    }

    /// What is to be done, with these records there.
    pub fn plan(&self, mut present: Vec<Present>, zone: &str) -> Result<Change, Fault> {
        let (host, kind) = (self.wanted.host, self.kind());
        match (present.len(), present.pop()) {
            (1, Some(record)) if self.holds(&record.content) => Ok(Change::Nothing),
            (1, Some(record)) => Ok(Change::Patch(record)),
            (_, None) if self.wanted.provider.create => Ok(Change::Create),
            (_, None) => Err(Fault::refused(format!(
                "{host} has no {kind} record in {zone}, and create is not set"
            ))),
            (count, _) => Err(Fault::refused(format!(
                "{host} has {count} {kind} records in {zone}: nobody knows which is the home's"
            ))),
        }
    }

    fn holds(&self, content: &str) -> bool {
        content.trim().parse() == Ok(self.ip)
    }

    /// The body that creates the record.
    pub fn creation(&self) -> Value {
        let provider = self.wanted.provider;
        json!({
            "type": self.kind(),
            "name": self.wanted.host.as_str(),
            "content": self.ip.to_string(),
            "ttl": provider.ttl.unwrap_or(1),
            "proxied": provider.proxied.unwrap_or(false),
        })
    }

    /// Whether a record that a change answered proves that the address is there.
    pub fn is_proved_by(&self, record: &Value) -> bool {
        let text = |key| record.get(key).and_then(Value::as_str).unwrap_or_default();
        text("type").eq_ignore_ascii_case(self.kind())
            && same_name(text("name"), self.wanted.host.as_str())
            && self.holds(text("content"))
    }

    /// What was done, in words.
    pub fn done(&self, change: &Change) -> String {
        let (kind, ip) = (self.kind(), self.ip);
        match change {
            Change::Nothing => format!("{kind} {ip} is there already"),
            Change::Patch(before) => match before.content.trim().parse::<IpAddr>() {
                Ok(before) => format!("{kind} {ip} instead of {before}"),
                Err(_) => format!("{kind} {ip}"),
            },
            Change::Create => format!("{kind} {ip} created"),
        }
    }
}

/// Names are compared without case and without the dot at the end.
pub fn same_name(one: &str, other: &str) -> bool {
    let bare = |name: &str| name.strip_suffix('.').unwrap_or(name).len();
    let (one_len, other_len) = (bare(one), bare(other));
    match (one.get(..one_len), other.get(..other_len)) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        _ => false,
    }
}

/// The id of an item, fit for a path.
pub fn id(item: &Value) -> Option<String> {
    let id = item.get("id")?.as_str()?;
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    ((1..=64).contains(&id.len()) && id.bytes().all(good)).then(|| id.to_owned())
}

/// The names under which a host's zone may go, the longest first: the host and what is above it,
/// of two labels at least and of the last six at most.
pub fn zone_names(host: &str) -> impl Iterator<Item = &str> {
    const MOST: usize = 6;
    let names: Vec<&str> = std::iter::successors(Some(host), |name| {
        name.split_once('.').map(|(_, above)| above)
    })
    .filter(|name| name.contains('.'))
    .collect();
    let skipped = names.len().saturating_sub(MOST);
    names.into_iter().skip(skipped)
}
