//! The control document: what operators want players to see, and the bodies around it.
//!
//! State: KV `STATUS_KV`, key `control`, and every revision of it in D1. What an operator wants is
//! `maintenance`, `motd`, `icon` and `targets`; the rest is the worker's own. `targets.<id>` overrides
//! any key for one target. Whether texts and icons are good is the worker's to say, which knows the
//! game's formats; [`Document::validate`] checks everything else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{TargetId, Timestamp, status::Version1};

mod check;
mod overrides;

pub use check::{Invalid, MAX_BYTES, MAX_LINES};
pub use overrides::{MaintenanceOverrides, MotdOverrides, Overrides};

/// The whole document, as it is stored and as `GET /api/control/document` answers. A key that is
/// left out has its default; [`Document::default`] is what there is before the first change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Document {
    pub v: Version1,
    /// One more with each change; 0 before the first.
    pub revision: u32,
    pub updated_at: Option<Timestamp>,
    /// The name of the token, or who else changed it: `kv` by hand, `auto-end` the schedule.
    pub updated_by: Option<String>,
    pub maintenance: Maintenance,
    pub motd: MotdSet,
    /// `data:image/png;base64,…` of 64 × 64 pixels; without one the server's own stays.
    pub icon: Option<String>,
    pub targets: BTreeMap<TargetId, Overrides>,
    /// Targets whose maintenance `when-healthy` is over, and the `ends_at` of that maintenance.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub ended: BTreeMap<TargetId, Timestamp>,
}

/// What holds for one target: the document with the target's overrides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub maintenance: Maintenance,
    pub motd: MotdSet,
    pub icon: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "MaintenanceOverrides")]
pub struct Maintenance {
    /// The switch: while it is off, nothing else here does anything.
    pub enabled: bool,
    /// The MOTD while it is active; without one the usual stays.
    pub message: Option<String>,
    /// Plain text, for operators and plugins.
    pub reason: Option<String>,
    /// Announced until then, active from then on; without it active at once.
    pub starts_at: Option<Timestamp>,
    /// Announced; whether anything ends then is for `auto_end` to say.
    pub ends_at: Option<Timestamp>,
    pub auto_end: AutoEnd,
    /// Players whom the plugin lets in: names or UUIDs.
    pub allow: Vec<String>,
}

/// Whether maintenance ends by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AutoEnd {
    #[default]
    Never,
    /// At `ends_at`.
    AtEnd,
    /// With the first ping after `ends_at` that finds the server online.
    WhenHealthy,
}

/// MOTDs that take turns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "MotdOverrides")]
pub struct MotdSet {
    /// How long each one stands, counted from 1970.
    pub rotate_seconds: u32,
    /// Without any, the server's own MOTD stays.
    pub entries: Vec<Entry>,
}

impl Default for MotdSet {
    fn default() -> Self {
        Self {
            rotate_seconds: 60,
            entries: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// One or two, each `MiniMessage` or with `§` or `&` codes.
    pub lines: Vec<String>,
}

/// Whether a target is in maintenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    Normal,
    Maintenance,
}

/// The body of `GET /api/control`: what is in force for one target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InForce<'a> {
    pub revision: u32,
    pub target: &'a TargetId,
    pub mode: Mode,
    /// Null where the server's own stays.
    pub motd: Option<Rendered>,
    /// Null where the server's own stays.
    pub icon: Option<&'a str>,
    pub maintenance: MaintenanceInForce<'a>,
    /// When something changes that a clock can tell, if it ever does.
    pub next_change_at: Option<Timestamp>,
}

/// Maintenance that is active or announced; everything is null and empty when there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MaintenanceInForce<'a> {
    pub active: bool,
    /// `MiniMessage`, its placeholders filled in.
    pub message: Option<String>,
    pub reason: Option<&'a str>,
    pub starts_at: Option<Timestamp>,
    pub ends_at: Option<Timestamp>,
    pub allow: &'a [String],
}

/// A text in every form.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rendered {
    /// With `§` codes; lines are separated by `\n`.
    pub raw: String,
    pub clean: String,
    pub html: String,
    pub minimessage: String,
    pub component: Value,
    /// For terminals; in previews alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ansi: Option<String>,
}

/// The body of `GET /api/control/preview`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preview {
    pub motd: Rendered,
    pub errors: Vec<PreviewError>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PreviewError {
    /// In characters from the start.
    pub at: usize,
    pub message: String,
}

/// The body of `GET /api/control/history`, newest first.
#[derive(Debug, Clone, Serialize)]
pub struct History<T> {
    pub entries: Vec<HistoryEntry<T>>,
    /// For `?cursor=`; null at the end.
    pub next_cursor: Option<String>,
}

/// One change, `T` being a document.
#[derive(Debug, Clone, Serialize)]
pub struct HistoryEntry<T> {
    pub revision: u32,
    pub at: Timestamp,
    pub by: String,
    pub before: Option<T>,
    pub after: T,
}

/// The body of `POST /api/control/restore`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    pub revision: u32,
}

/// The body of `GET /api/control/proxies`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proxies {
    /// The one in force.
    pub revision: u32,
    pub proxies: Vec<ProxyReport>,
    pub targets: Vec<Drift>,
}

/// What a proxy says that it runs. Nothing vouches for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProxyReport {
    pub target: String,
    pub name: String,
    pub revision: u32,
    pub seen_at: Timestamp,
    /// Whether that is the revision in force.
    pub current: bool,
}

/// The MOTD that is set for a target beside the one that a ping found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    pub target: TargetId,
    /// As text; null where none is set.
    pub set: Option<String>,
    /// As text; null where nothing was ever seen.
    pub observed: Option<String>,
    pub observed_at: Option<Timestamp>,
    /// Null where it cannot be told: none is set, or no ping was answered since.
    pub drift: Option<bool>,
}

impl Document {
    /// What holds for a target.
    pub fn settings(&self, target: &TargetId) -> Settings {
        let mut settings = Settings {
            maintenance: self.maintenance.clone(),
            motd: self.motd.clone(),
            icon: self.icon.clone(),
        };
        if let Some(overrides) = self.targets.get(target) {
            overrides.apply(&mut settings);
        }
        settings
    }

    /// Whether both want the same, whoever stored it when.
    pub fn wants_same(&self, other: &Self) -> bool {
        self.general() == other.general()
            && self.targets == other.targets
            && self.ended == other.ended
    }

    /// What holds where nothing is overridden.
    pub fn general(&self) -> (&Maintenance, &MotdSet, Option<&str>) {
        (&self.maintenance, &self.motd, self.icon.as_deref())
    }
}

#[cfg(test)]
mod tests;
