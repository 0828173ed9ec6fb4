//! The shape of mcsrvstat.us' v3.
//!
//! Spec: that system's documentation and answers, as recorded in `fixtures/shapes/`. There a key
//! that does not apply is left out, never null. What a ping cannot know is left out too (`map`,
//! `mods`, `plugins`), but `ip`, which is a text always, is empty.

use std::net::IpAddr;

use minecraft::text::Text;
use serde::Serialize;
use types::{
    Timestamp,
    status::{Player as Listed, Players as Counted, Reason, Status},
};

use super::expires_at;

/// The UUID of a line that is no player.
const NIL: &str = "00000000-0000-0000-0000-000000000000";

#[derive(Serialize)]
pub struct Body<'a> {
    online: bool,
    ip: String,
    port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<&'a str>,
    debug: Debug,
    // From here on: of an online server alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<Protocol<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icon: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    software: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eula_blocked: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    motd: Option<Lines>,
    #[serde(skip_serializing_if = "Option::is_none")]
    players: Option<Players<'a>>,
    /// What stands in the list of players without being one.
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<Lines>,
}

#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "it is that system's shape")]
struct Debug {
    ping: bool,
    query: bool,
    bedrock: bool,
    srv: bool,
    querymismatch: bool,
    ipinsrv: bool,
    cnameinsrv: bool,
    animatedmotd: bool,
    cachehit: bool,
    /// Seconds since the epoch, as is `cacheexpire`.
    cachetime: i64,
    cacheexpire: i64,
    apiversion: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Error>,
}

#[derive(Serialize)]
struct Error {
    ping: &'static str,
}

#[derive(Serialize)]
struct Protocol<'a> {
    version: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

#[derive(Serialize)]
struct Lines {
    raw: Vec<String>,
    clean: Vec<String>,
    html: Vec<String>,
}

#[derive(Serialize)]
struct Players<'a> {
    online: u32,
    max: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    list: Vec<Player<'a>>,
}

#[derive(Serialize)]
struct Player<'a> {
    name: &'a str,
    uuid: &'a str,
}

pub fn body<'a>(status: &'a Status<'a>, now: Timestamp) -> Body<'a> {
    let online = status.online;
    let is_ip = status.host.parse::<IpAddr>().is_ok();
    let version = status.version.filter(|_| online);
    let players = status.players.filter(|_| online);
    Body {
        online,
        ip: match status.ip_address {
            Some(ip) => ip.to_string(),
            None if is_ip => status.host.to_owned(),
            None => String::new(),
        },
        port: status.port,
        hostname: (!is_ip).then_some(status.host),
        debug: debug(status, now),
        version: online.then(|| version.map_or("", |version| &version.name_clean)),
        protocol: version.and_then(|version| {
            Some(Protocol {
                version: version.protocol?,
                name: release(&version.name_clean),
            })
        }),
        icon: status.icon.filter(|_| online),
        software: status.software.filter(|_| online),
        eula_blocked: online.then_some(false),
        motd: online.then(|| {
            let motd = status.motd.map_or("", |motd| &motd.raw);
            lines(&Text::from_legacy(motd))
        }),
        players: online.then(|| Players {
            online: players.and_then(|players| players.online).unwrap_or(0),
            max: players.and_then(|players| players.max).unwrap_or(0),
            list: players.map(list).unwrap_or_default(),
        }),
        info: players.and_then(info),
    }
}

fn debug(status: &Status<'_>, now: Timestamp) -> Debug {
    let failed = status.reason.filter(|_| !status.online);
    Debug {
        ping: status.online,
        query: false,
        bedrock: false,
        srv: status.srv_record.is_some(),
        querymismatch: false,
        ipinsrv: false,
        cnameinsrv: false,
        animatedmotd: false,
        cachehit: true,
        cachetime: status.retrieved_at.as_seconds(),
        cacheexpire: expires_at(status, now).as_seconds(),
        apiversion: 3,
        error: failed.map(|reason| Error { ping: said(reason) }),
    }
}

/// A sentence, as that system has it.
fn said(reason: Reason) -> &'static str {
    match reason {
        Reason::Dns => "DNS lookup failed.",
        Reason::Refused => "Failed to connect.",
        Reason::Timeout => "Failed to connect: timed out.",
        Reason::ClosedBeforeStatus => "The server closed the connection before it answered.",
        _ => "The server's answer was not understood.",
    }
}

/// The release of the game in a version's name, as in `Paper 1.21.11`.
fn release(name: &str) -> Option<&str> {
    name.split_whitespace().find(|word| {
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        word.contains('.') && word.split('.').all(is_number)
    })
}

fn is_player(player: &Listed) -> bool {
    player.uuid.as_deref().is_some_and(|uuid| uuid != NIL)
}

