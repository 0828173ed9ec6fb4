//! Configuration of the `pack` worker.

use serde::Deserialize;

use super::Config;
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
}

fn free_plan() -> u64 {
    100_000_000
}

impl Config for PackConfig {}

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
