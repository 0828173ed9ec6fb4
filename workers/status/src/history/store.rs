//! The table `samples` of D1 (`migrations/0002_history.sql`).

use edge::{Failure, d1};
use types::{TargetId, Timestamp};
use worker::{D1Database, D1PreparedStatement, Env};

use super::{
    Sample,
    rollup::Work,
    series::{Span, Sums},
};

const BINDING: &str = "STATUS_DB";

/// All rows of a minute as one statement with one parameter: D1 takes 100 of them. A row that is
/// there stays: the same event may come twice.
const WRITE: &str = "\
INSERT INTO samples (target, step, at, pings, up, players_sum, players_counted, players_max, latency_sum, latency_max)
SELECT value ->> 'target', 1, value ->> 'at', 1, value ->> 'up',
       coalesce(value ->> 'players', 0), (value ->> 'players') IS NOT NULL, value ->> 'players',
       coalesce(value ->> 'latency_ms', 0), value ->> 'latency_ms'
FROM json_each(?1) WHERE true
ON CONFLICT (target, step, at) DO NOTHING";

/// Of every target that has rows, configured or not, where its oldest window of rows of step ?1
/// begins. Each is found by its key: the table is never read as a whole.
const OLDEST: &str = "\
WITH RECURSIVE known (target) AS (
  SELECT min(target) FROM samples
  UNION ALL
  SELECT (SELECT min(target) FROM samples WHERE target > known.target) FROM known
  WHERE known.target IS NOT NULL
), oldest (target, at) AS (
  SELECT target, (SELECT min(at) FROM samples WHERE samples.target = known.target AND step = CAST(?1 AS INTEGER))
  FROM known WHERE target IS NOT NULL
)";

/// The window of ?2 minutes around the oldest row of step ?1, where it ended by ?3. What has been
/// rolled up of it before is added to.
const ADD_UP: &str = "\
INSERT INTO samples (target, step, at, pings, up, players_sum, players_counted, players_max, latency_sum, latency_max)
SELECT rows.target, CAST(?2 AS INTEGER), due.at, sum(pings), sum(up), sum(players_sum), sum(players_counted),
       max(players_max), sum(latency_sum), max(latency_max)
FROM due CROSS JOIN samples AS rows
  ON rows.target = due.target AND rows.step = CAST(?1 AS INTEGER) AND rows.at >= due.at AND rows.at < due.ends
WHERE due.ends <= CAST(?3 AS INTEGER)
GROUP BY rows.target, due.at
ON CONFLICT (target, step, at) DO UPDATE SET
  pings = pings + excluded.pings, up = up + excluded.up,
  players_sum = players_sum + excluded.players_sum, players_counted = players_counted + excluded.players_counted,
  players_max = coalesce(max(players_max, excluded.players_max), players_max, excluded.players_max),
  latency_sum = latency_sum + excluded.latency_sum,
  latency_max = coalesce(max(latency_max, excluded.latency_max), latency_max, excluded.latency_max)";

const DELETE_ADDED: &str = "\
DELETE FROM samples WHERE (target, step, at) IN (
  SELECT rows.target, rows.step, rows.at
  FROM due CROSS JOIN samples AS rows
    ON rows.target = due.target AND rows.step = CAST(?1 AS INTEGER) AND rows.at >= due.at AND rows.at < due.ends
  WHERE due.ends <= CAST(?3 AS INTEGER))";

const DUE: &str = ", due (target, at, ends) AS (
  SELECT target, at / (60 * CAST(?2 AS INTEGER)) * (60 * CAST(?2 AS INTEGER)),
         at / (60 * CAST(?2 AS INTEGER)) * (60 * CAST(?2 AS INTEGER)) + 60 * CAST(?2 AS INTEGER)
  FROM oldest WHERE at IS NOT NULL
)";

const PURGE: &str = "\
DELETE FROM samples WHERE (target, step, at) IN (
  SELECT target, CAST(?1 AS INTEGER), at FROM oldest WHERE at < CAST(?2 AS INTEGER))";

const READ: &str = "\
SELECT at / CAST(?4 AS INTEGER) * CAST(?4 AS INTEGER) AS at, sum(pings) AS pings, sum(up) AS up,
       sum(players_sum) AS players_sum, sum(players_counted) AS players_counted, max(players_max) AS players_max,
       sum(latency_sum) AS latency_sum, max(latency_max) AS latency_max
