//! What is done after the answer, through the queue `PACK_QUEUE`: R2's events, long verifications,
//! the look at what was published, and webhooks.
//!
//! Messages come at least once and in any order, so each names what to look at, never what to do
//! with it: what is found then decides. One that no time will mend is delivered again without
//! delay until the queue moves it to its dead-letter queue; each time, the log says why. A message
//! that is lost costs nothing: the cron (`sweep`) finds what it would have announced, and what the
//! webhook was not told of a publication. Only word of a refusal is not sent again.

use std::convert::Infallible;

use edge::{
    Failure, clock, log,
    queue::{self, Outcome},
};
use serde::{Deserialize, Serialize};
use types::{PackName, Sha1, Timestamp, config::PackConfig};
use uuid::Uuid;
use worker::Env;

use crate::{
    change, check,
    http::random_id,
    ingest::IngestError,
    registry::{Numbered, Registry, is_told},
    store::{Platform, is_own},
    uploads::{
        Found, Record,
        flow::{self, Verdict},
    },
    webhook::{self, Notice, Publication},
};

/// The binding.
const QUEUE: &str = "PACK_QUEUE";

/// A message of this worker to itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Job {
    /// An upload in parts is complete.
    Verify { upload: Uuid },
    /// An object was put into `incoming/`, and no event told of it.
    Incoming { key: String },
    /// A release was published for the first time.
    Check { pack: PackName, sha1: Sha1 },
    /// Somebody wants to know.
    Notify(Box<Notice>),
}

/// A message of R2 (*Event notifications*, "Message format"), as far as it is used.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct R2Event {
    action: String,
    object: R2Object,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct R2Object {
    key: String,
}

/// What a message is.
#[derive(Debug, Clone, PartialEq)]
enum Message {
    Job(Job),
    /// There is something under this key, or was.
    Put(String),
    /// Something went away: nothing is to be done.
    Removed,
    Poison(String),
}

impl Message {
    fn read(message: &str) -> Self {
        let Ok(event) = serde_json::from_str::<R2Event>(message) else {
            let poison = |error: serde_json::Error| Self::Poison(error.to_string());
            return serde_json::from_str(message).map_or_else(poison, Self::Job);
        };
        match event.action.as_str() {
            "PutObject" | "CopyObject" | "CompleteMultipartUpload" => Self::Put(event.object.key),
            "DeleteObject" | "LifecycleDeletion" => Self::Removed,
            other => Self::Poison(format!("unknown action {other:?}")),
        }
    }
}

/// Puts a message into the queue.
pub async fn send(env: &Env, message: &impl Serialize) -> Result<(), Failure> {
    queue::send(env, QUEUE, message).await
}

/// Sends what nobody waits for. That it fails is logged; the cron makes up for it.
async fn send_soon(env: &Env, job: Job) {
    if let Err(failure) = send(env, &job).await {
        log::warn("queue", &failure.into_message());
    }
}

/// After changes were saved: each is logged, and what was published is looked at and told.
pub async fn follow_up(env: &Env, registry: &Registry, changes: &[Numbered<'_>]) {
    let pack = &registry.pack().pack;
    for (_, change) in changes {
        log::data("change", pack.as_str(), change);
    }
    let config = match crate::CONFIG.get(env) {
        Ok(config) => config,
        Err(failure) => return log::error("queue", &failure.into_message()),
    };
    for (number, change) in changes {
        let Some(sha1) = change.after.filter(|_| is_told(change)) else {
            continue;
        };
        if config.check_published {
            let pack = pack.clone();
            send_soon(env, Job::Check { pack, sha1 }).await;
        }
        if config.webhook_url.is_some()
            && let Some(notice) = Notice::published(registry, *number, change, &config.public_url)
        {
            send_soon(env, Job::Notify(Box::new(notice))).await;
        }
    }
}

/// The messages about what was published before `until` and nobody was told of since.
pub fn owed(registry: &Registry, config: &PackConfig, until: Timestamp) -> Vec<Job> {
    let owed = registry.owed().into_iter();
    owed.filter(|(_, change)| change.at < until)
        .filter_map(|(number, change)| {
            Notice::published(registry, number, change, &config.public_url)
        })
        .map(|notice| Job::Notify(Box::new(notice)))
        .collect()
}

/// What was refused, from whom, and why.
pub struct Refusal<'a> {
    pub pack: &'a PackName,
    pub by: String,
    pub at: Timestamp,
    pub reason: String,
}

