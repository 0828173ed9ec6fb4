//! Configuration of who hears of it: `[[vars.alerts]]` of the `ddns` worker.
//!
//! Where a channel leads to is a secret for most of them (who knows the URL can write there), so it
//! is looked up in the secret `ALERTS` and never written here.

use serde::{Deserialize, Serialize};

use super::{InvalidConfig, WebhookUrl, duplicate, services::SecretName};
use crate::AlertName;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertEvent {
    /// A service is down: an incident is opened.
    Down,
    /// It works, but not as it should.
    Degraded,
    /// It is well again: the incident is closed.
    Up,
    /// The incident is still open.
    Reminder,
    /// Somebody takes care of the incident.
    Acknowledged,
    /// Something beside the services needs an operator: a provider, an expiry.
    Warning,
}

impl AlertEvent {
    pub const ALL: [Self; 6] = [
        Self::Down,
        Self::Degraded,
        Self::Up,
        Self::Reminder,
        Self::Acknowledged,
        Self::Warning,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Degraded => "degraded",
            Self::Up => "up",
            Self::Reminder => "reminder",
            Self::Acknowledged => "acknowledged",
            Self::Warning => "warning",
        }
    }
}

/// What a channel is, with what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelKind {
    /// The secret is the webhook's URL.
    Discord { secret: SecretName },
    /// The secret is the incoming webhook's URL.
    Slack { secret: SecretName },
    /// A POST signed as Standard Webhooks has it. The secret is `{"url", "key"}`, or the key alone
    /// when the URL is in the configuration.
    Webhook {
        secret: SecretName,
        url: Option<WebhookUrl>,
    },
    /// The secret, where there is one, is the access token, or `{"token", "topic"}`.
    Ntfy {
        secret: Option<SecretName>,
        url: WebhookUrl,
        topic: Option<String>,
    },
    /// By the binding `ALERT_EMAIL` (`send_email`).
    Email { from: String, to: String },
}

impl ChannelKind {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Discord { .. } => "discord",
            Self::Slack { .. } => "slack",
            Self::Webhook { .. } => "webhook",
            Self::Ntfy { .. } => "ntfy",
            Self::Email { .. } => "email",
        }
    }
}

/// Somebody, or something, that is told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Flat")]
pub struct AlertChannel {
    pub name: AlertName,
    pub kind: ChannelKind,
    /// What it says, with `{placeholders}`; see [`PLACEHOLDERS`].
    pub template: Option<String>,
    /// What it hears of. Never empty.
    pub events: Vec<AlertEvent>,
}

impl AlertChannel {
    pub fn hears(&self, event: AlertEvent) -> bool {
        self.events.contains(&event)
    }
}

/// What a template may say in braces. `{{` and `}}` are braces.
pub const PLACEHOLDERS: [&str; 11] = [
    "event", "service", "name", "group", "state", "previous", "reason", "since", "at", "lasted",
    "incident",
];

/// What a channel hears of that does not say otherwise: slowness is not worth being woken up for.
const DEFAULT_EVENTS: [AlertEvent; 5] = [
    AlertEvent::Down,
    AlertEvent::Up,
    AlertEvent::Reminder,
    AlertEvent::Acknowledged,
    AlertEvent::Warning,
];
const MAX_CHANNELS: usize = 10;
const MAX_TEMPLATE: usize = 2000;

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Discord,
    Slack,
    Webhook,
    Ntfy,
    Email,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Flat {
    name: AlertName,
    kind: Kind,
    secret: Option<SecretName>,
    url: Option<WebhookUrl>,
    topic: Option<String>,
    from: Option<String>,
    to: Option<String>,
    template: Option<String>,
    events: Option<Vec<AlertEvent>>,
}

impl TryFrom<Flat> for AlertChannel {
    type Error = String;

