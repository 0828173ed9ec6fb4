//! An upload, from a body to a published release.
//!
//! The order keeps the promises: bytes are stored under their hash and verified by R2 before they
//! are looked at, found to be a pack before they are registered, registered before a channel
//! points to them, and only then announced to readers. Wherever it stops, nothing points to
//! something that is not there, and sending the same again goes on from there.

use std::convert::Infallible;

use types::{
    Channel, PackName, Sha1, Timestamp,
    config::PublicUrl,
    pack::{Pack, Uploaded},
};
use uuid::Uuid;

use crate::{
    archive::{self, Inspection, MAX_PACK, Refusal, Step, Window},
    change::{self, ChangeError},
    ports::{Blobs, Place, Registries, StoreError, Stored},
    registry::{Author, Previous, Registry, Verified},
};

/// How often it is looked whether a collection has ended.
const ATTEMPTS: u32 = 8;

/// Whether a release is published as soon as it is registered.
#[derive(Debug, Clone, PartialEq)]
pub enum Publish {
    /// Not at all; the channel is the one that the answer is about.
    No(Channel),
    Now(Channel),
    /// To the channel that the pack's settings name, unless something newer than what was put at
    /// this time is published there.
    Incoming(Timestamp),
}

/// Where an upload goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    pub pack: PackName,
    pub publish: Publish,
    pub author: Author,
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
    /// It is published, but readers were not told.
    NotAnnounced(StoreError),
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
            ChangeError::NotAnnounced(error) => Self::NotAnnounced(error),
            ChangeError::Store(error) => Self::Store(error),
            ChangeError::NoSuchPack => {
                Self::Store(StoreError("a new pack was not made".to_owned()))
            }
            ChangeError::Refused(never) => match never {},
        }
    }
}

/// Takes in a body.
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
        return finish(store, target, &verified, None, public_url).await;
    }
    let taken = async {
        let verified = take_aside(store, upload, &staged, body).await?;
        finish(store, target, &verified, Some(&staged), public_url).await
    };
    let result = taken.await;
    // Also when it failed; what is left behind after a crash, the cron collects.
    store.discard(&staged).await?;
    result
}

/// Takes in bytes that are stored already, in parts or by somebody else. They stay where they are.
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
        Some(declared) if store.blob_size(declared).await?.is_none() => *declared,
        _ => store.hash(from).await?.ok_or(IngestError::Gone)?,
    };
    if let Some(declared) = declared
        && sha1 != *declared
    {
        return Err(IngestError::WrongHash {
            declared: *declared,
        });
    }
    promote(store, target, from, size, &sha1, declared.is_some()).await?;
    let inspection = match from {
        // A part may have been replaced after it was looked at.
        Place::Parts { .. } => look_at_blob(store, &sha1, size).await?,
        _ => inspection,
    };
    let verified = Verified {
        sha1,
        size,
        inspection,
    };
    finish(store, target, &verified, Some(from), public_url).await
}

