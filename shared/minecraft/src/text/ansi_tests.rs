//! Sequences byte by byte, and taken away again at random.

use proptest::prelude::*;

use crate::text::{Style, Text, shown, testing};

#[test]
fn every_style_is_a_sequence() {
    let table = [
        ("plain\ntext", "plain\ntext"),
        ("§6gold", "\x1b[0;38;2;255;170;0mgold\x1b[0m"),
        ("§lbold§r none", "\x1b[0;1mbold\x1b[0m none"),
        (
            "§x§b§2§3§a§4§8§k§l§m§n§oall",
            "\x1b[0;5;1;9;4;3;38;2;178;58;72mall\x1b[0m",
        ),
    ];
    for (legacy, ansi) in table {
        assert_eq!(Text::from_legacy(legacy).to_ansi(), ansi, "{legacy}");
    }
}

#[test]
fn no_control_character_of_the_text_reaches_the_terminal() {
    let mut text = Text::default();
    text.push("a\x1b[2J\u{9b}31m\x07\r\0\x7f\tb\n", Style::default());
    assert_eq!(text.to_ansi(), "a[2J31mb\n");
}

proptest! {
    #[test]
    fn without_its_sequences_ansi_is_the_text(text in testing::text()) {
        let ansi = text.to_ansi();
        let mut parts = ansi.split("\x1b[");
        let mut rest = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (sequence, characters) = part.split_once('m').unwrap();
            prop_assert!(sequence.bytes().all(|byte| byte.is_ascii_digit() || byte == b';'));
            rest.push_str(characters);
        }
        let plain: String = shown(&text.to_plain()).collect();
        prop_assert_eq!(rest, plain);
        prop_assert!(!ansi.contains("\x1b[") || ansi.ends_with("\x1b[0m") || text.runs().last().is_some_and(|run| run.style() == Style::default()));
    }
}
