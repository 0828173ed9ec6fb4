//! `GET /api/health`: health+json, or one word for simple monitors.

use edge::{Failure, clock, not_found, reply};
use types::{
    Code,
    health::{HEALTH_JSON, HealthStatus, SimpleHealth},
};
use worker::{Env, Request, Response};

use super::{query::parameter, uncached};
use crate::{
    health::{self, Database, state_of},
    store::Store,
};

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
    // No services are watched yet, so none has this name.
    if parameter(request, "service").is_some_and(|service| !service.is_empty()) {
        return Err(not_found("such service"));
    }
    let health = health::health(clock::now(), database(env).await);
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
    let body = || serde_json::to_vec(&health).map_err(|error| Failure::internal(error.to_string()));
    if failed {
        return uncached(reply::bytes(status, HEALTH_JSON, body()?)?);
    }
    let tag = reply::tag_of(state_of(&health).as_bytes());
    reply::tagged(request.headers(), &tag, HEALTH_JSON, body)
}

/// Asks the database when the cron ran. What fails is logged and becomes a state, not an error.
async fn database(env: &Env) -> Database {
    let started = clock::millis();
    let asked = async { Store::new(env)?.ticked_at().await };
    match asked.await {
        Ok(ticked_at) => Database::Answered {
            millis: clock::millis() - started,
            ticked_at,
        },
        Err(failure) => {
            if let Failure::Internal(words) = failure {
                edge::log::error("health", &words);
            }
            Database::Failed
        }
    }
}
