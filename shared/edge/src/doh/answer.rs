//! Answers of DNS-over-HTTPS in JSON, read without I/O.
//!
//! Spec: "Using JSON" (developers.cloudflare.com/1.1.1.1); RFC 1035 (types, response codes, TXT); RFC 2782 (SRV);
//! RFC 2308 (how long a negative answer holds).

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

use serde_json::Value;
use types::{RecordType, config::Address};

/// The largest answer that is read, in bytes. One over UDP has 4 KiB at most.
pub const MAX_BODY: u32 = 64 * 1024;
/// The most records of a name that are kept.
pub(super) const MAX_RECORDS: usize = 16;
/// The longest data of a record that are kept, in characters.
pub(super) const MAX_DATA: usize = 4096;
/// The longest that an answer holds, in seconds.
const MAX_TTL: u32 = 24 * 3600;
/// How long a negative answer holds that does not say so, and within which limits, in seconds.
const NEGATIVE_TTL: u32 = 300;
const NEGATIVE_TTLS: [u32; 2] = [60, 3600];

/// Response codes (RFC 1035, section 4.1.1).
pub const NOERROR: u16 = 0;
pub const NXDOMAIN: u16 = 3;

/// One record of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// In one form, whatever the server writes: addresses as the standard library does; names in
    /// lower case without the dot at the end; `10 mail.example.com` (MX); `5 0 25565 mc.example.com`
    /// (SRV); the strings of a TXT record joined, without quotes.
    pub data: String,
    pub ttl_seconds: u32,
}

/// What a name server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The response code: [`NOERROR`], [`NXDOMAIN`], 2 for a server that failed, and others.
    pub code: u16,
    /// At most 16; what cannot be read, or is of another kind, is left out.
    pub records: Vec<Record>,
    /// How long the answer holds: that of the weakest record on the way to these, or of the
    /// statement that there are none.
    pub ttl_seconds: u32,
}

/// A body that is no answer of a name server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoDns;

impl fmt::Display for NoDns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer that is no DNS JSON")
    }
}

/// Reads an answer to a question of this kind.
pub fn read(body: &str, kind: RecordType) -> Result<Answer, NoDns> {
    let answer: Value = serde_json::from_str(body).map_err(|_| NoDns)?;
    let code = answer.get("Status").and_then(Value::as_u64);
    let code = code
        .and_then(|code| u16::try_from(code).ok())
        .ok_or(NoDns)?;
    let given = list(&answer, "Answer");
    let number = u64::from(kind.number());
    let records: Vec<Record> = given
        .iter()
        .filter(|record| record.get("type").and_then(Value::as_u64) == Some(number))
        .filter_map(|record| {
            Some(Record {
                data: normal(record.get("data")?.as_str()?, kind)?,
                ttl_seconds: ttl(record).unwrap_or(0).min(MAX_TTL),
            })
        })
        .take(MAX_RECORDS)
        .collect();
    let ttl_seconds = if records.is_empty() {
        negative_ttl(&answer)
    } else {
        given.iter().filter_map(ttl).min().unwrap_or(0).min(MAX_TTL)
    };
    Ok(Answer {
        code,
        records,
        ttl_seconds,
    })
}

fn list<'a>(answer: &'a Value, key: &str) -> &'a [Value] {
    answer
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], |list| list)
}

fn ttl(record: &Value) -> Option<u32> {
    let ttl = record.get("TTL").and_then(Value::as_u64)?;
    Some(u32::try_from(ttl).unwrap_or(u32::MAX))
}

/// The lesser of the TTL and the last field of the SOA record (RFC 2308, section 5).
fn negative_ttl(answer: &Value) -> u32 {
    const SOA: u64 = 6;
    let soa = list(answer, "Authority")
        .iter()
        .find(|record| record.get("type").and_then(Value::as_u64) == Some(SOA));
    let minimum = soa.and_then(|soa| {
        soa.get("data")?
            .as_str()?
            .split_whitespace()
            .last()?
            .parse::<u32>()
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

/// A record's data in one form, or `None` for what is of no use.
fn normal(data: &str, kind: RecordType) -> Option<String> {
    match kind {
        RecordType::A => data.parse::<Ipv4Addr>().ok().map(|ip| ip.to_string()),
        RecordType::Aaaa => data.parse::<Ipv6Addr>().ok().map(|ip| ip.to_string()),
        RecordType::Cname | RecordType::Ns => name(data),
        RecordType::Mx => {
            let (priority, host) = data.trim().split_once(' ')?;
            let priority: u16 = priority.parse().ok()?;
            // RFC 7505: "0 ." says that there is no mail.
            let host = match host.trim() {
                "." => ".".to_owned(),
                host => name(host)?,
            };
            Some(format!("{priority} {host}"))
        }
        RecordType::Srv => Srv::read(data).map(|srv| srv.to_string()),
        RecordType::Txt => Some(text(data)),
    }
}

fn name(data: &str) -> Option<String> {
    let address: Address = data.trim().trim_end_matches('.').parse().ok()?;
    address.port.is_none().then_some(address.host)
}

/// The strings of a TXT record, joined (RFC 7208, section 3.3): `"a" "b"` with `\"`, `\\` and
/// `\DDD` inside, or as they are without quotes.
fn text(data: &str) -> String {
    let data = data.trim();
    if !data.starts_with('"') {
        return data.chars().take(MAX_DATA).collect();
    }
    let mut bytes = Vec::new();
    let mut quoted = false;
    let mut rest = data.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        match (byte, after) {
            (b'"', _) => quoted = !quoted,
            (
                b'\\',
                [
                    a @ b'0'..=b'2',
                    b @ b'0'..=b'9',
                    c @ b'0'..=b'9',
                    after @ ..,
                ],
            ) => {
                let code = [a, b, c]
                    .iter()
                    .fold(0_u16, |code, &digit| code * 10 + u16::from(digit - b'0'));
                bytes.extend(u8::try_from(code));
                rest = after;
            }
            (b'\\', [escaped, after @ ..]) => {
                bytes.push(*escaped);
                rest = after;
            }
            _ if quoted => bytes.push(*byte),
            _ => {}
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    text.chars().take(MAX_DATA).collect()
}

/// An SRV record's data, of one that leads somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srv {
    pub priority: u16,
    pub weight: u16,
    pub port: u16,
    pub target: String,
}

impl Srv {
    /// Reads `priority weight port target`. A target of `.` says that there is no such service,
    /// and one that is no host name cannot be dialled: `None`.
    pub fn read(data: &str) -> Option<Self> {
        let mut fields = data.split_whitespace();
        let mut number = || fields.next()?.parse::<u16>().ok();
        let (priority, weight, port) = (number()?, number()?, number()?);
        let target = name(fields.next()?)?;
        let usable = port != 0 && fields.next().is_none();
        usable.then_some(Self {
            priority,
            weight,
            port,
            target,
        })
    }

    /// Of a service's records the one of the lowest priority and, among those, of the largest weight.
    ///
    /// A client draws by weight; who watches a server has to look at the same one each time, and most
    /// clients are on this one.
    pub fn chosen(records: &[String]) -> Option<Self> {
        let records = records.iter().filter_map(|record| Self::read(record));
        records.min_by(|a, b| {
            let order = |srv: &Self| (srv.priority, u16::MAX - srv.weight);
            order(a)
                .cmp(&order(b))
                .then_with(|| (&a.target, a.port).cmp(&(&b.target, b.port)))
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

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
