//! Small rules that a configuration writes as text.

use std::{fmt, str::FromStr};

use serde::Deserialize;
use serde_json::Value;

/// `200`, or a class: `"2xx"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub enum StatusPattern {
    Exactly(u16),
    /// The first digit.
    Class(u16),
}

impl StatusPattern {
    pub const fn matches(self, status: u16) -> bool {
        match self {
            Self::Exactly(exact) => status == exact,
            Self::Class(class) => status / 100 == class,
        }
    }
}

impl TryFrom<Value> for StatusPattern {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let parsed = match &value {
            Value::Number(number) => number.as_u64().and_then(exactly),
            Value::String(text) => match text.to_ascii_lowercase().strip_suffix("xx") {
                Some(class) => {
                    let class = class.parse().ok();
                    let class = class.filter(|class| (1..=5).contains(class));
                    class.map(Self::Class)
                }
                None => text.parse().ok().and_then(exactly),
            },
            _ => None,
        };
        parsed.ok_or_else(|| format!("{value} is not a status such as 301 or \"2xx\""))
    }
}

fn exactly(status: u64) -> Option<StatusPattern> {
    let status = u16::try_from(status).ok()?;
    (100..=599)
        .contains(&status)
        .then_some(StatusPattern::Exactly(status))
}

/// The name of a value in a secret that is a JSON object: letters, digits and `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct SecretName(String);

impl SecretName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SecretName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if (1..=64).contains(&text.len()) && text.bytes().all(good) {
            return Ok(Self(text.to_owned()));
        }
        // It may be the secret itself, by mistake: it is not quoted.
        Err("names no secret: 1 to 64 letters, digits, '_' and '-'".to_owned())
    }
}

impl TryFrom<String> for SecretName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A bound on a metric of a heartbeat: `memory_percent < 80`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Limit {
    pub metric: String,
    compare: Compare,
    bound: f64,
}

/// The bound is a finite number.
impl Eq for Limit {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

impl Compare {
    /// Longest first: `<=` begins like `<`.
    const ALL: [Self; 6] = [
        Self::LessOrEqual,
        Self::GreaterOrEqual,
        Self::Equal,
        Self::NotEqual,
        Self::Less,
        Self::Greater,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }
}

impl Limit {
    /// Whether a measured value is within the bound. What is no number is not.
    #[expect(
        clippy::float_cmp,
        reason = "`==` and `!=` are asked for by the operator, on numbers that are usually whole"
    )]
    pub fn holds(&self, value: f64) -> bool {
        match self.compare {
            Compare::Less => value < self.bound,
            Compare::LessOrEqual => value <= self.bound,
            Compare::Greater => value > self.bound,
            Compare::GreaterOrEqual => value >= self.bound,
            Compare::Equal => value == self.bound,
            Compare::NotEqual => value.is_finite() && value != self.bound,
        }
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            let shown: String = text.chars().take(80).collect();
            format!("{shown:?} is not a limit such as \"memory_percent < 80\"")
        };
        let at = text.find(['<', '>', '=', '!']).ok_or_else(wrong)?;
        let (metric, rest) = text.split_at(at);
        let compare = Compare::ALL.into_iter();
        let compare = compare
            .into_iter()
            .find(|compare| rest.starts_with(compare.as_str()))
            .ok_or_else(wrong)?;
        let bound = rest[compare.as_str().len()..].trim().parse().ok();
        let bound: f64 = bound
            .filter(|bound: &f64| bound.is_finite())
            .ok_or_else(wrong)?;
        let metric = metric.trim();
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if !(1..=64).contains(&metric.len()) || !metric.bytes().all(good) {
            return Err(wrong());
        }
        Ok(Self {
            metric: metric.to_owned(),
            compare,
            bound,
        })
    }
}

impl TryFrom<String> for Limit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {}",
            self.metric,
            self.compare.as_str(),
            self.bound
        )
    }
}
