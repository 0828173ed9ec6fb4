//! The domain's ports over R2 and KV.
//!
//! R2 `PACKS`: `packs/<sha1>.zip` (immutable blobs), `registry/<pack>.json`, and
//! `incoming/_staging/<id>` (bodies whose hash is not known yet; a pack cannot be called
//! `_staging`). KV `PACK_KV`: `verify-hash` holds the record of the default pack's stable channel,
//! `verify-hash:<pack>:<channel>` the others'.

use std::time::Duration;

use edge::{
    Failure,
    kv::Entry,
    r2::{self, Written},
    stream,
};
use futures::future::join;
use types::{Channel, PackName, Sha1, pack::Record};
use worker::{Bucket, Delay, Env, HttpMetadata, Object, web_sys::ReadableStream};

use crate::{
    latest,
    ports::{Loaded, Place, Store, StoreError, Stored},
    registry::Registry,
};

const REGISTRIES: &str = "registry/";
const STAGING: &str = "incoming/_staging/";

/// R2 and KV of this deployment.
pub struct Platform {
    pub bucket: Bucket,
    env: Env,
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
            "verify-hash".to_owned()
        } else {
            format!("verify-hash:{pack}:{channel}")
        };
        Entry::new(&self.env, "PACK_KV", key)
    }

    /// The names of all packs, in order.
    pub async fn packs(&self) -> Result<Vec<PackName>, Failure> {
        let registries = self.list(REGISTRIES).await?;
        Ok(registries
            .iter()
            .filter_map(|object| pack_of(&object.key()))
            .collect())
    }

    /// What was staged, for the cron that collects what a crash left behind.
    pub async fn staged(&self) -> Result<Vec<Object>, Failure> {
        self.list(STAGING).await
    }

    /// Everything below a prefix, page by page.
    async fn list(&self, prefix: &str) -> Result<Vec<Object>, Failure> {
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

/// Where a blob lies.
pub fn blob_key(sha1: &Sha1) -> String {
    format!("packs/{sha1}.zip")
}

fn key(place: &Place) -> String {
    match place {
        Place::Blob(sha1) => blob_key(sha1),
        Place::Staged(name) => format!("{STAGING}{name}"),
    }
}

/// A zip, with the name that a browser saves it under.
fn zip_metadata(sha1: &Sha1, pack: &PackName) -> HttpMetadata {
    let hex = sha1.to_string();
    let short = hex.get(..8).unwrap_or_default();
    HttpMetadata {
        content_type: Some("application/zip".to_owned()),
        content_disposition: Some(format!("attachment; filename=\"{pack}-{short}.zip\"")),
        ..HttpMetadata::default()
    }
}

fn failed(failure: Failure) -> StoreError {
    StoreError(match failure {
        Failure::Internal(message) => message,
        Failure::Problem { problem, .. } => problem.detail,
    })
}

fn broken(error: &worker::Error) -> StoreError {
    StoreError(error.to_string())
}

fn outcome(stored: r2::Stored, sha1: &Sha1) -> Stored {
    match stored {
        r2::Stored::Yes => Stored::Yes(*sha1),
        r2::Stored::Exists => Stored::Exists,
        r2::Stored::WrongHash => Stored::WrongHash,
        r2::Stored::CutOff => Stored::CutOff,
    }
}

impl Store for Platform {
    type Body = ReadableStream;

    async fn put_blob(
        &self,
        sha1: &Sha1,
        pack: &PackName,
        body: ReadableStream,
    ) -> Result<Stored, StoreError> {
        let stored = r2::create(
            &self.bucket,
            &blob_key(sha1),
            body,
            zip_metadata(sha1, pack),
            Some(sha1),
        )
        .await;
        Ok(outcome(stored.map_err(failed)?, sha1))
    }

    async fn stage(
        &self,
        name: &str,
        body: ReadableStream,
        length: u64,
        declared: Option<&Sha1>,
    ) -> Result<Stored, StoreError> {
        let key = key(&Place::Staged(name.to_owned()));
        let metadata = HttpMetadata::default();
        if let Some(sha1) = declared {
            let stored = r2::create(&self.bucket, &key, body, metadata, Some(sha1)).await;
            return Ok(outcome(stored.map_err(failed)?, sha1));
        }
        let length =
            u32::try_from(length).map_err(|_| StoreError("longer than 4 GiB".to_owned()))?;
        let hashing = stream::hashing(body, length).map_err(failed)?;
        let store = r2::create(&self.bucket, &key, hashing.readable.clone(), metadata, None);
        let (stored, sha1) = join(store, hashing.sha1()).await;
        match (stored, sha1) {
            (Ok(stored), Ok(sha1)) => Ok(outcome(stored, &sha1)),
            // The client went away: both ends of the pipe say so, each in its own words.
            (Ok(r2::Stored::CutOff), Err(_)) => Ok(Stored::CutOff),
            (Ok(_), Err(failure)) | (Err(failure), _) => Err(failed(failure)),
        }
    }

    async fn promote(
        &self,
        name: &str,
        sha1: &Sha1,
        pack: &PackName,
    ) -> Result<Stored, StoreError> {
        let staged = self
            .bucket
            .get(key(&Place::Staged(name.to_owned())))
            .execute()
            .await;
        let staged = staged.map_err(|error| broken(&error))?;
        let body = staged
            .as_ref()
            .and_then(Object::body)
            .ok_or_else(|| StoreError(format!("{name} is gone")))?;
        let body = body.response_body().map_err(|error| broken(&error))?;
        let worker::ResponseBody::Stream(body) = body else {
            return Err(StoreError(format!("{name} has no stream")));
        };
        self.put_blob(sha1, pack, body).await
    }

    async fn size(&self, place: &Place) -> Result<Option<u64>, StoreError> {
        let object = self
            .bucket
            .head(key(place))
            .await
            .map_err(|error| broken(&error))?;
        Ok(object.map(|object| object.size()))
    }

    async fn read(&self, place: &Place, offset: u64, length: u64) -> Result<Vec<u8>, StoreError> {
        let bytes = r2::read_range(&self.bucket, &key(place), offset, length)
            .await
            .map_err(failed)?;
        bytes.ok_or_else(|| StoreError(format!("{} is gone", key(place))))
    }

    async fn discard(&self, place: &Place) -> Result<(), StoreError> {
        self.bucket
            .delete(key(place))
            .await
            .map_err(|error| broken(&error))
    }

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
        let written = r2::swap_text(&self.bucket, &key, text, etag)
            .await
            .map_err(failed)?;
        Ok(written == Written::Yes)
    }

    async fn announce(&self, record: &Record) -> Result<(), StoreError> {
        let entry = self
            .announced(&record.pack, &record.channel)
            .map_err(failed)?;
        let written = entry.write(record).await.map(drop).map_err(failed);
        latest::forget(&record.pack);
        written
    }

    async fn back_off(&self, attempt: u32) {
        Delay::from(Duration::from_millis(50 << attempt.min(5))).await;
    }
}
