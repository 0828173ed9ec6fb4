//! Which form a line is in, what it becomes, and what is refused.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use proptest::prelude::*;
use serde_json::json;
use types::control::Document;

use super::*;

fn value(name: &str) -> Option<String> {
    let value = match name {
        "online" => "12",
        "version" => "§cPaper &6<bold>",
        name if NAMES.contains(&name) => "?",
        _ => return None,
    };
    Some(value.to_owned())
}

fn minimessage(source: &str) -> String {
    let (text, errors) = read(source, &value);
    assert_eq!(errors, [], "{source}");
    text.to_minimessage()
}

#[test]
fn a_line_is_minimessage_or_has_codes() {
    let table = [
        ("<gold>genkan", "<gold>genkan</gold>"),
        ("<gold>R&D &6x", "<gold>R&D &6x</gold>"),
        ("&6R&lx", "<gold>R<bold>x</bold></gold>"),
        ("§6R§LX", "<gold>R<bold>X</bold></gold>"),
        ("&#F2a65aR", "<#f2a65a>R</#f2a65a>"),
        ("§x§f§2§a§6§5§aR", "<#f2a65a>R</#f2a65a>"),
        ("&7<online>/<max>", "<gray>12/?</gray>"),
        ("<online>", "12"),
        ("you & me, 3 < 4 && 5", "you & me, 3 \\< 4 && 5"),
        ("&6one\ntwo", "<gold>one</gold><newline>two"),
        (
            "<gold>one\n&7two",
            "<gold>one</gold><newline><gray>two</gray>",
        ),
        ("<red>one<newline>two", "<red>one<newline>two</red>"),
        ("&#f2a65", "&#f2a65"),
        ("&", "&"),
        ("", ""),
    ];
    for (source, expected) in table {
        assert_eq!(minimessage(source), expected, "{source:?}");
    }
}

#[test]
fn what_a_placeholder_stands_for_is_text() {
    assert_eq!(
        minimessage("<red><version>"),
        "<red>cPaper &6\\<bold></red>"
    );
    assert_eq!(minimessage("&c<version>"), "<red>cPaper &6\\<bold></red>");
    let named = |name: &str| (name == "version").then(|| "<reason>".to_owned());
    let of_another = |name: &str| named(name).or_else(|| Some("20".to_owned()));
    for line in ["<red><version> <max>", "&c<version> <max>"] {
        assert_eq!(
            read(line, &of_another).0.to_plain(),
            "<reason> 20",
            "{line}"
        );
    }
}

#[test]
fn problems_have_their_character() {
    let told = |source: &str, lines| -> Vec<(usize, String)> {
        let told = problems(source, lines).into_iter();
        told.map(|error| (error.at, error.message)).collect()
    };
    assert_eq!(told("<gold>fine &6 <online>", 1), []);
    assert_eq!(told("a\nü<foo>", 2), [(3, "unknown tag <foo>".to_owned())]);
    assert_eq!(
        told("<red>§6x", 1),
        [(5, "§ codes do nothing in MiniMessage".to_owned())]
    );
    assert_eq!(
        told("a<newline>b<br>c", 2),
        [(0, "has 3 lines; the most here: 2".to_owned())]
    );
    assert_eq!(told("&6a\nb", 1).len(), 1);
}

#[test]
fn settings_are_refused_with_the_place() {
    let problem = |value| {
        let document = Document::read(value).unwrap();
        document.validate(check).unwrap_err().to_string()
    };
    assert_eq!(
        problem(json!({"motd": {"entries": [{"lines": ["a", "b <foo>"]}]}})),
        "motd.entries[0].lines[1]: character 2: unknown tag <foo>"
    );
    assert_eq!(
        problem(json!({"targets": {"lobby": {"maintenance": {"message": "</red>"}}}})),
        "targets.lobby.maintenance.message: character 0: </red> closes no tag"
    );
    let uri = |png: &[u8]| format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png));
    let small = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\0\0\0\0\0\0\0\0IEND\0\0\0\0";
    let table = [
        (
            "https://example.com/i.png".to_owned(),
            "must be a PNG, whole",
        ),
        (uri(small), "has 1×1 pixels; the game shows 64×64 alone"),
        (format!("{}\n", uri(small)), "must be base64 in one line"),
        (
            uri(&[small, &b"x"[..]].concat()),
            "must be base64 in one line",
        ),
        (uri(&small[..small.len() - 1]), "must be a PNG, whole"),
        (uri(&small[..9]), "must be a PNG, whole"),
        (uri(b"<svg>"), "must be a PNG, whole"),
    ];
    for (icon, expected) in table {
        let problem = problem(json!({ "icon": icon }));
        assert!(
            problem.starts_with(&format!("icon: {expected}")),
            "{problem}"
        );
    }
}

#[test]
fn old_clients_get_sixteen_colours() {
    let (text, _) = read("<#ff0000>a<gradient:#0000aa:#ffff55>bc", &value);
    let old = text.downsampled();
    assert_eq!(old.to_plain(), "abc");
    assert!(
        !old.to_minimessage().contains('#'),
        "{}",
        old.to_minimessage()
    );
    assert!(!old.to_legacy().contains("§x"));
}

proptest! {
    #[test]
    fn any_line_is_read(source in r"[<>/:§&#\\a-fx0-9 \n玄]{0,60}") {
        let (text, _) = read(&source, &value);
        let plain = text.to_plain();
        prop_assert!(!plain.contains('§'));
        prop_assert!(plain.split('\n').count() >= source.split('\n').count());
        prop_assert_eq!(text.downsampled().to_plain(), plain);
        let _ = problems(&source, 2);
    }
}
