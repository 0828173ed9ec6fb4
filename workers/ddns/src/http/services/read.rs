//! What is known of services, for those who may see it.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use edge::{Failure, Fresh, clock, log, not_found, reply};
use serde::Serialize;
use types::{
    Range, ServiceId, badge,
    config::{DdnsConfig, services::Service},
    prometheus,
    services::{Incidents, Services},
};
use worker::{Env, Request, Response};

use super::{
    super::query::{number, parameter},
    bad, for_viewer, named, present, seen, viewer,
};
use crate::services::{
    series::{self, HourRow, Span},
    store::{Store, incidents::Which},
    view::{self, Viewer},
    views,
};

const INCIDENTS_DEFAULT: u32 = 50;
const INCIDENTS_MOST: u32 = 200;
/// For how long an instance answers with the hours of a range that it has read, in milliseconds.
const HOURS_KEPT_MS: i64 = 60_000;

/// By the flush of the book that they were read after.
type Hours = BTreeMap<(ServiceId, Range), (i64, Rc<Fresh<Vec<HourRow>>>)>;

thread_local! {
    static HOURS: RefCell<Hours> = RefCell::default();
}

pub async fn list(request: &Request, env: &Env, config: &DdnsConfig) -> Result<Response, Failure> {
    let viewer = viewer(request, env).await?;
    let present = present(env, config).await?;
    let services = present
        .visible(&viewer)
        .map(|service| present.show(service, &viewer))
        .collect();
    answer(request, &viewer, &Services { services })
}

pub async fn one(
    id: &str,
    request: &Request,
    env: &Env,
    config: &DdnsConfig,
) -> Result<Response, Failure> {
    let viewer = viewer(request, env).await?;
    let service = seen(config, id, &viewer)?;
    let present = present(env, config).await?;
    answer(request, &viewer, &present.show(service, &viewer))
}

pub async fn history(
    id: &str,
    request: &Request,
    env: &Env,
    config: &DdnsConfig,
) -> Result<Response, Failure> {
    let viewer = viewer(request, env).await?;
    let service = seen(config, id, &viewer)?;
    let range = parameter(request, "range");
    let range = Range::from_query(range.as_deref())
        .ok_or_else(|| bad("range is one of 24h, 7d, 30d and 90d"))?;
    let present = present(env, config).await?;
    let span = Span::until(range, present.now);
    let cache = hours_of(service, range, present.flushes());
    let read = async || Store::new(env)?.hours(&service.id, range, span).await;
    // What was kept at another time of the book would lack hours.
    let keep_ms = if present.now > clock::now() {
        0
    } else {
        HOURS_KEPT_MS
    };
    let got = cache.get(clock::millis(), keep_ms, read).await?;
    if let Some(failure) = got.error {
        log::warn("history", &failure.into_message());
    }
    let hours = match present.entry(&service.id) {
        Some(entry) => series::with_current(&got.value, entry, range),
        None => got.value.to_vec(),
    };
    let series = series::series(&service.id, range, span, &hours);
    answer(request, &viewer, &series)
}

/// What this instance has read of the history since the book was flushed last.
fn hours_of(service: &Service, range: Range, flushes: i64) -> Rc<Fresh<Vec<HourRow>>> {
    HOURS.with_borrow_mut(|hours| {
        let key = (service.id.clone(), range);
        let (read_after, fresh) = hours.entry(key).or_default();
        if *read_after != flushes {
            (*read_after, *fresh) = (flushes, Rc::default());
        }
        Rc::clone(fresh)
    })
}

pub async fn incidents(
    request: &Request,
    env: &Env,
    config: &DdnsConfig,
) -> Result<Response, Failure> {
    let viewer = viewer(request, env).await?;
    let before = number(request, "cursor")?;
    let limit = number(request, "limit")?
        .unwrap_or(INCIDENTS_DEFAULT)
        .clamp(1, INCIDENTS_MOST);
    let which = match parameter(request, "state").as_deref() {
        None | Some("") => Which::All,
        Some("open") => Which::Open,
        Some("closed") => Which::Closed,
        Some(_) => return Err(bad("state is open or closed")),
    };
    let wanted = parameter(request, "service").filter(|service| !service.is_empty());
    // Who may see them still finds those of a service that was taken out of the configuration.
    let services: Option<Vec<&str>> = match &wanted {
        Some(id) if viewer.operates(id) => Some(vec![id]),
        Some(id) => Some(vec![seen(config, id, &viewer)?.id.as_str()]),
        None if viewer.is_operator() => None,
        None => {
            let services = config.services.iter();
            let visible = services.filter(|service| viewer.sees(service));
            Some(visible.map(|service| service.id.as_str()).collect())
        }
    };
    // One more than asked for shows whether there is a page after this one.
    let store = Store::new(env)?;
    let services = services.as_deref();
    let mut found = store.incidents(services, which, before, limit + 1).await?;
    if let Some(id) = wanted.filter(|_| found.is_empty()) {
        let ever = Some(&[id.as_str()][..]);
        let is_known = named(config, &id).is_some()
            || !store.incidents(ever, Which::All, None, 1).await?.is_empty();
        if !is_known {
            return Err(not_found("such service"));
        }
    }
    let more = u32::try_from(found.len()).is_ok_and(|found| found > limit);
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let last = found.last().filter(|_| more);
    let next_cursor = last.map(|incident| incident.id.to_string());
    let incidents = found
        .into_iter()
        .map(|incident| view::incident(incident, &viewer))
        .collect();
    let incidents = Incidents {
        incidents,
        next_cursor,
    };
    answer(request, &viewer, &incidents)
}

pub async fn badge(
    id: &str,
    request: &Request,
    env: &Env,
    config: &DdnsConfig,
) -> Result<Response, Failure> {
    let viewer = viewer(request, env).await?;
    let service = seen(config, id, &viewer)?;
    let state = present(env, config).await?.state(&service.id);
    let label = parameter(request, "label");
    let label = label.as_deref().unwrap_or(&service.name);
    let svg = badge::svg(label, state.as_str(), views::color(state)).into_bytes();
    let tag = reply::tag_of(&svg);
    let response = reply::tagged(request.headers(), &tag, badge::SVG, || Ok(svg))?;
    for_viewer(response, &viewer)
}

pub async fn metrics(
    request: &Request,
    env: &Env,
    config: &DdnsConfig,
) -> Result<Response, Failure> {
    let viewer = viewer(request, env).await?;
    let present = present(env, config).await?;
    let hosts = Store::new(env)?.host_ages().await?;
    let hosts: Vec<_> = hosts
        .into_iter()
        .filter(|host| views::may_see_host(config, &viewer, &host.host))
        .collect();
    let page = views::metrics(config, &present, &viewer, &hosts);
    let response = reply::bytes(200, prometheus::MEDIA_TYPE, page.into_bytes())?;
    response.headers().set("Cache-Control", "no-store")?;
    Ok(response)
}

/// A body that tells no time but that of what is stored: it is its own tag.
fn answer(request: &Request, viewer: &Viewer, body: &impl Serialize) -> Result<Response, Failure> {
    let body = serde_json::to_vec(body).map_err(|error| Failure::internal(error.to_string()))?;
    let tag = reply::tag_of(&body);
    let response = reply::tagged(request.headers(), &tag, reply::JSON, || Ok(body))?;
    for_viewer(response, viewer)
}
