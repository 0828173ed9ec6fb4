//! An upload, from a body to a published release.
//!
//! The order keeps the promises: bytes are stored under their hash and verified by R2 before they
//! are looked at, found to be a pack before they are registered, registered before a channel
//! points to them, and only then announced to readers. Wherever it stops, nothing points to
//! something that is not there, and sending the same again goes on from there.

use types::{
    Channel, PackName, Sha1,
    config::PublicUrl,
    pack::{Record, Uploaded},
};
use uuid::Uuid;

use crate::{
    archive::{self, Inspection, Refusal, Step, Window},
    ports::{Loaded, Place, Store, StoreError, Stored},
    registry::{Author, Previous, Registry, Verified},
};

/// Attempts at a compare-and-swap, or at an announcement that somebody overtakes.
const ATTEMPTS: u32 = 8;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Upload {
    pub pack: PackName,
    pub channel: Channel,
    pub publish: bool,
    pub declared: Option<Sha1>,
    /// Bytes, from the headers.
    pub length: u64,
    pub author: Author,
    /// Random: the name while the bytes are staged, and the pack's uuid should it be new.
    pub id: Uuid,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    pub uploaded: Uploaded,
    /// Whether these bytes were not a release of this pack before.
    pub new: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum IngestError {
    Refused(Refusal),
    WrongHash {
        declared: Sha1,
    },
    CutOff,
    /// Others changed the same registry at every attempt.
    Busy,
    /// It is published, but readers were not told.
    NotAnnounced(StoreError),
    Store(StoreError),
}

impl From<StoreError> for IngestError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Takes an upload in.
pub async fn upload<S: Store>(
    store: &S,
    upload: &Upload,
    body: Option<S::Body>,
    public_url: &PublicUrl,
) -> Result<Accepted, IngestError> {
    let body = body
        .filter(|_| upload.length > 0)
        .ok_or(IngestError::Refused(Refusal::Empty))?;
    let verified = match &upload.declared {
        Some(sha1) => take_declared(store, upload, sha1, body).await?,
        None => take_unknown(store, upload, body).await?,
    };
    let registered = register(store, upload, &verified).await?;
    let shown = registered
        .registry
        .record(&upload.channel, &verified.sha1, public_url);
    let Some(record) = shown else {
        return Err(IngestError::Store(StoreError(
            "a registered release is not in its registry".to_owned(),
        )));
    };
    let published = record.published_at.is_some();
    if upload.publish {
        announce(store, &record, public_url).await?;
    }
    Ok(Accepted {
        uploaded: Uploaded {
            record,
            published,
            previous: registered.previous.0,
            warnings: verified.inspection.warnings,
        },
        new: registered.new,
    })
}

/// With a declared hash the body goes straight to its final place, verified by R2 on the way in;
/// when the same bytes lie there already, beside it.
async fn take_declared<S: Store>(
    store: &S,
    upload: &Upload,
    sha1: &Sha1,
    body: S::Body,
) -> Result<Verified, IngestError> {
    let place = Place::Blob(*sha1);
    let there = store.size(&place).await?;
    let stored = if there.is_some() {
        let name = upload.id.to_string();
        let stored = store.stage(&name, body, upload.length, Some(sha1)).await?;
        discard_staged(store, name).await?;
        stored
    } else {
        store.put_blob(sha1, &upload.pack, body).await?
    };
    match stored {
        Stored::WrongHash => return Err(IngestError::WrongHash { declared: *sha1 }),
        Stored::CutOff => return Err(IngestError::CutOff),
        Stored::Yes(_) | Stored::Exists => {}
    }
    let size = there.unwrap_or(upload.length);
    match look(store, &place, size).await? {
        Ok(inspection) => Ok(Verified {
            sha1: *sha1,
            size,
            inspection,
        }),
        Err(refusal) => {
            if there.is_none() {
                // Nothing can point to it: these bytes are refused whoever sends them.
                store.discard(&place).await?;
            }
            Err(IngestError::Refused(refusal))
        }
    }
}

/// Without one it is set aside and hashed in the same pass, then copied under its hash.
async fn take_unknown<S: Store>(
    store: &S,
    upload: &Upload,
    body: S::Body,
) -> Result<Verified, IngestError> {
    let name = upload.id.to_string();
    let result = take_staged(store, upload, &name, body).await;
    // Also when it failed; what is left behind after a crash, the cron collects.
    discard_staged(store, name).await?;
    result
}

async fn take_staged<S: Store>(
    store: &S,
    upload: &Upload,
    name: &str,
    body: S::Body,
) -> Result<Verified, IngestError> {
    let sha1 = match store.stage(name, body, upload.length, None).await? {
        Stored::Yes(sha1) => sha1,
        Stored::CutOff => return Err(IngestError::CutOff),
        Stored::Exists | Stored::WrongHash => {
            return Err(IngestError::Store(StoreError(format!(
                "could not stage {name}"
            ))));
        }
    };
    let staged = Place::Staged(name.to_owned());
    let inspection = look(store, &staged, upload.length)
        .await?
        .map_err(IngestError::Refused)?;
    if store.size(&Place::Blob(sha1)).await?.is_none() {
        match store.promote(name, &sha1, &upload.pack).await? {
            Stored::Yes(_) | Stored::Exists => {}
            Stored::WrongHash | Stored::CutOff => {
                return Err(IngestError::Store(StoreError(format!(
                    "{name} changed while it was copied"
                ))));
            }
        }
    }
    Ok(Verified {
        sha1,
        size: upload.length,
        inspection,
    })
}

async fn discard_staged<S: Store>(store: &S, name: String) -> Result<(), StoreError> {
    store.discard(&Place::Staged(name)).await
}

/// Looks at stored bytes by ranges.
async fn look<S: Store>(
    store: &S,
    place: &Place,
    size: u64,
) -> Result<Result<Inspection, Refusal>, StoreError> {
    let mut window = Window::new(size);
    loop {
        match archive::inspect(&window) {
            Step::Done(outcome) => return Ok(outcome),
            Step::Need { offset, length } => {
                let bytes = store.read(place, offset, length).await?;
                if bytes.is_empty() {
                    return Err(StoreError(format!(
                        "{place:?} is shorter than {size} bytes"
                    )));
                }
                window.add(offset, bytes);
            }
        }
    }
}

struct Registered {
    registry: Registry,
    new: bool,
    previous: Previous,
}

/// Registers the release, and publishes it if asked, in one compare-and-swap.
async fn register<S: Store>(
    store: &S,
    upload: &Upload,
    verified: &Verified,
) -> Result<Registered, IngestError> {
    for attempt in 0..ATTEMPTS {
        let loaded = store.load(&upload.pack).await?;
        let (mut registry, etag) = match loaded {
            Some(Loaded { registry, etag }) => (registry, Some(etag)),
            None => (Registry::new(upload.pack.clone(), upload.id), None),
        };
        let unchanged = registry.clone();
        let new = registry.add(verified, &upload.author);
        let before = registry
            .pack()
            .channels
            .get(&upload.channel)
            .map(|pointer| pointer.sha1);
        let previous = if upload.publish {
            let published = registry.publish(&upload.channel, &verified.sha1, &upload.author);
            published.map_err(|_| StoreError("a release vanished from its registry".to_owned()))?
        } else {
            Previous(before)
        };
        if registry == unchanged || store.save(&registry, etag.as_deref()).await? {
            return Ok(Registered {
                registry,
                new,
                previous,
            });
        }
        store.back_off(attempt).await;
    }
    Err(IngestError::Busy)
}

/// Tells readers, and makes sure that what they are told in the end is what the registry says: of
/// two that announce at once, the one that wrote last may have registered first.
async fn announce<S: Store>(
    store: &S,
    record: &Record,
    public_url: &PublicUrl,
) -> Result<(), IngestError> {
    let mut record = record.clone();
    for _ in 0..ATTEMPTS {
        store
            .announce(&record)
            .await
            .map_err(IngestError::NotAnnounced)?;
        let loaded = store.load(&record.pack).await?;
        match loaded.and_then(|loaded| loaded.registry.current(&record.channel, public_url)) {
            Some(current) if current != record => record = current,
            _ => return Ok(()),
        }
    }
    Err(IngestError::Busy)
}

#[cfg(test)]
#[path = "ingest_tests.rs"]
mod tests;
