//! Uploads in R2: `incoming/_uploads/<id>/upload.json` and `…/part-00001`.

use edge::r2::{self, Written};
use uuid::Uuid;
use worker::web_sys::ReadableStream;

use super::{INCOMING, Platform, back_off, broken, failed};
use crate::{
    ports::{StoreError, Uploads},
    uploads::{Part, Record},
};

/// Where uploads lie, each in a folder of its own.
pub fn uploads() -> String {
    format!("{INCOMING}_uploads/")
}

fn folder(id: Uuid) -> String {
    format!("{}{id}/", uploads())
}

fn record_key(id: Uuid) -> String {
    format!("{}upload.json", folder(id))
}

/// Where a part lies. The numbers are padded, so that a listing has them in order.
pub fn part_key(id: Uuid, part: u32) -> String {
    format!("{}part-{part:05}", folder(id))
}

/// The upload that an object belongs to.
pub fn upload_of(key: &str) -> Option<Uuid> {
    let (id, _) = key.strip_prefix(&uploads())?.split_once('/')?;
    id.parse().ok()
}

/// Whether an object is the record of an upload.
pub fn is_record(key: &str) -> bool {
    key.ends_with("/upload.json")
}

impl Uploads for Platform {
    type Part = ReadableStream;

    async fn load_upload(&self, id: Uuid) -> Result<Option<(Record, String)>, StoreError> {
        let key = record_key(id);
        let stored = r2::read_text(&self.bucket, &key).await.map_err(failed)?;
        let Some(stored) = stored else {
            return Ok(None);
        };
        let record = serde_json::from_str(&stored.text)
            .map_err(|error| StoreError(format!("{key}: {error}")))?;
        Ok(Some((record, stored.etag)))
    }

    async fn save_upload(&self, record: &Record, etag: Option<&str>) -> Result<bool, StoreError> {
        let text = serde_json::to_string(record).map_err(|error| StoreError(error.to_string()))?;
        let written = r2::swap_text(&self.bucket, &record_key(record.id), text, etag).await;
        Ok(written.map_err(failed)? == Written::Yes)
    }

    async fn put_part(
        &self,
        id: Uuid,
        part: u32,
        body: ReadableStream,
    ) -> Result<Option<Part>, StoreError> {
        let stored = r2::replace(&self.bucket, &part_key(id, part), body).await;
        let stored = stored.map_err(failed)?;
        Ok(stored.map(|object| Part {
            number: part,
            size: object.size(),
            etag: object.etag(),
        }))
    }

    async fn parts(&self, id: Uuid) -> Result<Vec<Part>, StoreError> {
        let prefix = format!("{}part-", folder(id));
        let objects = self.list(&prefix).await.map_err(failed)?;
        let parts = objects.iter().filter_map(|object| {
            let number = object.key().strip_prefix(&prefix)?.parse().ok()?;
            Some(Part {
                number,
                size: object.size(),
                etag: object.etag(),
            })
        });
        Ok(parts.collect())
    }

    async fn forget_part(&self, id: Uuid, part: u32) -> Result<(), StoreError> {
        self.delete(vec![part_key(id, part)]).await
    }

    async fn forget_upload(&self, id: Uuid) -> Result<(), StoreError> {
        let objects = self.list(&folder(id)).await.map_err(failed)?;
        // The record goes last: while it is there, the rest is found again.
        let mut keys: Vec<String> = objects.iter().map(worker::Object::key).collect();
        keys.sort_by_key(|key| is_record(key));
        self.delete(keys).await
    }

    async fn wait(&self, attempt: u32) {
        back_off(attempt).await;
    }
}

/// What R2 deletes in one call.
const AT_ONCE: usize = 1000;

impl Platform {
    /// Deletes these objects; those that are gone already count as deleted.
    pub async fn delete(&self, keys: Vec<String>) -> Result<(), StoreError> {
        for some in keys.chunks(AT_ONCE) {
            let deleted = self.bucket.delete_multiple(some.to_vec()).await;
            deleted.map_err(|error| broken(&error))?;
        }
        Ok(())
    }
}
