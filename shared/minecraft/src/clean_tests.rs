//! Status JSON: a captured one, odd ones, hostile ones.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn status(value: &Value) -> ServerStatus {
    ServerStatus::from_json(value.to_string().as_bytes()).unwrap()
}

#[test]
fn a_captured_status_is_read_in_full() {
    let bytes = include_bytes!("../../../fixtures/ping/status-response.bin");
    let status = ServerStatus::from_json(&bytes[5..]).unwrap();
    let version = status.version.unwrap();
    assert_eq!(
        (version.name.to_plain().as_str(), version.protocol),
        ("1.21.11", Some(774))
    );
    assert_eq!(
        (status.players.online, status.players.max),
        (Some(2), Some(100))
    );
    let [steve, line] = &status.players.sample[..] else {
        panic!("{:?}", status.players)
    };
    assert_eq!(
        steve.uuid.unwrap().to_string(),
        "8667ba71-b85a-4004-af54-457a9734eed7"
    );
    assert_eq!(steve.name.to_plain(), "Steve");
    assert_eq!(line.name.to_legacy(), "§7and one more");
    assert_eq!(status.motd.to_plain(), "genkan\na warm entrance");
    assert_eq!(
        status.motd.to_legacy(),
        "§6§lgenkan§r\n§x§b§2§3§a§4§8a warm §r§oentrance"
    );
    assert_eq!(&status.favicon.unwrap().png()[12..16], b"IHDR");
}

#[test]
fn an_empty_object_is_a_status_that_says_nothing() {
    assert_eq!(status(&json!({})), ServerStatus::default());
    assert_eq!(
        status(&json!({"version": null, "players": null, "description": null, "favicon": null})),
        ServerStatus::default()
    );
}

#[test]
fn a_field_of_the_wrong_type_costs_only_itself() {
    let odd = status(&json!({
        "version": {"name": {"text": "Paper"}, "protocol": "774"},
        "players": {"online": 3.0, "max": null, "sample": {"name": "no list"}},
        "description": ["a", {"text": "b"}],
        "favicon": 7,
        "modinfo": [],
    }));
    let version = odd.version.unwrap();
    assert_eq!(
        (version.name.to_plain().as_str(), version.protocol),
        ("Paper", None)
    );
    assert_eq!(
        odd.players,
        Players {
            online: Some(3),
            max: None,
            sample: vec![]
        }
    );
    assert_eq!(odd.motd.to_plain(), "ab");
    assert_eq!(
        status(&json!({"version": [], "players": "none", "description": "x"}))
            .motd
            .to_plain(),
        "x"
    );
}

#[test]
fn hidden_and_joking_player_counts_are_kept_as_they_are() {
    let players = |value| status(&json!({"players": value})).players;
    assert_eq!(players(json!({"online": 5})).max, None);
    assert_eq!(players(json!({"online": 5, "max": 0})).max, Some(0));
    assert_eq!(
        players(json!({"online": -1, "max": 1e12})),
        Players {
            online: Some(-1),
            ..Players::default()
        }
    );
}

#[test]
fn a_sample_is_bounded_and_its_junk_left_out() {
    let junk = json!({"players": {"sample": [
        null, 1, "text", {}, {"id": "8667ba71-b85a-4004-af54-457a9734eed7"}, {"name": ["x"]},
        {"name": "§bno id"}, {"name": "short", "id": "1234"}, {"name": "", "id": null},
    ]}});
    let sample = status(&junk).players.sample;
    let names: Vec<String> = sample.iter().map(|player| player.name.to_plain()).collect();
    assert_eq!(names, ["no id", "short", ""]);
    assert!(sample.iter().all(|player| player.uuid.is_none()));
    let crowd = json!({"players": {"sample": vec![json!({"name": "x"}); 5_000]}});
    assert_eq!(status(&crowd).players.sample.len(), MAX_SAMPLE);
}

#[test]
fn what_is_no_json_object_is_bad_json() {
    let nested = br#"{"description":"#.repeat(200_000);
    let cases: [&[u8]; 9] = [
        b"",
        b" ",
        b"null",
        b"[]",
        b"\"text\"",
        b"{",
        b"{}x",
        b"\xff\xfe\x00",
        nested.as_slice(),
    ];
    for bytes in cases {
        let failure = ServerStatus::from_json(bytes).unwrap_err();
        assert_eq!(
            failure.reason(),
            "bad-json",
            "{}",
            bytes[..bytes.len().min(40)].escape_ascii()
        );
    }
}

#[test]
fn odd_characters_and_duplicate_keys_are_survived() {
    let bytes = b"{\"description\":\"first\",\"description\":\"\\ud800 \xff \\u0000 end\"}";
    assert_eq!(
        ServerStatus::from_json(bytes).unwrap().motd.to_plain(),
        "\u{fffd} \u{fffd} \0 end"
    );
}

#[test]
fn software_is_named_only_when_it_is_known() {
    let software = |name: &str| {
        Version {
            name: Text::from_legacy(name),
            protocol: None,
        }
        .software()
    };
    assert_eq!(software("Velocity 1.7.2-1.21.11"), Some("Velocity"));
    assert_eq!(software("§6paper 1.21.11"), Some("Paper"));
    assert_eq!(software("1.21.11"), None);
    assert_eq!(software("Requires MC 1.8 / 1.21"), None);
    assert_eq!(software(""), None);
}

proptest! {
    #[test]
    fn any_bytes_are_a_status_or_bad_json(bytes: Vec<u8>) {
        if let Err(failure) = ServerStatus::from_json(&bytes) {
            prop_assert_eq!(failure.reason(), "bad-json");
        }
    }

    #[test]
    fn a_captured_status_with_damage_is_a_status_or_bad_json(at in 0..662_usize, byte: u8) {
        let mut bytes = include_bytes!("../../../fixtures/ping/status-response.bin")[5..].to_vec();
        bytes[at] = byte;
        let _ = ServerStatus::from_json(&bytes);
    }
}
