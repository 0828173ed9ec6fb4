//! Download statistics over D1 (`PACK_DB`; `migrations/`).
//!
//! A download is a GET of the whole that was answered 200, from wherever the bytes came; the
//! worker's own look at what it published (`check`) is none. An instance counts in memory (`tally`)
//! and writes for all of them at once, 20 seconds after the first, in one statement that adds. A
//! download never waits for this and never fails by it.
//!
//! Rows written, of the 100,000 that the free plan's D1 takes a day: one for each pack, version and
//! write. A server that is never quiet writes 4,320 times a day, so 3 packs with 5 versions of
//! clients are at most 64,800; one with 1,000 joins a day writes at most 1,000. Beyond 10,000
//! rows a day an instance no longer tells versions apart, which leaves one row a pack and write.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashSet},
    rc::Rc,
    time::Duration,
};

use edge::{Failure, clock, d1, log, not_found, reply};
use types::{
    Code, PackName, Sha1, Timestamp,
    pack::{DayStats, Release, ReleaseStats, Stats},
};
use worker::{Context, Delay, Env, Headers, Request, Response};

use crate::{
    ports::Registries as _,
    store::Platform,
    tally::{self, Row, Tally, Writer, day_of},
};

pub const BINDING: &str = "PACK_DB";

/// The most days that are answered, and how many if none is asked for.
const MOST_DAYS: u32 = 90;
const DAYS: u32 = 30;
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// How old what is answered may be, in milliseconds: the table is read once a minute and instance,
/// however many ask.
const FRESH_MS: i64 = 60_000;

const ADD: &str = "\
INSERT INTO downloads (day, sha1, version, count, last_at)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?1) WHERE true
ON CONFLICT (day, sha1, version) DO UPDATE SET
  count = count + excluded.count, last_at = max(last_at, excluded.last_at)";

/// As one value of JSON, for a value each would cross into this worker one by one. A client cannot
/// make more rows than this in 90 days (`tally`), short of a server of its own.
const SINCE: &str = "\
SELECT json_group_array(json_array(day, sha1, version, count, last_at)) AS found
FROM (SELECT * FROM downloads WHERE day >= ?1 ORDER BY day DESC LIMIT 20000)";

const RECENT: &str = "\
SELECT json_group_array(sha1) AS found FROM (SELECT DISTINCT sha1 FROM downloads WHERE day >= ?1)";

thread_local! {
    static TALLY: RefCell<Tally> = const { RefCell::new(Tally::new()) };
    static READ: RefCell<Option<(i64, Rc<[Row]>)>> = const { RefCell::new(None) };
}

/// Counts a download. What is written is written after the answer.
pub fn count(sha1: Sha1, headers: &Headers, env: &Env, context: &Context) {
    let header = |name| headers.get(name).ok().flatten();
    let version = tally::version_of(
        header("x-minecraft-version").as_deref(),
        header("user-agent").as_deref(),
    );
    let Some(version) = version else {
        return;
    };
    let now = clock::millis();
    let writer = TALLY.with_borrow_mut(|tally| tally.count(sha1, &version, now));
    let pause = match writer {
        Writer::Another => return,
        Writer::Later => tally::HELD_MS.unsigned_abs(),
        Writer::Now => 0,
    };
    let env = env.clone();
    context.wait_until(async move {
        if pause > 0 {
            Delay::from(Duration::from_millis(pause)).await;
        }
        write(&env).await;
    });
}

/// Writes what this instance has counted; what cannot be written is counted on.
async fn write(env: &Env) {
    let rows = TALLY.with_borrow_mut(Tally::take);
    if rows.is_empty() {
        return;
    }
    if let Err(failure) = add(env, &rows).await {
        log::warn(BINDING, &format!("downloads are counted on: {failure:?}"));
        TALLY.with_borrow_mut(|tally| tally.put_back(rows, clock::millis()));
    }
}

async fn add(env: &Env, rows: &[Row]) -> Result<(), Failure> {
    let rows: Vec<_> = rows.iter().map(as_stored).collect();
    let text =
        serde_json::to_string(&rows).map_err(|error| Failure::internal(error.to_string()))?;
    d1::run(env, BINDING, ADD, &text).await.map(drop)
}

/// A row as it crosses into D1 and back.
type StoredRow = (String, Sha1, String, u64, i64);

fn as_stored(row: &Row) -> StoredRow {
    let (day, version) = (row.day.clone(), row.version.clone());
    (day, row.sha1, version, row.count, row.last_at.as_seconds())
}

