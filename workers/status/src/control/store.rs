//! The control document in KV `STATUS_KV` and D1 `STATUS_DB`.

use std::time::Duration;

use edge::{Failure, d1, kv::Entry, log};
use serde::Deserialize;
use types::{
    Code, Sha1, Timestamp,
    control::{Document, ProxyReport},
};
use worker::{D1Database, D1PreparedStatement, Delay, Env};

use crate::snapshot;

use super::{
    book::{Book, Claim, Row},
    readers,
    reports::Report,
};

const KV: &str = "STATUS_KV";
pub const KEY: &str = "control";
const DB: &str = "STATUS_DB";

const LAST: &str = "SELECT revision, at, after FROM control_history ORDER BY revision DESC LIMIT 1";
const TEXT: &str = "SELECT after FROM control_history WHERE revision = CAST(?1 AS INTEGER)";
const TAKEN: &str = "\
SELECT revision FROM control_history WHERE kv_sha1 = ?1 AND at >= CAST(?2 AS INTEGER) LIMIT 1";
const CLAIM: &str = "\
INSERT INTO control_history (revision, at, by, before, after, kv_sha1) \
VALUES (CAST(?1 AS INTEGER), CAST(?2 AS INTEGER), ?3, ?4, ?5, ?6) \
ON CONFLICT (revision) DO NOTHING RETURNING revision";
const HISTORY: &str = "\
SELECT revision, at, by, before, after FROM control_history WHERE revision < CAST(?1 AS INTEGER) \
ORDER BY revision DESC LIMIT CAST(?2 AS INTEGER)";
const PROXIES: &str = "SELECT target, name, revision, seen_at FROM proxies ORDER BY target, name";
const FORGET: &str = "DELETE FROM proxies WHERE seen_at < CAST(?1 AS INTEGER)";
/// The oldest rows, never the last fifty. Found by the key, a hundred a run, so that it reads few.
const FORGET_HISTORY: &str = "\
DELETE FROM control_history WHERE revision IN (\
  SELECT revision FROM control_history ORDER BY revision LIMIT 100) \
AND at < CAST(?1 AS INTEGER) AND revision <= (SELECT max(revision) - 50 FROM control_history)";
/// A new name takes the place of the one that was silent for longest, once that is a quarter of an hour
/// and all places are taken: invented names do not keep real ones out, and still cost few rows. A proxy
/// that polls is written every ten minutes.
const MAKE_PLACE: &str = "\
DELETE FROM proxies WHERE (SELECT count(*) FROM proxies) >= 20 \
AND NOT EXISTS (SELECT 1 FROM proxies WHERE target = ?1 AND name = ?2) \
AND seen_at <= CAST(?3 AS INTEGER) - 900 \
AND (target, name) = (SELECT target, name FROM proxies ORDER BY seen_at LIMIT 1)";
/// Twenty proxies, each written when it says something new or every ten minutes, twenty times an
/// hour at most: whoever sends reports without being a proxy costs some 13,000 rows a day and no more.
const REPORT: &str = "\
INSERT INTO proxies (target, name, revision, seen_at, window_at, writes) \
SELECT ?1, ?2, CAST(?3 AS INTEGER), CAST(?4 AS INTEGER), CAST(?4 AS INTEGER), 1 \
WHERE EXISTS (SELECT 1 FROM proxies WHERE target = ?1 AND name = ?2) \
   OR (SELECT count(*) FROM proxies) < 20 \
ON CONFLICT (target, name) DO UPDATE SET \
  revision = excluded.revision, seen_at = excluded.seen_at, \
  writes = CASE WHEN seen_at - window_at >= 3600 THEN 1 ELSE writes + 1 END, \
  window_at = CASE WHEN seen_at - window_at >= 3600 THEN excluded.seen_at ELSE window_at END \
WHERE (revision <> excluded.revision OR seen_at <= excluded.seen_at - 600) \
  AND (writes < 20 OR excluded.seen_at - window_at >= 3600) \
RETURNING revision";

/// What a statement returned, of whichever table: one type, since each costs a worker 2 KB.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Cells {
    pub revision: u32,
    pub at: i64,
    pub by: String,
    pub before: Option<String>,
    pub after: String,
    target: String,
    name: String,
    seen_at: i64,
}

/// KV and D1; what is in D1 can be read without KV.
pub struct Platform<'a> {
    env: &'a Env,
    db: D1Database,
}

impl<'a> Platform<'a> {
    pub fn new(env: &'a Env) -> Result<Self, Failure> {
        let db = env.d1(DB).map_err(|error| failed(&error))?;
        Ok(Self { env, db })
    }

    /// Up to `limit` revisions, newest first, older than `before`.
    pub async fn history(&self, before: u32, limit: u32) -> Result<Vec<Cells>, Failure> {
        self.rows(
            HISTORY,
            &[Some(&before.to_string()), Some(&limit.to_string())],
        )
        .await
    }

