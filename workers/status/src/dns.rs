//! Answers of DNS-over-HTTPS in JSON, read without I/O.
//!
//! Spec: "Using JSON" (developers.cloudflare.com/1.1.1.1), the format of `application/dns-json`; RFC 2782 (SRV); RFC 2308
//! (how long a negative answer holds).

use std::{fmt, net::IpAddr};

use serde_json::Value;
use types::{config::Address, status::SrvRecord};

/// The largest answer that is read, in bytes. One over UDP has 4 KiB at most.
pub const MAX_BODY: u32 = 64 * 1024;
/// The most records of a name that are kept.
const MAX_RECORDS: usize = 16;
/// The longest that an answer holds, in seconds.
const MAX_TTL: u64 = 24 * 3600;
/// How long a negative answer holds that does not say so, and within which limits, in seconds.
const NEGATIVE_TTL: u64 = 300;
const NEGATIVE_TTLS: [u64; 2] = [60, 3600];

/// The records to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Srv,
    A,
    Aaaa,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Srv => "SRV",
            Self::A => "A",
            Self::Aaaa => "AAAA",
        }
    }

    /// The number of the type (IANA, "Resource Record (RR) TYPEs").
    const fn number(self) -> u64 {
        match self {
            Self::Srv => 33,
            Self::A => 1,
            Self::Aaaa => 28,
        }
    }
}

/// What a name server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether there is such a name at all.
    pub exists: bool,
    /// As in a zone file; only what can be read again.
    pub records: Vec<String>,
    pub ttl_seconds: i64,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DnsError {
    /// The server that was asked does not do its work: the next question would fare no better.
    Server(String),
    /// It does, but has no answer for this name: the response code (RFC 1035, section 4.1.1).
    Name(u64),
}

impl fmt::Display for DnsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(what) => f.write_str(what),
            Self::Name(code) => write!(f, "response code {code}"),
        }
    }
}

/// Reads an answer to a question of this kind.
pub fn read(body: &str, kind: Kind) -> Result<Answer, DnsError> {
    const NOERROR: u64 = 0;
    const NXDOMAIN: u64 = 3;
    let no_dns = || DnsError::Server("an answer that is no DNS JSON".to_owned());
    let answer: Value = serde_json::from_str(body).map_err(|_| no_dns())?;
    let exists = match answer.get("Status").and_then(Value::as_u64) {
        Some(NOERROR) => true,
        Some(NXDOMAIN) => false,
        Some(code) => return Err(DnsError::Name(code)),
        None => return Err(no_dns()),
    };
    let given = list(&answer, "Answer");
    let records: Vec<String> = given
        .iter()
        .filter(|record| record.get("type").and_then(Value::as_u64) == Some(kind.number()))
        .filter_map(|record| normal(record.get("data")?.as_str()?, kind))
        .take(MAX_RECORDS)
        .collect();
    let ttl = if records.is_empty() {
        negative_ttl(&answer)
    } else {
        given.iter().filter_map(ttl).min().unwrap_or(0).min(MAX_TTL)
    };
    Ok(Answer {
        exists,
        records,
        ttl_seconds: i64::try_from(ttl).unwrap_or(0),
    })
}

fn list<'a>(answer: &'a Value, key: &str) -> &'a [Value] {
    answer
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], |list| list)
}

fn ttl(record: &Value) -> Option<u64> {
    record.get("TTL").and_then(Value::as_u64)
}

/// The lesser of the TTL and the last field of the SOA record (RFC 2308, section 5).
fn negative_ttl(answer: &Value) -> u64 {
    const SOA: u64 = 6;
    let soa = list(answer, "Authority")
        .iter()
        .find(|record| record.get("type").and_then(Value::as_u64) == Some(SOA));
    let minimum = soa.and_then(|soa| {
        soa.get("data")?
            .as_str()?
            .split_whitespace()
            .last()?
            .parse()
            .ok()
    });
    let [least, most] = NEGATIVE_TTLS;
    match (soa.and_then(ttl), minimum) {
        (Some(ttl), Some(minimum)) => ttl.min(minimum),
        (Some(ttl), None) => ttl,
        _ => NEGATIVE_TTL,
    }
    .clamp(least, most)
}

/// A record in one form, or `None` for one that is of no use.
fn normal(data: &str, kind: Kind) -> Option<String> {
    match kind {
        Kind::Srv => Srv::read(data).map(|srv| srv.to_string()),
        Kind::A | Kind::Aaaa => data.parse::<IpAddr>().ok().map(|ip| ip.to_string()),
    }
}

/// An SRV record's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srv {
    priority: u16,
    weight: u16,
    port: u16,
    target: String,
}

impl Srv {
    /// Reads `priority weight port target`. A target of `.` says that there is no such service,
    /// and one that is no host name cannot be dialled: `None`.
    fn read(data: &str) -> Option<Self> {
        let mut fields = data.split_whitespace();
        let mut number = || fields.next()?.parse::<u16>().ok();
        let (priority, weight, port) = (number()?, number()?, number()?);
        let target: Address = fields.next()?.trim_end_matches('.').parse().ok()?;
        let usable = port != 0 && target.port.is_none() && fields.next().is_none();
        usable.then_some(Self {
            priority,
            weight,
            port,
            target: target.host,
        })
    }
}

impl fmt::Display for Srv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            priority,
            weight,
            port,
            target,
        } = self;
        write!(f, "{priority} {weight} {port} {target}")
    }
}

/// Where a service is: the record of the lowest priority and, among those, of the largest weight.
///
/// A client draws by weight; who watches a server has to look at the same one each time, and most
/// players are on this one.
pub fn chosen(records: &[String]) -> Option<SrvRecord> {
    let records = records.iter().filter_map(|record| Srv::read(record));
    let best = records.min_by(|a, b| {
        let order = |srv: &Srv| (srv.priority, u16::MAX - srv.weight);
        order(a)
            .cmp(&order(b))
            .then_with(|| (&a.target, a.port).cmp(&(&b.target, b.port)))
    })?;
    Some(SrvRecord {
        host: best.target,
        port: best.port,
    })
}

#[cfg(test)]
#[path = "dns_tests.rs"]
mod tests;
