//! `status`: pings Minecraft servers by cron and serves the cached answer.
//!
//! Routes (`openapi.yaml`, tag *status*): `GET /api/status`, `GET /api/status/<target>`. State: the
//! key `status` of KV `STATUS_KV` holds the last observation of every target; only the cron writes
//! it, and a reader never causes a ping. This file wires the events; `http` reads requests, `round`
//! is one run of the cron, `resolve`, `ping`, `observe`, `news`, `governor` and `answer` decide,
//! `store`, `doh` and `tcp` reach the outside, `memory` is what an instance knows of its last run.

mod allowance;
mod answer;
mod dns;
mod doh;
mod governor;
mod http;
mod memory;
mod news;
mod observe;
mod ping;
mod proxy;
mod resolve;
mod round;
mod store;
mod tcp;
mod view;

use edge::config::Cached;
use types::config::StatusConfig;
use worker::{Context, Env, Request, Response, ScheduleContext, ScheduledEvent, event};

static CONFIG: Cached<StatusConfig> = Cached::new();

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> worker::Result<Response> {
    edge::serve("status", request, http::parse, async |route, request| {
        http::run(route, request, &env, CONFIG.get(&env)?).await
    })
    .await
}

#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    edge::tick("status", async {
        round::run(&env, CONFIG.get(&env)?).await.map(drop)
    })
    .await;
}
