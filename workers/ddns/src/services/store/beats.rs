//! The table `heartbeats`.

use std::collections::BTreeMap;

use edge::Failure;
use serde::{Deserialize, Serialize};
use types::{ServiceId, Timestamp};

use super::{Store, write};

/// When the run of ?service began that has gone on for longest, and has not ended. A run with an id
/// ends by an end with that id or by a later one without any, one without an id by any later end.
/// What began before a run that has ended is taken for dead: a machine that was switched off in the
/// middle is well again by its next run. The starts are looked at from the newest back, to the first
/// that has ended; there are few, for they overlap.
const RUNNING: &str = "\
WITH RECURSIVE begun (count, at) AS (
  SELECT 0, 1 << 62
  UNION ALL
  SELECT begun.count + 1, run.at FROM begun CROSS JOIN heartbeats AS run
  WHERE begun.count < 20 AND run.service = ?service AND run.ended = 0
    AND run.at = (SELECT max(at) FROM heartbeats WHERE service = ?service AND ended = 0 AND at < begun.at)
    AND NOT EXISTS (SELECT 1 FROM heartbeats
                    WHERE service = ?service AND rid = run.rid AND ended = 1)
    AND NOT EXISTS (SELECT 1 FROM (SELECT rid FROM heartbeats
                                   WHERE service = ?service AND ended = 1 AND at >= run.at
                                   ORDER BY at DESC LIMIT 20) AS later
                    WHERE later.rid IS NULL OR run.rid IS NULL)
)
SELECT min(at) FROM begun WHERE count > 0";

/// The last end of each service in ?1, and when its [`RUNNING`] run began.
pub fn last() -> String {
    let running = RUNNING.replace("?service", "value");
    format!(
        "\
SELECT json_group_object(service, json_object('end', json(ended), 'running_since', running)) AS found
FROM (
  SELECT value AS service,
    (SELECT json_object('at', at, 'rid', rid, 'failure', failure) FROM heartbeats
     WHERE service = value AND ended = 1 ORDER BY at DESC LIMIT 1) AS ended,
    ({running}) AS running
  FROM json_each(?1)
)"
    )
}

/// The last end and the last start of the service ?1, and when the run ?2 began.
const BEFORE: &str = "\
SELECT json_object(
  'end', json((SELECT json_object('at', at, 'rid', rid, 'failure', failure) FROM heartbeats
               WHERE service = ?1 AND ended = 1 ORDER BY at DESC LIMIT 1)),
  'start', json((SELECT json_object('at', at, 'rid', rid) FROM heartbeats
                 WHERE service = ?1 AND ended = 0 ORDER BY at DESC LIMIT 1)),
  'minute', (SELECT CASE book WHEN '' THEN 0 ELSE book ->> 'minute' END FROM book),
  'run_started', (SELECT at FROM heartbeats WHERE service = ?1 AND ended = 0 AND rid = ?2)) AS found";

/// A beat that is there already, or of a run that has ended already, changes nothing.
const RECORD: &str = "\
INSERT INTO heartbeats (service, ended, at, ending, rid, duration_ms, failure, metrics, log, log_bytes_cut)
SELECT ?1 ->> 'service', ?1 ->> 'ended', ?1 ->> 'at', ?1 ->> 'ending', ?1 ->> 'rid', ?1 ->> 'duration_ms',
       ?1 ->> 'failure', ?1 ->> 'metrics', ?1 ->> 'log', ?1 ->> 'log_bytes_cut'
WHERE true
ON CONFLICT DO NOTHING";

/// Newest first, of either kind, older than ?2, at most ?3.
const LIST: &str = "\
SELECT json_group_array(json_object('at', at, 'ending', ending, 'rid', rid, 'duration_ms', duration_ms,
  'failure', failure, 'metrics', json(metrics), 'log', log, 'log_bytes_cut', log_bytes_cut)) AS found
