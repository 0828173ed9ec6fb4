//! Bodies of the `pack` worker.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use uuid::Uuid;

pub use crate::Field;
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

/// What an upload, a publication and a rollback answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Uploaded {
    #[serde(flatten)]
    pub record: Record,
    /// Whether this is what the channel now points to.
    pub published: bool,
    /// What the channel pointed to before.
    pub previous: Option<Sha1>,
    pub warnings: Vec<Warning>,
    /// When it will be published, if that is later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_at: Option<Timestamp>,
}

/// One release of a pack: bytes that were stored and found valid. All but `check` never changes.
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
    /// Whether its public URL serves these bytes: looked at once after it was published.
    #[serde(default)]
    pub check: Check,
}

/// What fetching a release from its public URL has shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub state: CheckState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckState {
    /// Not looked at yet.
    #[default]
    Pending,
    /// What came has the announced SHA-1.
    Verified,
    /// Something else came, or nothing: players cannot load it.
    Failed,
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
    /// What was published here before and not taken back, newest last: a rollback goes to the last
    /// of them, and clients that the release is not for get the newest one that is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Earlier>,
}

/// Where a channel pointed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    pub sha1: Sha1,
    pub published_at: Timestamp,
}

/// A publication that waits for its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduled {
    pub channel: Channel,
    pub sha1: Sha1,
    pub at: Timestamp,
    /// The name of the token.
    pub by: String,
}

/// What can be set for a pack: the part of [`Pack`] that `PATCH` changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub required: bool,
    /// A text component object.
    pub prompt: Option<Value>,
    pub display_name: Option<String>,
    pub pins: Vec<Sha1>,
    /// The channel that direct uploads are published to; `None`: they are stored only.
    pub incoming_channel: Option<Channel>,
}

/// What of the [`Settings`] is to be changed: the body of `PATCH /api/packs/<pack>`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SettingsPatch {
    #[serde(deserialize_with = "null_resets")]
    pub required: Option<bool>,
    /// A text component; a string is read as `MiniMessage`.
    pub prompt: Field<Value>,
    pub display_name: Field<String>,
    #[serde(deserialize_with = "null_resets")]
    pub pins: Option<Vec<Sha1>>,
    pub incoming_channel: Field<Channel>,
}

/// A member that cannot be taken away: null makes it what it is in a new pack.
fn null_resets<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    let given = Option::<T>::deserialize(deserializer)?;
    Ok(Some(given.unwrap_or_default()))
}

/// What a [`Change`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    #[default]
    Publish,
    Rollback,
    /// A publication was put off to a time, `after` is what will be published.
    Schedule,
    /// A scheduled publication was called off; `before` is what would have been published.
    Unschedule,
    Settings,
    /// A release was deleted by request.
    Delete,
    /// A release was collected: old, and nothing pointed to it.
    Collect,
}

/// The settings before and after they were changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsChange {
    pub before: Settings,
    pub after: Settings,
}

/// One change of a pack: who, when, before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub at: Timestamp,
    pub by: String,
    #[serde(default)]
    pub action: ChangeKind,
    /// `None` for what concerns no single channel.
    pub channel: Option<Channel>,
    pub before: Option<Sha1>,
    pub after: Option<Sha1>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Box<SettingsChange>>,
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
    #[serde(default = "stable")]
    pub incoming_channel: Option<Channel>,
    pub channels: BTreeMap<Channel, Pointer>,
    #[serde(default)]
    pub scheduled: Vec<Scheduled>,
    pub releases: Vec<Release>,
    /// Oldest first; the last thousand changes.
    pub history: Vec<Change>,
}

#[expect(clippy::unnecessary_wraps, reason = "it is the default of an Option")]
fn stable() -> Option<Channel> {
    Some(Channel::stable())
}

impl Pack {
    pub fn settings(&self) -> Settings {
        Settings {
            required: self.required,
            prompt: self.prompt.clone(),
            display_name: self.display_name.clone(),
            pins: self.pins.clone(),
            incoming_channel: self.incoming_channel.clone(),
        }
    }
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
            scheduled_at: None,
        };
        let tail = r#","published":true,"previous":null,"warnings":[]}"#;
        assert_eq!(
            serde_json::to_string(&uploaded).unwrap(),
            format!("{}{tail}", json.trim_end_matches('}'))
        );
    }
}
