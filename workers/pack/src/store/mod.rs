//! The domain's ports over R2 and KV.
//!
//! R2 `PACKS`: `packs/<sha1>.zip` (immutable blobs), `registry/<pack>.json`,
//! `incoming/_staging/<id>` (bodies whose hash is not known yet), `incoming/_uploads/<id>/` (the
//! record and the parts of an upload), `incoming/<pack>/…zip` (put there by others; a pack cannot
//! be called `_staging`), `collection.json` (what is being deleted) and `sweep.json` (what the last run
//! of the cron saw). KV `PACK_KV`: `verify-hash`
//! holds the record of the default pack's stable channel, `verify-hash:<pack>:<channel>` the others'.

mod blobs;
mod collection;
mod report;
mod told;
mod uploads;

use std::time::Duration;

use edge::{
    Failure, clock,
    kv::Entry,
    log,
    r2::{self, Written},
};
use types::{Channel, PackName, Timestamp, pack::Record};
use worker::{Bucket, Delay, Env, Object};

use crate::{
    jobs, latest,
    ports::{Loaded, Registries, StoreError},
    registry::{Numbered, Registry},
};

pub use blobs::{blob_key, blob_of, staged_key, staging};
pub use collection::{Lock, found_as};
pub use uploads::{is_record, upload_of};

const REGISTRIES: &str = "registry/";
/// The namespace, and the first key of it.
const KV: &str = "PACK_KV";
const ANNOUNCED: &str = "verify-hash";
/// Where everything lies that is not verified yet, and what others put there directly.
pub const INCOMING: &str = "incoming/";

/// Whether this worker itself writes under a key: R2 tells of that as well.
pub fn is_own(key: &str) -> bool {
    let incoming = key.strip_prefix(INCOMING);
    incoming.is_some_and(|key| key.starts_with('_'))
        || key.starts_with(blobs::BLOBS)
        || key.starts_with(REGISTRIES)
        || key == blobs::COLLECTION
        || key == report::REPORT
}

/// R2 and KV of this deployment.
pub struct Platform {
    pub bucket: Bucket,
    pub env: Env,
}

impl Platform {
    pub fn new(env: &Env) -> Result<Self, Failure> {
        Ok(Self {
            bucket: env.bucket("PACKS")?,
            env: env.clone(),
        })
    }

    /// What readers of a channel get.
    pub fn announced(&self, pack: &PackName, channel: &Channel) -> Result<Entry<Record>, Failure> {
        let key = if *pack == PackName::main() && *channel == Channel::stable() {
            ANNOUNCED.to_owned()
        } else {
            format!("{ANNOUNCED}:{pack}:{channel}")
        };
        Entry::new(&self.env, KV, key)
    }

    /// The channels that KV holds something of.
    pub async fn announced_channels(&self) -> Result<Vec<(PackName, Channel)>, Failure> {
        let keys = edge::kv::keys(&self.env, KV, ANNOUNCED).await?;
        let channels = keys.iter().filter_map(|key| {
            if key == ANNOUNCED {
                return Some((PackName::main(), Channel::stable()));
            }
            let (pack, channel) = key
                .strip_prefix(ANNOUNCED)?
                .strip_prefix(':')?
                .split_once(':')?;
            let channel = (pack.parse().ok()?, channel.parse().ok()?);
            // That one has a key of its own; under this name nobody looks for it.
            (channel != (PackName::main(), Channel::stable())).then_some(channel)
        });
        Ok(channels.collect())
    }

    /// Takes away what readers of a channel get from KV.
    pub async fn retract(&self, pack: &PackName, channel: &Channel) -> Result<(), Failure> {
        let deleted = self.announced(pack, channel)?.delete().await;
        latest::forget(pack);
        deleted
    }

    /// All registries. One that cannot be read is an error: what it names is not known.
    pub async fn registries(&self) -> Result<Vec<Registry>, Failure> {
        let mut registries = Vec::new();
        for pack in self.packs().await? {
            let loaded = self.load(&pack).await;
            let loaded = loaded.map_err(|error| Failure::internal(error.0))?;
            registries.extend(loaded.map(|loaded| loaded.registry));
        }
        Ok(registries)
    }

