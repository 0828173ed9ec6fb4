//! Configuration of what is watched: `[[vars.services]]` of the `ddns` worker.
//!
//! A service is written as one flat table; which keys it may have depends on its `kind`. Read, it
//! is a [`Service`] with a typed [`Check`], so that no wrong combination gets further than here.

mod check;
mod flat;
mod graph;
mod json_path;
mod rules;

use serde::Deserialize;

use super::InvalidConfig;
use crate::{AlertName, ServiceId};

pub use check::{
    Check, DdnsCheck, DnsCheck, HeaderValue, HeartbeatCheck, HttpCheck, Method, TcpCheck,
};
pub use graph::validate;
pub use json_path::JsonPath;
pub use rules::{Limit, SecretName, StatusPattern};

/// What kind of check a service has, as `kind` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceKind {
    Http,
    Tcp,
    Minecraft,
    Dns,
    Heartbeat,
    Ddns,
}

impl ServiceKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::Minecraft => "minecraft",
            Self::Dns => "dns",
            Self::Heartbeat => "heartbeat",
            Self::Ddns => "ddns",
        }
    }

    /// Whether a check asks the network: one request or connection each time. The other kinds are
    /// judged by what D1 holds.
    pub const fn is_active(self) -> bool {
        !matches!(self, Self::Heartbeat | Self::Ddns)
    }
}

/// A service that is watched.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "flat::Flat")]
pub struct Service {
    pub id: ServiceId,
    /// As people read it; the id when none is given.
    pub name: String,
    pub group: Option<String>,
    pub check: Check,
    /// From one check to the next. This and the next two are of kinds that are asked.
    pub interval_minutes: u32,
    /// For the whole check, in milliseconds.
    pub timeout_ms: u32,
    /// A good answer that takes longer than this is `degraded`.
    pub max_latency_ms: Option<u32>,
    /// Failed checks in a row that mean down; 1 for what is not asked, whose patience is its period.
    pub failures: u32,
    /// Good checks in a row that mean up again.
    pub successes: u32,
    /// How often an open incident is alerted again; never without.
    pub remind_minutes: Option<u32>,
    /// While one of these is down nothing can be said of this one: it is `unknown`.
    pub depends_on: Vec<ServiceId>,
    /// Whether anyone may read its state; else `ops:read`.
    pub public: bool,
    /// Whether it being down makes the health `fail`; else `warn`.
    pub critical: bool,
    /// The channels that hear of it; all when none are named.
    pub alerts: Option<Vec<AlertName>>,
    pub paused: bool,
}

impl Service {
    pub fn kind(&self) -> ServiceKind {
        self.check.kind()
    }

    /// Whether this channel hears of this service.
    pub fn alerts_to(&self, channel: &AlertName) -> bool {
        let named = self.alerts.as_ref();
        named.is_none_or(|named| named.contains(channel))
    }
}

fn error(index: usize, key: &str, message: impl Into<String>) -> InvalidConfig {
    InvalidConfig::new(format!("services[{index}].{key}"), message)
}

#[cfg(test)]
#[path = "services_tests.rs"]
mod tests;

#[cfg(test)]
mod rules_tests;
