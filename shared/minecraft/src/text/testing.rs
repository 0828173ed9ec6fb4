//! Texts for property tests.

use proptest::prelude::*;

use super::{Color, Decoration, NamedColor, Style, Text};

pub(crate) fn style() -> impl Strategy<Value = Style> {
    let color = prop_oneof![
        Just(None),
        prop::sample::select(&NamedColor::ALL[..]).prop_map(|named| Some(Color::Named(named))),
        any::<[u8; 3]>().prop_map(|rgb| Some(Color::Rgb(rgb))),
    ];
    (color, any::<[bool; 5]>()).prop_map(|(color, on)| {
        let plain = color.map_or(Style::default(), |color| Style::default().colored(color));
        Decoration::ALL
            .into_iter()
            .zip(on)
            .fold(plain, |style, (decoration, on)| style.with(decoration, on))
    })
}

/// Characters that some format gives a meaning, among others.
fn characters() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        r#"[<>&"'\\/:§#!\x00-\x1f\x1b\x7f-\x9f a-c😀]{0,12}"#,
    ]
}

pub(crate) fn runs() -> impl Strategy<Value = Vec<(String, Style)>> {
    prop::collection::vec((characters(), style()), 0..8)
}

pub(crate) fn text() -> impl Strategy<Value = Text> {
    runs().prop_map(|runs| joined(&runs))
}

pub(crate) fn joined(runs: &[(String, Style)]) -> Text {
    let mut text = Text::default();
    for (characters, style) in runs {
        text.push(characters, *style);
    }
    text
}
