//! [`Text`] to HTML.

use super::{Decoration, Style, Text, shown};

impl Text {
    /// HTML that is safe to insert where text may stand: every character of the text that means something to HTML is
    /// escaped, and there is no element but `<span>` and, for a line's end, `<br>`.
    ///
    /// A run has a `style` of fixed properties, in this order where they apply: `color:#rrggbb`, `font-weight:bold`,
    /// `font-style:italic`, `text-decoration:underline line-through`. Obfuscated text stays readable and has the class
    /// `obfuscated`, for a page to animate. Control characters are left out.
    pub fn to_html(&self) -> String {
        let mut out = String::new();
        for run in self.runs() {
            let style = run.style();
            let is_styled = style != Style::default();
            if is_styled {
                open(&mut out, style);
            }
            escape(&mut out, run.text());
            if is_styled {
                out.push_str("</span>");
            }
        }
        out
    }
}

fn open(out: &mut String, style: Style) {
    out.push_str("<span");
    if style.has(Decoration::Obfuscated) {
        out.push_str(" class=\"obfuscated\"");
    }
    let css = css(style);
    if !css.is_empty() {
        out.push_str(" style=\"");
        out.push_str(&css);
        out.push('"');
    }
    out.push('>');
}

fn css(style: Style) -> String {
    let mut properties = Vec::new();
    if let Some(color) = style.color {
        let [r, g, b] = color.rgb();
        properties.push(format!("color:#{r:02x}{g:02x}{b:02x}"));
    }
    let mut fixed = |property: &str| properties.push(property.to_owned());
    if style.has(Decoration::Bold) {
        fixed("font-weight:bold");
    }
    if style.has(Decoration::Italic) {
        fixed("font-style:italic");
    }
    match (
        style.has(Decoration::Underlined),
        style.has(Decoration::Strikethrough),
    ) {
        (true, true) => fixed("text-decoration:underline line-through"),
        (true, false) => fixed("text-decoration:underline"),
        (false, true) => fixed("text-decoration:line-through"),
        (false, false) => {}
    }
    properties.join(";")
}

fn escape(out: &mut String, text: &str) {
    for char in shown(text) {
        match entity(char) {
            Some(entity) => out.push_str(entity),
            None if char == '\n' => out.push_str("<br>"),
            None => out.push(char),
        }
    }
}

/// What stands for a character that has a meaning in HTML or XML, in text and in an attribute.
fn entity(char: char) -> Option<&'static str> {
    match char {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        '\'' => Some("&#39;"),
        _ => None,
    }
}

#[cfg(test)]
#[path = "html_tests.rs"]
mod tests;
