//! What each tag does.

use serde_json::json;

use super::paint::{Gradient, Paint, Rainbow};
use crate::text::{Color, Decoration, NamedColor, Text};

/// What a tag does to what is between it and its end.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Effect {
    Color(Color),
    Decoration(Decoration, bool),
    Paint(Paint),
    /// None that [`Text`] holds: an event, a font, a shadow.
    Nothing,
    /// Text that stands before it.
    Before(String),
    /// Text alone: such a tag has no end.
    Alone(String),
    /// Ends all that is open.
    Reset,
}

/// What a tag of this name, in lower case, does: `None` if it is unknown, and a sentence if its arguments are wrong.
pub(super) fn effect(name: &str, arguments: &[String]) -> Option<Result<Effect, String>> {
    if let Some((decoration, on)) = decoration(name) {
        let on = on && !matches!(arguments, [word, ..] if word == "false" || word == "off");
        return Some(Ok(Effect::Decoration(decoration, on)));
    }
    if let Some(color) = color(name) {
        return Some(Ok(Effect::Color(color)));
    }
    let effect = match name {
        "color" | "colour" | "c" => colored(arguments),
        "gradient" => gradient(arguments).map(|gradient| Effect::Paint(Paint::Gradient(gradient))),
        "transition" => {
            gradient(arguments).map(|gradient| Effect::Color(Color::Rgb(gradient.first())))
        }
        "rainbow" => rainbow(arguments),
        "reset" => Ok(Effect::Reset),
        "newline" | "br" => Ok(Effect::Alone("\n".to_owned())),
        "hover" | "insertion" | "font" | "shadow" => needs(1, arguments).map(|_| Effect::Nothing),
        "!shadow" => Ok(Effect::Nothing),
        "click" => needs(2, arguments).map(|_| Effect::Nothing),
        "key" | "selector" | "sel" => {
            needs(1, arguments).map(|arguments| Effect::Before(arguments[0].clone()))
        }
        "score" => needs(2, arguments).map(|_| Effect::Nothing),
        "nbt" | "data" => needs(3, arguments).map(|_| Effect::Nothing),
        "lang" | "translate" | "tr" => needs(1, arguments)
            .map(|arguments| Effect::Before(translation(&arguments[0], &arguments[1..]))),
        "lang_or" | "translate_or" | "tr_or" => needs(2, arguments)
            .map(|arguments| Effect::Before(translation(&arguments[1], &arguments[2..]))),
        _ => return None,
    };
    Some(effect)
}

fn needs(count: usize, arguments: &[String]) -> Result<&[String], String> {
    if arguments.len() < count {
        let plural = if count == 1 { "" } else { "s" };
        return Err(format!("needs {count} argument{plural}"));
    }
    Ok(arguments)
}

/// A decoration, and whether the name switches it on.
fn decoration(name: &str) -> Option<(Decoration, bool)> {
    let (name, on) = match name.strip_prefix('!') {
        Some(name) => (name, false),
        None => (name, true),
    };
    let decoration = match name {
        "b" => Decoration::Bold,
        "i" | "em" => Decoration::Italic,
        "u" => Decoration::Underlined,
        "st" => Decoration::Strikethrough,
        "obf" => Decoration::Obfuscated,
        _ => Decoration::ALL
            .into_iter()
            .find(|decoration| decoration.name() == name)?,
    };
    Some((decoration, on))
}

/// A colour by its name or `#rrggbb`.
fn color(name: &str) -> Option<Color> {
    match name {
        "grey" => Some(Color::Named(NamedColor::Gray)),
        "dark_grey" => Some(Color::Named(NamedColor::DarkGray)),
        _ => Color::parse(name),
    }
}

fn argument_color(argument: &str) -> Result<Color, String> {
    color(&argument.to_ascii_lowercase())
        .ok_or_else(|| "needs colours by name or as #rrggbb".to_owned())
}

fn colored(arguments: &[String]) -> Result<Effect, String> {
    argument_color(&needs(1, arguments)?[0]).map(Effect::Color)
}

/// Colours, and behind them maybe a phase.
fn gradient(arguments: &[String]) -> Result<Gradient, String> {
    let (phase, colors) = match arguments.split_last() {
        Some((last, colors)) => match number(last) {
            Some(phase) => (phase, colors),
            None => (0.0, arguments),
        },
        None => (0.0, arguments),
    };
    if !(-1.0..=1.0).contains(&phase) {
        return Err("needs a phase from -1 to 1".to_owned());
    }
    if colors.len() == 1 {
        return Err("needs at least two colours".to_owned());
    }
    let colors: Result<Vec<_>, _> = colors
        .iter()
        .map(|color| argument_color(color).map(Color::rgb))
        .collect();
    Ok(Gradient::new(colors?, phase))
}

/// By JSON's reader, but for `.5`, which it does not take: the workers have it anyway, and the standard library's brings tables of
/// 10 KB.
fn number(text: &str) -> Option<f64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let zero = if digits.starts_with('.') { "0" } else { "" };
    serde_json::from_str(&format!("{sign}{zero}{digits}")).ok()
}

fn rainbow(arguments: &[String]) -> Result<Effect, String> {
    let argument = arguments.first().map_or("", String::as_str);
    let (reversed, phase) = match argument.strip_prefix('!') {
        Some(phase) => (true, phase),
        None => (false, argument),
    };
    let phase = match phase {
        "" => 0,
        _ => phase
            .parse()
            .map_err(|_| "needs a whole number as its phase, maybe after a !".to_owned())?,
    };
    Ok(Effect::Paint(Paint::Rainbow(Rainbow { reversed, phase })))
}

/// A translation without a language file. Its arguments are MiniMessage of their own, and those may hold translations
/// again: but each level needs its quotes escaped once more, which doubles them, so that there are never many levels.
fn translation(pattern: &str, arguments: &[String]) -> String {
    let arguments: Vec<String> = arguments
        .iter()
        .map(|argument| Text::from_minimessage(argument, &|_| None).0.to_plain())
        .collect();
    let component = json!({ "translate": pattern, "with": arguments });
    Text::from_component(&component).to_plain()
}
