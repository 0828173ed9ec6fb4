//! Bodies of the `status` worker, and the snapshot that it keeps.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};

use crate::{TargetId, Timestamp};

/// What is known of a server's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Online,
    /// It closed the connection before it answered, as a server does that is starting.
    Starting,
    /// An operator said so, whatever the pings find. Never stored.
    Maintenance,
    /// One failed ping, or an answer slower than the target's `degraded_ms`.
    Degraded,
    /// Failed pings in a row, or the first ping ever failed.
    Offline,
    /// The last observation is older than five minutes: the cron has not run. Never stored.
    Stale,
}

impl State {
    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Starting => "starting",
            Self::Maintenance => "maintenance",
            Self::Degraded => "degraded",
            Self::Offline => "offline",
            Self::Stale => "stale",
        }
    }
}

/// Why a server is not `online`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    Dns,
    Refused,
    Timeout,
    ClosedBeforeStatus,
    BadFrame,
    BadJson,
    Oversize,
    Protocol,
    Slow,
}

/// How long the parts of a ping took, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    pub connect: u32,
    pub status: u32,
    /// `None` when no pong came, or one with the wrong payload.
    pub pong: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    pub name_raw: String,
    pub name_clean: String,
    #[serde(default)]
    pub name_html: String,
    pub protocol: Option<i32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Players {
    pub online: Option<u32>,
    pub max: Option<u32>,
    pub list: Vec<Player>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Player {
    pub uuid: Option<String>,
    pub name_raw: String,
    pub name_clean: String,
    #[serde(default)]
    pub name_html: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Motd {
    /// With `§` codes; lines are separated by `\n`.
    pub raw: String,
    /// Without any.
    pub clean: String,
    /// Safe to insert where text may stand: nothing but `<span>` and `<br>`.
    #[serde(default)]
    pub html: String,
    #[serde(default)]
    pub minimessage: String,
}

/// What a server said in its last answer: survives any failure that follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub latency_ms: Latency,
    pub version: Option<Version>,
    pub players: Option<Players>,
    pub motd: Motd,
    /// `data:image/png;base64,…`
    pub icon: Option<String>,
    pub software: Option<String>,
}

/// What is kept of one target between two pings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    pub state: State,
    pub reason: Option<Reason>,
    /// Whether the last ping was answered.
    pub online: bool,
    /// Failed pings in a row, counted up to the number that means offline.
    pub failures: u32,
    pub host: String,
    pub port: u16,
    /// An address of the server, as players find it; none where `connect` says where to dial.
    #[serde(default)]
    pub ip_address: Option<IpAddr>,
    #[serde(default)]
    pub srv_record: Option<SrvRecord>,
    pub retrieved_at: Timestamp,
    /// The last answer ever, if there was one.
    pub answer: Option<Answer>,
}

/// The value of the KV key `status`: every target, as last written, and what the cron has to
/// remember. A reader that wants one target takes the others as `T` that is not looked into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot<T = Observation> {
    pub v: Version1,
    pub targets: BTreeMap<TargetId, T>,
    /// What DNS said, by kind and name: `srv mc.example.com`.
    #[serde(default)]
    pub dns: BTreeMap<String, DnsAnswer>,
    #[serde(default)]
    pub writes: Option<Writes>,
}

/// What DNS said of a name, for as long as it said so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsAnswer {
    pub until: Timestamp,
    /// Whether there is such a name at all, with or without such records.
    pub exists: bool,
    /// As in a zone file: `5 0 25565 mc.example.com`, `192.0.2.1`.
    pub records: Vec<String>,
}

/// How often the value was written on a day in UTC, this time included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writes {
    /// The day's first second.
    pub day: Timestamp,
    pub count: u32,
}

/// The number 1: the version of a stored form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Version1;

impl TryFrom<u8> for Version1 {
    type Error = String;

    fn try_from(v: u8) -> Result<Self, String> {
        if v == 1 {
            Ok(Self)
        } else {
            Err(format!("version {v} is not known here, only 1"))
        }
    }
}

impl From<Version1> for u8 {
    fn from(_: Version1) -> Self {
        1
    }
}

/// Maintenance that is active or announced, its message as plain text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Maintenance<'a> {
    pub active: bool,
    pub message: Option<&'a str>,
    pub starts_at: Option<Timestamp>,
    pub ends_at: Option<Timestamp>,
}

/// What the server itself says, where another text may be in effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Observed<'a> {
    pub motd: Option<ObservedMotd<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObservedMotd<'a> {
    pub clean: &'a str,
}

/// The SRV record (RFC 2782) that led to the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SrvRecord {
    pub host: String,
    pub port: u16,
}

/// The body of `GET /api/status`. What was known stays when a ping fails; what was never known is
/// null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status<'a> {
    pub target: &'a TargetId,
    pub state: State,
    pub reason: Option<Reason>,
    pub online: bool,
    pub host: &'a str,
    pub port: u16,
    pub ip_address: Option<IpAddr>,
    pub srv_record: Option<&'a SrvRecord>,
    pub retrieved_at: Timestamp,
    pub age_seconds: i64,
    pub stale: bool,
    pub latency_ms: Option<Latency>,
    pub version: Option<&'a Version>,
    pub players: Option<&'a Players>,
    pub motd: Option<&'a Motd>,
    pub icon: Option<&'a str>,
    pub software: Option<&'a str>,
    pub maintenance: Maintenance<'a>,
    pub observed: Observed<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_named_as_in_json() {
        for state in [
            State::Online,
            State::Starting,
            State::Maintenance,
            State::Degraded,
            State::Offline,
            State::Stale,
        ] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }

    #[test]
    fn a_snapshot_of_another_version_is_refused() {
        let read = serde_json::from_str::<Snapshot>;
        assert!(read(r#"{"v":1,"targets":{}}"#).is_ok());
        let error = read(r#"{"v":2,"targets":{}}"#).unwrap_err();
        assert!(error.to_string().contains("version 2"), "{error}");
    }
}
