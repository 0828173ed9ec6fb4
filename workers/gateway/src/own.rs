//! The gateway's own routes, on every host that has none in the table: the table itself for
//! operators, and what all workers say of themselves, joined.

use edge::{Failure, auth, method_not_allowed, query, reply};
use types::{
    Code,
    config::GatewayConfig,
    gateway::{RouteTable, RouteView},
    token::Action,
};
use worker::{Env, Method, Request, Response};

use crate::{
    asked::Asked,
    explain::explain,
    join::{self, metrics, openapi},
    routes::Table,
};

const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    Routes,
    Metrics,
    OpenApi,
}

/// What the gateway itself answers: the path is one of its own, the host has no routes, and no route
/// for every host is for that very path.
pub fn of(table: &Table, asked: &Asked) -> Option<Own> {
    let own = match asked.path.as_str() {
        "/api/gateway/routes" => Own::Routes,
        "/metrics" => Own::Metrics,
        "/openapi.json" => Own::OpenApi,
        _ => return None,
    };
    let found = table.find(&asked.host, &asked.path);
    let taken = found.is_some_and(|route| route.path.as_str() == asked.path);
    (!taken && !table.names(&asked.host)).then_some(own)
}

impl Own {
    /// For the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Routes => "GET /api/gateway/routes",
            Self::Metrics => "GET /metrics",
            Self::OpenApi => "GET /openapi.json",
        }
    }

    pub async fn answer(
        self,
        request: &Request,
        env: &Env,
        config: &GatewayConfig,
        table: &Table,
    ) -> Result<Response, Failure> {
        if !matches!(request.method(), Method::Get | Method::Head) {
            return Err(method_not_allowed("GET, HEAD"));
        }
        let response = match self {
            Self::Routes => {
                auth::require(request.headers(), env, Action::OpsRead, None)?;
                let response = reply::json(200, &routes(config, table, asked_about(request)?)?)?;
                response.headers().set("Cache-Control", "no-store")?;
                return Ok(response);
            }
            Self::Metrics => {
                let parts = join::ask(env, "/metrics", "text/plain").await;
                reply::bytes(200, PROMETHEUS, metrics::joined(&parts).into_bytes())?
            }
            Self::OpenApi => {
                let parts = join::ask(env, "/openapi.json", reply::JSON).await;
                let whole = openapi::joined(OWN_DESCRIPTION, &parts);
                let body = whole.and_then(|whole| serde_json::to_vec(&whole));
                let body = body.map_err(|error| Failure::internal(error.to_string()))?;
                let tag = reply::tag_of(&body);
                reply::tagged(request.headers(), &tag, reply::JSON, || Ok(body))?
            }
        };
        response.headers().set("Access-Control-Allow-Origin", "*")?;
        Ok(response)
    }
}

const OWN_DESCRIPTION: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

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

fn routes(config: &GatewayConfig, table: &Table, url: Option<String>) -> Result<RouteTable, Failure> {
    let views = config.routes.iter().enumerate();
    let lookup = url.map(|url| {
        let whole = if url.contains("://") { url.clone() } else { format!("https://{url}") };
        let asked = Asked::read(&whole).map_err(|unreadable| {
            Failure::new(Code::BadRequest, format!("url: {}", unreadable.0))
        })?;
        Ok::<_, Failure>(explain(&config.routes, table, url, &asked.host, &asked.path))
    });
    Ok(RouteTable {
        routes: views.map(|(index, route)| RouteView::new(index, route)).collect(),
        lookup: lookup.transpose()?,
    })
}
