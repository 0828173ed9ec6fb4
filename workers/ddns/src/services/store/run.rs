//! What a run of the cron reads and writes: each in one transaction.

use std::collections::BTreeMap;

use edge::Failure;
use serde::{Deserialize, Serialize};
use types::{ServiceId, Timestamp};
use worker::D1PreparedStatement;

use super::{Store, beats, history, read, write};
use crate::services::{
    book::{Book, Hour, MINUTE, Windows},
    daily::Work,
};

const BOOK: &str = "SELECT revision || ' ' || book AS found FROM book WHERE id = 1";

const MINUTE_RUN: &str =
    "SELECT CASE book WHEN '' THEN '0' ELSE CAST(book ->> 'minute' AS TEXT) END AS found FROM book";

/// Whoever comes with an old revision breaks the NOT NULL of it, and so the transaction.
const SWAP: &str = "\
UPDATE book SET revision = CASE WHEN revision = ?1 ->> 'revision' THEN revision + 1 END,
  book = ?1 ->> 'book' WHERE id = 1";

/// The open incidents, the next id, and what is silenced.
const INCIDENTS: &str = "\
SELECT json_object(
  'next', (SELECT coalesce(max(id), 0) + 1 FROM incidents),
  'open', (SELECT json_group_array(json_object('id', id, 'service', service,
             'acknowledged', json(CASE WHEN acknowledged_by IS NULL THEN 'false' ELSE 'true' END)))
           FROM incidents WHERE closed_at IS NULL)) AS found";

const REPORTS: &str = "SELECT json_group_object(host, at) AS found FROM reports";

const OPEN: &str = "\
INSERT INTO incidents (id, service, opened_at, reason, updates)
SELECT value ->> 'id', value ->> 'service', ?2, value ->> 'reason', '[]'
FROM json_each(?1) WHERE true
ON CONFLICT DO NOTHING";

const CLOSE: &str = "\
UPDATE incidents SET closed_at = ?2,
  updates = json_insert(updates, '$[#]', json_object('at', ?2, 'by', NULL, 'text', note.value ->> 'text'))
FROM json_each(?1) AS note
WHERE incidents.service = note.value ->> 'service' AND incidents.closed_at IS NULL";

const AUDIT: &str = "\
INSERT INTO audit (at, by, subject, what, before, after)
SELECT ?2, NULL, value ->> 'subject', 'state', value ->> 'before', value ->> 'after' FROM json_each(?1)";

/// What is known before a run.
#[derive(Debug)]
pub struct Before {
    pub revision: u64,
    pub book: Book,
    pub incidents: OpenIncidents,
    pub silences: Vec<super::silences::Silence>,
    pub beats: BTreeMap<ServiceId, beats::LastBeats>,
    /// When each host's address was reported last.
    pub reports: BTreeMap<String, Timestamp>,
    /// The uptimes, when they were asked for.
    pub windows: Option<BTreeMap<ServiceId, Windows>>,
}

#[derive(Debug, Default, Deserialize)]
pub struct OpenIncidents {
    /// The id of the incident that opens next.
    pub next: u32,
    pub open: Vec<OpenIncident>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct OpenIncident {
    pub id: u32,
    pub service: String,
    pub acknowledged: bool,
}

/// An incident that opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Opening {
    pub id: u32,
    pub service: ServiceId,
    pub reason: Option<String>,
}

/// An incident that closes, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Closing {
    pub service: ServiceId,
    pub text: &'static str,
}

/// A change of what is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    pub subject: ServiceId,
    pub before: &'static str,
    pub after: &'static str,
}

/// What a run writes beside the book.
#[derive(Debug, Default)]
pub struct Outcome {
    pub hours: Vec<Hour>,
    pub opening: Vec<Opening>,
    pub closing: Vec<Closing>,
    pub changes: Vec<Change>,
    pub work: Option<Work>,
}

#[derive(Serialize)]
struct Swap<'a> {
    revision: u64,
    book: &'a Book,
}

