//! A key of a JSON object that may be left out, null, or there: three different wishes.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is said of a key. Its struct says `#[serde(default)]`, and, to write it,
/// `skip_serializing_if = "Field::is_kept"`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Field<T> {
    /// The key is not there: what was before stays.
    #[default]
    Kept,
    /// The key is there; null is `None`.
    Set(Option<T>),
}

impl<T> Field<T> {
    pub fn is_kept(&self) -> bool {
        matches!(self, Self::Kept)
    }
}

impl<T: Clone> Field<T> {
    /// Changes what was before, if that is the wish.
    pub fn apply(&self, value: &mut Option<T>) {
        if let Self::Set(wish) = self {
            value.clone_from(wish);
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::Set)
    }
}

impl<T: Serialize> Serialize for Field<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Kept => serializer.serialize_none(),
            Self::Set(value) => value.serialize(serializer),
        }
    }
}
