//! JSON bodies about watched services: what they are, their incidents, and what a beat is answered.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What a service is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum ServiceState {
    Up,
    /// It answers, but slowly or not quite as it should.
    Degraded,
    Down,
    /// Nothing is known of it: it was not measured yet, or what it depends on is down.
    #[default]
    Unknown,
    /// Nobody looks at it until it is resumed.
    Paused,
    /// It is measured, and nobody is told.
    Maintenance,
}

impl ServiceState {
    pub const ALL: [Self; 6] = [
        Self::Up,
        Self::Degraded,
        Self::Down,
        Self::Unknown,
        Self::Paused,
        Self::Maintenance,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Unknown => "unknown",
            Self::Paused => "paused",
            Self::Maintenance => "maintenance",
        }
    }
}

/// The fraction of checks that were answered, from 0 to 1; null where nothing was measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Uptime {
    #[serde(rename = "24h")]
    pub day: Option<f64>,
    #[serde(rename = "7d")]
    pub week: Option<f64>,
    #[serde(rename = "30d")]
    pub month: Option<f64>,
    #[serde(rename = "90d")]
    pub quarter: Option<f64>,
}

/// The body of `GET /api/services/<id>`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    pub id: String,
    pub name: String,
    pub group: Option<String>,
    /// `http`, `tcp`, `minecraft`, `dns`, `heartbeat` or `ddns`.
    pub kind: String,
    pub state: ServiceState,
    /// When it came into this state; null before the first look.
    pub since: Option<Timestamp>,
    /// Of the last check; null when that failed or measures none.
    pub latency_ms: Option<u32>,
    pub last_checked_at: Option<Timestamp>,
    pub uptime: Uptime,
    /// Why it is what it is; null while it is up.
    pub reason: Option<String>,
    /// The ids of services without which nothing can be said of this one; those that the reader may
    /// see.
    pub depends_on: Vec<String>,
}

/// The body of `GET /api/services`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Services {
    pub services: Vec<Service>,
}

/// Something that was said about an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentUpdate {
    pub at: Timestamp,
    /// The name of a token; null when it was the cron.
    pub by: Option<String>,
    pub text: String,
}

/// A time in which a service was down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    pub id: u32,
    pub service: String,
    pub opened_at: Timestamp,
    pub closed_at: Option<Timestamp>,
    /// The name of a token.
    pub acknowledged_by: Option<String>,
    /// Why the service was down when it opened.
    pub reason: Option<String>,
    /// Oldest first.
    pub updates: Vec<IncidentUpdate>,
}

/// The body of `GET /api/incidents`: newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incidents {
    pub incidents: Vec<Incident>,
    /// What to send as `cursor` for what is older; null at the end.
    pub next_cursor: Option<String>,
}

/// What a beat is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeatAnswer {
    /// The service's id.
    pub id: String,
    pub state: ServiceState,
    /// When the next beat is due, without the grace; null when the service has not beaten yet.
    pub next_expected_at: Option<Timestamp>,
    /// How many bytes were cut from the front of the log; left out when none were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_bytes_cut: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_pinned() {
        let service = Service {
            id: "web".to_owned(),
            name: "Website".to_owned(),
            group: None,
            kind: "http".to_owned(),
            state: ServiceState::Up,
            since: Some(Timestamp::from_seconds(1_795_255_200)),
            latency_ms: Some(35),
            last_checked_at: None,
            uptime: Uptime {
                day: Some(0.5),
                ..Uptime::default()
            },
            reason: None,
            depends_on: vec!["home".to_owned()],
        };
        assert_eq!(
            serde_json::to_string(&Services {
                services: vec![service]
            })
            .unwrap(),
            r#"{"services":[{"id":"web","name":"Website","group":null,"kind":"http","state":"up","since":"2026-11-21T10:00:00Z","latency_ms":35,"last_checked_at":null,"uptime":{"24h":0.5,"7d":null,"30d":null,"90d":null},"reason":null,"depends_on":["home"]}]}"#
        );
        for state in ServiceState::ALL {
            let json = serde_json::to_string(&state).unwrap();
            assert_eq!(json, format!("\"{}\"", state.as_str()));
        }
    }

    #[test]
    fn an_incident_is_pinned() {
        let at = Timestamp::from_seconds(1_795_255_200);
        let incident = Incident {
            id: 3,
            service: "web".to_owned(),
            opened_at: at,
            closed_at: None,
            acknowledged_by: Some("ops".to_owned()),
            reason: Some("timeout".to_owned()),
            updates: vec![IncidentUpdate {
                at,
                by: None,
                text: "down".to_owned(),
            }],
        };
        let incidents = Incidents {
            incidents: vec![incident],
            next_cursor: None,
        };
        assert_eq!(
            serde_json::to_string(&incidents).unwrap(),
            r#"{"incidents":[{"id":3,"service":"web","opened_at":"2026-11-21T10:00:00Z","closed_at":null,"acknowledged_by":"ops","reason":"timeout","updates":[{"at":"2026-11-21T10:00:00Z","by":null,"text":"down"}]}],"next_cursor":null}"#
        );
    }

    #[test]
    fn the_answer_to_a_beat_is_pinned() {
        let answer = BeatAnswer {
            id: "backup".to_owned(),
            state: ServiceState::Up,
            next_expected_at: Some(Timestamp::from_seconds(1_795_255_200)),
            log_bytes_cut: None,
        };
        assert_eq!(
            serde_json::to_string(&answer).unwrap(),
            r#"{"id":"backup","state":"up","next_expected_at":"2026-11-21T10:00:00Z"}"#
        );
    }
}
