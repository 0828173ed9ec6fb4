//! The JSON of a status response, as servers and proxies really send it.
//!
//! Everything is optional, and a field of the wrong type is as good as none: one odd plugin must not make a server look
//! broken. What the fields mean is [`crate::clean`]'s business.
//!
//! Spec: "Minecraft Java protocol, Server List Ping, Status Response" (minecraft.wiki).

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RawStatus {
    #[serde(deserialize_with = "lenient")]
    pub version: Option<RawVersion>,
    #[serde(deserialize_with = "lenient")]
    pub players: Option<RawPlayers>,
    /// A text component: string, object or list.
    pub description: Value,
    /// A data URI, maybe with line breaks.
    #[serde(deserialize_with = "lenient")]
    pub favicon: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RawVersion {
    /// Free text with `§` codes.
    pub name: Value,
    /// A number; `-1` and the like from proxies that refuse the client.
    pub protocol: Value,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RawPlayers {
    pub online: Value,
    /// A number; 0, null or missing where it is hidden.
    pub max: Value,
    /// [`RawPlayer`]s, or whatever a plugin puts there.
    #[serde(deserialize_with = "lenient")]
    pub sample: Option<Vec<Value>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct RawPlayer {
    /// A player's name, or a line of advertising with `§` codes.
    pub name: Value,
    #[serde(deserialize_with = "lenient")]
    pub id: Option<String>,
}

/// A value of the wrong type becomes `None`. Errors of the JSON text itself stay errors.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(T::deserialize(Value::deserialize(deserializer)?).ok())
}
