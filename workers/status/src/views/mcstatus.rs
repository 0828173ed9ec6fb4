//! The shape of mcstatus.io's v2 for Java Edition.
//!
//! Spec: the answers of that system as recorded in `fixtures/shapes/`. A key is never left out for
//! being unknown, then it is null; but an offline server has none of those that it would have to
//! say itself. What a ping cannot know is empty: mods and plugins.

use std::net::IpAddr;

use serde::Serialize;
use types::{
    Timestamp,
    status::{Motd as ShownMotd, Player as ShownPlayer, SrvRecord, Status},
};

use super::expires_at;

#[derive(Serialize)]
#[expect(
    clippy::option_option,
    reason = "a key may be left out, null, or there"
)]
pub struct Body<'a> {
    online: bool,
    host: &'a str,
    port: u16,
    ip_address: Option<IpAddr>,
    eula_blocked: bool,
    /// Milliseconds since the epoch, as is `expires_at`.
    retrieved_at: i64,
    expires_at: i64,
    srv_record: Option<&'a SrvRecord>,
    // From here on: of an online server alone. The outer `None` leaves the key out.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Option<Version<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    players: Option<Players<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    motd: Option<Motd<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icon: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mods: Option<[(); 0]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    software: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugins: Option<[(); 0]>,
}

#[derive(Serialize)]
struct Version<'a> {
    name_raw: &'a str,
    name_clean: &'a str,
    name_html: &'a str,
    /// 0 where the server names none, as in that system.
    protocol: i32,
}

#[derive(Serialize)]
struct Players<'a> {
    online: Option<u32>,
    max: Option<u32>,
    list: Vec<Player<'a>>,
}

#[derive(Serialize)]
struct Player<'a> {
    /// Empty where the server gives none, as in that system.
    uuid: &'a str,
    name_raw: &'a str,
    name_clean: &'a str,
    name_html: &'a str,
}

#[derive(Serialize, Default)]
struct Motd<'a> {
    raw: &'a str,
    clean: &'a str,
    html: &'a str,
}

pub fn body<'a>(status: &'a Status<'a>, now: Timestamp) -> Body<'a> {
    let online = status.online;
    Body {
        online,
        host: status.host,
        port: status.port,
        ip_address: status.ip_address,
        eula_blocked: false,
        retrieved_at: millis(status.retrieved_at),
        expires_at: millis(expires_at(status, now)),
        srv_record: status.srv_record,
        version: online.then(|| version(status)),
        players: online.then(|| players(status)),
        motd: online.then(|| status.motd.map(motd).unwrap_or_default()),
        icon: online.then_some(status.icon),
        mods: online.then_some([]),
        software: online.then_some(status.software),
        plugins: online.then_some([]),
    }
}

fn millis(moment: Timestamp) -> i64 {
    moment.as_seconds().saturating_mul(1000)
}

fn version<'a>(status: &'a Status<'a>) -> Option<Version<'a>> {
    let version = status.version?;
    Some(Version {
        name_raw: &version.name_raw,
        name_clean: &version.name_clean,
        name_html: &version.name_html,
        protocol: version.protocol.unwrap_or(0),
    })
}

fn players<'a>(status: &'a Status<'a>) -> Players<'a> {
    let players = status.players;
    let list = players.map(|players| players.list.iter().map(player).collect());
    Players {
        online: players.and_then(|players| players.online),
        max: players.and_then(|players| players.max),
        list: list.unwrap_or_default(),
    }
}

fn player(player: &ShownPlayer) -> Player<'_> {
    Player {
        uuid: player.uuid.as_deref().unwrap_or_default(),
        name_raw: &player.name_raw,
        name_clean: &player.name_clean,
        name_html: &player.name_html,
    }
}

fn motd(motd: &ShownMotd) -> Motd<'_> {
    Motd {
        raw: &motd.raw,
        clean: &motd.clean,
        html: &motd.html,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use types::status::Observation;

    use super::*;
    use crate::{
        observe::tests::{answered_at, target},
        view,
    };

    fn shown(seen: &Observation, now: i64) -> Value {
        let (target, now) = (target(), Timestamp::from_seconds(now));
        let status = view::status(&target.id, seen, now);
        serde_json::to_value(body(&status, now)).unwrap()
    }

    #[test]
    fn an_offline_server_has_the_base_and_nothing_more() {
        let mut seen = answered_at(1_795_255_200);
        seen.online = false;
        assert_eq!(
            shown(&seen, 1_795_255_200),
            json!({
                "online": false, "host": "mc.example.com", "port": 25565, "ip_address": null,
                "eula_blocked": false, "retrieved_at": 1_795_255_200_000_i64,
                "expires_at": 1_795_255_260_000_i64, "srv_record": null
            })
        );
    }

    #[test]
    fn an_online_server_that_says_little_has_every_key() {
        let mut seen = answered_at(0);
        let answer = seen.answer.as_mut().unwrap();
        (answer.version, answer.players, answer.software) = (None, None, None);
        let body = shown(&seen, 0);
        assert_eq!(body["version"], Value::Null);
        assert_eq!(
            body["players"],
            json!({"online": null, "max": null, "list": []})
        );
        for key in ["icon", "software"] {
            assert_eq!(body.get(key), Some(&Value::Null), "{key}");
        }
        for key in ["mods", "plugins"] {
            assert_eq!(body[key], json!([]), "{key}");
        }
    }

    #[test]
    fn it_never_expired_in_the_past() {
        let body = shown(&answered_at(0), 200);
        assert_eq!(body["retrieved_at"], 0);
        assert_eq!(body["expires_at"], 201_000);
    }

    #[test]
    fn what_is_null_elsewhere_has_that_systems_type() {
        let mut seen = answered_at(0);
        let answer = seen.answer.as_mut().unwrap();
        answer.version.as_mut().unwrap().protocol = None;
        answer.players.as_mut().unwrap().list[0].uuid = None;
        let body = shown(&seen, 0);
        assert_eq!(body["version"]["protocol"], 0);
        assert_eq!(body["players"]["list"][0]["uuid"], "");
    }
}
