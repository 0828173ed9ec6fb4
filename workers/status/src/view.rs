//! What a reader gets: the stored observation, seen at a moment.
//!
//! Every shape that is served (`views`) is made of this one, so that what is in effect and what is
//! stale is decided once.

use std::borrow::Cow;

use types::{
    TargetId, Timestamp,
    status::{Maintenance, Observation, Observed, ObservedMotd, State, Status},
};

/// An observation older than this says nothing of the server any more.
const STALE_AFTER_SECONDS: i64 = 300;

/// The body of `GET /api/status`.
pub fn status<'a>(id: &'a TargetId, seen: &'a Observation, now: Timestamp) -> Status<'a> {
    // The clocks of two machines differ a little: nothing was seen in the future.
    let age_seconds = (now - seen.retrieved_at).max(0);
    let stale = age_seconds > STALE_AFTER_SECONDS;
    let answer = seen.answer.as_ref();
    let motd = answer.map(|answer| &answer.motd);
    Status {
        target: id,
        state: if stale { State::Stale } else { seen.state },
        reason: seen.reason,
        online: seen.online,
        host: &seen.host,
        port: seen.port,
        ip_address: seen.ip_address,
        srv_record: seen.srv_record.as_ref(),
        retrieved_at: seen.retrieved_at,
        age_seconds,
        stale,
        latency_ms: answer.map(|answer| answer.latency_ms),
        version: answer.and_then(|answer| answer.version.as_ref()),
        players: answer.and_then(|answer| answer.players.as_ref()),
        motd,
        icon: answer.and_then(|answer| answer.icon.as_deref()),
        software: answer.and_then(|answer| answer.software.as_deref()),
        maintenance: Maintenance::default(),
        observed: Observed {
            motd: motd.map(|motd| ObservedMotd { clean: &motd.clean }),
        },
    }
}

/// What the entity tag is the hash of: what stands for the stored observation, and whether it has become stale,
/// which changes the body without anything being written.
pub fn tagged_text(stored: &str, stale: bool) -> Cow<'_, str> {
    if stale {
        Cow::Owned(format!("{stored} stale"))
    } else {
        Cow::Borrowed(stored)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::observe::tests::{answered_at, target};

    const SEEN: i64 = 1_795_255_200;

    fn body(seen: &Observation, after_seconds: i64) -> Value {
        let now = Timestamp::from_seconds(SEEN + after_seconds);
        serde_json::to_value(status(&target().id, seen, now)).unwrap()
    }

    #[test]
    fn an_answer_is_shown_with_its_age() {
        let body = body(&answered_at(SEEN), 12);
        assert_eq!(
            body,
            json!({
                "target": "main", "state": "online", "reason": null, "online": true,
                "host": "mc.example.com", "port": 25565, "ip_address": null, "srv_record": null,
                "retrieved_at": "2026-11-21T10:00:00Z", "age_seconds": 12, "stale": false,
                "latency_ms": {"connect": 8, "status": 11, "pong": 9},
                "version": {"name_raw": "§cPaper 1.21", "name_clean": "Paper 1.21",
                    "name_html": "<span style=\"color:#ff5555\">Paper 1.21</span>", "protocol": 774},
                "players": {"online": 1, "max": 20, "list": [
                    {"uuid": "069a79f4-44e9-4726-a5be-fca90e38aaf5", "name_raw": "Notch",
                        "name_clean": "Notch", "name_html": "Notch"}
                ]},
                "motd": {"raw": "§6Hello", "clean": "Hello", "minimessage": "<gold>Hello</gold>",
                    "html": "<span style=\"color:#ffaa00\">Hello</span>"},
                "icon": null, "software": "Paper",
                "maintenance": {"active": false, "message": null, "starts_at": null, "ends_at": null},
                "observed": {"motd": {"clean": "Hello"}}
            })
        );
    }

    #[test]
    fn it_becomes_stale_after_five_minutes_and_keeps_its_values() {
        let seen = answered_at(SEEN);
        assert_eq!(body(&seen, 300)["state"], "online");
        let stale = body(&seen, 301);
        assert_eq!(
            (&stale["state"], &stale["stale"]),
            (&json!("stale"), &json!(true))
        );
        assert_eq!(stale["motd"]["clean"], "Hello");
        assert_ne!(tagged_text("{}", true), tagged_text("{}", false));
    }

    #[test]
    fn nothing_was_seen_in_the_future() {
        assert_eq!(body(&answered_at(SEEN), -5)["age_seconds"], 0);
    }

    #[test]
    fn what_was_never_known_is_null() {
        let mut seen = answered_at(SEEN);
        seen.answer = None;
        let body = body(&seen, 0);
        for key in [
            "latency_ms",
            "version",
            "players",
            "motd",
            "icon",
            "software",
        ] {
            assert_eq!(body[key], Value::Null, "{key}");
        }
        assert_eq!(body["observed"], json!({"motd": null}));
    }
}
