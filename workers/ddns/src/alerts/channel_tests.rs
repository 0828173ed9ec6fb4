use serde_json::json;
use types::config::alerts::AlertChannel;

use super::*;
use crate::alerts::{render::render, tests::alert};

const NOW: Timestamp = Timestamp::from_seconds(1_795_255_200);
const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn deliver(
    mut channel: serde_json::Value,
    secrets: &serde_json::Value,
) -> Result<Delivery, String> {
    channel["name"] = json!("a");
    let channel: AlertChannel = serde_json::from_value(channel).unwrap();
    let secrets = Secrets::parse(&secrets.to_string()).unwrap();
    let message = render(&channel, &alert());
    delivery(&channel.kind, &message, &secrets, "msg_1", NOW)
}

fn header<'a>(delivery: &'a Delivery, name: &str) -> Option<&'a str> {
    let mut headers = delivery.headers.iter();
    let found = headers.find(|(other, _)| *other == name);
    found.map(|(_, value)| value.as_str())
}

#[test]
fn the_url_of_a_chat_is_its_secret() {
    for kind in ["discord", "slack"] {
        let channel = || json!({"kind": kind, "secret": "CHAT"});
        let url = "https://chat.example.com/hooks/x";
        for secret in [json!({"CHAT": url}), json!({"CHAT": {"url": url}})] {
            let delivery = deliver(channel(), &secret).ok().unwrap();
            assert_eq!(delivery.url, url);
            assert_eq!(header(&delivery, "content-type"), Some("application/json"));
        }
    }
}

#[test]
fn a_webhook_is_signed_with_its_key() {
    let url = "https://hooks.example.com/genkan";
    let private = deliver(
        json!({"kind": "webhook", "secret": "HOOK"}),
        &json!({"HOOK": {"url": url, "key": KEY}}),
    );
    let public = deliver(
        json!({"kind": "webhook", "secret": "HOOK", "url": url}),
        &json!({"HOOK": KEY}),
    );
    let (private, public) = (private.ok().unwrap(), public.ok().unwrap());
    assert!(private == public && private.url == url);
    assert_eq!(header(&private, "webhook-id"), Some("msg_1"));
    assert_eq!(header(&private, "webhook-timestamp"), Some("1795255200"));
    let signed = signature::sign(KEY, "msg_1", 1_795_255_200, &private.body).unwrap();
    assert_eq!(header(&private, "webhook-signature"), Some(signed.as_str()));
}

#[test]
fn ntfy_takes_its_topic_and_token_from_either_place() {
    let open = deliver(json!({"kind": "ntfy", "topic": "home"}), &json!({}))
        .ok()
        .unwrap();
    assert_eq!(
        (open.url.as_str(), header(&open, "authorization")),
        ("https://ntfy.sh", None)
    );
    assert!(open.body.contains(r#""topic":"home""#));
    let token = deliver(
        json!({"kind": "ntfy", "topic": "home", "secret": "NTFY"}),
        &json!({"NTFY": "tk_1"}),
    );
    assert_eq!(
        header(&token.ok().unwrap(), "authorization"),
        Some("Bearer tk_1")
    );
    let hidden = json!({"NTFY": {"topic": "secret-topic", "token": "tk_1"}});
    let hidden = deliver(json!({"kind": "ntfy", "secret": "NTFY"}), &hidden)
        .ok()
        .unwrap();
    assert!(hidden.body.contains(r#""topic":"secret-topic""#));
}

#[test]
fn what_is_wrong_with_a_secret_is_said_without_saying_it() {
    let chat = || json!({"kind": "discord", "secret": "CHAT"});
    let hook = || json!({"kind": "webhook", "secret": "CHAT"});
    let ntfy = || json!({"kind": "ntfy", "secret": "CHAT"});
    for (channel, secrets, says) in [
        (chat(), json!({}), "the secret ALERTS has no CHAT"),
        (
            chat(),
            json!({"CHAT": "hunter2"}),
            "CHAT in the secret ALERTS holds no http or https URL",
        ),
        (
            chat(),
            json!({"CHAT": ["hunter2"]}),
            "CHAT in the secret ALERTS is neither a text nor an object",
        ),
        (
            chat(),
            json!({"CHAT": {"url": 2}}),
            "url of CHAT in the secret ALERTS is no text",
        ),
        (
            hook(),
            json!({"CHAT": {"url": "https://x.example.com"}}),
            "key of CHAT: is missing",
        ),
        (
            hook(),
            json!({"CHAT": {"url": "https://x.example.com", "key": "hunter2"}}),
            "key of CHAT: is not whsec_<base64>",
        ),
        (
            hook(),
            json!({"CHAT": KEY}),
            "CHAT in the secret ALERTS holds no http or https URL",
        ),
        (
            ntfy(),
            json!({"CHAT": "hunter2"}),
            "there is no topic that ntfy takes",
        ),
        (
            ntfy(),
            json!({"CHAT": {"topic": "a/hunter2"}}),
            "there is no topic that ntfy takes",
        ),
    ] {
        let error = deliver(channel, &secrets).err().unwrap();
        assert_eq!(error, says);
        assert!(!error.contains("hunter2"));
    }
    assert_eq!(
        Secrets::parse("hunter2").unwrap_err(),
        "the secret ALERTS is not a JSON object"
    );
    let secrets = Secrets::parse(r#"{"A":"hunter2"}"#).unwrap();
    assert_eq!(format!("{secrets:?}"), r#"{"A"}"#);
}
