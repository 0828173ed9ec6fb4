//! `/api/services…`, `/api/incidents…`, `/api/heartbeat/…`, `/badge/service/…` and `/metrics`. This
//! file finds the route; `read` shows what is known, `operate` takes what operators want, `beat` takes
//! beats.
//!
//! What may be read is decided a service: those that say `public = true` by anybody, the others with
//! `ops:read`. Who may not see a service is told the same as of one that does not exist.

mod beat;
mod operate;
mod read;

use edge::{Audience, Failure, auth, clock, method_not_allowed, not_found};
use types::{
    Code,
    config::{DdnsConfig, services::Service},
    token::Action,
};
use worker::{Env, Method, Request, Response};

use super::access::Asker;
use crate::{
    CONFIG,
    services::{
        beats::Signal,
        judge,
        store::Store,
        view::{Present, Viewer},
    },
};

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    List,
    Show(String),
    History(String),
    Beats(String),
    Incidents,
    Badge(String),
    Metrics,
    /// A service's id or a heartbeat's key, and what is said.
    Heartbeat(String, Signal),
    Maintenance(String),
    Pause(String),
    Resume(String),
    Acknowledge(String),
}

impl edge::Route for Route {
    fn name(&self) -> &'static str {
        match self {
            Self::List => "GET /api/services",
            Self::Show(_) => "GET /api/services/<id>",
            Self::History(_) => "GET /api/services/<id>/history",
            Self::Beats(_) => "GET /api/services/<id>/beats",
            Self::Incidents => "GET /api/incidents",
            Self::Badge(_) => "GET /badge/service/<id>.svg",
            Self::Metrics => "GET /metrics",
            Self::Heartbeat(..) => "/api/heartbeat/<id>",
            Self::Maintenance(_) => "POST /api/services/<id>/maintenance",
            Self::Pause(_) => "POST /api/services/<id>/pause",
            Self::Resume(_) => "POST /api/services/<id>/resume",
            Self::Acknowledge(_) => "POST /api/incidents/<id>/ack",
        }
    }

    fn audience(&self) -> Audience {
        match self {
            Self::List
            | Self::Show(_)
            | Self::History(_)
            | Self::Incidents
            | Self::Badge(_)
            | Self::Metrics => Audience::Public,
            _ => Audience::Operator,
        }
    }
}

/// Finds the route, if this is one of these paths.
pub fn parse(method: &Method, path: &[&str]) -> Option<Result<Route, Failure>> {
    let owned = |text: &str| text.to_owned();
    let (route, allow) = match path {
        ["api", "services"] => (Route::List, "GET, HEAD"),
        ["api", "services", id] => (Route::Show(owned(id)), "GET, HEAD"),
        ["api", "services", id, "history"] => (Route::History(owned(id)), "GET, HEAD"),
        ["api", "services", id, "beats"] => (Route::Beats(owned(id)), "GET, HEAD"),
        ["api", "services", id, "maintenance"] => (Route::Maintenance(owned(id)), "POST"),
        ["api", "services", id, "pause"] => (Route::Pause(owned(id)), "POST"),
        ["api", "services", id, "resume"] => (Route::Resume(owned(id)), "POST"),
        ["api", "incidents"] => (Route::Incidents, "GET, HEAD"),
        ["api", "incidents", id, "ack"] => (Route::Acknowledge(owned(id)), "POST"),
        ["api", "heartbeat", id, rest @ ..] if rest.len() < 2 => {
            let signal = Signal::from_path(rest.first().copied())?;
            (Route::Heartbeat(owned(id), signal), "GET, HEAD, POST")
        }
        ["badge", "service", file] => {
            let id = file.strip_suffix(".svg")?;
            (Route::Badge(owned(id)), "GET, HEAD")
        }
        ["metrics"] => (Route::Metrics, "GET, HEAD"),
        _ => return None,
    };
    let is_allowed = match method {
        Method::Get => allow.starts_with("GET"),
        Method::Post => allow.ends_with("POST"),
        _ => false,
    };
    Some(if is_allowed {
        Ok(route)
    } else {
        Err(method_not_allowed(allow))
    })
}

