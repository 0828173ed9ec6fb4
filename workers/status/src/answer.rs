//! What is kept of a server's answer: bounded, so that twenty targets fit in one KV value whatever
//! they send.
//!
//! Characters are cut off at the end. Where there are more styles than would be shown by any
//! server, the text goes on in the last one: HTML takes a hundred bytes for each.

use minecraft::{
    clean::{self, ServerStatus},
    text::{Style, Text},
};
use types::status::{Answer, Latency, Motd, Player, Players, Version};

/// The most characters that are kept: of a MOTD (two lines are shown), and of any name.
const MOTD_CHARS: usize = 2048;
const NAME_CHARS: usize = 128;
/// The most changes of style: in a MOTD, in a name, and in a list of players.
const MOTD_STYLES: usize = 512;
const NAME_STYLES: usize = 128;
const LIST_STYLES: usize = 1024;

/// The answer of a server that took this long; with `privacy`, without its players' names.
pub fn answer(status: &ServerStatus, latency_ms: Latency, privacy: bool) -> Answer {
    let mut styles = MOTD_STYLES;
    let motd = shortened(&status.motd, MOTD_CHARS, &mut styles);
    Answer {
        latency_ms,
        version: status.version.as_ref().map(version),
        players: players(&status.players, privacy),
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
    let mut styles = NAME_STYLES;
    let name = shortened(&version.name, NAME_CHARS, &mut styles);
    Version {
        name_raw: raw(&name),
        name_clean: name.to_plain(),
        name_html: name.to_html(),
        protocol: version.protocol,
    }
}

/// `None` when the server says nothing of players. A negative number, as some proxies send, counts
/// nothing.
fn players(players: &clean::Players, privacy: bool) -> Option<Players> {
    let count = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
    let mut styles = LIST_STYLES;
    let list = if privacy {
        Vec::new()
    } else {
        let sample = players.sample.iter();
        sample.map(|one| player(one, &mut styles)).collect()
    };
    let kept = Players {
        online: count(players.online),
        max: count(players.max),
        list,
    };
    (kept.online.is_some() || kept.max.is_some() || !kept.list.is_empty()).then_some(kept)
}

fn player(player: &clean::Player, styles: &mut usize) -> Player {
    let mut own = NAME_STYLES.min(*styles);
    let granted = own;
    let name = shortened(&player.name, NAME_CHARS, &mut own);
    *styles -= granted - own;
    Player {
        uuid: player.uuid.map(|uuid| uuid.to_string()),
        name_raw: raw(&name),
        name_clean: name.to_plain(),
        name_html: name.to_html(),
    }
}

fn raw(text: &Text) -> String {
    text.to_legacy()
}

/// The first characters, in their styles as long as there are any left.
fn shortened(text: &Text, chars: usize, styles: &mut usize) -> Text {
    let mut short = Text::default();
    let mut left = chars;
    let mut style = Style::default();
    for run in text.runs() {
        if *styles > 0 && run.style() != style {
            *styles -= 1;
            style = run.style();
        }
        let end = run.text().char_indices().nth(left);
        let piece = end.map_or(run.text(), |(end, _)| &run.text()[..end]);
        short.push(piece, style);
        left -= piece.chars().count();
        if left == 0 {
            break;
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
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
        answer(&status, LATENCY, false)
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
        assert_eq!(
            answer.motd.html,
            "<span style=\"color:#f2a65a\">a<br>b</span>"
        );
        assert_eq!(answer.motd.minimessage, "<#f2a65a>a<newline>b</#f2a65a>");
        assert_eq!(
            player.name_html,
            "<span style=\"color:#55ff55\">Notch</span>"
        );
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
    fn with_privacy_players_are_counted_and_not_named() {
        let status = json!({"players": {"online": 2, "max": 20, "sample": [
            {"name": "Notch", "id": "069a79f4-44e9-4726-a5be-fca90e38aaf5"}
        ]}});
        let status = ServerStatus::from_json(status.to_string().as_bytes()).unwrap();
        let answer = answer(&status, LATENCY, true);
        let players = answer.players.as_ref().unwrap();
        assert_eq!((players.online, players.max), (Some(2), Some(20)));
        let text = serde_json::to_string(&answer).unwrap();
        assert!(
            !text.contains("Notch") && !text.contains("069a79f4"),
            "{text}"
        );
    }

    #[test]
    fn text_goes_on_in_the_last_style_when_there_are_too_many() {
        let text = Text::from_legacy("plain§ared§bblue§cend");
        let mut styles = 2;
        let short = shortened(&text, 100, &mut styles);
        assert_eq!(raw(&short), "plain§ared§bblueend");
        assert_eq!(styles, 0);
    }

    /// A favicon as large as one may be.
    fn largest() -> Vec<u8> {
        let (head, end) = crate::views::icon::DEFAULT.split_at(33);
        let fill = minecraft::favicon::MAX_BYTES - head.len() - end.len() - 12;
        let length = u32::try_from(fill).unwrap().to_be_bytes();
        [head, &length, b"tEXt", &vec![b'a'; fill + 4], end].concat()
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
            "data:image/png;base64,{}",
            BASE64_STANDARD.encode(largest())
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
        assert!(bytes < 750_000, "{bytes}");
        assert!(20 * bytes < 25 << 20);
    }

    proptest! {
        #[test]
        fn shortening_keeps_the_first_characters(text: String, chars in 0_usize..40) {
            let whole = Text::from_legacy(&text);
            let expected: String = whole.to_plain().chars().take(chars).collect();
            let mut few = chars / 4;
            prop_assert_eq!(shortened(&whole, chars, &mut few).to_plain(), expected);
            prop_assert_eq!(shortened(&whole, usize::MAX, &mut usize::MAX.clone()), whole);
        }
    }
}