FROM samples
WHERE target = ?1 AND step IN (1, 5, 60) AND samples.at >= CAST(?2 AS INTEGER) AND samples.at < CAST(?3 AS INTEGER)
GROUP BY 1 ORDER BY 1";

/// A number as text, as `edge::d1` gives it. Found by the key.
const LAST_MINUTE: &str = "\
SELECT CAST(max(at) AS TEXT) AS found FROM samples WHERE target = ?1 AND step = 1";

/// Writes the rows of one minute.
pub async fn write(env: &Env, samples: &[Sample<'_>]) -> Result<(), Failure> {
    let json =
        serde_json::to_string(samples).map_err(|error| Failure::internal(error.to_string()))?;
    let statement = statement(&database(env)?, WRITE, &[&json])?;
    let written = statement.run().await.map_err(|error| failed(&error))?;
    succeeded(written.success(), written.error())
}

/// Does all of it in one transaction, or none.
pub async fn roll_up(env: &Env, due: &[Work]) -> Result<(), Failure> {
    let database = database(env)?;
    let mut statements = Vec::new();
    for work in due {
        match work {
            Work::Roll { from, to, before } => {
                let values = [from.to_string(), to.to_string(), seconds(*before)];
                let values = values.each_ref().map(String::as_str);
                for sql in [ADD_UP, DELETE_ADDED] {
                    let sql = format!("{OLDEST}{DUE}\n{sql}");
                    statements.push(statement(&database, &sql, &values)?);
                }
            }
            Work::Purge { step, before } => {
                let sql = format!("{OLDEST}\n{PURGE}");
                let values = [step.to_string(), seconds(*before)];
                let values = values.each_ref().map(String::as_str);
                statements.push(statement(&database, &sql, &values)?);
            }
        }
    }
    let results = database.batch(statements).await;
    for result in results.map_err(|error| failed(&error))? {
        succeeded(result.success(), result.error())?;
    }
    Ok(())
}

/// The sums of each step of the span, in order; steps without rows are left out.
pub async fn read(env: &Env, target: &TargetId, span: Span) -> Result<Vec<Sums>, Failure> {
    let values = [
        seconds(span.from),
        seconds(span.until),
        span.step.to_string(),
    ];
    let [from, until, step] = values.each_ref().map(String::as_str);
    let query = statement(&database(env)?, READ, &[target.as_str(), from, until, step])?;
    let result = query.run().await.map_err(|error| failed(&error))?;
    succeeded(result.success(), result.error())?;
    result.results().map_err(|error| failed(&error))
}

/// The last minute that was written down of a target; without one, whether D1 answers.
pub async fn last_minute(
    env: &Env,
    target: Option<&TargetId>,
) -> Result<Option<Timestamp>, Failure> {
    let target = target.map_or("", TargetId::as_str);
    let found = d1::run(env, BINDING, LAST_MINUTE, target).await?;
    let seconds = found.and_then(|text| text.parse().ok());
    Ok(seconds.map(Timestamp::from_seconds))
}

fn database(env: &Env) -> Result<D1Database, Failure> {
    env.d1(BINDING).map_err(|error| failed(&error))
}

/// A statement with its parameters; all of them are text.
fn statement(
    database: &D1Database,
    sql: &str,
    values: &[&str],
) -> Result<D1PreparedStatement, Failure> {
    let values: Vec<_> = values.iter().copied().map(Some).collect();
    d1::statement(database, sql, &values).map_err(|error| failed(&error))
}

fn seconds(moment: Timestamp) -> String {
    moment.as_seconds().to_string()
}

fn succeeded(success: bool, error: Option<String>) -> Result<(), Failure> {
    if success {
        Ok(())
    } else {
        let error = error.unwrap_or_default();
        Err(Failure::internal(format!("D1 {BINDING}: {error}")))
    }
}

/// A database without tables is said by name, with the cure; all else as it is.
fn failed(error: &worker::Error) -> Failure {
    let cure = d1::cure(error, BINDING, "status").map(|cure| format!("; {cure}"));
    let cure = cure.unwrap_or_default();
    Failure::internal(format!("D1 {BINDING}: {error}{cure}"))
}
