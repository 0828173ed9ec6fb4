//! `GET /api/health`: what KV and D1 say, asked at the same time, at most once in some seconds and
//! instance.

use std::{convert::Infallible, rc::Rc};

use edge::{Failure, Fresh, clock, log};
use futures::future::join;
use types::{config::StatusConfig, health::Health};
use worker::{Env, Request, Response};

use crate::{
    control,
    health::{Found, Kept, Recorded, health},
    history,
    store::{self, Store},
};

/// For how long an answer is given again, in milliseconds.
const KEEP_MS: i64 = 5000;

thread_local! {
    static LAST: Rc<Fresh<Health>> = Rc::default();
}

pub async fn answer(
    request: &Request,
    env: &Env,
    config: &StatusConfig,
) -> Result<Response, Failure> {
    let cache = LAST.with(Rc::clone);
    let read = async || Ok::<_, Infallible>(look(env, config).await);
    // Who keeps nothing of KV keeps none of this either.
    let keep_ms = KEEP_MS.min(i64::from(config.cache_seconds) * 1000);
    match cache.get(clock::millis(), keep_ms, read).await {
        Ok(got) => edge::health::answer(request, &got.value),
        Err(never) => match never {},
    }
}

async fn look(env: &Env, config: &StatusConfig) -> Health {
    let (kept, recorded) = join(told(kept(env, config)), told(recorded(env, config))).await;
    health(
        clock::now(),
        &Found { kept, recorded },
        config.kv_writes_per_day,
    )
}

/// What does not answer is a state and no error; why, the log says.
async fn told<T>(work: impl Future<Output = Result<T, Failure>>) -> Option<T> {
    let failed = |failure: Failure| log::error("health", &failure.into_message());
    work.await.map_err(failed).ok()
}

async fn kept(env: &Env, config: &StatusConfig) -> Result<Kept, Failure> {
    let started = clock::millis();
    let store = Store::new(env);
    let (snapshot, odd) = join(store.snapshot(), control::odd(env, config)).await;
    let (snapshot, odd) = (snapshot?, odd?);
    let millis = clock::millis() - started;
    let seen = config
        .targets
        .iter()
        .filter_map(|target| store::read(&snapshot.targets, target));
    Ok(Kept {
        millis,
        retrieved_at: seen.map(|seen| seen.retrieved_at).max(),
        writes: snapshot.writes,
        odd,
    })
}

async fn recorded(env: &Env, config: &StatusConfig) -> Result<Recorded, Failure> {
    let started = clock::millis();
    // A run writes a row for every target, so any of them tells.
    let target = config.targets.first().map(|target| &target.id);
    let at = history::last_minute(env, target).await?;
    Ok(Recorded {
        millis: clock::millis() - started,
        at,
    })
}