/// After bytes were refused. When the queue does not take it, nobody is told.
pub async fn refused(env: &Env, config: &PackConfig, refusal: Refusal<'_>) {
    if config.webhook_url.is_none() {
        return;
    }
    match random_id() {
        Ok(id) => send_soon(env, Job::Notify(Box::new(Notice::refused(id, &refusal)))).await,
        Err(failure) => log::error("webhook", &failure.into_message()),
    }
}

/// Takes in what an upload has brought, and tells who wants to know.
pub async fn verify(
    platform: &Platform,
    config: &PackConfig,
    record: &Record,
) -> Result<Verdict, IngestError> {
    let now = clock::now();
    let verdict = flow::verify(platform, record, &config.public_url, now).await?;
    let env = &platform.env;
    let about = format!("upload {} of {}", record.id, record.by);
    match &verdict {
        Verdict::Ready { uploaded, .. } => {
            log::info("upload", &format!("{about}: {}", uploaded.record.sha1));
        }
        Verdict::Rejected { reason } => {
            log::warn("upload", &format!("{about} rejected: {reason}"));
            let refusal = Refusal {
                pack: &record.pack,
                by: record.by.clone(),
                at: now,
                reason: reason.clone(),
            };
            refused(env, config, refusal).await;
        }
        Verdict::Gone => log::info("upload", &format!("{about}: gone, or replaced")),
    }
    Ok(verdict)
}

/// Handles one message of the queue.
pub async fn handle(env: &Env, config: &PackConfig, message: &str) -> Outcome {
    let result = match Message::read(message) {
        Message::Job(Job::Verify { upload }) => verify_parts(env, config, upload).await,
        Message::Job(Job::Incoming { key }) | Message::Put(key) => {
            take_incoming(env, config, &key).await
        }
        Message::Job(Job::Check { pack, sha1 }) => check::check(env, config, &pack, &sha1).await,
        Message::Job(Job::Notify(notice)) => notify(env, config, &notice).await,
        Message::Removed => Ok(()),
        Message::Poison(error) => {
            log::error("queue", &format!("a message that is none: {error}"));
            return Outcome::Poison;
        }
    };
    match result {
        Ok(()) => Outcome::Done,
        Err(failure) => {
            log::error("queue", &failure.into_message());
            Outcome::Again
        }
    }
}

/// From here on the queue looks after it: that it is owed is forgotten, then it is delivered.
async fn notify(env: &Env, config: &PackConfig, notice: &Notice) -> Result<(), Failure> {
    if let Some(Publication { pack, number }) = notice.publication() {
        let platform = Platform::new(env)?;
        let settled = change::change(&platform, pack, None, |registry| {
            registry.settle(*number);
            Ok::<_, Infallible>(())
        });
        // Otherwise the cron sends it once more, under the same id.
        if let Err(error) = settled.await {
            log::warn("webhook", &Failure::from(error).into_message());
        }
    }
    webhook::deliver(env, config, notice).await
}

async fn verify_parts(env: &Env, config: &PackConfig, upload: Uuid) -> Result<(), Failure> {
    let platform = Platform::new(env)?;
    if let Some(record) = flow::take_up(&platform, upload, clock::now()).await? {
        verify(&platform, config, &record).await?;
    }
    Ok(())
}

/// Takes in what lies under a key at this moment, whatever the message was about.
async fn take_incoming(env: &Env, config: &PackConfig, key: &str) -> Result<(), Failure> {
    let Some(pack) = Found::pack_of(key) else {
        let message = format!("{key:?} is not incoming/<pack>/<name>.zip");
        if !is_own(key) {
            log::warn("incoming", &message);
        }
        return Ok(());
    };
    let platform = Platform::new(env)?;
    let Some(found) = platform.found(key, pack).await? else {
        log::info("incoming", &format!("{key} is gone"));
        return Ok(());
    };
    if let Some(record) = flow::discover(&platform, &found, clock::now()).await? {
        verify(&platform, config, &record).await?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "jobs_tests.rs"]
mod tests;
