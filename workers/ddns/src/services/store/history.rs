//! The table `checks`.

use edge::Failure;
use types::{Range, ServiceId, Timestamp};
use worker::D1PreparedStatement;

use super::Store;
use crate::services::{
    book::{DAY, HOUR},
    daily::Work,
    series::{self, HourRow, Span},
};

/// Hours as they stand; the checks that are new are put behind those that are there.
pub const FLUSH: &str = "\
INSERT INTO checks (service, step, at, checks, up, latency_sum, latency_max, buckets, samples)
SELECT value ->> 'service', 60, value ->> 'at', value ->> '$.sums.checks', value ->> '$.sums.up',
       value ->> '$.sums.latency_sum', value ->> '$.sums.latency_max', value -> '$.sums.buckets', value -> 'new'
FROM json_each(?1) WHERE true
ON CONFLICT (service, step, at) DO UPDATE SET
  checks = excluded.checks, up = excluded.up,
  latency_sum = excluded.latency_sum, latency_max = excluded.latency_max, buckets = excluded.buckets,
  samples = CASE WHEN samples IS NULL THEN excluded.samples
                 ELSE substr(samples, 1, length(samples) - 1) || ',' || substr(excluded.samples, 2) END";

/// Every service that has a history, watched or not. Each is found by its key: the table is never
/// read as a whole.
const KNOWN: &str = "\
WITH RECURSIVE known (service) AS (
  SELECT min(service) FROM checks
  UNION ALL
  SELECT (SELECT min(service) FROM checks WHERE service > known.service) FROM known
  WHERE known.service IS NOT NULL
)";

/// The day that begins at ?1 from its hours. Done twice, it comes to the same.
const ROLL: &str = "\
INSERT INTO checks (service, step, at, checks, up, latency_sum, latency_max)
SELECT hours.service, 1440, CAST(?1 AS INTEGER), sum(checks), sum(up), sum(latency_sum), max(latency_max)
FROM known CROSS JOIN checks AS hours
  ON hours.service = known.service AND hours.step = 60
    AND hours.at >= CAST(?1 AS INTEGER) AND hours.at < CAST(?1 AS INTEGER) + 86400
GROUP BY hours.service
ON CONFLICT (service, step, at) DO UPDATE SET
  checks = excluded.checks, up = excluded.up,
  latency_sum = excluded.latency_sum, latency_max = excluded.latency_max";

/// Drops the single checks of the day that begins at ?1.
const THIN: &str = "\
UPDATE checks SET samples = NULL
WHERE service IN (SELECT service FROM known) AND step = 60
  AND at >= CAST(?1 AS INTEGER) AND at < CAST(?1 AS INTEGER) + 86400 AND samples IS NOT NULL";

const PURGE: &str = "\
DELETE FROM checks
WHERE service IN (SELECT service FROM known) AND step IN (60, 1440) AND at < CAST(?1 AS INTEGER)";

const PURGE_BEATS: &str = "\
WITH RECURSIVE known (service) AS (
  SELECT min(service) FROM heartbeats
  UNION ALL
  SELECT (SELECT min(service) FROM heartbeats WHERE service > known.service) FROM known
  WHERE known.service IS NOT NULL
)
DELETE FROM heartbeats
WHERE service IN (SELECT service FROM known) AND ended IN (0, 1) AND at < 1000 * CAST(?1 AS INTEGER)
  AND at < (SELECT max(at) FROM heartbeats AS newest
            WHERE newest.service = heartbeats.service AND newest.ended = heartbeats.ended)";

/// The audit is in the order of time.
const PURGE_AUDIT: &str =
    "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ?1 ORDER BY id LIMIT 1000)";

/// What the last 24 hours, and the days since ?2, ?3 and ?4 with today's hours (since ?5), add up to,
/// by service: eight numbers.
const WINDOWS: &str = "\
SELECT json_group_object(service, json_array(
  json_array(day_checks, day_up), json_array(week_checks, week_up),
  json_array(month_checks, month_up), json_array(quarter_checks, quarter_up))) AS found
