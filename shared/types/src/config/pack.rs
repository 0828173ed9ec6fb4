//! Configuration of the `pack` worker.

use serde::Deserialize;

use super::{Config, InvalidConfig};
use crate::PackName;

/// Where players' clients reach this worker: `https://rp.example.com`, no slash at the end.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PublicUrl(String);

impl PublicUrl {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PublicUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let host = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        match host {
            Some(host)
                if !host.is_empty() && !host.ends_with('/') && !text.contains(['?', '#', ' ']) =>
            {
                Ok(Self(text))
            }
            _ => Err(format!(
                "{text:?} is not an http or https URL without a slash at the end, as in \"https://rp.example.com\""
            )),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "SCREAMING_SNAKE_CASE")]
pub struct PackConfig {
    pub public_url: PublicUrl,
    /// The largest body of one upload, in bytes: what the plan lets through.
    #[serde(default = "free_plan")]
    pub max_upload_bytes: u64,
    /// What `POST /upload` publishes: clients of a Polymath name no pack.
    #[serde(default = "PackName::main")]
    pub polymath_pack: PackName,
    /// How long a blob stays after it was last needed, in days.
    #[serde(default = "month")]
    pub gc_grace_days: i64,
    /// The newest releases of a pack that are never collected: a client keeps its last 20 packs.
    #[serde(default = "kept_by_clients")]
    pub gc_keep_releases: usize,
    /// Whether the public URL of a release is fetched once after it was published.
    #[serde(default = "yes")]
    pub check_published: bool,
    /// Who is told of publications and refusals.
    #[serde(default)]
    pub webhook_url: Option<WebhookUrl>,
    /// Local development: events of R2 can be sent by request.
    #[serde(default)]
    pub local_events: bool,
}

fn free_plan() -> u64 {
    100_000_000
}

fn month() -> i64 {
    30
}

fn kept_by_clients() -> usize {
    20
}

fn yes() -> bool {
    true
}

/// The longest grace period, in days.
const MAX_GRACE: i64 = 3650;

impl Config for PackConfig {
    fn validate(&self) -> Result<(), InvalidConfig> {
        if !(1..=MAX_GRACE).contains(&self.gc_grace_days) {
            let message = format!("{} is not 1 to {MAX_GRACE} days", self.gc_grace_days);
            return Err(InvalidConfig::new("GC_GRACE_DAYS", message));
        }
        if self.gc_keep_releases == 0 {
            return Err(InvalidConfig::new("GC_KEEP_RELEASES", "0 is not 1 or more"));
        }
        if self.max_upload_bytes == 0 {
            return Err(InvalidConfig::new("MAX_UPLOAD_BYTES", "0 is not 1 or more"));
        }
        Ok(())
    }
}

/// An http or https URL.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct WebhookUrl(String);

impl WebhookUrl {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for WebhookUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        if rest.is_some_and(|rest| !rest.is_empty() && !rest.contains([' ', '#'])) {
            return Ok(Self(text));
        }
        Err(format!("{text:?} is not an http or https URL"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_wrong_missing_or_unknown_key_is_named() {
        for (vars, message) in [
            (json!({}), "[vars]: missing field `PUBLIC_URL`"),
            (
                json!({"PUBLIC_URL": "rp.example.com"}),
                "[vars] PUBLIC_URL: \"rp.example.com\" is not an http",
            ),
            (
                json!({"PUBLIC_URL": "https://a/"}),
                "[vars] PUBLIC_URL: \"https://a/\" is not an http",
            ),
            (
                json!({"PUBLIC_URL": "https://a", "MAX_UPLOAD_BYTES": "1"}),
                "[vars] MAX_UPLOAD_BYTES: invalid type",
            ),
            (
                json!({"PUBLIC_URL": "https://a", "POLYMATH_PACK": "Main Pack"}),
                "[vars] POLYMATH_PACK: ",
            ),
            (
                json!({"PUBLIC_URL": "https://a", "MAX_UPLAOD": 1}),
                "[vars] MAX_UPLAOD: unknown field `MAX_UPLAOD`",
            ),
        ] {
            let error = PackConfig::parse(vars).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn the_upload_limit_defaults_to_that_of_the_free_plan_and_polymath_to_the_default_pack() {
        let config = PackConfig::parse(json!({"PUBLIC_URL": "https://rp.example.com"})).unwrap();
        assert_eq!(config.max_upload_bytes, 100_000_000);
        assert_eq!(config.polymath_pack, PackName::main());
    }
}
