//! Beats: from jobs that tell that they have run.
//!
//! Who beats shows a token with `heartbeat:write`, or names the service by its key instead of its id:
//! the value that `key` names in the secret `CHECKS`. A key says nothing of the id, and who has neither
//! is told the same whether there is such a service or not.

use std::collections::BTreeMap;

use edge::{Failure, auth, body, clock, log, not_found, reply};
use serde::Serialize;
use types::{
    Code, Timestamp,
    config::{
        DdnsConfig,
        services::{Check, HeartbeatCheck, Service},
    },
    services::BeatAnswer,
    token::{Action, TokenHash},
};
use worker::{Env, Request, Response};

use super::{
    super::{
        access::Asker,
        query::{number, parameter},
    },
    bad, present, viewer,
};
use crate::{
    checks::{BeatReport, judge_beat},
    services::{
        beats::{self, BODY_BYTES, Content, MOST_BYTES, RID_CHARS, Refused, Signal},
        secrets,
        store::{
            Store,
            beats::{BeatRow, BeforeBeat, LastBeats, NewBeat},
        },
        view::Viewer,
    },
};

/// A key that is shorter can be guessed, and is none.
const SHORTEST_KEY: usize = 16;
const LIST_DEFAULT: u32 = 50;
const LIST_MOST: u32 = 200;

pub async fn take(
    id: &str,
    signal: Signal,
    request: &Request,
    env: &Env,
    config: &DdnsConfig,
) -> Result<Response, Failure> {
    let (service, check) = allowed(id, request, env, config).await?;
    let rid = parameter(request, "rid").filter(|rid| !rid.is_empty());
    if rid.as_ref().is_some_and(|rid| !is_rid(rid)) {
        return Err(bad("rid is at most 64 letters, digits and signs"));
    }
    let content = content(request).await?;
    let store = Store::new(env)?;
    let before = store.before_beat(&service.id, rid.as_deref()).await?;
    let at = beats::moment(clock::millis(), before.minute, before.newest());
    let (duration_ms, failure) = judged(check, signal, &content, &before, rid.as_deref(), at);
    let cut = u32::try_from(content.log_bytes_cut).unwrap_or(u32::MAX);
    let beat = NewBeat {
        service: &service.id,
        ended: u8::from(signal != Signal::Start),
        at,
        ending: signal.name(),
        rid: rid.as_deref(),
        duration_ms,
        failure: failure.as_deref(),
        metrics: Some(&content.metrics).filter(|metrics| !metrics.is_empty()),
        log: content.log.as_deref(),
        log_bytes_cut: cut,
    };
    let last = store.beat(&beat).await?;
    let state = present(env, config).await?.state(&service.id);
    reply::json(
        200,
        &BeatAnswer {
            id: service.id.to_string(),
            state,
            next_expected_at: next_expected_at(check, &last),
            log_bytes_cut: (cut > 0).then_some(cut),
        },
    )
}

/// How long the work took, and why it counts as failed.
fn judged(
    check: &HeartbeatCheck,
    signal: Signal,
    content: &Content,
    before: &BeforeBeat,
    rid: Option<&str>,
    at: i64,
) -> (Option<u64>, Option<String>) {
    let Signal::End(ending) = signal else {
        return (None, None);
    };
    let started = match rid {
        Some(_) => before.run_started,
        None => before.started(),
    };
    let duration_ms = beats::duration_ms(content, started, at);
    let report = BeatReport {
        ending,
        duration_ms,
        metrics: content.metrics.clone(),
    };
    (duration_ms, judge_beat(check, &report).err())
}

fn next_expected_at(check: &HeartbeatCheck, last: &LastBeats) -> Option<Timestamp> {
    let last = last.ended_at()?;
    Some(last.plus_seconds(60 * i64::from(check.period_minutes)))
}

fn is_rid(rid: &str) -> bool {
    rid.len() <= RID_CHARS && rid.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The service that this beat is of, if whoever sends it may.
async fn allowed<'a>(
    id: &str,
    request: &Request,
    env: &Env,
    config: &'a DdnsConfig,
) -> Result<(&'a Service, &'a HeartbeatCheck), Failure> {
    if let Some(found) = by_key(id, env, config) {
        return Ok(found);
    }
    Asker::require(request, env, Action::HeartbeatWrite, Some(id)).await?;
    let mut beating = beating(config);
    let found = beating.find(|(service, _)| service.id.as_str() == id);
    found.ok_or_else(|| not_found("such heartbeat"))
}

