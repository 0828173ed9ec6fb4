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
use types::{Code, PackName, Sha1, Timestamp, config::PackConfig};

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

/// Collects, or tells what would be collected, as far as all `registries` tell: what has changed
/// since is looked at again before anything goes. When it is not known what was downloaded lately,
/// nothing is.
pub async fn collect(
    platform: &Platform,
    config: &PackConfig,
    registries: &[Registry],
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
        // The cron may come late.
        at: now.max(clock::now()),
    };
    let mut releases = Vec::new();
    for registry in registries {
        let mut old = registry.collectable(&retention);
        if !dry_run && !old.is_empty() {
            old = take_out(platform, &registry.pack().pack, &retention, &author).await?;
        }
        releases.extend(old.iter().filter_map(|sha1| old_release(registry, sha1)));
    }
    // What was taken out just now is still in these registries: its blob stays for now.
    let mut blobs = old_blobs(platform, registries, &retention).await?;
    if !dry_run && !blobs.is_empty() {
        blobs = delete(platform, blobs, &retention).await?;
    }
    Ok(Collected {
        dry_run,
        releases,
        blobs,
    })
}

fn old_release(registry: &Registry, sha1: &Sha1) -> Option<OldRelease> {
    let release = registry.release(sha1)?;
    Some(OldRelease {
        pack: registry.pack().pack.clone(),
        release: release.release,
        sha1: release.sha1,
        size: release.size,
    })
}

async fn take_out(
    platform: &Platform,
    pack: &PackName,
    retention: &Retention,
    author: &Author,
) -> Result<Vec<Sha1>, Failure> {
    let changed = change::change(platform, pack, None, |registry| {
        Ok::<_, std::convert::Infallible>(registry.collect(retention, author))
    });
    let taken = changed.await?.outcome;
    log::info("collection", &format!("{} releases of {pack}", taken.len()));
    Ok(taken)
}

/// The blobs that nothing has named for the grace period, as far as these registries tell.
async fn old_blobs(
    platform: &Platform,
    registries: &[Registry],
    retention: &Retention,
) -> Result<Vec<OldBlob>, Failure> {
    let blobs = platform.blobs().await?;
    let old = blobs
        .iter()
        .filter(|blob| is_old(clock::stored_at(blob), retention));
    let old = old.filter_map(|blob| Some((blob_of(&blob.key())?, blob.size())));
    Ok(old
        .filter(|(sha1, _)| is_unused(sha1, registries, retention))
        .map(|(sha1, size)| OldBlob { sha1, size })
        .take(AT_ONCE)
        .collect())
}

fn is_old(at: Timestamp, retention: &Retention) -> bool {
    at <= retention.uploaded_after
}

fn is_unused(sha1: &Sha1, registries: &[Registry], retention: &Retention) -> bool {
    let unnamed = |registry: &Registry| {
        let last = registry.last_named(sha1);
        registry.release(sha1).is_none() && last.is_none_or(|at| is_old(at, retention))
    };
    !retention.downloaded.contains(sha1) && registries.iter().all(unnamed)
}

/// Deletes those of them that still nothing names; gives these.
async fn delete(
    platform: &Platform,
    blobs: Vec<OldBlob>,
    retention: &Retention,
) -> Result<Vec<OldBlob>, Failure> {
    let doomed: HashSet<Sha1> = blobs.iter().map(|blob| blob.sha1).collect();
    // By the clock, not by when the cron was due: others compare it with theirs.
    let Lock::Taken = platform.begin_collection(clock::now(), &doomed).await? else {
        let detail = "another collection is running, or was broken off a few minutes ago";
        return Err(Failure::new(Code::Conflict, detail));
    };
    let deleted = async {
        let registries = platform.registries().await?;
        let unused = |blob: &OldBlob| is_unused(&blob.sha1, &registries, retention);
        let unused: Vec<OldBlob> = blobs.into_iter().filter(unused).collect();
        let keys = unused.iter().map(|blob| blob_key(&blob.sha1)).collect();
        platform.delete(keys).await?;
        Ok::<_, Failure>(unused)
    };
    let deleted = deleted.await;
    platform.end_collection().await?;
    let deleted = deleted?;
    log::info("collection", &format!("{} blobs", deleted.len()));
    Ok(deleted)
}
