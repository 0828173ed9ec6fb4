//! The tables `alerts` and `alert_channels` of D1 (`migrations/0004_alerts.sql`).
//!
//! Rows cross as one JSON text a statement, which `SQLite` takes apart itself.

use std::collections::BTreeSet;

use edge::{Failure, d1};
use serde::{Deserialize, Serialize};
use types::{
    Timestamp,
    config::{DdnsConfig, alerts::AlertEvent},
};
use worker::{D1Database, D1PreparedStatement, D1Result};

use super::{
    Alert, audience,
    plan::{self, ChannelNote, Notes, Reminded},
};

const BINDING: &str = "OPS_DB";

/// Puts the rows of `alerts` in. An alert that is there stays as it is, whatever has become of it.
pub const ENQUEUE: &str = "\
INSERT INTO alerts (channel, key, at, alert, due_at)
SELECT value ->> 'channel', value ->> 'key', value ->> 'at', value ->> 'alert', value ->> 'at'
FROM json_each(?1, '$.alerts') WHERE true
ON CONFLICT (channel, key) DO NOTHING";

/// Drops the reminders of these services that wait: what has happened since says more. One that is
/// being sent at this moment is dropped, too, and not tried again.
const DROP_REMINDERS: &str = "\
DELETE FROM alerts
WHERE settled_at IS NULL AND EXISTS (
  SELECT 1 FROM json_each(?1) WHERE instr(alerts.key, 'reminder ' || value || ' ') = 1)";

/// Takes what is due, and nobody else does for a while: the channels in turn, of which the one comes
/// first that has heard nothing for longest; of each the oldest, and reminders after all else.
/// Channels that have had their share of the day are left out.
const CLAIM: &str = "\
UPDATE alerts SET attempts = attempts + 1, due_at = ?2
WHERE id IN (
  SELECT id FROM (
    SELECT id, due_at, last_ok_at, row_number() OVER (
      PARTITION BY alerts.channel ORDER BY key GLOB 'reminder *', due_at, id) AS turn
    FROM alerts LEFT JOIN alert_channels AS heard ON heard.channel = alerts.channel
    WHERE settled_at IS NULL AND due_at <= ?1
      AND CASE WHEN heard.day = ?3 THEN heard.sent ELSE 0 END
        < CASE WHEN key GLOB 'reminder *' THEN CAST(?6 AS INTEGER) ELSE CAST(?4 AS INTEGER) END)
  ORDER BY turn, last_ok_at, due_at, id LIMIT CAST(?5 AS INTEGER))
RETURNING id, channel, at, alert, attempts";

const SETTLE: &str = "\
UPDATE alerts SET due_at = note.value ->> 'due_at', attempts = note.value ->> 'attempts',
  settled_at = note.value ->> 'settled_at',
  alert = CASE WHEN note.value ->> 'settled_at' IS NULL THEN alert END
FROM json_each(?1) AS note WHERE alerts.id = note.value ->> 'id'";

/// What else waits for a channel that fails waits with it.
const POSTPONE: &str = "\
UPDATE alerts SET due_at = note.value ->> 'not_before'
FROM json_each(?1) AS note
WHERE settled_at IS NULL AND alerts.channel = note.value ->> 'channel'
  AND due_at < note.value ->> 'not_before'";

const NOTE_CHANNELS: &str = "\
INSERT INTO alert_channels (channel, last_ok_at, failing_since, error, day, sent)
SELECT value ->> 'channel', CASE WHEN value ->> 'ok' THEN ?2 END,
       CASE WHEN value ->> 'error' IS NOT NULL THEN ?2 END, value ->> 'error',
       substr(?2, 1, 10), value ->> 'sent'
FROM json_each(?1) WHERE true
ON CONFLICT (channel) DO UPDATE SET
  last_ok_at = coalesce(excluded.last_ok_at, last_ok_at),
  failing_since = CASE WHEN excluded.error IS NOT NULL THEN coalesce(failing_since, excluded.failing_since) END,
  error = excluded.error,
  sent = CASE WHEN day = excluded.day THEN sent ELSE 0 END + excluded.sent,
  day = excluded.day";

const PURGE: &str = "DELETE FROM alerts WHERE settled_at < ?1";

/// How every channel does that was ever tried, with what waits for it.
const CHANNELS: &str = "\
SELECT channel, last_ok_at, failing_since, error, day AS tried_on,
       (SELECT count(*) FROM alerts WHERE alerts.channel = alert_channels.channel AND settled_at IS NULL) AS pending
FROM alert_channels ORDER BY channel";

/// How a channel does, as `/api/health` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ChannelState {
    pub channel: String,
    pub last_ok_at: Option<Timestamp>,
    /// `None` while it works.
    pub failing_since: Option<Timestamp>,
    /// Why it fails; names no secret.
    pub error: Option<String>,
    /// The day of the last attempt: `2026-11-21`.
    pub tried_on: String,
    /// How many alerts wait for it.
    pub pending: u32,
}

/// A row that this run may send.
#[derive(Debug, Clone, Deserialize)]
pub struct Claimed {
    pub id: i64,
    pub channel: String,
    pub at: Timestamp,
    pub alert: Option<String>,
    pub attempts: usize,
}

