//! What follows from an attempt to send: pure, and the rows that note it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::Timestamp;

/// What is not sent within this time is given up: it is no news any more.
pub const MAX_AGE_SECONDS: i64 = 24 * 3600;
/// How long a settled row is kept, to know an alert that is put in again.
pub const KEPT_SECONDS: i64 = 2 * 24 * 3600;
/// How long a claimed row is left alone: longer than any run.
pub const LEASE_SECONDS: i64 = 5 * 60;
/// How often one channel is told something on one day (UTC); the rest waits.
pub const MAX_A_DAY: u32 = 200;
/// After so many no reminder goes there on that day: what happens is still to be told.
pub const MAX_REMINDERS_A_DAY: u32 = 150;

/// How many reminders were put into the outbox for each channel on a day (since the epoch): not more
/// than are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reminded {
    day: i64,
    channels: BTreeMap<String, u32>,
}

impl Reminded {
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// Counts one more, unless this channel has had its share of the day.
    pub fn count(&mut self, channel: &str, now: Timestamp) -> bool {
        let day = now.as_seconds().div_euclid(24 * 3600);
        if day != self.day {
            (self.day, self.channels) = (day, BTreeMap::new());
        }
        let count = self.channels.entry(channel.to_owned()).or_default();
        let has_room = *count < MAX_REMINDERS_A_DAY;
        *count += u32::from(has_room);
        has_room
    }
}

/// Minutes until the next attempt, by how many there were.
const DELAYS: [i64; 7] = [1, 2, 4, 8, 15, 30, 60];

/// How an attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    Delivered,
    /// This alert is refused; the next one need not be.
    Refused(String),
    /// The channel does not work. It may say how many seconds to wait.
    Failing {
        error: String,
        retry_after: Option<i64>,
    },
    /// There was no time for it, or its channel had failed before.
    NotTried,
    /// Its channel is not configured, or it cannot be read: there is nobody or nothing to tell.
    Moot,
}

/// An alert in the outbox that is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub id: i64,
    pub channel: String,
    pub at: Timestamp,
    /// With this one.
    pub attempts: usize,
}

/// What becomes of a row of `alerts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Progress {
    pub id: i64,
    pub due_at: Timestamp,
    pub attempts: usize,
    /// When it is over with; its text goes then.
    pub settled_at: Option<Timestamp>,
}

/// What becomes of a row of `alert_channels`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChannelNote {
    pub channel: String,
    pub sent: u32,
    pub ok: bool,
    pub error: Option<String>,
    /// Nothing goes there before.
    pub not_before: Option<Timestamp>,
}

/// What is to be noted after a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    pub progress: Vec<Progress>,
    pub channels: Vec<ChannelNote>,
    /// How many were given up, by channel.
    pub given_up: BTreeMap<String, u32>,
}

/// The rows that note what came of the attempts of one run.
pub fn notes(attempts: Vec<(Due, Attempt)>, now: Timestamp) -> Notes {
    let mut notes = Notes::default();
    let mut channels: BTreeMap<String, ChannelNote> = BTreeMap::new();
    for (due, attempt) in attempts {
        let tried = !matches!(attempt, Attempt::NotTried);
        let channel = channels.entry(due.channel.clone()).or_default();
        let next = now.plus_seconds(60 * delay_minutes(due.attempts));
        let mut progress = Progress {
            id: due.id,
            due_at: now,
            attempts: due.attempts.saturating_sub(usize::from(!tried)),
            settled_at: None,
        };
        match attempt {
            Attempt::Delivered => {
                channel.sent += 1;
                channel.ok = true;
                progress.settled_at = Some(now);
            }
            Attempt::Refused(error) => {
                progress.due_at = next;
                channel.error = Some(error);
            }
            Attempt::Failing { error, retry_after } => {
                let asked = now.plus_seconds(retry_after.unwrap_or(0).clamp(0, 3600));
                progress.due_at = next.max(asked);
                channel.not_before = Some(progress.due_at);
                channel.error = Some(error);
            }
            Attempt::NotTried => {}
            Attempt::Moot => progress.settled_at = Some(now),
        }
        if progress.settled_at.is_none() && now - due.at > MAX_AGE_SECONDS {
            progress.settled_at = Some(now);
            *notes.given_up.entry(due.channel).or_default() += 1;
        }
        notes.progress.push(progress);
    }
    for (name, mut channel) in channels {
        channel.channel = name;
        if channel.ok || channel.error.is_some() {
            notes.channels.push(channel);
        }
    }
    notes
}

fn delay_minutes(attempts: usize) -> i64 {
    let index = attempts.saturating_sub(1).min(DELAYS.len() - 1);
    DELAYS[index]
}

/// What an HTTP status says of a delivery.
pub fn attempt(status: u16, retry_after: Option<&str>) -> Attempt {
    let error = format!("answered {status}");
    match status {
        200..=299 => Attempt::Delivered,
        // About this message alone.
        400 | 413 | 414 | 422 => Attempt::Refused(error),
        _ => Attempt::Failing {
            error,
            // Seconds, or a date, which is not read; a fraction as Discord sends it is rounded up.
            retry_after: retry_after
                .and_then(|text| text.trim().split('.').next()?.parse().ok())
                .map(|seconds: i64| seconds.saturating_add(1)),
        },
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
