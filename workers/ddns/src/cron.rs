//! One run of the cron, each minute: its parts one after the other, none of which depends on
//! another's going well.

use edge::Failure;
use types::Timestamp;
use worker::Env;

use crate::{
    CONFIG,
    alerts::deliver::{MAX_A_RUN, deliver_due},
    services,
    store::Store,
};

/// Runs all parts at `now`, the moment for which the cron was due. What fails is told at the end,
/// all of it.
pub async fn run(env: &Env, now: Timestamp) -> Result<(), Failure> {
    // What this run has to tell is told in this run: it comes last.
    let parts = [
        tick(env, now).await,
        watch(env, now).await,
        alerts(env, now).await,
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
    Store::new(env)?.tick(now).await
}

/// Checks the services.
async fn watch(env: &Env, now: Timestamp) -> Result<(), Failure> {
    services::run(env, CONFIG.get(env)?, now, services::CHECKS_A_RUN).await
}

/// Sends the alerts that are due.
async fn alerts(env: &Env, now: Timestamp) -> Result<(), Failure> {
    deliver_due(env, CONFIG.get(env)?, now, MAX_A_RUN).await
}
