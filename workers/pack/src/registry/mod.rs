//! The registry of one pack: its uuid, releases, channels, settings and history, as one stored
//! value.
//!
//! Pure: each change takes the value and the moment and gives the value after. What is stored is
//! one R2 object, `registry/<pack>.json`, changed by compare-and-swap, so that two changes at once
//! both end in the history. `late` has publications that come late, `keep` what decides how long a
//! release stays, `owed` what others are to be told of, `view` what readers see.

mod keep;
mod late;
mod owed;
mod view;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::{
    Channel, PackName, Sha1, Timestamp,
    pack::{
        Change, ChangeKind, Check, Earlier, Field, Pack, Pointer, Release, Scheduled,
        SettingsChange, SettingsPatch,
    },
    status::Version1,
};
use uuid::Uuid;

use crate::archive::Inspection;

pub use keep::{DeleteError, Retention};
pub use owed::{Numbered, is_told};
pub use view::{download_url, print_of};

/// The changes that the history keeps; the log has them all (`change`).
const HISTORY: usize = 1000;

/// The stored form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Registry {
    v: Version1,
    /// All that is known of the pack, in the shape that the API shows it.
    #[serde(rename = "registry")]
    pack: Pack,
    /// The highest number that a release ever had: none is given twice.
    #[serde(default)]
    last_release: u32,
    /// How many changes there ever were, that of the last one in the history; of what was stored before
    /// they were counted, none.
    #[serde(default)]
    changes: u64,
    /// The numbers of those that others are still to be told of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    owed: Vec<u64>,
}

/// Bytes that are stored under their hash and were found to be a pack.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    pub sha1: Sha1,
    pub size: u64,
    pub inspection: Inspection,
}

/// Who changes something, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Author {
    pub name: String,
    pub at: Timestamp,
}

/// Where a channel was pointed before a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Previous(pub Option<Sha1>);

/// A channel can only be pointed at a release of the same pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSuchRelease;

/// The channel has nothing published before what it points to now, or nothing at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NothingBefore;

impl Registry {
    /// A pack without releases.
    pub fn new(pack: PackName, uuid: Uuid) -> Self {
        Self {
            v: Version1,
            pack: Pack {
                pack,
                uuid,
                required: false,
                prompt: None,
                display_name: None,
                pins: Vec::new(),
                incoming_channel: Some(Channel::stable()),
                channels: BTreeMap::new(),
                scheduled: Vec::new(),
                releases: Vec::new(),
                history: Vec::new(),
            },
            last_release: 0,
            changes: 0,
            owed: Vec::new(),
        }
    }

    pub fn pack(&self) -> &Pack {
        &self.pack
    }

    pub fn release(&self, sha1: &Sha1) -> Option<&Release> {
        self.pack
            .releases
            .iter()
            .find(|release| release.sha1 == *sha1)
    }

    /// Adds a release, numbered one above the highest there ever was; bytes that already are one
    /// stay as they are. Tells whether it is new.
    pub fn add(&mut self, verified: &Verified, author: &Author) -> bool {
        if self.release(&verified.sha1).is_some() {
            return false;
        }
        let numbers = self.pack.releases.iter().map(|release| release.release);
        let highest = numbers.max().unwrap_or(0).max(self.last_release);
        self.last_release = highest.saturating_add(1);
        self.pack.releases.push(Release {
            release: self.last_release,
            sha1: verified.sha1,
            size: verified.size,
            formats: verified.inspection.formats.clone(),
            minecraft: verified.inspection.minecraft.clone(),
            warnings: verified.inspection.warnings.clone(),
            uploaded_at: author.at,
            uploaded_by: author.name.clone(),
            check: Check::default(),
        });
        true
    }

    /// Points a channel at a release. Pointing it where it already points changes nothing.
    pub fn publish(
        &mut self,
        channel: &Channel,
        sha1: &Sha1,
        author: &Author,
    ) -> Result<Previous, NoSuchRelease> {
        let release = self.release(sha1).ok_or(NoSuchRelease)?.release;
        let pointer = self.pack.channels.get(channel);
        let before = pointer.map(|pointer| pointer.sha1);
        if before == Some(*sha1) {
            return Ok(Previous(before));
        }
        let mut earlier = pointer.map_or_else(Vec::new, |pointer| pointer.earlier.clone());
        earlier.extend(pointer.map(|pointer| Earlier {
            sha1: pointer.sha1,
            published_at: pointer.published_at,
        }));
        earlier.retain(|earlier| earlier.sha1 != *sha1);
        let pointer = Pointer {
            release,
            sha1: *sha1,
            published_at: author.at,
            earlier,
        };
        self.pack.channels.insert(channel.clone(), pointer);
        self.record_change(
            author,
            ChangeKind::Publish,
            Some(channel),
            before,
            Some(*sha1),
        );
        Ok(Previous(before))
    }

