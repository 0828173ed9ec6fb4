use serde_json::json;
use types::config::{Config, alerts::AlertEvent};

use super::*;
use crate::alerts::tests::alert;

fn config() -> DdnsConfig {
    let service = |id: &str| json!({"id": id, "kind": "http", "url": "https://www.example.com"});
    let mut quiet = service("quiet");
    quiet["alerts"] = json!([]);
    let mut one = service("one");
    one["alerts"] = json!(["all"]);
    let vars = json!({
        "hosts": [],
        "services": [service("web"), quiet, one],
        "alerts": [
            {"name": "all", "kind": "ntfy", "topic": "x"},
            {"name": "slow", "kind": "ntfy", "topic": "y", "events": ["degraded", "down"]},
        ],
    });
    DdnsConfig::parse(vars).unwrap()
}

/// Channel and key of each row.
fn rows(service: &str, event: AlertEvent) -> Vec<String> {
    let alert = Alert {
        service: service.to_owned(),
        event,
        previous: Some(
            if event == AlertEvent::Up {
                "down"
            } else {
                "up"
            }
            .to_owned(),
        ),
        ..alert()
    };
    let config = config();
    let rows = rows_of(&config, &[alert]).unwrap();
    rows.iter().map(|row| row.channel.to_owned()).collect()
}

#[test]
fn an_alert_goes_to_the_channels_that_hear_of_it() {
    assert_eq!(rows("web", AlertEvent::Down), ["all", "slow"]);
    assert_eq!(rows("web", AlertEvent::Degraded), ["slow"]);
    assert_eq!(rows("web", AlertEvent::Up), ["all"]);
    assert_eq!(rows("one", AlertEvent::Down), ["all"]);
    assert!(rows("quiet", AlertEvent::Down).is_empty());
    assert_eq!(rows("ddns:home.example.com", AlertEvent::Warning), ["all"]);
}

#[test]
fn the_rows_are_pinned() {
    let up = Alert {
        event: AlertEvent::Up,
        state: Some("up".to_owned()),
        previous: Some("down".to_owned()),
        lasted_seconds: Some(720),
        reason: None,
        ..alert()
    };
    assert_eq!(
        serde_json::to_string(&rows_of(&config(), &[up]).unwrap()).unwrap(),
        r#"[{"channel":"all","key":"up web 2026-11-21T10:00:00Z","at":"2026-11-21T10:00:00Z","alert":"{\"v\":1,\"event\":\"up\",\"service\":\"web\",\"name\":\"Website\",\"group\":\"home\",\"state\":\"up\",\"previous\":\"down\",\"lasted_seconds\":720,\"reason\":null,\"since\":\"2026-11-21T09:59:00Z\",\"at\":\"2026-11-21T10:00:00Z\",\"incident\":\"7\"}"}]"#
    );
}
