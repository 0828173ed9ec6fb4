//! `pack`: a registry of Minecraft resource packs and the download itself.
//!
//! Routes: `http` (`openapi.yaml`, tag *pack*). State: R2 `PACKS` is the truth, KV `PACK_KV` a
//! cache of it; what nobody waits for goes through the queue `PACK_QUEUE`. This file wires the
//! events; `http` reads requests and `jobs` messages, `ingest`, `uploads`, `registry` and `archive`
//! decide, `store` keeps.

mod archive;
mod change;
mod check;
mod collect;
mod download;
mod health;
mod http;
mod ingest;
mod jobs;
mod latest;
#[cfg(test)]
mod memory;
mod metrics;
mod polymath;
mod ports;
mod rebuild;
mod registry;
mod render;
mod report;
mod stats;
mod store;
mod sweep;
mod tally;
mod totals;
mod unpacked;
mod uploads;
mod variant;
mod webhook;

use edge::config::Cached;
use types::config::PackConfig;
use worker::{Context, Env, MessageBatch, ScheduleContext, ScheduledEvent, event, web_sys};

use crate::store::Platform;

const WORKER: &str = "pack";
static CONFIG: Cached<PackConfig> = Cached::new();

#[event(fetch)]
async fn fetch(
    request: web_sys::Request,
    env: Env,
    context: Context,
) -> worker::Result<web_sys::Response> {
    if let Some(kept) = latest::kept(&request) {
        return Ok(kept);
    }
    let answer = edge::serve(
        WORKER,
        request.into(),
        http::parse,
        async |route, request| http::run(route, request, &env, &context, CONFIG.get(&env)?).await,
    );
    Ok(answer.await?.into())
}

#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    let now = edge::clock::scheduled(&event);
    let work = async {
        let platform = Platform::new(&env)?;
        sweep::sweep(&platform, CONFIG.get(&env)?, now).await
    };
    edge::tick("pack", work).await;
}

#[event(queue)]
async fn queue(batch: MessageBatch<()>, env: Env, _context: Context) -> worker::Result<()> {
    let config = CONFIG.get(&env);
    let config = config.map_err(|failure| worker::Error::from(failure.into_message()))?;
    edge::queue::consume(&batch, async |message| {
        jobs::handle(&env, config, message).await
    })
    .await;
    Ok(())
}
