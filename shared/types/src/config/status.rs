//! Configuration of the `status` worker.

use serde::Deserialize;

use super::{Address, Config, InvalidConfig, duplicate};
use crate::TargetId;

/// A Minecraft server to ping.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    pub id: TargetId,
    /// What players type; its host is what the handshake says. Without a port, SRV records are
    /// followed.
    pub address: Address,
    /// Where to dial, when that is elsewhere. It is shown to nobody.
    pub connect: Option<Address>,
    /// The host name in the handshake, when it is not that of `address` (forced hosts).
    pub handshake_host: Option<String>,
    /// What the server, or what is in front of it, expects before the handshake.
    #[serde(default)]
    pub proxy_protocol: ProxyProtocol,
    /// For the whole ping with all its tries, in milliseconds.
    #[serde(default = "five_seconds")]
    pub timeout_ms: u32,
    /// For a connection; `timeout_ms` when not given.
    pub connect_timeout_ms: Option<u32>,
    /// From the question to the first byte of the answer; `timeout_ms` when not given.
    pub first_byte_timeout_ms: Option<u32>,
    /// An answer that takes longer than this, in milliseconds, is `degraded`.
    #[serde(default = "one_second")]
    pub degraded_ms: u32,
    /// Failed pings in a row that mean offline.
    #[serde(default = "two")]
    pub offline_after: u32,
    #[serde(default)]
    pub legacy: LegacyPing,
    /// Leaves out who plays: neither names nor UUIDs are stored or shown, only how many.
    #[serde(default)]
    pub privacy: bool,
}

/// The version of the PROXY protocol to speak.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyProtocol {
    #[default]
    Off,
    V1,
    V2,
}

/// Whether a server that does not understand today's ping is asked as in old times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LegacyPing {
    #[default]
    Auto,
    Never,
}

/// A server for DNS-over-HTTPS that answers in JSON (`application/dns-json`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DohUrl(String);

impl DohUrl {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for DohUrl {
    fn default() -> Self {
        Self("https://cloudflare-dns.com/dns-query".to_owned())
    }
}

impl TryFrom<String> for DohUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        let good = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        match rest {
            Some(rest) if !rest.is_empty() && rest.bytes().all(good) => Ok(Self(text)),
            _ => Err(format!(
                "{text:?} is not an http or https URL, as in \"{}\"",
                Self::default().0
            )),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusConfig {
    /// The first is the one that `GET /api/status` answers with.
    pub targets: Vec<Target>,
    #[serde(rename = "DOH_URL", default)]
    pub doh_url: DohUrl,
    /// For one question, in milliseconds.
    #[serde(rename = "DOH_TIMEOUT_MS", default = "second_and_a_half")]
    pub doh_timeout_ms: u32,
    /// How often the status may be written to KV on one day: the free plan has 1,000 writes for all.
    #[serde(rename = "KV_WRITES_PER_DAY", default = "nine_hundred")]
    pub kv_writes_per_day: u32,
    /// For how long an instance answers from what it last read of KV, in seconds.
    #[serde(rename = "CACHE_SECONDS", default = "fifteen")]
    pub cache_seconds: u32,
}

impl Target {
    /// Where to dial, as far as the configuration knows.
    pub fn dial(&self) -> &Address {
        self.connect.as_ref().unwrap_or(&self.address)
    }

    /// The host that the handshake names.
    pub fn announced_host(&self) -> &str {
        self.handshake_host.as_deref().unwrap_or(&self.address.host)
    }

    /// Whether an SRV record may say where to dial.
    pub fn may_have_srv(&self) -> bool {
        self.connect.is_none() && self.address.port.is_none() && is_public_name(&self.address.host)
    }
}

/// Whether a host is a name that public DNS may know: not an address, and not one of the own
/// machine or network (RFC 6761, section 6.3; RFC 6762, section 3).
pub fn is_public_name(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    let last = host.rsplit('.').next().unwrap_or_default();
    host.contains('.')
        && host.parse::<std::net::IpAddr>().is_err()
        && !["localhost", "local"].contains(&last)
}

impl StatusConfig {
    /// How many targets are pinged at once: the platform opens no more connections.
    pub const AT_ONCE: u32 = 6;
    /// The connections and requests of one cron run: the free plan has 50, of which some are for KV
    /// and D1.
    pub const REQUESTS: u32 = 44;

