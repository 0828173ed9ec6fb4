//! The ports in memory: a book that keeps what the statements in `store/sql.rs` keep, providers whose
//! records can be looked at, faults where a test wants them, and futures that take turns.

mod turns;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use types::{Timestamp, config::HostName, ddns::Addresses};

pub use turns::{block_on, interleave};

use turns::turn;

use super::{Book, Claim, Claimed, Clock, Finished, Note, Recorded, Request, Row, Tell};
use crate::{
    dyndns2::Code,
    plan::{Duty, Holding, Line, Settled},
    providers::Sent,
    report::Verdict,
};

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails before anything happened.
    Before,
    /// It happens, and whoever asked is told that it failed.
    After,
}

/// The error of a book that fails.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken;

#[derive(Debug, Clone, Default)]
struct Kept {
    holding: Holding,
    sending: Addresses,
    leased_by: Option<String>,
}

#[derive(Debug, Default)]
pub struct State {
    /// With when each changed last.
    hosts: BTreeMap<HostName, (Addresses, Timestamp)>,
    kept: BTreeMap<(HostName, String), Kept>,
    /// The decisions of the log, by id less one.
    pub log: Vec<String>,
    pub notes: Vec<Note>,
    /// What the providers really have.
    pub records: BTreeMap<(HostName, String), Addresses>,
    /// Every time that a provider was told.
    pub told: usize,
    /// The hosts of whom providers were told, in order.
    pub order: Vec<HostName>,
    /// What a provider answers instead of taking what it is told, for so many times.
    pub refusing: BTreeMap<String, (Sent, u32)>,
    /// Why a provider is known to take nothing.
    pub faults: BTreeMap<String, String>,
    calls: u32,
    fault: Option<(u32, Fault)>,
}

/// All of it.
#[derive(Debug)]
pub struct World {
    pub now: RefCell<Timestamp>,
    /// How many seconds after the moment it goes by a run begins.
    pub late: Cell<i64>,
    pub state: RefCell<State>,
}

impl World {
    pub fn new(now: Timestamp) -> Self {
        Self {
            now: RefCell::new(now),
            late: Cell::new(0),
            state: RefCell::default(),
        }
    }

    /// Lets the call with this number, counted from now on, go wrong.
    pub fn break_call(&self, number: u32, fault: Fault) {
        let mut state = self.state.borrow_mut();
        let at = state.calls + number;
        state.fault = Some((at, fault));
    }

    pub fn advance(&self, seconds: i64) {
        let later = self.now.borrow().plus_seconds(seconds);
        *self.now.borrow_mut() = later;
    }

    pub fn wanted(&self, host: &HostName) -> Option<Addresses> {
        self.state.borrow().hosts.get(host).map(|(has, _)| *has)
    }

    pub fn record_of(&self, duty: &Duty) -> Option<Addresses> {
        let place = place(&duty.host, &duty.provider);
        self.state.borrow().records.get(&place).copied()
    }

    /// Whether nobody believes that a provider has what it does not have.
    pub fn beliefs_hold(&self) -> bool {
        let state = self.state.borrow();
        state.kept.iter().all(|((host, provider), kept)| {
            let record = state.records.get(&place(host, provider));
            let record = record.copied().unwrap_or_default();
            let has = kept.holding.has;
            (has.ipv4.is_none() || has.ipv4 == record.ipv4)
                && (has.ipv6.is_none() || has.ipv6 == record.ipv6)
        })
    }

    /// What goes wrong with this call, after the others had their turn.
    async fn call(&self) -> Option<Fault> {
        turn().await;
        let mut state = self.state.borrow_mut();
        state.calls += 1;
        let calls = state.calls;
        state
            .fault
            .filter(|(at, _)| *at == calls)
            .map(|(_, fault)| fault)
    }

    async fn transaction<T>(&self, work: impl FnOnce(&mut State) -> T) -> Result<T, Broken> {
        let fault = self.call().await;
        if fault == Some(Fault::Before) {
            return Err(Broken);
        }
        let done = work(&mut self.state.borrow_mut());
        turn().await;
        if fault.is_some() {
            Err(Broken)
        } else {
            Ok(done)
        }
    }
}

/// Where a provider keeps a host's addresses: an account of `MyDNS` has one place for all.
fn place(host: &HostName, provider: &str) -> (HostName, String) {
    let host = if provider.starts_with("mydns/") {
        "account.example".parse().unwrap()
    } else {
        host.clone()
    };
    (host, provider.to_owned())
}

