//! Tokens to [`Text`].

use std::collections::BTreeMap;
use std::iter;

use super::paint::Paint;
use super::tags::{self, Effect};
use super::tokens::{Kind, Tag, Token, unescaped};
use super::{MAX_MINIMESSAGE, MAX_MINIMESSAGE_ERRORS, MiniMessageError};
use crate::text::{Color, Style, Text};

/// The most characters of a name that a message repeats.
const SHOWN: usize = 32;

pub(super) struct Reader<'a> {
    input: &'a str,
    placeholders: &'a dyn Fn(&str) -> Option<String>,
    pieces: Vec<Piece>,
    paints: Vec<Painted>,
    open: Vec<Open>,
    /// How many of `open` a closing tag of a name and arguments would close, so that one that closes nothing need not
    /// look at each.
    closable: BTreeMap<Closing, usize>,
    look: Look,
    /// Characters so far. [`MAX_MINIMESSAGE`] keeps it far from its end.
    chars: u16,
    /// Bytes that may still come.
    budget: usize,
    /// Whether more came than that.
    is_full: bool,
    errors: Vec<MiniMessageError>,
    /// The last offset that an error was at, in bytes and in characters.
    counted: (usize, usize),
}

/// How characters look: the paint, if there is one, colours them.
#[derive(Clone, Copy, Default)]
struct Look {
    style: Style,
    paint: Option<usize>,
}

struct Piece {
    text: String,
    look: Look,
    /// The number of its first character.
    start: u16,
}

/// A paint and the characters that it spreads over, whether or not they have a colour of their own.
struct Painted {
    paint: Paint,
    start: u16,
    end: u16,
}

struct Open {
    tag: Tag,
    before: Look,
    paint: Option<usize>,
}

/// The name and the arguments of a closing tag.
type Closing = (String, Vec<String>);

/// The closing tags that close `open`, see [`Tag::closes`].
fn closings(open: &Tag) -> impl Iterator<Item = Closing> {
    let bare = (open.name.clone(), Vec::new());
    let whole = (open.name.clone(), open.arguments.clone());
    let differ = bare != whole;
    iter::once(bare).chain(differ.then_some(whole))
}

