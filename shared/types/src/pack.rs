//! Bodies of the `pack` worker.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{Channel, PackName, Sha1, Timestamp};

/// The pack formats that a release says it is for, both ends included: `"34"`, `"69.0"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Formats {
    pub min: String,
    pub max: String,
}

/// The Minecraft versions that [`Formats`] stands for: `"1.21"`, `"1.21.8"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    pub min: String,
    pub max: String,
}

/// What is odd about a pack that was accepted all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Stable, kebab-case.
    pub code: String,
    pub message: String,
}

/// What a channel of a pack points to: the body of `GET /api/pack/latest` and the value of the
/// KV key `verify-hash`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub pack: PackName,
    pub channel: Channel,
    /// Numbered from 1 within the pack.
    pub release: u32,
    pub sha1: Sha1,
    pub url: String,
    /// The pack's own, the same for every release.
    pub uuid: Uuid,
    /// Bytes.
    pub size: u64,
    pub formats: Formats,
    /// `None` when no known version has one of the formats.
    pub minecraft: Option<Versions>,
    pub required: bool,
    /// A text component object.
    pub prompt: Option<Value>,
    /// When the channel was pointed at it; `None` for an upload that was not published.
    pub published_at: Option<Timestamp>,
}

/// What an upload answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uploaded {
    #[serde(flatten)]
    pub record: Record,
    /// Whether this is what the channel now points to.
    pub published: bool,
    /// What the channel pointed to before.
    pub previous: Option<Sha1>,
    pub warnings: Vec<Warning>,
}

/// One release of a pack: bytes that were stored and found valid. Never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    pub release: u32,
    pub sha1: Sha1,
    pub size: u64,
    pub formats: Formats,
    pub minecraft: Option<Versions>,
    pub warnings: Vec<Warning>,
    pub uploaded_at: Timestamp,
    /// The name of the token.
    pub uploaded_by: String,
}

/// A release that is for other clients than the one that asked: in the 404 of
/// `GET /api/pack/latest?version=`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Available {
    pub sha1: Sha1,
    pub formats: Formats,
    pub minecraft: Option<Versions>,
}

/// Where a channel points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    pub release: u32,
    pub sha1: Sha1,
    pub published_at: Timestamp,
}

/// One change of a channel: who, when, before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub at: Timestamp,
    pub by: String,
    pub channel: Channel,
    pub before: Option<Sha1>,
    pub after: Sha1,
}

/// A pack with all that is known of it: the body of `GET /api/packs/<pack>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pack {
    pub pack: PackName,
    pub uuid: Uuid,
    pub required: bool,
    pub prompt: Option<Value>,
    pub display_name: Option<String>,
    pub pins: Vec<Sha1>,
    pub channels: BTreeMap<Channel, Pointer>,
    pub releases: Vec<Release>,
    pub history: Vec<Change>,
}

/// How often a pack was downloaded: the body of `GET /api/packs/<pack>/stats`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    pub pack: PackName,
    /// How many days it is about, today (UTC) included.
    pub days: u32,
    pub total: u64,
    /// Every release of the pack, the newest first.
    pub releases: Vec<ReleaseStats>,
    /// Every day, the oldest first.
    pub daily: Vec<DayStats>,
}

/// One release of [`Stats`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseStats {
    pub release: u32,
    pub sha1: Sha1,
    pub downloads: u64,
    /// `None` if it was not downloaded in these days.
    pub last_at: Option<Timestamp>,
    /// Downloads by the client's version, `snapshot` or `other`.
    pub versions: BTreeMap<String, u64>,
}

/// One day of [`Stats`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayStats {
    /// `2026-11-21`, UTC.
    pub day: String,
    pub downloads: u64,
}

/// The body of `GET /api/packs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packs {
    pub packs: Vec<PackSummary>,
}

/// One line of [`Packs`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackSummary {
    pub pack: PackName,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_is_pinned_byte_for_byte() {
        let record = Record {
            pack: PackName::main(),
            channel: Channel::stable(),
            release: 7,
            sha1: "3f786850e387550fdab836ed7e6dc881de23001b".parse().unwrap(),
            url: "https://rp.example.com/packs/3f786850e387550fdab836ed7e6dc881de23001b.zip"
                .to_owned(),
            uuid: "5b6f3f0e-6d0e-4d0c-9d0e-0d6c5c6f2a11".parse().unwrap(),
            size: 1_048_576,
            formats: Formats {
                min: "34".to_owned(),
                max: "64".to_owned(),
            },
            minecraft: Some(Versions {
                min: "1.21".to_owned(),
                max: "1.21.8".to_owned(),
            }),
            required: false,
            prompt: None,
            published_at: Some(Timestamp::from_seconds(1_795_255_200)),
        };
        let json = r#"{"pack":"main","channel":"stable","release":7,"sha1":"3f786850e387550fdab836ed7e6dc881de23001b","url":"https://rp.example.com/packs/3f786850e387550fdab836ed7e6dc881de23001b.zip","uuid":"5b6f3f0e-6d0e-4d0c-9d0e-0d6c5c6f2a11","size":1048576,"formats":{"min":"34","max":"64"},"minecraft":{"min":"1.21","max":"1.21.8"},"required":false,"prompt":null,"published_at":"2026-11-21T10:00:00Z"}"#;
        assert_eq!(serde_json::to_string(&record).unwrap(), json);
        assert_eq!(serde_json::from_str::<Record>(json).unwrap(), record);

        let uploaded = Uploaded {
            record,
            published: true,
            previous: None,
            warnings: vec![],
        };
        let tail = r#","published":true,"previous":null,"warnings":[]}"#;
        assert_eq!(
            serde_json::to_string(&uploaded).unwrap(),
            format!("{}{tail}", json.trim_end_matches('}'))
        );
    }
}
