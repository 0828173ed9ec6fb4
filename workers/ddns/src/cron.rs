//! One run of the cron, each minute: its parts one after the other, none of which depends on
//! another's going well.

use edge::{Failure, log};
use types::Timestamp;
use worker::Env;

use crate::{
    CONFIG,
    book::Ports,
    http::mark,
    ports::{CRON_REQUESTS, Outside, Scheduled},
    refresh,
    store::Store,
};

/// The minute of each hour in which what is too old is taken away.
const PRUNING: i64 = 17;

/// Runs all parts at `now`, the moment for which the cron was due. What fails is told at the end,
/// all of it.
pub async fn run(env: &Env, now: Timestamp) -> Result<(), Failure> {
    let parts = [
        tick(env, now).await,
        tell(env, now).await,
        prune(env, now).await,
    ];
    let failed: Vec<_> = parts
        .into_iter()
        .filter_map(Result::err)
        .map(Failure::into_message)
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::internal(failed.join("; ")))
}

/// Puts on record that the cron ran.
async fn tick(env: &Env, now: Timestamp) -> Result<(), Failure> {
    Store::new(env).tick(now).await
}

/// Tells the providers what they lack, or have not been told for long.
async fn tell(env: &Env, now: Timestamp) -> Result<(), Failure> {
    let config = CONFIG.get(env)?;
    let ports = Ports {
        book: &Store::new(env),
        providers: &Outside::new(env, config, CRON_REQUESTS),
        clock: &Scheduled(now),
    };
    for warning in refresh::run(&ports, &mark()?, &config.hosts).await? {
        log::warn("expiry", &warning);
    }
    Ok(())
}

async fn prune(env: &Env, now: Timestamp) -> Result<(), Failure> {
    if now.as_seconds().div_euclid(60).rem_euclid(60) != PRUNING {
        return Ok(());
    }
    Store::new(env).prune(now).await
}
