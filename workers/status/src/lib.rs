//! `status`: pings Minecraft servers by cron and serves the cached answer.
//!
//! Routes (`openapi.yaml`, tag *status*): `GET /api/status`, `/api/status/<target>`,
//! `/v2/status/java/<address>`, `/3/<address>`, `/icon`, `/icon/<target>`,
//! `/badge/status/<target>.svg`, `/api/history/<target>`, `/metrics`, `/health`, `/api/health`, and
//! those of `control`, which is what operators want players to see and has a state of its own. State:
//! the key `status` of KV `STATUS_KV` holds the last observation of every target, the table `samples`
//! of D1 `STATUS_DB` its history, `kv_writes` the day's count; only the cron writes them, and a reader
//! never causes a ping. This file wires the events; `http` reads requests, `snapshot` remembers what was read, `view`, `views`
//! and `health` are what is served; `round` is one run of the cron, `resolve`, `ping`, `observe`,
//! `news`, `governor` and `answer` decide, `history` records; `store`, `ledger`, `doh` and `tcp` reach the
//! outside, `memory` is what an instance knows of its last run.

mod allowance;
mod answer;
mod control;
mod dns;
mod doh;
mod governor;
mod health;
mod history;
mod http;
mod ledger;
mod memory;
mod news;
mod observe;
mod ping;
mod proxy;
mod resolve;
mod round;
mod snapshot;
mod store;
mod tcp;
mod view;
mod views;

use edge::{Failure, clock, config::Cached};
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
async fn scheduled(event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    edge::tick("status", async {
        let config = CONFIG.get(&env)?;
        let now = clock::scheduled(&event);
        // Neither depends on the other's going well.
        let seen = round::run(&env, config).await;
        if let Ok(seen) = &seen {
            history::record(&env, seen, now).await;
        }
        let followed = control::tick(&env, config, seen.as_deref().ok(), now).await;
        let pinged = seen.map(drop);
        match (pinged, followed) {
            (Err(one), Err(other)) => {
                let both = [one.into_message(), other.into_message()].join("; ");
                Err(Failure::internal(both))
            }
            (pinged, followed) => pinged.and(followed),
        }
    })
    .await;
}