FROM (
  SELECT service,
    coalesce(sum(checks) FILTER (WHERE step = 60 AND at > CAST(?1 AS INTEGER)), 0) AS day_checks,
    coalesce(sum(up) FILTER (WHERE step = 60 AND at > CAST(?1 AS INTEGER)), 0) AS day_up,
    coalesce(sum(checks) FILTER (WHERE whole AND at >= CAST(?2 AS INTEGER)), 0) AS week_checks,
    coalesce(sum(up) FILTER (WHERE whole AND at >= CAST(?2 AS INTEGER)), 0) AS week_up,
    coalesce(sum(checks) FILTER (WHERE whole AND at >= CAST(?3 AS INTEGER)), 0) AS month_checks,
    coalesce(sum(up) FILTER (WHERE whole AND at >= CAST(?3 AS INTEGER)), 0) AS month_up,
    coalesce(sum(checks) FILTER (WHERE whole), 0) AS quarter_checks,
    coalesce(sum(up) FILTER (WHERE whole), 0) AS quarter_up
  FROM (
    SELECT known.service, step, at, checks, up, at >= CAST(?5 AS INTEGER) AS whole
    FROM known CROSS JOIN checks ON checks.service = known.service AND step = 60
      AND at > min(CAST(?1 AS INTEGER), CAST(?5 AS INTEGER) - 1)
    UNION ALL
    SELECT known.service, step, at, checks, up, 1
    FROM known CROSS JOIN checks ON checks.service = known.service AND step = 1440
      AND at >= CAST(?4 AS INTEGER) AND at < CAST(?5 AS INTEGER)
  ) GROUP BY service)";

const READ: &str = "\
SELECT json_group_array(json_object('at', at, 'sums', json_object(
  'checks', checks, 'up', up, 'latency_sum', latency_sum, 'latency_max', latency_max,
  'buckets', json(coalesce(buckets, '[]'))),
  'samples', CASE WHEN ?4 = '1' THEN json(samples) END)) AS found
FROM checks
WHERE service = ?1 AND step = 60 AND at >= CAST(?2 AS INTEGER) AND at < CAST(?3 AS INTEGER)";

/// Those that are open stay, and the newest, so that no id is given twice.
const PURGE_INCIDENTS: &str = "\
DELETE FROM incidents WHERE id IN (
  SELECT id FROM incidents WHERE closed_at < ?1 AND id < (SELECT max(id) FROM incidents)
  ORDER BY id LIMIT 1000)";

impl Store {
    /// The hours of a range, in order.
    pub async fn hours(
        &self,
        service: &ServiceId,
        range: Range,
        span: Span,
    ) -> Result<Vec<HourRow>, Failure> {
        let (from, until) = (span.first_hour().to_string(), span.until.to_string());
        let detail = if series::needs_checks(range) {
            "1"
        } else {
            "0"
        };
        self.query(READ, &[service.as_str(), &from, &until, detail])
            .await
    }

    pub(super) fn windows_query(&self, now: Timestamp) -> Result<D1PreparedStatement, Failure> {
        let now = now.as_seconds();
        let today = now - now.rem_euclid(DAY);
        let hour = now - now.rem_euclid(HOUR);
        let values = [
            hour - 24 * HOUR,
            today - 7 * DAY,
            today - 30 * DAY,
            today - 90 * DAY,
            today,
        ];
        let values = values.map(|value| value.to_string());
        let values = values.each_ref().map(String::as_str);
        self.statement(&format!("{KNOWN}\n{WINDOWS}"), &values)
    }

    pub(super) fn daily(&self, work: Work) -> Result<Vec<D1PreparedStatement>, Failure> {
        let with_known = |sql: &str, moment: i64| {
            self.statement(&format!("{KNOWN}\n{sql}"), &[&moment.to_string()])
        };
        let audited = Timestamp::from_seconds(work.purge_before).to_string();
        Ok(vec![
            with_known(ROLL, work.day)?,
            with_known(THIN, work.thin)?,
            with_known(PURGE, work.purge_before)?,
            self.statement(PURGE_BEATS, &[&work.beats_before.to_string()])?,
            self.statement(PURGE_AUDIT, &[&audited])?,
            self.statement(PURGE_INCIDENTS, &[&audited])?,
        ])
    }
}
