//! Requests in, answers out: finds the route and hands over to who serves it.

mod errors;
mod gc;
mod health;
mod incoming;
mod manage;
mod metrics;
mod parts;
mod query;
mod show;
mod upload;

pub use upload::{accept, random_id, refuse};

use edge::{Audience, Contract, ErrorFormat, Failure, method_not_allowed, not_found};
use types::{Code, config::PackConfig};
use worker::{Context, Env, Method, Request, Response};

use self::query::{Query, pack_name};
use crate::{download, latest, polymath, stats, variant::Client};

/// This worker's part of `openapi.yaml` (`build.rs`).
static OPENAPI: Contract = Contract::new(include_str!(concat!(env!("OUT_DIR"), "/openapi.json")));

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    Latest,
    Packs,
    Pack(String),
    Stats(String),
    Upload(String),
    Settings(String),
    Publish(String),
    Rollback(String),
    Unschedule(String, String),
    DeleteRelease(String, String),
    Rebuild,
    Collect,
    /// Local development: a message as R2 sends it.
    Events,
    Uploads,
    NewUpload,
    UploadState(String),
    AbortUpload(String),
    PutPart(String, String),
    Complete(String),
    Download(String),
    Polymath,
    PolymathDownload,
    Metrics,
    Alive,
    Health,
    OpenApi,
}

impl edge::Route for Route {
    fn name(&self) -> &'static str {
        match self {
            Self::Latest => "GET /api/pack/latest",
            Self::Packs => "GET /api/packs",
            Self::Pack(_) => "GET /api/packs/<pack>",
            Self::Stats(_) => "GET /api/packs/<pack>/stats",
            Self::Upload(_) => "PUT /api/packs/<pack>",
            Self::Settings(_) => "PATCH /api/packs/<pack>",
            Self::Publish(_) => "POST /api/packs/<pack>/publish",
            Self::Rollback(_) => "POST /api/packs/<pack>/rollback",
            Self::Unschedule(..) => "DELETE /api/packs/<pack>/scheduled/<channel>",
            Self::DeleteRelease(..) => "DELETE /api/packs/<pack>/releases/<sha1>",
            Self::Rebuild => "POST /api/packs/rebuild",
            Self::Collect => "POST /api/packs/gc",
            Self::Events => "POST /api/packs/events",
            Self::Uploads => "GET /api/uploads",
            Self::NewUpload => "POST /api/uploads",
            Self::UploadState(_) => "GET /api/uploads/<id>",
            Self::AbortUpload(_) => "DELETE /api/uploads/<id>",
            Self::PutPart(..) => "PUT /api/uploads/<id>/parts/<n>",
            Self::Complete(_) => "POST /api/uploads/<id>/complete",
            Self::Download(_) => "GET /packs/<sha1>.zip",
            Self::Polymath => "POST /upload",
            Self::PolymathDownload => "GET /pack.zip",
            Self::Metrics => "GET /metrics",
            Self::Alive => "GET /health",
            Self::Health => "GET /api/health",
            Self::OpenApi => "GET /openapi.json",
        }
    }

    fn audience(&self) -> Audience {
        match self {
            Self::Latest
            | Self::Packs
            | Self::Pack(_)
            | Self::Stats(_)
            | Self::Download(_)
            | Self::PolymathDownload
            | Self::Metrics
            | Self::Alive
            | Self::Health
            | Self::OpenApi => Audience::Public,
            _ => Audience::Operator,
        }
    }

    fn errors(&self) -> ErrorFormat {
        match self {
            Self::Download(_) | Self::PolymathDownload => ErrorFormat::Line,
            Self::Polymath => ErrorFormat::Polymath,
            _ => ErrorFormat::Problem,
        }
    }
}

/// Finds the route.
pub fn parse(method: &Method, path: &[&str]) -> Result<Route, Failure> {
    let own = |text: &&str| (*text).to_owned();
    let route = match (path, method) {
        // Whatever is below it: the game prints also what says that there is no such file.
        (["packs", file @ ..], Method::Get) => Route::Download(file.join("/")),
        (["api", "pack", "latest"], Method::Get) => Route::Latest,
        (["api", "packs"], Method::Get) => Route::Packs,
        (["api", "packs", "rebuild"], Method::Post) => Route::Rebuild,
        (["api", "packs", "gc"], Method::Post) => Route::Collect,
        (["api", "packs", "events"], Method::Post) => Route::Events,
        (["api", "packs", pack], Method::Get) => Route::Pack(own(pack)),
        (["api", "packs", pack, "stats"], Method::Get) => Route::Stats(own(pack)),
        (["api", "packs", pack], Method::Put) => Route::Upload(own(pack)),
        (["api", "packs", pack], Method::Patch) => Route::Settings(own(pack)),
        (["api", "packs", pack, "publish"], Method::Post) => Route::Publish(own(pack)),
        (["api", "packs", pack, "rollback"], Method::Post) => Route::Rollback(own(pack)),
        (["api", "packs", pack, "scheduled", channel], Method::Delete) => {
            Route::Unschedule(own(pack), own(channel))
        }
        (["api", "packs", pack, "releases", sha1], Method::Delete) => {
            Route::DeleteRelease(own(pack), own(sha1))
        }
        (["api", "uploads"], Method::Get) => Route::Uploads,
        (["api", "uploads"], Method::Post) => Route::NewUpload,
        (["api", "uploads", id], Method::Get) => Route::UploadState(own(id)),
        (["api", "uploads", id], Method::Delete) => Route::AbortUpload(own(id)),
        (["api", "uploads", id, "parts", part], Method::Put) => Route::PutPart(own(id), own(part)),
        (["api", "uploads", id, "complete"], Method::Post) => Route::Complete(own(id)),
        // Every method, so that errors have its format.
        (["upload"], _) => Route::Polymath,
        (["pack.zip"], Method::Get) => Route::PolymathDownload,
        (["metrics"], Method::Get) => Route::Metrics,
        (["health"], Method::Get) => Route::Alive,
        (["api", "health"], Method::Get) => Route::Health,
        (["openapi.json"], Method::Get) => Route::OpenApi,
        _ => return Err(no_route(path)),
    };
    Ok(route)
}

