//! Requests in, answers out. This file finds the route; `answer` and `health` serve it.

mod answer;
mod health;

use edge::{Audience, Contract, Failure, method_not_allowed, not_found};
use types::config::StatusConfig;
use worker::{Env, Method, Request, Response};

use crate::control;

/// This worker's part of `openapi.yaml` (`build.rs`).
static OPENAPI: Contract = Contract::new(include_str!(concat!(env!("OUT_DIR"), "/openapi.json")));

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Of a target by its name; without one, of the first.
    Status(Option<String>),
    /// Of a target by its address, in the shape of mcstatus.io's v2.
    Mcstatus(String),
    /// The same, in the shape of mcsrvstat.us' v3.
    Mcsrvstat(String),
    Icon(Option<String>),
    Badge(String),
    History(String),
    Metrics,
    Alive,
    Health,
    OpenApi,
    Control(control::Route),
}

impl edge::Route for Route {
    fn name(&self) -> &'static str {
        match self {
            Self::Status(None) => "GET /api/status",
            Self::Status(Some(_)) => "GET /api/status/<target>",
            Self::Mcstatus(_) => "GET /v2/status/java/<address>",
            Self::Mcsrvstat(_) => "GET /3/<address>",
            Self::Icon(None) => "GET /icon",
            Self::Icon(Some(_)) => "GET /icon/<target>",
            Self::Badge(_) => "GET /badge/status/<target>.svg",
            Self::History(_) => "GET /api/history/<target>",
            Self::Metrics => "GET /metrics",
            Self::Alive => "GET /health",
            Self::Health => "GET /api/health",
            Self::OpenApi => "GET /openapi.json",
            Self::Control(route) => route.name(),
        }
    }

    fn audience(&self) -> Audience {
        match self {
            Self::Control(route) => route.audience(),
            _ => Audience::Public,
        }
    }
}

/// Finds the route.
pub fn parse(method: &Method, path: &[&str]) -> Result<Route, Failure> {
    if let ["api", "control", rest @ ..] = path {
        return control::parse(method, rest).map(Route::Control);
    }
    let route = public(path).ok_or_else(|| not_found("such path"))?;
    match method {
        Method::Get => Ok(route),
        _ => Err(method_not_allowed("GET, HEAD")),
    }
}

/// What anybody may read.
fn public(path: &[&str]) -> Option<Route> {
    let owned = |text: &str| text.to_owned();
    Some(match path {
        ["api", "status"] => Route::Status(None),
        ["api", "status", target] => Route::Status(Some(owned(target))),
        ["v2", "status", "java", address] => Route::Mcstatus(decoded(address)),
        ["3", address] => Route::Mcsrvstat(decoded(address)),
        ["icon"] => Route::Icon(None),
        ["icon", target] => Route::Icon(Some(owned(target))),
        ["badge", "status", file] => Route::Badge(owned(file.strip_suffix(".svg")?)),
        ["api", "history", target] => Route::History(owned(target)),
        ["metrics"] => Route::Metrics,
        ["health"] => Route::Alive,
        ["api", "health"] => Route::Health,
        ["openapi.json"] => Route::OpenApi,
        _ => return None,
    })
}

/// An address in which a client has encoded what a path may hold as it is.
fn decoded(address: &str) -> String {
    let mut address = address.to_owned();
    for (encoded, char) in [
        ("%3a", ":"),
        ("%3A", ":"),
        ("%5b", "["),
        ("%5B", "["),
        ("%5d", "]"),
        ("%5D", "]"),
    ] {
        address = address.replace(encoded, char);
    }
    address
}

/// Serves it.
pub async fn run(
    route: &Route,
    request: &Request,
    env: &Env,
    config: &StatusConfig,
) -> Result<Response, Failure> {
    let reader = answer::Reader::new(request, env, config);
    match route {
        Route::Status(target) => reader.status(target.as_deref()).await,
        Route::Mcstatus(address) => reader.mcstatus(address).await,
        Route::Mcsrvstat(address) => reader.mcsrvstat(address).await,
        Route::Icon(target) => reader.icon(target.as_deref()).await,
        Route::Badge(target) => reader.badge(target).await,
        Route::History(target) => reader.history(target).await,
        Route::Metrics => reader.metrics().await,
        Route::Alive => edge::health::alive(),
        Route::Health => health::answer(request, env, config).await,
        Route::OpenApi => OPENAPI.answer(request),
        Route::Control(route) => control::run(*route, request, env, config).await,
    }
}

#[cfg(test)]
mod tests {
    use edge::Route as _;

    use super::*;

    fn segments(path: &str) -> Vec<&str> {
        path.split('/').skip(1).collect()
    }

    #[test]
    fn routes_are_found() {
        for (path, name) in [
            ("/api/status", "GET /api/status"),
            ("/api/status/lobby", "GET /api/status/<target>"),
            ("/v2/status/java/a:1", "GET /v2/status/java/<address>"),
            ("/3/a", "GET /3/<address>"),
            ("/icon", "GET /icon"),
            ("/icon/main", "GET /icon/<target>"),
            ("/badge/status/main.svg", "GET /badge/status/<target>.svg"),
            ("/api/history/main", "GET /api/history/<target>"),
            ("/metrics", "GET /metrics"),
            ("/health", "GET /health"),
            ("/api/health", "GET /api/health"),
            ("/openapi.json", "GET /openapi.json"),
        ] {
            let route = parse(&Method::Get, &segments(path)).unwrap();
            assert_eq!(route.name(), name);
            for method in [Method::Post, Method::Put, Method::Delete] {
                let refused = parse(&method, &segments(path)).unwrap_err();
                let (problem, headers) = refused.into_problem();
                assert_eq!((problem.status, headers.len()), (405, 1), "{path}");
            }
        }
    }

    #[test]
    fn others_are_not() {
        for path in [
            "/",
            "/api",
            "/api/status/main/",
            "/icon/main/x",
            "/badge/status/main",
            "/badge/status/main.png",
            "/v2/status/java",
            "/v2/status/bedrock/a",
            "/3",
            "/api/history",
        ] {
            for method in [Method::Get, Method::Post] {
                let refused = parse(&method, &segments(path)).unwrap_err();
                assert_eq!(refused.into_problem().0.status, 404, "{path}");
            }
        }
    }

    #[test]
    fn an_encoded_address_is_read() {
        let route = parse(&Method::Get, &segments("/3/%5B::1%5d%3A25565")).unwrap();
        assert_eq!(route, Route::Mcsrvstat("[::1]:25565".to_owned()));
    }
}
