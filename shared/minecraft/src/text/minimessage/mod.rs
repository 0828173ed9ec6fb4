//! MiniMessage, both ways: what operators write, and what proxy plugins read.
//!
//! Reading is lenient, as Adventure is by default: what is no known tag stays text, and is told in the errors, so that a
//! preview can show it. Tags need not be closed. Here there is a list of what is open and no recursion, so nesting costs
//! nothing, and every character of the input is looked at a fixed number of times.
//!
//! Where this differs from Adventure: `§` codes do not refuse the whole string but are left out; a closing tag has no
//! arguments or all of those of the tag that it closes; a hexadecimal colour has six digits; colours may be in upper case
//! everywhere; events, fonts and shadow colours are read and dropped, for nothing in a [`Text`] can hold them; `<pride>`,
//! `<sprite>` and `<head>` are unknown; a key, a translation or a selector becomes plain text, of which a gradient colours
//! every character.
//!
//! Spec: "MiniMessage Format" (docs.advntr.dev/minimessage/format).

mod paint;
mod reader;
mod tags;
mod tokens;
mod write;

use super::Text;

/// The longest MiniMessage string that is read, and the longest text that one makes, in bytes. As long as what
/// [`Text::from_component`] reads; a MOTD is two lines.
pub const MAX_MINIMESSAGE: usize = 32 * 1024;

/// The most errors that are told of one string.
pub const MAX_MINIMESSAGE_ERRORS: usize = 50;

/// Something in a MiniMessage string that did not do what it looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MiniMessageError {
    /// Where, in characters (Unicode scalar values) from the start of the string.
    pub at: usize,
    /// What, for the operator who wrote it. It names tags as `<name>`: HTML must escape it.
    pub message: String,
}

impl Text {
    /// Reads a MiniMessage string. There is no wrong one: the text is what can be made of it.
    ///
    /// A tag that MiniMessage does not know is looked up in `placeholders` by its name in lower case, without arguments;
    /// what that gives is inserted as text, never read as MiniMessage. At most [`MAX_MINIMESSAGE`] bytes are read and
    /// made, and at most [`MAX_MINIMESSAGE_ERRORS`] errors told, in the order of the string.
    pub fn from_minimessage(
        input: &str,
        placeholders: &dyn Fn(&str) -> Option<String>,
    ) -> (Self, Vec<MiniMessageError>) {
        let read = &input[..input.floor_char_boundary(MAX_MINIMESSAGE)];
        let mut reader = reader::Reader::new(read, placeholders);
        for (at, token) in tokens::Tokens::new(read) {
            reader.token(at, token);
        }
        if read.len() < input.len() {
            let message = format!("longer than {MAX_MINIMESSAGE} bytes: the rest is left out");
            reader.error(read.len(), message);
        }
        reader.finish()
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
