//! The steps of an upload that takes several requests. Each can be repeated: what was done already
//! is not done again, and what was broken off goes on.

use types::{Timestamp, config::PublicUrl, pack::Uploaded};
use uuid::Uuid;

use super::{Found, Part, Record, Refused, Source, State};
use crate::{
    ingest::{self, IngestError, Publish, Target},
    ports::{Blobs, Place, Registries, StoreError, Uploads},
};

/// Attempts at a compare-and-swap of the record.
const ATTEMPTS: u32 = 8;

/// Why a step did not come to its end.
#[derive(Debug, Clone, PartialEq)]
pub enum UploadError {
    Refused(Refused),
    /// The body of a part broke off; it was not stored.
    CutOff,
    /// Others changed the same record at every attempt.
    Busy,
    Store(StoreError),
}

impl From<StoreError> for UploadError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Refused> for UploadError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// The record of an upload that is not forgotten.
pub async fn load<S: Uploads>(
    store: &S,
    id: Uuid,
    now: Timestamp,
) -> Result<(Record, String), UploadError> {
    let loaded = store.load_upload(id).await?;
    let loaded = loaded.filter(|(record, _)| !record.is_forgotten(now));
    loaded.ok_or(UploadError::Refused(Refused::NoSuchUpload))
}

/// Stores one part. One that came before is replaced. `now` is called when its body has come: what
/// was completed or given up meanwhile takes no part any more.
pub async fn put_part<S: Uploads>(
    store: &S,
    record: &Record,
    part: u32,
    length: u64,
    body: Option<S::Part>,
    now: impl FnOnce() -> Timestamp,
) -> Result<Part, UploadError> {
    record.check_part(part, length)?;
    let body = body.ok_or(UploadError::CutOff)?;
    let stored = store.put_part(record.id, part, body).await?;
    let stored = stored.ok_or(UploadError::CutOff)?;
    if stored.size != length {
        return Err(UploadError::CutOff);
    }
    let late = match load(store, record.id, now()).await {
        Ok((record, _)) if record.state == State::Uploading => return Ok(stored),
        Ok((record, _)) => Refused::Over(record.state),
        Err(UploadError::Refused(refused)) => refused,
        Err(error) => return Err(error),
    };
    // Whoever is verifying it needs all its parts, and sees if one is another than before.
    if late != Refused::Over(State::Verifying) {
        store.forget_part(record.id, part).await?;
    }
    Err(late.into())
}

/// What `complete` finds or brings about.
#[derive(Debug, Clone, PartialEq)]
pub enum Completed {
    /// It is for the caller to verify it, now or later.
    ToVerify(Record),
    /// Somebody does already.
    Underway(Record),
    /// It was completed before: this came of it.
    Over(Record),
}

/// Closes an upload whose parts have all come.
pub async fn complete<S: Uploads + Blobs>(
    store: &S,
    id: Uuid,
    now: Timestamp,
) -> Result<Completed, UploadError> {
    for attempt in 0..ATTEMPTS {
        let (mut record, etag) = load(store, id, now).await?;
        if record.is_over() {
            clear(store, &record).await?;
            return Ok(Completed::Over(record));
        }
        if record.is_being_verified(now) {
            return Ok(Completed::Underway(record));
        }
        let missing = record.missing(&store.parts(id).await?);
        if record.state == State::Uploading && !missing.is_empty() {
            return Err(Refused::Missing(missing).into());
        }
        record.enter(State::Verifying, now);
        if store.save_upload(&record, Some(&etag)).await? {
            return Ok(Completed::ToVerify(record));
        }
        store.wait(attempt).await;
    }
    Err(UploadError::Busy)
}

