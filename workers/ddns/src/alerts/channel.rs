//! Where a channel leads to: its secret joined with what is sent.
//!
//! The secret `ALERTS` is a JSON object by name. Of a Discord or Slack channel it holds the webhook's
//! URL; of a webhook `{"url","key"}` or the key alone (`whsec_<base64>`); of ntfy the access token, or
//! `{"token","topic"}` when the topic is a secret too.

use std::collections::BTreeMap;

use edge::signature;
use serde_json::Value;
use types::{
    Timestamp,
    config::{
        WebhookUrl,
        alerts::{ChannelKind, is_topic},
        services::SecretName,
    },
};

use super::render::Message;

/// The name of the secret.
pub const SECRET: &str = "ALERTS";

/// The values of the secret. `Debug` shows none of them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<String, Value>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A request that delivers. It has no `Debug`: it holds secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Delivery {
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Delivery {
    /// A body of JSON.
    fn of(url: String, body: String) -> Self {
        Self {
            url,
            headers: vec![
                ("content-type", "application/json".to_owned()),
                ("user-agent", "genkan".to_owned()),
            ],
            body,
        }
    }
}

impl Secrets {
    /// Reads the secret. The error says what is wrong with it, not what it is.
    pub fn parse(json: &str) -> Result<Self, String> {
        let parsed = serde_json::from_str(json);
        parsed
            .map(Self)
            .map_err(|_| format!("the secret {SECRET} is not a JSON object"))
    }

    /// The value of this name.
    fn get(&self, name: &SecretName) -> Result<&Value, String> {
        let name = name.as_str();
        let value = self.0.get(name);
        value.ok_or_else(|| format!("the secret {SECRET} has no {name}"))
    }

    /// A text of the value of this name: the value itself when `alone` says so, or its member.
    fn text(&self, name: &SecretName, member: &str, alone: bool) -> Result<Option<&str>, String> {
        match self.get(name)? {
            Value::String(text) if alone => Ok(Some(text)),
            Value::String(_) => Ok(None),
            Value::Object(members) => match members.get(member) {
                None => Ok(None),
                Some(value) => value.as_str().map(Some).ok_or_else(|| {
                    format!(
                        "{member} of {} in the secret {SECRET} is no text",
                        name.as_str()
                    )
                }),
            },
            _ => Err(format!(
                "{} in the secret {SECRET} is neither a text nor an object",
                name.as_str()
            )),
        }
    }
}

/// The request that delivers a message; e-mail has none. `id` is the same at every attempt.
pub fn delivery(
    kind: &ChannelKind,
    message: &Message,
    secrets: &Secrets,
    id: &str,
    now: Timestamp,
) -> Result<Delivery, String> {
    match (kind, message) {
        (ChannelKind::Discord { secret } | ChannelKind::Slack { secret }, Message::Json(body)) => {
            let url = url(secrets.text(secret, "url", true)?, secret)?;
            Ok(Delivery::of(url, body.clone()))
        }
        (
            ChannelKind::Webhook {
                secret,
                url: public,
            },
            Message::Json(body),
        ) => {
            let private = secrets.text(secret, "url", false)?;
            let url = url(private.or(public.as_ref().map(WebhookUrl::as_str)), secret)?;
            let key = secrets.text(secret, "key", true)?;
            let wrong = |words: &str| format!("key of {}: {words}", secret.as_str());
            let key = key.ok_or_else(|| wrong("is missing"))?;
            let seconds = now.as_seconds();
            let signed = signature::sign(key, id, seconds, body).map_err(wrong)?;
            let mut delivery = Delivery::of(url, body.clone());
            delivery.headers.extend([
                ("webhook-id", id.to_owned()),
                ("webhook-timestamp", seconds.to_string()),
                ("webhook-signature", signed),
            ]);
            Ok(delivery)
        }
        (ChannelKind::Ntfy { secret, url, topic }, Message::Ntfy(message)) => {
            let private = |member, alone| match secret {
                Some(secret) => secrets.text(secret, member, alone),
                None => Ok(None),
            };
            let topic = private("topic", false)?.or(topic.as_deref());
            let topic = topic.filter(|topic| is_topic(topic));
            let topic = topic.ok_or("there is no topic that ntfy takes")?;
            let mut delivery = Delivery::of(url.as_str().to_owned(), message.body(topic));
            if let Some(token) = private("token", true)? {
                let authorization = ("authorization", format!("Bearer {token}"));
                delivery.headers.push(authorization);
            }
            Ok(delivery)
        }
        _ => Err("this message is of another channel".to_owned()),
    }
}

fn url(text: Option<&str>, secret: &SecretName) -> Result<String, String> {
    let good = |url: &&str| url.starts_with("https://") || url.starts_with("http://");
    let text = text.filter(good).map(str::to_owned);
    text.ok_or_else(|| {
        let name = secret.as_str();
        format!("{name} in the secret {SECRET} holds no http or https URL")
    })
}

#[cfg(test)]
#[path = "channel_tests.rs"]
mod tests;
