//! A fully qualified host name (RFC 1123, section 2.1).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Two or more labels of letters, digits and inner hyphens, at most 253 characters; kept in lower
/// case, without the dot at the end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

impl HostName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_label(label: &str) -> bool {
    let edge = |byte: &u8| byte.is_ascii_alphanumeric();
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| edge(&byte) || byte == b'-')
        && label.as_bytes().first().is_some_and(edge)
        && label.as_bytes().last().is_some_and(edge)
}

impl FromStr for HostName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.len() <= 253 && name.contains('.') && name.split('.').all(is_label) {
            Ok(Self(name.to_ascii_lowercase()))
        } else {
            let shown: String = text.chars().take(80).collect();
            Err(format!("{shown:?} is not a fully qualified host name"))
        }
    }
}

impl TryFrom<String> for HostName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<HostName> for String {
    fn from(host: HostName) -> Self {
        host.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_in_any_case_and_with_a_dot_at_the_end() {
        let host: HostName = "Home.Example.com.".parse().unwrap();
        assert_eq!(host.as_str(), "home.example.com");
    }

    #[test]
    fn what_is_not_fully_qualified_is_refused() {
        let long = format!("{}.com", "a".repeat(64));
        for bad in [
            "", ".", "home", "a..b", "-a.b", "a-.b", "a_b.c", "a b.c", "ä.b", "a.b/c", &long,
        ] {
            assert!(bad.parse::<HostName>().is_err(), "{bad:?}");
        }
    }
}
