//! Cloudflare Queues: messages as JSON, delivered at least once and in any order.

use js_sys::JSON;
use serde::Serialize;
use worker::{
    Env, MessageBatch, MessageExt as _, QueueContentType, QueueRetryOptionsBuilder,
    RawMessageBuilder,
};

use crate::{Failure, clock, log};

/// The longest delay before a message is delivered again, in seconds.
const MAX_DELAY: u32 = 15 * 60;
/// The shortest.
const MIN_DELAY: u32 = 5;

/// Sends one message.
pub async fn send(env: &Env, binding: &str, message: &impl Serialize) -> Result<(), Failure> {
    let text =
        serde_json::to_string(message).map_err(|error| Failure::internal(error.to_string()))?;
    let value = JSON::parse(&text)
        .map_err(|_| Failure::internal("a message is no JSON of JavaScript's".to_owned()))?;
    let message = RawMessageBuilder::new(value).build_with_content_type(QueueContentType::Json);
    env.queue(binding)?.send_raw(message).await?;
    Ok(())
}

/// Whether a message is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// To be delivered again, each time after a longer while, and in the end, when the queue's
    /// `max_retries` are used up, to its dead-letter queue.
    Again,
    /// The same, without waiting: time will not mend it.
    Poison,
}

/// Handles the messages of a batch, as JSON text, one after another, each settled by itself: what fails does not
/// make others be delivered again.
pub async fn consume<T>(batch: &MessageBatch<T>, handle: impl AsyncFn(&str) -> Outcome) {
    for message in batch.raw_iter() {
        let body = JSON::stringify(&message.body()).ok();
        let body = body.and_then(|text| text.as_string()).unwrap_or_default();
        match handle(&body).await {
            Outcome::Done => message.ack(),
            Outcome::Poison => message.retry(),
            Outcome::Again => {
                // As long again as it has waited already, so that the delay doubles.
                let sent = i64::try_from(message.timestamp().as_millis()).unwrap_or(i64::MAX);
                let age = (clock::millis() - sent).div_euclid(1000);
                let delay = u32::try_from(age).unwrap_or(0).clamp(MIN_DELAY, MAX_DELAY);
                let options = QueueRetryOptionsBuilder::new().with_delay_seconds(delay);
                message.retry_with_options(&options.build());
                log::info("queue", &format!("{} again in {delay} s", message.id()));
            }
        }
    }
}
