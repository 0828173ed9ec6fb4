//! [`Text`] for terminals.
//!
//! Spec: ECMA-48 section 8.3.117 (SGR), with the colours of ISO/IEC 8613-6.

use super::{Decoration, Style, Text, shown};

impl Text {
    /// A string with SGR sequences, colours in 24 bits, and a reset at the end of anything styled. Obfuscated text blinks.
    ///
    /// Control characters of the text are left out, but for the line's end: no sequence in it reaches the terminal.
    pub fn to_ansi(&self) -> String {
        let mut out = String::new();
        let mut current = Style::default();
        for run in self.runs() {
            if run.style() != current {
                select(&mut out, run.style());
                current = run.style();
            }
            out.extend(shown(run.text()));
        }
        if current != Style::default() {
            select(&mut out, Style::default());
        }
        out
    }
}

/// The sequence that ends what was before and begins a style.
fn select(out: &mut String, style: Style) {
    out.push_str("\x1b[0");
    for decoration in Decoration::ALL {
        if style.has(decoration) {
            out.push_str(match decoration {
                Decoration::Obfuscated => ";5",
                Decoration::Bold => ";1",
                Decoration::Strikethrough => ";9",
                Decoration::Underlined => ";4",
                Decoration::Italic => ";3",
            });
        }
    }
    if let Some(color) = style.color {
        let [r, g, b] = color.rgb();
        out.push_str(
            &[
                "",
                "38",
                "2",
                &r.to_string(),
                &g.to_string(),
                &b.to_string(),
            ]
            .join(";"),
        );
    }
    out.push('m');
}

#[cfg(test)]
#[path = "ansi_tests.rs"]
mod tests;
