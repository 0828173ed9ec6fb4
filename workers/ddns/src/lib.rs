//! Dynamic DNS for the home line, and health.
//!
//! State, in D1 (`OPS_DB`): the home's addresses, the log of every report, what each DNS provider
//! has of them, and the time of the last cron. The routes are in `http`, the scheduled work in `cron`.
//! A report goes from `update` (what was sent) through `address` and `report` (what can be taken of
//! it) to `intake`, which puts it into the `book` and lets `fanout` tell the providers; `plan` says
//! who is to be told when, `refresh` is the cron's part. `store`, `ports` and `providers` reach the
//! outside.

mod address;
mod alerts;
mod book;
mod checks;
mod cron;
mod dyndns2;
mod fanout;
mod health;
mod http;
mod intake;
mod limits;
mod plan;
mod ports;
mod providers;
mod refresh;
mod report;
mod services;
mod store;
mod truth;
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
