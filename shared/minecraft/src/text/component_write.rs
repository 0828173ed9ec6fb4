//! [`Text`] to a text component (JSON).
//!
//! Spec: "Text component format" (minecraft.wiki).

use serde_json::{Map, Value};

use super::{Decoration, Run, Text};

impl Text {
    /// A text component, always an object: `{"text":"…"}`, or `{"text":"","extra":[…]}` for several runs. A run has
    /// `color` (a name or `#rrggbb`), `bold`, `italic`, `underlined`, `strikethrough` and `obfuscated` only where set.
    ///
    /// [`Text::from_component`] reads it back to the same text, up to the length that it reads.
    pub fn to_component(&self) -> Value {
        match self.runs() {
            [] => Value::Object(content("")),
            [run] => component(run),
            runs => {
                let mut parent = content("");
                parent.insert(
                    "extra".to_owned(),
                    runs.iter().map(component).collect::<Value>(),
                );
                Value::Object(parent)
            }
        }
    }
}

fn component(run: &Run) -> Value {
    let mut object = content(run.text());
    if let Some(color) = run.style().color {
        object.insert("color".to_owned(), color.to_string().into());
    }
    for decoration in Decoration::ALL {
        if run.style().has(decoration) {
            object.insert(decoration.name().to_owned(), true.into());
        }
    }
    Value::Object(object)
}

fn content(text: &str) -> Map<String, Value> {
    Map::from_iter([("text".to_owned(), text.into())])
}

#[cfg(test)]
#[path = "component_write_tests.rs"]
mod tests;
