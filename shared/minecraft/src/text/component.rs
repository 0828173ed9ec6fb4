//! Text components (JSON) to [`Text`].
//!
//! A component is a string, an object, or a list whose first element is the parent of the rest. Children inherit colour
//! and decorations; `§` codes act inside their own string only, as in the client. There is no language file here: a
//! translation shows its `fallback`, or its key. Unknown keys and values of the wrong type are ignored.
//!
//! The walk has its own stack, so depth costs no recursion, and one budget for characters and components together, so
//! a translation that repeats its arguments cannot grow without end: what is beyond the budget is left out.
//!
//! Spec: "Text component format" (minecraft.wiki).

use serde_json::{Map, Value};

use super::{Color, Decoration, Style, Text};

/// The most of one component tree that is read: bytes of text, plus one for every component. As long as the longest
/// string of the protocol; a MOTD is two lines.
const BUDGET: usize = 32 * 1024;

/// The most arguments of one translation; the game's own have fewer than ten.
const MAX_ARGUMENTS: usize = 64;

impl Text {
    /// Reads a text component. There is no wrong one: what cannot be shown is left out.
    pub fn from_component(component: &Value) -> Self {
        let first = Step::Component(component, Style::default());
        let mut walk = Walk {
            out: Self::default(),
            steps: vec![first],
            budget: BUDGET,
        };
        while walk.budget > 0
            && let Some(step) = walk.steps.pop()
        {
            match step {
                Step::Component(component, style) => walk.component(component, style),
                Step::Siblings(list, style) => walk.siblings(list, style),
                Step::Literal(text, style) => walk.literal(text, style),
            }
        }
        walk.out
    }
}

/// What is still to be shown. The last one pushed comes first.
enum Step<'a> {
    Component(&'a Value, Style),
    Siblings(&'a [Value], Style),
    Literal(&'a str, Style),
}

struct Walk<'a> {
    out: Text,
    steps: Vec<Step<'a>>,
    budget: usize,
}

impl<'a> Walk<'a> {
    fn literal(&mut self, text: &str, style: Style) {
        let text = self.afford(text);
        self.out.push_legacy(text, style);
    }

    /// The part of `text` that the budget allows, which is then spent.
    fn afford<'t>(&mut self, text: &'t str) -> &'t str {
        let affordable = &text[..text.floor_char_boundary(self.budget)];
        // text that does not fit spends all that is left, so that nothing behind it is shown either
        self.budget = self.budget.saturating_sub(text.len());
        affordable
    }

    fn siblings(&mut self, list: &'a [Value], style: Style) {
        if let Some((first, rest)) = list.split_first() {
            self.steps.push(Step::Siblings(rest, style));
            self.steps.push(Step::Component(first, style));
        }
    }

    fn component(&mut self, component: &'a Value, inherited: Style) {
        self.budget = self.budget.saturating_sub(1);
        match component {
            Value::Null => {}
            Value::String(text) => self.literal(text, inherited),
            Value::Bool(_) | Value::Number(_) => self.literal(&component.to_string(), inherited),
            Value::Array(_) => self.list(component, inherited),
            Value::Object(object) => {
                let style = own_style(object, inherited);
                match object.get("extra") {
                    Some(Value::Array(children)) => {
                        self.steps.push(Step::Siblings(children, style));
                    }
                    Some(child) => self.steps.push(Step::Component(child, style)),
                    None => {}
                }
                self.content(object, style);
            }
        }
    }

    /// A list, and the lists that it begins with. They are walked together, for all of them pass on one style: that of
    /// the first component that is none.
    fn list(&mut self, list: &'a Value, inherited: Style) {
        let mut first = list;
        let mut rests = Vec::new();
        while let Value::Array(list) = first {
            let Some((head, rest)) = list.split_first() else {
                break;
            };
            // as every component, each costs one; the caller has paid for the outermost
            self.budget = self.budget.saturating_sub(usize::from(!rests.is_empty()));
            if self.budget == 0 {
                return;
            }
            rests.push(rest);
            first = head;
        }
        let style = match first {
            Value::Object(object) => own_style(object, inherited),
            _ => inherited,
        };
        let rests = rests.into_iter().map(|rest| Step::Siblings(rest, style));
        self.steps.extend(rests);
        if !first.is_array() {
            self.steps.push(Step::Component(first, inherited));
        }
    }

    /// The object's own content, which comes before its `extra`. The empty key is how NBT lists write a bare string.
    fn content(&mut self, object: &'a Map<String, Value>, style: Style) {
        if let Some(text) = object.get("text").or_else(|| object.get("")) {
            self.steps.push(Step::Component(text, style));
        } else if let Some(key) = object.get("translate").and_then(Value::as_str) {
            let pattern = object
                .get("fallback")
                .and_then(Value::as_str)
                .unwrap_or(key);
            let arguments = object
                .get("with")
                .and_then(Value::as_array)
                .map_or(&[][..], Vec::as_slice);
            let pattern = self.afford(pattern);
            let mut steps = translation(
                pattern,
                &arguments[..arguments.len().min(MAX_ARGUMENTS)],
                style,
            );
            steps.reverse();
            self.steps.append(&mut steps);
        } else if let Some(value) = object.get("score").and_then(|score| score.get("value")) {
            self.steps.push(Step::Component(value, style));
        } else if let Some(name) = object.get("keybind").or_else(|| object.get("selector")) {
            self.steps.push(Step::Component(name, style));
        }
    }
}