    /// The questions that one cron run may ask of DNS, at the most: a target has an SRV record and
    /// two kinds of addresses, and its ping comes first.
    fn dns_questions(&self) -> u32 {
        let targets = u32::try_from(self.targets.len()).unwrap_or(u32::MAX);
        targets
            .saturating_mul(3)
            .min(Self::REQUESTS.saturating_sub(targets))
    }

    /// What a cron run takes when nothing answers, in milliseconds: whoever is dialled last waits
    /// for a free place, then for itself.
    fn longest_run_ms(&self) -> u32 {
        let timeouts = || self.targets.iter().map(|target| target.timeout_ms);
        let places = timeouts().sum::<u32>() + self.dns_questions() * self.doh_timeout_ms;
        places / Self::AT_ONCE + timeouts().max().unwrap_or(0)
    }
}

/// How many targets there may be: their snapshots share one KV value, their pings one cron run.
const MAX_TARGETS: usize = 20;
/// How long the pings of one cron run may take, in milliseconds, before the next one starts.
const CRON_RUN_MS: u32 = 50_000;
/// The heartbeat alone takes 480 writes a day.
const FEWEST_WRITES: u32 = 500;

/// The longest that `CACHE_SECONDS` may be: half of what makes an observation stale is lost elsewhere.
const MAX_CACHE_SECONDS: u32 = 60;

fn fifteen() -> u32 {
    15
}

fn five_seconds() -> u32 {
    5000
}

fn one_second() -> u32 {
    1000
}

fn second_and_a_half() -> u32 {
    1500
}

fn two() -> u32 {
    2
}

fn nine_hundred() -> u32 {
    900
}

impl Config for StatusConfig {
    fn validate(&self) -> Result<(), InvalidConfig> {
        let error = |key: &str, message: String| Err(InvalidConfig::new(key, message));
        if self.targets.is_empty() {
            return error("targets", "at least one server is needed".to_owned());
        }
        if self.targets.len() > MAX_TARGETS {
            return error(
                "targets",
                format!("at most {MAX_TARGETS} servers are pinged"),
            );
        }
        if let Some((index, id)) = duplicate(self.targets.iter().map(|target| &target.id)) {
            let key = format!("targets[{index}].id");
            return error(&key, format!("\"{id}\" is there twice"));
        }
        for (index, target) in self.targets.iter().enumerate() {
            if let Err((key, message)) = target.validate() {
                return error(&format!("targets[{index}].{key}"), message);
            }
        }
        within("DOH_TIMEOUT_MS", self.doh_timeout_ms, 100, 5000)
            .and_then(|()| {
                let writes = self.kv_writes_per_day;
                within("KV_WRITES_PER_DAY", writes, FEWEST_WRITES, 100_000)
            })
            .and_then(|()| within("CACHE_SECONDS", self.cache_seconds, 0, MAX_CACHE_SECONDS))
            .or_else(|(key, message)| error(key, message))?;
        if self.longest_run_ms() > CRON_RUN_MS {
            return error(
                "targets",
                "the sum of timeout_ms is too large: when nothing answers, the pings must be over in 50 seconds".to_owned(),
            );
        }
        Ok(())
    }
}

impl Target {
    /// The key that is wrong, and what is.
    fn validate(&self) -> Result<(), (&'static str, String)> {
        within("timeout_ms", self.timeout_ms, 100, 20_000)?;
        let part = |key, part: Option<u32>| match part {
            Some(part) => within(key, part, 100, self.timeout_ms),
            None => Ok(()),
        };
        part("connect_timeout_ms", self.connect_timeout_ms)?;
        part("first_byte_timeout_ms", self.first_byte_timeout_ms)?;
        within("offline_after", self.offline_after, 1, 60)?;
        let host = self.handshake_host.as_ref();
        if host.is_some_and(|host| host.is_empty() || host.len() > 255) {
            return Err(("handshake_host", "must be 1 to 255 bytes long".to_owned()));
        }
        Ok(())
    }
}

fn within(
    key: &'static str,
    value: u32,
    least: u32,
    most: u32,
) -> Result<(), (&'static str, String)> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err((key, format!("must be from {least} to {most}")))
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
