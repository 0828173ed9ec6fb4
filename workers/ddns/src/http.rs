//! Requests in, answers out.
//!
//! `GET /health`, `GET /api/health`, `GET /ip`, `GET /nic/update` and `/v3/update` (dyndns2),
//! `GET /api/ddns/hosts`, `GET /api/ddns/log`.

use std::net::IpAddr;

use edge::{
    Audience, ErrorFormat, Failure, auth, clock, config::Cached, method_not_allowed, not_found,
    reply,
};
use types::{
    Code as ProblemCode,
    config::DdnsConfig,
    ddns::{HostState, Hosts, Log},
    health::{HEALTH_JSON, HealthStatus, SimpleHealth},
    token::Action,
};
use worker::{Env, Method, Request, Response};

use crate::{
    dyndns2::{Answer, Code},
    health::{Database, health, state_of},
    report::{self, Report},
    store::Store,
    update,
};

static CONFIG: Cached<DdnsConfig> = Cached::new();

/// How much of a `User-Agent` the log keeps.
const CLIENT_CHARS: usize = 120;
const LOG_DEFAULT: u32 = 50;
const LOG_MOST: u32 = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    Alive,
    Health,
    Ip,
    NicUpdate,
    V3Update,
    Hosts,
    Log,
}

impl edge::Route for Route {
    fn name(&self) -> &'static str {
        match self {
            Self::Alive => "GET /health",
            Self::Health => "GET /api/health",
            Self::Ip => "GET /ip",
            Self::NicUpdate => "GET /nic/update",
            Self::V3Update => "GET /v3/update",
            Self::Hosts => "GET /api/ddns/hosts",
            Self::Log => "GET /api/ddns/log",
        }
    }

    fn audience(&self) -> Audience {
        match self {
            Self::Alive | Self::Health | Self::Ip => Audience::Public,
            Self::NicUpdate | Self::V3Update | Self::Hosts | Self::Log => Audience::Operator,
        }
    }

    fn errors(&self) -> ErrorFormat {
        match self {
            Self::NicUpdate | Self::V3Update => ErrorFormat::Dyndns2,
            _ => ErrorFormat::Problem,
        }
    }
}

/// The route of a path, `segments` being its parts.
pub fn parse(method: &Method, segments: &[&str]) -> Result<Route, Failure> {
    let route = match segments {
        ["health"] => Route::Alive,
        ["api", "health"] => Route::Health,
        ["ip"] => Route::Ip,
        ["nic", "update"] => Route::NicUpdate,
        ["v3", "update"] => Route::V3Update,
        ["api", "ddns", "hosts"] => Route::Hosts,
        ["api", "ddns", "log"] => Route::Log,
        _ => return Err(not_found("such path")),
    };
    match method {
        Method::Get => Ok(route),
        _ => Err(method_not_allowed("GET, HEAD")),
    }
}

pub async fn answer(route: Route, request: &Request, env: &Env) -> Result<Response, Failure> {
    match route {
        Route::Alive => uncached(reply::text(200, "healthy")?),
        Route::Health => health_of(request, env).await,
        Route::Ip => uncached(reply::text(200, &connecting(request)?.to_string())?),
        Route::NicUpdate | Route::V3Update => update_of(request, env).await,
        Route::Hosts => hosts(request, env).await,
        Route::Log => log(request, env).await,
    }
}

fn uncached(response: Response) -> Result<Response, Failure> {
    response.headers().set("Cache-Control", "no-store")?;
    Ok(response)
}

/// Where the request comes from, as the edge saw it.
fn connecting(request: &Request) -> Result<IpAddr, Failure> {
    let header = request.headers().get("cf-connecting-ip")?;
    header
        .and_then(|address| address.parse().ok())
        .ok_or_else(|| {
            Failure::new(
                ProblemCode::Unavailable,
                "this connection does not show where it comes from",
            )
        })
}

