//! `GET /metrics`: read once in half a minute and instance, however many scrape.

use std::rc::Rc;

use edge::{Failure, Fresh, clock, log, reply};
use futures::future::join3;
use types::{Code, Timestamp, prometheus::MEDIA_TYPE};
use worker::{Env, Response};

use crate::{metrics, rebuild, store::Platform, totals};

/// For how long a page is given again, in milliseconds: a scrape lists the registries, and R2's free
/// plan has a million listings a month.
const KEEP_MS: i64 = 30_000;

thread_local! {
    static PAGE: Rc<Fresh<String>> = Rc::default();
}

pub async fn answer(env: &Env) -> Result<Response, Failure> {
    let cache = PAGE.with(Rc::clone);
    let got = cache.get(clock::millis(), KEEP_MS, async || {
        page(env, clock::now()).await
    });
    let got = got.await.map_err(unavailable)?;
    if let Some(failure) = got.error {
        log::error("metrics", &failure.into_message());
    }
    let response = reply::bytes(200, MEDIA_TYPE, got.value.as_bytes().to_vec())?;
    response.headers().set("Cache-Control", "no-store")?;
    Ok(response)
}

async fn page(env: &Env, now: Timestamp) -> Result<String, Failure> {
    let platform = Platform::new(env)?;
    let readable = rebuild::readable(&platform);
    let (readable, totals, report) =
        join3(readable, totals::read(env, now), platform.report()).await;
    let (registries, _) = readable?;
    // What cannot be read is not on the page, and does not keep the rest from it.
    let (totals, report) = (told(totals), told(report).flatten());
    Ok(metrics::text(
        &registries,
        totals.as_ref(),
        report.as_ref(),
        now,
    ))
}

fn told<T>(read: Result<T, Failure>) -> Option<T> {
    let failed = |failure: Failure| log::error("metrics", &failure.into_message());
    read.map_err(failed).ok()
}

fn unavailable(failure: Failure) -> Failure {
    log::error("metrics", &failure.into_message());
    let detail = "the metrics cannot be read now; the operator's log says why";
    Failure::new(Code::Unavailable, detail).with_header("Retry-After", "60")
}
