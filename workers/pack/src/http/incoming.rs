//! `POST /api/packs/events`, in local development alone: puts a message into the queue as R2 does
//! when an object was put into the bucket.

use edge::{Failure, auth, body, not_found, reply};
use serde::Serialize;
use serde_json::Value;
use types::{Code, config::PackConfig, token::Action};
use worker::{Env, Request, Response};

use crate::jobs;

#[derive(Serialize)]
struct Queued {
    queued: bool,
}

/// 202: the message is in the queue, whatever it holds.
pub async fn event(request: &Request, env: &Env, config: &PackConfig) -> Result<Response, Failure> {
    if !config.local_events {
        return Err(not_found("such path"));
    }
    auth::require(request.headers(), env, Action::PackWrite, None)?;
    let message: Value = serde_json::from_str(&body::text(request).await?)
        .map_err(|error| Failure::new(Code::BadJson, format!("the body: {error}")))?;
    jobs::send(env, &message).await?;
    reply::json(202, &Queued { queued: true })
}
