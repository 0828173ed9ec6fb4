//! Configuration of the `status` worker.

use serde::Deserialize;

use super::{Address, Config, InvalidConfig, duplicate};
use crate::TargetId;

/// A Minecraft server to ping.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    pub id: TargetId,
    /// What players type; its host is what the handshake says.
    pub address: Address,
    /// Where to dial, when that is elsewhere.
    pub connect: Option<Address>,
    /// The host name in the handshake, when it is not that of `address` (forced hosts).
    pub handshake_host: Option<String>,
    /// For the whole ping, in milliseconds.
    #[serde(default = "five_seconds")]
    pub timeout_ms: u32,
    /// An answer that takes longer than this, in milliseconds, is `degraded`.
    #[serde(default = "one_second")]
    pub degraded_ms: u32,
    /// Shows nobody who is on it: no names and no UUIDs, in any shape.
    #[serde(default)]
    pub privacy: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusConfig {
    /// The first is the one that `GET /api/status` answers with.
    pub targets: Vec<Target>,
    /// For how long an instance answers from what it last read of KV, in seconds.
    #[serde(rename = "CACHE_SECONDS", default = "fifteen")]
    pub cache_seconds: u32,
}

impl Target {
    /// Where to dial.
    pub fn dial(&self) -> &Address {
        self.connect.as_ref().unwrap_or(&self.address)
    }

    /// The host that the handshake names.
    pub fn announced_host(&self) -> &str {
        self.handshake_host.as_deref().unwrap_or(&self.address.host)
    }
}

impl StatusConfig {
    /// How many targets are pinged at once: the platform opens no more connections.
    pub const AT_ONCE: u32 = 6;
}

/// How many targets there may be: their snapshots share one KV value, their pings one cron run.
const MAX_TARGETS: usize = 20;
/// How long the pings of one cron run may take, in milliseconds, before the next one starts.
const CRON_RUN_MS: u32 = 50_000;

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

impl Config for StatusConfig {
    fn validate(&self) -> Result<(), InvalidConfig> {
        if self.targets.is_empty() {
            return Err(InvalidConfig::new(
                "targets",
                "at least one server is needed",
            ));
        }
        if self.targets.len() > MAX_TARGETS {
            let message = format!("at most {MAX_TARGETS} servers are pinged");
            return Err(InvalidConfig::new("targets", message));
        }
        if self.cache_seconds > MAX_CACHE_SECONDS {
            let message = format!("must be from 0 to {MAX_CACHE_SECONDS}");
            return Err(InvalidConfig::new("CACHE_SECONDS", message));
        }
        if let Some((index, id)) = duplicate(self.targets.iter().map(|target| &target.id)) {
            return Err(InvalidConfig::new(
                format!("targets[{index}].id"),
                format!("\"{id}\" is there twice"),
            ));
        }
        for (index, target) in self.targets.iter().enumerate() {
            if !(100..=20_000).contains(&target.timeout_ms) {
                let key = format!("targets[{index}].timeout_ms");
                return Err(InvalidConfig::new(key, "must be from 100 to 20000"));
            }
            if target
                .handshake_host
                .as_ref()
                .is_some_and(|host| host.is_empty() || host.len() > 255)
            {
                let key = format!("targets[{index}].handshake_host");
                return Err(InvalidConfig::new(key, "must be 1 to 255 bytes long"));
            }
        }
        let timeouts = || self.targets.iter().map(|target| target.timeout_ms);
        // When nothing answers: whoever is dialled last waits for a free place, then for itself.
        let longest = timeouts().sum::<u32>() / Self::AT_ONCE + timeouts().max().unwrap_or(0);
        if longest > CRON_RUN_MS {
            return Err(InvalidConfig::new(
                "targets",
                "the sum of timeout_ms is too large: when nothing answers, the pings must be over in 50 seconds",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn error(targets: &Value) -> String {
        StatusConfig::parse(json!({ "targets": targets }))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn what_is_left_out_is_shown_and_kept_for_fifteen_seconds() {
        let target = json!({"id": "main", "address": "mc.example.com"});
        let config = StatusConfig::parse(json!({"targets": [target]})).unwrap();
        assert_eq!(
            (config.cache_seconds, config.targets[0].privacy),
            (15, false)
        );
        let config = json!({"targets": [target], "CACHE_SECONDS": 61});
        assert_eq!(
            StatusConfig::parse(config).unwrap_err().to_string(),
            "[vars] CACHE_SECONDS: must be from 0 to 60"
        );
    }

    #[test]
    fn errors_name_the_target_and_the_key() {
        let good = json!({"id": "main", "address": "mc.example.com"});
        assert_eq!(
            error(&json!([])),
            "[vars] targets: at least one server is needed"
        );
        assert_eq!(
            error(&json!([good, good])),
            "[vars] targets[1].id: \"main\" is there twice"
        );
        let many = |count: usize, timeout_ms: u32| -> Value {
            (0..count)
                .map(|n| json!({"id": format!("t{n}"), "address": "a", "timeout_ms": timeout_ms}))
                .collect()
        };
        assert_eq!(
            error(&many(21, 100)),
            "[vars] targets: at most 20 servers are pinged"
        );
        assert!(error(&many(20, 20_000)).starts_with("[vars] targets: the sum of timeout_ms"));
        assert!(StatusConfig::parse(json!({ "targets": many(20, 10_000) })).is_ok());
        assert!(error(&json!([{"id": "main"}])).contains("missing field `address`"));
        assert!(
            error(&json!([{"id": "Main", "address": "a"}]))
                .starts_with("[vars] targets[0].id: \"Main\" is not a name")
        );
        assert!(
            error(&json!([{"id": "a", "address": "a:b"}])).starts_with("[vars] targets[0].address")
        );
        assert!(
            error(&json!([{"id": "a", "address": "a", "timeout": 1}]))
                .starts_with("[vars] targets[0].timeout: unknown field")
        );
        assert!(
            error(&json!([{"id": "a", "address": "a", "timeout_ms": 1}]))
                .starts_with("[vars] targets[0].timeout_ms")
        );
    }
}
