//! One run of the cron, each minute: its parts one after the other, none of which depends on
//! another's going well. That it ran is put on record when all of them went well: a run that was
//! ended before its end, or failed, is late in `/api/health`.

use edge::{Failure, clock, log};
use types::Timestamp;
use worker::Env;

use crate::{
    CONFIG,
    alerts::deliver::deliver_due,
    book::Ports,
    http::mark,
    plan,
    ports::{CRON_REQUESTS, Outside, Scheduled},
    refresh, services,
    store::Store,
};

/// What providers and services are sent in one run: the platform allows 50 requests, and alerts have
/// `alerts::deliver::MAX_A_RUN` of them.
const REQUESTS: u32 = 43;

/// The minute of each hour in which what is too old is taken away.
const PRUNING: i64 = 17;

/// Runs all parts at `now`, the moment for which the cron was due. What fails is told at the end,
/// all of it.
pub async fn run(env: &Env, now: Timestamp) -> Result<(), Failure> {
    let begun_ms = clock::millis();
    let told = tell(env, now).await;
    let left = REQUESTS - told.as_ref().map_or(CRON_REQUESTS, |sent| *sent);
    let parts = [
        told.map(drop),
        watch(env, now, left, begun_ms).await,
        // What this run has to tell is told in this run: it comes last.
        alerts(env, now).await,
        prune(env, now).await,
    ];
    let failed: Vec<_> = parts
        .into_iter()
        .filter_map(Result::err)
        .map(Failure::into_message)
        .collect();
    if failed.is_empty() {
        return Store::new(env).tick(now).await;
    }
    Err(Failure::internal(failed.join("; ")))
}

/// Tells the providers what they lack, or have not been told for long. Gives how many requests that
/// took.
async fn tell(env: &Env, now: Timestamp) -> Result<u32, Failure> {
    let config = CONFIG.get(env)?;
    let providers = Outside::new(env, config, CRON_REQUESTS);
    let ports = Ports {
        book: &Store::new(env),
        providers: &providers,
        clock: &Scheduled(now),
    };
    for warning in refresh::run(&ports, &mark()?, &config.hosts).await? {
        log::warn("expiry", &warning);
    }
    Ok(CRON_REQUESTS - providers.left())
}

/// Takes away what is too old, once an hour.
async fn prune(env: &Env, now: Timestamp) -> Result<(), Failure> {
    if now.as_seconds().div_euclid(60).rem_euclid(60) != PRUNING {
        return Ok(());
    }
    let duties: Vec<_> = CONFIG
        .get(env)?
        .hosts
        .iter()
        .flat_map(plan::duties)
        .collect();
    Store::new(env).prune(now, &duties).await
}

/// Checks the services, with at most so many requests.
async fn watch(env: &Env, now: Timestamp, left: u32, begun_ms: i64) -> Result<(), Failure> {
    let requests = services::REQUESTS_A_RUN.min(left);
    services::run(env, CONFIG.get(env)?, now, requests, begun_ms).await
}

/// Sends the alerts that are due.
async fn alerts(env: &Env, now: Timestamp) -> Result<(), Failure> {
    deliver_due(env, CONFIG.get(env)?, now).await
}