impl State {
    pub fn lines(&self, hosts: Option<&[HostName]>) -> Vec<Line> {
        let asked = |host: &HostName| hosts.is_none_or(|hosts| hosts.contains(host));
        let line = |(host, (wanted, updated_at)): (&HostName, &(Addresses, Timestamp))| Line {
            host: host.clone(),
            wanted: *wanted,
            updated_at: *updated_at,
            holdings: (self.kept.iter())
                .filter(|((of, _), _)| of == host)
                .map(|(_, kept)| kept.holding.clone())
                .collect(),
        };
        let hosts = self.hosts.iter().filter(|(host, _)| asked(host));
        hosts.map(line).collect()
    }

    /// The row of one verdict, and what the host has then.
    fn judge(&self, verdict: &Verdict<'_>) -> (Row, Option<(HostName, Addresses)>) {
        let row = |decision, before, after| Row {
            id: 0,
            decision,
            before,
            after,
        };
        match verdict {
            Verdict::Refuse { code, .. } => (row(*code, None, None), None),
            Verdict::Repeat { .. } => (row(Code::Nochg, None, None), None),
            Verdict::Apply { host, addresses } => {
                let before = self.hosts.get(&host.host).map(|(has, _)| *has);
                let before = before.unwrap_or_default();
                let after = host.own(before.updated(*addresses));
                let decision = if before == after {
                    Code::Nochg
                } else if host.providers.iter().any(|provider| provider.required) {
                    Code::Failed
                } else {
                    Code::Good
                };
                let row = row(decision, Some(before), Some(after));
                (row, Some((host.host.clone(), after)))
            }
        }
    }

    fn taken(&self, request: &Request<'_>, rows: Vec<Row>) -> Recorded {
        let named = (request.verdicts.iter()).filter_map(|verdict| verdict.named()?.parse().ok());
        let sharers = request.sharers.iter().map(|duty| duty.host.clone());
        let hosts: Vec<HostName> = named.chain(sharers).collect();
        Recorded::Taken {
            rows,
            lines: self.lines(Some(&hosts)),
        }
    }
}

impl Book for World {
    type Error = Broken;

    async fn record(&self, request: &Request<'_>) -> Result<Recorded, Broken> {
        let work = |state: &mut State| {
            let mut rows = Vec::new();
            for verdict in request.verdicts {
                let (mut row, applied) = state.judge(verdict);
                state.log.push(row.decision.as_str().to_owned());
                row.id = u32::try_from(state.log.len()).unwrap();
                if let Some((host, has)) = applied.filter(|_| row.before != row.after) {
                    state.hosts.insert(host, (has, request.at));
                }
                rows.push(row);
            }
            state.taken(request, rows)
        };
        self.transaction(work).await
    }

    async fn preview(&self, request: &Request<'_>) -> Result<Recorded, Broken> {
        let work = |state: &mut State| {
            let judged = request
                .verdicts
                .iter()
                .map(|verdict| state.judge(verdict).0);
            let rows = judged.collect();
            state.taken(request, rows)
        };
        self.transaction(work).await
    }

    async fn lines(&self, hosts: Option<&[HostName]>) -> Result<Vec<Line>, Broken> {
        self.transaction(|state| state.lines(hosts)).await
    }

    async fn claim(&self, claim: &Claim<'_>) -> Result<Vec<Claimed>, Broken> {
        let (mark, now) = (claim.mark, claim.now);
        let work = |state: &mut State| {
            let mut claimed = Vec::new();
            for duty in claim.duties {
                let Some((wanted, _)) = state.hosts.get(&duty.host).copied() else {
                    continue;
                };
                let told_by_another = |((_, provider), kept): (&(HostName, String), &Kept)| {
                    let leased = kept.holding.leased_until.is_some_and(|until| until > now);
                    *provider == duty.provider && leased && kept.leased_by.as_deref() != Some(mark)
                };
                if duty.shared && state.kept.iter().any(told_by_another) {
                    continue;
                }
                let key = (duty.host.clone(), duty.provider.clone());
                let kept = state.kept.entry(key).or_default();
                if kept.holding.leased_until.is_some_and(|until| until > now) {
                    continue;
                }
                kept.holding.provider.clone_from(&duty.provider);
                let has = &mut kept.holding.has;
                has.ipv4 = has.ipv4.filter(|one| Some(*one) == wanted.ipv4);
                has.ipv6 = has.ipv6.filter(|one| Some(*one) == wanted.ipv6);
                kept.sending = wanted;
                kept.leased_by = Some(mark.to_owned());
                kept.holding.leased_until = Some(claim.until);
                claimed.push(Claimed {
                    host: duty.host.clone(),
                    provider: duty.provider.clone(),
                    addresses: wanted,
                    attempts: kept.holding.attempts,
                });
            }
            for told in &claimed {
                let is_told =
                    |duty: &&Duty| duty.host == told.host && duty.provider == told.provider;
                if !claim.accounts.iter().any(is_told) {
                    continue;
                }
                let sharing = |((_, provider), _): &(&(HostName, String), &mut Kept)| {
                    *provider == told.provider
                };
                for (_, kept) in state.kept.iter_mut().filter(sharing) {
                    let (has, told) = (&mut kept.holding.has, told.addresses);
                    has.ipv4 = has
                        .ipv4
                        .filter(|one| told.ipv4.is_none_or(|told| told == *one));
                    has.ipv6 = has
                        .ipv6
                        .filter(|one| told.ipv6.is_none_or(|told| told == *one));
                }
            }
            claimed
        };
        self.transaction(work).await
    }

