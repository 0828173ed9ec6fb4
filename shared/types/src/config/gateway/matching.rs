//! What a route is for: a host pattern and a path prefix.

use std::fmt;

use serde::Deserialize;

/// Which hosts a route is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub enum HostPattern {
    /// Every host that no other pattern names.
    #[default]
    Any,
    /// Exactly this one, in lower case.
    Exact(String),
    /// Every host below this suffix: `*.example.com` holds `example.com` here.
    Below(String),
}

impl TryFrom<String> for HostPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (name, below) = match text.strip_prefix("*.") {
            Some(suffix) => (suffix, true),
            None => (text.as_str(), false),
        };
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if name.is_empty()
            || name.len() > 253
            || !name.bytes().all(good)
            || name.split('.').any(str::is_empty)
        {
            return Err(format!(
                "{text:?} is not a host name or \"*.\" and one, without port"
            ));
        }
        let name = name.to_ascii_lowercase();
        Ok(if below {
            Self::Below(name)
        } else {
            Self::Exact(name)
        })
    }
}

/// The pattern as it is written; every host is `*`.
impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(name) => f.write_str(name),
            Self::Below(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

/// A path that a route is for, with everything below it: `/api/pack` is for `/api/pack` and
/// `/api/pack/latest`, not for `/api/packs`. Written with a slash at the end, `/app/` is for the same
/// paths, but a request for `/app` is sent to `/app/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct PathPrefix {
    /// Without a slash at the end; `/` is empty.
    bare: String,
    folder: bool,
}

impl PathPrefix {
    /// Without a slash at the end: `/api/pack`; empty for `/`.
    pub fn as_str(&self) -> &str {
        &self.bare
    }

    /// Whether it was written with a slash at the end. `/` is no folder in this sense: there is
    /// nothing shorter to be sent from.
    pub const fn is_folder(&self) -> bool {
        self.folder
    }
}

impl TryFrom<String> for PathPrefix {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.contains('*') {
            return Err(format!(
                "{text:?}: a path is a prefix already: leave out the `*`"
            ));
        }
        let good = |byte: u8| byte.is_ascii_graphic() && !b"?#%\\;\"<>^`{|}".contains(&byte);
        let plain = text.starts_with('/')
            && text.bytes().all(good)
            && !text.contains("//")
            && text
                .split('/')
                .all(|segment| segment != "." && segment != "..");
        if plain {
            let bare = text.trim_end_matches('/').to_owned();
            let folder = !bare.is_empty() && text.ends_with('/');
            Ok(Self { bare, folder })
        } else {
            Err(format!(
                "{text:?} is not a plain path: it starts with '/' and is of ASCII without blanks, \
                 escapes, \"//\" and dot segments"
            ))
        }
    }
}

/// The prefix as it is written.
impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.bare)?;
        if self.folder || self.bare.is_empty() {
            f.write_str("/")?;
        }
        Ok(())
    }
}
