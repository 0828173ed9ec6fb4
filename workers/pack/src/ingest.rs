//! An upload, from a body to a published release.
//!
//! The order keeps the promises: bytes are stored under their hash and verified by R2 before they
//! are looked at, found to be a pack before they are registered, registered before a channel
//! points to them, and only then announced to readers. Wherever it stops, nothing points to
//! something that is not there, and sending the same again goes on from there.

mod register;

use std::convert::Infallible;

use types::{
    Channel, PackName, Sha1, Timestamp,
    config::PublicUrl,
    pack::{Uploaded, Warning},
};
use uuid::Uuid;

use crate::{
    archive::{self, Inspection, MAX_PACK, Refusal, Step, Window},
    change::{ChangeError, ReadersLater},
    ports::{Blobs, Place, Registries, StoreError, Stored},
    registry::Verified,
};
use register::finish;

/// Whether a release is published as soon as it is registered.
#[derive(Debug, Clone, PartialEq)]
pub enum Publish {
    /// Not at all; the channel is the one that the answer is about.
    No(Channel),
    Now(Channel),
    /// As of the time at which it was asked for, unless the channel was pointed elsewhere since: a
    /// verification may come late, and be repeated.
    AsOf(Channel, Timestamp),
    /// To the channel that the pack's settings name, unless something newer than what was put at
    /// this time is published there.
    Incoming(Timestamp),
}

/// Where an upload goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    pub pack: PackName,
    pub publish: Publish,
    /// The name of who sends it. When is when it is registered: a body may take minutes.
    pub by: String,
    /// Random: the name while the bytes are staged, and the pack's uuid should it be new.
    pub id: Uuid,
}

/// A body that comes in one piece.
#[derive(Debug, Clone, PartialEq)]
pub struct Upload {
    pub target: Target,
    pub declared: Option<Sha1>,
    /// Bytes, from the headers.
    pub length: u64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    pub uploaded: Uploaded,
    /// Whether these bytes were not a release of this pack before.
    pub new: bool,
    pub readers: Result<(), ReadersLater>,
}

impl Accepted {
    fn with_warning(mut self) -> Self {
        let warning = self.readers.err().map(Warning::from);
        self.uploaded.warnings.extend(warning);
        self
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum IngestError {
    Refused(Refusal),
    WrongHash {
        declared: Sha1,
    },
    CutOff,
    /// More bytes than the game downloads.
    TooLarge(u64),
    /// What was to be taken in is gone, or was replaced meanwhile.
    Gone,
    /// Others changed the same registry at every attempt.
    Busy,
    /// It is published, but readers were not told. To be done again, which publishes nothing twice.
    ReadersLater,
    Store(StoreError),
}

impl IngestError {
    /// Why these bytes are refused, whenever they come again; `None` for what time may mend.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Refused(refusal) => Some(refusal.to_string()),
            Self::WrongHash { declared } => Some(format!(
                "what arrived does not have the declared SHA-1 {declared}; nothing was stored"
            )),
            Self::TooLarge(size) => Some(format!(
                "the pack has {size} bytes; the game downloads {MAX_PACK} at most"
            )),
            _ => None,
        }
    }
}

impl From<StoreError> for IngestError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<ChangeError<Infallible>> for IngestError {
    fn from(error: ChangeError<Infallible>) -> Self {
        match error {
            ChangeError::Busy => Self::Busy,
            ChangeError::Store(error) => Self::Store(error),
            ChangeError::NoSuchPack => {
                Self::Store(StoreError("a new pack was not made".to_owned()))
            }
            ChangeError::Refused(never) => match never {},
        }
    }
}

/// Takes in a body. That readers are told later is a warning: whoever sent it has nothing to repeat.
pub async fn upload<S: Registries + Blobs>(
    store: &S,
    upload: &Upload,
    body: Option<S::Body>,
    public_url: &PublicUrl,
) -> Result<Accepted, IngestError> {
    let body = body
        .filter(|_| upload.length > 0)
        .ok_or(IngestError::Refused(Refusal::Empty))?;
    let target = &upload.target;
    let staged = Place::Staged(target.id);
    if let Some(sha1) = &upload.declared
        && store.blob_size(sha1).await?.is_none()
    {
        let verified = take_declared(store, upload, sha1, body).await?;
        let accepted = finish(store, target, &verified, None, public_url).await;
        return accepted.map(Accepted::with_warning);
    }
    let taken = async {
        let verified = take_aside(store, upload, &staged, body).await?;
        finish(store, target, &verified, Some(&staged), public_url).await
    };
    let result = taken.await;
    // Also when it failed; what is left behind after a crash, the cron collects.
    let discarded = store.discard(&staged).await;
    let accepted = result?;
    discarded?;
    Ok(accepted.with_warning())
}

