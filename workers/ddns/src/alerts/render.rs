//! What a channel is sent: a body and headers, without the address and without secrets.
//!
//! Discord: "Execute Webhook" (discord.com/developers, Webhook Resource). Slack: "Sending messages
//! using incoming webhooks" (docs.slack.dev). Webhook: Standard Webhooks 1.0 (standardwebhooks.com).
//! ntfy: "Publish as JSON" (docs.ntfy.sh), which unlike its headers takes any character.

use serde_json::json;
use types::config::alerts::{AlertChannel, AlertEvent, ChannelKind};

use super::{Alert, text};

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A POST of JSON.
    Json(String),
    /// The topic is still to be put in: it may be a secret.
    Ntfy(Ntfy),
    Email {
        subject: String,
        text: String,
    },
}

/// The message of [`Message::Ntfy`] but for its topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ntfy {
    pub title: String,
    pub message: String,
    /// 1 to 5.
    pub priority: u8,
    pub tag: &'static str,
}

impl Ntfy {
    /// The body, for this topic.
    pub fn body(&self, topic: &str) -> String {
        let body = json!({
            "topic": topic,
            "title": self.title,
            "message": self.message,
            "priority": self.priority,
            "tags": [self.tag],
        });
        body.to_string()
    }
}

/// What this channel is sent of this alert.
pub fn render(channel: &AlertChannel, alert: &Alert) -> Message {
    let (title, body) = (text::line(&text::title(alert)), text::body(channel, alert));
    match &channel.kind {
        ChannelKind::Discord { .. } => Message::Json(discord(alert, &title, &body)),
        ChannelKind::Slack { .. } => Message::Json(slack(&title, &body)),
        ChannelKind::Webhook { .. } => Message::Json(webhook(alert, &body)),
        ChannelKind::Ntfy { .. } => Message::Ntfy(Ntfy {
            title,
            message: body,
            priority: priority(alert.event),
            tag: tag(alert.event),
        }),
        ChannelKind::Email { .. } => Message::Email {
            subject: title,
            text: body,
        },
    }
}

/// Nobody is mentioned, whatever the text says.
fn discord(alert: &Alert, title: &str, body: &str) -> String {
    let body = json!({
        "allowed_mentions": { "parse": [] },
        "embeds": [{
            "title": text::discord(title),
            "description": text::discord(body),
            "color": color(alert.event),
            "timestamp": alert.at,
        }],
    });
    body.to_string()
}

/// The blocks are plain text, in which nothing is formatted; `text` is what a notification shows.
fn slack(title: &str, body: &str) -> String {
    let plain = |text: &str| json!({ "type": "plain_text", "text": text, "emoji": false });
    let body = json!({
        "text": text::slack(&format!("{title}\n{body}")),
        "mrkdwn": false,
        "unfurl_links": false,
        "unfurl_media": false,
        "blocks": [
            { "type": "header", "text": plain(title) },
            { "type": "section", "text": plain(body) },
        ],
    });
    body.to_string()
}

fn webhook(alert: &Alert, body: &str) -> String {
    let body = json!({
        "type": format!("service.{}", alert.event.as_str()),
        "timestamp": alert.at,
        "data": {
            "service": alert.service,
            "name": alert.name,
            "group": alert.group,
            "state": alert.state,
            "previous": alert.previous,
            "reason": alert.reason,
            "since": alert.since,
            "incident": alert.incident,
            "text": body,
        },
    });
    body.to_string()
}

const fn color(event: AlertEvent) -> u32 {
    match event {
        AlertEvent::Down | AlertEvent::Reminder => 0x00d9_3025,
        AlertEvent::Degraded | AlertEvent::Warning => 0x00f2_9900,
        AlertEvent::Up => 0x0018_8038,
        AlertEvent::Acknowledged => 0x001a_73e8,
    }
}

const fn priority(event: AlertEvent) -> u8 {
    match event {
        AlertEvent::Down => 5,
        AlertEvent::Reminder | AlertEvent::Warning => 4,
        AlertEvent::Degraded | AlertEvent::Up => 3,
        AlertEvent::Acknowledged => 2,
    }
}

const fn tag(event: AlertEvent) -> &'static str {
    match event {
        AlertEvent::Down | AlertEvent::Reminder => "rotating_light",
        AlertEvent::Degraded | AlertEvent::Warning => "warning",
        AlertEvent::Up => "white_check_mark",
        AlertEvent::Acknowledged => "eyes",
    }
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