/// What a message that an upload is complete comes to: the record to verify, or `None` if its
/// outcome is known, or it was given up.
pub async fn take_up<S: Uploads + Blobs>(
    store: &S,
    id: Uuid,
    now: Timestamp,
) -> Result<Option<Record>, UploadError> {
    match load(store, id, now).await {
        Ok((record, _)) if record.is_over() => {
            clear(store, &record).await?;
            Ok(None)
        }
        Ok((record, _)) => Ok((record.state == State::Verifying).then_some(record)),
        Err(UploadError::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes up an object in `incoming/`: gives the record to verify, or `None` if its outcome is known.
pub async fn discover<S: Uploads + Blobs>(
    store: &S,
    found: &Found,
    now: Timestamp,
) -> Result<Option<Record>, UploadError> {
    for attempt in 0..ATTEMPTS {
        let loaded = store.load_upload(found.id()).await?;
        let etag = match loaded {
            // The same bytes were put again, which is not the same as to be told of them again.
            Some((record, etag)) if record.created_at < found.put_at => Some(etag),
            Some((record, _)) if record.is_over() => {
                clear(store, &record).await?;
                return Ok(None);
            }
            Some((record, _)) => return Ok(Some(record)),
            None => None,
        };
        let record = Record::incoming(found, now);
        if store.save_upload(&record, etag.as_deref()).await? {
            return Ok(Some(record));
        }
        store.wait(attempt).await;
    }
    Err(UploadError::Busy)
}

/// Removes the bytes of an upload that is over, and what was left of them. A rejected object stays:
/// it is the only one that its owner may have.
async fn clear<S: Blobs>(store: &S, record: &Record) -> Result<(), StoreError> {
    let is_object = matches!(record.source, Source::Incoming { .. });
    if is_object && record.state == State::Rejected {
        return Ok(());
    }
    store.discard(&place(record)).await
}

/// What came of a verification.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    Ready {
        uploaded: Box<Uploaded>,
        new: bool,
    },
    Rejected {
        reason: String,
    },
    /// The object is gone or was replaced: there is nothing to say of it any more.
    Gone,
}

/// Takes in what an upload has brought and writes down what came of it. An error is one that time
/// may mend: do it again.
pub async fn verify<S: Uploads + Registries + Blobs>(
    store: &S,
    record: &Record,
    public_url: &PublicUrl,
    now: Timestamp,
) -> Result<Verdict, IngestError> {
    let target = Target {
        pack: record.pack.clone(),
        publish: match (&record.source, record.publish) {
            (Source::Incoming { .. }, _) => Publish::Incoming(record.created_at),
            (Source::Parts { .. }, true) => {
                Publish::AsOf(record.channel.clone(), record.state_since)
            }
            (Source::Parts { .. }, false) => Publish::No(record.channel.clone()),
        },
        by: record.by.clone(),
        id: record.id,
    };
    let place = place(record);
    let declared = record.sha1.as_ref();
    let taken = if record.size > crate::archive::MAX_PACK {
        Err(IngestError::TooLarge(record.size))
    } else {
        ingest::take(store, &target, &place, record.size, declared, public_url).await
    };
    let verdict = match taken {
        Ok(accepted) => Verdict::Ready {
            uploaded: Box::new(accepted.uploaded),
            new: accepted.new,
        },
        Err(IngestError::Gone) if matches!(record.source, Source::Incoming { .. }) => Verdict::Gone,
        Err(error) => {
            let Some(reason) = error.reason() else {
                if error == IngestError::Gone {
                    reopen(store, record.id, now).await?;
                }
                return Err(error);
            };
            Verdict::Rejected { reason }
        }
    };
    if let Some(record) = write_down(store, record, &verdict, now).await? {
        clear(store, &record).await?;
    }
    Ok(verdict)
}

/// Where the bytes lie.
fn place(record: &Record) -> Place {
    match &record.source {
        Source::Parts { part_size } => Place::Parts {
            upload: record.id,
            part_size: *part_size,
            parts: record.parts(),
        },
        Source::Incoming { key, etag } => Place::Incoming {
            key: key.clone(),
            etag: etag.clone(),
        },
    }
}

/// Takes parts again: one is gone, or another one has come while they were read.
async fn reopen<S: Uploads>(store: &S, id: Uuid, now: Timestamp) -> Result<(), StoreError> {
    if let Some((mut record, etag)) = store.load_upload(id).await?
        && record.state == State::Verifying
    {
        record.enter(State::Uploading, now);
        // If somebody has changed it at this moment, what they say holds.
        store.save_upload(&record, Some(&etag)).await?;
    }
    Ok(())
}

/// Writes down what came of a verification, and gives the record if it has an outcome now. What was
/// written down before stays.
async fn write_down<S: Uploads>(
    store: &S,
    verified: &Record,
    verdict: &Verdict,
    now: Timestamp,
) -> Result<Option<Record>, IngestError> {
    for attempt in 0..ATTEMPTS {
        let Some((mut record, etag)) = store.load_upload(verified.id).await? else {
            return Ok(None); // given up meanwhile, or expired
        };
        if record.created_at != verified.created_at {
            return Ok(None); // put again meanwhile, so this was not about it
        }
        if record.is_over() {
            return Ok(Some(record));
        }
        match verdict {
            Verdict::Ready { uploaded, .. } => {
                record.enter(State::Ready, now);
                record.uploaded = serde_json::to_value(uploaded).ok();
            }
            Verdict::Rejected { reason } => {
                record.enter(State::Rejected, now);
                record.reason = Some(reason.clone());
            }
            Verdict::Gone => {
                store.forget_upload(verified.id).await?;
                return Ok(None);
            }
        }
        if store.save_upload(&record, Some(&etag)).await? {
            return Ok(Some(record));
        }
        store.wait(attempt).await;
    }
    Err(IngestError::Busy)
}

/// Gives an upload up, with all its parts; one that is an object, with that.
pub async fn abort<S: Uploads + Blobs>(
    store: &S,
    id: Uuid,
    now: Timestamp,
) -> Result<(), UploadError> {
    for attempt in 0..ATTEMPTS {
        let (mut record, etag) = load(store, id, now).await?;
        if record.is_being_verified(now) {
            return Err(Refused::Over(record.state).into());
        }
        if matches!(record.source, Source::Incoming { .. }) {
            store.discard(&place(&record)).await?;
        }
        // From here on nobody completes it.
        record.expires_at = Timestamp::from_seconds(0);
        if store.save_upload(&record, Some(&etag)).await? {
            store.forget_upload(id).await?;
            return Ok(());
        }
        store.wait(attempt).await;
    }
    Err(UploadError::Busy)
}
