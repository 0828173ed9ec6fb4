//! Dynamic DNS for the home line, and health.
//!
//! State: the home's addresses, the log of every report and the time of the last cron, in D1
//! (`OPS_DB`). The routes are in `http`, the scheduled work in `cron`.

mod address;
mod alerts;
mod checks;
mod cron;
mod dyndns2;
mod health;
mod http;
#[allow(
    dead_code,
    unused_imports,
    reason = "what hosts send through it comes with the fan-out"
)]
mod providers;
mod report;
mod services;
mod store;
mod update;

use edge::{clock, config::Cached};
use types::config::DdnsConfig;
use worker::{Context, Env, Request, Response, ScheduleContext, ScheduledEvent, event};

const WORKER: &str = "ddns";

static CONFIG: Cached<DdnsConfig> = Cached::new();

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> worker::Result<Response> {
    edge::serve(WORKER, request, http::parse, async |route, request| {
        http::run(route, request, &env).await
    })
    .await
}

#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    edge::tick(WORKER, cron::run(&env, clock::scheduled(&event))).await;
}
