use serde_json::{Value, json};

use super::*;
use crate::config::{Config, DdnsConfig};

fn channels(alerts: &Value) -> Result<Vec<AlertChannel>, String> {
    let config = DdnsConfig::parse(json!({"hosts": [], "alerts": alerts}));
    config
        .map(|config| config.alerts)
        .map_err(|error| error.to_string())
}

fn one(mut keys: Value) -> Result<AlertChannel, String> {
    keys.as_object_mut()
        .unwrap()
        .insert("name".to_owned(), json!("a"));
    channels(&json!([keys])).map(|mut channels| channels.remove(0))
}

#[test]
fn every_kind_reads_its_keys() {
    for keys in [
        json!({"kind": "discord", "secret": "CHAT"}),
        json!({"kind": "slack", "secret": "CHAT", "events": ["down"]}),
        json!({"kind": "webhook", "secret": "HOOK"}),
        json!({"kind": "webhook", "secret": "HOOK", "url": "https://hooks.example.com/x"}),
        json!({"kind": "ntfy", "topic": "alerts"}),
        json!({"kind": "ntfy", "secret": "NTFY", "url": "https://ntfy.example.com"}),
        json!({"kind": "email", "from": "genkan@example.com", "to": "operator@example.com"}),
    ] {
        let channel = one(keys.clone()).unwrap();
        assert_eq!(channel.kind.as_str(), keys["kind"], "{keys}");
    }
    let channel = one(json!({"kind": "ntfy", "topic": "alerts"})).unwrap();
    assert!(channel.hears(AlertEvent::Down) && !channel.hears(AlertEvent::Degraded));
    assert!(
        matches!(channel.kind, ChannelKind::Ntfy { url, .. } if url.as_str() == "https://ntfy.sh")
    );
}

#[test]
fn what_is_missing_wrong_or_of_another_kind_is_named() {
    for (keys, says) in [
        (json!({"kind": "discord"}), "secret: is missing"),
        (
            json!({"kind": "discord", "secret": "A", "url": "https://x.example.com"}),
            "url: kind \"discord\" has no such key",
        ),
        (
            json!({"kind": "slack", "secret": "https://hooks.example.com/x"}),
            "secret",
        ),
        (json!({"kind": "ntfy"}), "topic: is missing"),
        (json!({"kind": "ntfy", "topic": "a/b"}), "topic: must be"),
        (
            json!({"kind": "email", "to": "a@example.com"}),
            "from: is missing",
        ),
        (
            json!({"kind": "email", "from": "a@example.com", "to": "A <a@example.com>"}),
            "to: not an e-mail",
        ),
        (
            json!({"kind": "email", "from": "a@example.com", "to": "a@example.com\r\nBcc: b@example.com"}),
            "to: not an e-mail",
        ),
        (
            json!({"kind": "discord", "secret": "A", "events": []}),
            "events: names none",
        ),
        (
            json!({"kind": "discord", "secret": "A", "events": ["dwon"]}),
            "events[0]",
        ),
        (json!({"kind": "pager"}), "kind"),
        (
            json!({"kind": "discord", "secret": "A", "template": "{sercive}"}),
            "template: a brace",
        ),
    ] {
        let error = one(keys.clone()).unwrap_err();
        assert!(error.starts_with("[vars] alerts[0]"), "{error}");
        assert!(error.contains(says), "{keys}: {error}");
        assert!(!error.contains("hooks.example.com"), "{error}");
    }
    let twice = json!([{"name": "a", "kind": "ntfy", "topic": "x"}, {"name": "a", "kind": "ntfy", "topic": "y"}]);
    assert_eq!(
        channels(&twice).unwrap_err(),
        "[vars] alerts[1].name: \"a\" is there twice"
    );
}

#[test]
fn templates_have_known_placeholders_and_doubled_braces() {
    for good in ["x", "{name} is {state}", "{{literal}} {name}", "{{{name}}}"] {
        assert_eq!(check_template(good), Ok(()), "{good}");
    }
    for bad in [
        "", "{", "}", "{name", "name}", "{}", "{ name }", "{name}}", "{{name}",
    ] {
        assert!(check_template(bad).is_err(), "{bad}");
    }
}
