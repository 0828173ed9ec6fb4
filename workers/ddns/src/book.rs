//! The ports of an update: the book that says what each host has, the providers that are told, and
//! time.

use types::{
    Timestamp,
    config::HostName,
    ddns::{Addresses, ProviderResult, Reported},
};

use crate::{
    dyndns2::Code,
    plan::{Duty, Line, Settled},
    providers::Sent,
    report::Verdict,
};

/// Who reported what, and when.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Of this request alone: it tells its rows and its leases from those of others.
    pub mark: &'a str,
    pub at: Timestamp,
    /// The token's name.
    pub token: &'a str,
    /// The client's `User-Agent`, cut to a bounded length.
    pub client: Option<&'a str>,
    /// Where it comes from; `None` when that says nothing about the home.
    pub seen: Option<&'a str>,
    /// What wrong guesses are counted by.
    pub guesser: &'a str,
    pub reported: &'a Reported,
    pub verdicts: &'a [Verdict<'a>],
    /// What else is to be looked at: other hosts that share an account with those of the verdicts.
    pub sharers: &'a [Duty],
    /// Whether a host that goes to and fro is stopped.
    pub damped: bool,
}

/// What the book says of one verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Of the entry in the log; 0 when nothing was written.
    pub id: u32,
    pub decision: Code,
    /// The host's addresses; `None` when the report was refused.
    pub before: Option<Addresses>,
    pub after: Option<Addresses>,
}

/// What the book did with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// A row a verdict, in order, and the hosts that are concerned, sharers too, as they are after it.
    Taken { rows: Vec<Row>, lines: Vec<Line> },
    /// Nothing: the token or the client asks too often. It may come again in so many seconds.
    Limited { retry_after: i64 },
}

/// Which providers are to be leased, from when and how long.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Claim<'a> {
    pub mark: &'a str,
    pub now: Timestamp,
    pub until: Timestamp,
    pub duties: &'a [&'a Duty],
    /// Those of them that tell an account what all its hosts have then.
    pub accounts: Vec<&'a Duty>,
}

/// A provider of a host that nobody else tells until the lease is over, and what it is to be told.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Claimed {
    pub host: HostName,
    pub provider: String,
    /// The host's addresses at the moment of the claim.
    pub addresses: Addresses,
    /// Failures so far.
    pub attempts: u32,
}

/// What came of an entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finished {
    pub id: u32,
    pub decision: &'static str,
    pub providers: Vec<ProviderResult>,
}

/// What the cron did about one host.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Note {
    pub at: Timestamp,
    /// Why: `refresh`, `retry`, or `expiry`.
    pub client: &'static str,
    pub host: HostName,
    pub addresses: Addresses,
    pub decision: &'static str,
    pub providers: Vec<ProviderResult>,
}

/// The book. Each call is one transaction: it happens as a whole or not at all, and between two of
/// them anything may happen.
pub trait Book {
    type Error;

    /// Judges the addresses of a request against what each host has, logs every verdict, and
    /// applies those that are to be applied.
    async fn record(&self, request: &Request<'_>) -> Result<Recorded, Self::Error>;

    /// What [`Self::record`] would say; changes nothing.
    async fn preview(&self, request: &Request<'_>) -> Result<Recorded, Self::Error>;

    /// The hosts as they are; all of them for `None`.
    async fn lines(&self, hosts: Option<&[HostName]>) -> Result<Vec<Line>, Self::Error>;

    /// Leases those that nobody has, of an account for one request at a time. From then on the book
    /// does not say that a provider has anything else than what it is told, for whatever host.
    async fn claim(&self, claim: &Claim<'_>) -> Result<Vec<Claimed>, Self::Error>;

    /// Writes down what came of what is still leased by `mark`, and lets go of it. A provider that
    /// asked to be left alone is, for all its hosts. Gives the hosts as they are after it.
    async fn settle(
        &self,
        mark: &str,
        settled: &[Settled],
        hosts: &[HostName],
    ) -> Result<Vec<Line>, Self::Error>;

    /// Completes entries of the log.
    async fn finish(&self, finished: &[Finished]) -> Result<(), Self::Error>;

    /// Logs what the cron did.
    async fn note(&self, notes: &[Note]) -> Result<(), Self::Error>;
}

/// The providers of all hosts.
pub trait Tell {
    /// Tells each what is claimed of it; one outcome each, in order.
    async fn tell(&self, claimed: &[Claimed], now: Timestamp) -> Vec<Sent>;

    /// Why this one would refuse whatever it is told, as far as that is known without telling it.
    fn known_fault(&self, duty: &Duty) -> Option<String>;
}

/// Time.
pub trait Clock {
    fn now(&self) -> Timestamp;

    /// When a lease begins that is taken now: a run may go by a moment that is over.
    fn lease_start(&self) -> Timestamp {
        self.now()
    }

    /// Waits for a moment until somebody else may be through.
    async fn pause(&self);
}

/// All of them.
#[derive(Debug)]
pub struct Ports<'a, B, T, C> {
    pub book: &'a B,
    pub providers: &'a T,
    pub clock: &'a C,
}

#[cfg(test)]
pub mod memory;
