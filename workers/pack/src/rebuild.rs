//! KV again from R2: after it was lost, or when it says something else.

use std::collections::HashSet;

use edge::{Failure, kv::Held, log};
use serde::Serialize;
use types::{Channel, PackName, Sha1, config::PackConfig, pack::Record};

use crate::{
    change,
    ports::Registries as _,
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
    /// Packs whose registry cannot be read. While there are any, it is not known which blobs are
    /// unregistered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<Unreadable>,
}

/// A pack whose registry cannot be read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unreadable {
    pack: PackName,
    /// Why.
    pub error: String,
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
    /// A record of this release: of another one, or in other words.
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

/// All registries that can be read, and the packs of those that cannot, which the log names: what is
/// wrong with one pack does not keep the others waiting.
pub async fn readable(platform: &Platform) -> Result<(Vec<Registry>, Vec<Unreadable>), Failure> {
    let (mut registries, mut unreadable) = (Vec::new(), Vec::new());
    for pack in platform.packs().await? {
        match platform.load(&pack).await {
            Ok(loaded) => registries.extend(loaded.map(|loaded| loaded.registry)),
            Err(error) => {
                log::error("registry", &error.0);
                let error = error.0;
                unreadable.push(Unreadable { pack, error });
            }
        }
    }
    Ok((registries, unreadable))
}

/// Compares every channel of every pack with KV, writes what differs, and looks for blobs without
/// a release and releases without a blob.
pub async fn rebuild(platform: &Platform, config: &PackConfig) -> Result<Rebuilt, Failure> {
    // What KV holds is listed first: what is published after this is no orphan.
    let announced = platform.announced_channels().await?;
    let blobs: HashSet<Sha1> = platform
        .blobs()
        .await?
        .iter()
        .filter_map(|object| blob_of(&object.key()))
        .collect();
    let (registries, unreadable) = readable(platform).await?;
    let mut rebuilt = Rebuilt {
        unreadable,
        ..Rebuilt::default()
    };
    for registry in &registries {
        repair(platform, config, registry, &mut rebuilt).await?;
    }
    retract(platform, announced, &registries, &mut rebuilt).await?;
    compare_blobs(&blobs, &registries, &mut rebuilt);
    Ok(rebuilt)
}

/// Takes out of KV what it holds of channels that there are not.
async fn retract(
    platform: &Platform,
    announced: Vec<(PackName, Channel)>,
    registries: &[Registry],
    rebuilt: &mut Rebuilt,
) -> Result<(), Failure> {
    for (pack, channel) in announced {
        let published = |registry: &Registry| {
            registry.pack().pack == pack && registry.pack().channels.contains_key(&channel)
        };
        let unknown = (rebuilt.unreadable.iter()).any(|unreadable| unreadable.pack == pack);
        if unknown || registries.iter().any(published) {
            continue;
        }
        platform.retract(&pack, &channel).await?;
        rebuilt.written += 1;
        rebuilt.differences.push(Difference {
            pack,
            channel,
            was: Was::Unpublished,
            is: None,
        });
    }
    Ok(())
}

fn compare_blobs(blobs: &HashSet<Sha1>, registries: &[Registry], rebuilt: &mut Rebuilt) {
    let named: HashSet<&Sha1> = registries
        .iter()
        .flat_map(|registry| &registry.pack().releases)
        .map(|release| &release.sha1)
        .collect();
    if rebuilt.unreadable.is_empty() {
        rebuilt.unregistered = blobs
            .iter()
            .filter(|sha1| !named.contains(sha1))
            .copied()
            .collect();
        rebuilt.unregistered.sort_unstable();
    }
    for pack in registries.iter().map(Registry::pack) {
        for release in &pack.releases {
            if blobs.contains(&release.sha1) {
                continue;
            }
            let missing = Missing {
                pack: pack.pack.clone(),
                release: release.release,
                sha1: release.sha1,
            };
            log::error(
                "rebuild",
                &format!(
                    "release {} of {}: {} is not there",
                    missing.release, missing.pack, missing.sha1
                ),
            );
            rebuilt.missing.push(missing);
        }
    }
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
        if differs(&held, &record).is_none() {
            continue;
        }
        // What was published since the registry was read is no difference, nor is it to be undone.
        let Some(loaded) = platform.load(pack).await? else {
            continue;
        };
        let Some(record) = loaded.registry.current(channel, &config.public_url) else {
            continue;
        };
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
        // Readers get the bytes as they are.
        Held::Value { value, text } => {
            let same = serde_json::to_string(record).is_ok_and(|record| record == *text);
            (!same).then_some(Was::Other(value.sha1))
        }
    }
}
