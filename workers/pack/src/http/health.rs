//! `GET /api/health`: whether R2, KV and D1 answer, asked at the same time, and what the cron saw; at
//! most once in some seconds and instance.

use std::{convert::Infallible, rc::Rc};

use edge::{Failure, Fresh, clock, d1, log};
use futures::future::join3;
use types::{Channel, PackName, health::Health};
use worker::{Env, Request, Response};

use crate::{
    health::{Found, health},
    report::Report,
    stats,
    store::Platform,
};

/// For how long an answer is given again, in milliseconds.
const KEEP_MS: i64 = 2000;
/// Reads one row, so that a database without tables does not pass.
const LOOK: &str =
    "SELECT CAST(count(*) AS TEXT) AS found FROM (SELECT 1 FROM downloads WHERE day >= ?1 LIMIT 1)";

thread_local! {
    static LAST: Rc<Fresh<Health>> = Rc::default();
}

pub async fn answer(request: &Request, env: &Env) -> Result<Response, Failure> {
    let cache = LAST.with(Rc::clone);
    let read = async || Ok::<_, Infallible>(look(env).await);
    match cache.get(clock::millis(), KEEP_MS, read).await {
        Ok(got) => edge::health::answer(request, &got.value),
        Err(never) => match never {},
    }
}

async fn look(env: &Env) -> Health {
    let (r2, kv, d1) = join3(
        timed(report(env)),
        timed(announced(env)),
        timed(database(env)),
    )
    .await;
    let (r2, report) = r2.map_or((None, None), |(millis, report)| (Some(millis), report));
    let found = Found {
        r2,
        kv: kv.map(|(millis, ())| millis),
        d1: d1.map(|(millis, ())| millis),
        report,
    };
    health(clock::now(), &found)
}

/// What it gives and how many milliseconds that took. What does not answer is a state and no error;
/// why, the log says.
async fn timed<T>(work: impl Future<Output = Result<T, Failure>>) -> Option<(i64, T)> {
    let started = clock::millis();
    match work.await {
        Ok(value) => Some((clock::millis() - started, value)),
        Err(failure) => {
            log::error("health", &failure.into_message());
            None
        }
    }
}

async fn report(env: &Env) -> Result<Option<Report>, Failure> {
    Platform::new(env)?.report().await
}

async fn announced(env: &Env) -> Result<(), Failure> {
    let entry = Platform::new(env)?.announced(&PackName::main(), &Channel::stable())?;
    entry.read_text().await.map(drop)
}

async fn database(env: &Env) -> Result<(), Failure> {
    d1::run(env, stats::BINDING, LOOK, "2026-01-01")
        .await
        .map(drop)
}
