//! The log, as operators read it and as it is kept short.

use edge::Failure;
use serde::{Deserialize, Serialize};
use types::{Timestamp, config::HostName, ddns::Reported};

use super::{Store, list, parsed, sql};
use crate::{
    plan::Duty,
    truth::{self, Sighting},
};

/// For how long the log is kept, in seconds: more than a year, to compare with.
const KEPT_SECONDS: i64 = 400 * 86_400;

/// Which entries are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Filter {
    /// Only older ones than this.
    pub before: u32,
    pub limit: u32,
    pub host: Option<String>,
    pub token: Option<String>,
    pub decision: Option<String>,
    /// Both included.
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

impl Filter {
    /// The statement with the conditions that are asked for, so that `SQLite` uses its index.
    fn sql(&self) -> String {
        let conditions = [
            (self.host.is_some(), " AND host = ?1->>'$.host'"),
            (self.token.is_some(), " AND token = ?1->>'$.token'"),
            (self.decision.is_some(), " AND decision = ?1->>'$.decision'"),
            (self.since.is_some(), " AND at >= ?1->>'$.since'"),
            (self.until.is_some(), " AND at <= ?1->>'$.until'"),
        ];
        let mut text = sql::LOG.to_owned();
        for (_, condition) in conditions.iter().filter(|(asked, _)| *asked) {
            text.push_str(condition);
        }
        text.push_str(sql::LOG_ORDER);
        text
    }
}

/// The last report of a host that came over one family, whatever came of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LastReport {
    pub host: HostName,
    /// Where it came from.
    pub seen: String,
    pub reported: Reported,
}

impl LastReport {
    pub fn sighting(&self) -> Sighting<'_> {
        Sighting {
            reported: &self.reported,
            seen: truth::seen(&self.seen),
        }
    }
}

#[derive(Serialize)]
struct Hosts<'a> {
    hosts: &'a [&'a HostName],
}

#[derive(Serialize)]
struct Before<'a> {
    log: Timestamp,
    now: i64,
    duties: &'a [Duty],
}

impl Store {
    /// Entries of the log, newest first, each with its id and as the JSON of a
    /// [`types::ddns::LogEntry`]: the database writes it, and nobody has to read it in between.
    pub async fn log(&self, filter: &Filter) -> Result<Vec<(u32, String)>, Failure> {
        #[derive(Deserialize)]
        struct Numbered {
            id: u32,
        }
        let found = self.all(&[&filter.sql()], filter).await?;
        let entries = found.into_iter().next().unwrap_or_default();
        let numbered = |entry: String| Ok((parsed::<Numbered>(&entry)?.id, entry));
        entries.into_iter().map(numbered).collect()
    }

    /// The last reports of each of these hosts, at most one a family that they came over, newest first;
    /// hosts that were never reported are left out.
    pub async fn last_reports(&self, hosts: &[&HostName]) -> Result<Vec<LastReport>, Failure> {
        list(
            self.all(&[sql::LAST_REPORTS], &Hosts { hosts })
                .await?
                .first(),
        )
    }

    /// Takes away what is too old to be kept, a bounded piece of it, and what is known of providers
    /// that are not among these.
    pub async fn prune(&self, now: Timestamp, duties: &[Duty]) -> Result<(), Failure> {
        let before = Before {
            log: now.plus_seconds(-KEPT_SECONDS),
            now: now.as_seconds(),
            duties,
        };
        let statements = [sql::PRUNE_LOG, sql::PRUNE_BLOCKS, sql::PRUNE_PROVIDERS];
        self.all(&statements, &before).await.map(drop)
    }
}