/// With a declared hash the body goes straight to its final place, verified by R2 on the way in.
async fn take_declared<S: Blobs>(
    store: &S,
    upload: &Upload,
    sha1: &Sha1,
    body: S::Body,
) -> Result<Verified, IngestError> {
    match store.put_blob(sha1, &upload.target.pack, body).await? {
        Stored::WrongHash => return Err(IngestError::WrongHash { declared: *sha1 }),
        Stored::CutOff => return Err(IngestError::CutOff),
        Stored::Yes(_) | Stored::Exists => {}
    }
    Ok(Verified {
        sha1: *sha1,
        size: upload.length,
        inspection: look_at_blob(store, sha1, upload.length).await?,
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

/// Copies bytes under their hash, unless they lie there. `declared`: the hash is what a client
/// said, not what was computed.
async fn promote<S: Blobs>(
    store: &S,
    target: &Target,
    from: &Place,
    size: u64,
    sha1: &Sha1,
    declared: bool,
) -> Result<(), IngestError> {
    if store.blob_size(sha1).await?.is_some() {
        return Ok(());
    }
    match store.promote(from, size, sha1, &target.pack).await? {
        Stored::Yes(_) | Stored::Exists => Ok(()),
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

/// Looks at bytes that lie under their hash already, and takes them away if they are refused.
async fn look_at_blob<S: Blobs>(
    store: &S,
    sha1: &Sha1,
    size: u64,
) -> Result<Inspection, IngestError> {
    let place = Place::Blob(*sha1);
    let looked = look(store, &place, size).await;
    if matches!(looked, Err(IngestError::Refused(_))) {
        // Nothing can point to it: these bytes are refused whoever sends them.
        store.discard(&place).await?;
    }
    looked
}

/// What a registered release has become.
struct Registered {
    registry: Registry,
    /// The channel that the answer is about.
    channel: Channel,
    new: bool,
    previous: Previous,
}

/// Registers, makes sure that the blob stays, and tells readers. `from` is where the bytes lie
/// beside.
async fn finish<S: Registries + Blobs>(
    store: &S,
    target: &Target,
    verified: &Verified,
    from: Option<&Place>,
    public_url: &PublicUrl,
) -> Result<Accepted, IngestError> {
    let registered = register(store, target, verified).await?;
    keep_blob(store, target, verified, from).await?;
    let record = registered
        .registry
        .record(&registered.channel, &verified.sha1, public_url)
        .ok_or_else(|| StoreError("a registered release is not in its registry".to_owned()))?;
    let published = record.published_at.is_some();
    if published && !matches!(target.publish, Publish::No(_)) {
        change::announce(store, record.clone(), public_url).await?;
    }
    Ok(Accepted {
        uploaded: Uploaded {
            record,
            published,
            previous: registered.previous.0,
            warnings: verified.inspection.warnings.clone(),
            scheduled_at: None,
        },
        new: registered.new,
    })
}

/// Registers the release, and publishes it if asked, in one compare-and-swap.
async fn register<S: Registries>(
    store: &S,
    target: &Target,
    verified: &Verified,
) -> Result<Registered, IngestError> {
    let (author, sha1) = (&target.author, &verified.sha1);
    let changed = change::change(store, &target.pack, Some(target.id), |registry| {
        let new = registry.add(verified, author);
        let pointed = |pack: &Pack, channel| {
            let pointer = pack.channels.get(channel);
            Previous(pointer.map(|pointer| pointer.sha1))
        };
        let incoming = registry.pack().incoming_channel.clone();
        let (channel, previous) = match (&target.publish, incoming) {
            (Publish::Now(channel), _) => {
                (channel.clone(), registry.publish(channel, sha1, author))
            }
            (Publish::Incoming(put_at), Some(channel)) => {
                let previous = registry.publish_incoming(&channel, sha1, *put_at, author);
                (channel, previous)
            }
            (Publish::No(channel), _) => (channel.clone(), Ok(pointed(registry.pack(), channel))),
            (Publish::Incoming(_), None) => {
                let channel = Channel::stable();
                let previous = pointed(registry.pack(), &channel);
                (channel, Ok(previous))
            }
        };
        // It was added above, so it is there.
        let previous = previous.unwrap_or(Previous(None));
        Ok::<_, Infallible>((channel, new, previous))
    });
    let changed = changed.await?;
    let (channel, new, previous) = changed.outcome;
    Ok(Registered {
        registry: changed.registry,
        channel,
        new,
        previous,
    })
}

/// A collection that looked before the release was registered may delete its blob, should that
/// have lain there for long. Then it is copied once more.
async fn keep_blob<S: Registries + Blobs>(
    store: &S,
    target: &Target,
    verified: &Verified,
    from: Option<&Place>,
) -> Result<(), IngestError> {
    let Some(from) = from else {
        return Ok(()); // stored a moment ago, and so too young to be collected
    };
    for attempt in 0..ATTEMPTS {
        if !store.being_collected().await?.contains(&verified.sha1) {
            return promote(store, target, from, verified.size, &verified.sha1, false).await;
        }
        store.back_off(attempt).await;
    }
    Err(IngestError::Busy)
}

#[cfg(test)]
#[path = "ingest_tests.rs"]
mod tests;