    fn try_from(mut flat: Flat) -> Result<Self, String> {
        let kind = flat.take_kind()?;
        let left = [
            ("secret", flat.secret.is_some()),
            ("url", flat.url.is_some()),
            ("topic", flat.topic.is_some()),
            ("from", flat.from.is_some()),
            ("to", flat.to.is_some()),
        ];
        if let Some((key, _)) = left.into_iter().find(|(_, is_left)| *is_left) {
            let kind = kind.as_str();
            return Err(format!("{key}: kind \"{kind}\" has no such key"));
        }
        if let Some(template) = &flat.template {
            check_template(template)?;
        }
        let events = flat.events.unwrap_or_else(|| DEFAULT_EVENTS.to_vec());
        if events.is_empty() {
            return Err("events: names none, so that nothing is ever sent".to_owned());
        }
        Ok(Self {
            name: flat.name,
            kind,
            template: flat.template,
            events,
        })
    }
}

impl Flat {
    /// Takes the keys that this kind has.
    fn take_kind(&mut self) -> Result<ChannelKind, String> {
        let secret = |flat: &mut Self| flat.secret.take().ok_or("secret: is missing");
        Ok(match self.kind {
            Kind::Discord => ChannelKind::Discord {
                secret: secret(self)?,
            },
            Kind::Slack => ChannelKind::Slack {
                secret: secret(self)?,
            },
            Kind::Webhook => ChannelKind::Webhook {
                secret: secret(self)?,
                url: self.url.take(),
            },
            Kind::Ntfy => self.take_ntfy()?,
            Kind::Email => ChannelKind::Email {
                from: email("from", self.from.take())?,
                to: email("to", self.to.take())?,
            },
        })
    }

    fn take_ntfy(&mut self) -> Result<ChannelKind, String> {
        let (secret, topic) = (self.secret.take(), self.topic.take());
        if topic.as_deref().is_some_and(|topic| !is_topic(topic)) {
            return Err("topic: must be 1 to 64 letters, digits, '_' and '-'".to_owned());
        }
        if topic.is_none() && secret.is_none() {
            return Err("topic: is missing, and there is no secret that could hold it".to_owned());
        }
        let url = match self.url.take() {
            Some(url) => url,
            None => WebhookUrl::try_from("https://ntfy.sh".to_owned())?,
        };
        Ok(ChannelKind::Ntfy { secret, url, topic })
    }
}

/// Whether ntfy takes it as a topic.
pub fn is_topic(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(good)
}

/// An address alone, without a name; what it is good for the platform decides.
fn email(key: &str, address: Option<String>) -> Result<String, String> {
    let address = address.ok_or_else(|| format!("{key}: is missing"))?;
    let good = |byte: u8| byte.is_ascii_graphic() && !b"<>,;:\"()[]\\".contains(&byte);
    match address.split_once('@') {
        Some((local, domain))
            if !local.is_empty()
                && domain.contains('.')
                && !domain.contains('@')
                && address.len() <= 254
                && address.bytes().all(good) =>
        {
            Ok(address)
        }
        _ => Err(format!("{key}: not an e-mail address")),
    }
}

/// Every brace is doubled or encloses a placeholder.
fn check_template(template: &str) -> Result<(), String> {
    if template.is_empty() || template.len() > MAX_TEMPLATE {
        return Err(format!("template: must be 1 to {MAX_TEMPLATE} bytes long"));
    }
    let plain = template.replace("{{", "").replace("}}", "");
    let mut pieces = plain.split('{');
    let wrong = || {
        let known = PLACEHOLDERS.join("}, {");
        format!("template: a brace is not doubled and encloses none of {{{known}}}")
    };
    if pieces.next().is_some_and(|first| first.contains('}')) {
        return Err(wrong());
    }
    for piece in pieces {
        let (name, rest) = piece.split_once('}').ok_or_else(wrong)?;
        if !PLACEHOLDERS.contains(&name) || rest.contains('}') {
            return Err(wrong());
        }
    }
    Ok(())
}

/// Checks all channels together.
pub fn validate(channels: &[AlertChannel]) -> Result<(), InvalidConfig> {
    if channels.len() > MAX_CHANNELS {
        let message = format!("at most {MAX_CHANNELS} channels are told");
        return Err(InvalidConfig::new("alerts", message));
    }
    match duplicate(channels.iter().map(|channel| &channel.name)) {
        Some((index, name)) => Err(InvalidConfig::new(
            format!("alerts[{index}].name"),
            format!("\"{name}\" is there twice"),
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
#[path = "alerts_tests.rs"]
mod tests;
