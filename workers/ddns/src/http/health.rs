//! `GET /api/health`: health+json, or one word for simple monitors. What is asked of the database and
//! of the other workers is asked at the same time.

use std::{convert::Infallible, rc::Rc};

use edge::{Failure, Fresh, clock, log, peer, reply};
use futures::future::{join, join3};
use types::{
    Code,
    config::{DdnsConfig, services::Service},
    health::{HEALTH_JSON, Health, HealthStatus, SimpleHealth},
};
use worker::{Env, Request, Response};

use super::{
    query::parameter,
    services::{present, seen, viewer},
    uncached,
};
use crate::{
    CONFIG,
    alerts::readiness,
    health::{self, Database, Found, Receivers, state_of},
    services::{budget, store::Store as Services, view::Viewer},
    store::Store,
};

/// How long another worker has to answer, in milliseconds, and the most of what it says.
const PATIENCE_MS: u32 = 3000;
const MEMBER_CHARS: u32 = 64 * 1024;
/// For how long an instance answers with what the others said.
const MEMBERS_KEPT_MS: i64 = 3000;
/// The other workers, and the bindings that lead to them.
const MEMBERS: [(&str, &str); 2] = [("pack", "PACK"), ("status", "STATUS")];

type Members = Vec<(&'static str, Option<Health>)>;

thread_local! {
    static LAST: Rc<Fresh<Members>> = Rc::default();
}

/// Serves `GET /api/health`.
pub async fn health(request: &Request, env: &Env) -> Result<Response, Failure> {
    let format = parameter(request, "format");
    let simple = match format.as_deref() {
        None | Some("" | "json") => false,
        Some("simple") => true,
        Some(_) => {
            let detail = "format is json or simple";
            return Err(Failure::new(Code::BadRequest, detail));
        }
    };
    let viewer = viewer(request, env).await?;
    let config = CONFIG.get(env)?;
    let service = parameter(request, "service").filter(|service| !service.is_empty());
    let health = match service {
        None => whole(&viewer, env, config).await,
        Some(id) => {
            let service = seen(config, &id, &viewer)?;
            of_service(service, &viewer, env, config).await
        }
    };
    answer(request, simple, &viewer, &health)
}

fn answer(
    request: &Request,
    simple: bool,
    viewer: &Viewer,
    health: &Health,
) -> Result<Response, Failure> {
    let failed = health.status == HealthStatus::Fail;
    let status = if failed { 503 } else { 200 };
    if simple {
        let word = if failed { "error" } else { "ok" };
        let simple = SimpleHealth {
            status: word.to_owned(),
            timestamp: clock::millis(),
        };
        return uncached(reply::json(status, &simple)?);
    }
    let body = || serde_json::to_vec(health).map_err(|error| Failure::internal(error.to_string()));
    if failed {
        return uncached(reply::bytes(status, HEALTH_JSON, body()?)?);
    }
    let tag = reply::tag_of(state_of(health).as_bytes());
    let response = reply::tagged(request.headers(), &tag, HEALTH_JSON, body)?;
    super::services::for_viewer(response, viewer)
}

async fn of_service(service: &Service, viewer: &Viewer, env: &Env, config: &DdnsConfig) -> Health {
    match survived(present(env, config).await) {
        Some(present) => health::of_service(present.now, &present.show(service, viewer)),
        None => health::of_unread_service(clock::now(), service.id.as_str()),
    }
}

async fn whole(viewer: &Viewer, env: &Env, config: &DdnsConfig) -> Health {
    let members = async {
        let cache = LAST.with(Rc::clone);
        let read = async || Ok::<_, Infallible>(members(env).await);
        match cache.get(clock::millis(), MEMBERS_KEPT_MS, read).await {
            Ok(got) => got.value.to_vec(),
            Err(never) => match never {},
        }
    };
    let (members, (database, receivers, services)) =
        join(members, known(viewer, env, config)).await;
    let (providers, channels) = receivers;
    let found = Found {
        database,
        providers,
        channels,
        services,
        members,
        budget: budget(config),
        for_operator: viewer.is_operator(),
    };
    health::health(clock::now(), &found)
}

/// What the database knows. What it does not say is not told; why, the log says.
async fn known<'a>(
    viewer: &'a Viewer,
    env: &Env,
    config: &'a DdnsConfig,
) -> (
    Database,
    (Option<Receivers>, Option<Receivers>),
    Option<health::Services<'a>>,
) {
    let services = async {
        if config.services.is_empty() {
            return Some(None);
        }
        let present = survived(present(env, config).await)?;
        let shown = present
            .visible(viewer)
            .map(|service| (service, present.show(service, viewer)));
        Some(Some(health::Services {
            ran_at: present.ran_at(),
            visible: shown.collect(),
        }))
    };
    let receivers = async {
        let store = survived(Services::new(env));
        let Some(store) = store else {
            return (None, None);
        };
        let now = clock::now();
        let unable = readiness::unable(env, config);
        let (providers, channels) =
            join(store.providers(now), store.channels(config, unable, now)).await;
        (survived(providers).flatten(), survived(channels).flatten())
    };
    let (database, receivers, services) = join3(database(env), receivers, services).await;
    let Some(services) = services else {
        return (Database::Failed, receivers, None);
    };
    (database, receivers, services)
}

fn survived<T>(result: Result<T, Failure>) -> Option<T> {
    result
        .inspect_err(|failure| {
            if let Failure::Internal(words) = failure {
                log::error("health", words);
            }
        })
        .ok()
}

/// Asks the database when the cron ran. What fails is logged and becomes a state, not an error.
async fn database(env: &Env) -> Database {
    let started = clock::millis();
    let asked = async { Store::new(env).ticked_at().await };
    match survived(asked.await) {
        Some(ticked_at) => Database::Answered {
            millis: clock::millis() - started,
            ticked_at,
        },
        None => Database::Failed,
    }
}

/// Asks the others, side by side.
async fn members(env: &Env) -> Members {
    let ask = async |(name, binding): (&'static str, &'static str)| {
        let text = peer::text(env, binding, "/api/health", PATIENCE_MS, MEMBER_CHARS).await;
        let health = text.and_then(|text| {
            serde_json::from_str::<Health>(&text).map_err(|error| error.to_string())
        });
        if let Err(error) = &health {
            log::warn("health", &format!("{name}: {error}"));
        }
        (name, health.ok())
    };
    futures::future::join_all(MEMBERS.map(ask)).await
}
