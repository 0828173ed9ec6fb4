//! Requests in, answers out.

use edge::{Audience, Failure, clock, method_not_allowed, not_found, reply};
use futures::future::join;
use types::{
    Code,
    config::{StatusConfig, Target},
};
use worker::{Env, Headers, Method, Request, Response};

use crate::{
    control::{self, Present},
    store::{self, Store},
    view,
};

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    First,
    Target(String),
    Control(control::Route),
}

impl edge::Route for Route {
    fn name(&self) -> &'static str {
        match self {
            Self::First => "GET /api/status",
            Self::Target(_) => "GET /api/status/<target>",
            Self::Control(route) => route.name(),
        }
    }

    fn audience(&self) -> Audience {
        match self {
            Self::First | Self::Target(_) => Audience::Public,
            Self::Control(route) => route.audience(),
        }
    }
}

/// Finds the route.
pub fn parse(method: &Method, path: &[&str]) -> Result<Route, Failure> {
    match (path, method) {
        (["api", "status"], Method::Get) => Ok(Route::First),
        (["api", "status", target], Method::Get) => Ok(Route::Target((*target).to_owned())),
        (["api", "control", rest @ ..], _) => control::parse(method, rest).map(Route::Control),
        (["api", "status"] | ["api", "status", _], _) => Err(method_not_allowed("GET, HEAD")),
        _ => Err(not_found("such path")),
    }
}

/// Serves it.
pub async fn run(
    route: &Route,
    request: &Request,
    env: &Env,
    config: &StatusConfig,
) -> Result<Response, Failure> {
    let target = match route {
        Route::Control(route) => return control::run(*route, request, env, config).await,
        Route::First => config.targets.first(),
        Route::Target(id) => config
            .targets
            .iter()
            .find(|target| target.id.as_str() == id),
    };
    let target = target.ok_or_else(|| not_found("such target"))?;
    status(request.headers(), env, target).await
}

async fn status(headers: &Headers, env: &Env, target: &Target) -> Result<Response, Failure> {
    let (kept, document) = join(Store::new(env).kept(), control::in_force(env)).await;
    let kept = kept?;
    let stored = kept.get(&target.id).map(|stored| stored.get());
    let known = store::read(&kept, &target.id).zip(stored);
    let (observation, stored) = known.ok_or_else(|| {
        let detail = format!(
            "{} has not been pinged yet; try again in a minute",
            target.id
        );
        Failure::new(Code::Unavailable, detail).with_header("Retry-After", "60")
    })?;
    let now = clock::now();
    let present = Present::of(&document, &target.id, Some(&observation), now);
    let mut status = view::status(&target.id, &observation, now);
    let observed = view::tagged_text(stored, status.stale);
    let tag = reply::tag_of(format!("{observed}{}", present.tagged_text()).as_bytes());
    control::overlay(&mut status, &present);
    reply::tagged(headers, &tag, reply::JSON, || {
        serde_json::to_vec(&status).map_err(|error| Failure::internal(error.to_string()))
    })
}

#[cfg(test)]
mod tests {
    use edge::Route as _;

    use super::*;

    #[test]
    fn routes_are_found_and_methods_checked() {
        assert_eq!(
            parse(&Method::Get, &["api", "status"]).unwrap(),
            Route::First
        );
        let route = parse(&Method::Get, &["api", "status", "lobby"]).unwrap();
        assert_eq!(route, Route::Target("lobby".to_owned()));
        assert_eq!(route.name(), "GET /api/status/<target>");
        let status = |method, path: &[&str]| {
            let (problem, headers) = parse(&method, path).unwrap_err().into_problem();
            (problem.status, headers.len())
        };
        assert_eq!(status(Method::Post, &["api", "status"]), (405, 1));
        assert_eq!(status(Method::Put, &["api", "status", "main"]), (405, 1));
        for unknown in [
            &["api"][..],
            &["api", "status", "main", ""],
            &[""],
            &["icon"],
        ] {
            assert_eq!(status(Method::Get, unknown), (404, 0), "{unknown:?}");
        }
    }
}