/// The packs that were downloaded since the day of a moment, for the collector: an error must keep
/// it from collecting anything.
pub async fn recently_downloaded(env: &Env, since: Timestamp) -> Result<HashSet<Sha1>, Failure> {
    let found = d1::run(env, BINDING, RECENT, &day_of(since)).await?;
    serde_json::from_str(&found.unwrap_or_default())
        .map_err(|error| Failure::internal(format!("{BINDING}: {error}")))
}

/// `GET /api/packs/<pack>/stats`.
pub async fn answer(request: &Request, env: &Env, pack: &PackName) -> Result<Response, Failure> {
    let days = days(request)?;
    let loaded = Platform::new(env)?.load(pack).await;
    let loaded = loaded.map_err(|error| Failure::internal(error.0))?;
    let registry = loaded
        .ok_or_else(|| not_found(&format!("pack \"{pack}\"")))?
        .registry;
    let now = clock::now();
    let rows = read(env, now).await?;
    let stats = stats(pack, &registry.pack().releases, &rows, now, days);
    let body = serde_json::to_vec(&stats).map_err(|error| Failure::internal(error.to_string()))?;
    reply::tagged(
        request.headers(),
        &reply::tag_of(&body),
        reply::JSON,
        || Ok(body),
    )
}

fn days(request: &Request) -> Result<u32, Failure> {
    let query = edge::query(request);
    let Some((_, text)) = query.iter().find(|(key, _)| key == "days") else {
        return Ok(DAYS);
    };
    let days = text.parse().ok();
    days.filter(|days| (1..=MOST_DAYS).contains(days))
        .ok_or_else(|| {
            let detail = format!("days: must be a number from 1 to {MOST_DAYS}");
            Failure::new(Code::BadRequest, detail)
        })
}

/// All rows of the last 90 days.
async fn read(env: &Env, now: Timestamp) -> Result<Rc<[Row]>, Failure> {
    let at = clock::millis();
    let kept = READ.with_borrow(Clone::clone);
    if let Some((_, rows)) = kept.filter(|(read_at, _)| at - read_at < FRESH_MS) {
        return Ok(rows);
    }
    let found = d1::run(env, BINDING, SINCE, &first_day(now, MOST_DAYS)).await;
    let stored: Result<Vec<StoredRow>, Failure> = found.and_then(|found| {
        serde_json::from_str(&found.unwrap_or_default())
            .map_err(|error| Failure::internal(format!("{BINDING}: {error}")))
    });
    let stored = stored.map_err(|failure| unavailable(&failure))?;
    let rows = stored
        .into_iter()
        .map(|(day, sha1, version, count, last_at)| Row {
            day,
            sha1,
            version,
            count,
            last_at: Timestamp::from_seconds(last_at),
        });
    let rows: Rc<[Row]> = rows.collect();
    READ.set(Some((at, rows.clone())));
    Ok(rows)
}

fn unavailable(failure: &Failure) -> Failure {
    log::error(BINDING, &format!("{failure:?}"));
    let detail = "the statistics cannot be read now; the operator's log says why";
    Failure::new(Code::Unavailable, detail).with_header("Retry-After", "60")
}

/// The first of this many days that end with today.
pub fn first_day(now: Timestamp, days: u32) -> String {
    day_of(now.plus_seconds(-DAY_SECONDS * (i64::from(days) - 1)))
}

/// Puts together what is asked for, of rows that are about other packs and older days as well.
fn stats(pack: &PackName, releases: &[Release], rows: &[Row], now: Timestamp, days: u32) -> Stats {
    let first = first_day(now, days);
    let of_pack =
        |row: &&Row| row.day >= first && releases.iter().any(|release| release.sha1 == row.sha1);
    let rows: Vec<&Row> = rows.iter().filter(of_pack).collect();
    let daily = (1..=days).rev().map(|ago| {
        let day = first_day(now, ago);
        let of_day = rows.iter().filter(|row| row.day == day);
        let downloads = of_day.map(|row| row.count).sum();
        DayStats { day, downloads }
    });
    let of_release = |release: &Release| {
        let mut stats = ReleaseStats {
            release: release.release,
            sha1: release.sha1,
            downloads: 0,
            last_at: None,
            versions: BTreeMap::new(),
        };
        for row in rows.iter().filter(|row| row.sha1 == release.sha1) {
            stats.downloads += row.count;
            stats.last_at = stats.last_at.max(Some(row.last_at));
            *stats.versions.entry(row.version.clone()).or_default() += row.count;
        }
        stats
    };
    Stats {
        pack: pack.clone(),
        days,
        total: rows.iter().map(|row| row.count).sum(),
        releases: releases.iter().rev().map(of_release).collect(),
        daily: daily.collect(),
    }
}

#[cfg(test)]
#[path = "stats_tests.rs"]
mod tests;