    async fn settle(
        &self,
        mark: &str,
        settled: &[Settled],
        hosts: &[HostName],
    ) -> Result<Vec<Line>, Broken> {
        let work = |state: &mut State| {
            for one in settled {
                let key = (one.host.clone(), one.provider.clone());
                let mine = |kept: &&mut Kept| kept.leased_by.as_deref() == Some(mark);
                let Some(kept) = state.kept.get_mut(&key).filter(mine) else {
                    continue;
                };
                let holding = &mut kept.holding;
                if one.done {
                    holding.has = kept.sending;
                    holding.acknowledged_at = one.acknowledged_at;
                    holding.expires_at = one.expires_at;
                    holding.warned_at = None;
                }
                holding.attempts = one.attempts;
                holding.next_try_at = one.next_try_at;
                holding.not_before = one.not_before;
                holding.error.clone_from(&one.error);
                holding.leased_until = None;
                kept.leased_by = None;
            }
            for one in settled {
                let of_provider = |((_, provider), _): &(&(HostName, String), &mut Kept)| {
                    *provider == one.provider
                };
                for (_, kept) in state.kept.iter_mut().filter(of_provider) {
                    kept.holding.not_before = kept.holding.not_before.max(one.not_before);
                }
            }
            state.lines(Some(hosts))
        };
        self.transaction(work).await
    }

    async fn finish(&self, finished: &[Finished]) -> Result<(), Broken> {
        let work = |state: &mut State| {
            for one in finished {
                one.decision.clone_into(&mut state.log[one.id as usize - 1]);
            }
        };
        self.transaction(work).await
    }

    async fn note(&self, notes: &[Note]) -> Result<(), Broken> {
        let work = |state: &mut State| {
            for note in notes.iter().filter(|note| note.decision == "expiring") {
                for result in &note.providers {
                    let key = (note.host.clone(), result.provider.clone());
                    let kept = state.kept.entry(key).or_default();
                    kept.holding.warned_at = Some(note.at);
                }
            }
            state.notes.extend(notes.iter().cloned());
        };
        self.transaction(work).await
    }
}

impl Tell for World {
    async fn tell(&self, claimed: &[Claimed], now: Timestamp) -> Vec<Sent> {
        let mut sent = Vec::new();
        let mut accounts: BTreeMap<String, Addresses> = BTreeMap::new();
        for one in claimed {
            let fault = self.call().await;
            let mut state = self.state.borrow_mut();
            state.told += 1;
            state.order.push(one.host.clone());
            let refusing = state.refusing.get_mut(&one.provider);
            if let Some((answer, times)) = refusing.filter(|(_, times)| *times > 0) {
                *times -= 1;
                sent.push(answer.clone());
                continue;
            }
            if one.provider.starts_with("mydns/") {
                let account = accounts.entry(one.provider.clone()).or_default();
                if !account.agrees_with(one.addresses) {
                    sent.push(Sent::Refused {
                        detail: "an account has one address".to_owned(),
                    });
                    continue;
                }
                *account = account.updated(one.addresses);
            }
            if fault != Some(Fault::Before) {
                let key = place(&one.host, &one.provider);
                let record = state.records.entry(key).or_default();
                *record = record.updated(one.addresses);
            }
            sent.push(match fault {
                Some(_) => Sent::Later {
                    detail: "broke off".to_owned(),
                    after_seconds: None,
                },
                None => Sent::Done {
                    detail: "took it".to_owned(),
                    expires_at: Some(now.plus_seconds(7 * 86_400)),
                },
            });
        }
        turn().await;
        sent
    }

    fn known_fault(&self, duty: &Duty) -> Option<String> {
        self.state.borrow().faults.get(&duty.provider).cloned()
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    fn lease_start(&self) -> Timestamp {
        self.now().plus_seconds(self.late.get())
    }

    async fn pause(&self) {
        turn().await;
    }
}
