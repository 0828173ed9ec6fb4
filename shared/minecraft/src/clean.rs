//! What genkan makes of a status response: typed, bounded, and free of what cannot be used.

use serde::Deserialize as _;
use serde_json::Value;
use uuid::Uuid;

use crate::failure::Failure;
use crate::favicon::Favicon;
use crate::json;
use crate::raw::{RawPlayer, RawPlayers, RawStatus, RawVersion};
use crate::text::Text;

/// The most players of a sample that are kept. Vanilla sends 12.
pub const MAX_SAMPLE: usize = 100;

/// A server's answer. What it did not say, or said in no usable form, is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerStatus {
    pub version: Option<Version>,
    pub players: Players,
    pub motd: Text,
    pub favicon: Option<Favicon>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// What the server calls itself, e.g. `Paper 1.21.11`; empty if it does not.
    pub name: Text,
    pub protocol: Option<i32>,
}

/// Counts are as sent: a proxy may say 0 or a negative number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Players {
    pub online: Option<i32>,
    /// `None` where it is hidden.
    pub max: Option<i32>,
    /// At most [`MAX_SAMPLE`].
    pub sample: Vec<Player>,
}

/// A line of the sample: a player, or whatever a plugin shows there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Player {
    pub name: Text,
    /// Plugins use the nil UUID, or none, for lines that are no players.
    pub uuid: Option<Uuid>,
}

impl ServerStatus {
    /// Reads the JSON text of a status response.
    ///
    /// [`Failure::BadJson`] if it is no JSON, is nested deeper than 128 levels, or is not an object.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Failure> {
        let value = json::parse(bytes).map_err(|error| Failure::BadJson(error.to_string()))?;
        if !value.is_object() {
            return Err(Failure::BadJson("not an object".to_owned()));
        }
        RawStatus::deserialize(value)
            .map(Self::from)
            .map_err(|error| Failure::BadJson(error.to_string()))
    }
}

impl From<RawStatus> for ServerStatus {
    fn from(raw: RawStatus) -> Self {
        Self {
            version: raw.version.map(Version::from),
            players: raw.players.map(Players::from).unwrap_or_default(),
            motd: Text::from_component(&raw.description),
            favicon: raw.favicon.as_deref().and_then(Favicon::from_data_uri),
        }
    }
}

impl From<RawVersion> for Version {
    fn from(raw: RawVersion) -> Self {
        Self {
            name: Text::from_component(&raw.name),
            protocol: json::int(&raw.protocol),
        }
    }
}

impl From<RawPlayers> for Players {
    fn from(raw: RawPlayers) -> Self {
        let sample = raw
            .sample
            .unwrap_or_default()
            .into_iter()
            .filter_map(player)
            .take(MAX_SAMPLE)
            .collect();
        Self {
            online: json::int(&raw.online),
            max: json::int(&raw.max),
            sample,
        }
    }
}

/// `None` for an entry without a name.
fn player(entry: Value) -> Option<Player> {
    let raw = RawPlayer::deserialize(entry).ok()?;
    let name = raw
        .name
        .is_string()
        .then(|| Text::from_component(&raw.name))?;
    Some(Player {
        name,
        uuid: raw.id.and_then(|id| id.parse().ok()),
    })
}

/// Server software that names itself first in the version, as in `Velocity 3.4.0`.
const SOFTWARE: [&str; 14] = [
    "Velocity",
    "BungeeCord",
    "Waterfall",
    "Paper",
    "Folia",
    "Purpur",
    "Pufferfish",
    "Leaf",
    "Spigot",
    "CraftBukkit",
    "Sponge",
    "Minestom",
    "Arclight",
    "Mohist",
];

impl Version {
    /// The server software, if the name begins with one that is known: proxies also put other text there.
    pub fn software(&self) -> Option<&'static str> {
        let name = self.name.to_plain();
        let first = name.split_whitespace().next()?;
        SOFTWARE
            .into_iter()
            .find(|software| software.eq_ignore_ascii_case(first))
    }
}

#[cfg(test)]
#[path = "clean_tests.rs"]
mod tests;