/// The pattern with its arguments in place of `%s` and `%1$s`; a pattern without places has them appended.
fn translation<'a>(pattern: &'a str, arguments: &'a [Value], style: Style) -> Vec<Step<'a>> {
    let mut steps = Vec::new();
    let mut next = 0;
    let mut has_places = false;
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('%') {
        steps.push(Step::Literal(before, style));
        let (place, after) = place(after, &mut next);
        has_places |= matches!(place, Place::Argument(_));
        match place {
            Place::Argument(index) => {
                steps.extend(
                    arguments
                        .get(index)
                        .map(|argument| Step::Component(argument, style)),
                );
            }
            Place::Percent => steps.push(Step::Literal("%", style)),
        }
        rest = after;
    }
    steps.push(Step::Literal(rest, style));
    if !has_places {
        for argument in arguments {
            steps.push(Step::Literal(" ", style));
            steps.push(Step::Component(argument, style));
        }
    }
    steps
}

enum Place {
    Argument(usize),
    Percent,
}

/// What a `%` stands for, by what comes after it, and what comes after that. `next` is the argument of the next `%s`.
fn place<'a>(after: &'a str, next: &mut usize) -> (Place, &'a str) {
    if let Some(rest) = after.strip_prefix('s') {
        *next += 1;
        return (Place::Argument(*next - 1), rest);
    }
    let (digits, rest) = after.split_at(after.bytes().take_while(u8::is_ascii_digit).count());
    if let Some(rest) = rest.strip_prefix("$s")
        && let Ok(number @ 1..) = digits.parse::<usize>()
    {
        return (Place::Argument(number - 1), rest);
    }
    (Place::Percent, after.strip_prefix('%').unwrap_or(after))
}

fn own_style(object: &Map<String, Value>, inherited: Style) -> Style {
    let mut style = inherited;
    match object.get("color").and_then(Value::as_str) {
        Some("reset") => style.color = None,
        Some(color) => style.color = Color::parse(color).or(style.color),
        None => {}
    }
    for decoration in Decoration::ALL {
        if let Some(on) = object.get(decoration.name()).and_then(flag) {
            style = style.with(decoration, on);
        }
    }
    style
}

/// A decoration's switch; proxies that translate from NBT or YAML also send `1` and `"true"`.
fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(on) => Some(*on),
        Value::Number(number) => number.as_u64().map(|number| number != 0),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
#[path = "component_tests.rs"]
mod tests;
