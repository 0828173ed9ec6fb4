//! Where in a JSON document something is.
//!
//! Spec: the singular queries of RFC 9535 (section 2.3.5.1): `$.a.b[0]`, `$['a b'][-1]`; and RFC
//! 6901 (JSON Pointer), which begins with a slash. A path that finds several places is refused: a
//! check is about one. The crates for whole RFC 9535 bring a parser framework and regular
//! expressions, which cost a worker more than all of its checks.

use serde::Deserialize;
use serde_json::Value;

/// The most steps, as deep as `serde_json` reads at all.
const MAX_STEPS: usize = 128;

/// A place in a document.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct JsonPath {
    text: String,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    /// Negative ones count from the end.
    Index(i64),
    /// Of a pointer: a name in an object, an index in an array.
    Token(String),
}

impl JsonPath {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn find<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        let mut steps = self.steps.iter();
        steps.try_fold(document, |value, step| step.of(value))
    }
}

impl Step {
    fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        match self {
            Self::Name(name) => value.as_object()?.get(name),
            Self::Index(index) => {
                let array = value.as_array()?;
                let from_start = usize::try_from(*index).ok();
                let from_end = || {
                    let back = usize::try_from(index.unsigned_abs()).ok()?;
                    array.len().checked_sub(back)
                };
                array.get(from_start.or_else(from_end)?)
            }
            Self::Token(token) => match value {
                Value::Array(array) => array.get(index_of_token(token)?),
                _ => value.as_object()?.get(token),
            },
        }
    }
}

/// Without leading zeros (RFC 6901, section 4).
fn index_of_token(token: &str) -> Option<usize> {
    let canonical = token == "0" || !token.starts_with(['0', '+']);
    canonical.then(|| token.parse().ok()).flatten()
}

impl TryFrom<String> for JsonPath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let steps = match text.strip_prefix('/') {
            Some(pointer) => Some(pointer.split('/').map(token).collect::<Vec<_>>()),
            None => text.strip_prefix('$').and_then(segments),
        };
        match steps {
            Some(steps) if steps.len() <= MAX_STEPS => Ok(Self { text, steps }),
            _ => {
                let shown: String = text.chars().take(80).collect();
                Err(format!(
                    "{shown:?} is not one place in JSON, such as \"$.checks[0].status\" or \"/checks/0/status\""
                ))
            }
        }
    }
}

fn token(text: &str) -> Step {
    Step::Token(text.replace("~1", "/").replace("~0", "~"))
}

/// What follows the `$`: `.name`, `[0]`, `['name']`, any number of times.
fn segments(mut rest: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, after) = match rest.strip_prefix('[') {
            Some(inner) => bracketed(inner)?,
            None => dotted(rest.strip_prefix('.')?)?,
        };
        steps.push(step);
        rest = after;
    }
    Some(steps)
}

/// A member name in short: letters, digits, `_`, `-` (which RFC 9535 wants in brackets, and nobody
/// writes so), and whatever is not ASCII.
fn dotted(text: &str) -> Option<(Step, &str)> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || !c.is_ascii();
    let end = text.find(|c| !good(c)).unwrap_or(text.len());
    let (name, after) = text.split_at(end);
    (!name.is_empty()).then(|| (Step::Name(name.to_owned()), after))
}

fn bracketed(text: &str) -> Option<(Step, &str)> {
    let Some(quote) = text.chars().next().filter(|c| ['\'', '"'].contains(c)) else {
        let (number, after) = text.split_once(']')?;
        let digits = number.strip_prefix('-').unwrap_or(number);
        let canonical = digits == "0" && number == "0"
            || !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
        let index = number.parse().ok().filter(|_| canonical)?;
        return Some((Step::Index(index), after));
    };
    let mut name = String::new();
    let mut chars = text[1..].char_indices();
    loop {
        match chars.next()? {
            (_, '\\') => match chars.next()?.1 {
                escaped @ ('\\' | '/' | '\'' | '"') => name.push(escaped),
                _ => return None,
            },
            (at, c) if c == quote => {
                // `at` counts from behind the opening quote.
                let after = text.get(at + 2..)?.strip_prefix(']')?;
                return Some((Step::Name(name), after));
            }
            (_, c) => name.push(c),
        }
    }
}
