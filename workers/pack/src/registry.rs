//! The registry of one pack: its uuid, releases, channels and history, as one stored value.
//!
//! Pure: each change takes the value and the moment and gives the value after. What is stored is
//! one R2 object, `registry/<pack>.json`, changed by compare-and-swap, so that two changes at once
//! both end in the history.

use serde::{Deserialize, Serialize};
use types::{
    Channel, PackName, Sha1, Timestamp,
    config::PublicUrl,
    pack::{Change, Pack, Pointer, Record, Release},
    status::Version1,
};
use uuid::Uuid;

use crate::archive::Inspection;

/// The stored form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Registry {
    v: Version1,
    /// All that is known of the pack, in the shape that the API shows it.
    registry: Pack,
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

impl Registry {
    /// A pack without releases.
    pub fn new(pack: PackName, uuid: Uuid) -> Self {
        Self {
            v: Version1,
            registry: Pack {
                pack,
                uuid,
                required: false,
                prompt: None,
                display_name: None,
                pins: Vec::new(),
                channels: std::collections::BTreeMap::new(),
                releases: Vec::new(),
                history: Vec::new(),
            },
        }
    }

    pub fn pack(&self) -> &Pack {
        &self.registry
    }

    pub fn release(&self, sha1: &Sha1) -> Option<&Release> {
        self.registry
            .releases
            .iter()
            .find(|release| release.sha1 == *sha1)
    }

    /// Adds a release, numbered one above the highest; bytes that already are one stay as they are.
    /// Tells whether it is new.
    pub fn add(&mut self, verified: &Verified, author: &Author) -> bool {
        if self.release(&verified.sha1).is_some() {
            return false;
        }
        let highest = self
            .registry
            .releases
            .iter()
            .map(|release| release.release)
            .max();
        self.registry.releases.push(Release {
            release: highest.unwrap_or(0) + 1,
            sha1: verified.sha1,
            size: verified.size,
            formats: verified.inspection.formats.clone(),
            minecraft: verified.inspection.minecraft.clone(),
            warnings: verified.inspection.warnings.clone(),
            uploaded_at: author.at,
            uploaded_by: author.name.clone(),
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
        let before = self
            .registry
            .channels
            .get(channel)
            .map(|pointer| pointer.sha1);
        if before == Some(*sha1) {
            return Ok(Previous(before));
        }
        let pointer = Pointer {
            release,
            sha1: *sha1,
            published_at: author.at,
        };
        self.registry.channels.insert(channel.clone(), pointer);
        self.registry.history.push(Change {
            at: author.at,
            by: author.name.clone(),
            channel: channel.clone(),
            before,
            after: *sha1,
        });
        Ok(Previous(before))
    }

    /// The releases that a channel pointed to, the current one first, then the newest. To be
    /// replaced by a stored list that leaves out what was rolled back.
    pub fn published(&self, channel: &Channel) -> Vec<&Release> {
        let changes = self.registry.history.iter().rev();
        let mut published: Vec<&Release> = Vec::new();
        for change in changes.filter(|change| change.channel == *channel) {
            if published.iter().all(|release| release.sha1 != change.after) {
                published.extend(self.release(&change.after));
            }
        }
        published
    }

    /// What a channel points to, as readers get it.
    pub fn current(&self, channel: &Channel, public_url: &PublicUrl) -> Option<Record> {
        let pointer = self.registry.channels.get(channel)?;
        self.record(channel, &pointer.sha1, public_url)
    }

    /// A release as seen from a channel; published or not.
    pub fn record(&self, channel: &Channel, sha1: &Sha1, public_url: &PublicUrl) -> Option<Record> {
        let release = self.release(sha1)?;
        let pointer = self
            .registry
            .channels
            .get(channel)
            .filter(|pointer| pointer.sha1 == *sha1);
        Some(Record {
            pack: self.registry.pack.clone(),
            channel: channel.clone(),
            release: release.release,
            sha1: *sha1,
            url: download_url(public_url, sha1),
            uuid: self.registry.uuid,
            size: release.size,
            formats: release.formats.clone(),
            minecraft: release.minecraft.clone(),
            required: self.registry.required,
            prompt: self.registry.prompt.clone(),
            published_at: pointer.map(|pointer| pointer.published_at),
        })
    }
}

/// The one address of these bytes, for ever.
pub fn download_url(public_url: &PublicUrl, sha1: &Sha1) -> String {
    format!("{}/packs/{sha1}.zip", public_url.as_str())
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
