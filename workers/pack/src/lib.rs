//! `pack`: a registry of Minecraft resource packs and the download itself.
//!
//! Routes (`openapi.yaml`, tag *pack*): `GET /api/pack/latest`, `GET /packs/<sha1>.zip`,
//! `GET /api/packs`, `GET|PUT /api/packs/<pack>`. State: R2 `PACKS` is the truth, KV `PACK_KV` a
//! cache of it. This file wires the events; `http` reads requests, `ingest`, `registry` and
//! `archive` decide, `store` keeps.

mod archive;
mod download;
mod http;
mod ingest;
mod latest;
mod ports;
mod registry;
mod stats;
mod store;
mod sweep;
mod tally;
mod variant;

use edge::config::Cached;
use types::config::PackConfig;
use worker::{Context, Env, ScheduleContext, ScheduledEvent, event, web_sys};

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
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    edge::tick("pack", sweep::sweep(&env, edge::clock::now())).await;
}