/// 405 with what the path takes, or 404.
fn no_route(path: &[&str]) -> Failure {
    method_not_allowed(match path {
        ["api", "pack", "latest"]
        | ["api", "packs" | "health"]
        | ["packs", ..]
        | ["pack.zip" | "metrics" | "health" | "openapi.json"]
        | ["api", "packs", _, "stats"] => "GET, HEAD",
        ["api", "packs", "rebuild" | "gc" | "events"]
        | ["api", "packs", _, "publish" | "rollback"]
        | ["api", "uploads", _, "complete"] => "POST",
        ["api", "packs", _, "releases" | "scheduled", _] => "DELETE",
        ["api", "packs", _] => "GET, HEAD, PUT, PATCH",
        ["api", "uploads"] => "GET, HEAD, POST",
        ["api", "uploads", _] => "GET, HEAD, DELETE",
        ["api", "uploads", _, "parts", _] => "PUT",
        _ => return not_found("such path"),
    })
}

/// Serves it.
pub async fn run(
    route: &Route,
    request: &Request,
    env: &Env,
    context: &Context,
    config: &PackConfig,
) -> Result<Response, Failure> {
    match route {
        Route::Latest => {
            let query = Query::read(request, query::LATEST)?;
            let (protocol, version) = (query.protocol.as_deref(), query.version.as_deref());
            let asked = latest::Asked {
                client: Client::read(protocol, version)
                    .map_err(|error| Failure::new(Code::BadRequest, error))?,
                pack: query.pack,
                channel: query.channel,
            };
            latest::answer(request, env, context, config, &asked, query.format).await
        }
        Route::Packs => show::packs(request.headers(), env).await,
        Route::Pack(name) => show::pack(request.headers(), env, name).await,
        Route::Stats(name) => stats::answer(request, env, &pack_name(name)?).await,
        Route::Upload(name) => upload::upload(request, env, config, name).await,
        Route::Settings(name) => manage::settings(request, env, config, name).await,
        Route::Publish(name) => manage::publish(request, env, config, name).await,
        Route::Rollback(name) => manage::roll_back(request, env, config, name).await,
        Route::Unschedule(name, channel) => manage::unschedule(request, env, name, channel).await,
        Route::DeleteRelease(name, sha1) => manage::delete(request, env, name, sha1).await,
        Route::Rebuild => gc::rebuild(request, env, config).await,
        Route::Collect => gc::collect(request, env, config).await,
        Route::Events => incoming::event(request, env, config).await,
        Route::Uploads => parts::list(request, env).await,
        Route::NewUpload => parts::create(request, env, config).await,
        Route::UploadState(id) => parts::state(request, env, id).await,
        Route::AbortUpload(id) => parts::abort(request, env, id).await,
        Route::PutPart(id, part) => parts::put(request, env, config, id, part).await,
        Route::Complete(id) => parts::complete(request, env, config, id).await,
        Route::Download(_) | Route::PolymathDownload => {
            let file = match route {
                Route::Download(file) => file.clone(),
                _ => polymath::file(request),
            };
            download::answer(request, env, context, config, &file).await
        }
        Route::Polymath => polymath::upload(request, env, config).await,
        Route::Metrics => metrics::answer(env).await,
        Route::Alive => edge::health::alive(),
        Route::Health => health::answer(request, env).await,
        Route::OpenApi => OPENAPI.answer(request),
    }
}

#[cfg(test)]
mod tests {
    use edge::Route as _;

    use super::*;

    #[test]
    fn routes_are_found_and_methods_checked() {
        assert_eq!(
            parse(&Method::Put, &["api", "packs", "main"]).unwrap(),
            Route::Upload("main".to_owned())
        );
        assert_eq!(
            parse(&Method::Get, &["packs", "x.zip"]).unwrap().name(),
            "GET /packs/<sha1>.zip"
        );
        for path in [&["packs"][..], &["packs", ""], &["packs", "a", "b.zip"]] {
            let route = parse(&Method::Get, path).unwrap();
            assert_eq!(route, Route::Download(path[1..].join("/")));
            assert_eq!(route.errors(), ErrorFormat::Line);
        }
        let (problem, headers) = parse(&Method::Delete, &["api", "packs", "main"])
            .unwrap_err()
            .into_problem();
        assert_eq!(
            (problem.status, headers),
            (405, vec![("Allow", "GET, HEAD, PUT, PATCH".to_owned())])
        );
        for unknown in [
            &["api"][..],
            &["api", "packs", "main", ""],
            &["api", "pack"],
            &["pack"],
            &[""],
        ] {
            assert_eq!(
                parse(&Method::Get, unknown)
                    .unwrap_err()
                    .into_problem()
                    .0
                    .status,
                404,
                "{unknown:?}"
            );
        }
    }
}
