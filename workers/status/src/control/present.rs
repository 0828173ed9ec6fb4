//! The document in force as the status shows it: over what was observed, which stays beside it.

use types::{
    TargetId, Timestamp,
    control::{Document, Mode},
    status::{Maintenance, Motd, Observation, State, Status},
};

use super::{effective::effective, text};

/// What is in force for one target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Present {
    active: bool,
    motd: Option<Motd>,
    icon: Option<String>,
    /// As plain text.
    message: Option<String>,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
}

impl Present {
    pub fn of(
        document: &Document,
        target: &TargetId,
        seen: Option<&Observation>,
        now: Timestamp,
    ) -> Self {
        let settings = document.settings(target);
        let effective = effective(document, &settings, target, seen, now);
        Self {
            active: effective.mode == Mode::Maintenance,
            motd: effective.motd.as_ref().map(text::motd),
            icon: effective.icon.map(str::to_owned),
            message: effective
                .message
                .as_ref()
                .map(minecraft::text::Text::to_plain),
            starts_at: effective.maintenance.starts_at,
            ends_at: effective.maintenance.ends_at,
        }
    }

    /// What an entity tag of the status depends on beside the observation; nothing while nothing is
    /// in force.
    pub fn tagged_text(&self) -> String {
        if *self == Self::default() {
            String::new()
        } else {
            format!("{self:?}")
        }
    }
}

/// Shows what is in force: its MOTD and icon in place of the server's own, and maintenance, in which a
/// server that is down is no incident.
pub fn overlay<'a>(status: &mut Status<'a>, present: &'a Present) {
    if present.active {
        status.state = State::Maintenance;
    }
    status.motd = present.motd.as_ref().or(status.motd);
    status.icon = present.icon.as_deref().or(status.icon);
    status.maintenance = Maintenance {
        active: present.active,
        message: present.message.as_deref(),
        starts_at: present.starts_at,
        ends_at: present.ends_at,
    };
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{observe::tests::answered_at, view};

    const SEEN: i64 = 1_795_255_200;

    fn body(document: Value, seen: &Observation) -> Value {
        let target: TargetId = "main".parse().unwrap();
        let now = Timestamp::from_seconds(SEEN + 10);
        let document = Document::read(document).unwrap();
        let present = Present::of(&document, &target, Some(seen), now);
        let mut status = view::status(&target, seen, now);
        overlay(&mut status, &present);
        serde_json::to_value(status).unwrap()
    }

    #[test]
    fn nothing_in_force_changes_nothing() {
        let seen = answered_at(SEEN);
        let target: TargetId = "main".parse().unwrap();
        let plain = view::status(&target, &seen, Timestamp::from_seconds(SEEN + 10));
        assert_eq!(body(json!({}), &seen), serde_json::to_value(plain).unwrap());
        assert_eq!(Present::default().tagged_text(), "");
    }

    #[test]
    fn the_motd_in_effect_stands_beside_the_observed_one() {
        let body = body(
            json!({"motd": {"entries": [{"lines": ["<gold>genkan", "<online>/<max>"]}]}, "icon": "data:x"}),
            &answered_at(SEEN),
        );
        assert_eq!(body["motd"]["clean"], "genkan\n1/20");
        assert_eq!(body["motd"]["raw"], "§6genkan§r\n1/20");
        assert_eq!(body["observed"]["motd"]["clean"], "Hello");
        assert_eq!(
            (&body["icon"], &body["state"]),
            (&json!("data:x"), &json!("online"))
        );
    }

    #[test]
    fn a_server_that_is_down_in_maintenance_is_in_maintenance() {
        let mut seen = answered_at(SEEN);
        (seen.state, seen.online) = (State::Offline, false);
        let body = body(
            json!({"maintenance": {"enabled": true, "message": "<red>Back soon", "ends_at": "2026-11-21T12:00:00Z"}}),
            &seen,
        );
        assert_eq!(
            (&body["state"], &body["online"]),
            (&json!("maintenance"), &json!(false))
        );
        assert_eq!(body["motd"]["clean"], "Back soon");
        assert_eq!(
            body["maintenance"],
            json!({"active": true, "message": "Back soon", "starts_at": null, "ends_at": "2026-11-21T12:00:00Z"})
        );
    }

    #[test]
    fn maintenance_ahead_is_announced() {
        let body = body(
            json!({"maintenance": {"enabled": true, "message": "Soon", "starts_at": "2026-11-21T12:00:00Z"}}),
            &answered_at(SEEN),
        );
        assert_eq!(body["state"], "online");
        assert_eq!(body["motd"]["clean"], "Hello");
        assert_eq!(
            body["maintenance"],
            json!({"active": false, "message": "Soon", "starts_at": "2026-11-21T12:00:00Z", "ends_at": null})
        );
    }
}
