//! Dynamic DNS for the home line, and health.
//!
//! State: the home's addresses, the log of every report and the time of the last cron, in D1
//! (`OPS_DB`). The routes are in `http`.

mod address;
#[allow(dead_code, reason = "put in by the state machine of services")]
mod alerts;
#[allow(dead_code, unused_imports, reason = "run by the schedule of services")]
mod checks;
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
mod store;
mod update;

use edge::clock;
use worker::{Context, Env, Request, Response, ScheduleContext, ScheduledEvent, event};

use crate::store::Store;

const WORKER: &str = "ddns";

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> worker::Result<Response> {
    let answer =
        async |route: &http::Route, request: &Request| http::answer(*route, request, &env).await;
    edge::serve(WORKER, request, http::parse, answer).await
}

#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    let work = async { Store::new(&env)?.tick(clock::now()).await };
    edge::tick(WORKER, work).await;
}
