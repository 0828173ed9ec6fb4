//! The stored form, its defaults, overrides and bounds.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn id(text: &str) -> TargetId {
    text.parse().unwrap()
}

fn read(value: Value) -> Document {
    Document::read(value).unwrap()
}

fn problem(value: Value) -> String {
    let read = Document::read(value).and_then(|document| document.validate(|_| Ok(())));
    read.unwrap_err().to_string()
}

#[test]
fn the_stored_form_is_pinned() {
    let text = concat!(
        r#"{"v":1,"revision":12,"updated_at":"2026-11-21T10:00:00Z","updated_by":"ci","#,
        r#""maintenance":{"enabled":true,"message":"<yellow>Back at 18:00","reason":"disk","#,
        r#""starts_at":"2026-11-21T12:00:00Z","ends_at":"2026-11-21T18:00:00Z","#,
        r#""auto_end":"when-healthy","allow":["Notch"]},"#,
        r#""motd":{"rotate_seconds":30,"entries":[{"lines":["<gold>genkan","<online>/<max>"]}]},"#,
        r#""icon":null,"#,
        r#""targets":{"lobby":{"maintenance":{"enabled":false,"message":null},"motd":{"entries":[]},"icon":null}},"#,
        r#""ended":{"main":"2026-11-21T18:00:00Z"}}"#,
    );
    assert_eq!(Document::from_text(text).unwrap().to_text(), text);
    assert_eq!(
        Document::default().to_text(),
        concat!(
            r#"{"v":1,"revision":0,"updated_at":null,"updated_by":null,"maintenance":{"enabled":false,"#,
            r#""message":null,"reason":null,"starts_at":null,"ends_at":null,"auto_end":"never","allow":[]},"#,
            r#""motd":{"rotate_seconds":60,"entries":[]},"icon":null,"targets":{}}"#,
        )
    );
    assert_eq!(read(json!({})), Document::default());
}

#[test]
fn a_target_overrides_any_key_and_inherits_the_rest() {
    let document = read(json!({
        "maintenance": {"enabled": true, "message": "general", "reason": "disk", "allow": ["a"]},
        "motd": {"rotate_seconds": 30, "entries": [{"lines": ["x"]}]},
        "icon": "general",
        "targets": {
            "lobby": {"maintenance": {"enabled": false, "message": null, "allow": []}, "icon": null},
            "games": {"motd": {"entries": []}},
        },
    }));
    let lobby = document.settings(&id("lobby"));
    assert_eq!(
        (
            lobby.maintenance.enabled,
            lobby.maintenance.message.as_deref(),
            lobby.icon
        ),
        (false, None, None)
    );
    assert_eq!(lobby.maintenance.reason.as_deref(), Some("disk"));
    assert!(lobby.maintenance.allow.is_empty());
    assert_eq!(lobby.motd, document.motd);
    let games = document.settings(&id("games"));
    assert_eq!(
        (games.motd.rotate_seconds, games.motd.entries.len()),
        (30, 0)
    );
    assert_eq!(games.maintenance, document.maintenance);
    assert_eq!(
        document.settings(&id("other")).icon.as_deref(),
        Some("general")
    );
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let lines = |lines: Value| json!({"motd": {"entries": [{"lines": lines}]}});
    let long = "x".repeat(1025);
    let table = [
        (json!([]), "must be an object"),
        (
            json!({"maintenance": [true]}),
            "maintenance: must be an object",
        ),
        (
            json!({"motd": {"entries": [["x"]]}}),
            "motd.entries[0]: must be an object",
        ),
        (
            json!({"targets": {"a": {"motd": null}}}),
            "targets.a.motd: must be an object",
        ),
        (json!({"v": 2}), "v: version 2 is not known here, only 1"),
        (json!({"motds": {}}), "motds: unknown field `motds`"),
        (
            json!({"motd": {"entries": [{"line": []}]}}),
            "motd.entries[0].line: unknown field `line`",
        ),
        (
            json!({"maintenance": {"auto_end": "later"}}),
            "maintenance.auto_end: unknown variant `later`",
        ),
        (
            json!({"maintenance": {"starts_at": "soon"}}),
            "maintenance.starts_at: not an RFC 3339 time",
        ),
        (
            lines(json!([])),
            "motd.entries[0].lines: must be one line or two",
        ),
        (
            lines(json!(["a", "b", "c"])),
            "motd.entries[0].lines: must be one line or two",
        ),
        (
            lines(json!(["a", long])),
            "motd.entries[0].lines[1]: has 1025 bytes; 1024 are the most",
        ),
        (
            lines(json!(["a\u{0}"])),
            "motd.entries[0].lines[0]: character 1 is the control character '\\0'",
        ),
        (
            json!({"motd": {"rotate_seconds": 4}}),
            "motd.rotate_seconds: must be from 5 to 86400",
        ),
        (
            json!({"maintenance": {"auto_end": "at-end"}}),
            "maintenance.auto_end: needs ends_at",
        ),
        (
            json!({"maintenance": {"allow": ["a b"]}}),
            "maintenance.allow[0]: must be a player's name or UUID",
        ),
        (
            json!({"maintenance": {"starts_at": "2026-01-01T00:00:00Z", "ends_at": "2026-01-01T00:00:00Z"}}),
            "maintenance.ends_at: must be later than starts_at",
        ),
        (
            json!({"targets": {"lobby": {"motd": {"rotate_seconds": 0}}}}),
            "targets.lobby.motd.rotate_seconds: must be",
        ),
        (json!({"targets": {"Lobby": {}}}), "targets"),
        (
            json!({"motd": {"entries": vec![json!({"lines": ["x"]}); 33]}}),
            "motd.entries: there are 33; 32 are the most",
        ),
    ];
    for (value, expected) in table {
        let problem = problem(value);
        assert!(problem.starts_with(expected), "{problem} / {expected}");
    }
    let entries = vec![json!({"lines": ["x".repeat(1024), "y".repeat(1024)]}); 30];
    let problem = problem(json!({"motd": {"entries": entries}}));
    assert!(problem.starts_with("the document has "), "{problem}");
}

#[test]
fn the_worker_judges_texts_of_every_target() {
    let document = read(json!({"targets": {"lobby": {"icon": "bad"}}}));
    let judged = document.validate(|settings| match settings.icon {
        Some(_) => Err(Invalid::new("icon", "no")),
        None => Ok(()),
    });
    assert_eq!(judged.unwrap_err().to_string(), "targets.lobby.icon: no");
}

#[test]
fn differences_are_told_by_target() {
    let before = read(json!({"targets": {"a": {"icon": null}, "b": {"icon": null}}}));
    let after = read(json!({"targets": {"a": {"icon": null}, "c": {}}}));
    let (general, targets) = before.differences(&after);
    assert!(!general);
    assert_eq!(
        targets
            .into_iter()
            .map(TargetId::as_str)
            .collect::<Vec<_>>(),
        ["b", "c"]
    );
    assert!(before.differences(&read(json!({"icon": "x"}))).0);
}

proptest! {
    #[test]
    fn any_json_is_a_document_or_an_error(text in r#"[{}\[\]":,a-z0-9]{0,60}"#) {
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            let _ = Document::read(value).and_then(|document| document.validate(|_| Ok(())));
        }
    }
}
