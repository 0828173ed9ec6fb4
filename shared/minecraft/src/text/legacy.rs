//! `§` strings, both ways.
//!
//! A colour code ends decorations, `§r` returns to the surrounding style, an unknown code is skipped with its `§`. RGB
//! is `§x` and six digits, each behind its own `§`: what Spigot and the proxies use, unknown to the vanilla client.
//!
//! Spec: "Formatting codes" (minecraft.wiki).

use std::str::Chars;

use super::{Color, Decoration, NamedColor, Style, Text};

impl Text {
    /// Reads a `§` string.
    pub fn from_legacy(text: &str) -> Self {
        let mut out = Self::default();
        out.push_legacy(text, Style::default());
        out
    }

    /// Appends a `§` string; `base` is the style it starts in and returns to with `§r`.
    pub(super) fn push_legacy(&mut self, text: &str, base: Style) {
        let mut style = base;
        let mut rest = text;
        while let Some((literal, coded)) = rest.split_once('§') {
            self.push(literal, style);
            let mut chars = coded.chars();
            style = code(&mut chars, style, base);
            rest = chars.as_str();
        }
        self.push(rest, style);
    }

    /// Writes a `§` string, with no more codes than needed; RGB as `§x§r§r§g§g§b§b`, for clients that know
    /// sixteen colours alone see [`Text::downsampled`].
    pub fn to_legacy(&self) -> String {
        let mut out = String::new();
        let mut current = Style::default();
        for run in self.runs() {
            write_change(&mut out, current, run.style());
            out.push_str(run.text());
            current = run.style();
        }
        out
    }
}

/// The style after the code that `chars` begins with; takes its characters.
fn code(chars: &mut Chars<'_>, style: Style, base: Style) -> Style {
    let Some(code) = chars.next().map(|c| c.to_ascii_lowercase()) else {
        return style;
    };
    if code == 'x'
        && let Some(color) = hex_digits(chars)
    {
        return Style::default().colored(color);
    }
    match (NamedColor::from_code(code), Decoration::from_code(code)) {
        (Some(color), _) => Style::default().colored(Color::Named(color)),
        (_, Some(decoration)) => style.with(decoration, true),
        _ if code == 'r' => base,
        _ => style,
    }
}

/// Six times `§` and a digit; takes nothing if that is not what comes.
fn hex_digits(chars: &mut Chars<'_>) -> Option<Color> {
    let mut ahead = chars.clone();
    let mut hex = String::with_capacity(6);
    for _ in 0..6 {
        if ahead.next() != Some('§') {
            return None;
        }
        hex.push(ahead.next()?);
    }
    let color = Color::from_hex(&hex)?;
    *chars = ahead;
    Some(color)
}

fn write_change(out: &mut String, from: Style, to: Style) {
    let dropped = Decoration::ALL
        .into_iter()
        .any(|decoration| from.has(decoration) && !to.has(decoration));
    let restart = dropped || from.color != to.color;
    if restart {
        match to.color {
            Some(Color::Named(color)) => write_code(out, color.code()),
            Some(Color::Rgb([r, g, b])) => {
                write_code(out, 'x');
                format!("{r:02x}{g:02x}{b:02x}")
                    .chars()
                    .for_each(|digit| write_code(out, digit));
            }
            None => write_code(out, 'r'),
        }
    }
    for decoration in Decoration::ALL {
        if to.has(decoration) && (restart || !from.has(decoration)) {
            write_code(out, decoration.code());
        }
    }
}

fn write_code(out: &mut String, code: char) {
    out.push('§');
    out.push(code);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::testing;
    use proptest::prelude::*;

    fn exact(text: &str) -> String {
        Text::from_legacy(text).to_legacy()
    }

    #[test]
    fn a_canonical_string_comes_back_unchanged() {
        for text in [
            "",
            "plain",
            "§6§lgenkan§r\n§7a warm §oentrance",
            "§x§b§2§3§a§4§8hex§cred",
            "§k§l§m§n§oall§rnone",
            "§aone §ltwo§a three",
        ] {
            assert_eq!(exact(text), text);
        }
    }

    #[test]
    fn codes_mean_what_the_client_makes_of_them() {
        let table = [
            ("§l§cred, not bold", "§cred, not bold", "red, not bold"),
            ("§AUPPER §Lcase", "§aUPPER §lcase", "UPPER case"),
            (
                "§X§B§2§3§A§4§8UPPER hex",
                "§x§b§2§3§a§4§8UPPER hex",
                "UPPER hex",
            ),
            ("§zunknown", "unknown", "unknown"),
            ("§x§1§2too short", "§2too short", "too short"),
            ("§x§1§2§3§4§5§zno digit", "§5no digit", "no digit"),
            ("§§a", "a", "a"),
            ("cut§", "cut", "cut"),
            ("§a§b§c", "", ""),
            ("§r§rnothing", "nothing", "nothing"),
        ];
        for (text, legacy, plain) in table {
            assert_eq!(exact(text), legacy, "{text}");
            assert_eq!(Text::from_legacy(text).to_plain(), plain, "{text}");
        }
    }

    #[test]
    fn rgb_falls_back_to_the_nearest_of_the_sixteen() {
        let text = Text::from_legacy("§x§f§e§5§0§5§0§lhot§x§f§f§5§5§5§4red");
        assert_eq!(text.downsampled().to_legacy(), "§c§lhot§cred");
    }

    proptest! {
        #[test]
        fn text_and_style_survive_rendering(text in testing::text()) {
            prop_assert_eq!(Text::from_legacy(&text.to_legacy()), text.clone());
            let nearest = Text::from_legacy(&text.downsampled().to_legacy());
            prop_assert_eq!(nearest.to_plain(), text.to_plain());
        }

        #[test]
        fn plain_never_depends_on_style(runs in testing::runs()) {
            let text = testing::joined(&runs);
            let characters: String = runs.into_iter().map(|(characters, _)| characters).collect();
            prop_assert_eq!(text.to_plain(), characters.replace('§', ""));
        }

        #[test]
        fn any_string_parses_to_text_without_codes(text in "[§0-9a-fk-orx#\\PC]{0,40}") {
            let parsed = Text::from_legacy(&text);
            prop_assert!(!parsed.to_plain().contains('§'));
            prop_assert!(parsed.runs().iter().all(|run| !run.text().is_empty()));
            prop_assert!(parsed.runs().windows(2).all(|pair| pair[0].style() != pair[1].style()));
        }
    }
}
