//! What a channel points to, as readers get it: from KV, and from R2 when KV does not serve.

use std::sync::atomic::{AtomicI64, Ordering};

use edge::{Failure, clock, kv::Held, log, not_found, reply};
use types::{Channel, PackName, config::PackConfig, pack::Record};
use worker::{Env, Headers, Response};

use crate::{
    ports::Registries as _,
    render::{Format, Rendered, render},
    store::Platform,
};

/// How often an instance at most writes to KV because a reader found it wanting, in milliseconds:
/// KV takes few writes, and one is enough.
const HEAL_EVERY_MS: i64 = 5000;
static HEALED_AT: AtomicI64 = AtomicI64::new(0);

/// `GET /api/pack/latest`.
pub async fn answer(
    headers: &Headers,
    env: &Env,
    config: &PackConfig,
    pack: &PackName,
    channel: &Channel,
    format: Format,
) -> Result<Response, Failure> {
    let platform = Platform::new(env)?;
    let text = match from_kv(&platform, config, pack, channel).await {
        Some(text) => text,
        None => from_r2(&platform, config, pack, channel).await?,
    };
    let Rendered { content_type, body } = rendered(text, format)?;
    let tag = reply::tag_of(body.as_bytes());
    reply::tagged(headers, &tag, content_type, || Ok(body.into_bytes()))
}

/// The record's text in the format that was asked for; as JSON it is there already.
fn rendered(text: String, format: Format) -> Result<Rendered, Failure> {
    if format == Format::Json {
        return Ok(Rendered {
            content_type: reply::JSON,
            body: text,
        });
    }
    let record = serde_json::from_str(&text);
    record
        .and_then(|record| render(&record, format))
        .map_err(|error| Failure::internal(error.to_string()))
}

/// What KV holds, if it is whole and of this deployment: the address of the bytes must be one that
/// is served today.
async fn from_kv(
    platform: &Platform,
    config: &PackConfig,
    pack: &PackName,
    channel: &Channel,
) -> Option<String> {
    let held = match platform.announced(pack, channel) {
        Ok(entry) => entry.read().await,
        Err(failure) => Err(failure),
    };
    match held {
        Ok(Held::Value { value, text }) => {
            is_current(&value, config, pack, channel).then_some(text)
        }
        Ok(Held::Missing) => None,
        Ok(Held::Corrupt(what)) => {
            log::warn("kv", &what);
            None
        }
        Err(failure) => {
            log::warn("kv", &failure.into_message());
            None
        }
    }
}

fn is_current(record: &Record, config: &PackConfig, pack: &PackName, channel: &Channel) -> bool {
    record.pack == *pack
        && record.channel == *channel
        && record.url == crate::registry::download_url(&config.public_url, &record.sha1)
}

async fn from_r2(
    platform: &Platform,
    config: &PackConfig,
    pack: &PackName,
    channel: &Channel,
) -> Result<String, Failure> {
    let loaded = platform
        .load(pack)
        .await
        .map_err(|error| Failure::internal(error.0))?;
    let record = loaded
        .and_then(|loaded| loaded.registry.current(channel, &config.public_url))
        .ok_or_else(|| {
            not_found(&format!(
                "published release of pack \"{pack}\" in channel \"{channel}\""
            ))
        })?;
    heal(platform, &record).await;
    serde_json::to_string(&record).map_err(|error| Failure::internal(error.to_string()))
}

/// Writes to KV what it should have held. That it fails is no reason not to answer.
async fn heal(platform: &Platform, record: &Record) {
    let now = clock::millis();
    if now - HEALED_AT.swap(now, Ordering::Relaxed) < HEAL_EVERY_MS {
        return;
    }
    if let Err(error) = platform.announce(record).await {
        log::warn("kv", &error.0);
    }
}
