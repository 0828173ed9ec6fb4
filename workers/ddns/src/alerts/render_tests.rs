use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::alerts::tests::alert;

fn channel(kind: &str) -> AlertChannel {
    let keys = match kind {
        "ntfy" => json!({"name": "a", "kind": kind, "topic": "x"}),
        "email" => {
            json!({"name": "a", "kind": kind, "from": "a@example.com", "to": "b@example.com"})
        }
        _ => json!({"name": "a", "kind": kind, "secret": "S"}),
    };
    serde_json::from_value(keys).unwrap()
}

fn json_of(kind: &str, alert: &Alert) -> String {
    match render(&channel(kind), alert) {
        Message::Json(body) => body,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_body_for_discord_is_pinned() {
    assert_eq!(
        json_of("discord", &alert()),
        r#"{"allowed_mentions":{"parse":[]},"embeds":[{"color":14233637,"description":"status\\: answered 503\nsince 2026\\-11\\-21T09\\:59\\:00Z \\(before\\: up\\)","timestamp":"2026-11-21T10:00:00Z","title":"Website is down"}]}"#
    );
}

#[test]
fn the_body_for_slack_is_pinned() {
    assert_eq!(
        json_of("slack", &alert()),
        r#"{"blocks":[{"text":{"emoji":false,"text":"Website is down","type":"plain_text"},"type":"header"},{"text":{"emoji":false,"text":"status: answered 503\nsince 2026-11-21T09:59:00Z (before: up)","type":"plain_text"},"type":"section"}],"mrkdwn":false,"text":"Website is down\nstatus: answered 503\nsince 2026-11-21T09:59:00Z (before: up)","unfurl_links":false,"unfurl_media":false}"#
    );
}

#[test]
fn the_body_for_a_webhook_is_pinned() {
    assert_eq!(
        json_of("webhook", &alert()),
        r#"{"data":{"group":"home","incident":"7","name":"Website","previous":"up","reason":"status: answered 503","service":"web","since":"2026-11-21T09:59:00Z","state":"down","text":"status: answered 503\nsince 2026-11-21T09:59:00Z (before: up)"},"timestamp":"2026-11-21T10:00:00Z","type":"service.down"}"#
    );
}

#[test]
fn the_body_for_ntfy_is_pinned() {
    let Message::Ntfy(message) = render(&channel("ntfy"), &alert()) else {
        panic!()
    };
    assert_eq!(
        message.body("alerts"),
        r#"{"message":"status: answered 503\nsince 2026-11-21T09:59:00Z (before: up)","priority":5,"tags":["rotating_light"],"title":"Website is down","topic":"alerts"}"#
    );
}

#[test]
fn a_mail_has_one_line_as_its_subject() {
    let sly = Alert {
        name: "a\r\nBcc: c@example.com".to_owned(),
        ..alert()
    };
    let Message::Email { subject, .. } = render(&channel("email"), &sly) else {
        panic!()
    };
    assert_eq!(subject, "a  Bcc: c@example.com is down");
}

proptest! {
    #[test]
    fn every_body_is_json_and_holds_the_text_as_it_is(name: String, reason: String) {
        let alert = Alert { name, reason: Some(reason.clone()), ..alert() };
        let read = |kind| serde_json::from_str::<Value>(&json_of(kind, &alert)).unwrap();
        let webhook = read("webhook");
        prop_assert_eq!(webhook["data"]["reason"].as_str(), Some(reason.as_str()));
        prop_assert_eq!(webhook["data"]["name"].as_str(), Some(alert.name.as_str()));
        let slack = read("slack");
        prop_assert!(!slack["text"].as_str().unwrap().contains('<'));
        let discord = read("discord");
        prop_assert_eq!(&discord["allowed_mentions"], &json!({"parse": []}));
        prop_assert!(discord["embeds"][0]["description"].as_str().unwrap().chars().count() <= 4096);
        prop_assert!(discord["embeds"][0]["title"].as_str().unwrap().chars().count() <= 330);
    }
}
