//! What the domain needs of the outside.

use types::{PackName, Sha1};

use crate::registry::Registry;

/// The outside failed; what it said is for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError(pub String);

/// Where bytes lie.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// Under their hash, for ever.
    Blob(Sha1),
    /// Set aside under this name until they are verified.
    Staged(String),
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

/// R2 and KV as this worker uses them.
pub trait Store {
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
        name: &str,
        body: Self::Body,
        length: u64,
        declared: Option<&Sha1>,
    ) -> Result<Stored, StoreError>;

    /// Copies staged bytes under their hash, which is verified again. Never overwrites.
    async fn promote(&self, name: &str, sha1: &Sha1, pack: &PackName)
    -> Result<Stored, StoreError>;

    /// The size of what lies there, in bytes.
    async fn size(&self, place: &Place) -> Result<Option<u64>, StoreError>;

    /// `length` bytes from `offset`.
    async fn read(&self, place: &Place, offset: u64, length: u64) -> Result<Vec<u8>, StoreError>;

    async fn discard(&self, place: &Place) -> Result<(), StoreError>;

    async fn load(&self, pack: &PackName) -> Result<Option<Loaded>, StoreError>;

    /// Writes the registry if it still has this etag (`None`: if there still is none); tells
    /// whether it did.
    async fn save(&self, registry: &Registry, etag: Option<&str>) -> Result<bool, StoreError>;

    /// Writes what readers of a channel get.
    async fn announce(&self, record: &types::pack::Record) -> Result<(), StoreError>;

    /// Waits a little, longer the more attempts there were.
    async fn back_off(&self, attempt: u32);
}
