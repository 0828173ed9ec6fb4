//! The port of updates over D1: each call is one batch, which D1 runs as one transaction.

use edge::Failure;
use serde::{Deserialize, Serialize};
use types::{
    Timestamp,
    config::{Family, HostName},
    ddns::Addresses,
};

use super::{Store, json, list, parsed, sql};
use crate::{
    CONFIG,
    alerts::outbox,
    book::{Book, Claim, Claimed, Finished, Note, Recorded, Request, Row},
    dyndns2::Code,
    limits::{FLAP_SECONDS, FLAPS, UPDATES, UPDATES_SECONDS},
    plan::{Line, Settled},
    refresh,
    report::Verdict,
};

/// A request as the statements read it.
#[derive(Serialize)]
struct Asked<'a> {
    mark: &'a str,
    at: Timestamp,
    now: i64,
    token: &'a str,
    client: Option<&'a str>,
    seen: Option<&'a str>,
    guesser: &'a str,
    reported: String,
    items: Vec<Item<'a>>,
    /// The hosts that are to be shown after it.
    hosts: Vec<&'a str>,
    most: u32,
    window: i64,
    window_since: Timestamp,
    flaps: u32,
    flap_since: Timestamp,
}

#[derive(Serialize)]
struct Item<'a> {
    host: Option<&'a str>,
    /// Of what is only logged.
    code: Option<&'static str>,
    ipv4: Option<std::net::Ipv4Addr>,
    ipv6: Option<std::net::Ipv6Addr>,
    /// Whether the host has no addresses of the family.
    no_ipv4: bool,
    no_ipv6: bool,
    /// What a change is called until its providers have it.
    fresh: &'static str,
}

impl<'a> Asked<'a> {
    fn new(request: &Request<'a>) -> Result<Self, Failure> {
        let hosts = request.verdicts.iter().filter_map(|verdict| match verdict {
            Verdict::Apply { host, .. } if !host.providers.is_empty() => Some(host.host.as_str()),
            _ => None,
        });
        let sharers = request.sharers.iter().map(|duty| duty.host.as_str());
        Ok(Self {
            mark: request.mark,
            at: request.at,
            now: request.at.as_seconds(),
            token: request.token,
            client: request.client,
            seen: request.seen,
            guesser: request.guesser,
            reported: json(request.reported)?,
            items: request.verdicts.iter().map(item).collect(),
            hosts: hosts.chain(sharers).collect(),
            most: UPDATES,
            window: UPDATES_SECONDS,
            window_since: request.at.plus_seconds(-UPDATES_SECONDS),
            flaps: if request.damped { FLAPS } else { u32::MAX },
            flap_since: request.at.plus_seconds(-FLAP_SECONDS),
        })
    }
}

fn item<'a>(verdict: &'a Verdict<'_>) -> Item<'a> {
    let only_logged = |code: Code| Item {
        host: verdict.named(),
        code: Some(code.as_str()),
        ipv4: None,
        ipv6: None,
        no_ipv4: false,
        no_ipv6: false,
        fresh: "",
    };
    match verdict {
        Verdict::Refuse { code, .. } => only_logged(*code),
        Verdict::Repeat { .. } => only_logged(Code::Nochg),
        Verdict::Apply { host, addresses } => Item {
            host: Some(host.host.as_str()),
            code: None,
            ipv4: addresses.ipv4,
            ipv6: addresses.ipv6,
            no_ipv4: !host.has_family(Family::Ipv4),
            no_ipv6: !host.has_family(Family::Ipv6),
            // Nobody can say it is good before the providers that matter have it.
            fresh: if host.providers.iter().any(|provider| provider.required) {
                Code::Failed.as_str()
            } else {
                Code::Good.as_str()
            },
        },
    }
}

#[derive(Deserialize)]
struct Found {
    id: u32,
    decision: String,
    before: Addresses,
    after: Addresses,
}

#[derive(Deserialize)]
struct Limits {
    oldest: Option<i64>,
    blocked: Option<i64>,
}

/// The rows of a request, in order.
fn rows(verdicts: &[Verdict<'_>], found: Option<&Vec<String>>) -> Result<Vec<Row>, Failure> {
    let mut found: Vec<Found> = list(found)?;
    found.sort_by_key(|found| found.id);
    if found.len() != verdicts.len() {
        let words = format!("OPS_DB: {} of {} entries", found.len(), verdicts.len());
        return Err(Failure::internal(words));
    }
    let row = |(found, verdict): (&Found, &Verdict<'_>)| {
        let decision = match (verdict, found.decision.as_str()) {
            (Verdict::Refuse { code, .. }, _) => *code,
            (_, "good") => Code::Good,
            (_, "nochg") => Code::Nochg,
            (_, "abuse") => Code::Abuse,
            _ => Code::Failed,
        };
        let applied = !found.after.is_empty();
        Row {
            id: found.id,
            decision,
            before: applied.then_some(found.before),
            after: applied.then_some(found.after),
        }
    };
    Ok(found.iter().zip(verdicts).map(row).collect())
}

/// In how many seconds who is held back may come again; `None` for who is not.
fn held_back(found: Option<&Vec<String>>, now: i64) -> Result<Option<i64>, Failure> {
    let limits: Vec<Limits> = list(found)?;
    let until = limits.iter().filter_map(|limits| {
        let free = limits.oldest.map(|oldest| oldest + UPDATES_SECONDS);
        free.max(limits.blocked)
    });
    Ok(until
        .max()
        .map(|until| until - now)
        .filter(|left| *left > 0))
}

#[derive(Serialize)]
struct Hosts<'a> {
    hosts: &'a [HostName],
}

