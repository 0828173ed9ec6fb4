//! `status`: pings Minecraft servers by cron and serves the cached answer.
//!
//! Routes (`openapi.yaml`, tag *status*): `GET /api/status`, `GET /api/status/<target>`, and those of
//! `control`, which is what operators want players to see and has a state of its own. State: the key
//! `status` of KV `STATUS_KV` holds the last observation of every target; only the cron writes it,
//! and a reader never causes a ping. This file wires the events; `http` reads requests, `round`
//! is one run of the cron, `ping`, `observe`, `governor` and `answer` decide, `store` and `tcp`
//! reach the outside.

mod answer;
mod control;
mod governor;
mod http;
mod observe;
mod ping;
mod round;
mod store;
mod tcp;
mod view;

use edge::{Failure, config::Cached};
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
        let config = CONFIG.get(&env)?;
        // Neither depends on the other's going well.
        let pinged = round::run(&env, config).await;
        let followed = control::tick(&env, config).await;
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
