//! `pack`: a registry of Minecraft resource packs and the download itself.
//!
//! Routes (`openapi.yaml`, tag *pack*): `GET /api/pack/latest`, `GET /packs/<sha1>.zip`,
//! `GET /api/packs`, `GET|PUT /api/packs/<pack>`, and for Polymath's clients `POST /upload`,
//! `GET /pack.zip`. State: R2 `PACKS` is the truth, KV `PACK_KV` a
//! cache of it. This file wires the events; `http` reads requests, `ingest`, `registry` and
//! `archive` decide, `store` keeps.

mod archive;
mod download;
mod http;
mod ingest;
mod latest;
mod polymath;
mod ports;
mod registry;
mod render;
mod store;
mod sweep;

use edge::config::Cached;
use types::config::PackConfig;
use worker::{Context, Env, Request, Response, ScheduleContext, ScheduledEvent, event};

static CONFIG: Cached<PackConfig> = Cached::new();

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> worker::Result<Response> {
    edge::serve("pack", request, http::parse, async |route, request| {
        http::run(route, request, &env, CONFIG.get(&env)?).await
    })
    .await
}

#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    edge::tick("pack", sweep::sweep(&env, edge::clock::now())).await;
}
