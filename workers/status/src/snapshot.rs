//! The stored observations as readers get them, and the control document over them: read of KV once
//! in some seconds and instance, and each target's parsed when it is first asked for.

use std::{cell::RefCell, collections::BTreeMap, convert::Infallible, rc::Rc};

use edge::{Failure, Fresh, clock, log};
use types::{
    Code, Sha1, TargetId,
    config::{StatusConfig, Target},
    control::Document,
    status::Observation,
};
use worker::Env;

use crate::{
    control,
    store::{self, Kept, Store},
};

thread_local! {
    static LATEST: Rc<Fresh<Snapshot>> = Rc::default();
    static DOCUMENT: Rc<Fresh<Rc<Document>>> = Rc::default();
}

/// One value of KV.
pub struct Snapshot {
    kept: Kept,
    parsed: RefCell<BTreeMap<TargetId, Option<Rc<Seen>>>>,
}

/// What is stored of one target.
pub struct Seen {
    pub observation: Observation,
    /// Stands for all of it in an entity tag; not for what is private and so not shown.
    pub digest: String,
}

impl Snapshot {
    /// What is stored, at most `cache_seconds` after it was read.
    pub async fn latest(env: &Env, config: &StatusConfig) -> Result<Rc<Self>, Failure> {
        let cache = LATEST.with(Rc::clone);
        let read = async || Store::new(env).kept().await.map(Self::from);
        let got = cache.get(clock::millis(), keep_ms(config), read).await;
        let got = got.map_err(silent)?;
        if let Some(failure) = got.error {
            log::warn("kv", &failure.into_message());
        }
        Ok(got.value)
    }

    /// The last observation of a target; `None` before its first ping.
    pub fn seen(&self, target: &Target) -> Option<Rc<Seen>> {
        let mut parsed = self.parsed.borrow_mut();
        let read = || store::read(&self.kept, target).map(Seen::of).map(Rc::new);
        parsed.entry(target.id.clone()).or_insert_with(read).clone()
    }
}

/// What is said of a KV that does not answer where nothing is known yet: it may answer the next time.
fn silent(failure: Failure) -> Failure {
    log::error("kv", &failure.into_message());
    let detail = "the store of the last status does not answer; try again";
    Failure::new(Code::Unavailable, detail).with_header("Retry-After", "10")
}

impl Seen {
    fn of(observation: Observation) -> Self {
        // What was just read from JSON can be written as JSON.
        let text = serde_json::to_string(&observation).unwrap_or_default();
        Self {
            observation,
            digest: Sha1::of(text.as_bytes()).to_string(),
        }
    }
}

impl From<Kept> for Snapshot {
    fn from(kept: Kept) -> Self {
        Self {
            kept,
            parsed: RefCell::default(),
        }
    }
}

/// The control document in force, read as often as the snapshot.
pub async fn document(env: &Env, config: &StatusConfig) -> Rc<Document> {
    let cache = DOCUMENT.with(Rc::clone);
    let read = async || Ok::<_, Infallible>(control::in_force(env).await);
    match cache.get(clock::millis(), keep_ms(config), read).await {
        Ok(got) => Rc::clone(&got.value),
        Err(never) => match never {},
    }
}

fn keep_ms(config: &StatusConfig) -> i64 {
    i64::from(config.cache_seconds) * 1000
}

/// Makes the next reader of this instance read KV: something else was written.
pub fn forget() {
    LATEST.with(|latest| latest.forget());
    DOCUMENT.with(|document| document.forget());
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;
    use crate::observe::tests::{answered_at, target};

    fn seen(target: &Target, at: i64) -> Rc<Seen> {
        let text = serde_json::to_string(&answered_at(at)).unwrap();
        let raw = RawValue::from_string(text).unwrap();
        let snapshot = Snapshot::from(Kept::from([(target.id.clone(), raw)]));
        snapshot.seen(target).unwrap()
    }

    #[test]
    fn the_digest_stands_for_what_is_shown_and_not_for_what_is_private() {
        let private = Target {
            privacy: true,
            ..target()
        };
        let open = seen(&target(), 0);
        assert_eq!(open.observation, answered_at(0));
        assert_eq!(open.digest, seen(&target(), 0).digest);
        assert_ne!(open.digest, seen(&target(), 1).digest);
        assert_ne!(open.digest, seen(&private, 0).digest);
        let text = serde_json::to_string(&seen(&private, 0).observation).unwrap();
        assert!(!text.contains("Notch"), "{text}");
    }

    #[test]
    fn what_cannot_be_read_is_not_there() {
        let raw = RawValue::from_string("7".to_owned()).unwrap();
        let snapshot = Snapshot::from(Kept::from([("other".parse().unwrap(), raw)]));
        assert!(snapshot.seen(&target()).is_none());
    }
}
