//! What a channel points to, as readers get it: from this instance's memory, else from KV if the
//! registry's object in R2 says that this is what it has (`store::told`), and from the registry when
//! KV holds nothing or something else. When R2 fails or is slow, the value in KV answers.
//!
//! An instance keeps an answer for [`KEPT_MS`]. KV itself answers with what was true 30 to 60
//! seconds ago, so readers notice nothing, and what this instance publishes itself it drops at
//! once.
//!
//! Which release a client of some version can load is in `variant`; when it is not the current one,
//! the registry in R2 is read for the earlier ones.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use edge::{
    Failure, Route as _, clock,
    kv::Held,
    log, not_found,
    prepared::{Answers, Content},
    reply,
};
use futures::future::join;
use types::{
    Channel, Code, PackName, Problem,
    config::PackConfig,
    pack::{Available, Record},
};
use worker::{Context, Env, Request, Response, web_sys};

use crate::{
    WORKER, change,
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

/// How long R2 may take while there is a value of KV to answer with.
const R2_WAIT: Duration = Duration::from_secs(1);

/// How long KV may hold what was true before, in seconds: it shows a change after "60 seconds or
/// more". Until then it is not told again, by every instance that reads it.
const KV_LAG: i64 = 120;

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
    context: &Context,
    config: &PackConfig,
    asked: &Asked,
    format: Format,
) -> Result<Response, Failure> {
    let epoch = ANSWERS.with(Answers::epoch);
    let reader = Reader {
        platform: Platform::new(env)?,
        context,
        config,
        asked,
    };
    let text = reader.current().await?;
    let Rendered { content_type, body } = rendered(text, format)?;
    let tag = reply::tag_of(body.as_bytes());
    let made = Content {
        worker: WORKER,
        route: Route::Latest.name(),
        tag: &tag,
        media_type: content_type,
        body: body.as_bytes(),
    };
    let kept =
        ANSWERS.with(|answers| answers.keep(request.inner(), asked.pack.clone(), epoch, &made));
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

struct Reader<'a> {
    platform: Platform,
    context: &'a Context,
    config: &'a PackConfig,
    asked: &'a Asked,
}

impl Reader<'_> {
    /// What KV holds if the registry says the same, or does not say in time; else what that says.
    async fn current(&self) -> Result<String, Failure> {
        let Asked { pack, channel, .. } = self.asked;
        let told = clock::within(R2_WAIT, self.platform.told(pack, channel));
        let (held, told) = join(self.in_kv(), told).await;
        let Some((record, text)) = held else {
            return self.in_registry(|_| true).await;
        };
        // Without a registry something is lost that readers need not miss.
        let told = in_time("the registry's head", told).flatten();
        let suits = self.asked.suits(&record);
        let Some(told) = told.filter(|told| !told.is(&record, &text)) else {
            return if suits {
                Ok(text)
            } else {
                self.in_registry(|_| false).await
            };
        };
        let lags = clock::now() - told.since < KV_LAG;
        let says = self.in_registry(|current| !lags && *current != text);
        match clock::within(R2_WAIT, says).await {
            Some(Err(Failure::Problem { problem, headers })) => {
                Err(Failure::Problem { problem, headers })
            }
            Some(Err(failure)) if !suits => Err(failure),
            None if !suits => self.in_registry(|_| false).await,
            says => Ok(in_time("the registry", says).unwrap_or(text)),
        }
    }

    /// What KV holds, if it is whole and of this deployment: the address of the bytes must be one
    /// that is served today.
    async fn in_kv(&self) -> Option<(Record, String)> {
        let held = match self
            .platform
            .announced(&self.asked.pack, &self.asked.channel)
        {
            Ok(entry) => entry.read().await,
            Err(failure) => Err(failure),
        };
        match held {
            Ok(Held::Value { value, text }) => {
                let served = download_url(&self.config.public_url, &value.sha1);
                (self.asked.is_about(&value) && value.url == served).then_some((value, text))
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

    /// What the registry says; if KV should be told, given what is current, it is.
    async fn in_registry(&self, heals: impl FnOnce(&str) -> bool) -> Result<String, Failure> {
        let Asked { pack, channel, .. } = self.asked;
        let loaded = self
            .platform
            .load(pack)
            .await
            .map_err(|error| Failure::internal(error.0))?;
        let nothing = || {
            not_found(&format!(
                "published release of pack \"{pack}\" in channel \"{channel}\""
            ))
        };
        let registry = loaded.ok_or_else(nothing)?.registry;
        let record = registry
            .current(channel, &self.config.public_url)
            .ok_or_else(nothing)?;
        let text = text_of(&record)?;
        if heals(&text) {
            self.heal(&record);
        }
        match self.asked.client {
            Some(client) if !self.asked.suits(&record) => {
                text_of(&earlier(&registry, self.config, channel, client)?)
            }
            _ => Ok(text),
        }
    }

    /// Has written to KV what it should hold, after the answer: what the registry says by then.
    fn heal(&self, record: &Record) {
        let now = clock::millis();
        if now - HEALED_AT.swap(now, Ordering::Relaxed) < HEAL_EVERY_MS {
            return;
        }
        let (env, record) = (self.platform.env.clone(), record.clone());
        let public_url = self.config.public_url.clone();
        self.context.wait_until(async move {
            match Platform::new(&env) {
                // That it fails is logged, and no reason not to answer.
                Ok(platform) => drop(change::announce(&platform, record, &public_url).await),
                Err(failure) => log::warn("kv", &failure.into_message()),
            }
        });
    }
}

/// What came in time; the log says why nothing did.
fn in_time<T>(what: &str, came: Option<Result<T, Failure>>) -> Option<T> {
    let why = match came {
        Some(Ok(value)) => return Some(value),
        Some(Err(failure)) => failure.into_message(),
        None => format!("nothing within {} s", R2_WAIT.as_secs()),
    };
    log::warn("latest", &format!("{what}: {why}; KV answers"));
    None
}

fn text_of(record: &Record) -> Result<String, Failure> {
    serde_json::to_string(record).map_err(|error| Failure::internal(error.to_string()))
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
