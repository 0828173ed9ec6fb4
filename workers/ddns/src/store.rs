//! The book of this worker in D1 (`OPS_DB`; `migrations/`).

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr},
};

use edge::{Failure, d1, log};
use serde::Deserialize;
use types::{
    Timestamp,
    config::HostName,
    ddns::{Addresses, LogEntry},
};
use worker::{D1Database, D1PreparedStatement, D1Result, Env};

use crate::{
    dyndns2::Code,
    report::{Report, Verdict},
};

const BINDING: &str = "OPS_DB";
/// This worker's row in `ticks`.
const TICKER: &str = "ddns";

/// Compares, decides and logs in one statement. A family that is not reported stays.
const LOG_APPLIED: &str = "\
INSERT INTO updates (at, token, client, host, reported, decision,
                     ipv4_before, ipv6_before, ipv4_after, ipv6_after)
SELECT ?1, ?2, ?3, ?4, ?5,
       CASE WHEN (?6 IS NULL OR ?6 IS hosts.ipv4) AND (?7 IS NULL OR ?7 IS hosts.ipv6)
            THEN 'nochg' ELSE 'good' END,
       hosts.ipv4, hosts.ipv6, coalesce(?6, hosts.ipv4), coalesce(?7, hosts.ipv6)
FROM (SELECT 1) LEFT JOIN hosts ON hosts.host = ?4
RETURNING decision";

const APPLY: &str = "\
INSERT INTO hosts (host, ipv4, ipv6, updated_at, updated_by) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (host) DO UPDATE SET
  ipv4 = coalesce(excluded.ipv4, hosts.ipv4), ipv6 = coalesce(excluded.ipv6, hosts.ipv6),
  updated_at = excluded.updated_at, updated_by = excluded.updated_by
WHERE (excluded.ipv4 IS NOT NULL AND excluded.ipv4 IS NOT hosts.ipv4)
   OR (excluded.ipv6 IS NOT NULL AND excluded.ipv6 IS NOT hosts.ipv6)";

const LOG_REFUSED: &str = "\
INSERT INTO updates (at, token, client, host, reported, decision) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

const TICK: &str = "\
INSERT INTO ticks (worker, at) VALUES (?1, ?2) ON CONFLICT (worker) DO UPDATE SET at = excluded.at";

const LAST_TICK: &str = "SELECT at FROM ticks WHERE worker = ?1";

const LOG: &str = "\
SELECT * FROM updates WHERE id < CAST(?1 AS INTEGER) ORDER BY id DESC LIMIT CAST(?2 AS INTEGER)";

/// D1, as this worker uses it.
pub struct Store(D1Database);

/// One row of `hosts`.
#[derive(Debug, Clone, Deserialize)]
pub struct HostRow {
    pub host: HostName,
    #[serde(flatten)]
    pub addresses: Addresses,
    pub updated_at: Timestamp,
}

#[derive(Deserialize)]
struct UpdateRow {
    id: u32,
    at: Timestamp,
    token: String,
    client: Option<String>,
    host: Option<String>,
    reported: String,
    decision: String,
    ipv4_before: Option<Ipv4Addr>,
    ipv6_before: Option<Ipv6Addr>,
    ipv4_after: Option<Ipv4Addr>,
    ipv6_after: Option<Ipv6Addr>,
}

impl Store {
    pub fn new(env: &Env) -> Result<Self, Failure> {
        env.d1(BINDING).map(Self).map_err(|error| failed(&error))
    }

    /// The addresses of every host that was ever reported.
    pub async fn hosts(&self) -> Result<Vec<HostRow>, Failure> {
        let query = self
            .0
            .prepare("SELECT host, ipv4, ipv6, updated_at FROM hosts");
        rows(&query.run().await.map_err(|error| failed(&error))?)
    }

    /// The same, by host.
    pub async fn addresses(&self) -> Result<BTreeMap<HostName, Addresses>, Failure> {
        let rows = self.hosts().await?.into_iter();
        Ok(rows.map(|row| (row.host, row.addresses)).collect())
    }

    /// Up to `limit` entries of the log, newest first, older than the entry `before`.
    pub async fn log(&self, before: Option<u32>, limit: u32) -> Result<Vec<LogEntry>, Failure> {
        let (before, limit) = (before.unwrap_or(u32::MAX).to_string(), limit.to_string());
        let query = self.statement(LOG, &[Some(&before), Some(&limit)])?;
        let rows: Vec<UpdateRow> = rows(&query.run().await.map_err(|error| failed(&error))?)?;
        rows.into_iter().map(entry).collect()
    }

    /// Puts on record that the cron ran.
    pub async fn tick(&self, now: Timestamp) -> Result<(), Failure> {
        let statement = self.statement(TICK, &[Some(TICKER), Some(&now.to_string())])?;
        let done = statement.run().await;
        done.map(drop).map_err(|error| failed(&error))
    }

    /// When the cron ran last.
    pub async fn ticked_at(&self) -> Result<Option<Timestamp>, Failure> {
        let query = self.statement(LAST_TICK, &[Some(TICKER)])?;
        let at = query.first(Some("at")).await;
        at.map_err(|error| failed(&error))
    }