/// Serves it.
pub async fn run(route: &Route, request: &Request, env: &Env) -> Result<Response, Failure> {
    let config = CONFIG.get(env)?;
    match route {
        Route::List => read::list(request, env, config).await,
        Route::Show(id) => read::one(id, request, env, config).await,
        Route::History(id) => read::history(id, request, env, config).await,
        Route::Beats(id) => beat::list(id, request, env, config).await,
        Route::Incidents => read::incidents(request, env, config).await,
        Route::Badge(id) => read::badge(id, request, env, config).await,
        Route::Metrics => read::metrics(request, env, config).await,
        Route::Heartbeat(id, signal) => beat::take(id, *signal, request, env, config).await,
        Route::Maintenance(id) => operate::maintenance(id, request, env, config).await,
        Route::Pause(id) => operate::pause(id, true, request, env, config).await,
        Route::Resume(id) => operate::pause(id, false, request, env, config).await,
        Route::Acknowledge(id) => operate::acknowledge(id, request, env, config).await,
    }
}

/// Who reads: anybody, unless there is a token, which then has to be one for reading.
pub async fn viewer(request: &Request, env: &Env) -> Result<Viewer, Failure> {
    if !request.headers().has("authorization")? {
        return Ok(Viewer::Anyone);
    }
    let entry = Asker::identify(request, env).await?.entry;
    let reads = |scope: &types::token::Scope| scope.action == Action::OpsRead;
    if !entry.scopes.iter().any(reads) {
        auth::allow(&entry, Action::OpsRead, None)?;
    }
    Ok(Viewer::Token(entry))
}

/// A service that this viewer sees.
pub fn seen<'a>(config: &'a DdnsConfig, id: &str, viewer: &Viewer) -> Result<&'a Service, Failure> {
    let service = named(config, id).filter(|service| viewer.sees(service));
    service.ok_or_else(|| not_found("such service"))
}

fn named<'a>(config: &'a DdnsConfig, id: &str) -> Option<&'a Service> {
    let mut services = config.services.iter();
    services.find(|service| service.id.as_str() == id)
}

/// All services as they are.
pub async fn present<'a>(env: &Env, config: &'a DdnsConfig) -> Result<Present<'a>, Failure> {
    let (beating, with_reports) = judge::unasked(&config.services);
    let before = Store::new(env)?
        .before(&beating, with_reports, None)
        .await?;
    Ok(Present::of(config, before, clock::now()))
}

/// What is for the bearer of a token alone is kept nowhere, and what is for all is not taken for it.
pub fn for_viewer(response: Response, viewer: &Viewer) -> Result<Response, Failure> {
    let headers = response.headers();
    headers.set("Vary", "Authorization")?;
    if matches!(viewer, Viewer::Token(_)) {
        headers.set("Cache-Control", "no-store")?;
    }
    Ok(response)
}

fn bad(detail: impl Into<String>) -> Failure {
    Failure::new(Code::BadRequest, detail)
}

#[cfg(test)]
mod tests {
    use edge::Route as _;

    use super::*;

    fn route(method: &Method, path: &str) -> Option<Result<&'static str, u16>> {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let found = parse(method, &segments)?;
        Some(match found {
            Ok(route) => Ok(route.name()),
            Err(failure) => Err(failure.into_problem().0.status),
        })
    }

    #[test]
    fn routes_take_their_methods_and_no_others() {
        for (path, get, post) in [
            ("/api/services", true, false),
            ("/api/services/web", true, false),
            ("/api/services/web/history", true, false),
            ("/api/services/web/beats", true, false),
            ("/api/services/web/maintenance", false, true),
            ("/api/services/web/pause", false, true),
            ("/api/services/web/resume", false, true),
            ("/api/incidents", true, false),
            ("/api/incidents/3/ack", false, true),
            ("/api/heartbeat/backup", true, true),
            ("/api/heartbeat/backup/start", true, true),
            ("/api/heartbeat/backup/137", true, true),
            ("/badge/service/web.svg", true, false),
            ("/metrics", true, false),
        ] {
            let is_ok = |method| route(&method, path).unwrap().is_ok();
            assert_eq!(
                (is_ok(Method::Get), is_ok(Method::Post)),
                (get, post),
                "{path}"
            );
            for method in [Method::Put, Method::Delete, Method::Patch] {
                assert_eq!(route(&method, path), Some(Err(405)), "{path}");
            }
        }
        for path in [
            "/api/services/web/",
            "/api/services/web/x",
            "/badge/service/web",
            "/badge/service/web.png",
            "/api/heartbeat",
            "/api/heartbeat/a/b",
            "/api/heartbeat/a/0/0",
            "/api/incidents/3",
        ] {
            assert_eq!(route(&Method::Get, path), None, "{path}");
        }
    }
}
