//! Alerts: what is to be told, to whom, in which words, and until it has arrived.
//!
//! An alert is a value. It is put into the outbox (`alerts` in D1) in the same transaction as the
//! change of state that it tells, one row a channel ([`outbox::enqueue`]); the cron sends what is
//! due ([`deliver::deliver_due`]) and tries again, later each time, what did not arrive. The same
//! alert put in twice is sent once; a worker that dies between sending and noting so sends it again,
//! under the same id. How a channel does is in `alert_channels`, for `/api/health`.

pub mod audience;
pub mod channel;
pub mod deliver;
pub mod outbox;
pub mod plan;
pub mod readiness;
pub mod render;
pub mod text;

use serde::{Deserialize, Serialize};
use types::{Timestamp, config::alerts::AlertEvent};

/// Something that somebody should hear of. Stored as JSON (`v` 1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    pub v: u8,
    pub event: AlertEvent,
    /// The id of the service, or what else it is about: `ddns:home.example.com`.
    pub service: String,
    /// As people read it.
    pub name: String,
    pub group: Option<String>,
    /// The state that it is in: `down`.
    pub state: Option<String>,
    pub previous: Option<String>,
    /// Whether it had been told as degraded before it was told as down, if it comes from there.
    #[serde(skip)]
    pub was_degraded: bool,
    /// For how long it was what it was before, or has been down by now, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasted_seconds: Option<i64>,
    /// Why; its stable code first. No secrets.
    pub reason: Option<String>,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// The moment of the event: the scheduled time of the cron that found it.
    pub at: Timestamp,
    pub incident: Option<String>,
}

impl Alert {
    /// What makes two alerts the same one. The outbox tells reminders and their services by it.
    pub fn key(&self) -> String {
        format!("{} {} {}", self.event.as_str(), self.service, self.at)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn alert() -> Alert {
        Alert {
            v: 1,
            event: AlertEvent::Down,
            service: "web".to_owned(),
            name: "Website".to_owned(),
            group: Some("home".to_owned()),
            state: Some("down".to_owned()),
            previous: Some("up".to_owned()),
            was_degraded: false,
            lasted_seconds: None,
            reason: Some("status: answered 503".to_owned()),
            since: Timestamp::from_seconds(1_795_255_140),
            at: Timestamp::from_seconds(1_795_255_200),
            incident: Some("7".to_owned()),
        }
    }

    #[test]
    fn the_stored_form_is_pinned() {
        let json = r#"{"v":1,"event":"down","service":"web","name":"Website","group":"home","state":"down","previous":"up","reason":"status: answered 503","since":"2026-11-21T09:59:00Z","at":"2026-11-21T10:00:00Z","incident":"7"}"#;
        assert_eq!(serde_json::to_string(&alert()).unwrap(), json);
        assert_eq!(serde_json::from_str::<Alert>(json).unwrap(), alert());
        assert_eq!(alert().key(), "down web 2026-11-21T10:00:00Z");
    }
}
