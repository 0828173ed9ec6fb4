//! The cron: whatever is due, was left behind, or was never announced. Late rather than never, and
//! twice does no harm.

use std::{collections::HashMap, convert::Infallible};

use edge::{Failure, clock, log};
use types::{
    Timestamp,
    config::PackConfig,
    pack::{ChangeKind, CheckState, Uploaded},
};
use uuid::Uuid;
use worker::Object;

use crate::{
    change, collect,
    jobs::{self, Job},
    ports::Uploads as _,
    rebuild::{self, Rebuilt},
    registry::Registry,
    store::{Platform, found_as, is_record, staging, upload_of},
    uploads::{Found, LIFETIME, State},
};

/// How long an object or a release may wait for its message before the cron sends another, in
/// seconds.
const OVERDUE: i64 = 5 * 60;

/// The messages that one run sends at most; the next one goes on.
const MESSAGES: usize = 20;

/// Does all of it. One part that fails does not keep the others from being done; the error is the
/// last one's.
pub async fn sweep(
    platform: &Platform,
    config: &PackConfig,
    now: Timestamp,
) -> Result<(), Failure> {
    let mut failed = Ok(());
    let mut note = |part: &str, result: Result<(), Failure>| {
        if let Err(failure) = result {
            let message = failure.into_message();
            log::error("sweep", &format!("{part}: {message}"));
            failed = Err(Failure::internal(format!("{part}: {message}")));
        }
    };
    note("publish", publish_due(platform, config, now).await);
    note("readers", look_after_readers(platform, config, now).await);
    note("incoming", incoming(platform, now).await);
    let collected = collect::collect(platform, config, now, "collection", false).await;
    note("collection", collected.map(drop));
    failed
}

/// Publishes what was scheduled for a time that has come.
async fn publish_due(
    platform: &Platform,
    config: &PackConfig,
    now: Timestamp,
) -> Result<(), Failure> {
    for registry in platform.registries().await? {
        let is_due =
            |registry: &Registry| registry.pack().scheduled.iter().any(|one| one.at <= now);
        if !is_due(&registry) {
            continue;
        }
        let before = registry.pack().clone();
        let changed = change::change(platform, &before.pack, None, |registry| {
            Ok::<_, Infallible>(registry.publish_due(now))
        });
        let changed = changed.await?;
        let (registry, channels) = (changed.registry, changed.outcome);
        let url = &config.public_url;
        change::announce_all(platform, &registry, channels.iter(), url).await?;
        for channel in &channels {
            let Some(record) = registry.current(channel, url) else {
                continue;
            };
            let scheduled = before.scheduled.iter().find(|one| one.channel == *channel);
            let by = scheduled.map_or("", |one| one.by.as_str());
            let uploaded = Uploaded {
                published: true,
                previous: before.channels.get(channel).map(|pointer| pointer.sha1),
                warnings: Vec::new(),
                record,
                scheduled_at: None,
            };
            log::info(
                "publish",
                &format!("{} in {channel}, as scheduled", uploaded.record.sha1),
            );
            jobs::published(&platform.env, config, ChangeKind::Publish, &uploaded, by).await;
        }
    }
    Ok(())
}

/// Puts KV right where it says something else than R2, and has releases looked at whose check got
/// lost.
async fn look_after_readers(
    platform: &Platform,
    config: &PackConfig,
    now: Timestamp,
) -> Result<(), Failure> {
    let mut sent = 0;
    for registry in platform.registries().await? {
        let mut rebuilt = Rebuilt::default();
        rebuild::repair(platform, config, &registry, &mut rebuilt).await?;
        if let Some(told) = rebuilt.told() {
            log::warn("kv", &format!("{}: {told}", registry.pack().pack));
        }
        for pointer in registry.pack().channels.values() {
            let unseen = registry
                .release(&pointer.sha1)
                .is_some_and(|release| release.check.state == CheckState::Pending);
            let overdue = now - pointer.published_at > OVERDUE;
            if config.check_published && unseen && overdue && sent < MESSAGES {
                sent += 1;
                let (pack, sha1) = (registry.pack().pack.clone(), pointer.sha1);
                jobs::send(&platform.env, &Job::Check { pack, sha1 }).await?;
            }
        }
    }
    Ok(())
}

/// What lies in `incoming/`: takes up what no event announced, goes on with what was broken off,
/// and deletes what was given up.
async fn incoming(platform: &Platform, now: Timestamp) -> Result<(), Failure> {
    let objects = platform.list(crate::store::INCOMING).await?;
    let mut forgotten = Vec::new();
    let mut uploads: HashMap<Uuid, bool> = HashMap::new();
    let mut jobs = Vec::new();
    for object in &objects {
        let key = object.key();
        let age = now - clock::stored_at(object);
        if let Some(id) = upload_of(&key) {
            // An upload without its record is what an abort or a late part left.
            *uploads.entry(id).or_insert(age <= LIFETIME) |= is_record(&key) || age <= LIFETIME;
        } else if key.starts_with(&staging()) {
            if age > LIFETIME {
                forgotten.push(key);
            }
        } else if age > OVERDUE && is_new(platform, object, &key).await? {
            jobs.push(Job::Incoming { key });
        }
    }
    for (id, kept) in uploads {
        let loaded = match platform.load_upload(id).await {
            Ok(loaded) => loaded,
            Err(error) => {
                log::error("upload", &error.0);
                continue;
            }
        };
        match loaded {
            Some((record, _)) if record.has_expired(now) && !is_still_there(&record, &objects) => {
                platform.forget_upload(id).await?;
                log::info("upload", &format!("{id} of {} has expired", record.by));
            }
            Some((record, _)) if is_stuck(&record, now) => {
                jobs.push(Job::Verify { upload: id });
            }
            None if !kept => platform.forget_upload(id).await?,
            _ => {}
        }
    }
    for job in jobs.iter().take(MESSAGES) {
        jobs::send(&platform.env, job).await?;
    }
    if !forgotten.is_empty() {
        log::info(
            "staging",
            &format!("{} abandoned uploads collected", forgotten.len()),
        );
    }
    platform.delete(forgotten).await?;
    Ok(())
}

/// Whether an object is for a pack and was not refused: what was taken in does not stay either.
async fn is_new(platform: &Platform, object: &Object, key: &str) -> Result<bool, Failure> {
    let Some(found) = found_as(object, key) else {
        return Ok(false);
    };
    let known = platform.load_upload(found.id()).await?;
    Ok(known.is_none_or(|(record, _)| record.state != State::Rejected))
}

/// Whether a verification of an upload in parts broke off.
fn is_stuck(record: &crate::uploads::Record, now: Timestamp) -> bool {
    let in_parts = record.parts() > 0;
    in_parts && record.state == State::Verifying && !record.is_being_verified(now)
}

/// Whether the object that a record tells of is there: a rejected one stays, and so does its record,
/// or it would be looked at again each day.
fn is_still_there(record: &crate::uploads::Record, objects: &[Object]) -> bool {
    let is_it = |found: Found| found.id() == record.id;
    let found = |object: &Object| found_as(object, &object.key()).is_some_and(is_it);
    record.parts() == 0 && objects.iter().any(found)
}
