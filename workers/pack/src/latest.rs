//! What a channel points to, as readers get it: from this instance's memory, else from KV, and from
//! R2 when KV does not serve.
//!
//! An instance keeps an answer for [`KEPT_MS`]. KV itself answers with what was true 30 to 60
//! seconds ago, so readers notice nothing, and what this instance publishes itself it drops at
//! once.

use std::sync::atomic::{AtomicI64, Ordering};

use edge::{
    Failure, Route as _, clock,
    kv::Held,
    log, not_found,
    prepared::{Answers, Content},
    reply,
};
use types::{Channel, PackName, config::PackConfig, pack::Record};
use worker::{Env, Request, Response, web_sys};

use crate::{WORKER, http::Route, ports::Store, store::Platform};

/// How old an answer from memory may be, in milliseconds.
const KEPT_MS: i64 = 5000;

thread_local! {
    static ANSWERS: Answers<PackName> = const { Answers::new(KEPT_MS) };
}

/// How often an instance at most writes to KV because a reader found it wanting, in milliseconds:
/// KV takes few writes, and one is enough.
const HEAL_EVERY_MS: i64 = 5000;
static HEALED_AT: AtomicI64 = AtomicI64::new(0);

/// The answer to a request that was answered a moment ago.
pub fn kept(request: &web_sys::Request) -> Option<web_sys::Response> {
    ANSWERS.with(|answers| answers.answer(request))
}

/// Drops what is kept of a pack: to be called whenever readers were told something new.
pub fn forget(pack: &PackName) {
    ANSWERS.with(|answers| answers.forget(pack));
}

/// `GET /api/pack/latest`, when nothing is kept for it.
pub async fn answer(
    request: &Request,
    env: &Env,
    config: &PackConfig,
    pack: &PackName,
    channel: &Channel,
) -> Result<Response, Failure> {
    let epoch = ANSWERS.with(Answers::epoch);
    let platform = Platform::new(env)?;
    let text = match from_kv(&platform, config, pack, channel).await {
        Some(text) => text,
        None => from_r2(&platform, config, pack, channel).await?,
    };
    let tag = reply::tag_of(text.as_bytes());
    let content = Content {
        worker: WORKER,
        route: Route::Latest.name(),
        tag: &tag,
        media_type: reply::JSON,
        body: text.as_bytes(),
    };
    ANSWERS.with(|answers| answers.keep(request.inner(), pack.clone(), epoch, &content))?;
    reply::tagged(request.headers(), &tag, reply::JSON, || {
        Ok(text.into_bytes())
    })
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
            log::warn("kv", &format!("{failure:?}"));
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