    /// What proxies said that they run.
    pub async fn proxies(&self, current: u32) -> Result<Vec<ProxyReport>, Failure> {
        let rows = self.rows(PROXIES, &[]).await?;
        let report = |row: Cells| ProxyReport {
            target: row.target,
            name: row.name,
            revision: row.revision,
            seen_at: Timestamp::from_seconds(row.seen_at),
            current: row.revision == current,
        };
        Ok(rows.into_iter().map(report).collect())
    }

    /// Writes a report down, if it says something new; tells whether it was written.
    pub async fn report(&self, report: &Report, now: Timestamp) -> Result<bool, Failure> {
        let (target, name) = (Some(report.target.as_str()), Some(report.name.as_str()));
        let (revision, now) = (report.revision.to_string(), now.as_seconds().to_string());
        let statements = vec![
            self.statement(MAKE_PLACE, &[target, name, Some(&now)])?,
            self.statement(REPORT, &[target, name, Some(&revision), Some(&now)])?,
        ];
        let results = self.db.batch(statements).await;
        let written = results.and_then(|mut results| {
            let last = results.pop().map(|result| result.results::<Cells>());
            last.transpose()
        });
        let written = written.map_err(|error| failed(&error))?;
        Ok(written.is_some_and(|rows| !rows.is_empty()))
    }

    /// Forgets proxies that have not reported since.
    pub async fn forget(&self, since: Timestamp) -> Result<(), Failure> {
        self.delete(FORGET, since).await
    }

    /// Forgets revisions from before this, but the last fifty.
    pub async fn forget_history(&self, before: Timestamp) -> Result<(), Failure> {
        self.delete(FORGET_HISTORY, before).await
    }

    async fn delete(&self, sql: &str, moment: Timestamp) -> Result<(), Failure> {
        let moment = moment.as_seconds().to_string();
        let deleted = self.statement(sql, &[Some(&moment)])?.run().await;
        deleted.map(drop).map_err(|error| failed(&error))
    }

    async fn rows(&self, sql: &str, values: &[Option<&str>]) -> Result<Vec<Cells>, Failure> {
        let result = self.statement(sql, values)?.run().await;
        let rows = result.and_then(|result| result.results());
        rows.map_err(|error| failed(&error))
    }

    /// A statement with its parameters; all of them are text.
    fn statement(
        &self,
        sql: &str,
        values: &[Option<&str>],
    ) -> Result<D1PreparedStatement, Failure> {
        d1::statement(&self.db, sql, values).map_err(|error| failed(&error))
    }
}

impl Book for Platform<'_> {
    async fn last(&self) -> Result<Option<Row>, Failure> {
        let rows = self.rows(LAST, &[]).await?;
        Ok(rows.into_iter().next().map(|row| Row {
            revision: row.revision,
            at: Timestamp::from_seconds(row.at),
            after: row.after,
        }))
    }

    async fn text(&self, revision: u32) -> Result<Option<String>, Failure> {
        let rows = self.rows(TEXT, &[Some(&revision.to_string())]).await?;
        Ok(rows.into_iter().next().map(|row| row.after))
    }

    async fn was_taken(&self, kv_sha1: &Sha1, since: Timestamp) -> Result<bool, Failure> {
        let (hash, since) = (kv_sha1.to_string(), since.as_seconds().to_string());
        let rows = self.rows(TAKEN, &[Some(&hash), Some(&since)]).await?;
        Ok(!rows.is_empty())
    }

    async fn claim(&self, claim: &Claim) -> Result<bool, Failure> {
        let values = [
            Some(claim.revision.to_string()),
            Some(claim.at.as_seconds().to_string()),
            Some(claim.by.clone()),
            claim.before.clone(),
            Some(claim.after.clone()),
            claim.kv_sha1.map(|hash| hash.to_string()),
        ];
        let values: Vec<_> = values.iter().map(Option::as_deref).collect();
        let rows = self.rows(CLAIM, &values).await?;
        Ok(!rows.is_empty())
    }

    async fn held(&self) -> Result<Option<String>, Failure> {
        held_by(self.env).await
    }

    async fn hold(&self, text: &str) -> Result<(), Failure> {
        entry(self.env)?.write_text(text).await?;
        readers::remember(text);
        snapshot::forget();
        Ok(())
    }

    async fn wait(&self, millis: u64) {
        Delay::from(Duration::from_millis(millis)).await;
    }

    fn tell(&self, what: &str) {
        log::warn("control", what);
    }
}

/// What KV holds, for those who do without D1.
pub async fn held_by(env: &Env) -> Result<Option<String>, Failure> {
    entry(env)?.read_text().await
}

/// The key. Its text is judged by `book`, since operators edit it by hand.
fn entry(env: &Env) -> Result<Entry<Document>, Failure> {
    Entry::new(env, KV, KEY)
}

/// What is said of a database that does not answer: by name when it has no tables, and the rest goes
/// to the log.
fn failed(error: &worker::Error) -> Failure {
    let (told, detail) = match d1::cure(error, DB, "status") {
        Some(cure) => (cure, "the database is not set up yet; nothing was changed"),
        None => (
            error.to_string(),
            "the database does not answer; nothing was changed, try again",
        ),
    };
    log::error(DB, &told);
    Failure::new(Code::Unavailable, detail).with_header("Retry-After", "30")
}
