//! The front of a `multipart/form-data` body (RFC 7578, RFC 2046 section 5.1): fields of text, then
//! the header of the file. A codec without I/O; the file itself passes natively.
//!
//! By hand, since a parser that takes the body apart (the crate `multer`) has every chunk come
//! through this worker's memory, and cannot tell in advance where the file begins.

use std::{borrow::Cow, fmt};

/// The longest boundary (RFC 2046, section 5.1.1).
const MAX_BOUNDARY: usize = 70;

/// The most that follows a file, in bytes: boundary, the dashes around it, and some line breaks.
pub const MAX_END: u64 = 2 + 2 + MAX_BOUNDARY as u64 + MAX_AFTER as u64;

/// The most that follows the boundary behind the file, in bytes.
const MAX_AFTER: usize = edge::stream::AFTER as usize;

/// What is wrong with a form. Written for who configures the plugin that sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormError {
    NotAForm,
    NoBoundary,
    LongBoundary(usize),
    OddBoundary,
    /// The body does not begin with its boundary, or a line of it is not as it should be.
    Malformed(&'static str),
    /// The form ends, or its front does, and there was no such field.
    Missing(&'static str),
    Twice(&'static str),
    /// The file came, and no token before it.
    FileFirst,
    /// Something follows the file.
    NotLast,
    /// The end is not there: `--boundary--`.
    NoEnd,
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAForm => f.write_str(
                "send a form: Content-Type: multipart/form-data with the fields \"id\" and \"pack\"",
            ),
            Self::NoBoundary => f.write_str("Content-Type says multipart/form-data without a boundary"),
            Self::LongBoundary(length) => write!(
                f,
                "the boundary in Content-Type has {length} characters; {MAX_BOUNDARY} are allowed"
            ),
            Self::OddBoundary => {
                f.write_str("the boundary in Content-Type has characters that none may have")
            }
            Self::Malformed(what) => write!(f, "the form cannot be read: {what}"),
            Self::Missing(field) => write!(
                f,
                "the form has no field \"{field}\" in its first 64 KiB; it takes \"id\" (a token), then \"pack\" (the zip)"
            ),
            Self::Twice(field) => write!(f, "the form has the field \"{field}\" twice"),
            Self::FileFirst => f.write_str(
                "the field \"id\" (a token) is missing, or comes after \"pack\"; it must come before",
            ),
            Self::NotLast => f.write_str("something follows the field \"pack\", which must be the last"),
            Self::NoEnd => f.write_str(
                "the form has no end (--boundary-- after the file): it was cut off, or the boundary is another",
            ),
        }
    }
}

/// What parts a form's fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary(Vec<u8>);

impl Boundary {
    /// Reads `Content-Type`.
    pub fn of(content_type: &str) -> Result<Self, FormError> {
        let (media_type, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
        if !media_type
            .trim()
            .eq_ignore_ascii_case("multipart/form-data")
        {
            return Err(FormError::NotAForm);
        }
        let boundary = parameter(parameters, "boundary").ok_or(FormError::NoBoundary)?;
        match boundary.as_bytes() {
            [] => Err(FormError::NoBoundary),
            long if long.len() > MAX_BOUNDARY => Err(FormError::LongBoundary(long.len())),
            [.., b' '] => Err(FormError::OddBoundary),
            // More than RFC 2046 allows, since clients do use "*****".
            bytes if bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) => {
                Ok(Self([b"--", bytes].concat()))
            }
            _ => Err(FormError::OddBoundary),
        }
    }

    /// What ends a field: the line break belongs to it.
    pub fn delimiter(&self) -> Vec<u8> {
        [b"\r\n", &self.0[..]].concat()
    }
}

/// What comes before the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Front {
    /// The field `id`.
    pub id: String,
    /// Where in the body the file begins.
    pub file_at: usize,
}