impl Store {
    /// Reads all that a run goes by. `beating` are the services whose beats matter; `windows` says
    /// that the uptimes are to be added up anew.
    pub async fn before(
        &self,
        beating: &[&ServiceId],
        with_reports: bool,
        windows: Option<Timestamp>,
    ) -> Result<Before, Failure> {
        let mut statements = vec![
            self.statement(BOOK, &[])?,
            self.statement(INCIDENTS, &[])?,
            self.statement(super::silences::ALL, &[])?,
            self.statement(&beats::last(), &[&write(&beating)?])?,
        ];
        if with_reports {
            statements.push(self.statement(REPORTS, &[])?);
        }
        if let Some(now) = windows {
            statements.push(self.windows_query(now)?);
        }
        let found = self.batch(statements).await?;
        let mut found = found.into_iter().map(Option::unwrap_or_default);
        let mut next = || found.next().unwrap_or_default();
        let (revision, book) = parse_book(&next())?;
        Ok(Before {
            revision,
            book,
            incidents: read(&next())?,
            silences: read(&next())?,
            beats: read(&next())?,
            reports: if with_reports {
                read(&next())?
            } else {
                BTreeMap::new()
            },
            windows: match windows {
                Some(_) => Some(read(&next())?),
                None => None,
            },
        })
    }

    /// The moment, by the clock or by the cron's last run: whichever is later.
    pub async fn moment(&self, clock: Timestamp) -> Result<Timestamp, Failure> {
        let minute: i64 = self.query(MINUTE_RUN, &[]).await?;
        Ok(clock.max(Timestamp::from_seconds(minute * MINUTE)))
    }

    /// Writes what a run came to, with the statements of others: all of it, or nothing when another
    /// run has been faster.
    pub async fn after(
        &self,
        revision: u64,
        book: &Book,
        outcome: &Outcome,
        now: Timestamp,
        others: impl IntoIterator<Item = D1PreparedStatement>,
    ) -> Result<(), Failure> {
        let now = now.to_string();
        let swap = write(&Swap { revision, book })?;
        let mut statements = vec![self.statement(SWAP, &[&swap])?];
        if !outcome.hours.is_empty() {
            statements.push(self.statement(history::FLUSH, &[&write(&outcome.hours)?])?);
        }
        // An incident that ends makes room for the next one of its service.
        if !outcome.closing.is_empty() {
            statements.push(self.statement(CLOSE, &[&write(&outcome.closing)?, &now])?);
        }
        if !outcome.opening.is_empty() {
            statements.push(self.statement(OPEN, &[&write(&outcome.opening)?, &now])?);
        }
        if !outcome.changes.is_empty() {
            statements.push(self.statement(AUDIT, &[&write(&outcome.changes)?, &now])?);
        }
        if let Some(work) = outcome.work {
            statements.extend(self.daily(work)?);
        }
        statements.extend(others);
        self.batch(statements).await.map(drop)
    }
}

/// `<revision> <book>`; the book is empty before the first run.
fn parse_book(text: &str) -> Result<(u64, Book), Failure> {
    let broken = || Failure::internal("OPS_DB: the table book has lost its row");
    let (revision, book) = text.split_once(' ').ok_or_else(broken)?;
    let revision = revision.parse().map_err(|_| broken())?;
    if book.is_empty() {
        return Ok((revision, Book::default()));
    }
    Ok((revision, read(book)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_book_is_read_with_its_revision_and_is_empty_at_first() {
        assert_eq!(parse_book("0 ").unwrap(), (0, Book::default()));
        let json = serde_json::to_string(&Book::default()).unwrap();
        assert_eq!(json, r#"{"v":1,"minute":0,"day":null,"services":{}}"#);
        let text = format!("12 {json}");
        assert_eq!(parse_book(&text).unwrap(), (12, Book::default()));
        assert!(parse_book("").is_err());
        assert!(parse_book("1 {").is_err());
    }
}
