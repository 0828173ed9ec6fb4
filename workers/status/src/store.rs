//! KV `STATUS_KV`: the key `status` holds the last observation of every target, as one value.

use std::collections::BTreeMap;

use edge::{Failure, kv::Entry, log};
use serde_json::value::RawValue;
use types::{
    TargetId,
    config::Target,
    status::{Observation, Snapshot, Version1},
};
use worker::Env;

use crate::{observe::without_names, snapshot};

const BINDING: &str = "STATUS_KV";
const KEY: &str = "status";

/// What is stored, each target as the text that it is stored as.
pub type Kept = BTreeMap<TargetId, Box<RawValue>>;

pub struct Store<'a> {
    env: &'a Env,
}

impl<'a> Store<'a> {
    pub fn new(env: &'a Env) -> Self {
        Self { env }
    }

    /// What is stored of the targets.
    pub async fn kept(&self) -> Result<Kept, Failure> {
        Ok(self.snapshot().await?.targets)
    }

    /// What is stored; nothing when the value cannot be read, which is logged.
    pub async fn snapshot(&self) -> Result<Snapshot<Box<RawValue>>, Failure> {
        Ok(parse(self.text().await?.as_deref()))
    }

    /// What is stored, as it is.
    pub async fn text(&self) -> Result<Option<String>, Failure> {
        self.entry()?.read_text().await
    }

    /// Writes it and gives what was written.
    pub async fn keep(&self, snapshot: &Snapshot) -> Result<String, Failure> {
        let written = self.entry()?.write(snapshot).await;
        snapshot::forget();
        written
    }

    fn entry(&self) -> Result<Entry<Snapshot>, Failure> {
        Entry::new(self.env, BINDING, KEY)
    }
}

/// Reads what is stored; nothing when it cannot be read, which is logged.
pub fn parse(text: Option<&str>) -> Snapshot<Box<RawValue>> {
    let nothing = Snapshot {
        v: Version1,
        targets: Kept::new(),
        dns: BTreeMap::new(),
        writes: None,
    };
    let Some(text) = text else {
        return nothing;
    };
    serde_json::from_str(text).unwrap_or_else(|error| {
        log::warn("kv", &format!("KV {KEY}: {error}"));
        nothing
    })
}

/// Reads one target of what is stored; of one with privacy without the names that may have been
/// stored before. What cannot be read is as good as nothing: it is logged, and the next run of the
/// cron replaces it.
pub fn read(kept: &Kept, target: &Target) -> Option<Observation> {
    let id = &target.id;
    let parsed = serde_json::from_str(kept.get(id)?.get());
    let mut seen: Observation = parsed
        .inspect_err(|error| log::warn("kv", &format!("KV {KEY}: target {id}: {error}")))
        .ok()?;
    if let Some(answer) = seen.answer.as_mut().filter(|_| target.privacy) {
        without_names(answer);
    }
    Some(seen)
}