/// Reads the front of a body: all of it, or as much as a front may have.
pub fn front(body: &[u8], boundary: &Boundary) -> Result<Front, FormError> {
    let delimiter = boundary.delimiter();
    let mut id: Option<String> = None;
    let mut at = start(body, boundary, &delimiter)?;
    loop {
        let rest = &body[at..];
        let missing = || FormError::Missing(if id.is_some() { "pack" } else { "id" });
        if rest.starts_with(b"--") {
            return Err(missing());
        }
        let (line, _) = split(rest, b"\r\n").ok_or_else(missing)?;
        if !line.iter().all(|byte| matches!(byte, b' ' | b'\t')) {
            return Err(FormError::Malformed("a boundary is followed by other text"));
        }
        // The header's last line break is looked for with the one before the header, so that an
        // empty header is one too.
        let header_at = at + line.len();
        let (header, _) = split(&body[header_at..], b"\r\n\r\n").ok_or_else(missing)?;
        let content_at = header_at + header.len() + 4;
        let name = field(header)?;
        if name == "pack" {
            let id = id.ok_or(FormError::FileFirst)?;
            return Ok(Front {
                id,
                file_at: content_at,
            });
        }
        let (content, _) = split(&body[content_at..], &delimiter).ok_or_else(missing)?;
        if name == "id" {
            if id.is_some() {
                return Err(FormError::Twice("id"));
            }
            let text = str::from_utf8(content);
            id = Some(
                text.map_err(|_| FormError::Malformed("\"id\" is no text"))?
                    .to_owned(),
            );
        }
        at = content_at + content.len() + delimiter.len();
    }
}

/// Behind the first boundary; what comes before it is to be ignored.
fn start(body: &[u8], boundary: &Boundary, delimiter: &[u8]) -> Result<usize, FormError> {
    if body.starts_with(&boundary.0) {
        return Ok(boundary.0.len());
    }
    let (preamble, _) = split(body, delimiter).ok_or(FormError::Malformed(
        "it does not begin with the boundary that Content-Type says",
    ))?;
    Ok(preamble.len() + delimiter.len())
}

/// Whether the form ends here, judged by what follows the boundary behind the file, as much of it
/// as is at hand.
pub fn end(after: Option<&[u8]>) -> Result<(), FormError> {
    let after = after.ok_or(FormError::NoEnd)?;
    let blank = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_whitespace);
    match after {
        [b'-', b'-', rest @ ..] if after.len() <= MAX_AFTER && blank(rest) => Ok(()),
        [] | [b'-'] => Err(FormError::NoEnd),
        _ => Err(FormError::NotLast),
    }
}

/// The name of a field, by the lines of its header.
fn field(header: &[u8]) -> Result<Cow<'_, str>, FormError> {
    let header = str::from_utf8(header);
    let header = header.map_err(|_| FormError::Malformed("a field's header is not UTF-8"))?;
    let mut lines = header.split("\r\n").filter_map(|line| line.split_once(':'));
    let disposition =
        lines.find(|(name, _)| name.trim().eq_ignore_ascii_case("content-disposition"));
    let (_, disposition) =
        disposition.ok_or(FormError::Malformed("a field has no Content-Disposition"))?;
    let (_, parameters) = disposition.split_once(';').unwrap_or_default();
    parameter(parameters, "name").ok_or(FormError::Malformed("a field has no name"))
}

/// A parameter of a header's value: a token, or a quoted string (RFC 2045, section 5.1).
fn parameter<'a>(mut parameters: &'a str, wanted: &str) -> Option<Cow<'a, str>> {
    loop {
        let (name, rest) = parameters.split_once('=')?;
        // A parameter without a value before it is passed over.
        let name = name.rsplit(';').next().unwrap_or_default().trim();
        let rest = rest.trim_start();
        let (value, rest) = if let Some(quoted) = rest.strip_prefix('"') {
            unquote(quoted)?
        } else {
            let (value, rest) = rest.split_once(';').unwrap_or((rest, ""));
            (Cow::Borrowed(value.trim_end()), rest)
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        parameters = rest;
    }
}

/// What is in the quotes, and what follows them; `None` when they do not end.
fn unquote(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value.into(), &text[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

/// What comes before and after the first `mark`.
fn split<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes
        .windows(mark.len())
        .position(|window| window == mark)?;
    Some((&bytes[..at], &bytes[at + mark.len()..]))
}

#[cfg(test)]
#[path = "form_tests.rs"]
mod tests;
