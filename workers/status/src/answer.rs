//! What is kept of a server's answer: bounded, so that twenty targets fit in one KV value whatever
//! they send.

use minecraft::{
    clean::{self, ServerStatus},
    text::{HexColors, Text},
};
use types::status::{Answer, Latency, Motd, Player, Players, Version};

/// The most characters that are kept: of a MOTD (two lines are shown), and of any name.
const MOTD_CHARS: usize = 2048;
const NAME_CHARS: usize = 128;

/// The answer of a server that took this long.
pub fn answer(status: &ServerStatus, latency_ms: Latency) -> Answer {
    let motd = shortened(&status.motd, MOTD_CHARS);
    Answer {
        latency_ms,
        version: status.version.as_ref().map(version),
        players: players(&status.players),
        motd: Motd {
            raw: raw(&motd),
            clean: motd.to_plain(),
            html: motd.to_html(),
            minimessage: motd.to_minimessage(),
        },
        icon: status
            .favicon
            .as_ref()
            .map(minecraft::favicon::Favicon::to_data_uri),
        software: status
            .version
            .as_ref()
            .and_then(clean::Version::software)
            .map(str::to_owned),
    }
}

fn version(version: &clean::Version) -> Version {
    let name = shortened(&version.name, NAME_CHARS);
    Version {
        name_raw: raw(&name),
        name_clean: name.to_plain(),
        name_html: name.to_html(),
        protocol: version.protocol,
    }
}

/// `None` when the server says nothing of players. A negative number, as some proxies send, counts
/// nothing.
fn players(players: &clean::Players) -> Option<Players> {
    let count = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
    let kept = Players {
        online: count(players.online),
        max: count(players.max),
        list: players.sample.iter().map(player).collect(),
    };
    (kept.online.is_some() || kept.max.is_some() || !kept.list.is_empty()).then_some(kept)
}

fn player(player: &clean::Player) -> Player {
    let name = shortened(&player.name, NAME_CHARS);
    Player {
        uuid: player.uuid.map(|uuid| uuid.to_string()),
        name_raw: raw(&name),
        name_clean: name.to_plain(),
        name_html: name.to_html(),
    }
}

fn raw(text: &Text) -> String {
    text.to_legacy(HexColors::Exact)
}

/// The first characters, in their styles.
fn shortened(text: &Text, chars: usize) -> Text {
    let mut short = Text::default();
    let mut left = chars;
    for run in text.runs() {
        let end = run.text().char_indices().nth(left);
        let piece = end.map_or(run.text(), |(end, _)| &run.text()[..end]);
        short.push(piece, run.style());
        left -= piece.chars().count();
        if left == 0 {
            break;
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const LATENCY: Latency = Latency {
        connect: 1,
        status: 2,
        pong: None,
    };

    fn read(json: &Value) -> Answer {
        let status = ServerStatus::from_json(json.to_string().as_bytes()).unwrap();
        answer(&status, LATENCY)
    }

    #[test]
    fn a_status_becomes_an_answer() {
        let answer = read(&json!({
            "version": {"name": "Velocity 1.7.2-1.21.11", "protocol": 774},
            "players": {"online": 1, "max": 0, "sample": [
                {"name": "§aNotch", "id": "069a79f4-44e9-4726-a5be-fca90e38aaf5"}
            ]},
            "description": {"text": "a", "color": "#f2a65a", "extra": ["\nb"]},
        }));
        assert_eq!(answer.latency_ms, LATENCY);
        let version = answer.version.unwrap();
        assert_eq!(version.name_raw, "Velocity 1.7.2-1.21.11");
        assert_eq!(version.protocol, Some(774));
        let players = answer.players.unwrap();
        assert_eq!((players.online, players.max), (Some(1), Some(0)));
        let player = &players.list[0];
        assert_eq!(
            player.uuid.as_deref(),
            Some("069a79f4-44e9-4726-a5be-fca90e38aaf5")
        );
        assert_eq!(
            (player.name_raw.as_str(), player.name_clean.as_str()),
            ("§aNotch", "Notch")
        );
        assert_eq!(answer.motd.raw, "§x§f§2§a§6§5§aa\nb");
        assert_eq!(answer.motd.clean, "a\nb");
        assert_eq!(answer.software.as_deref(), Some("Velocity"));
        assert_eq!(answer.icon, None);
    }

    #[test]
    fn what_was_not_said_is_none() {
        let answer = read(&json!({}));
        assert_eq!(
            (answer.version, answer.players, answer.icon),
            (None, None, None)
        );
        assert_eq!(answer.motd.raw, "");
        let answer = read(&json!({"players": {"online": -1, "max": -1}}));
        assert_eq!(answer.players, None);
    }

    #[test]
    fn twenty_answers_of_the_worst_kind_fit_in_one_kv_value() {
        let per_letter = |letters: usize| -> Value {
            (0..letters)
                .map(|n| json!({"text": "\u{1}", "bold": n % 2 == 0, "color": format!("#{n:06x}")}))
                .collect()
        };
        let name = "§a\u{1}§b\u{1}".repeat(NAME_CHARS);
        let sample = vec![json!({"name": name, "id": "069a79f4-44e9-4726-a5be-fca90e38aaf5"}); 110];
        let icon = format!(
            "data:image/png;base64,iVBORw0KGgoA{}",
            "AAAA".repeat(21_800)
        );
        let answer = read(&json!({
            "version": {"name": name}, "players": {"sample": sample}, "favicon": icon,
            "description": per_letter(10_000),
        }));
        assert!(answer.icon.is_some());
        assert_eq!(answer.motd.clean.chars().count(), MOTD_CHARS);
        assert_eq!(
            answer.players.as_ref().unwrap().list.len(),
            clean::MAX_SAMPLE
        );
        let bytes = serde_json::to_string(&answer).unwrap().len();
        assert!(20 * bytes < 25 << 20, "{bytes}");
    }

    proptest! {
        #[test]
        fn shortening_keeps_the_first_characters(text: String, chars in 0_usize..40) {
            let whole = Text::from_legacy(&text);
            let expected: String = whole.to_plain().chars().take(chars).collect();
            prop_assert_eq!(shortened(&whole, chars).to_plain(), expected);
            prop_assert_eq!(shortened(&whole, usize::MAX), whole);
        }
    }
}