fn list(players: &Counted) -> Vec<Player<'_>> {
    let list = players.list.iter().filter(|player| is_player(player));
    list.filter_map(|player| {
        Some(Player {
            name: &player.name_clean,
            uuid: player.uuid.as_deref()?,
        })
    })
    .collect()
}

fn info(players: &Counted) -> Option<Lines> {
    let others: Vec<_> = players
        .list
        .iter()
        .filter(|line| !is_player(line))
        .collect();
    (!others.is_empty()).then(|| Lines {
        raw: others.iter().map(|line| line.name_raw.clone()).collect(),
        clean: others.iter().map(|line| line.name_clean.clone()).collect(),
        html: others.iter().map(|line| line.name_html.clone()).collect(),
    })
}

/// Each line by itself, in its own styles.
fn lines(text: &Text) -> Lines {
    let mut lines = vec![Text::default()];
    for run in text.runs() {
        for (index, part) in run.text().split('\n').enumerate() {
            if index > 0 {
                lines.push(Text::default());
            }
            if let Some(line) = lines.last_mut() {
                line.push(part, run.style());
            }
        }
    }
    let raw = lines.iter().map(Text::to_legacy);
    Lines {
        raw: raw.collect(),
        clean: lines.iter().map(Text::to_plain).collect(),
        html: lines.iter().map(Text::to_html).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use types::status::{Observation, State};

    use super::*;
    use crate::{
        observe::tests::{answered_at, target},
        view,
    };

    fn shown(seen: &Observation) -> Value {
        let (target, now) = (target(), Timestamp::from_seconds(0));
        let status = view::status(&target.id, seen, now);
        serde_json::to_value(body(&status, now)).unwrap()
    }

    #[test]
    fn an_offline_server_says_why_and_no_more() {
        let mut seen = answered_at(0);
        (seen.online, seen.state, seen.reason) = (false, State::Offline, Some(Reason::Timeout));
        assert_eq!(
            shown(&seen),
            json!({
                "online": false, "ip": "", "port": 25565, "hostname": "mc.example.com",
                "debug": {
                    "ping": false, "query": false, "bedrock": false, "srv": false,
                    "querymismatch": false, "ipinsrv": false, "cnameinsrv": false,
                    "animatedmotd": false, "cachehit": true, "cachetime": 0, "cacheexpire": 60,
                    "apiversion": 3, "error": {"ping": "Failed to connect: timed out."}
                }
            })
        );
    }

    #[test]
    fn each_line_keeps_its_styles() {
        let mut seen = answered_at(0);
        seen.answer.as_mut().unwrap().motd.raw = "§6§lone\ntwo§r three".to_owned();
        assert_eq!(
            shown(&seen)["motd"],
            json!({
                "raw": ["§6§lone", "§6§ltwo§r three"],
                "clean": ["one", "two three"],
                "html": [
                    "<span style=\"color:#ffaa00;font-weight:bold\">one</span>",
                    "<span style=\"color:#ffaa00;font-weight:bold\">two</span> three"
                ]
            })
        );
    }

    #[test]
    fn a_line_that_is_no_player_is_info() {
        let mut seen = answered_at(0);
        let players = seen.answer.as_mut().unwrap().players.as_mut().unwrap();
        players.list.push(Listed {
            uuid: Some(NIL.to_owned()),
            name_raw: "§aVote!".to_owned(),
            name_clean: "Vote!".to_owned(),
            name_html: "Vote!".to_owned(),
        });
        let body = shown(&seen);
        let notch = json!([{"name": "Notch", "uuid": "069a79f4-44e9-4726-a5be-fca90e38aaf5"}]);
        assert_eq!(body["players"]["list"], notch);
        assert_eq!(body["info"]["clean"], json!(["Vote!"]));
    }

    #[test]
    fn a_key_without_a_value_is_left_out() {
        let mut seen = answered_at(0);
        let answer = seen.answer.as_mut().unwrap();
        (answer.version, answer.players, answer.software) = (None, None, None);
        let body = shown(&seen);
        for key in ["protocol", "icon", "software", "info", "map"] {
            assert_eq!(body.get(key), None, "{key}");
        }
        assert_eq!(body["version"], "");
        assert_eq!(body["players"], json!({"online": 0, "max": 0}));
    }

    #[test]
    fn a_release_is_found_in_a_name() {
        for (name, found) in [
            ("1.21.11", Some("1.21.11")),
            ("Paper 26.1", Some("26.1")),
            ("Velocity 1.7.2-1.21.11", None),
            ("Requires MC 1.8 / 1.21", Some("1.8")),
            ("...", None),
            ("", None),
        ] {
            assert_eq!(release(name), found, "{name}");
        }
    }
}
