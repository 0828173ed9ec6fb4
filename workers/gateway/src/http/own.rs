//! The answers of the gateway's own routes.

use edge::{Audience, Failure, PUBLIC_HEADERS, auth, query, reply};
use types::{
    Code,
    config::GatewayConfig,
    gateway::{RouteTable, RouteView},
    token::Action,
};
use worker::{Env, Request, Response};

use crate::{
    asked::Asked,
    explain::explain,
    join::{self, metrics, openapi},
    own::Own,
    routes::Table,
};

const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// This worker's part of `openapi.yaml` (`build.rs`).
const OWN_DESCRIPTION: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

/// Answers a CORS preflight.
pub fn preflight(own: Own) -> Result<Response, Failure> {
    if own.is_public() {
        open(edge::preflight(Audience::Public)?)
    } else {
        edge::preflight(Audience::Operator)
    }
}

/// Lets every website read it.
fn open(response: Response) -> Result<Response, Failure> {
    for (name, value) in PUBLIC_HEADERS {
        response.headers().set(name, value)?;
    }
    Ok(response)
}

/// Answers a GET; of a HEAD the runtime leaves the body out.
pub async fn answer(
    own: Own,
    request: &Request,
    env: &Env,
    config: &GatewayConfig,
    table: &Table,
) -> Result<Response, Failure> {
    let response = match own {
        Own::Routes => {
            auth::require(request.headers(), env, Action::OpsRead, None)?;
            let response = reply::json(200, &routes(config, table, asked_about(request)?)?)?;
            response.headers().set("Cache-Control", "no-store")?;
            return Ok(response);
        }
        Own::Metrics => {
            // Who bears a token sees what the workers show to its bearer.
            let token = request.headers().get("authorization")?;
            let token = token.iter().map(|token| ("authorization", token.as_str()));
            let headers: Vec<_> = token.chain([("accept", "text/plain")]).collect();
            let parts = join::ask(env, "/metrics", &headers).await;
            let page = metrics::joined(&parts).into_bytes();
            let response = reply::bytes(200, PROMETHEUS, page)?;
            response.headers().set("Cache-Control", "no-store")?;
            response
        }
        Own::OpenApi => {
            let parts = join::ask(env, "/openapi.json", &[("accept", reply::JSON)]).await;
            let whole = openapi::joined(OWN_DESCRIPTION, &parts);
            let body = whole.and_then(|whole| serde_json::to_vec(&whole));
            let body = body.map_err(|error| Failure::internal(error.to_string()))?;
            let tag = reply::tag_of(&body);
            reply::tagged(request.headers(), &tag, reply::JSON, || Ok(body))?
        }
    };
    open(response)
}

/// The value of `?url=`, of which there is at most one.
fn asked_about(request: &Request) -> Result<Option<String>, Failure> {
    let mut pairs = query(request).into_iter();
    match (pairs.next(), pairs.next()) {
        (None, _) => Ok(None),
        (Some((key, url)), None) if key == "url" => Ok(Some(url)),
        _ => Err(Failure::new(
            Code::BadRequest,
            "this takes one query key, url: the URL whose route is asked for",
        )),
    }
}

fn routes(
    config: &GatewayConfig,
    table: &Table,
    url: Option<String>,
) -> Result<RouteTable, Failure> {
    let views = config.routes.iter().enumerate();
    let lookup = url.map(|url| {
        let whole = if url.contains("://") {
            url.clone()
        } else {
            format!("https://{url}")
        };
        let asked = Asked::read(&whole).map_err(|unreadable| {
            Failure::new(Code::BadRequest, format!("url: {}", unreadable.0))
        })?;
        Ok::<_, Failure>(explain(config, table, url, &asked))
    });
    Ok(RouteTable {
        routes: views
            .map(|(index, route)| RouteView::new(index, route))
            .collect(),
        lookup: lookup.transpose()?,
    })
}
