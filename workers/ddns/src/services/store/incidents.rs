//! The table `incidents`, for readers and for those who acknowledge.

use edge::Failure;
use serde::Serialize;
use types::{Timestamp, services::Incident};
use worker::D1PreparedStatement;

use super::{Store, read, write};

const ROW: &str =
    "json_object('id', id, 'service', service, 'opened_at', opened_at, 'closed_at', closed_at,
  'acknowledged_by', acknowledged_by, 'reason', reason, 'updates', json(updates))";

/// Newest first; those of the services in ?1 (`null`: of all that there ever were), older than the id
/// ?2, at most ?3.
const LIST: &str = "\
FROM (SELECT * FROM incidents
      WHERE id < CAST(?2 AS INTEGER) AND (?1 = 'null' OR service IN (SELECT value FROM json_each(?1)))
        AND (?4 = '' OR (closed_at IS NULL) = (?4 = 'open'))
      ORDER BY id DESC LIMIT CAST(?3 AS INTEGER))";

/// Who acknowledges first is the one who has; a closed incident is not acknowledged any more.
const ACKNOWLEDGE: &str = "\
UPDATE incidents SET acknowledged_by = ?1 ->> 'by',
  updates = json_insert(updates, '$[#]', json_object('at', ?1 ->> 'at', 'by', ?1 ->> 'by', 'text', ?1 ->> 'text'))
WHERE id = ?1 ->> 'id' AND closed_at IS NULL AND acknowledged_by IS NULL";

const AUDIT: &str = "\
INSERT INTO audit (at, by, subject, what, before, after)
SELECT ?1 ->> 'at', ?1 ->> 'by', service, 'acknowledge', NULL, CAST(id AS TEXT)
FROM incidents WHERE id = ?1 ->> 'id' AND closed_at IS NULL AND acknowledged_by IS NULL";

#[derive(Serialize)]
struct Acknowledgement<'a> {
    id: u32,
    by: &'a str,
    at: Timestamp,
    text: &'a str,
}

/// Which incidents are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    All,
    Open,
    Closed,
}

impl Store {
    /// Up to `limit` incidents of these services, or of all, newest first, older than `before`.
    pub async fn incidents(
        &self,
        services: Option<&[&str]>,
        which: Which,
        before: Option<u32>,
        limit: u32,
    ) -> Result<Vec<Incident>, Failure> {
        let sql = format!("SELECT json_group_array({ROW}) AS found {LIST}");
        let (before, limit) = (before.unwrap_or(u32::MAX).to_string(), limit.to_string());
        let which = match which {
            Which::All => "",
            Which::Open => "open",
            Which::Closed => "closed",
        };
        let mut incidents: Vec<Incident> = self
            .query(&sql, &[&write(&services)?, &before, &limit, which])
            .await?;
        incidents.sort_by_key(|incident| std::cmp::Reverse(incident.id));
        Ok(incidents)
    }

    pub async fn incident(&self, id: u32) -> Result<Option<Incident>, Failure> {
        let sql = format!("SELECT {ROW} AS found FROM incidents WHERE id = CAST(?1 AS INTEGER)");
        let found = self.run(&sql, &[&id.to_string()]).await?;
        found.as_deref().map(read).transpose()
    }

    /// Acknowledges an open incident, unless somebody has, with the statements of others; gives it as
    /// it is then.
    pub async fn acknowledge(
        &self,
        id: u32,
        by: &str,
        at: Timestamp,
        text: &str,
        others: impl IntoIterator<Item = D1PreparedStatement>,
    ) -> Result<Option<Incident>, Failure> {
        let row = write(&Acknowledgement { id, by, at, text })?;
        let read_back =
            format!("SELECT {ROW} AS found FROM incidents WHERE id = CAST(?1 AS INTEGER)");
        let mut statements = vec![
            self.statement(AUDIT, &[&row])?,
            self.statement(ACKNOWLEDGE, &[&row])?,
        ];
        statements.extend(others);
        statements.push(self.statement(&read_back, &[&id.to_string()])?);
        let found = self.batch(statements).await?;
        let incident = found.into_iter().flatten().next_back();
        incident.as_deref().map(read).transpose()
    }
}
