//! The cron: whatever is due, was left behind, or was never announced. Late rather than never, and
//! twice does no harm.

use std::{collections::HashMap, convert::Infallible};

use edge::{Failure, clock, log};
use types::{
    Timestamp,
    config::PackConfig,
    pack::{Check, CheckState, Pointer},
};
use uuid::Uuid;
use worker::Object;

use crate::{
    change, collect,
    http::random_id,
    jobs::{self, Job},
    ports::Uploads as _,
    rebuild::{self, Rebuilt, Unreadable},
    registry::Registry,
    report::{Report, UploadCounts},
    store::{Platform, found_as, is_record, staging, upload_of},
    totals,
    uploads::{Found, LIFETIME, State},
};

/// How long an object or a release may wait for its message before the cron sends another, in
/// seconds.
const OVERDUE: i64 = 5 * 60;

/// How long after a look that found something wrong the next one is due, in seconds.
const FAILED: i64 = 60 * 60;

/// The messages of one sort that one run sends at most; the next one goes on.
const MESSAGES: usize = 20;

/// Does all of it. One part or pack that fails does not keep the others from being done; the error is
/// the last one's.
pub async fn sweep(
    platform: &Platform,
    config: &PackConfig,
    now: Timestamp,
) -> Result<(), Failure> {
    let mut sweep = Sweep {
        platform,
        config,
        now,
        checks: Vec::new(),
        report: Report::new(now),
        failed: Ok(()),
    };
    let before = platform.report().await;
    match rebuild::readable(platform).await {
        Ok((registries, unreadable)) => {
            sweep.report.look_at(&registries, unreadable.len());
            for registry in &registries {
                let published = sweep.publish_due(registry).await;
                sweep.note("publish", published);
                let looked = sweep.look_after_readers(registry).await;
                sweep.note("readers", looked);
            }
            // By the clock, as changes are dated, not by when the cron was due.
            let until = clock::now().plus_seconds(-OVERDUE);
            let owed = registries
                .iter()
                .flat_map(|registry| jobs::owed(registry, config, until));
            let (owed, checks) = (owed.collect(), std::mem::take(&mut sweep.checks));
            let sent = send_some(platform, owed, checks).await;
            sweep.note("messages", sent);
            sweep.collect(&registries, unreadable).await;
        }
        Err(failure) => sweep.note("registries", Err(failure)),
    }
    let came = incoming(platform, now, &mut sweep.report.uploads).await;
    sweep.note("incoming", came);
    let pruned = totals::prune(&platform.env, now).await;
    sweep.note("downloads", pruned);
    // What is wrong with the report of before does not keep the next one from being written.
    let before = before.unwrap_or_else(|failure| {
        log::warn("sweep", &failure.into_message());
        None
    });
    sweep.report.follow(before.as_ref());
    let kept = platform.keep_report(&sweep.report).await;
    sweep.note("report", kept);
    sweep.failed
}

struct Sweep<'a> {
    platform: &'a Platform,
    config: &'a PackConfig,
    now: Timestamp,
    /// Messages that have a release looked at.
    checks: Vec<Job>,
    report: Report,
    failed: Result<(), Failure>,
}

impl Sweep<'_> {
    fn note(&mut self, part: &str, result: Result<(), Failure>) {
        if let Err(failure) = result {
            self.report.fail(part);
            let message = failure.into_message();
            log::error("sweep", &format!("{part}: {message}"));
            self.failed = Err(Failure::internal(format!("{part}: {message}")));
        }
    }

    /// Collects what is old. While a registry cannot be read, it is not known what that names.
    async fn collect(&mut self, registries: &[Registry], unreadable: Vec<Unreadable>) {
        if let Some(unreadable) = unreadable.into_iter().next() {
            self.note("collection", Err(Failure::internal(unreadable.error)));
            return;
        }
        let (platform, config, now) = (self.platform, self.config, self.now);
        match collect::collect(platform, config, registries, now, "collection", false).await {
            // Another one is running: that is as good.
            Err(Failure::Problem { problem, .. }) => log::info("collection", &problem.detail),
            collected => self.note("collection", collected.map(drop)),
        }
    }

    /// Publishes what was scheduled for a time that has come.
    async fn publish_due(&self, registry: &Registry) -> Result<(), Failure> {
        let (platform, config, now) = (self.platform, self.config, self.now);
        if !registry.pack().scheduled.iter().any(|one| one.at <= now) {
            return Ok(());
        }
        let changed = change::change(platform, &registry.pack().pack, None, |registry| {
            // The cron may come late: it is published when it is, not when it was to be.
            Ok::<_, Infallible>(registry.publish_due(now.max(clock::now())))
        });
        let changed = changed.await?;
        let (registry, channels) = (changed.registry, changed.outcome);
        let url = &config.public_url;
        change::announce_all(platform, &registry, channels.iter(), url).await?;
        Ok(())
    }

    /// Puts KV right where it says something else than R2, and has releases looked at whose check
    /// got lost, or found something wrong that may be mended by now.
    async fn look_after_readers(&mut self, registry: &Registry) -> Result<(), Failure> {
        let mut rebuilt = Rebuilt::default();
        rebuild::repair(self.platform, self.config, registry, &mut rebuilt).await?;
        if let Some(told) = rebuilt.told() {
            log::warn("kv", &format!("{}: {told}", registry.pack().pack));
            self.report.kv_put_right += 1;
        }
        if !self.config.check_published {
            return Ok(());
        }
        for pointer in registry.pack().channels.values() {
            let due = registry
                .release(&pointer.sha1)
                .is_some_and(|release| is_check_due(&release.check, pointer, self.now));
            if due {
                let (pack, sha1) = (registry.pack().pack.clone(), pointer.sha1);
                self.checks.push(Job::Check { pack, sha1 });
            }
        }
        Ok(())
    }
}

