//! What one target has otherwise than the others.
//!
//! A key that is left out is inherited; where null is a value (`icon`, `message`, a time), a null
//! overrides with none, and elsewhere it is as if left out. What holds for all targets is read as
//! overrides of the defaults: one parser does for both, and a second one is 5 KB of a worker.

use serde::{Deserialize, Serialize};

use super::{AutoEnd, Entry, Maintenance, MotdSet, Settings};
use crate::{Field, Timestamp};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Overrides {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<MaintenanceOverrides>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub motd: Option<MotdOverrides>,
    #[serde(skip_serializing_if = "Field::is_kept")]
    pub icon: Field<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MaintenanceOverrides {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(skip_serializing_if = "Field::is_kept")]
    pub message: Field<String>,
    #[serde(skip_serializing_if = "Field::is_kept")]
    pub reason: Field<String>,
    #[serde(skip_serializing_if = "Field::is_kept")]
    pub starts_at: Field<Timestamp>,
    #[serde(skip_serializing_if = "Field::is_kept")]
    pub ends_at: Field<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_end: Option<AutoEnd>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<Vec<String>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MotdOverrides {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotate_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<Vec<Entry>>,
}

impl Overrides {
    pub(super) fn apply(&self, settings: &mut Settings) {
        self.icon.apply(&mut settings.icon);
        if let Some(overrides) = &self.maintenance {
            overrides.apply(&mut settings.maintenance);
        }
        if let Some(overrides) = &self.motd {
            overrides.apply(&mut settings.motd);
        }
    }
}

impl MaintenanceOverrides {
    fn apply(&self, to: &mut Maintenance) {
        replace(&mut to.enabled, self.enabled.as_ref());
        self.message.apply(&mut to.message);
        self.reason.apply(&mut to.reason);
        self.starts_at.apply(&mut to.starts_at);
        self.ends_at.apply(&mut to.ends_at);
        replace(&mut to.auto_end, self.auto_end.as_ref());
        replace(&mut to.allow, self.allow.as_ref());
    }
}

impl From<MaintenanceOverrides> for Maintenance {
    fn from(overrides: MaintenanceOverrides) -> Self {
        let mut maintenance = Self::default();
        overrides.apply(&mut maintenance);
        maintenance
    }
}

impl From<MotdOverrides> for MotdSet {
    fn from(overrides: MotdOverrides) -> Self {
        let mut set = Self::default();
        overrides.apply(&mut set);
        set
    }
}

impl MotdOverrides {
    fn apply(&self, to: &mut MotdSet) {
        replace(&mut to.rotate_seconds, self.rotate_seconds.as_ref());
        replace(&mut to.entries, self.entries.as_ref());
    }
}

fn replace<T: Clone>(value: &mut T, with: Option<&T>) {
    if let Some(with) = with {
        value.clone_from(with);
    }
}
