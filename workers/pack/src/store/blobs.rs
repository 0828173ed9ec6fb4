//! Bytes in R2: staged, in parts, incoming, and under their hash.

use std::collections::HashSet;

use edge::{Failure, clock, concat, log, r2, stream};
use futures::future::join;
use serde::{Deserialize, Serialize};
use types::{PackName, Sha1, Timestamp, status::Version1};
use uuid::Uuid;
use worker::{
    Bucket, Conditional, HttpMetadata, Object, Range, ResponseBody, web_sys::ReadableStream,
};

use super::{INCOMING, Platform, broken, collection::LOCKED, failed, uploads::part_key};
use crate::ports::{Blobs, Place, StoreError, Stored};

/// Where the blobs lie.
pub const BLOBS: &str = "packs/";
/// Where a collection says what it deletes, while it does.
pub const COLLECTION: &str = "collection.json";

/// What a collection deletes: the value of [`COLLECTION`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    v: Version1,
    pub at: Timestamp,
    pub blobs: HashSet<Sha1>,
}

impl Collection {
    pub fn new(at: Timestamp, blobs: HashSet<Sha1>) -> Self {
        let v = Version1;
        Self { v, at, blobs }
    }
}

/// Where a blob lies.
pub fn blob_key(sha1: &Sha1) -> String {
    format!("{BLOBS}{sha1}.zip")
}

/// The blob that lies under a key.
pub fn blob_of(key: &str) -> Option<Sha1> {
    key.strip_prefix(BLOBS)?.strip_suffix(".zip")?.parse().ok()
}

/// Where staged bodies lie.
pub fn staging() -> String {
    format!("{INCOMING}_staging/")
}

/// Where a staged body lies.
pub fn staged_key(id: Uuid) -> String {
    format!("{}{id}", staging())
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

fn outcome(stored: r2::Stored, sha1: &Sha1) -> Stored {
    match stored {
        r2::Stored::Yes => Stored::Yes(*sha1),
        r2::Stored::Exists => Stored::Exists,
        r2::Stored::WrongHash => Stored::WrongHash,
        r2::Stored::CutOff => Stored::CutOff,
    }
}

fn length32(length: u64) -> Result<u32, StoreError> {
    u32::try_from(length).map_err(|_| StoreError("longer than 4 GiB".to_owned()))
}

/// One object and, if it may be replaced by others, the etag that it must have.
struct Source {
    key: String,
    etag: Option<String>,
}

impl Source {
    fn new(key: String) -> Self {
        Self { key, etag: None }
    }

    /// The object, with its body unless it is another one by now.
    async fn open(&self, bucket: &Bucket, range: Option<Range>) -> Result<Option<Object>, Failure> {
        let mut get = bucket.get(&self.key);
        if let Some(range) = range {
            get = get.range(range);
        }
        if let Some(etag) = &self.etag {
            get = get.only_if(Conditional {
                etag_matches: Some(etag.clone()),
                ..Conditional::default()
            });
        }
        Ok(get.execute().await?)
    }

    /// All of it as a native stream; `None` if it is gone.
    async fn stream(&self, bucket: &Bucket) -> Result<Option<ReadableStream>, Failure> {
        let object = self.open(bucket, None).await?;
        let Some(body) = object.as_ref().and_then(Object::body) else {
            return Ok(None);
        };
        match body.response_body()? {
            ResponseBody::Stream(stream) => Ok(Some(stream)),
            _ => Ok(None),
        }
    }
}

/// The objects that make up what lies in a place, in order.
fn sources(place: &Place) -> Vec<Source> {
    match place {
        Place::Blob(sha1) => vec![Source::new(blob_key(sha1))],
        Place::Staged(id) => vec![Source::new(staged_key(*id))],
        Place::Parts { upload, parts, .. } => (1..=*parts)
            .map(|part| Source::new(part_key(*upload, part)))
            .collect(),
        Place::Incoming { key, etag } => vec![Source {
            key: key.clone(),
            etag: Some(etag.clone()),
        }],
    }
}

/// The bodies of these objects, one after another, for [`concat`]. `gone` tells afterwards whether
/// one was not there.
fn bodies<'a>(
    bucket: &'a Bucket,
    sources: &'a [Source],
    gone: &'a mut bool,
) -> impl AsyncFnMut() -> Result<Option<ReadableStream>, Failure> + 'a {
    let mut left = sources.iter();
    async move || {
        let Some(source) = left.next() else {
            return Ok(None);
        };
        let stream = source.stream(bucket).await?;
        *gone = stream.is_none();
        let missing = || Failure::internal(format!("{} is gone", source.key));
        stream.ok_or_else(missing).map(Some)
    }
}

impl Blobs for Platform {
    type Body = ReadableStream;

    async fn put_blob(
        &self,
        sha1: &Sha1,
        pack: &PackName,
        body: ReadableStream,
    ) -> Result<Stored, StoreError> {
        let (key, metadata) = (blob_key(sha1), zip_metadata(sha1, pack));
        let stored = r2::create(&self.bucket, &key, body, metadata, Some(sha1)).await;
        Ok(outcome(stored.map_err(failed)?, sha1))
    }

