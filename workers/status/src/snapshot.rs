//! The stored observations as readers get them: read of KV once in some seconds and instance, and
//! each target's parsed when it is first asked for.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use edge::{Failure, clock, log};
use types::{
    TargetId,
    config::{StatusConfig, Target},
    status::Observation,
};
use worker::Env;

use crate::{
    cache::Fresh,
    store::{self, Kept, Store},
};

thread_local! {
    static LATEST: Rc<Fresh<Snapshot>> = Rc::default();
}

/// One value of KV.
pub struct Snapshot {
    kept: Kept,
    parsed: RefCell<BTreeMap<TargetId, Option<Rc<Observation>>>>,
}

impl Snapshot {
    /// What is stored, at most `cache_seconds` after it was read.
    pub async fn latest(env: &Env, config: &StatusConfig) -> Result<Rc<Self>, Failure> {
        let cache = LATEST.with(Rc::clone);
        let keep_ms = i64::from(config.cache_seconds) * 1000;
        let read = async || Store::new(env).kept().await.map(Self::from);
        let got = cache.get(clock::millis(), keep_ms, read).await?;
        if let Some(failure) = got.error {
            log::warn("kv", &failure.into_message());
        }
        Ok(got.value)
    }

    /// The last observation of a target; `None` before its first ping.
    pub fn observation(&self, target: &Target) -> Option<Rc<Observation>> {
        let mut parsed = self.parsed.borrow_mut();
        let read = || store::read(&self.kept, target).map(Rc::new);
        parsed.entry(target.id.clone()).or_insert_with(read).clone()
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

/// Makes the next reader of this instance read KV: something else was written.
pub fn forget() {
    LATEST.with(|latest| latest.forget());
}
