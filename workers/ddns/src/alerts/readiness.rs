//! Whether each channel could be told something, found out without telling it anything: so that a
//! secret or a binding that is missing shows before an alert is lost.

use edge::{clock, email};
use types::{
    Timestamp,
    config::{
        DdnsConfig,
        alerts::{AlertChannel, AlertEvent, ChannelKind},
    },
};
use worker::Env;

use super::{
    Alert,
    channel::{self, Secrets},
    deliver::{EMAIL, secrets},
    render::render,
};

/// The channels that cannot deliver anything as they are configured, and why; names no secret.
pub fn unable(env: &Env, config: &DdnsConfig) -> Vec<(String, String)> {
    let secrets = secrets(env);
    let has_email = email::is_bound(env, EMAIL);
    let channels = config.alerts.iter();
    channels
        .filter_map(|channel| {
            let fault = fault(channel, &secrets, has_email, clock::now())?;
            Some((channel.name.to_string(), fault))
        })
        .collect()
}

/// Why this channel can deliver nothing; `None` for one that can.
fn fault(
    channel: &AlertChannel,
    secrets: &Result<Secrets, String>,
    has_email: bool,
    now: Timestamp,
) -> Option<String> {
    if matches!(channel.kind, ChannelKind::Email { .. }) {
        return (!has_email).then(no_binding);
    }
    let message = render(channel, &anything(now));
    let secrets = secrets.as_ref().map_err(Clone::clone);
    let delivery = secrets
        .and_then(|secrets| channel::delivery(&channel.kind, &message, secrets, "msg_0", now));
    delivery.err()
}

/// What is said where the worker has no binding for e-mail.
pub fn no_binding() -> String {
    format!("there is no send_email binding {EMAIL}")
}

/// An alert that is never sent.
fn anything(now: Timestamp) -> Alert {
    Alert {
        v: 1,
        event: AlertEvent::Down,
        service: "none".to_owned(),
        name: "none".to_owned(),
        group: None,
        state: None,
        previous: None,
        was_degraded: false,
        lasted_seconds: None,
        reason: None,
        since: now,
        at: now,
        incident: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn fault_of(channel: Value, secrets: &str, has_email: bool) -> Option<String> {
        let channel: AlertChannel = serde_json::from_value(channel).unwrap();
        let now = Timestamp::from_seconds(1_795_255_200);
        fault(&channel, &Secrets::parse(secrets), has_email, now)
    }

    #[test]
    fn a_channel_without_its_secret_or_binding_is_unable_before_anything_is_sent() {
        let chat = || json!({"name": "chat", "kind": "slack", "secret": "CHAT"});
        let good = r#"{"CHAT": "https://chat.example.com/hooks/x"}"#;
        assert_eq!(fault_of(chat(), good, false), None);
        let missing = Some("the secret ALERTS has no CHAT".to_owned());
        assert_eq!(fault_of(chat(), "{}", false), missing);
        let no_url = Some("CHAT in the secret ALERTS holds no http or https URL".to_owned());
        assert_eq!(fault_of(chat(), r#"{"CHAT": "x"}"#, false), no_url);
        let broken = Some("the secret ALERTS is not a JSON object".to_owned());
        assert_eq!(fault_of(chat(), "{", false), broken);
        let mail = || json!({"name": "mail", "kind": "email", "from": "a@example.com", "to": "b@example.com"});
        assert_eq!(fault_of(mail(), "{", true), None);
        assert_eq!(fault_of(mail(), "{}", false), Some(no_binding()));
    }
}
