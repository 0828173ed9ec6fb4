//! `/api/ddns/…`: the hosts with their addresses, and the log of reports.

use edge::{Audience, Failure, auth, method_not_allowed, not_found, reply};
use types::{
    config::HostName,
    ddns::{HostState, Hosts, Log},
    token::Action,
};
use worker::{Env, Method, Request, Response};

use super::query::number;
use crate::{CONFIG, store::Store};

const LOG_DEFAULT: u32 = 50;
const LOG_MOST: u32 = 200;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    Hosts,
    Log,
}

impl edge::Route for Route {
    fn name(&self) -> &'static str {
        match self {
            Self::Hosts => "GET /api/ddns/hosts",
            Self::Log => "GET /api/ddns/log",
        }
    }

    fn audience(&self) -> Audience {
        Audience::Operator
    }
}

/// Finds the route of what follows `/api/ddns`.
pub fn parse(method: &Method, path: &[&str]) -> Result<Route, Failure> {
    let route = match path {
        ["hosts"] => Route::Hosts,
        ["log"] => Route::Log,
        _ => return Err(not_found("such path")),
    };
    match method {
        Method::Get => Ok(route),
        _ => Err(method_not_allowed("GET, HEAD")),
    }
}

/// Serves it.
pub async fn run(route: &Route, request: &Request, env: &Env) -> Result<Response, Failure> {
    match route {
        Route::Hosts => hosts(request, env).await,
        Route::Log => log(request, env).await,
    }
}

async fn hosts(request: &Request, env: &Env) -> Result<Response, Failure> {
    auth::require(request.headers(), env, Action::OpsRead, None)?;
    let config = CONFIG.get(env)?;
    let rows = Store::new(env)?.hosts().await?;
    let state = |host: &HostName| {
        let row = rows.iter().find(|row| row.host == *host);
        HostState {
            host: host.clone(),
            addresses: row.map(|row| row.addresses).unwrap_or_default(),
            seen: None,
            dns: None,
            agree: None,
            updated_at: row.map(|row| row.updated_at),
            next_refresh_at: None,
            providers: Vec::new(),
        }
    };
    let hosts = config
        .hosts
        .iter()
        .map(|entry| state(&entry.host))
        .collect();
    reply::json(200, &Hosts { hosts })
}

/// The log, newest first. The cursor is the id of the last entry of the page before.
async fn log(request: &Request, env: &Env) -> Result<Response, Failure> {
    auth::require(request.headers(), env, Action::OpsRead, None)?;
    let before = number(request, "cursor")?;
    let limit = number(request, "limit")?
        .unwrap_or(LOG_DEFAULT)
        .clamp(1, LOG_MOST);
    // One more than asked for shows whether there is a page after this one.
    let mut entries = Store::new(env)?.log(before, limit + 1).await?;
    let kept = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = entries.len() > kept;
    entries.truncate(kept);
    let last = entries.last().filter(|_| more);
    let next_cursor = last.map(|entry| entry.id.to_string());
    reply::json(
        200,
        &Log {
            entries,
            next_cursor,
        },
    )
}
