//! What the domain needs of the outside.

use std::collections::HashSet;

use types::{PackName, Sha1, Timestamp, pack::Record};
use uuid::Uuid;

use crate::{
    registry::{Numbered, Registry},
    uploads,
};

/// The outside failed; what it said is for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError(pub String);

/// Where bytes lie.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// Under their hash, for ever.
    Blob(Sha1),
    /// Set aside under this name until they are verified.
    Staged(Uuid),
    /// In this many parts of an upload, each of `part_size` bytes but the last.
    Parts {
        upload: Uuid,
        part_size: u64,
        parts: u32,
    },
    /// Where somebody has put them directly, as long as they have this etag.
    Incoming { key: String, etag: String },
}

/// How storing a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// All of it lies there now, and has this hash.
    Yes(Sha1),
    /// There was something already; nothing was written.
    Exists,
    /// The body has another hash than was declared; nothing was written.
    WrongHash,
    /// The body ended before its length; nothing was written.
    CutOff,
}

/// A registry and the version to change it by.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    pub registry: Registry,
    pub etag: String,
}

/// The registries, and what readers are told of them.
pub trait Registries {
    async fn load(&self, pack: &PackName) -> Result<Option<Loaded>, StoreError>;

    /// Writes the registry if it still has this etag (`None`: if there still is none); tells
    /// whether it did.
    async fn save(&self, registry: &Registry, etag: Option<&str>) -> Result<bool, StoreError>;

    /// Whether others are told of publications.
    fn has_listener(&self) -> bool;

    /// Logs changes that are saved, and sends for what follows from them. What cannot be sent is
    /// logged: the cron looks after it, and the registry says what it owes.
    async fn follow_up(&self, registry: &Registry, changes: &[Numbered<'_>]);

    /// Writes what readers of a channel get.
    async fn announce(&self, record: &Record) -> Result<(), StoreError>;

    /// The moment at which a change is made: a request may have begun long before.
    fn now(&self) -> Timestamp;

    /// Logs what failed without failing what was asked for.
    fn log_failure(&self, error: &StoreError);

    /// Waits a little, longer the more attempts there were.
    async fn back_off(&self, attempt: u32);
}

/// Bytes, under their hash or on the way there.
pub trait Blobs {
    /// A body that was not read yet.
    type Body;

    /// Stores a body under its declared hash, which is verified on the way in. Never overwrites.
    async fn put_blob(
        &self,
        sha1: &Sha1,
        pack: &PackName,
        body: Self::Body,
    ) -> Result<Stored, StoreError>;

    /// Sets a body of this length aside and hashes it, or verifies the declared hash.
    async fn stage(
        &self,
        name: Uuid,
        body: Self::Body,
        length: u64,
        declared: Option<&Sha1>,
    ) -> Result<Stored, StoreError>;

    /// The hash of what lies there, by reading it; `None` if it is gone, or no longer the same.
    async fn hash(&self, place: &Place) -> Result<Option<Sha1>, StoreError>;

    /// Copies bytes under their hash, which is verified on the way. Never overwrites.
    async fn promote(
        &self,
        from: &Place,
        size: u64,
        sha1: &Sha1,
        pack: &PackName,
    ) -> Result<Stored, StoreError>;

    /// The size of a blob, in bytes.
    async fn blob_size(&self, sha1: &Sha1) -> Result<Option<u64>, StoreError>;

    /// `length` bytes from `offset`; `None` if it is gone, or no longer the same.
    async fn read(
        &self,
        place: &Place,
        offset: u64,
        length: u64,
    ) -> Result<Option<Vec<u8>>, StoreError>;

    async fn discard(&self, place: &Place) -> Result<(), StoreError>;

    /// The blobs that a collection that runs at this moment is about to delete.
    async fn being_collected(&self) -> Result<HashSet<Sha1>, StoreError>;
}

/// The records of uploads, and their parts.
pub trait Uploads {
    /// A body that was not read yet.
    type Part;

    async fn load_upload(&self, id: Uuid) -> Result<Option<(uploads::Record, String)>, StoreError>;

    /// Writes the record if it still has this etag (`None`: if there still is none); tells whether
    /// it did.
    async fn save_upload(
        &self,
        record: &uploads::Record,
        etag: Option<&str>,
    ) -> Result<bool, StoreError>;

    /// Stores a part over what there may be; `None` if its body broke off, then nothing changed.
    async fn put_part(
        &self,
        id: Uuid,
        part: u32,
        body: Self::Part,
    ) -> Result<Option<uploads::Part>, StoreError>;

    /// The parts that have come, by their numbers.
    async fn parts(&self, id: Uuid) -> Result<Vec<uploads::Part>, StoreError>;

    /// Deletes one part.
    async fn forget_part(&self, id: Uuid, part: u32) -> Result<(), StoreError>;

    /// Deletes the record and all parts.
    async fn forget_upload(&self, id: Uuid) -> Result<(), StoreError>;

    /// Waits a little, longer the more attempts there were.
    async fn wait(&self, attempt: u32);
}