async fn health_of(request: &Request, env: &Env) -> Result<Response, Failure> {
    let format = parameter(request, "format");
    let simple = match format.as_deref() {
        None | Some("" | "json") => false,
        Some("simple") => true,
        Some(_) => {
            let detail = "format is json or simple";
            return Err(Failure::new(ProblemCode::BadRequest, detail));
        }
    };
    // No services are watched yet, so none has this name.
    if parameter(request, "service").is_some_and(|service| !service.is_empty()) {
        return Err(not_found("such service"));
    }
    let health = health(clock::now(), database(env).await);
    let failed = health.status == HealthStatus::Fail;
    let status = if failed { 503 } else { 200 };
    if simple {
        let word = if failed { "error" } else { "ok" };
        let simple = SimpleHealth {
            status: word.to_owned(),
            timestamp: clock::millis(),
        };
        return uncached(reply::json(status, &simple)?);
    }
    let body = || serde_json::to_vec(&health).map_err(|error| Failure::internal(error.to_string()));
    if failed {
        return uncached(reply::bytes(status, HEALTH_JSON, body()?)?);
    }
    let tag = reply::tag_of(state_of(&health).as_bytes());
    reply::tagged(request.headers(), &tag, HEALTH_JSON, body)
}

/// Asks the database when the cron ran. What fails is logged and becomes a state, not an error.
async fn database(env: &Env) -> Database {
    let started = clock::millis();
    let asked = async { Store::new(env)?.ticked_at().await };
    match asked.await {
        Ok(ticked_at) => Database::Answered {
            millis: clock::millis() - started,
            ticked_at,
        },
        Err(failure) => {
            if let Failure::Internal(words) = failure {
                edge::log::error("health", &words);
            }
            Database::Failed
        }
    }
}

async fn update_of(request: &Request, env: &Env) -> Result<Response, Failure> {
    let config = CONFIG.get(env)?;
    let tokens = auth::tokens(env)?;
    let presented = auth::basic_password(request.headers());
    let token = presented.and_then(|presented| tokens.find(&presented));
    let may_update = |scope: &types::token::Scope| scope.action == Action::DdnsUpdate;
    let Some(token) = token.filter(|token| token.scopes.iter().any(may_update)) else {
        let response = dyndns2(&Answer::of(
            &[Code::Badauth],
            types::ddns::Addresses::default(),
        ))?;
        let challenge = "Basic realm=\"genkan\", charset=\"UTF-8\"";
        response.headers().set("WWW-Authenticate", challenge)?;
        return Ok(response);
    };
    let connecting = request.headers().get("cf-connecting-ip")?;
    let update = update::parse(&edge::query(request), connecting.as_deref());
    let verdicts = report::judge(&update, &config.hosts, token);
    let store = Store::new(env)?;
    let codes = if request.method() == Method::Head {
        report::preview(store.addresses().await?, &update.reported, &verdicts)
    } else {
        let client = request.headers().get("user-agent")?;
        let client: Option<String> =
            client.map(|client| client.chars().take(CLIENT_CHARS).collect());
        let report = Report {
            at: clock::now(),
            token: &token.name,
            client: client.as_deref(),
            reported: &update.reported,
        };
        store.record(report, &verdicts).await?
    };
    dyndns2(&Answer::of(&codes, update.reported.addresses))
}

fn dyndns2(answer: &Answer) -> Result<Response, Failure> {
    reply::text(answer.status, &answer.body)
}

async fn hosts(request: &Request, env: &Env) -> Result<Response, Failure> {
    auth::require(request.headers(), env, Action::OpsRead, None)?;
    let config = CONFIG.get(env)?;
    let rows = Store::new(env)?.hosts().await?;
    let state = |host: &types::config::HostName| {
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

fn parameter(request: &Request, name: &str) -> Option<String> {
    let mut pairs = edge::query(request).into_iter();
    pairs.find(|(key, _)| key == name).map(|(_, value)| value)
}

fn number(request: &Request, name: &str) -> Result<Option<u32>, Failure> {
    let wrong = |_| {
        let detail = format!("{name} is not a number that this list takes");
        Failure::new(ProblemCode::BadRequest, detail)
    };
    let text = parameter(request, name).filter(|text| !text.is_empty());
    text.map(|text| text.parse().map_err(wrong)).transpose()
}
