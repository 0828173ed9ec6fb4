//! A MiniMessage string to text and tags, and a tag to its name and arguments.
//!
//! `<` opens a tag unless a `\` stands before it; another `<` outside quotes opens a new one, and `>` outside quotes
//! closes it. A `<` that nothing closes is text, and what comes after it is read afresh, quotes and all.

/// What is between two borders. Both keep their escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Text(&'a str),
    /// From `<` to `>`, both included.
    Tag(&'a str),
}

/// The tokens of a string, each with its offset in bytes. Joined they are the string.
pub(super) struct Tokens<'a> {
    input: &'a str,
    at: usize,
    /// The tag that begins where the last text ended.
    tag: Option<(usize, usize)>,
    /// For every byte, the states in which a search for the end of a tag has been there. One that comes there again
    /// would go the same way: only a search that found nothing is followed by another one over the same bytes. This
    /// keeps `<'<'<'` from being searched to its end again for every `<`.
    seen: Vec<u8>,
    /// Where the last `'` and the last `"` are.
    last_quotes: [Option<usize>; 2],
}

/// How the search for the end of a tag went on.
enum Search {
    /// The offset behind the `>`.
    Closed(usize),
    /// It was none, and text goes on at this offset.
    NoTag(usize),
    /// A `<` at this offset, which begins another one.
    Another(usize),
    Unclosed,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(input: &'a str) -> Self {
        Self {
            input,
            at: 0,
            tag: None,
            seen: vec![0; input.len()],
            last_quotes: ['\'', '"'].map(|quote| input.rfind(quote)),
        }
    }

    /// Start and end of the first tag at `from` or behind it, which is outside any tag.
    fn find_tag(&mut self, from: usize) -> Option<(usize, usize)> {
        let bytes = self.input.as_bytes();
        let mut at = from;
        while let Some(&byte) = bytes.get(at) {
            match (byte, bytes.get(at + 1)) {
                (b'\\', Some(b'<' | b'\\')) => at += 2,
                (b'<', _) => match self.search(at) {
                    Search::Closed(end) => return Some((at, end)),
                    Search::NoTag(next) | Search::Another(next) => at = next,
                    Search::Unclosed => at += 1,
                },
                _ => at += 1,
            }
        }
        None
    }

    /// Looks for the end of the tag that begins at `start`.
    fn search(&mut self, start: usize) -> Search {
        let bytes = self.input.as_bytes();
        let mut quote = None;
        let mut at = start + 1;
        while let Some(&byte) = bytes.get(at) {
            let state = match quote {
                None => 1,
                Some(b'\'') => 2,
                Some(_) => 4,
            };
            if self.seen[at] & state != 0 {
                return Search::Unclosed;
            }
            self.seen[at] |= state;
            match (byte, quote) {
                (b'\\', None) if bytes.get(at + 1) == Some(&b'<') => return Search::NoTag(at + 2),
                (b'>', None) if at == start + 1 => return Search::NoTag(at + 1),
                (b'>', None) => return Search::Closed(at + 1),
                (b'<', None) => return Search::Another(at),
                (b'\'' | b'"', None) if self.is_closed(byte, at) => quote = Some(byte),
                (b'\\', Some(quote))
                    if [Some(&quote), Some(&b'\\')].contains(&bytes.get(at + 1)) =>
                {
                    at += 1;
                }
                (_, Some(open)) if byte == open => quote = None,
                _ => {}
            }
            at += 1;
        }
        Search::Unclosed
    }

    fn is_closed(&self, quote: u8, at: usize) -> bool {
        self.last_quotes[usize::from(quote == b'"')] > Some(at)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = (usize, Token<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.at;
        if at == self.input.len() {
            return None;
        }
        let tag = self.tag.take().or_else(|| self.find_tag(at));
        let token = match tag {
            Some((start, end)) if start == at => {
                self.at = end;
                Token::Tag(&self.input[start..end])
            }
            _ => {
                self.tag = tag;
                self.at = tag.map_or(self.input.len(), |(start, _)| start);
                Token::Text(&self.input[at..self.at])
            }
        };
        Some((at, token))
    }
}

/// A tag's name and arguments, `<name:argument:'quoted argument'>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// In lower case.
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `<name>`
    Open,
    /// `<name/>`
    OpenAndClose,
    /// `</name>`
    Close,
}

impl Tag {
    /// `None` for what is in angle brackets and has no name of a tag, as `<3 >`.
    pub(super) fn parse(tag: &str) -> Option<Self> {
        let inner = tag.strip_prefix('<')?.strip_suffix('>')?;
        let (inner, kind) = match (inner.strip_prefix('/'), inner.strip_suffix('/')) {
            (Some(inner), _) => (inner, Kind::Close),
            (None, Some(inner)) => (inner, Kind::OpenAndClose),
            (None, None) => (inner, Kind::Open),
        };
        let mut parts = split(inner).into_iter().map(unquoted);
        let name = parts.next()?.to_ascii_lowercase();
        is_name(&name).then(|| Self {
            name,
            arguments: parts.collect(),
            kind,
        })
    }

    /// Whether this closes the tag `open`: the same name, and no arguments or the same ones.
    pub(super) fn closes(&self, open: &Self) -> bool {
        self.name == open.name && (self.arguments.is_empty() || self.arguments == open.arguments)
    }
}

fn is_name(name: &str) -> bool {
    let stem = name.strip_prefix(['!', '?', '#']).unwrap_or(name);
    !name.is_empty()
        && stem
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

/// The parts between colons. One in quotes or before `//`, as in a URL, parts nothing.
fn split(inner: &str) -> Vec<&str> {
    let bytes = inner.as_bytes();
    let mut parts = Vec::new();
    let mut quote = None;
    let mut start = 0;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, quote) {
            (b'\\', None) if bytes.get(at + 1) == Some(&b'\\') => at += 1,
            (b'\\', Some(quote)) if [Some(&quote), Some(&b'\\')].contains(&bytes.get(at + 1)) => {
                at += 1;
            }
            (b':', None) if !bytes[at + 1..].starts_with(b"//") => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            (b'\'' | b'"', None) => quote = Some(byte),
            (_, Some(open)) if byte == open => quote = None,
            _ => {}
        }
        at += 1;
    }
    parts.push(&inner[start..]);
    parts
}

/// What is between the quotes, without escapes; what is not in quotes has none.
fn unquoted(part: &str) -> String {
    let Some(quote) = part
        .chars()
        .next()
        .filter(|first| ['\'', '"'].contains(first))
    else {
        return part.to_owned();
    };
    let Some(inner) = part.get(1..).filter(|inner| !inner.is_empty()) else {
        return part.to_owned();
    };
    unescaped(inner.strip_suffix(['\'', '"']).unwrap_or(inner), quote)
}

/// Text with `\` taken from before `special` and before another `\`.
pub(super) fn unescaped(text: &str, special: char) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        rest = after;
        match after.chars().next() {
            Some(escaped) if escaped == special || escaped == '\\' => {
                out.push(escaped);
                rest = &after[1..];
            }
            _ => out.push('\\'),
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
