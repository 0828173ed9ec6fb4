//! Names of packs, channels, targets, services and alert channels: `[a-z0-9][a-z0-9-]{0,31}`, safe in
//! a URL, a key and a log line.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A text that is not a name; says what one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidName(pub String);

fn is_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-')
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What was sent may be long or unprintable: quote a bounded, escaped piece of it.
        let shown: String = self.0.chars().take(40).collect();
        write!(
            f,
            "{shown:?} is not a name: 1 to 32 of a-z, 0-9 and '-', not starting with '-'"
        )
    }
}

impl std::error::Error for InvalidName {}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::try_from(text.to_owned())
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                if is_name(&text) { Ok(Self(text)) } else { Err(InvalidName(text)) }
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// A resource pack with its own uuid, releases and channels.
    PackName
}
name! {
    /// A static site: what lies in R2 under `sites/<name>/`.
    SiteName
}
name! {
    /// A channel of a pack: `stable`, `beta`, any name.
    Channel
}
name! {
    /// A Minecraft server whose status is kept.
    TargetId
}
name! {
    /// A service whose health is watched.
    ServiceId
}
name! {
    /// A channel that alerts are sent to.
    AlertName
}

impl PackName {
    /// The pack that is meant when a request names none.
    pub fn main() -> Self {
        Self("main".to_owned())
    }
}

impl Channel {
    /// The channel that is meant when a request names none.
    pub fn stable() -> Self {
        Self("stable".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_and_others_refused() {
        for good in ["main", "a", "0", "a-b-1", "a--", &"x".repeat(32)] {
            assert_eq!(
                good.parse::<PackName>().map(String::from).as_deref(),
                Ok(good)
            );
        }
        for bad in [
            "",
            "-a",
            "Main",
            "a_b",
            "a/b",
            "..",
            "ä",
            "a b",
            "a\0",
            &"x".repeat(33),
        ] {
            assert!(bad.parse::<Channel>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_error_quotes_a_bounded_piece() {
        let error = "\n".repeat(10_000).parse::<PackName>().unwrap_err();
        assert!(error.to_string().len() < 200);
    }

    #[test]
    fn json_is_the_text_and_checked_on_the_way_in() {
        assert_eq!(
            serde_json::to_string(&Channel::stable()).unwrap(),
            r#""stable""#
        );
        assert!(serde_json::from_str::<TargetId>(r#""../x""#).is_err());
    }
}