#[derive(Serialize)]
struct Settling<'a> {
    mark: &'a str,
    settled: &'a [Settled],
    hosts: &'a [HostName],
}

#[derive(Serialize)]
struct Finishing<'a> {
    finished: &'a [Finished],
}

#[derive(Serialize)]
struct Notes<'a> {
    notes: &'a [Note],
    alerts: Vec<outbox::Row<'a>>,
}

impl Book for Store {
    type Error = Failure;

    async fn record(&self, request: &Request<'_>) -> Result<Recorded, Failure> {
        let asked = Asked::new(request)?;
        // Each statement costs more than what it does: what nobody asks for is left out.
        let statements = [
            sql::ADMIT,
            sql::RECORD,
            sql::APPLY,
            sql::REPORTED,
            sql::LINES,
        ];
        let wanted = statements.len() - usize::from(asked.hosts.is_empty());
        let found = self
            .all(statements.get(..wanted).unwrap_or_default(), &asked)
            .await?;
        if found.get(1).is_none_or(Vec::is_empty) {
            let found = self.all(&[sql::LIMITS, sql::HELD_BACK], &asked).await?;
            let retry_after = held_back(found.first(), asked.now)?.unwrap_or(1);
            return Ok(Recorded::Limited { retry_after });
        }
        Ok(Recorded::Taken {
            rows: rows(request.verdicts, found.get(1))?,
            lines: list(found.get(4))?,
        })
    }

    async fn preview(&self, request: &Request<'_>) -> Result<Recorded, Failure> {
        let asked = Asked::new(request)?;
        let statements = [sql::PREVIEW, sql::LINES, sql::LIMITS];
        let found = self.all(&statements, &asked).await?;
        if let Some(retry_after) = held_back(found.get(2), asked.now)? {
            return Ok(Recorded::Limited { retry_after });
        }
        Ok(Recorded::Taken {
            rows: rows(request.verdicts, found.first())?,
            lines: list(found.get(1))?,
        })
    }

    async fn lines(&self, hosts: Option<&[HostName]>) -> Result<Vec<Line>, Failure> {
        let found = match hosts {
            Some(hosts) => self.all(&[sql::LINES], &Hosts { hosts }).await?,
            None => self.all(&[sql::ALL_LINES], &"").await?,
        };
        list(found.first())
    }

    async fn claim(&self, claim: &Claim<'_>) -> Result<Vec<Claimed>, Failure> {
        let statements: &[&str] = if claim.accounts.is_empty() {
            &[sql::CLAIM]
        } else {
            &[sql::CLAIM, sql::FORGET]
        };
        list(self.all(statements, claim).await?.first())
    }

    async fn settle(
        &self,
        mark: &str,
        settled: &[Settled],
        hosts: &[HostName],
    ) -> Result<Vec<Line>, Failure> {
        let settling = Settling {
            mark,
            settled,
            hosts,
        };
        let rest = settled.iter().any(|one| one.not_before.is_some());
        let statements: &[&str] = if rest {
            &[sql::SETTLE, sql::REST, sql::LINES]
        } else {
            &[sql::SETTLE, sql::LINES]
        };
        list(self.all(statements, &settling).await?.last())
    }

    async fn finish(&self, finished: &[Finished]) -> Result<(), Failure> {
        self.all(&[sql::FINISH], &Finishing { finished })
            .await
            .map(drop)
    }

    async fn note(&self, notes: &[Note]) -> Result<(), Failure> {
        let warnings: Vec<_> = notes.iter().filter_map(refresh::alert).collect();
        let alerts = outbox::rows_of(CONFIG.get(&self.0)?, &warnings)?;
        let statements = [sql::NOTE, sql::WARNED, outbox::ENQUEUE];
        self.all(&statements, &Notes { notes, alerts })
            .await
            .map(drop)
    }
}

#[derive(Serialize)]
struct Block<'a> {
    client: &'a str,
    until: i64,
}

impl Store {
    /// Refuses a client everywhere until then.
    pub async fn block(&self, client: &str, until: Timestamp) -> Result<(), Failure> {
        let until = until.as_seconds();
        self.all(&[sql::BLOCK], &Block { client, until })
            .await
            .map(drop)
    }

    /// What a host had before it was given what it has. `None` when it never changed.
    pub async fn previous(&self, host: &HostName) -> Result<Option<Addresses>, Failure> {
        #[derive(Serialize)]
        struct Of<'a> {
            host: &'a HostName,
        }
        let found = self.one(sql::PREVIOUS, &json(&Of { host })?).await?;
        found.map(|text| parsed(&text)).transpose()
    }
}