    /// Points a channel back at what was published there before. What it pointed to is taken back:
    /// no client gets it from this channel any more.
    pub fn roll_back(
        &mut self,
        channel: &Channel,
        author: &Author,
    ) -> Result<Previous, NothingBefore> {
        let pointer = self.pack.channels.get(channel).ok_or(NothingBefore)?;
        let (before, mut earlier) = (pointer.sha1, pointer.earlier.clone());
        let sha1 = earlier.pop().ok_or(NothingBefore)?.sha1;
        let release = self.release(&sha1).ok_or(NothingBefore)?.release;
        let pointer = Pointer {
            release,
            sha1,
            published_at: author.at,
            earlier,
        };
        self.pack.channels.insert(channel.clone(), pointer);
        self.record_change(
            author,
            ChangeKind::Rollback,
            Some(channel),
            Some(before),
            Some(sha1),
        );
        Ok(Previous(Some(before)))
    }

    /// Puts a publication off to `at`; one that was scheduled for the same channel is replaced.
    pub fn schedule(
        &mut self,
        channel: &Channel,
        sha1: &Sha1,
        at: Timestamp,
        author: &Author,
    ) -> Result<(), NoSuchRelease> {
        self.release(sha1).ok_or(NoSuchRelease)?;
        let scheduled = Scheduled {
            channel: channel.clone(),
            sha1: *sha1,
            at,
            by: author.name.clone(),
        };
        let same = |other: &Scheduled| other.channel == *channel;
        if self.pack.scheduled.contains(&scheduled) {
            return Ok(());
        }
        let replaced = self.pack.scheduled.iter().find(|other| same(other));
        let before = replaced.map(|replaced| replaced.sha1);
        self.pack.scheduled.retain(|other| !same(other));
        self.pack.scheduled.push(scheduled);
        self.record_change(
            author,
            ChangeKind::Schedule,
            Some(channel),
            before,
            Some(*sha1),
        );
        Ok(())
    }

    /// Calls off what is scheduled for a channel; tells whether something was.
    pub fn unschedule(&mut self, channel: &Channel, author: &Author) -> bool {
        let scheduled = &mut self.pack.scheduled;
        let Some(index) = scheduled.iter().position(|other| other.channel == *channel) else {
            return false;
        };
        let before = scheduled.remove(index).sha1;
        self.record_change(
            author,
            ChangeKind::Unschedule,
            Some(channel),
            Some(before),
            None,
        );
        true
    }

    /// Publishes what was scheduled for a time that has come, in the order of those times, in the
    /// name of who scheduled it. Gives the channels that point elsewhere now.
    pub fn publish_due(&mut self, now: Timestamp) -> Vec<Channel> {
        let waiting = std::mem::take(&mut self.pack.scheduled);
        let (mut due, later): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|scheduled| scheduled.at <= now);
        self.pack.scheduled = later;
        due.sort_by_key(|scheduled| scheduled.at);
        let mut channels = Vec::new();
        for scheduled in due {
            let author = Author {
                name: scheduled.by,
                at: now,
            };
            // A scheduled release cannot be deleted, so it is there.
            let published = self.publish(&scheduled.channel, &scheduled.sha1, &author);
            if published.is_ok_and(|before| before.0 != Some(scheduled.sha1)) {
                channels.push(scheduled.channel);
            }
        }
        channels
    }

    /// Sets what fetching a release from its public URL has shown; tells whether the release is
    /// still there.
    pub fn set_check(&mut self, sha1: &Sha1, check: Check) -> bool {
        let mut releases = self.pack.releases.iter_mut();
        let Some(release) = releases.find(|release| release.sha1 == *sha1) else {
            return false;
        };
        release.check = check;
        true
    }

    /// Changes the settings. Pins must be releases.
    pub fn change_settings(
        &mut self,
        patch: &SettingsPatch,
        author: &Author,
    ) -> Result<(), NoSuchRelease> {
        let before = self.pack.settings();
        let pack = &mut self.pack;
        if let Some(pins) = &patch.pins {
            let is_release = |pin: &Sha1| pack.releases.iter().any(|release| release.sha1 == *pin);
            if !pins.iter().all(is_release) {
                return Err(NoSuchRelease);
            }
            pack.pins.clear();
            for pin in pins {
                if !pack.pins.contains(pin) {
                    pack.pins.push(*pin);
                }
            }
        }
        if let Some(required) = patch.required {
            pack.required = required;
        }
        if let Field::Set(prompt) = &patch.prompt {
            pack.prompt.clone_from(prompt);
        }
        if let Field::Set(name) = &patch.display_name {
            pack.display_name.clone_from(name);
        }
        if let Field::Set(channel) = &patch.incoming_channel {
            pack.incoming_channel.clone_from(channel);
        }
        let after = pack.settings();
        if before != after {
            self.record_change(author, ChangeKind::Settings, None, None, None);
            if let Some(change) = self.pack.history.last_mut() {
                change.settings = Some(Box::new(SettingsChange { before, after }));
            }
        }
        Ok(())
    }

    fn record_change(
        &mut self,
        author: &Author,
        action: ChangeKind,
        channel: Option<&Channel>,
        before: Option<Sha1>,
        after: Option<Sha1>,
    ) {
        self.changes = self.changes.saturating_add(1);
        let history = &mut self.pack.history;
        history.push(Change {
            at: author.at,
            by: author.name.clone(),
            action,
            channel: channel.cloned(),
            before,
            after,
            settings: None,
        });
        let surplus = history.len().saturating_sub(HISTORY);
        history.drain(..surplus);
    }
}

#[cfg(test)]
mod tests;
