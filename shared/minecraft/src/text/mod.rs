//! Text as the game shows it: runs of characters, each with its style fully resolved.
//!
//! A parser per format makes a [`Text`]: [`Text::from_component`], [`Text::from_legacy`] for `§` strings and
//! [`Text::from_minimessage`]. One module per format renders it: [`Text::to_plain`], [`Text::to_legacy`],
//! [`Text::to_component`], [`Text::to_minimessage`], [`Text::to_html`], [`Text::to_ansi`]. A renderer needs nothing but
//! [`Text::runs`]: inheritance, translation, gradients and `§` codes are dealt with before.
//!
//! Spec: "Text component format" and "Formatting codes" (minecraft.wiki), "MiniMessage Format" (docs.advntr.dev).

mod ansi;
mod component;
mod component_write;
mod html;
mod legacy;
mod minimessage;
mod plain;
mod style;
#[cfg(test)]
mod testing;

pub use minimessage::{MAX_MINIMESSAGE, MAX_MINIMESSAGE_ERRORS, MiniMessageError};
pub use style::{Color, Decoration, NamedColor, Style};

/// Styled text. Runs are never empty, never contain `§`, and neighbours differ in style. Lines are parted by `\n`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    runs: Vec<Run>,
}

/// Characters of one style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    text: String,
    style: Style,
}

impl Run {
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn style(&self) -> Style {
        self.style
    }
}

impl Text {
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The text for clients that know sixteen colours: RGB becomes the nearest of them.
    #[must_use]
    pub fn downsampled(&self) -> Self {
        let mut out = Self::default();
        for run in &self.runs {
            let color = run.style.color.map(|color| Color::Named(color.nearest()));
            let style = color.map_or(run.style, |color| run.style.colored(color));
            out.push(&run.text, style);
        }
        out
    }

    /// Appends literal characters; a `§` among them is left out, since it would be a code again once rendered.
    pub fn push(&mut self, text: &str, style: Style) {
        for part in text.split('§').filter(|part| !part.is_empty()) {
            match self.runs.last_mut() {
                Some(run) if run.style == style => run.text.push_str(part),
                _ => self.runs.push(Run {
                    text: part.to_owned(),
                    style,
                }),
            }
        }
    }
}

/// The characters that a page or a terminal may see: all but control characters, of which the line's end stays.
fn shown(text: &str) -> impl Iterator<Item = char> {
    text.chars()
        .filter(|&char| char == '\n' || !char.is_control())
}
