//! Uploads that are not over with one request: in parts, and put directly into the bucket.
//!
//! Each has a record, one small object changed by compare-and-swap: `uploading` while parts come,
//! `verifying`, then `ready` or `rejected`. This file has the record and its rules; `flow` runs
//! them. Parts are objects of their own, so that they come in any order, at the same time and
//! twice, and what has arrived is what is listed: there is nothing else to keep in step.

pub mod flow;

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use types::{Channel, PackName, Sha1, Timestamp, status::Version1};
use uuid::{Builder, Uuid};

use crate::archive::MAX_PACK;

/// The bytes of a part, if the limit for one request allows it.
const PART: u64 = 10 * 1024 * 1024;

/// How long an upload may take, and how long afterwards its outcome can be asked for, in seconds.
pub const LIFETIME: i64 = 24 * 60 * 60;

/// Up to this size, in bytes, a pack is verified while the client waits: reading it takes less than
/// a second.
pub const AT_ONCE: u64 = 16 * 1024 * 1024;

/// How long a verification may take before it counts as lost, in seconds: of a pack of up to
/// [`AT_ONCE`] bytes, and of a larger one, which the queue may have put off.
const VERIFYING: (i64, i64) = (60, 10 * 60);

/// How often the cron looks at what does not come to an end, in seconds; and after how many such
/// looks it has another message sent, at most: about 5 hours.
const LOOKS: i64 = 5 * 60;
const MOST_LOOKS: i64 = 64;

/// Where an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Uploading,
    Verifying,
    Ready,
    Rejected,
}

/// How its bytes come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// In parts of this many bytes, the last one as long as is left.
    Parts { part_size: u64 },
    /// As one object, under this key and with this etag.
    Incoming { key: String, etag: String },
}

/// The stored record of an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    v: Version1,
    pub id: Uuid,
    pub source: Source,
    pub pack: PackName,
    pub channel: Channel,
    pub publish: bool,
    /// Bytes.
    pub size: u64,
    /// The hash that the client declared.
    pub sha1: Option<Sha1>,
    /// The name of the token; for an object in `incoming/`, its key.
    pub by: String,
    /// For an object in `incoming/`: when it was put there.
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub state: State,
    pub state_since: Timestamp,
    /// Why it was rejected.
    pub reason: Option<String>,
    /// What has become of it: the answer to `complete`.
    pub uploaded: Option<Value>,
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUpload {
    #[serde(default = "PackName::main")]
    pub pack: PackName,
    #[serde(default = "Channel::stable")]
    pub channel: Channel,
    #[serde(default = "yes")]
    pub publish: bool,
    pub size: u64,
    pub sha1: Option<Sha1>,
}

fn yes() -> bool {
    true
}

/// A part that has arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// From 1.
    #[serde(rename = "part")]
    pub number: u32,
    pub size: u64,
    pub etag: String,
}

/// Why a step is not possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Or it has expired.
    NoSuchUpload,
    /// Bytes.
    Empty,
    TooLarge(u64),
    /// There is no part of this number: the highest.
    NoSuchPart(u32),
    /// A part has another length: its own, in bytes.
    PartLength(u64),
    /// It is not `uploading` any more.
    Over(State),
    /// These parts have not come yet.
    Missing(Vec<u32>),
}

impl Record {
    /// An upload in parts.
    pub fn in_parts(
        asked: NewUpload,
        id: Uuid,
        by: String,
        now: Timestamp,
        largest_request: u64,
    ) -> Result<Self, Refused> {
        match asked.size {
            0 => return Err(Refused::Empty),
            size if size > MAX_PACK => return Err(Refused::TooLarge(size)),
            _ => {}
        }
        Ok(Self {
            v: Version1,
            id,
            source: Source::Parts {
                part_size: PART.min(largest_request).max(1),
            },
            pack: asked.pack,
            channel: asked.channel,
            publish: asked.publish,
            size: asked.size,
            sha1: asked.sha1,
            by,
            created_at: now,
            expires_at: now.plus_seconds(LIFETIME),
            state: State::Uploading,
            state_since: now,
            reason: None,
            uploaded: None,
        })
    }

    /// An object that somebody has put into `incoming/<pack>/`.
    pub fn incoming(found: &Found, now: Timestamp) -> Self {
        Self {
            v: Version1,
            id: found.id(),
            source: Source::Incoming {
                key: found.key.clone(),
                etag: found.etag.clone(),
            },
            pack: found.pack.clone(),
            channel: Channel::stable(),
            publish: true,
            size: found.size,
            sha1: None,
            by: found.key.clone(),
            created_at: found.put_at,
            expires_at: now.plus_seconds(LIFETIME),
            state: State::Verifying,
            state_since: now,
            reason: None,
            uploaded: None,
        }
    }