impl<'a> Reader<'a> {
    pub(super) fn new(input: &'a str, placeholders: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            input,
            placeholders,
            pieces: Vec::new(),
            paints: Vec::new(),
            open: Vec::new(),
            closable: BTreeMap::new(),
            look: Look::default(),
            chars: 0,
            budget: MAX_MINIMESSAGE,
            is_full: false,
            errors: Vec::new(),
            counted: (0, 0),
        }
    }

    /// Takes the next token, which is at this offset in bytes.
    pub(super) fn token(&mut self, at: usize, token: Token<'_>) {
        match token {
            Token::Text(text) => self.literal(at, text),
            Token::Tag(raw) => {
                let understood = match Tag::parse(raw) {
                    Some(tag) if tag.kind == Kind::Close => self.close(&tag),
                    Some(tag) => self.tag(at, tag),
                    None => Err(None),
                };
                if let Err(error) = understood {
                    if let Some(message) = error {
                        self.error(at, message);
                    }
                    self.literal(at, raw);
                }
            }
        }
    }

    pub(super) fn finish(mut self) -> (Text, Vec<MiniMessageError>) {
        self.close_from(0);
        let mut text = Text::default();
        for piece in self.pieces {
            let Some(painted) = piece.look.paint.and_then(|paint| self.paints.get(paint)) else {
                text.push(&piece.text, piece.look.style);
                continue;
            };
            let size = painted.end - painted.start;
            for (index, char) in (piece.start - painted.start..).zip(piece.text.chars()) {
                let color = Color::Rgb(painted.paint.color(index, size));
                text.push(
                    char.encode_utf8(&mut [0; 4]),
                    piece.look.style.colored(color),
                );
            }
        }
        (text, self.errors)
    }

    /// Tells an error at this offset in bytes, or where the last one was if that is behind it.
    pub(super) fn error(&mut self, at: usize, message: String) {
        let at = at.max(self.counted.0);
        if self.errors.len() < MAX_MINIMESSAGE_ERRORS {
            let (byte, char) = self.counted;
            let char = char + self.input[byte..at].chars().count();
            self.counted = (at, char);
            self.errors.push(MiniMessageError { at: char, message });
        }
    }

    /// Text of the string, with its escapes. A `§` code is left out: whoever wrote it did not mean its letter.
    fn literal(&mut self, at: usize, text: &str) {
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('§') {
            let sign = at + text.len() - after.len() - '§'.len_utf8();
            self.insert(at, &unescaped(before, '<'));
            self.error(sign, "§ codes do nothing in MiniMessage".to_owned());
            rest = after.strip_prefix(is_code).unwrap_or(after);
        }
        self.insert(at, &unescaped(rest, '<'));
    }

    /// Appends text that was made of what is at this offset, as much as may still come.
    fn insert(&mut self, at: usize, text: &str) {
        // a `§` never becomes part of a Text: it must not count as a character of a gradient
        let mut text = text.replace('§', "");
        if text.len() > self.budget {
            if !self.is_full {
                self.error(
                    at,
                    format!("the text is longer than {MAX_MINIMESSAGE} bytes"),
                );
            }
            self.is_full = true;
            text.truncate(text.floor_char_boundary(self.budget));
            self.budget = text.len();
        }
        if text.is_empty() {
            return;
        }
        self.budget -= text.len();
        let start = self.chars;
        let count = u16::try_from(text.chars().count()).unwrap_or(u16::MAX);
        self.chars = self.chars.saturating_add(count);
        self.pieces.push(Piece {
            text,
            look: self.look,
            start,
        });
    }

    /// An opening tag. The error is what to tell, if anything, of a tag that stays text.
    fn tag(&mut self, at: usize, tag: Tag) -> Result<(), Option<String>> {
        let effect = match tags::effect(&tag.name, &tag.arguments) {
            Some(effect) => effect.map_err(|why| Some(format!("<{}> {why}", shown(&tag.name))))?,
            None => match (self.placeholders)(&tag.name) {
                Some(value) => Effect::Alone(value),
                None => return Err(Some(format!("unknown tag <{}>", shown(&tag.name)))),
            },
        };
        let before = self.look;
        let mut paint = None;
        match effect {
            Effect::Color(color) => {
                self.look = Look {
                    style: before.style.colored(color),
                    paint: None,
                };
            }
            Effect::Decoration(decoration, on) => {
                self.look.style = before.style.with(decoration, on);
            }
            Effect::Paint(new) => {
                paint = Some(self.paints.len());
                self.look.paint = paint;
                self.paints.push(Painted {
                    paint: new,
                    start: self.chars,
                    end: self.chars,
                });
            }
            Effect::Nothing => {}
            Effect::Before(text) => self.insert(at, &text),
            Effect::Alone(text) => {
                self.insert(at, &text);
                return Ok(());
            }
            Effect::Reset => {
                self.close_from(0);
                return Ok(());
            }
        }
        if tag.kind == Kind::Open {
            for closing in closings(&tag) {
                *self.closable.entry(closing).or_default() += 1;
            }
            self.open.push(Open { tag, before, paint });
        } else {
            self.look = before;
        }
        Ok(())
    }

    fn close(&mut self, tag: &Tag) -> Result<(), Option<String>> {
        if tag.name == "reset" {
            return Ok(());
        }
        let closing = (tag.name.clone(), tag.arguments.clone());
        let open = match self.closable.get(&closing) {
            Some(1..) => self.open.iter().rposition(|open| tag.closes(&open.tag)),
            _ => None,
        };
        let open = open.ok_or_else(|| Some(format!("</{}> closes no tag", shown(&tag.name))))?;
        self.close_from(open);
        Ok(())
    }

    /// Closes what was opened as the `count`th tag and all that was opened since.
    fn close_from(&mut self, count: usize) {
        if let Some(first) = self.open.get(count) {
            self.look = first.before;
        }
        for open in self.open.drain(count..) {
            for closing in closings(&open.tag) {
                if let Some(count) = self.closable.get_mut(&closing) {
                    *count -= 1;
                }
            }
            if let Some(painted) = open.paint.and_then(|paint| self.paints.get_mut(paint)) {
                painted.end = self.chars;
            }
        }
    }
}

fn shown(name: &str) -> String {
    name.chars().take(SHOWN).collect()
}

fn is_code(char: char) -> bool {
    matches!(
        char.to_ascii_lowercase(),
        '0'..='9' | 'a'..='f' | 'k'..='o' | 'r' | 'x'
    )
}