    async fn stage(
        &self,
        name: Uuid,
        body: ReadableStream,
        length: u64,
        declared: Option<&Sha1>,
    ) -> Result<Stored, StoreError> {
        let key = staged_key(name);
        let metadata = HttpMetadata::default();
        if let Some(sha1) = declared {
            let stored = r2::create(&self.bucket, &key, body, metadata, Some(sha1)).await;
            return Ok(outcome(stored.map_err(failed)?, sha1));
        }
        let hashing = stream::hashing(body, length32(length)?).map_err(failed)?;
        let store = r2::create(&self.bucket, &key, hashing.readable.clone(), metadata, None);
        let (stored, sha1) = join(store, hashing.sha1()).await;
        match (stored, sha1) {
            (Ok(stored), Ok(sha1)) => Ok(outcome(stored, &sha1)),
            // The client went away: both ends of the pipe say so, each in its own words.
            (Ok(r2::Stored::CutOff), Err(_)) => Ok(Stored::CutOff),
            (Ok(_), Err(failure)) | (Err(failure), _) => Err(failed(failure)),
        }
    }

    async fn hash(&self, place: &Place) -> Result<Option<Sha1>, StoreError> {
        let (sources, mut gone) = (sources(place), false);
        let hashed = concat::sha1(bodies(&self.bucket, &sources, &mut gone)).await;
        match hashed {
            Ok(sha1) => Ok(Some(sha1)),
            Err(_) if gone => Ok(None),
            Err(failure) => Err(failed(failure)),
        }
    }

    async fn promote(
        &self,
        from: &Place,
        size: u64,
        sha1: &Sha1,
        pack: &PackName,
    ) -> Result<Stored, StoreError> {
        let sources = sources(from);
        if let [source] = sources.as_slice() {
            return match source.stream(&self.bucket).await.map_err(failed)? {
                Some(body) => self.put_blob(sha1, pack, body).await,
                None => Ok(Stored::CutOff),
            };
        }
        let mut gone = false;
        let joined = concat::concat(length32(size)?).map_err(failed)?;
        let put = self.put_blob(sha1, pack, joined.readable.clone());
        let fill = joined.fill(bodies(&self.bucket, &sources, &mut gone));
        let (stored, filled) = join(put, fill).await;
        match (stored, filled) {
            // When R2 needs no more of the body, the rest cannot be moved.
            (Ok(stored @ (Stored::Exists | Stored::WrongHash)), _) | (Ok(stored), Ok(())) => {
                Ok(stored)
            }
            _ if gone => Ok(Stored::CutOff),
            (_, Err(failure)) => Err(failed(failure)),
            (Err(error), Ok(())) => Err(error),
        }
    }

    async fn blob_size(&self, sha1: &Sha1) -> Result<Option<u64>, StoreError> {
        let object = self.bucket.head(blob_key(sha1)).await;
        Ok(object
            .map_err(|error| broken(&error))?
            .map(|object| object.size()))
    }

    async fn read(
        &self,
        place: &Place,
        offset: u64,
        length: u64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let sources = sources(place);
        let each = match place {
            Place::Parts { part_size, .. } => *part_size,
            _ => u64::MAX,
        };
        let mut bytes = Vec::new();
        let (mut offset, mut left) = (offset, length);
        while left > 0 {
            let index = usize::try_from(offset / each).unwrap_or(usize::MAX);
            let Some(source) = sources.get(index) else {
                break;
            };
            let range = Range::OffsetWithLength {
                offset: offset % each,
                length: left.min(each - offset % each),
            };
            let object = source.open(&self.bucket, Some(range)).await;
            let object = object.map_err(failed)?;
            let Some(body) = object.as_ref().and_then(Object::body) else {
                return Ok(None);
            };
            let more = body.bytes().await.map_err(|error| broken(&error))?;
            if more.is_empty() {
                break;
            }
            let read = u64::try_from(more.len()).unwrap_or(u64::MAX);
            offset = offset.saturating_add(read);
            left = left.saturating_sub(read);
            bytes.extend(more);
        }
        Ok(Some(bytes))
    }

    async fn discard(&self, place: &Place) -> Result<(), StoreError> {
        if let Place::Incoming { key, etag } = place {
            // Somebody may have put another one there; R2 has no conditional delete.
            let object = self.bucket.head(key).await;
            let object = object.map_err(|error| broken(&error))?;
            if object.is_none_or(|object| object.etag() != *etag) {
                return Ok(());
            }
        }
        let keys: Vec<String> = sources(place)
            .into_iter()
            .map(|source| source.key)
            .collect();
        self.delete(keys).await
    }

    async fn being_collected(&self) -> Result<HashSet<Sha1>, StoreError> {
        let marker = r2::read_text(&self.bucket, COLLECTION)
            .await
            .map_err(failed)?;
        let Some(marker) = marker else {
            return Ok(HashSet::new());
        };
        let Ok(collection) = serde_json::from_str::<Collection>(&marker.text) else {
            // No collection has written this; the next one writes over it.
            log::warn("collection", &format!("{COLLECTION} cannot be read"));
            return Ok(HashSet::new());
        };
        let broken_off = (clock::now() - collection.at).abs() >= LOCKED;
        Ok(if broken_off {
            HashSet::new()
        } else {
            collection.blobs
        })
    }
}
