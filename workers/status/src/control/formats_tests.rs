//! Every format, and which clients get which colours.

use super::*;
use crate::observe::tests::answered_at;

const NOW: i64 = 1_795_255_200;

fn render(document: &Value, format: Format, protocol: Option<i32>) -> String {
    let mut document = Document::read(document.clone()).unwrap();
    document.validate(text::check).unwrap();
    document.revision = 12;
    let seen = answered_at(NOW);
    let asked = Asked {
        document: &document,
        target: &"main".parse().unwrap(),
        seen: Some(&seen),
        now: Timestamp::from_seconds(NOW),
        protocol,
    };
    asked.render(format).unwrap()
}

fn motd() -> Value {
    json!({"motd": {"entries": [{"lines": ["<#ffaa11>genkan", "&7<online>/<max> < you"]}]}})
}

#[test]
fn json_is_pinned() {
    assert_eq!(
        render(
            &json!({
                "maintenance": {"enabled": true, "message": "<#ff0000>Closed <countdown>", "reason": "disk",
                                "ends_at": "2026-11-21T10:30:00Z", "auto_end": "at-end", "allow": ["Notch"]}
            }),
            Format::Json,
            None
        ),
        concat!(
            r#"{"revision":12,"target":"main","mode":"maintenance","motd":{"raw":"§x§f§f§0§0§0§0Closed 30m","#,
            r#""clean":"Closed 30m","html":"<span style=\"color:#ff0000\">Closed 30m</span>","#,
            r##""minimessage":"<#ff0000>Closed 30m</#ff0000>","component":{"color":"#ff0000","text":"Closed 30m"}},"##,
            r##""icon":null,"maintenance":{"active":true,"message":"<#ff0000>Closed 30m</#ff0000>","reason":"disk","##,
            r#""starts_at":null,"ends_at":"2026-11-21T10:30:00Z","allow":["Notch"]},"#,
            r#""next_change_at":"2026-11-21T10:30:00Z"}"#,
        )
    );
    assert_eq!(
        render(&json!({}), Format::Json, None),
        concat!(
            r#"{"revision":12,"target":"main","mode":"normal","motd":null,"icon":null,"#,
            r#""maintenance":{"active":false,"message":null,"reason":null,"starts_at":null,"ends_at":null,"allow":[]},"#,
            r#""next_change_at":null}"#,
        )
    );
}

#[test]
fn scripts_get_the_motd_alone() {
    assert_eq!(
        render(&motd(), Format::MiniMessage, None),
        "<#ffaa11>genkan</#ffaa11><newline><gray>1/20 \\< you</gray>"
    );
    assert_eq!(
        render(&motd(), Format::Legacy, None),
        "§x§f§f§a§a§1§1genkan§r\n§71/20 < you"
    );
    for format in [Format::MiniMessage, Format::Legacy] {
        assert_eq!(render(&json!({}), format, None), "");
    }
}

#[test]
fn clients_before_1_16_get_sixteen_colours() {
    let shown = |protocol| render(&motd(), Format::Legacy, Some(protocol));
    assert_eq!(shown(734), "§6genkan§r\n§71/20 < you");
    assert_eq!(shown(47), shown(734));
    assert!(shown(735).starts_with("§x"));
    let old = render(&motd(), Format::Json, Some(340));
    assert!(
        !old.contains("#ffaa11") && old.contains("color:#ffaa00"),
        "{old}"
    );
}

#[test]
fn minimotd_gets_every_entry_with_its_own_placeholders() {
    let mut document = motd();
    let entries = document["motd"]["entries"].as_array_mut().unwrap();
    entries.push(json!({"lines": ["<bold>one line on <version>"]}));
    let config: Value = serde_json::from_str(&render(&document, Format::MiniMotd, None)).unwrap();
    assert_eq!(
        config,
        json!({
            "motd-enabled": true,
            "motds": [
                {"line1": "<#ffaa11>genkan</#ffaa11>",
                 "line2": "<gray><online_players>/<max_players> \\< you</gray>", "icon": "genkan"},
                {"line1": "<bold>one line on Paper 1.21</bold>", "line2": "", "icon": "genkan"},
            ],
            "icon-enabled": false,
            "player-count-settings": {"max-players-enabled": false},
        })
    );
    let closed = json!({"maintenance": {"enabled": true, "message": "<red>Closed<newline>now"}});
    let config: Value = serde_json::from_str(&render(&closed, Format::MiniMotd, None)).unwrap();
    assert_eq!(
        config["motds"],
        json!([{"line1": "<red>Closed</red>", "line2": "<red>now</red>", "icon": "genkan"}])
    );
    let config: Value = serde_json::from_str(&render(&json!({}), Format::MiniMotd, None)).unwrap();
    assert_eq!(
        (&config["motd-enabled"], &config["motds"]),
        (&json!(false), &json!([]))
    );
}

#[test]
fn the_maintenance_plugin_gets_its_switch_and_message() {
    let closed = json!({"maintenance": {"enabled": true, "message": "<red>Closed<newline>now"}});
    let config: Value = serde_json::from_str(&render(&closed, Format::Maintenance, None)).unwrap();
    assert_eq!(
        config,
        json!({
            "maintenance-enabled": true,
            "enable-pingmessages": true,
            "pingmessages": ["<red>Closed<newline>now</red>"],
            "enable-timerspecific-messages": false,
        })
    );
    let config: Value = serde_json::from_str(&render(&motd(), Format::Maintenance, None)).unwrap();
    assert_eq!(
        (
            &config["maintenance-enabled"],
            &config["enable-pingmessages"]
        ),
        (&json!(false), &json!(false))
    );
}

#[test]
fn formats_have_names() {
    for (name, format) in [
        ("", Format::Json),
        ("json", Format::Json),
        ("minimotd", Format::MiniMotd),
    ] {
        assert_eq!(Format::from_name(name), Some(format));
    }
    assert_eq!(Format::from_name("yaml"), None);
}
