//! Requests in, answers out.

use edge::{
    Audience, Failure, auth, body, clock, conditional::if_match_allows, method_not_allowed,
    not_found, reply,
};
use futures::future::join;
use minecraft::text::Text;
use serde_json::{Value, json, value::RawValue};
use types::{
    Code,
    config::StatusConfig,
    control::{
        Document, History, HistoryEntry, Invalid, MAX_LINES, Preview, PreviewError, Proxies,
        Restore,
    },
    token::{Action, TokenEntry},
};
use worker::{Env, Method, Request, Response};

use super::{
    book::{self, Book as _, Current},
    change::{self, Refused},
    cron,
    drift::drift,
    effective,
    formats::{Asked, Format},
    query::{Query, parameter},
    readers, reports,
    store::Platform,
    text,
};
use crate::{
    snapshot::{self, Snapshot},
    store::{self, Kept, Store},
};

const HISTORY_DEFAULT: u32 = 20;
const HISTORY_MOST: u32 = 50;
/// The longest text that is previewed, in bytes.
const PREVIEW_MOST: usize = 4096;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    InForce,
    Replace,
    Patch,
    Document,
    History,
    Restore,
    Preview,
    Proxies,
}

impl edge::Route for Route {
    fn name(&self) -> &'static str {
        match self {
            Self::InForce => "GET /api/control",
            Self::Replace => "PUT /api/control",
            Self::Patch => "PATCH /api/control",
            Self::Document => "GET /api/control/document",
            Self::History => "GET /api/control/history",
            Self::Restore => "POST /api/control/restore",
            Self::Preview => "GET /api/control/preview",
            Self::Proxies => "GET /api/control/proxies",
        }
    }

    fn audience(&self) -> Audience {
        match self {
            Self::InForce => Audience::Public,
            _ => Audience::Operator,
        }
    }
}

/// Finds the route of what follows `/api/control`.
pub fn parse(method: &Method, path: &[&str]) -> Result<Route, Failure> {
    let route = match (path, method) {
        ([], Method::Get) => Route::InForce,
        ([], Method::Put) => Route::Replace,
        ([], Method::Patch) => Route::Patch,
        (["document"], Method::Get) => Route::Document,
        (["history"], Method::Get) => Route::History,
        (["restore"], Method::Post) => Route::Restore,
        (["preview"], Method::Get) => Route::Preview,
        (["proxies"], Method::Get) => Route::Proxies,
        ([], _) => return Err(method_not_allowed("GET, HEAD, PUT, PATCH")),
        (["restore"], _) => return Err(method_not_allowed("POST")),
        (["document" | "history" | "preview" | "proxies"], _) => {
            return Err(method_not_allowed("GET, HEAD"));
        }
        _ => return Err(not_found("such path")),
    };
    Ok(route)
}

/// Serves it.
pub async fn run(
    route: Route,
    request: &Request,
    env: &Env,
    config: &StatusConfig,
) -> Result<Response, Failure> {
    match route {
        Route::InForce => in_force(request, env, config).await,
        Route::Replace | Route::Patch => change(route, request, env, config).await,
        Route::Document => document(request, env, config).await,
        Route::History => history(request, env).await,
        Route::Restore => restore(request, env, config).await,
        Route::Preview => preview(request, env, config).await,
        Route::Proxies => proxies(request, env, config).await,
    }
}

async fn in_force(
    request: &Request,
    env: &Env,
    config: &StatusConfig,
) -> Result<Response, Failure> {
    let query = Query::read(request, config)?;
    let report = reports::read(request.headers(), &query.target.id)?;
    let (document, snapshot) = join(
        snapshot::document(env, config),
        Snapshot::latest(env, config),
    )
    .await;
    // What is wanted holds whatever was seen: without KV the document comes from D1.
    let seen = snapshot
        .ok()
        .and_then(|snapshot| snapshot.seen(query.target));
    let now = clock::now();
    if let Some(report) = report {
        reports::keep(env, report, now).await;
    }
    let asked = Asked {
        document: &document,
        target: &query.target.id,
        seen: seen.as_ref().map(|seen| &seen.observation),
        now,
        protocol: query.protocol,
    };
    let body = asked.render(query.format);
    let body = body.map_err(|error| Failure::internal(error.to_string()))?;
    let media_type = match query.format {
        Format::Json => reply::JSON,
        _ => reply::TEXT,
    };
    let tag = reply::tag_of(body.as_bytes());
    reply::tagged(
        request.headers(),
        &tag,
        media_type,
        || Ok(body.into_bytes()),
    )
}