/// An alert for one channel, as [`ENQUEUE`] reads it.
#[derive(Debug, Serialize)]
pub struct Row<'a> {
    channel: &'a str,
    key: String,
    at: Timestamp,
    alert: String,
    #[serde(skip)]
    event: AlertEvent,
}

impl Row<'_> {
    /// Whether it goes in: a reminder, as long as its channel has room for one on that day.
    pub fn has_room(&self, reminded: &mut Reminded) -> bool {
        self.event != AlertEvent::Reminder || reminded.count(self.channel, self.at)
    }
}

/// The statements that put these into the outbox, and take away the reminders that they make stale:
/// those of these services. To be run in the same batch as the change that they tell.
pub fn enqueue(
    database: &D1Database,
    alerts: Vec<Row<'_>>,
    stale: &BTreeSet<&str>,
) -> Result<Vec<D1PreparedStatement>, Failure> {
    let mut statements = Vec::new();
    if !stale.is_empty() {
        statements.push(statement(database, DROP_REMINDERS, &[&json(stale)?])?);
    }
    if !alerts.is_empty() {
        let json = json(&Rows { alerts })?;
        statements.push(statement(database, ENQUEUE, &[&json])?);
    }
    Ok(statements)
}

#[derive(Serialize)]
struct Rows<'a> {
    alerts: Vec<Row<'a>>,
}

/// A row for every channel that hears of an alert.
pub fn rows_of<'a>(config: &'a DdnsConfig, alerts: &[Alert]) -> Result<Vec<Row<'a>>, Failure> {
    let mut rows = Vec::new();
    for alert in alerts {
        let mut services = config.services.iter();
        let service = services.find(|service| service.id.as_str() == alert.service);
        for channel in &config.alerts {
            let named = service.is_none_or(|service| service.alerts_to(&channel.name));
            if let Some(event) = audience::hears(channel, alert).filter(|_| named) {
                let alert = Alert {
                    event,
                    ..alert.clone()
                };
                rows.push(Row {
                    channel: channel.name.as_str(),
                    key: alert.key(),
                    at: alert.at,
                    alert: json(&alert)?,
                    event,
                });
            }
        }
    }
    Ok(rows)
}

/// Takes at most `limit` alerts that are due.
pub async fn claim(
    database: &D1Database,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Claimed>, Failure> {
    let lease = now.plus_seconds(plan::LEASE_SECONDS).to_string();
    let (now, limit) = (now.to_string(), limit.to_string());
    let day = now.get(..10).unwrap_or_default();
    let [most, reminders] = [plan::MAX_A_DAY, plan::MAX_REMINDERS_A_DAY].map(|n| n.to_string());
    let values = [&now, &lease, day, &most, &limit, &reminders];
    let claim = statement(database, CLAIM, &values)?;
    let mut claimed: Vec<Claimed> = rows(&claim.run().await.map_err(|error| failed(&error))?)?;
    claimed.sort_by_key(|row| row.id);
    Ok(claimed)
}

/// Notes what came of a run, all or nothing.
pub async fn note(database: &D1Database, notes: &Notes, now: Timestamp) -> Result<(), Failure> {
    let failing: Vec<&ChannelNote> = notes
        .channels
        .iter()
        .filter(|note| note.not_before.is_some())
        .collect();
    let purged = now.plus_seconds(-plan::KEPT_SECONDS).to_string();
    let mut statements = vec![
        statement(database, SETTLE, &[&json(&notes.progress)?])?,
        statement(database, PURGE, &[&purged])?,
    ];
    if !notes.channels.is_empty() {
        let values = [json(&notes.channels)?, now.to_string()];
        let [channels, now] = values.each_ref().map(String::as_str);
        statements.push(statement(database, NOTE_CHANNELS, &[channels, now])?);
    }
    if !failing.is_empty() {
        statements.push(statement(database, POSTPONE, &[&json(&failing)?])?);
    }
    let results = database.batch(statements).await;
    for result in results.map_err(|error| failed(&error))? {
        succeeded(&result)?;
    }
    Ok(())
}

/// How the channels do.
pub async fn channels(database: &D1Database) -> Result<Vec<ChannelState>, Failure> {
    let query = statement(database, CHANNELS, &[])?;
    rows(&query.run().await.map_err(|error| failed(&error))?)
}

fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::internal(error.to_string()))
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

fn rows<T: for<'a> Deserialize<'a>>(result: &D1Result) -> Result<Vec<T>, Failure> {
    succeeded(result)?;
    result.results().map_err(|error| failed(&error))
}

fn succeeded(result: &D1Result) -> Result<(), Failure> {
    match result.error() {
        None if result.success() => Ok(()),
        error => {
            let error = error.unwrap_or_default();
            Err(Failure::internal(format!("{BINDING}: {error}")))
        }
    }
}

/// A database without tables is said by name, with the cure; all else as it is.
fn failed(error: &worker::Error) -> Failure {
    let cure = d1::cure(error, BINDING, "ddns").unwrap_or_else(|| error.to_string());
    Failure::internal(format!("{BINDING}: {cure}"))
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
