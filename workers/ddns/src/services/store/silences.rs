//! The table `silences`: what operators have paused, and what is in maintenance.

use edge::Failure;
use serde::{Deserialize, Serialize};
use types::{ServiceId, Timestamp};

use super::{Store, write};

pub const ALL: &str = "\
SELECT json_group_array(json_object('service', service, 'paused', json(CASE paused WHEN 0 THEN 'false' ELSE 'true' END),
  'until', until, 'reason', reason)) AS found FROM silences";

/// `silence` is what is from now on, and says what was changed.
const SET: &str = "\
INSERT INTO silences (service, paused, until, reason, by, at)
SELECT ?1 ->> 'service', coalesce(?1 ->> 'paused', 0), ?1 ->> 'until', ?1 ->> 'reason', ?1 ->> 'by', ?1 ->> 'at'
WHERE true
ON CONFLICT (service) DO UPDATE SET
  paused = coalesce(?1 ->> 'paused', paused),
  until = CASE WHEN ?1 ->> 'paused' IS NULL THEN excluded.until ELSE until END,
  reason = CASE WHEN ?1 ->> 'paused' IS NULL THEN excluded.reason ELSE reason END,
  by = excluded.by, at = excluded.at";

const DROP_EMPTY: &str =
    "DELETE FROM silences WHERE service = ?1 ->> 'service' AND paused = 0 AND until IS NULL";

const AUDIT: &str = "\
INSERT INTO audit (at, by, subject, what, before, after)
SELECT ?1 ->> 'at', ?1 ->> 'by', ?1 ->> 'service', ?1 ->> 'what',
       (SELECT json_object('paused', paused, 'until', until, 'reason', reason)
        FROM silences WHERE service = ?1 ->> 'service'),
       json_object('paused', ?1 ->> 'paused', 'until', ?1 ->> 'until', 'reason', ?1 ->> 'reason')";

/// What is silenced of one service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Silence {
    /// As it was named: it may be watched no more.
    pub service: String,
    pub paused: bool,
    /// The end of maintenance.
    pub until: Option<Timestamp>,
    pub reason: Option<String>,
}

impl Silence {
    /// Why there is maintenance, if there is at this moment.
    pub fn maintenance(&self, now: Timestamp) -> Option<&str> {
        let lasts = self.until.is_some_and(|until| until > now);
        lasts.then(|| self.reason.as_deref().unwrap_or("maintenance"))
    }
}

/// What an operator wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    Pause,
    Resume,
    Maintain {
        until: Timestamp,
        reason: Option<String>,
    },
    EndMaintenance,
}

#[derive(Serialize)]
struct Row<'a> {
    service: &'a ServiceId,
    what: &'static str,
    /// `None` when it is about maintenance.
    paused: Option<u8>,
    until: Option<Timestamp>,
    reason: Option<&'a str>,
    by: &'a str,
    at: Timestamp,
}

impl Store {
    pub async fn silences(&self) -> Result<Vec<Silence>, Failure> {
        self.query(ALL, &[]).await
    }

    /// Does what an operator wants and puts it on record.
    pub async fn silence(
        &self,
        service: &ServiceId,
        wish: &Wish,
        by: &str,
        at: Timestamp,
    ) -> Result<(), Failure> {
        let mut row = Row {
            service,
            what: "maintenance",
            paused: None,
            until: None,
            reason: None,
            by,
            at,
        };
        match wish {
            Wish::Pause => (row.what, row.paused) = ("pause", Some(1)),
            Wish::Resume => (row.what, row.paused) = ("resume", Some(0)),
            Wish::Maintain { until, reason } => {
                (row.until, row.reason) = (Some(*until), reason.as_deref());
            }
            Wish::EndMaintenance => {}
        }
        let row = write(&row)?;
        let statements = [AUDIT, SET, DROP_EMPTY].map(|sql| self.statement(sql, &[&row]));
        let statements = statements.into_iter().collect::<Result<_, _>>()?;
        self.batch(statements).await.map(drop)
    }
}
