//! KV again from R2: after it was lost, or when it says something else.

use edge::{Failure, kv::Held, log};
use serde::Serialize;
use types::{Channel, PackName, Sha1, config::PackConfig, pack::Record};

use crate::{
    change,
    registry::Registry,
    store::{Platform, blob_of},
};

/// What a rebuild did: the body of its answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Rebuilt {
    /// Channels that were compared.
    checked: u32,
    /// Values that were written.
    written: u32,
    differences: Vec<Difference>,
    /// Blobs that no registry names.
    unregistered: Vec<Sha1>,
    /// Releases whose blob is not there.
    missing: Vec<Missing>,
}

/// A channel for which KV said something else than R2.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    pack: PackName,
    channel: Channel,
    /// What KV held.
    was: Was,
    /// What R2 says: the SHA-1 of the release; null if nothing is published.
    is: Option<Sha1>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Was {
    Missing,
    Corrupt,
    /// A record of a channel that there is not.
    Unpublished,
    /// A record of this release, which is another one or was told otherwise.
    Other(Sha1),
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Missing {
    pack: PackName,
    release: u32,
    sha1: Sha1,
}

impl Rebuilt {
    /// What was put right, for the log.
    pub fn told(&self) -> Option<String> {
        (self.written > 0).then(|| format!("{} channels put right", self.written))
    }
}

/// Compares every channel of every pack with KV, writes what differs, and looks for blobs without
/// a release and releases without a blob.
pub async fn rebuild(platform: &Platform, config: &PackConfig) -> Result<Rebuilt, Failure> {
    let registries = platform.registries().await?;
    let mut rebuilt = Rebuilt::default();
    for registry in &registries {
        repair(platform, config, registry, &mut rebuilt).await?;
    }
    for (pack, channel) in platform.announced_channels().await? {
        let published = |registry: &Registry| {
            registry.pack().pack == pack && registry.pack().channels.contains_key(&channel)
        };
        if !registries.iter().any(published) {
            platform.retract(&pack, &channel).await?;
            rebuilt.written += 1;
            rebuilt.differences.push(Difference {
                pack,
                channel,
                was: Was::Unpublished,
                is: None,
            });
        }
    }
    let blobs: Vec<Sha1> = platform
        .blobs()
        .await?
        .iter()
        .filter_map(|object| blob_of(&object.key()))
        .collect();
    let named = |sha1: &Sha1| {
        registries
            .iter()
            .any(|registry| registry.release(sha1).is_some())
    };
    rebuilt.unregistered = blobs.iter().filter(|sha1| !named(sha1)).copied().collect();
    for pack in registries.iter().map(Registry::pack) {
        let missing = pack
            .releases
            .iter()
            .filter(|release| !blobs.contains(&release.sha1));
        rebuilt.missing.extend(missing.map(|release| Missing {
            pack: pack.pack.clone(),
            release: release.release,
            sha1: release.sha1,
        }));
    }
    for missing in &rebuilt.missing {
        log::error(
            "rebuild",
            &format!(
                "release {} of {}: {} is not there",
                missing.release, missing.pack, missing.sha1
            ),
        );
    }
    Ok(rebuilt)
}

/// Writes to KV what it should hold of one pack.
pub async fn repair(
    platform: &Platform,
    config: &PackConfig,
    registry: &Registry,
    rebuilt: &mut Rebuilt,
) -> Result<(), Failure> {
    let pack = &registry.pack().pack;
    for channel in registry.pack().channels.keys() {
        rebuilt.checked += 1;
        let Some(record) = registry.current(channel, &config.public_url) else {
            continue;
        };
        let held = platform.announced(pack, channel)?.read().await?;
        let Some(was) = differs(&held, &record) else {
            continue;
        };
        let sha1 = record.sha1;
        change::announce(platform, record, &config.public_url).await?;
        rebuilt.written += 1;
        rebuilt.differences.push(Difference {
            pack: pack.clone(),
            channel: channel.clone(),
            was,
            is: Some(sha1),
        });
    }
    Ok(())
}

fn differs(held: &Held<Record>, record: &Record) -> Option<Was> {
    match held {
        Held::Missing => Some(Was::Missing),
        Held::Corrupt(_) => Some(Was::Corrupt),
        Held::Value { value, .. } => (value != record).then_some(Was::Other(value.sha1)),
    }
}
