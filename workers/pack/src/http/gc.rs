//! Upkeep by request: what the cron does as well.

use edge::{Failure, auth, clock, reply};
use types::{config::PackConfig, token::Action};
use worker::{Env, Request, Response};

use super::query::{self, Query};
use crate::{collect, rebuild, store::Platform};

/// `POST /api/packs/rebuild`: KV from R2.
pub async fn rebuild(
    request: &Request,
    env: &Env,
    config: &PackConfig,
) -> Result<Response, Failure> {
    auth::require(request.headers(), env, Action::PackWrite, None)?;
    let platform = Platform::new(env)?;
    reply::json(200, &rebuild::rebuild(&platform, config).await?)
}

/// `POST /api/packs/gc`: collects what is old and unused; `?dry_run=true` tells what that is.
pub async fn collect(
    request: &Request,
    env: &Env,
    config: &PackConfig,
) -> Result<Response, Failure> {
    let token = auth::require(request.headers(), env, Action::PackWrite, None)?;
    let query = Query::read(request, query::COLLECT)?;
    let platform = Platform::new(env)?;
    let registries = platform.registries().await?;
    let (now, by) = (clock::now(), &token.name);
    let collected =
        collect::collect(&platform, config, &registries, now, by, query.dry_run).await?;
    reply::json(200, &collected)
}