/// From a random one on, so that what fails each time does not keep the rest from its turn.
fn in_turn(mut jobs: Vec<Job>) -> Result<Vec<Job>, Failure> {
    if jobs.len() > MESSAGES {
        let first = random_id()?.as_u128() % (jobs.len() as u128);
        jobs.rotate_left(usize::try_from(first).unwrap_or(0));
    }
    Ok(jobs)
}

/// Sends as many messages as one run may.
async fn send_some(platform: &Platform, first: Vec<Job>, then: Vec<Job>) -> Result<(), Failure> {
    let jobs = in_turn(first)?.into_iter().chain(in_turn(then)?);
    for job in jobs.take(MESSAGES) {
        jobs::send(&platform.env, &job).await?;
    }
    Ok(())
}

fn is_check_due(check: &Check, pointer: &Pointer, now: Timestamp) -> bool {
    let since = |at: Timestamp| now - at;
    match check.state {
        CheckState::Pending => since(pointer.published_at) > OVERDUE,
        CheckState::Failed => check.at.is_none_or(|at| since(at) > FAILED),
        CheckState::Verified => false,
    }
}

/// What lies in `incoming/`: takes up what no event announced, goes on with what was broken off,
/// and deletes what was given up.
async fn incoming(
    platform: &Platform,
    now: Timestamp,
    counts: &mut UploadCounts,
) -> Result<(), Failure> {
    let objects = platform.list(crate::store::INCOMING).await?;
    let mut forgotten = Vec::new();
    let mut uploads: HashMap<Uuid, bool> = HashMap::new();
    let (mut broken_off, mut found) = (Vec::new(), Vec::new());
    for object in &objects {
        let key = object.key();
        let age = now - clock::stored_at(object);
        if let Some(id) = upload_of(&key) {
            // An upload without its record is what an abort or a late part left.
            *uploads.entry(id).or_default() |= is_record(&key) || age <= LIFETIME;
        } else if key.starts_with(&staging()) {
            if age > LIFETIME {
                forgotten.push(key);
            }
        } else if age > OVERDUE {
            let news = news(platform, object, &key, now).await?;
            if news != News::None {
                counts.unannounced(age);
            }
            if news == News::Due {
                found.push(Job::Incoming { key });
            }
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
        if let Some((record, _)) = &loaded {
            counts.count(record, is_still_there(record, &objects), now);
        }
        match loaded {
            Some((record, _)) if record.has_expired(now) && !is_still_there(&record, &objects) => {
                platform.forget_upload(id).await?;
                log::info("upload", &format!("{id} of {} has expired", record.by));
            }
            Some((record, _)) if is_stuck(&record, now) => {
                broken_off.push(Job::Verify { upload: id });
            }
            None if !kept => platform.forget_upload(id).await?,
            _ => {}
        }
    }
    // Somebody waits for an upload in parts, and it expires; objects stay until they are taken in.
    send_some(platform, broken_off, found).await?;
    if !forgotten.is_empty() {
        log::info(
            "staging",
            &format!("{} abandoned uploads collected", forgotten.len()),
        );
    }
    platform.delete(forgotten).await?;
    Ok(())
}

/// What is to be done with an object in `incoming/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    /// Nothing, or it is for no pack.
    None,
    /// It is to be taken in, now.
    Due,
    /// It is to be taken in, was tried, and is to be tried again later.
    Later,
}

async fn news(
    platform: &Platform,
    object: &Object,
    key: &str,
    now: Timestamp,
) -> Result<News, Failure> {
    let Some(found) = found_as(object, key) else {
        return Ok(News::None);
    };
    Ok(match platform.load_upload(found.id()).await? {
        None => News::Due,
        Some((record, _)) if record.settles(&found) => News::None,
        // The same bytes were put again.
        Some((record, _)) if record.created_at < found.put_at => News::Due,
        Some((record, _)) if record.is_due_again(now) => News::Due,
        Some(_) => News::Later,
    })
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