    /// A statement with its parameters; all of them are text.
    fn statement(
        &self,
        sql: &str,
        values: &[Option<&str>],
    ) -> Result<D1PreparedStatement, Failure> {
        d1::statement(&self.0, sql, values).map_err(|error| failed(&error))
    }

    /// The statements of one verdict, the one that returns its decision first.
    fn recording(
        &self,
        report: &Row<'_>,
        verdict: &Verdict,
    ) -> Result<Vec<D1PreparedStatement>, Failure> {
        let Row {
            at,
            token,
            client,
            reported,
            ipv4,
            ipv6,
        } = *report;
        match verdict {
            Verdict::Refuse { host, code } => {
                let values = [
                    at,
                    token,
                    client,
                    host.as_deref(),
                    reported,
                    Some(code.as_str()),
                ];
                Ok(vec![self.statement(LOG_REFUSED, &values)?])
            }
            Verdict::Apply(host) => {
                let host = Some(host.as_str());
                let logged = [at, token, client, host, reported, ipv4, ipv6];
                Ok(vec![
                    self.statement(LOG_APPLIED, &logged)?,
                    self.statement(APPLY, &[host, ipv4, ipv6, at, token])?,
                ])
            }
        }
    }

    /// Puts all verdicts on record, in order and all or none, and applies those that are to be
    /// applied. Gives the code of each. Whether an address changes is judged in the same
    /// transaction, so of two reports at once each finds the other's outcome or none of it.
    pub async fn record(
        &self,
        report: Report<'_>,
        verdicts: &[Verdict],
    ) -> Result<Vec<Code>, Failure> {
        let at = report.at.to_string();
        let reported = serde_json::to_string(report.reported)
            .map_err(|error| Failure::internal(error.to_string()))?;
        let ipv4 = report.reported.addresses.ipv4.map(|ip| ip.to_string());
        let ipv6 = report.reported.addresses.ipv6.map(|ip| ip.to_string());
        let row = Row {
            at: Some(&at),
            token: Some(report.token),
            client: report.client,
            reported: Some(&reported),
            ipv4: ipv4.as_deref(),
            ipv6: ipv6.as_deref(),
        };
        let mut statements = Vec::new();
        let mut decided_by = Vec::new();
        for verdict in verdicts {
            decided_by.push(statements.len());
            statements.extend(self.recording(&row, verdict)?);
        }
        let batch = self.0.batch(statements).await;
        let results = batch.map_err(|error| failed(&error))?;
        let code = |(verdict, index): (&Verdict, &usize)| match verdict {
            Verdict::Refuse { code, .. } => Ok(*code),
            Verdict::Apply(_) => decision(results.get(*index)),
        };
        verdicts.iter().zip(&decided_by).map(code).collect()
    }
}

/// A report as the columns of its rows.
struct Row<'a> {
    at: Option<&'a str>,
    token: Option<&'a str>,
    client: Option<&'a str>,
    reported: Option<&'a str>,
    ipv4: Option<&'a str>,
    ipv6: Option<&'a str>,
}

/// What [`LOG_APPLIED`] decided.
fn decision(result: Option<&D1Result>) -> Result<Code, Failure> {
    #[derive(Deserialize)]
    struct Decision {
        decision: String,
    }
    let rows: Vec<Decision> = result.map_or(Ok(Vec::new()), rows)?;
    match rows.first().map(|row| row.decision.as_str()) {
        Some("good") => Ok(Code::Good),
        Some("nochg") => Ok(Code::Nochg),
        other => Err(Failure::internal(format!("{BINDING}: decided {other:?}"))),
    }
}

fn entry(row: UpdateRow) -> Result<LogEntry, Failure> {
    let reported = serde_json::from_str(&row.reported)
        .map_err(|error| Failure::internal(format!("{BINDING}: update {}: {error}", row.id)))?;
    let applied = row.ipv4_after.is_some() || row.ipv6_after.is_some();
    let addresses = |ipv4, ipv6| applied.then_some(Addresses { ipv4, ipv6 });
    Ok(LogEntry {
        id: row.id,
        at: row.at,
        token: row.token,
        client: row.client,
        host: row.host,
        reported,
        decision: row.decision,
        providers: Vec::new(),
        before: addresses(row.ipv4_before, row.ipv6_before),
        after: addresses(row.ipv4_after, row.ipv6_after),
    })
}

fn rows<T: for<'a> Deserialize<'a>>(result: &D1Result) -> Result<Vec<T>, Failure> {
    result.results().map_err(|error| failed(&error))
}

/// A database without tables is said by name, with the cure; all else goes to the log as it is.
fn failed(error: &worker::Error) -> Failure {
    let Some(cure) = d1::cure(error, BINDING, "ddns") else {
        return Failure::internal(format!("{BINDING}: {error}"));
    };
    log::error(BINDING, &cure);
    Failure::new(types::Code::Unavailable, "the database is not set up yet")
}