    /// How many parts it comes in.
    pub fn parts(&self) -> u32 {
        match self.source {
            Source::Parts { part_size } => {
                u32::try_from(self.size.div_ceil(part_size.max(1))).unwrap_or(u32::MAX)
            }
            Source::Incoming { .. } => 0,
        }
    }

    /// The length of one part, in bytes.
    pub fn part_length(&self, part: u32) -> Result<u64, Refused> {
        let Source::Parts { part_size } = self.source else {
            return Err(Refused::NoSuchPart(0));
        };
        let part_size = part_size.max(1);
        match self.parts() {
            parts if part == 0 || part > parts => Err(Refused::NoSuchPart(parts)),
            parts if part == parts => Ok(self.size - part_size * u64::from(parts - 1)),
            _ => Ok(part_size),
        }
    }

    /// Whether a part of this length can be taken now.
    pub fn check_part(&self, part: u32, length: u64) -> Result<(), Refused> {
        if self.state != State::Uploading {
            return Err(Refused::Over(self.state));
        }
        match self.part_length(part)? {
            own if own == length => Ok(()),
            own => Err(Refused::PartLength(own)),
        }
    }

    /// The parts that have not come, each in its length.
    pub fn missing(&self, received: &[Part]) -> Vec<u32> {
        let has = |number: &u32| {
            let mut received = received.iter();
            received
                .any(|part| part.number == *number && self.part_length(*number) == Ok(part.size))
        };
        (1..=self.parts()).filter(|number| !has(number)).collect()
    }

    /// Whether nothing is to be done with an object: it was rejected, and not put again since. One
    /// that was taken in and is still there is to be removed.
    pub fn settles(&self, found: &Found) -> bool {
        self.state == State::Rejected && found.put_at <= self.created_at
    }

    /// Whether somebody is verifying it at this moment, as far as can be known.
    pub fn is_being_verified(&self, now: Timestamp) -> bool {
        let limit = if self.size <= AT_ONCE {
            VERIFYING.0
        } else {
            VERIFYING.1
        };
        self.state == State::Verifying && now - self.state_since < limit
    }

    /// Whether the cron is to have it tried again: what was begun and does not come to an end, as
    /// while a registry cannot be read, is tried four times while its age doubles. Nothing but the
    /// age is known of the attempts before, and nothing more is needed.
    pub fn is_due_again(&self, now: Timestamp) -> bool {
        let looks = (now - self.state_since).max(0) / LOOKS;
        let mut every = 1;
        while every < MOST_LOOKS && every * 8 <= looks {
            every *= 2;
        }
        looks % every == 0
    }

    pub fn has_expired(&self, now: Timestamp) -> bool {
        now > self.expires_at
    }

    /// Whether nobody is told of it any more. What is known of an object in `incoming/` can be asked
    /// for as long as the object lies there.
    pub fn is_forgotten(&self, now: Timestamp) -> bool {
        self.has_expired(now) && matches!(self.source, Source::Parts { .. })
    }

    /// Whether its outcome is known.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Ready | State::Rejected)
    }

    fn enter(&mut self, state: State, now: Timestamp) {
        self.state = state;
        self.state_since = now;
        // So that it can be verified, and the outcome be asked for, however long it took.
        self.expires_at = now.plus_seconds(LIFETIME);
    }
}

/// An object in `incoming/<pack>/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub pack: PackName,
    pub key: String,
    pub etag: String,
    pub size: u64,
    pub put_at: Timestamp,
}

impl Found {
    /// The same for the same bytes under a key, however often they are announced, or put again: the
    /// record tells by its time which it was about.
    pub fn id(&self) -> Uuid {
        let hash = Sha1::of(format!("{}\n{}", self.key, self.etag).as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.as_bytes()[..16]);
        Builder::from_sha1_bytes(bytes).into_uuid()
    }

    /// The pack that an object put under `key` is for: `incoming/<pack>/<anything>.zip`. What a
    /// folder name that is no pack's, as of this worker's own objects, holds is for none.
    pub fn pack_of(key: &str) -> Option<PackName> {
        let (pack, file) = key.strip_prefix("incoming/")?.split_once('/')?;
        let name = Path::new(file.rsplit('/').next()?);
        let is_zip = name.extension()?.eq_ignore_ascii_case("zip");
        pack.parse().ok().filter(|_| is_zip)
    }
}

#[cfg(test)]
mod tests;
