//! A badge: a label and what it says of it, in the style that shields.io calls flat.
//!
//! Spec: SVG 1.1. Text is drawn at ten times its size and scaled down, and `textLength` makes it as
//! wide here as it was computed, whatever font the reader has.

use std::fmt::Write as _;

/// The media type of a badge.
pub const SVG: &str = "image/svg+xml; charset=utf-8";

/// What a badge's right side can be coloured in, as shields.io does.
pub const GREEN: &str = "#4c1";
pub const YELLOW: &str = "#dfb317";
pub const BLUE: &str = "#007ec6";
pub const RED: &str = "#e05d44";
pub const GREY: &str = "#9f9f9f";

/// The most characters of a label that are shown.
const LABEL_CHARS: usize = 64;
/// Beside each text, in pixels.
const PADDING: u32 = 5;

/// Widths of ` ` to `~` in Verdana, in thousandths of its size.
const WIDTHS: [u16; 95] = [
    352, 394, 459, 818, 636, 1076, 727, 269, 454, 454, 636, 818, 364, 454, 364, 454, 636, 636, 636,
    636, 636, 636, 636, 636, 636, 636, 454, 454, 818, 818, 818, 545, 1000, 684, 686, 698, 771, 632,
    575, 775, 751, 421, 455, 693, 557, 843, 748, 787, 603, 787, 695, 684, 616, 732, 684, 989, 685,
    615, 685, 454, 454, 454, 818, 636, 636, 601, 623, 521, 623, 596, 352, 623, 633, 274, 344, 592,
    274, 973, 633, 607, 623, 623, 427, 521, 394, 633, 592, 818, 592, 592, 525, 635, 454, 635, 818,
];
/// In pixels.
const FONT_SIZE: u32 = 11;

/// The badge. An empty label leaves the left side out. `color` is one of those above; label and
/// message can be anything.
pub fn svg(label: &str, message: &str, color: &str) -> String {
    let label = printable(label);
    let message = printable(message);
    let (label_width, message_width) = (text_width(&label), text_width(&message));
    let left = if label.is_empty() {
        0
    } else {
        label_width + 2 * PADDING
    };
    let right = message_width + 2 * PADDING;
    let width = left + right;
    let title = if label.is_empty() {
        escaped(&message)
    } else {
        format!("{}: {}", escaped(&label), escaped(&message))
    };
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{title}"><title>{title}</title><linearGradient id="s" x2="0" y2="100%"><stop offset="0" stop-color="#bbb" stop-opacity=".1"/><stop offset="1" stop-opacity=".1"/></linearGradient><clipPath id="r"><rect width="{width}" height="20" rx="3" fill="#fff"/></clipPath><g clip-path="url(#r)"><rect width="{left}" height="20" fill="#555"/><rect x="{left}" width="{right}" height="20" fill="{color}"/><rect width="{width}" height="20" fill="url(#s)"/></g><g fill="#fff" text-anchor="middle" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" text-rendering="geometricPrecision" font-size="110">"##
    );
    if !label.is_empty() {
        text(&mut svg, &label, 0, label_width);
    }
    text(&mut svg, &message, left, message_width);
    svg.push_str("</g></svg>\n");
    svg
}

/// A text and its shadow, centred in the box that begins at `x`.
fn text(svg: &mut String, text: &str, x: u32, width: u32) {
    let text = escaped(text);
    let (middle, length) = (x * 10 + (width + 2 * PADDING) * 5, width * 10);
    let common = format!(r#"x="{middle}" transform="scale(.1)" textLength="{length}""#);
    let _ = write!(
        svg,
        r##"<text aria-hidden="true" {common} y="150" fill="#010101" fill-opacity=".3">{text}</text><text {common} y="140">{text}</text>"##
    );
}

/// In whole pixels, and odd: then its middle meets the grid, as in the badges beside it.
fn text_width(text: &str) -> u32 {
    let thousandths: u32 = text.chars().map(char_width).sum();
    (thousandths * FONT_SIZE / 1000) | 1
}

fn char_width(char: char) -> u32 {
    let ascii = (char as usize).checked_sub(' ' as usize);
    match ascii.and_then(|index| WIDTHS.get(index)) {
        Some(width) => u32::from(*width),
        // Letters with marks and other alphabets; beyond them, signs that fill a square.
        None if char < '\u{1100}' => 700,
        None => 1000,
    }
}

/// One line of what XML 1.0 can hold (section 2.2), without the signs that turn text around.
fn printable(text: &str) -> String {
    let good = |char: &char| {
        !char.is_control()
            && !matches!(*char, '\u{fffe}' | '\u{ffff}')
            && !matches!(*char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().filter(good).take(LABEL_CHARS).collect()
}

/// The characters that XML predefines entities for (XML 1.0, section 4.6).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn widths_follow_from_the_text() {
        assert_eq!(text_width(""), 1);
        assert_eq!(text_width("12/100"), 39);
        assert!(text_width("WWWW") > text_width("iiii"));
        assert_eq!(text_width("玄関"), 23);
        let svg = svg("a", "b", GREEN);
        assert!(
            svg.starts_with(r#"<svg xmlns="http://www.w3.org/2000/svg" width="34" height="20""#),
            "{svg}"
        );
    }

    #[test]
    fn what_xml_would_read_is_escaped() {
        let svg = svg("", "<a b='c'>&\"", RED);
        assert!(
            svg.contains("<title>&lt;a b=&#39;c&#39;&gt;&amp;&quot;</title>"),
            "{svg}"
        );
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_place(label: String, message: String) {
            let svg = svg(&label, &message, GREEN);
            prop_assert_eq!(svg.matches('<').count(), svg.matches('>').count());
            let expected = if printable(&label).is_empty() { 22 } else { 26 };
            prop_assert_eq!(svg.matches('<').count(), expected);
            prop_assert!(svg.chars().all(|char| char == '\n' || !char.is_control()));
        }
    }
}
