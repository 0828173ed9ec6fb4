//! How DNS providers and alert channels do, from their own tables.

use edge::Failure;
use serde::Deserialize;
use types::{Timestamp, config::DdnsConfig};

use super::Store;
use crate::{
    alerts::{deliver, outbox::ChannelState},
    health::Receivers,
};

/// A provider that forgets a host within two days should have been told long ago.
const EXPIRES_SECONDS: i64 = 2 * 24 * 3600;

/// After so long without an attempt, and when nothing waits, an old failure says nothing more of a
/// channel: it may have been mended since, and nobody would know before the next alert.
const LAPSES_SECONDS: i64 = 7 * 24 * 3600;

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

    /// `None` when no channel is configured. `unable` are those that can deliver nothing, and why.
    pub async fn channels(
        &self,
        config: &DdnsConfig,
        unable: Vec<(String, String)>,
        now: Timestamp,
    ) -> Result<Option<Receivers>, Failure> {
        if config.alerts.is_empty() {
            return Ok(None);
        }
        let states = deliver::channels(&self.0).await?;
        Ok(Some(of_channels(config, unable, states, now)))
    }
}

/// How the channels do that are configured.
fn of_channels(
    config: &DdnsConfig,
    unable: Vec<(String, String)>,
    states: Vec<ChannelState>,
    now: Timestamp,
) -> Receivers {
    let mut receivers = Receivers {
        count: config.alerts.len(),
        failing: unable,
        ..Receivers::default()
    };
    let long_ago = now.plus_seconds(-LAPSES_SECONDS).to_string();
    for state in states {
        let mut configured = config.alerts.iter();
        if !configured.any(|channel| channel.name.as_str() == state.channel) {
            continue;
        }
        receivers.waiting += state.pending;
        let has_lapsed = state.pending == 0 && *state.tried_on < *long_ago.get(..10).unwrap_or("");
        let is_known = receivers
            .failing
            .iter()
            .any(|(name, _)| *name == state.channel);
        if let Some(error) = state.failing_since.and(state.error)
            && !has_lapsed
            && !is_known
        {
            receivers.failing.push((state.channel, error));
        }
    }
    receivers
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use types::config::Config as _;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_255_200);

    /// The channels that fail when `chat` was tried last on this day, in vain, and so many alerts wait.
    fn failing(tried_on: &str, pending: u32, unable: &[&str]) -> Vec<String> {
        let config = DdnsConfig::parse(json!({
            "hosts": [{"host": "home.example.com"}],
            "alerts": [{"name": "chat", "kind": "slack", "secret": "CHAT"}],
        }))
        .unwrap();
        let state = |channel: &str| ChannelState {
            channel: channel.to_owned(),
            last_ok_at: None,
            failing_since: Some(NOW),
            error: Some("answered 404".to_owned()),
            tried_on: tried_on.to_owned(),
            pending,
        };
        let unable = unable
            .iter()
            .map(|name| ((*name).to_owned(), "no secret".to_owned()));
        let states = vec![state("chat"), state("removed")];
        let found = of_channels(&config, unable.collect(), states, NOW);
        assert_eq!((found.count, found.waiting), (1, pending));
        found.failing.into_iter().map(|(_, error)| error).collect()
    }

    #[test]
    fn a_failure_lapses_a_week_after_the_last_attempt_unless_something_waits() {
        assert_eq!(failing("2026-11-14", 0, &[]), ["answered 404"]);
        assert_eq!(failing("2026-11-13", 0, &[]), [""; 0]);
        assert_eq!(failing("2026-11-13", 1, &[]), ["answered 404"]);
    }

    #[test]
    fn a_channel_that_can_deliver_nothing_fails_once_and_whatever_it_did_before() {
        assert_eq!(failing("2026-11-21", 0, &["chat"]), ["no secret"]);
        assert_eq!(failing("2026-01-01", 0, &["chat"]), ["no secret"]);
    }
}