/// Takes in bytes that are stored already, in parts or by somebody else. They stay where they are.
/// Until readers were told it is to be done again.
pub async fn take<S: Registries + Blobs>(
    store: &S,
    target: &Target,
    from: &Place,
    size: u64,
    declared: Option<&Sha1>,
    public_url: &PublicUrl,
) -> Result<Accepted, IngestError> {
    if size == 0 {
        return Err(IngestError::Refused(Refusal::Empty));
    }
    let inspection = look(store, from, size).await?;
    let sha1 = match declared {
        // R2 verifies it while it copies.
        Some(declared) if promote(store, target, from, size, declared, true).await? => *declared,
        _ => store.hash(from).await?.ok_or(IngestError::Gone)?,
    };
    if let Some(declared) = declared
        && sha1 != *declared
    {
        return Err(IngestError::WrongHash {
            declared: *declared,
        });
    }
    promote(store, target, from, size, &sha1, false).await?;
    let inspection = match from {
        Place::Parts { .. } => look_again(store, &sha1, size).await?,
        _ => inspection,
    };
    let verified = Verified {
        sha1,
        size,
        inspection,
    };
    let accepted = finish(store, target, &verified, Some(from), public_url).await?;
    match accepted.readers {
        Ok(()) => Ok(accepted),
        Err(ReadersLater) => Err(IngestError::ReadersLater),
    }
}

/// With a declared hash the body goes straight to its final place, verified by R2 on the way in.
async fn take_declared<S: Blobs>(
    store: &S,
    upload: &Upload,
    sha1: &Sha1,
    body: S::Body,
) -> Result<Verified, IngestError> {
    let stored = store.put_blob(sha1, &upload.target.pack, body).await?;
    match stored {
        Stored::WrongHash => return Err(IngestError::WrongHash { declared: *sha1 }),
        Stored::CutOff => return Err(IngestError::CutOff),
        Stored::Yes(_) => {}
        // Somebody else has stored it at this moment, so nothing has verified this body: that it
        // is as long has to do. What it is said to be is there.
        Stored::Exists => match store.blob_size(sha1).await? {
            Some(size) if size == upload.length => {}
            Some(_) => return Err(IngestError::WrongHash { declared: *sha1 }),
            None => return Err(IngestError::Busy),
        },
    }
    let place = Place::Blob(*sha1);
    let looked = look(store, &place, upload.length).await;
    if matches!(
        (&looked, stored),
        (Err(IngestError::Refused(_)), Stored::Yes(_))
    ) {
        // Nothing can point to it: these bytes are refused whoever sends them.
        store.discard(&place).await?;
    }
    Ok(Verified {
        sha1: *sha1,
        size: upload.length,
        inspection: looked?,
    })
}

/// Otherwise it is set aside, hashed in the same pass or, when these bytes lie there already,
/// verified; then copied under its hash.
async fn take_aside<S: Blobs>(
    store: &S,
    upload: &Upload,
    staged: &Place,
    body: S::Body,
) -> Result<Verified, IngestError> {
    let declared = upload.declared.as_ref();
    let (id, size) = (upload.target.id, upload.length);
    let sha1 = match (store.stage(id, body, size, declared).await?, declared) {
        (Stored::Yes(sha1), _) => sha1,
        (Stored::CutOff, _) => return Err(IngestError::CutOff),
        (Stored::WrongHash, Some(declared)) => {
            return Err(IngestError::WrongHash {
                declared: *declared,
            });
        }
        (Stored::Exists | Stored::WrongHash, _) => {
            return Err(IngestError::Store(StoreError(format!(
                "could not stage {id}"
            ))));
        }
    };
    let inspection = look(store, staged, size).await?;
    promote(store, &upload.target, staged, size, &sha1, false).await?;
    Ok(Verified {
        sha1,
        size,
        inspection,
    })
}

/// Copies bytes under their hash, unless something lies there; tells whether they were copied, and
/// so verified. `declared`: the hash is what a client said, not what was computed.
async fn promote<S: Blobs>(
    store: &S,
    target: &Target,
    from: &Place,
    size: u64,
    sha1: &Sha1,
    declared: bool,
) -> Result<bool, IngestError> {
    if store.blob_size(sha1).await?.is_some() {
        return Ok(false);
    }
    match store.promote(from, size, sha1, &target.pack).await? {
        Stored::Yes(_) => Ok(true),
        Stored::Exists => Ok(false),
        Stored::WrongHash if declared => Err(IngestError::WrongHash { declared: *sha1 }),
        Stored::WrongHash | Stored::CutOff => Err(IngestError::Gone),
    }
}

/// Looks at stored bytes by ranges.
async fn look<S: Blobs>(store: &S, place: &Place, size: u64) -> Result<Inspection, IngestError> {
    let mut window = Window::new(size);
    loop {
        match archive::inspect(&window) {
            Step::Done(outcome) => return outcome.map_err(IngestError::Refused),
            Step::Need { offset, length } => {
                let bytes = store.read(place, offset, length).await?;
                let bytes = bytes.ok_or(IngestError::Gone)?;
                if bytes.is_empty() {
                    let short = format!("what is stored is shorter than {size} bytes");
                    return Err(IngestError::Store(StoreError(short)));
                }
                window.add(offset, bytes);
            }
        }
    }
}

/// Looks at what was copied from parts: they can be replaced until the last moment.
async fn look_again<S: Blobs>(
    store: &S,
    sha1: &Sha1,
    size: u64,
) -> Result<Inspection, IngestError> {
    let looked = look(store, &Place::Blob(*sha1), size).await;
    looked.map_err(|error| match error {
        IngestError::Refused(_) => IngestError::Gone,
        // It was there for long, and a collection has deleted it at this moment.
        IngestError::Gone => IngestError::Busy,
        other => other,
    })
}

#[cfg(test)]
#[path = "ingest_tests.rs"]
pub mod tests;

#[cfg(test)]
#[path = "ingest_take_tests.rs"]
mod take_tests;

#[cfg(test)]
#[path = "ingest_collection_tests.rs"]
mod collection_tests;
