//! How DNS providers and alert channels do, from their own tables.

use edge::Failure;
use serde::Deserialize;
use types::{Timestamp, config::DdnsConfig};

use super::Store;
use crate::{alerts::deliver, health::Receivers};

/// A provider that forgets a host within two days should have been told long ago.
const EXPIRES_SECONDS: i64 = 2 * 24 * 3600;

/// What is expected of a provider that has never taken anything is said by its error.
const PROVIDERS: &str = "\
SELECT json_group_array(json_object('name', host || ' ' || provider, 'error', error,
  'expiring', json(CASE WHEN expires_at < ?1 THEN 'true' ELSE 'false' END))) AS found
FROM provider_states";

#[derive(Deserialize)]
struct Provider {
    name: String,
    error: Option<String>,
    expiring: bool,
}

impl Store {
    /// `None` when no provider was ever told anything.
    pub async fn providers(&self, now: Timestamp) -> Result<Option<Receivers>, Failure> {
        let soon = now.plus_seconds(EXPIRES_SECONDS).to_string();
        let providers: Vec<Provider> = self.query(PROVIDERS, &[&soon]).await?;
        if providers.is_empty() {
            return Ok(None);
        }
        let mut receivers = Receivers {
            count: providers.len(),
            expiring: providers
                .iter()
                .filter(|provider| provider.expiring)
                .count(),
            ..Receivers::default()
        };
        for provider in providers {
            let failing = provider.error.map(|error| (provider.name, error));
            receivers.failing.extend(failing);
        }
        Ok(Some(receivers))
    }

    /// `None` when no channel is configured.
    pub async fn channels(&self, config: &DdnsConfig) -> Result<Option<Receivers>, Failure> {
        if config.alerts.is_empty() {
            return Ok(None);
        }
        let mut receivers = Receivers {
            count: config.alerts.len(),
            ..Receivers::default()
        };
        for state in deliver::channels(&self.0).await? {
            let mut configured = config.alerts.iter();
            if configured.any(|channel| channel.name.as_str() == state.channel) {
                receivers.waiting += state.pending;
                let failing = state.failing_since.and(state.error);
                let failing = failing.map(|error| (state.channel, error));
                receivers.failing.extend(failing);
            }
        }
        Ok(Some(receivers))
    }
}
