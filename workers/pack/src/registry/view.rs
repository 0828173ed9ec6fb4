//! A registry as readers see it.

use std::collections::HashSet;

use types::{
    Channel, Sha1,
    config::PublicUrl,
    pack::{Record, Release},
};

use super::Registry;
use crate::variant::Client;

impl Registry {
    /// What a channel points to, as readers get it.
    pub fn current(&self, channel: &Channel, public_url: &PublicUrl) -> Option<Record> {
        let pointer = self.pack.channels.get(channel)?;
        self.record(channel, &pointer.sha1, public_url)
    }

    /// What is published in a channel: what it points to, then what was published there before and
    /// not taken back, newest first.
    pub fn published(&self, channel: &Channel) -> Vec<&Release> {
        let pointer = self.pack.channels.get(channel);
        pointer
            .iter()
            .flat_map(|pointer| {
                let earlier = pointer.earlier.iter().rev().map(|earlier| &earlier.sha1);
                std::iter::once(&pointer.sha1).chain(earlier)
            })
            .filter_map(|sha1| self.release(sha1))
            .collect()
    }

    /// What tells the records of all channels from any others: their [`print_of`].
    pub fn prints(&self) -> impl Iterator<Item = (&Channel, Sha1)> {
        let channels = self.pack.channels.iter();
        channels.filter_map(|(channel, pointer)| {
            let record = self.record_at(channel, &pointer.sha1, String::new())?;
            Some((channel, print_of(&record)?))
        })
    }

    /// The releases that a client of some version is given (`variant`): of each channel the newest
    /// that it loads.
    pub fn given(&self) -> HashSet<Sha1> {
        let channels = self.pack.channels.keys();
        let given = channels.flat_map(|channel| {
            let published = self.published(channel);
            Client::every().filter_map(move |client| client.choose(&published))
        });
        given.map(|release| release.sha1).collect()
    }

    /// A release as seen from a channel; published or not.
    pub fn record(&self, channel: &Channel, sha1: &Sha1, public_url: &PublicUrl) -> Option<Record> {
        self.record_at(channel, sha1, download_url(public_url, sha1))
    }

    fn record_at(&self, channel: &Channel, sha1: &Sha1, url: String) -> Option<Record> {
        let release = self.release(sha1)?;
        let pointer = self
            .pack
            .channels
            .get(channel)
            .filter(|pointer| pointer.sha1 == *sha1);
        Some(Record {
            pack: self.pack.pack.clone(),
            channel: channel.clone(),
            release: release.release,
            sha1: *sha1,
            url,
            uuid: self.pack.uuid,
            size: release.size,
            formats: release.formats.clone(),
            minecraft: release.minecraft.clone(),
            required: self.pack.required,
            prompt: self.pack.prompt.clone(),
            published_at: pointer.map(|pointer| pointer.published_at),
        })
    }
}

/// The SHA-1 of all that a record says but its address, which is the configuration's.
pub fn print_of(record: &Record) -> Option<Sha1> {
    let url = String::new();
    let bare = Record {
        url,
        ..record.clone()
    };
    serde_json::to_vec(&bare).ok().map(|json| Sha1::of(&json))
}

/// The one address of these bytes, for ever.
pub fn download_url(public_url: &PublicUrl, sha1: &Sha1) -> String {
    format!("{}/packs/{sha1}.zip", public_url.as_str())
}
