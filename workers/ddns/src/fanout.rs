//! Telling providers what hosts have: side by side, each at most by one at a time.
//!
//! The book comes first: what a host has is in it before any provider is told, a provider is leased
//! before it is told, and what it answers is written down after. Wherever that stops, the book never
//! says that a provider has what it may not have, and the cron goes on once the lease is over.
//! A host whose address changes while a provider is being told is told again by whoever holds the
//! lease; the other one waits for that.

use types::{
    Timestamp,
    config::HostName,
    ddns::{ProviderOutcome, ProviderResult},
};

use crate::{
    book::{Book, Claim, Claimed, Clock, Ports, Tell},
    plan::{Due, Duty, LEASE_SECONDS, Line, Occasion, bounded, due_among, overtaken, settled},
    providers::Sent,
};

/// How often one run tells, at the most: after that the cron goes on.
const TELLINGS: u32 = 4;
/// How often a run looks whether another is through. With it all the queries of a run stay below 50.
const LOOKS: u32 = 24;
/// How many are told in one run, for the platform allows 50 requests.
const AT_ONCE: usize = 30;

/// What one run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// The hosts as they are at its end.
    pub lines: Vec<Line>,
    /// Who was told, in order, and what came of it.
    pub told: Vec<(Claimed, Sent)>,
}

impl Ran {
    pub fn line(&self, host: &HostName) -> Option<&Line> {
        self.lines.iter().find(|line| line.host == *host)
    }

    /// What came last of telling this one.
    pub fn sent(&self, duty: &Duty) -> Option<&Sent> {
        let same =
            |claimed: &Claimed| claimed.host == duty.host && claimed.provider == duty.provider;
        let mut told = self.told.iter().rev();
        told.find(|(claimed, _)| same(claimed))
            .map(|(_, sent)| sent)
    }

    /// Whether a provider has what its host has.
    pub fn has(&self, duty: &Duty) -> bool {
        self.line(&duty.host).is_some_and(|line| {
            let holding = line.holding(&duty.provider);
            holding.is_some_and(|holding| holding.has(line.wanted))
        })
    }

    /// How it went with this one, for the log and the answer.
    pub fn result(&self, duty: &Duty) -> ProviderResult {
        let (result, detail) = match self.sent(duty) {
            Some(sent) => {
                let result = match sent {
                    Sent::Done { .. } => ProviderOutcome::Done,
                    Sent::Later { .. } => ProviderOutcome::Failed,
                    Sent::Left { .. } => ProviderOutcome::Waiting,
                    Sent::Refused { .. } => ProviderOutcome::Refused,
                };
                (result, Some(sent.detail()))
            }
            None if self.has(duty) => (ProviderOutcome::Current, None),
            None => {
                let line = self.line(&duty.host);
                let holding = line.and_then(|line| line.holding(&duty.provider));
                let error = holding.and_then(|holding| holding.error.as_deref());
                (ProviderOutcome::Waiting, error)
            }
        };
        ProviderResult {
            provider: duty.provider.clone(),
            result,
            detail: detail.map(bounded),
        }
    }
}

/// Tells whoever is due, of `duties`, the first ones first. `sharers` are those of other hosts that
/// share an account with them, and `lines` the hosts of both as they were just now. The error is that
/// of the book.
pub async fn run<B: Book, T: Tell, C: Clock>(
    ports: &Ports<'_, B, T, C>,
    mark: &str,
    duties: &[Duty],
    sharers: &[Duty],
    lines: Vec<Line>,
    occasion: Occasion,
) -> Result<Ran, B::Error> {
    let around = [duties, sharers].concat();
    let mut hosts: Vec<HostName> = around.iter().map(|duty| duty.host.clone()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let mut ran = Ran {
        lines,
        told: Vec::new(),
    };
    let (mut tellings, mut looks) = (0, 0);
    loop {
        let now = ports.clock.now();
        let (mut tell, busy) = look(&ran, duties, &around, occasion, now);
        tell.truncate(AT_ONCE.saturating_sub(ran.told.len()));
        if !tell.is_empty() && tellings < TELLINGS {
            tellings += 1;
            let is_told =
                |duty: &&Duty| duty.shared && overtaken(duty, &around, &ran.lines).is_none();
            let claim = Claim {
                mark,
                now,
                until: ports.clock.lease_start().plus_seconds(LEASE_SECONDS),
                duties: &tell,
                accounts: tell.iter().copied().filter(is_told).collect(),
            };
            let claimed = ports.book.claim(&claim).await?;
            if !claimed.is_empty() {
                let sent = send(ports, &claimed, &around, &ran.lines, now).await;
                let now = ports.clock.now();
                let settled: Vec<_> = claimed
                    .iter()
                    .zip(&sent)
                    .map(|(one, sent)| settled(&one.host, &one.provider, one.attempts, sent, now))
                    .collect();
                ran.lines = ports.book.settle(mark, &settled, &hosts).await?;
                ran.told.extend(claimed.into_iter().zip(sent));
                continue;
            }
            // Somebody was faster.
        } else if !busy || occasion == Occasion::Cron || looks == LOOKS {
            return Ok(ran);
        }
        if looks == LOOKS {
            return Ok(ran);
        }
        looks += 1;
        ports.clock.pause().await;
        ran.lines = ports.book.lines(Some(&hosts)).await?;
    }
}

/// Tells those that are claimed, but for those that an account has a newer address than.
async fn send<B: Book, T: Tell, C: Clock>(
    ports: &Ports<'_, B, T, C>,
    claimed: &[Claimed],
    around: &[Duty],
    lines: &[Line],
    now: Timestamp,
) -> Vec<Sent> {
    let overtaken = |one: &Claimed| {
        let mut all = around.iter();
        let duty = all.find(|duty| duty.host == one.host && duty.provider == one.provider)?;
        let detail = overtaken(duty, around, lines)?;
        Some(Sent::Refused { detail })
    };
    let refused: Vec<Option<Sent>> = claimed.iter().map(overtaken).collect();
    let each = claimed.iter().zip(&refused);
    let rest: Vec<Claimed> = each
        .filter(|(_, refused)| refused.is_none())
        .map(|(one, _)| one.clone())
        .collect();
    let sent = if rest.is_empty() {
        Vec::new()
    } else {
        ports.providers.tell(&rest, now).await
    };
    let mut sent = sent.into_iter();
    let each = refused.into_iter();
    each.filter_map(|refused| refused.or_else(|| sent.next()))
        .collect()
}

/// Who is to be told now, and whether somebody that matters is being told by another. Who failed in
/// this run is left to the next one.
fn look<'a>(
    ran: &Ran,
    duties: &'a [Duty],
    around: &[Duty],
    occasion: Occasion,
    now: Timestamp,
) -> (Vec<&'a Duty>, bool) {
    let mut tell = Vec::new();
    let mut busy = false;
    for duty in duties {
        if ran.sent(duty).is_some_and(|sent| !sent.is_done()) {
            continue;
        }
        match due_among(duty, around, &ran.lines, occasion, now) {
            Due::Tell => tell.push(duty),
            Due::Busy => busy |= duty.required,
            Due::Nothing | Due::Resting => {}
        }
    }
    (tell, busy)
}
