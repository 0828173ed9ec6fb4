//! `pack.mcmeta`: what a resource pack says about itself, accepted or refused as the game does since 1.21.9.
//!
//! Formats up to 64 are the old kind (`pack_format`, `supported_formats`), those above the new one (`min_format`,
//! `max_format`, with minor versions). A pack for both kinds of client has to say both, without contradiction.
//! Overlays are not looked at.
//!
//! Spec: "pack.mcmeta" and "Pack format" (minecraft.wiki); the notes of snapshot 25w31a (minecraft.net).

use serde_json::{Map, Value};

use crate::formats::{FormatRange, LAST_WITHOUT_MINOR, PackFormat};
use crate::json;
use crate::text::Text;

mod error;

pub use error::MetaError;

/// The oldest `pack_format` of a pack for several versions: clients before it cannot read the range.
const FIRST_OF_SEVERAL: u32 = 15;

/// A `pack.mcmeta` that the game accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackMeta {
    pub formats: FormatRange,
    pub description: Text,
}

impl PackMeta {
    /// Reads the file. The caller bounds its size; real ones are below a few KiB.
    pub fn parse(bytes: &[u8]) -> Result<Self, MetaError> {
        let file = json::parse(bytes).map_err(|error| MetaError::NotJson(error.to_string()))?;
        let Value::Object(root) = &file else {
            return Err(MetaError::NotAnObject);
        };
        let pack = match field(root, "pack") {
            Some(Value::Object(pack)) => pack,
            Some(_) => return Err(MetaError::PackNotAnObject),
            None => return Err(MetaError::NoPack),
        };
        let description = match field(pack, "description") {
            Some(text @ (Value::String(_) | Value::Object(_))) => Text::from_component(text),
            Some(Value::Array(list)) if list.is_empty() => return Err(MetaError::BadDescription),
            Some(list @ Value::Array(_)) => Text::from_component(list),
            Some(_) => return Err(MetaError::BadDescription),
            None => return Err(MetaError::NoDescription),
        };
        Ok(Self {
            formats: Declared::read(pack)?.check()?,
            description,
        })
    }
}

/// A major and a minor version, as written.
type Written = (u32, u32);

/// What the `pack` section says about formats.
struct Declared {
    min_format: Option<Written>,
    max_format: Option<Written>,
    pack_format: Option<u32>,
    supported_formats: Option<(u32, u32)>,
}

impl Declared {
    fn read(pack: &Map<String, Value>) -> Result<Self, MetaError> {
        let version = |key, open_minor| {
            field(pack, key)
                .map(|value| version(value, open_minor).ok_or(MetaError::BadVersion(key)))
                .transpose()
        };
        let pack_format =
            field(pack, "pack_format").map(|value| number(value).ok_or(MetaError::BadPackFormat));
        let supported_formats =
            field(pack, "supported_formats").map(|value| match supported(value) {
                Some((start, end)) if start <= end => Ok((start, end)),
                Some((start, end)) => Err(MetaError::SupportedReversed { start, end }),
                None => Err(MetaError::BadSupported),
            });
        Ok(Self {
            min_format: version("min_format", 0)?,
            max_format: version("max_format", PackFormat::ANY_MINOR)?,
            pack_format: pack_format.transpose()?,
            supported_formats: supported_formats.transpose()?,
        })
    }

    fn check(&self) -> Result<FormatRange, MetaError> {
        match (self.min_format, self.max_format, self.supported_formats) {
            (Some(min), Some(max), _) => self.check_new(min, max),
            (Some(_), None, _) => Err(MetaError::OneBound {
                present: "min_format",
                missing: "max_format",
            }),
            (None, Some(_), _) => Err(MetaError::OneBound {
                present: "max_format",
                missing: "min_format",
            }),
            (None, None, Some((start, end))) => self.check_old(start, end),
            (None, None, None) => self.check_single(),
        }
    }

