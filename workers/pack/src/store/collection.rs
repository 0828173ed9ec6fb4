//! What a collection of old blobs needs of R2: the list of them, and a lock that says which go.

use std::collections::HashSet;

use edge::{
    Failure, clock,
    r2::{self, Written},
};
use types::{PackName, Sha1, Timestamp};
use worker::Object;

use super::{
    Platform,
    blobs::{BLOBS, COLLECTION, Collection},
    uploads::uploads,
};
use crate::{stats, uploads::Found};

/// A collection that has not ended after this time was broken off, in seconds.
pub const LOCKED: i64 = 15 * 60;

/// Whether a collection may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    Taken,
    /// Another one runs.
    Held,
}

impl Platform {
    /// All blobs.
    pub async fn blobs(&self) -> Result<Vec<Object>, Failure> {
        self.list(BLOBS).await
    }

    /// Writes down what is about to be deleted, unless another collection runs.
    pub async fn begin_collection(
        &self,
        now: Timestamp,
        blobs: &HashSet<Sha1>,
    ) -> Result<Lock, Failure> {
        let held = r2::read_text(&self.bucket, COLLECTION).await?;
        if let Some(held) = &held
            && let Ok(other) = serde_json::from_str::<Collection>(&held.text)
            && (now - other.at).abs() < LOCKED
        {
            return Ok(Lock::Held);
        }
        let collection = Collection::new(now, blobs.clone());
        let text = serde_json::to_string(&collection)
            .map_err(|error| Failure::internal(error.to_string()))?;
        let etag = held.as_ref().map(|held| held.etag.as_str());
        Ok(
            match r2::swap_text(&self.bucket, COLLECTION, text, etag).await? {
                Written::Yes => Lock::Taken,
                Written::No => Lock::Held,
            },
        )
    }

    pub async fn end_collection(&self) -> Result<(), Failure> {
        Ok(self.bucket.delete(COLLECTION).await?)
    }

    /// What lies under a key in `incoming/<pack>/` at this moment.
    pub async fn found(&self, key: &str, pack: PackName) -> Result<Option<Found>, Failure> {
        let object = self.bucket.head(key).await?;
        Ok(object.map(|object| found(&object, key, pack)))
    }

    /// The uploads there are, at most `limit` of them: those that changed last.
    pub async fn upload_ids(&self, limit: usize) -> Result<Vec<uuid::Uuid>, Failure> {
        let mut records = self.list(&uploads()).await?;
        records.retain(|object| super::is_record(&object.key()));
        records.sort_by_cached_key(|object| std::cmp::Reverse(object.uploaded().as_millis()));
        let ids = records
            .iter()
            .filter_map(|object| super::upload_of(&object.key()));
        Ok(ids.take(limit).collect())
    }

    /// What was downloaded since then.
    pub async fn downloaded_since(&self, since: Timestamp) -> Result<HashSet<Sha1>, Failure> {
        stats::recently_downloaded(&self.env, since).await
    }
}

/// A listed object, if it is for a pack.
pub fn found_as(object: &Object, key: &str) -> Option<Found> {
    let pack = Found::pack_of(key)?;
    Some(found(object, key, pack))
}

fn found(object: &Object, key: &str, pack: PackName) -> Found {
    Found {
        pack,
        key: key.to_owned(),
        etag: object.etag(),
        size: object.size(),
        put_at: clock::stored_at(object),
    }
}