    /// The names of all packs, in order.
    pub async fn packs(&self) -> Result<Vec<PackName>, Failure> {
        let registries = self.list(REGISTRIES).await?;
        Ok(registries
            .iter()
            .filter_map(|object| pack_of(&object.key()))
            .collect())
    }

    /// Everything below a prefix, page by page.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Object>, Failure> {
        let mut objects = Vec::new();
        let mut cursor = None;
        loop {
            let mut list = self.bucket.list().prefix(prefix);
            if let Some(cursor) = cursor {
                list = list.cursor(cursor);
            }
            let page = list.execute().await?;
            objects.extend(page.objects());
            cursor = page.cursor().filter(|_| page.truncated());
            if cursor.is_none() {
                return Ok(objects);
            }
        }
    }

    /// The stored registry of a pack as text, for readers.
    pub async fn registry_text(&self, pack: &PackName) -> Result<Option<r2::Versioned>, Failure> {
        r2::read_text(&self.bucket, &registry_key(pack)).await
    }
}

fn registry_key(pack: &PackName) -> String {
    format!("{REGISTRIES}{pack}.json")
}

fn pack_of(key: &str) -> Option<PackName> {
    key.strip_prefix(REGISTRIES)?
        .strip_suffix(".json")?
        .parse()
        .ok()
}

fn failed(failure: Failure) -> StoreError {
    StoreError(failure.into_message())
}

fn broken(error: &worker::Error) -> StoreError {
    StoreError(error.to_string())
}

impl Registries for Platform {
    async fn load(&self, pack: &PackName) -> Result<Option<Loaded>, StoreError> {
        let Some(stored) = self.registry_text(pack).await.map_err(failed)? else {
            return Ok(None);
        };
        let registry = serde_json::from_str(&stored.text)
            .map_err(|error| StoreError(format!("{}: {error}", registry_key(pack))))?;
        Ok(Some(Loaded {
            registry,
            etag: stored.etag,
        }))
    }

    async fn save(&self, registry: &Registry, etag: Option<&str>) -> Result<bool, StoreError> {
        let text =
            serde_json::to_string(registry).map_err(|error| StoreError(error.to_string()))?;
        let key = registry_key(&registry.pack().pack);
        let told = told::metadata(registry);
        let written = r2::swap_text_with(&self.bucket, &key, text, etag, told)
            .await
            .map_err(failed)?;
        Ok(written == Written::Yes)
    }

    fn has_listener(&self) -> bool {
        let config = crate::CONFIG.get(&self.env);
        config.is_ok_and(|config| config.webhook_url.is_some())
    }

    async fn follow_up(&self, registry: &Registry, changes: &[Numbered<'_>]) {
        jobs::follow_up(&self.env, registry, changes).await;
    }

    async fn announce(&self, record: &Record) -> Result<(), StoreError> {
        let entry = self
            .announced(&record.pack, &record.channel)
            .map_err(failed)?;
        let written = entry.write(record).await.map(drop).map_err(failed);
        latest::forget(&record.pack);
        written
    }

    fn now(&self) -> Timestamp {
        clock::now()
    }

    fn log_failure(&self, error: &StoreError) {
        log::error("readers", &error.0);
    }

    async fn back_off(&self, attempt: u32) {
        back_off(attempt).await;
    }
}

/// Half of 50 ms to all of it, doubled with each attempt up to 1.6 s: those that met at one attempt
/// do not meet again at the next.
async fn back_off(attempt: u32) {
    let longest = 50 << attempt.min(5);
    let [share] = edge::random_bytes().unwrap_or([u8::MAX]);
    let wait = longest / 2 + longest / 2 * u64::from(share) / u64::from(u8::MAX);
    Delay::from(Duration::from_millis(wait)).await;
}