fn beating(config: &DdnsConfig) -> impl Iterator<Item = (&Service, &HeartbeatCheck)> {
    let services = config.services.iter();
    services.filter_map(|service| match &service.check {
        Check::Heartbeat(check) => Some((service, check)),
        _ => None,
    })
}

/// The service whose key this is. Hashes are compared: how long that takes says nothing of the keys.
fn by_key<'a>(
    presented: &str,
    env: &Env,
    config: &'a DdnsConfig,
) -> Option<(&'a Service, &'a HeartbeatCheck)> {
    let mut keyed = beating(config).filter(|(_, check)| check.key.is_some());
    if presented.len() < SHORTEST_KEY {
        return None;
    }
    let secrets = secrets(env);
    let hash = TokenHash::of(presented);
    keyed.find(|(service, check)| {
        let key = check.key.as_ref().and_then(|name| secrets.get(name));
        match key {
            Some(key) if key.len() >= SHORTEST_KEY => TokenHash::of(key) == hash,
            _ => {
                let words =
                    "its key is missing in the secret CHECKS, or shorter than 16 characters";
                log::error(&format!("heartbeat {}", service.id), words);
                false
            }
        }
    })
}

async fn content(request: &Request) -> Result<Content, Failure> {
    let tail = body::tail(request, BODY_BYTES, MOST_BYTES).await?;
    let media_type = request.headers().get("content-type")?.unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let says_json = essence.eq_ignore_ascii_case("application/json");
    beats::read(&tail.bytes, tail.length, says_json).map_err(|refused| match refused {
        Refused::BadJson(error) => Failure::new(Code::BadJson, format!("the body: {error}")),
        Refused::TooLarge => {
            let detail = format!("a JSON body has {BODY_BYTES} bytes at most; a log can be text");
            Failure::new(Code::TooLarge, detail)
        }
        Refused::TooManyMetrics => {
            bad("a beat has at most 32 numbers, with names of at most 64 characters")
        }
    })
}

/// A beat as it is shown to operators.
#[derive(Serialize)]
struct Shown {
    at: Timestamp,
    ending: String,
    rid: Option<String>,
    duration_ms: Option<u64>,
    /// Why it counts as failed.
    failure: Option<String>,
    metrics: BTreeMap<String, f64>,
    log: Option<String>,
    log_bytes_cut: u32,
}

#[derive(Serialize)]
struct List {
    beats: Vec<Shown>,
    next_cursor: Option<String>,
}

/// `GET /api/services/<id>/beats`: what came in, newest first, with logs; for `ops:read` alone. The
/// cursor is the moment of the last beat of the page before, in milliseconds.
pub async fn list(
    id: &str,
    request: &Request,
    env: &Env,
    config: &DdnsConfig,
) -> Result<Response, Failure> {
    match viewer(request, env).await? {
        Viewer::Token(entry) => auth::allow(&entry, Action::OpsRead, Some(id))?,
        Viewer::Anyone => {
            Asker::identify(request, env).await?;
        }
    }
    let found = beating(config).find(|(service, _)| service.id.as_str() == id);
    let (service, _) = found.ok_or_else(|| not_found("such heartbeat"))?;
    let cursor = parameter(request, "cursor").filter(|cursor| !cursor.is_empty());
    let before = match cursor {
        None => i64::MAX,
        Some(cursor) => cursor
            .parse()
            .map_err(|_| bad("cursor is what next_cursor said"))?,
    };
    let limit = number(request, "limit")?
        .unwrap_or(LIST_DEFAULT)
        .clamp(1, LIST_MOST);
    let mut rows = Store::new(env)?
        .beats(&service.id, before, limit + 1)
        .await?;
    let more = u32::try_from(rows.len()).is_ok_and(|rows| rows > limit);
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let last = rows.last().filter(|_| more);
    let next_cursor = last.map(|row| row.at.to_string());
    let shown = |row: BeatRow| Shown {
        at: Timestamp::from_millis(row.at),
        ending: row.ending,
        rid: row.rid,
        duration_ms: row.duration_ms,
        failure: row.failure,
        metrics: row.metrics.unwrap_or_default(),
        log: row.log,
        log_bytes_cut: row.log_bytes_cut,
    };
    let beats = rows.into_iter().map(shown).collect();
    reply::json(200, &List { beats, next_cursor })
}
