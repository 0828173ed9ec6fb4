//! Requests in, answers out. This file finds the route; each of its modules serves a part.
//!
//! `health`: `GET /health`, `/api/health`. `nic`: `GET /nic/update`, `/v3/update` (dyndns2). `hosts`:
//! `/api/ddns/…`. `services`: what is watched. Here: `GET /ip`, `/openapi.json`.

mod access;
mod health;
mod hosts;
mod nic;
mod query;
mod services;
mod take;

pub use take::mark;

use std::net::IpAddr;

use edge::{Audience, Contract, ErrorFormat, Failure, method_not_allowed, not_found, reply};
use types::Code;
use worker::{Env, Method, Request, Response};

/// This worker's part of `openapi.yaml` (`build.rs`).
static OPENAPI: Contract = Contract::new(include_str!(concat!(env!("OUT_DIR"), "/openapi.json")));

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    Alive,
    Health,
    OpenApi,
    Ip,
    NicUpdate,
    V3Update,
    Hosts(hosts::Route),
    Services(services::Route),
}

impl edge::Route for Route {
    fn name(&self) -> &'static str {
        match self {
            Self::Alive => "GET /health",
            Self::Health => "GET /api/health",
            Self::OpenApi => "GET /openapi.json",
            Self::Ip => "GET /ip",
            Self::NicUpdate => "GET /nic/update",
            Self::V3Update => "GET /v3/update",
            Self::Hosts(route) => route.name(),
            Self::Services(route) => route.name(),
        }
    }

    fn audience(&self) -> Audience {
        match self {
            Self::Alive | Self::Health | Self::OpenApi | Self::Ip => Audience::Public,
            Self::NicUpdate | Self::V3Update => Audience::Operator,
            Self::Hosts(route) => route.audience(),
            Self::Services(route) => route.audience(),
        }
    }

    fn errors(&self) -> ErrorFormat {
        match self {
            Self::NicUpdate | Self::V3Update => ErrorFormat::Dyndns2,
            _ => ErrorFormat::Problem,
        }
    }
}

/// Finds the route.
pub fn parse(method: &Method, path: &[&str]) -> Result<Route, Failure> {
    if let ["api", "ddns", rest @ ..] = path {
        return hosts::parse(method, rest).map(Route::Hosts);
    }
    if let Some(route) = services::parse(method, path) {
        return route.map(Route::Services);
    }
    let route = read_only(path).ok_or_else(|| not_found("such path"))?;
    match method {
        Method::Get => Ok(route),
        _ => Err(method_not_allowed("GET, HEAD")),
    }
}

/// What takes GET alone.
fn read_only(path: &[&str]) -> Option<Route> {
    Some(match path {
        ["health"] => Route::Alive,
        ["api", "health"] => Route::Health,
        ["openapi.json"] => Route::OpenApi,
        ["ip"] => Route::Ip,
        ["nic", "update"] => Route::NicUpdate,
        ["v3", "update"] => Route::V3Update,
        _ => return None,
    })
}

/// Serves it.
pub async fn run(route: &Route, request: &Request, env: &Env) -> Result<Response, Failure> {
    match route {
        Route::Alive => uncached(reply::text(200, "healthy")?),
        Route::Health => health::health(request, env).await,
        Route::OpenApi => OPENAPI.answer(request),
        Route::Ip => uncached(reply::text(200, &caller(request)?.to_string())?),
        Route::NicUpdate | Route::V3Update => nic::update(request, env).await,
        Route::Hosts(route) => hosts::run(route, request, env).await,
        Route::Services(route) => services::run(route, request, env).await,
    }
}

fn uncached(response: Response) -> Result<Response, Failure> {
    response.headers().set("Cache-Control", "no-store")?;
    Ok(response)
}

/// Where the request comes from, as the edge saw it.
fn connecting(request: &Request) -> Result<Option<IpAddr>, Failure> {
    let header = request.headers().get("cf-connecting-ip")?;
    Ok(header.and_then(|address| address.parse().ok()))
}

fn caller(request: &Request) -> Result<IpAddr, Failure> {
    connecting(request)?.ok_or_else(|| {
        let detail = "this connection does not show where it comes from";
        Failure::new(Code::Unavailable, detail)
    })
}
