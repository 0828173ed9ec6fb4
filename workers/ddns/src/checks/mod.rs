//! Checks: one look at one service, and what came of it.
//!
//! A check decides nothing about states: that is for who counts failures. It asks the outside
//! through [`Network`], is over within the service's `timeout_ms`, and says what is wrong in words
//! that may be shown to anybody: no URL, no address, nothing of an answer's body. What only an
//! operator may know is in `detail`, from which secrets are taken out.

pub mod dns;
pub mod heartbeat;
pub mod http;
pub mod minecraft;
pub mod network;
pub mod outside;
pub mod report;
pub mod secrets;
pub mod tcp;

use types::{
    Timestamp,
    config::services::{Check, Service},
};

pub use heartbeat::{BeatReport, Ending, Facts, judge_beat};
pub use network::{Network, NetworkError};
pub use secrets::Secrets;

/// How a service was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Up,
    /// It answered as it should, but too slowly.
    Degraded,
    Down,
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub verdict: Verdict,
    /// From the question to what decided; `None` when nothing was measured.
    pub latency_ms: Option<u32>,
    /// Unless up: a stable code, a colon, and a sentence: `status: answered 503`. At most
    /// [`MAX_REASON`] characters, and fit to be public.
    pub reason: Option<String>,
    /// More about it for operators and the log; bounded as well, without secrets.
    pub detail: Option<String>,
}

/// The longest reason and detail, in characters.
pub const MAX_REASON: usize = 200;

impl Outcome {
    pub fn up(latency_ms: Option<u32>) -> Self {
        Self {
            verdict: Verdict::Up,
            latency_ms,
            reason: None,
            detail: None,
        }
    }

    /// `code` is stable and in kebab-case; `words` say more.
    pub fn down(code: &str, words: &str) -> Self {
        Self {
            verdict: Verdict::Down,
            latency_ms: None,
            reason: Some(bounded(&format!("{code}: {words}"))),
            detail: None,
        }
    }

    /// There was no answer to judge.
    pub fn failed(error: &NetworkError) -> Self {
        let (code, words) = error.reason();
        Self::down(code, words).with_detail(&error.to_string())
    }

    #[must_use]
    pub fn after(mut self, latency_ms: u32) -> Self {
        self.latency_ms = Some(latency_ms);
        self
    }

    #[must_use]
    pub fn with_detail(mut self, detail: &str) -> Self {
        self.detail = Some(bounded(detail));
        self
    }

    /// The stable part of the reason.
    #[cfg(test)]
    pub fn code(&self) -> Option<&str> {
        let reason = self.reason.as_deref()?;
        Some(reason.split_once(':').map_or(reason, |(code, _)| code))
    }

    /// A good answer that took too long is `degraded`.
    fn judged_by_latency(mut self, service: &Service) -> Self {
        let (Verdict::Up, Some(limit), Some(latency)) =
            (self.verdict, service.max_latency_ms, self.latency_ms)
        else {
            return self;
        };
        if latency > limit {
            self.verdict = Verdict::Degraded;
            self.reason = Some(format!("slow: took longer than {limit} ms"));
            self.detail = Some(format!("took {latency} ms"));
        }
        self
    }
}

/// The first characters, without control characters.
fn bounded(text: &str) -> String {
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    printable.take(MAX_REASON).collect()
}

/// Looks at a service once. `facts` are what D1 knows of it, for the kinds that are not asked.
pub async fn check<N: Network>(
    network: &N,
    service: &Service,
    secrets: &Secrets,
    facts: &Facts,
    now: Timestamp,
) -> Outcome {
    let outcome = match &service.check {
        Check::Http(check) => http::check(network, check, secrets, service.timeout_ms).await,
        Check::Tcp(check) => tcp::check(network, check, service.timeout_ms).await,
        Check::Minecraft { address } => {
            minecraft::check(network, address, service.timeout_ms).await
        }
        Check::Dns(check) => dns::check(network, check, service.timeout_ms).await,
        Check::Heartbeat(check) => heartbeat::outcome(check, facts, now),
        Check::Ddns(check) => report::outcome(check, facts, now),
    };
    let mut outcome = outcome.judged_by_latency(service);
    outcome.detail = outcome.detail.map(|detail| secrets.redact(&detail));
    outcome
}

#[cfg(test)]
mod memory;
#[cfg(test)]
mod minecraft_tests;
#[cfg(test)]
mod silence_tests;
#[cfg(test)]
mod tests;
