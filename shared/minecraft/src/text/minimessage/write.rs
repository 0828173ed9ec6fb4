//! [`Text`] to MiniMessage.

use std::cmp::Reverse;

use crate::text::{Color, Decoration, Run, Style, Text};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Color(Color),
    Decoration(Decoration),
}

impl Open {
    fn fits(self, style: Style) -> bool {
        match self {
            Self::Color(color) => style.color == Some(color),
            Self::Decoration(decoration) => style.has(decoration),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Color(color) => color.to_string(),
            Self::Decoration(decoration) => decoration.name().to_owned(),
        }
    }
}

impl Text {
    /// A MiniMessage string without a line feed, every tag closed: strict readers take it too, and it can stand among
    /// others.
    ///
    /// [`Text::from_minimessage`] reads it back to the same text, up to the length that it reads.
    pub fn to_minimessage(&self) -> String {
        let mut out = String::new();
        let mut open = Vec::new();
        for (index, run) in self.runs().iter().enumerate() {
            let style = run.style();
            let kept = open
                .iter()
                .take_while(|open: &&Open| open.fits(style))
                .count();
            close(&mut out, open.drain(kept..));
            let color = style.color.map(Open::Color);
            let decorations = Decoration::ALL
                .into_iter()
                .filter(|decoration| style.has(*decoration))
                .map(Open::Decoration);
            let mut missing: Vec<Open> = color
                .into_iter()
                .chain(decorations)
                .filter(|tag| !open.contains(tag))
                .collect();
            // what stays longest goes outermost: bold around letters of changing colours is written once. Only what
            // is opened before one that outlives it makes it look ahead again, so this stays linear
            missing.sort_by_cached_key(|tag| Reverse(lifetime(*tag, &self.runs()[index..])));
            for tag in missing {
                write_tag(&mut out, "<", tag);
                open.push(tag);
            }
            escape(&mut out, run.text());
        }
        close(&mut out, open.drain(..));
        out
    }
}

/// How many runs from the first on have it.
fn lifetime(tag: Open, runs: &[Run]) -> usize {
    runs.iter().take_while(|run| tag.fits(run.style())).count()
}

fn close(out: &mut String, tags: impl DoubleEndedIterator<Item = Open>) {
    for tag in tags.rev() {
        write_tag(out, "</", tag);
    }
}

fn write_tag(out: &mut String, start: &str, tag: Open) {
    out.push_str(start);
    out.push_str(&tag.name());
    out.push('>');
}

fn escape(out: &mut String, text: &str) {
    for char in text.chars() {
        match char {
            '<' => out.push_str("\\<"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("<newline>"),
            _ => out.push(char),
        }
    }
}