async fn change(
    route: Route,
    request: &Request,
    env: &Env,
    config: &StatusConfig,
) -> Result<Response, Failure> {
    let author = operator(request, env)?;
    let body: Value = body::json_required(request).await?;
    let wish = |last: &Current| match route {
        Route::Patch => change::patched(&last.document, &body).map_err(refused),
        _ => change::replaced(body.clone()).map_err(refused),
    };
    let checked = |last: &Current| {
        let wanted = wish(last)?;
        change::known_targets(&wanted, &last.document, config).map_err(refused)?;
        Ok(wanted)
    };
    make(request, env, config, &author, checked).await
}

/// A revision comes back as it was, with what it says of a target that is gone: `shown` tells.
async fn restore(request: &Request, env: &Env, config: &StatusConfig) -> Result<Response, Failure> {
    let author = operator(request, env)?;
    let Restore { revision } = body::json_required(request).await?;
    let text = Platform::new(env)?.text(revision).await?;
    let text = text.ok_or_else(|| not_found(&format!("revision {revision}")))?;
    let wanted: Value = serde_json::from_str(&text)
        .map_err(|error| Failure::internal(format!("control_history {revision}: {error}")))?;
    let wish = |_: &Current| change::replaced(wanted.clone()).map_err(refused);
    make(request, env, config, &author, wish).await
}

/// Makes the next revision, if the request's conditions hold and its token may.
async fn make(
    request: &Request,
    env: &Env,
    config: &StatusConfig,
    author: &TokenEntry,
    wish: impl Fn(&Current) -> Result<Document, Failure>,
) -> Result<Response, Failure> {
    let checked = |last: &Current| {
        if !if_match_allows(request.headers(), &reply::tag_of(last.text.as_bytes())) {
            let detail = format!(
                "the document has changed: it is at revision {}; read it again, then send your change with its ETag",
                last.document.revision
            );
            return Err(Failure::new(Code::PreconditionFailed, detail));
        }
        let wanted = wish(last)?;
        may(author, &last.document, &wanted)?;
        Ok(wanted)
    };
    distinct(&author.name)?;
    let platform = Platform::new(env)?;
    let made = book::change(&platform, &author.name, clock::now(), checked).await?;
    shown(request, config, made)
}

/// Who asks, if it is an operator of this worker. A token narrowed to a target reads everything here
/// and changes that target's overrides: [`may`].
fn operator(request: &Request, env: &Env) -> Result<TokenEntry, Failure> {
    let entry = auth::identify(request.headers(), env)?;
    let narrowed = entry
        .scopes
        .iter()
        .find(|scope| scope.action == Action::StatusWrite);
    let resource = narrowed.and_then(|scope| scope.resource.as_deref());
    auth::allow(&entry, Action::StatusWrite, resource)?;
    Ok(entry)
}

/// A token by the name of what is no token would not be told from it in the history.
fn distinct(name: &str) -> Result<(), Failure> {
    if [book::BY_HAND, cron::BY_SCHEDULE].contains(&name) {
        let detail = format!("{name} is no token in the history; give this token another name");
        return Err(Failure::new(Code::Forbidden, detail));
    }
    Ok(())
}

/// Whether a token may make this of that.
fn may(author: &TokenEntry, before: &Document, after: &Document) -> Result<(), Failure> {
    let (general, targets) = before.differences(after);
    if general {
        auth::allow(author, Action::StatusWrite, None)?;
    }
    targets
        .into_iter()
        .try_for_each(|target| auth::allow(author, Action::StatusWrite, Some(target.as_str())))
}

fn refused(refused: Refused) -> Failure {
    match refused {
        Refused::Shape(invalid) => Failure::new(Code::BadJson, format!("the body: {invalid}")),
        Refused::Content(invalid) => Failure::new(Code::Unprocessable, invalid.to_string()),
    }
}

async fn document(
    request: &Request,
    env: &Env,
    config: &StatusConfig,
) -> Result<Response, Failure> {
    operator(request, env)?;
    let current = book::current(&Platform::new(env)?, clock::now()).await?;
    shown(request, config, current)
}