FROM (
  SELECT * FROM (SELECT * FROM heartbeats WHERE service = ?1 AND ended = 1 AND at < CAST(?2 AS INTEGER)
                 ORDER BY at DESC LIMIT CAST(?3 AS INTEGER))
  UNION ALL
  SELECT * FROM (SELECT * FROM heartbeats WHERE service = ?1 AND ended = 0 AND at < CAST(?2 AS INTEGER)
                 ORDER BY at DESC LIMIT CAST(?3 AS INTEGER))
  ORDER BY at DESC LIMIT CAST(?3 AS INTEGER))";

/// A beat, as far as it matters for those after it; in milliseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Beat {
    pub at: i64,
    pub rid: Option<String>,
    #[serde(default)]
    pub failure: Option<String>,
}

/// What is known of a service by its beats.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct LastBeats {
    /// The newest one that ended.
    pub end: Option<Beat>,
    /// When a run began that has not ended, in milliseconds since the epoch.
    #[serde(default)]
    running_since: Option<i64>,
}

/// What is known when a beat comes in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct BeforeBeat {
    pub end: Option<Beat>,
    pub start: Option<Beat>,
    /// The minute of the cron's last run, since the epoch.
    pub minute: i64,
    /// When the run began that has the beat's own id.
    pub run_started: Option<i64>,
}

/// A beat as it is written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NewBeat<'a> {
    pub service: &'a ServiceId,
    pub ended: u8,
    pub at: i64,
    pub ending: String,
    pub rid: Option<&'a str>,
    pub duration_ms: Option<u64>,
    pub failure: Option<&'a str>,
    pub metrics: Option<&'a BTreeMap<String, f64>>,
    pub log: Option<&'a str>,
    pub log_bytes_cut: u32,
}

/// A beat as operators read it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct BeatRow {
    pub at: i64,
    pub ending: String,
    pub rid: Option<String>,
    pub duration_ms: Option<u64>,
    pub failure: Option<String>,
    pub metrics: Option<BTreeMap<String, f64>>,
    pub log: Option<String>,
    pub log_bytes_cut: u32,
}

impl BeforeBeat {
    /// When the newest beat came, in milliseconds since the epoch.
    pub fn newest(&self) -> Option<i64> {
        let (end, start) = (self.end.as_ref(), self.start.as_ref());
        end.map(|end| end.at).max(start.map(|start| start.at))
    }

    /// When the run began that an end without an id ends, in milliseconds since the epoch.
    pub fn started(&self) -> Option<i64> {
        let start = self.start.as_ref().filter(|start| start.rid.is_none())?;
        let has_ended = self.end.as_ref().is_some_and(|end| end.at >= start.at);
        (!has_ended).then_some(start.at)
    }
}

impl LastBeats {
    pub const fn running_since(&self) -> Option<i64> {
        self.running_since
    }

    pub fn ended_at(&self) -> Option<Timestamp> {
        let end = self.end.as_ref();
        end.map(|end| Timestamp::from_millis(end.at))
    }
}

impl Store {
    pub async fn before_beat(
        &self,
        service: &ServiceId,
        rid: Option<&str>,
    ) -> Result<BeforeBeat, Failure> {
        self.query(BEFORE, &[service.as_str(), rid.unwrap_or("")])
            .await
    }

    /// Writes a beat; gives the last beats as they are then.
    pub async fn beat(&self, beat: &NewBeat<'_>) -> Result<LastBeats, Failure> {
        let found = self
            .batch(vec![
                self.statement(RECORD, &[&write(beat)?])?,
                self.statement(BEFORE, &[beat.service.as_str(), ""])?,
            ])
            .await?;
        let last = found.into_iter().flatten().next_back().unwrap_or_default();
        super::read(&last)
    }

    /// Up to `limit` beats, newest first, that came before `before` (milliseconds).
    pub async fn beats(
        &self,
        service: &ServiceId,
        before: i64,
        limit: u32,
    ) -> Result<Vec<BeatRow>, Failure> {
        let (before, limit) = (before.to_string(), limit.to_string());
        let mut beats: Vec<BeatRow> = self
            .query(LIST, &[service.as_str(), &before, &limit])
            .await?;
        beats.sort_by_key(|beat| std::cmp::Reverse(beat.at));
        Ok(beats)
    }
}
