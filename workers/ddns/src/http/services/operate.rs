//! What operators want: silence, and to be known to take care.

use edge::{Failure, auth, body, clock, not_found, reply};
use serde::{Deserialize, Serialize};
use types::{
    Code, Timestamp,
    config::{DdnsConfig, alerts::AlertEvent, services::Service},
    token::{Action, TokenEntry},
};
use worker::{Env, Request, Response};

use super::{super::access::Asker, bad, named, present};
use crate::{
    alerts::{Alert, outbox},
    services::{
        store::{Store, silences::Wish},
        view::Viewer,
    },
};

/// The longest maintenance, in seconds: a year.
const LONGEST: i64 = 366 * 24 * 3600;
const REASON_CHARS: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MaintenanceBody {
    until: Option<Timestamp>,
    minutes: Option<u32>,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AckBody {
    note: Option<String>,
}

/// The answer to maintenance, pause and resume.
#[derive(Serialize)]
struct Silenced<'a> {
    id: &'a str,
    state: &'static str,
    /// The end of maintenance.
    until: Option<Timestamp>,
    reason: Option<String>,
}

/// `{"until"}` or `{"minutes"}` begins it, with a `reason`; `{"minutes": 0}` ends it.
pub async fn maintenance(
    id: &str,
    request: &Request,
    env: &Env,
    config: &DdnsConfig,
) -> Result<Response, Failure> {
    let (service, entry) = operated(id, request, env, config).await?;
    let wanted: MaintenanceBody = body::json_required(request).await?;
    let now = Store::new(env)?.moment(clock::now()).await?;
    let until = match (wanted.until, wanted.minutes) {
        (Some(until), None) => until,
        (None, Some(minutes)) => now.plus_seconds(60 * i64::from(minutes)),
        _ => return Err(bad("say until when, or for how many minutes: one of them")),
    };
    if until - now > LONGEST {
        return Err(bad(
            "maintenance lasts for a year at most; pause it instead",
        ));
    }
    let wish = if wanted.minutes == Some(0) {
        Wish::EndMaintenance
    } else if until <= now {
        return Err(bad(
            "until is over; to end maintenance, say {\"minutes\": 0}",
        ));
    } else {
        let reason = text("reason", wanted.reason)?;
        Wish::Maintain { until, reason }
    };
    silence(service, &wish, &entry, env, config).await
}

pub async fn pause(
    id: &str,
    paused: bool,
    request: &Request,
    env: &Env,
    config: &DdnsConfig,
) -> Result<Response, Failure> {
    let (service, entry) = operated(id, request, env, config).await?;
    let _: Nothing = body::json(request).await?;
    if !paused && service.paused {
        let detail = "the configuration pauses it: take `paused` out there";
        return Err(Failure::new(Code::Conflict, detail));
    }
    let wish = if paused { Wish::Pause } else { Wish::Resume };
    silence(service, &wish, &entry, env, config).await
}

async fn silence(
    service: &Service,
    wish: &Wish,
    entry: &TokenEntry,
    env: &Env,
    config: &DdnsConfig,
) -> Result<Response, Failure> {
    let store = Store::new(env)?;
    store
        .silence(&service.id, wish, &entry.name, clock::now())
        .await?;
    let silences = store.silences().await?;
    let silence = silences
        .into_iter()
        .find(|silence| silence.service == service.id.as_str());
    let present = present(env, config).await?;
    let shown = present.show(service, &Viewer::Token(entry.clone()));
    let answer = Silenced {
        id: service.id.as_str(),
        state: shown.state.as_str(),
        until: silence
            .and_then(|silence| silence.until)
            .filter(|until| *until > present.now),
        reason: shown.reason,
    };
    reply::json(200, &answer)
}

/// Acknowledges an open incident: it is not reminded of any more. Who does so a second time is told
/// who was first.
pub async fn acknowledge(
    id: &str,
    request: &Request,
    env: &Env,
    config: &DdnsConfig,
) -> Result<Response, Failure> {
    let entry = Asker::identify(request, env).await?.entry;
    let writes = |scope: &types::token::Scope| scope.action == Action::OpsWrite;
    if !entry.scopes.iter().any(writes) {
        auth::allow(&entry, Action::OpsWrite, None)?;
    }
    let missing = || not_found("such incident");
    let id: u32 = id.parse().map_err(|_| missing())?;
    let wanted: AckBody = body::json(request).await?;
    let note = text("note", wanted.note)?;
    let store = Store::new(env)?;
    let incident = store.incident(id).await?.ok_or_else(missing)?;
    auth::allow(&entry, Action::OpsWrite, Some(&incident.service))?;
    if incident.closed_at.is_some() {
        let detail = "this incident is closed: there is nothing to take care of";
        return Err(Failure::new(Code::Conflict, detail));
    }
    let note = note.unwrap_or_else(|| "acknowledged".to_owned());
    let was_first = incident.acknowledged_by.is_none();
    let now = store.moment(clock::now()).await?;
    let alert = named(config, &incident.service)
        .filter(|_| was_first)
        .map(|service| Alert {
            v: 1,
            event: AlertEvent::Acknowledged,
            service: service.id.to_string(),
            name: service.name.clone(),
            group: service.group.clone(),
            state: None,
            previous: None,
            was_degraded: false,
            lasted_seconds: None,
            reason: Some(format!("{}: {note}", entry.name)),
            since: incident.opened_at,
            at: now,
            incident: Some(id.to_string()),
        });
    let rows = outbox::rows_of(config, alert.as_slice())?;
    let stale = alert.iter().map(|alert| alert.service.as_str()).collect();
    let alert = outbox::enqueue(&store.0, rows, &stale)?;
    let incident = store
        .acknowledge(id, &entry.name, now, &note, alert)
        .await?
        .ok_or_else(missing)?;
    reply::json(200, &incident)
}

/// The service that this request may change, and by which token.
async fn operated<'a>(
    id: &str,
    request: &Request,
    env: &Env,
    config: &'a DdnsConfig,
) -> Result<(&'a Service, TokenEntry), Failure> {
    let asker = Asker::require(request, env, Action::OpsWrite, Some(id)).await?;
    let service = named(config, id).ok_or_else(|| not_found("such service"))?;
    Ok((service, asker.entry))
}

/// One line of bounded length.
fn text(key: &str, text: Option<String>) -> Result<Option<String>, Failure> {
    let text = text.filter(|text| !text.trim().is_empty());
    let is_bad =
        |text: &String| text.chars().count() > REASON_CHARS || text.chars().any(char::is_control);
    if text.as_ref().is_some_and(is_bad) {
        return Err(bad(format!(
            "{key} is one line of at most {REASON_CHARS} characters"
        )));
    }
    Ok(text)
}
