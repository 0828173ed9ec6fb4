//! A badge: a label and what the server is, in the style that shields.io calls flat.
//!
//! Spec: SVG 1.1. Text is drawn at ten times its size and scaled down, and `textLength` makes it as
//! wide here as it was computed, whatever font the reader has.

use std::fmt::Write as _;

use minecraft::text::entity;
use types::status::{State, Status};

/// The most characters of a label that are shown.
const LABEL_CHARS: usize = 64;
/// Beside each text, in pixels.
const PADDING: u32 = 5;

const GREEN: &str = "#4c1";
const YELLOW: &str = "#dfb317";
const BLUE: &str = "#007ec6";
const RED: &str = "#e05d44";
const GREY: &str = "#9f9f9f";

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

/// What stands on the right, and its colour. Of a server that was never pinged nothing is known.
pub fn message(status: Option<&Status<'_>>) -> (String, &'static str) {
    let Some(status) = status else {
        return ("unknown".to_owned(), GREY);
    };
    match status.state {
        State::Online => (players(status), GREEN),
        State::Degraded if status.online => (players(status), YELLOW),
        State::Maintenance => ("maintenance".to_owned(), BLUE),
        State::Stale => ("stale".to_owned(), GREY),
        State::Offline => ("offline".to_owned(), RED),
        other => (other.as_str().to_owned(), YELLOW),
    }
}

/// `12/100`; a number that the server hides is left out.
fn players(status: &Status<'_>) -> String {
    let players = status.players;
    let online = players.and_then(|players| players.online);
    match (online, players.and_then(|players| players.max)) {
        (Some(online), Some(max)) => format!("{online}/{max}"),
        (Some(online), None) => online.to_string(),
        (None, _) => "online".to_owned(),
    }
}

/// The badge. An empty label leaves the left side out.
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

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match entity(char) {
            Some(entity) => out.push_str(entity),
            None => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use types::{Timestamp, status::Observation};

    use super::*;
    use crate::{
        observe::tests::{answered_at, target},
        view,
    };

    fn shown(seen: &Observation, now: i64) -> (String, &'static str) {
        let target = target();
        message(Some(&view::status(
            &target.id,
            seen,
            Timestamp::from_seconds(now),
        )))
    }

    #[test]
    fn it_says_what_the_server_is() {
        let mut seen = answered_at(0);
        assert_eq!(shown(&seen, 0), ("1/20".to_owned(), GREEN));
        assert_eq!(shown(&seen, 301), ("stale".to_owned(), GREY));
        seen.state = State::Degraded;
        assert_eq!(shown(&seen, 0), ("1/20".to_owned(), YELLOW));
        seen.online = false;
        assert_eq!(shown(&seen, 0), ("degraded".to_owned(), YELLOW));
        seen.state = State::Starting;
        assert_eq!(shown(&seen, 0), ("starting".to_owned(), YELLOW));
        seen.state = State::Offline;
        assert_eq!(shown(&seen, 0), ("offline".to_owned(), RED));
        assert_eq!(message(None), ("unknown".to_owned(), GREY));
    }

    #[test]
    fn maintenance_is_said_whatever_the_server_is() {
        let (target, seen) = (target(), answered_at(0));
        let mut status = view::status(&target.id, &seen, Timestamp::from_seconds(0));
        status.state = State::Maintenance;
        assert_eq!(message(Some(&status)), ("maintenance".to_owned(), BLUE));
    }

    #[test]
    fn a_number_that_is_hidden_is_left_out() {
        let mut seen = answered_at(0);
        let players = |seen: &mut Observation, online, max| {
            let players = seen.answer.as_mut().unwrap().players.as_mut().unwrap();
            (players.online, players.max) = (online, max);
        };
        players(&mut seen, Some(3), None);
        assert_eq!(shown(&seen, 0).0, "3");
        players(&mut seen, None, Some(3));
        assert_eq!(shown(&seen, 0).0, "online");
        seen.answer.as_mut().unwrap().players = None;
        assert_eq!(shown(&seen, 0).0, "online");
    }

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
