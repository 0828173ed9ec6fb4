//! The texts of a control document: `MiniMessage`, or legacy codes.
//!
//! Each line is read by itself: no style goes on in the next. A line with `§` or `&` codes and no
//! `MiniMessage` tag is legacy: `&6`, `&l`, `&#f2a65a`, and the same with `§`. Every other line is
//! `MiniMessage`, where `&` is an `&` and a `§` is an error. Placeholders, [`NAMES`] in angle brackets,
//! stand in both, and what they stand for is text: no code or tag in it does anything.

use minecraft::{
    favicon::Favicon,
    text::{MiniMessageError, Style, Text},
};
use types::{
    control::{Invalid, MAX_LINES, Rendered, Settings},
    status::Motd,
};

/// The placeholders that there are.
pub const NAMES: [&str; 8] = [
    "online",
    "max",
    "version",
    "countdown",
    "starts_at",
    "ends_at",
    "reason",
    "target",
];

/// The pixels of an icon, each way: the game shows no other.
const ICON_SIDE: u32 = 64;

/// Reads a text of one line or more; a line feed parts lines. Errors tell characters from the start.
pub fn read(
    source: &str,
    values: &dyn Fn(&str) -> Option<String>,
) -> (Text, Vec<MiniMessageError>) {
    let mut text = Text::default();
    let mut errors = Vec::new();
    let mut start = 0;
    for (index, line) in source.split('\n').enumerate() {
        if index > 0 {
            text.push("\n", Style::default());
        }
        let (read, told) = read_line(line, values);
        append(&mut text, &read);
        errors.extend(told.into_iter().map(|error| MiniMessageError {
            at: start + error.at,
            ..error
        }));
        start += line.chars().count() + 1;
    }
    (text, errors)
}

/// What is wrong with a text of at most so many lines, whatever its placeholders stand for.
pub fn problems(source: &str, most_lines: usize) -> Vec<MiniMessageError> {
    let known = |name: &str| NAMES.contains(&name).then(String::new);
    let (text, mut errors) = read(source, &known);
    let lines = text.to_plain().split('\n').count();
    if lines > most_lines {
        errors.push(MiniMessageError {
            at: 0,
            message: format!("has {lines} lines; the most here: {most_lines}"),
        });
    }
    errors
}

/// Checks the texts and the icon of settings.
pub fn check(settings: &Settings) -> Result<(), Invalid> {
    let good = |at: &str, source: &str, most_lines| match problems(source, most_lines).first() {
        Some(error) => Err(Invalid::new(
            at,
            format!("character {}: {}", error.at, error.message),
        )),
        None => Ok(()),
    };
    if let Some(message) = &settings.maintenance.message {
        good("maintenance.message", message, MAX_LINES)?;
    }
    for (index, entry) in settings.motd.entries.iter().enumerate() {
        for (line, source) in entry.lines.iter().enumerate() {
            good(&format!("motd.entries[{index}].lines[{line}]"), source, 1)?;
        }
    }
    match &settings.icon {
        Some(icon) => check_icon(icon),
        None => Ok(()),
    }
}

fn check_icon(icon: &str) -> Result<(), Invalid> {
    let bad = |message: &str| Err(Invalid::new("icon", message));
    let Some(favicon) = Favicon::from_data_uri(icon) else {
        return bad("must be a PNG, whole, as data:image/png;base64,…");
    };
    if favicon.to_data_uri() != icon {
        return bad("must be base64 in one line, with its padding, and nothing behind the image");
    }
    match favicon.dimensions() {
        (ICON_SIDE, ICON_SIDE) => Ok(()),
        (width, height) => bad(&format!(
            "has {width}×{height} pixels; the game shows {ICON_SIDE}×{ICON_SIDE} alone"
        )),
    }
}

/// The text in every form but ANSI.
pub fn rendered(text: &Text) -> Rendered {
    Rendered {
        raw: text.to_legacy(),
        clean: text.to_plain(),
        html: text.to_html(),
        minimessage: text.to_minimessage(),
        component: text.to_component(),
        ansi: None,
    }
}

/// The text as the MOTD of a status.
pub fn motd(text: &Text) -> Motd {
    Motd {
        raw: text.to_legacy(),
        clean: text.to_plain(),
        html: text.to_html(),
        minimessage: text.to_minimessage(),
    }
}

fn append(to: &mut Text, text: &Text) {
    for run in text.runs() {
        to.push(run.text(), run.style());
    }
}

fn read_line(line: &str, values: &dyn Fn(&str) -> Option<String>) -> (Text, Vec<MiniMessageError>) {
    let coded = sections(line);
    if coded.contains('§') && has_no_tags(line) {
        (Text::from_legacy(&filled(&coded, values)), Vec::new())
    } else {
        Text::from_minimessage(line, values)
    }
}

/// Whether `MiniMessage` finds nothing in it but placeholders.
fn has_no_tags(line: &str) -> bool {
    let plain = line.replace('§', "&");
    let itself = |name: &str| NAMES.contains(&name).then(|| format!("<{name}>"));
    let (text, errors) = Text::from_minimessage(&plain, &itself);
    errors.is_empty() && text.to_plain() == plain
}

/// `&` codes as `§` codes; `&#rrggbb` as `§x§r§r§g§g§b§b`.
fn sections(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        rest = after;
        let hex = after.strip_prefix('#').and_then(|hex| hex.get(..6));
        match hex.filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit())) {
            Some(hex) => {
                out.push_str("§x");
                hex.chars().for_each(|digit| out.extend(['§', digit]));
                rest = &after[7..];
            }
            None if after.starts_with(is_code) => out.push('§'),
            None => out.push('&'),
        }
    }
    out.push_str(rest);
    out
}

fn is_code(char: char) -> bool {
    matches!(char.to_ascii_lowercase(), '0'..='9' | 'a'..='f' | 'k'..='o' | 'r' | 'x')
}

/// The line with its placeholders filled in: one that a value holds is text.
fn filled(line: &str, values: &dyn Fn(&str) -> Option<String>) -> String {
    let value = |name: &str| values(name).filter(|_| NAMES.contains(&name));
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let tag = after.split_once('>');
        if let Some((value, behind)) = tag.and_then(|(name, behind)| Some((value(name)?, behind))) {
            out.push_str(&value.replace('§', ""));
            rest = behind;
        } else {
            out.push('<');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
