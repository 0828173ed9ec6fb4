//! Each port as one call of the store.

use std::{
    cell::Cell,
    collections::{BTreeMap, HashSet},
};

use types::{PackName, Sha1, Timestamp, pack::Record};
use uuid::Uuid;

use super::{Body, Memory, etag, part_key};
use crate::{
    ports::{Blobs, Loaded, Place, Registries, StoreError, Stored, Uploads},
    registry::{Numbered, Registry},
    uploads,
};

fn swap<K: Ord, V>(
    held: &mut BTreeMap<K, (V, u32)>,
    conflicts: &Cell<u32>,
    (key, value): (K, V),
    etag: Option<&str>,
) -> bool {
    let version = held.get(&key).map(|(_, version)| *version);
    if version.map(|version| version.to_string()).as_deref() != etag {
        conflicts.set(conflicts.get() + 1);
        return false;
    }
    held.insert(key, (value, version.unwrap_or(0) + 1));
    true
}

impl Registries for Memory {
    async fn load(&self, pack: &PackName) -> Result<Option<Loaded>, StoreError> {
        self.call("load", || {
            let registries = self.registries.borrow();
            registries.get(pack).map(|(registry, version)| Loaded {
                registry: registry.clone(),
                etag: version.to_string(),
            })
        })
        .await
    }

    async fn save(&self, registry: &Registry, etag: Option<&str>) -> Result<bool, StoreError> {
        self.call("save", || {
            let entry = (registry.pack().pack.clone(), registry.clone());
            let mut registries = self.registries.borrow_mut();
            swap(&mut registries, &self.conflicts, entry, etag)
        })
        .await
    }

    fn has_listener(&self) -> bool {
        self.listens.get()
    }

    async fn follow_up(&self, _: &Registry, changes: &[Numbered<'_>]) {
        let changes = changes
            .iter()
            .map(|(number, change)| (*number, (*change).clone()));
        self.followed.borrow_mut().extend(changes);
    }

    async fn announce(&self, record: &Record) -> Result<(), StoreError> {
        self.call("announce", || {
            let key = (record.pack.clone(), record.channel.clone());
            self.announced.borrow_mut().insert(key, record.clone());
        })
        .await
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.clock.get())
    }

    fn log_failure(&self, error: &StoreError) {
        self.failures.borrow_mut().push(error.0.clone());
    }

    async fn back_off(&self, _: u32) {
        self.waits.set(self.waits.get() + 1);
        self.step().await;
    }
}

impl Blobs for Memory {
    type Body = Body;

    async fn put_blob(&self, sha1: &Sha1, _: &PackName, body: Body) -> Result<Stored, StoreError> {
        self.call("put_blob", || match body {
            Body::Whole(bytes) => self.create_blob(sha1, bytes),
            Body::Cut => Stored::CutOff,
        })
        .await
    }

    async fn stage(
        &self,
        name: Uuid,
        body: Body,
        length: u64,
        declared: Option<&Sha1>,
    ) -> Result<Stored, StoreError> {
        self.call("stage", || match body {
            Body::Whole(bytes) if bytes.len() as u64 == length => {
                if declared.is_some_and(|declared| *declared != Sha1::of(&bytes)) {
                    return Stored::WrongHash;
                }
                self.create(&Place::Staged(name), bytes)
            }
            _ => Stored::CutOff,
        })
        .await
    }

    async fn hash(&self, place: &Place) -> Result<Option<Sha1>, StoreError> {
        self.call("hash", || self.bytes(place).map(|bytes| Sha1::of(&bytes)))
            .await
    }

    async fn promote(
        &self,
        from: &Place,
        size: u64,
        sha1: &Sha1,
        _: &PackName,
    ) -> Result<Stored, StoreError> {
        self.call("promote", || match self.bytes(from) {
            Some(bytes) if bytes.len() as u64 == size => self.create_blob(sha1, bytes),
            _ => Stored::CutOff,
        })
        .await
    }

    async fn blob_size(&self, sha1: &Sha1) -> Result<Option<u64>, StoreError> {
        let place = Place::Blob(*sha1);
        let size = || self.bytes(&place).map(|bytes| bytes.len() as u64);
        self.call("blob_size", size).await
    }

    async fn read(
        &self,
        place: &Place,
        offset: u64,
        length: u64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let start = usize::try_from(offset).unwrap();
        let length = usize::try_from(length).unwrap();
        self.call("read", || {
            let bytes = self.bytes(place)?;
            let bytes = bytes.iter().skip(start).take(length);
            Some(bytes.copied().collect())
        })
        .await
    }

    async fn discard(&self, place: &Place) -> Result<(), StoreError> {
        self.call("discard", || {
            // Only what is still the same.
            if !matches!(place, Place::Incoming { .. }) || self.bytes(place).is_some() {
                self.remove(place);
            }
        })
        .await
    }

    async fn being_collected(&self) -> Result<HashSet<Sha1>, StoreError> {
        let collecting = || self.collecting.borrow().clone();
        self.call("being_collected", collecting).await
    }
}

impl Uploads for Memory {
    type Part = Body;

    async fn load_upload(&self, id: Uuid) -> Result<Option<(uploads::Record, String)>, StoreError> {
        self.call("load_upload", || {
            let uploads = self.uploads.borrow();
            let (record, version) = uploads.get(&id)?;
            Some((record.clone(), version.to_string()))
        })
        .await
    }

    async fn save_upload(
        &self,
        record: &uploads::Record,
        etag: Option<&str>,
    ) -> Result<bool, StoreError> {
        self.call("save_upload", || {
            let mut uploads = self.uploads.borrow_mut();
            let entry = (record.id, record.clone());
            swap(&mut uploads, &self.conflicts, entry, etag)
        })
        .await
    }

    async fn put_part(
        &self,
        id: Uuid,
        part: u32,
        body: Body,
    ) -> Result<Option<uploads::Part>, StoreError> {
        self.call("put_part", || {
            let Body::Whole(bytes) = body else {
                return None;
            };
            let stored = uploads::Part {
                number: part,
                size: bytes.len() as u64,
                etag: etag(&bytes),
            };
            let key = part_key(id, part);
            self.objects.borrow_mut().insert(key, bytes);
            Some(stored)
        })
        .await
    }

    async fn parts(&self, id: Uuid) -> Result<Vec<uploads::Part>, StoreError> {
        self.call("parts", || {
            let prefix = format!("incoming/_uploads/{id}/part-");
            let objects = self.objects.borrow();
            let parts = objects.iter().filter_map(|(key, bytes)| {
                Some(uploads::Part {
                    number: key.strip_prefix(&prefix)?.parse().ok()?,
                    size: bytes.len() as u64,
                    etag: etag(bytes),
                })
            });
            parts.collect()
        })
        .await
    }

    async fn forget_part(&self, id: Uuid, part: u32) -> Result<(), StoreError> {
        self.call("forget_part", || {
            let key = format!("incoming/_uploads/{id}/part-{part:05}");
            self.objects.borrow_mut().remove(&key);
        })
        .await
    }

    async fn forget_upload(&self, id: Uuid) -> Result<(), StoreError> {
        self.call("forget_upload", || {
            let prefix = format!("incoming/_uploads/{id}/");
            let keep = |key: &String| !key.starts_with(&prefix);
            self.objects.borrow_mut().retain(|key, _| keep(key));
            self.uploads.borrow_mut().remove(&id);
        })
        .await
    }

    async fn wait(&self, _: u32) {
        self.waits.set(self.waits.get() + 1);
        self.step().await;
    }
}
