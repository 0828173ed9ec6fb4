//! What a channel points to, as readers get it: from this instance's memory, else from KV, and from
//! R2 when KV does not serve.
//!
//! An instance keeps an answer for [`KEPT_MS`]. KV itself answers with what was true 30 to 60
//! seconds ago, so readers notice nothing, and what this instance publishes itself it drops at
//! once.
//!
//! Which release a client of some version can load is in `variant`; when it is not the current one,
//! the registry in R2 is read for the earlier ones.

use std::sync::atomic::{AtomicI64, Ordering};

use edge::{
    Failure, Route as _, clock,
    kv::Held,
    log, not_found,
    prepared::{Answers, Content},
    reply,
};
use types::{
    Channel, Code, PackName, Problem,
    config::PackConfig,
    pack::{Available, Record},
};
use worker::{Env, Request, Response, web_sys};

use crate::{
    WORKER,
    http::Route,
    ports::Registries as _,
    registry::{Registry, download_url},
    render::{Format, Rendered, render},
    store::Platform,
    variant::Client,
};

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

/// What a reader wants to know of.
pub struct Asked {
    pub pack: PackName,
    pub channel: Channel,
    /// `None`: whatever is current.
    pub client: Option<Client>,
}

impl Asked {
    fn suits(&self, record: &Record) -> bool {
        self.client
            .is_none_or(|client| client.loads(&record.formats))
    }

    fn is_about(&self, record: &Record) -> bool {
        record.pack == self.pack && record.channel == self.channel
    }
}

/// `GET /api/pack/latest`, when nothing is kept for it.
pub async fn answer(
    request: &Request,
    env: &Env,
    config: &PackConfig,
    asked: &Asked,
    format: Format,
) -> Result<Response, Failure> {
    let epoch = ANSWERS.with(Answers::epoch);
    let platform = Platform::new(env)?;
    let held = from_kv(&platform, config, asked).await;
    let heals = held.is_none();
    let text = match held {
        Some((record, text)) if asked.suits(&record) => text,
        _ => from_r2(&platform, config, asked, heals).await?,
    };
    let Rendered { content_type, body } = rendered(text, format)?;
    let tag = reply::tag_of(body.as_bytes());
    let content = Content {
        worker: WORKER,
        route: Route::Latest.name(),
        tag: &tag,
        media_type: content_type,
        body: body.as_bytes(),
    };
    let kept =
        ANSWERS.with(|answers| answers.keep(request.inner(), asked.pack.clone(), epoch, &content));
    if let Err(failure) = kept {
        log::warn("latest", &failure.into_message());
    }
    reply::tagged(request.headers(), &tag, content_type, || {
        Ok(body.into_bytes())
    })
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
    asked: &Asked,
) -> Option<(Record, String)> {
    let held = match platform.announced(&asked.pack, &asked.channel) {
        Ok(entry) => entry.read().await,
        Err(failure) => Err(failure),
    };
    match held {
        Ok(Held::Value { value, text }) => {
            let served = download_url(&config.public_url, &value.sha1);
            (asked.is_about(&value) && value.url == served).then_some((value, text))
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

/// What the registry says; with `heals`, KV is told what it should have held.
async fn from_r2(
    platform: &Platform,
    config: &PackConfig,
    asked: &Asked,
    heals: bool,
) -> Result<String, Failure> {
    let Asked { pack, channel, .. } = asked;
    let loaded = platform
        .load(pack)
        .await
        .map_err(|error| Failure::internal(error.0))?;
    let nothing = || {
        not_found(&format!(
            "published release of pack \"{pack}\" in channel \"{channel}\""
        ))
    };
    let registry = loaded.ok_or_else(nothing)?.registry;
    let mut record = registry
        .current(channel, &config.public_url)
        .ok_or_else(nothing)?;
    if heals {
        heal(platform, &record).await;
    }
    if let Some(client) = asked.client.filter(|_| !asked.suits(&record)) {
        record = earlier(&registry, config, channel, client)?;
    }
    serde_json::to_string(&record).map_err(|error| Failure::internal(error.to_string()))
}

/// The newest release of a channel that is for a client, or 404 with those that are for others.
fn earlier(
    registry: &Registry,
    config: &PackConfig,
    channel: &Channel,
    client: Client,
) -> Result<Record, Failure> {
    let published = registry.published(channel);
    let chosen = client
        .choose(&published)
        .and_then(|release| registry.record(channel, &release.sha1, &config.public_url));
    if let Some(mut record) = chosen {
        let pointer = registry.pack().channels.get(channel);
        let mut earlier = pointer.iter().flat_map(|pointer| &pointer.earlier);
        let earlier = earlier.find(|earlier| earlier.sha1 == record.sha1);
        record.published_at = earlier.map(|earlier| earlier.published_at);
        return Ok(record);
    }
    let pack = &registry.pack().pack;
    let mut problem = Problem::new(
        Code::NotFound,
        format!("no release of pack \"{pack}\" in channel \"{channel}\" is for this client"),
    );
    let available = published.into_iter().map(|release| Available {
        sha1: release.sha1,
        formats: release.formats.clone(),
        minecraft: release.minecraft.clone(),
    });
    problem.available = available.collect();
    Err(problem.into())
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
