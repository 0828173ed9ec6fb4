//! One run of the outbox: what is due is sent, and what came of it is noted.
//!
//! A run has room for few alerts, which the channels get in turn. They are told side by side, and
//! each one thing at a time, in order; after one failure a channel is left alone until its time comes.
//! A slow receiver, or one with much to hear, delays nobody but itself, and no run goes on sending for
//! long.

use edge::{
    Failure, clock,
    email::{self, EmailError, Mail},
    fetch::{self, Redirect},
    log,
};
use futures::{StreamExt as _, stream};
use types::{
    Timestamp,
    config::{
        DdnsConfig,
        alerts::{AlertChannel, ChannelKind},
    },
};
use worker::Env;

use super::{
    Alert, channel,
    outbox::{self, Claimed},
    plan::{self, Attempt, Due},
    readiness,
    render::{self, Message},
};

/// How the channels do, for `/api/health`.
pub use super::outbox::channels;

const BINDING: &str = "OPS_DB";
/// The binding that sends e-mail.
pub const EMAIL: &str = "ALERT_EMAIL";
/// How many alerts one run sends at most: each is a request, of which a run has 50.
const MAX_A_RUN: usize = 6;
/// How long a receiver may take.
const TIMEOUT_MS: u32 = 5000;
/// After this long a run begins no more attempts, in milliseconds.
const RUN_MS: i64 = 15_000;
/// How many channels are told at once: each that is told at all, so that none waits for another. The
/// platform allows six connections, and the checks of the run are over by now.
const AT_ONCE: usize = MAX_A_RUN;

/// Sends what is due, at most [`MAX_A_RUN`] alerts. What fails is noted and tried again by a later
/// run; the error is the database's.
pub async fn deliver_due(env: &Env, config: &DdnsConfig, now: Timestamp) -> Result<(), Failure> {
    if config.alerts.is_empty() {
        return Ok(());
    }
    let database = env.d1(BINDING)?;
    let claimed = outbox::claim(&database, now, MAX_A_RUN).await?;
    if claimed.is_empty() {
        return Ok(());
    }
    let run = Run {
        env,
        config,
        secrets: secrets(env),
        ends_ms: clock::millis() + RUN_MS,
    };
    let attempts = run.all(claimed).await;
    let notes = plan::notes(attempts, now);
    for (channel, count) in &notes.given_up {
        let message = format!("{count} alerts were not delivered within a day and are given up");
        log::error(&format!("alerts {channel}"), &message);
    }
    outbox::note(&database, &notes, now).await
}

/// The secret of the channels; the error says what is wrong with it.
pub fn secrets(env: &Env) -> Result<channel::Secrets, String> {
    match env.secret(channel::SECRET) {
        Ok(secret) => channel::Secrets::parse(&secret.to_string()),
        // Not all channels need one.
        Err(_) => Ok(channel::Secrets::default()),
    }
}

struct Run<'a> {
    env: &'a Env,
    config: &'a DdnsConfig,
    secrets: Result<channel::Secrets, String>,
    ends_ms: i64,
}

impl Run<'_> {
    async fn all(&self, claimed: Vec<Claimed>) -> Vec<(Due, Attempt)> {
        let mut by_channel: Vec<Vec<Claimed>> = Vec::new();
        for row in claimed {
            let mut queues = by_channel.iter_mut();
            match queues.find(|queue| queue.iter().any(|other| other.channel == row.channel)) {
                Some(queue) => queue.push(row),
                None => by_channel.push(vec![row]),
            }
        }
        let told = stream::iter(by_channel).map(|queue| self.one_channel(queue));
        let told: Vec<_> = told.buffer_unordered(AT_ONCE).collect().await;
        told.into_iter().flatten().collect()
    }

    async fn one_channel(&self, queue: Vec<Claimed>) -> Vec<(Due, Attempt)> {
        let mut attempts = Vec::new();
        let mut stopped = false;
        for row in queue {
            let attempt = if stopped || clock::millis() >= self.ends_ms {
                Attempt::NotTried
            } else {
                self.one(&row).await
            };
            if let Attempt::Refused(error) | Attempt::Failing { error, .. } = &attempt {
                log::error(&format!("alerts {}", row.channel), error);
            }
            stopped |= matches!(attempt, Attempt::Failing { .. });
            let due = Due {
                id: row.id,
                channel: row.channel,
                at: row.at,
                attempts: row.attempts,
            };
            attempts.push((due, attempt));
        }
        attempts
    }

    async fn one(&self, row: &Claimed) -> Attempt {
        let mut channels = self.config.alerts.iter();
        let channel = channels.find(|channel| channel.name.as_str() == row.channel);
        let alert = row.alert.as_deref().map(serde_json::from_str::<Alert>);
        match (channel, alert) {
            (Some(channel), Some(Ok(alert))) => self.send(channel, &alert, row.id).await,
            _ => Attempt::Moot,
        }
    }

    async fn send(&self, channel: &AlertChannel, alert: &Alert, id: i64) -> Attempt {
        let failing = |error| Attempt::Failing {
            error,
            retry_after: None,
        };
        let message = render::render(channel, alert);
        if let (ChannelKind::Email { from, to }, Message::Email { subject, text }) =
            (&channel.kind, &message)
        {
            let letter = Mail {
                from,
                to,
                subject,
                text,
            };
            let sent = email::send(self.env, EMAIL, letter, TIMEOUT_MS).await;
            return match sent {
                Ok(()) => Attempt::Delivered,
                Err(EmailError::NoBinding) => failing(readiness::no_binding()),
                Err(EmailError::NotTaken(words)) => {
                    log::error(&format!("alerts {}", channel.name), &words);
                    failing("the platform does not take the mail".to_owned())
                }
            };
        }
        let id = format!("msg_alert_{id}");
        let delivery = self.secrets.as_ref().map_err(Clone::clone);
        let delivery = delivery.and_then(|secrets| {
            channel::delivery(&channel.kind, &message, secrets, &id, clock::now())
        });
        match delivery {
            Ok(delivery) => post(&delivery).await,
            Err(error) => failing(error),
        }
    }
}

async fn post(delivery: &channel::Delivery) -> Attempt {
    let headers: Vec<_> = delivery
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let sent = fetch::send(fetch::Request {
        method: "POST",
        url: &delivery.url,
        headers: &headers,
        body: Some(&delivery.body),
        timeout_ms: TIMEOUT_MS,
        limit: 0,
        reads_headers: true,
        redirect: Redirect::Manual,
    });
    match sent.await {
        Ok(answer) => plan::attempt(answer.status, answer.header("retry-after")),
        // The runtime's words may say the URL, which is a secret.
        Err(error) => Attempt::Failing {
            error: match error {
                fetch::FetchError::Timeout(milliseconds) => {
                    format!("no answer within {milliseconds} ms")
                }
                fetch::FetchError::Connection(_) => "no connection".to_owned(),
                fetch::FetchError::Broken(_) => "the answer broke off".to_owned(),
                fetch::FetchError::Invalid(_) => "its URL or a header is malformed".to_owned(),
            },
            retry_after: None,
        },
    }
}
