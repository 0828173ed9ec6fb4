//! What a route asks of a request and adds to its answer: tokens, security headers, maintenance.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};

use crate::token::Scope;

/// Who may pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Auth {
    /// Anybody.
    #[default]
    None,
    /// Bearers of a shared token.
    Bearer {
        /// What the token must allow; `None`: any known token passes.
        scope: Option<Scope>,
        /// Whether the upstream gets the token too.
        forward_token: bool,
    },
}

/// The security headers of a route: what is added to an answer that does not have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// `Content-Security-Policy`.
    pub csp: Option<String>,
    /// `Permissions-Policy`, when not the default one.
    pub permissions: Option<String>,
    pub frame: Frame,
}

/// Who may show the pages in a frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Frame {
    /// Pages of the same origin.
    #[default]
    Sameorigin,
    /// Nobody.
    Deny,
    /// Everybody: no header.
    Any,
}

/// A route that is closed for now. Written as `true`, as a message, or as `{ en = "…", ja = "…" }`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Maintenance {
    /// What the operator says, as text; to a visitor who reads English, and to one who reads
    /// Japanese. The one that is missing is taken from the other.
    pub en: Option<String>,
    pub ja: Option<String>,
}

/// The value of the key: `false` is no maintenance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct MaintenanceKey(pub Option<Maintenance>);

impl<'de> Deserialize<'de> for MaintenanceKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MaintenanceVisitor).map(Self)
    }
}

struct MaintenanceVisitor;

impl<'de> Visitor<'de> for MaintenanceVisitor {
    type Value = Option<Maintenance>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false, a message, or { en = \"…\", ja = \"…\" }")
    }

    fn visit_bool<E: Error>(self, active: bool) -> Result<Self::Value, E> {
        Ok(active.then(Maintenance::default))
    }

    fn visit_str<E: Error>(self, message: &str) -> Result<Self::Value, E> {
        Ok(Some(Maintenance {
            en: Some(message.to_owned()),
            ja: Some(message.to_owned()),
        }))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut maintenance = Maintenance::default();
        while let Some(language) = map.next_key::<String>()? {
            let message = Some(map.next_value()?);
            match language.as_str() {
                "en" => maintenance.en = message,
                "ja" => maintenance.ja = message,
                other => return Err(A::Error::unknown_field(other, &["en", "ja"])),
            }
        }
        if maintenance.en.is_none() {
            maintenance.en.clone_from(&maintenance.ja);
        }
        if maintenance.ja.is_none() {
            maintenance.ja.clone_from(&maintenance.en);
        }
        Ok(Some(maintenance))
    }
}
