//! Configuration: the `[vars]` of each worker's `wrangler.toml` as a type.
//!
//! The same types are read in two places: by the build, which refuses a configuration that would
//! not start, and by the worker, once an instance. An unknown key, a missing one and a wrong
//! one are errors that name the key.

mod address;
pub mod alerts;
mod ddns;
mod gateway;
mod host;
mod pack;
mod providers;
pub mod services;
mod status;

use std::{collections::HashSet, fmt, hash::Hash};

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use address::Address;
pub use ddns::{DdnsConfig, DdnsHost, Family, MAX_CHECKS_A_RUN, prefix_mask};
pub use gateway::{
    Auth, BindingName, Frame, GatewayConfig, HostPattern, Maintenance, Origin, OriginUrl,
    PathPrefix, Pattern, Protection, Redirect, RedirectTarget, Respond, Route, Site, Surroundings,
    Upstream, check as check_table,
};
pub use host::HostName;
pub use pack::{PackConfig, PublicUrl, WebhookUrl};
pub use providers::{Credentials, Provider, ProviderKind, ProviderSecrets, ProviderUrl};
pub use status::{DohUrl, LegacyPing, ProxyProtocol, StatusConfig, Target, is_public_name};

/// The secrets a worker may have beside its `[vars]`.
pub const SECRETS: [&str; 7] = [
    "TOKENS",
    "WEBHOOK_SECRET",
    "PROVIDERS",
    "CHECKS",
    "ALERTS",
    "ACCESS_CLIENT_ID",
    "ACCESS_CLIENT_SECRET",
];

/// The workers whose configuration [`check`] knows.
pub const WORKERS: [&str; 4] = ["gateway", "pack", "status", "ddns"];

/// What is wrong with a configuration, and under which key: `targets[1].address`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidConfig {
    pub key: String,
    pub message: String,
}

impl InvalidConfig {
    fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" | "." => write!(f, "[vars]: {}", self.message),
            key => write!(f, "[vars] {key}: {}", self.message),
        }
    }
}

impl std::error::Error for InvalidConfig {}

/// The configuration of one worker.
pub trait Config: DeserializeOwned {
    /// Checks what concerns more than one key.
    fn validate(&self) -> Result<(), InvalidConfig> {
        Ok(())
    }

    /// Reads the `[vars]` of a worker.
    fn parse(vars: Value) -> Result<Self, InvalidConfig> {
        let config: Self = serde_path_to_error::deserialize(vars).map_err(|error| {
            InvalidConfig::new(error.path().to_string(), error.inner().to_string())
        })?;
        config.validate()?;
        Ok(config)
    }
}

/// Checks the `[vars]` of the named worker, one of [`WORKERS`].
pub fn check(worker: &str, vars: Value) -> Result<(), InvalidConfig> {
    match worker {
        "gateway" => GatewayConfig::parse(vars).map(drop),
        "pack" => PackConfig::parse(vars).map(drop),
        "status" => StatusConfig::parse(vars).map(drop),
        "ddns" => DdnsConfig::parse(vars).map(drop),
        other => Err(InvalidConfig::new(
            "",
            format!("there is no worker {other:?}"),
        )),
    }
}

/// The first item that occurs a second time, with its index then.
fn duplicate<T: Copy + Eq + Hash>(items: impl Iterator<Item = T>) -> Option<(usize, T)> {
    let mut seen = HashSet::new();
    items.enumerate().find(|(_, item)| !seen.insert(*item))
}