    fn check_new(&self, min: Written, max: Written) -> Result<FormatRange, MetaError> {
        let reversed = MetaError::BoundsReversed {
            min: format(min),
            max: format(max),
        };
        if min > max {
            return Err(reversed);
        }
        match self.supported_formats {
            Some(_) if min.0 > LAST_WITHOUT_MINOR => {
                return Err(MetaError::SupportedNotAllowed { min: min.0 });
            }
            Some((start, _)) if start != min.0 => {
                return Err(MetaError::SupportedStart { start, min: min.0 });
            }
            Some((_, end)) if end != max.0 && end != LAST_WITHOUT_MINOR => {
                return Err(MetaError::SupportedEnd { end, max: max.0 });
            }
            None if min.0 <= LAST_WITHOUT_MINOR => {
                return Err(MetaError::NoSupported {
                    min: min.0,
                    max: max.0.min(LAST_WITHOUT_MINOR),
                });
            }
            _ => {}
        }
        match self.pack_format {
            Some(pack_format) => check_pack_format(pack_format, min.0, max.0)?,
            None if min.0 <= LAST_WITHOUT_MINOR => {
                return Err(no_pack_format(min.0, max.0));
            }
            None => {}
        }
        FormatRange::new(format(min), format(max)).ok_or(reversed)
    }

    fn check_old(&self, start: u32, end: u32) -> Result<FormatRange, MetaError> {
        if end > LAST_WITHOUT_MINOR {
            return Err(MetaError::NeedsBounds {
                start,
                end,
                drop_supported: start > LAST_WITHOUT_MINOR,
            });
        }
        let pack_format = self.pack_format.ok_or_else(|| no_pack_format(start, end))?;
        check_pack_format(pack_format, start, end)?;
        FormatRange::new(format((start, 0)), format((end, 0)))
            .ok_or(MetaError::SupportedReversed { start, end })
    }

    fn check_single(&self) -> Result<FormatRange, MetaError> {
        let major = self.pack_format.ok_or(MetaError::NoFormat)?;
        let single = format((major, 0));
        FormatRange::new(single, single)
            .filter(|_| major <= LAST_WITHOUT_MINOR)
            .ok_or(MetaError::NeedsBounds {
                start: major,
                end: major,
                drop_supported: false,
            })
    }
}

fn no_pack_format(min: u32, max: u32) -> MetaError {
    MetaError::NoPackFormat {
        add: if min < max {
            min.max(FIRST_OF_SEVERAL)
        } else {
            min
        },
    }
}

fn check_pack_format(pack_format: u32, min: u32, max: u32) -> Result<(), MetaError> {
    if !(min..=max).contains(&pack_format) {
        return Err(MetaError::PackFormatOutside {
            pack_format,
            min,
            max,
        });
    }
    if min < max && pack_format < FIRST_OF_SEVERAL {
        return Err(MetaError::PackFormatTooOld { pack_format });
    }
    Ok(())
}

fn format((major, minor): Written) -> PackFormat {
    PackFormat::new(major, minor)
}

/// A field that is there; the game takes null for absent.
fn field<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    object.get(key).filter(|value| !value.is_null())
}

fn number(value: &Value) -> Option<u32> {
    u32::try_from(json::int(value)?).ok()
}

/// `69`, `69.0`, `[69]` or `[69, 0]`; without a minor version it is `open_minor`.
fn version(value: &Value, open_minor: u32) -> Option<Written> {
    let Value::Array(list) = value else {
        return Some((number(value)?, open_minor));
    };
    let numbers = list.iter().map(number).collect::<Option<Vec<u32>>>()?;
    match numbers[..] {
        [] => None,
        [major] => Some((major, open_minor)),
        [major, minor, ..] => Some((major, minor)),
    }
}

/// `34`, `[34, 64]` or `{"min_inclusive": 34, "max_inclusive": 64}`.
fn supported(value: &Value) -> Option<(u32, u32)> {
    match value {
        Value::Array(list) => match &list[..] {
            [start, end] => Some((number(start)?, number(end)?)),
            _ => None,
        },
        Value::Object(range) => Some((
            number(range.get("min_inclusive")?)?,
            number(range.get("max_inclusive")?)?,
        )),
        _ => number(value).map(|single| (single, single)),
    }
}

#[cfg(test)]
mod tests;
