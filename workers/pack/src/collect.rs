//! Garbage collection: releases that are old and unused leave the registry, and blobs that no
//! registry names leave the bucket, each a grace period after it was last needed.
//!
//! An upload may find a blob there at the moment at which it is about to be deleted. So a
//! collection first writes down what it deletes, then looks at the registries once more, and then
//! deletes; an upload registers first and then reads what is written down (`ingest::keep_blob`).
//! R2 is strongly consistent, so at least one of the two sees the other. Two collections never run
//! at the same time: what is written down is also their lock.

use std::collections::HashSet;

use edge::{Failure, clock, log};
use serde::Serialize;
use types::{PackName, Sha1, Timestamp, config::PackConfig};

use crate::{
    change,
    registry::{Author, Registry, Retention},
    store::{Lock, Platform, blob_key, blob_of},
};

const DAY: i64 = 24 * 60 * 60;
/// What was downloaded within this time stays, in seconds.
const RECENT: i64 = 7 * DAY;
/// The blobs that one run deletes at most; the next one goes on.
const AT_ONCE: usize = 1000;

/// What a collection took, or would take: the body of its answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Collected {
    dry_run: bool,
    releases: Vec<OldRelease>,
    /// Their releases left earlier: a blob stays a grace period longer.
    blobs: Vec<OldBlob>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct OldRelease {
    pack: PackName,
    release: u32,
    sha1: Sha1,
    /// Bytes.
    size: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct OldBlob {
    sha1: Sha1,
    /// Bytes.
    size: u64,
}

/// Collects, or tells what would be collected. When it is not known what was downloaded lately,
/// nothing is.
pub async fn collect(
    platform: &Platform,
    config: &PackConfig,
    now: Timestamp,
    by: &str,
    dry_run: bool,
) -> Result<Collected, Failure> {
    let grace = config.gc_grace_days.saturating_mul(DAY);
    let downloaded = platform.downloaded_since(now.plus_seconds(-RECENT)).await?;
    let retention = Retention {
        newest: config.gc_keep_releases,
        uploaded_after: now.plus_seconds(-grace),
        downloaded,
    };
    let author = Author {
        name: by.to_owned(),
        at: now,
    };
    let mut releases = Vec::new();
    for registry in platform.registries().await? {
        releases.extend(old_releases(&registry, &retention));
        if !dry_run {
            take_out(platform, &registry, &retention, &author).await?;
        }
    }
    let blobs = old_blobs(platform, &retention).await?;
    if !dry_run && !blobs.is_empty() {
        delete(platform, &blobs, now).await?;
    }
    Ok(Collected {
        dry_run,
        releases,
        blobs,
    })
}

fn old_releases(registry: &Registry, retention: &Retention) -> Vec<OldRelease> {
    let old = registry.collectable(retention);
    let releases = old.iter().filter_map(|sha1| registry.release(sha1));
    releases
        .map(|release| OldRelease {
            pack: registry.pack().pack.clone(),
            release: release.release,
            sha1: release.sha1,
            size: release.size,
        })
        .collect()
}

async fn take_out(
    platform: &Platform,
    registry: &Registry,
    retention: &Retention,
    author: &Author,
) -> Result<(), Failure> {
    if registry.collectable(retention).is_empty() {
        return Ok(());
    }
    let pack = &registry.pack().pack;
    let changed = change::change(platform, pack, None, |registry| {
        Ok::<_, std::convert::Infallible>(registry.collect(retention, author))
    });
    let taken = changed.await?.outcome;
    log::info("collection", &format!("{} releases of {pack}", taken.len()));
    Ok(())
}

/// The blobs that nothing has named for the grace period.
async fn old_blobs(platform: &Platform, retention: &Retention) -> Result<Vec<OldBlob>, Failure> {
    // The blobs are listed first: one that is stored after this is not looked at.
    let blobs = platform.blobs().await?;
    let registries = platform.registries().await?;
    let is_old = |at: Timestamp| at <= retention.uploaded_after;
    let unused = |sha1: &Sha1| {
        !retention.downloaded.contains(sha1)
            && registries.iter().all(|registry| {
                registry.release(sha1).is_none() && registry.last_named(sha1).is_none_or(is_old)
            })
    };
    let old = blobs.iter().filter(|blob| is_old(clock::stored_at(blob)));
    let old = old.filter_map(|blob| Some((blob_of(&blob.key())?, blob.size())));
    Ok(old
        .filter(|(sha1, _)| unused(sha1))
        .map(|(sha1, size)| OldBlob { sha1, size })
        .take(AT_ONCE)
        .collect())
}

async fn delete(platform: &Platform, blobs: &[OldBlob], now: Timestamp) -> Result<(), Failure> {
    let doomed: HashSet<Sha1> = blobs.iter().map(|blob| blob.sha1).collect();
    let Lock::Taken = platform.begin_collection(now, &doomed).await? else {
        log::info("collection", "another one is running");
        return Ok(());
    };
    let deleted = async {
        let registries = platform.registries().await?;
        let named =
            |sha1: &Sha1| (registries.iter()).any(|registry| registry.release(sha1).is_some());
        let keys: Vec<String> = doomed
            .iter()
            .filter(|sha1| !named(sha1))
            .map(blob_key)
            .collect();
        let count = keys.len();
        platform.delete(keys).await?;
        Ok::<usize, Failure>(count)
    };
    let deleted = deleted.await;
    platform.end_collection().await?;
    log::info("collection", &format!("{} blobs", deleted?));
    Ok(())
}