/// The document with its tag, and beside it what is wrong with KV and what in it does nothing.
fn shown(request: &Request, config: &StatusConfig, current: Current) -> Result<Response, Failure> {
    let tag = reply::tag_of(current.text.as_bytes());
    let told = |told: &Invalid| json!({"at": told.at, "message": told.message});
    let strangers = change::strangers(&current.document, config);
    let warnings: Vec<_> = strangers.map(|(_, stranger)| told(&stranger)).collect();
    let mut body = current.text;
    let mut beside = |name: &str, value: &Value| {
        body.truncate(body.len() - 1);
        body = format!("{body},\"{name}\":{value}}}");
    };
    let is_well = current.problem.is_none() && warnings.is_empty();
    if let Some(problem) = &current.problem {
        beside("problem", &told(problem));
    }
    if !warnings.is_empty() {
        beside("warnings", &warnings.into());
    }
    if request.method() == Method::Get && is_well {
        return reply::tagged(request.headers(), &tag, reply::JSON, || {
            Ok(body.into_bytes())
        });
    }
    let response = reply::bytes(200, reply::JSON, body.into_bytes())?;
    response.headers().set("ETag", &tag)?;
    Ok(response)
}

async fn history(request: &Request, env: &Env) -> Result<Response, Failure> {
    operator(request, env)?;
    let number = |name: &str, default: u32| match parameter(request, name) {
        None => Ok(default),
        Some(text) => text
            .parse()
            .map_err(|_| Failure::new(Code::BadRequest, format!("{name}: must be a whole number"))),
    };
    let before: u32 = number("cursor", u32::MAX)?;
    let limit: u32 = number("limit", HISTORY_DEFAULT)?.clamp(1, HISTORY_MOST);
    // One more than is shown tells whether there are more.
    let mut rows = Platform::new(env)?.history(before, limit + 1).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows
        .last()
        .filter(|_| more)
        .map(|row| row.revision.to_string());
    let raw = |text: String| {
        RawValue::from_string(text)
            .map_err(|error| Failure::internal(format!("control_history: {error}")))
    };
    let entry = |row: super::store::Cells| {
        Ok(HistoryEntry {
            revision: row.revision,
            at: types::Timestamp::from_seconds(row.at),
            by: row.by,
            before: row.before.map(raw).transpose()?,
            after: raw(row.after)?,
        })
    };
    let entries = rows
        .into_iter()
        .map(entry)
        .collect::<Result<_, Failure>>()?;
    reply::json(
        200,
        &History {
            entries,
            next_cursor: next,
        },
    )
}

async fn preview(request: &Request, env: &Env, config: &StatusConfig) -> Result<Response, Failure> {
    operator(request, env)?;
    let query = Query::read(request, config)?;
    let source = parameter(request, "motd").ok_or_else(|| {
        Failure::new(
            Code::BadRequest,
            "motd: is missing; it is the text to preview",
        )
    })?;
    if source.len() > PREVIEW_MOST {
        let detail = format!(
            "motd: has {} bytes; {PREVIEW_MOST} are the most",
            source.len()
        );
        return Err(Failure::new(Code::TooLarge, detail));
    }
    let (document, kept) = join(readers::in_force(env), Store::new(env).kept()).await;
    let seen = store::read(&kept?, query.target);
    let now = clock::now();
    let mut text = effective::filled(&source, &document, &query.target.id, seen.as_ref(), now);
    if query.protocol.is_some_and(super::formats::is_old) {
        text = text.downsampled();
    }
    let errors = text::problems(&source, MAX_LINES)
        .into_iter()
        .map(|error| PreviewError {
            at: error.at,
            message: error.message,
        });
    let mut motd = text::rendered(&text);
    motd.ansi = Some(Text::to_ansi(&text));
    reply::json(
        200,
        &Preview {
            motd,
            errors: errors.collect(),
        },
    )
}

async fn proxies(request: &Request, env: &Env, config: &StatusConfig) -> Result<Response, Failure> {
    operator(request, env)?;
    let platform = Platform::new(env)?;
    let now = clock::now();
    let (current, kept) = join(book::current(&platform, now), Store::new(env).kept()).await;
    let (current, kept): (Current, Kept) = (current?, kept?);
    let revision = current.document.revision;
    let targets = config.targets.iter().map(|target| {
        let seen = store::read(&kept, target);
        drift(&current.document, &target.id, seen.as_ref(), now)
    });
    reply::json(
        200,
        &Proxies {
            revision,
            proxies: platform.proxies(revision).await?,
            targets: targets.collect(),
        },
    )
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
