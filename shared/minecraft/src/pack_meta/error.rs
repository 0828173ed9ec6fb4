//! Why the game would not load a pack, in words for the one who made it.

use std::fmt;

use crate::formats::{LAST_WITHOUT_MINOR, PackFormat};

/// What is wrong with a `pack.mcmeta`. `Display` says it in one sentence, with the fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetaError {
    /// The parser's message, with line and column.
    NotJson(String),
    NotAnObject,
    NoPack,
    PackNotAnObject,
    NoDescription,
    BadDescription,
    /// `min_format` or `max_format` is no version; the name of the field.
    BadVersion(&'static str),
    BadPackFormat,
    BadSupported,
    SupportedReversed {
        start: u32,
        end: u32,
    },
    /// Nothing about formats at all.
    NoFormat,
    OneBound {
        present: &'static str,
        missing: &'static str,
    },
    BoundsReversed {
        min: PackFormat,
        max: PackFormat,
    },
    /// Formats above 64 without `min_format` and `max_format`.
    NeedsBounds {
        start: u32,
        end: u32,
        /// Whether `supported_formats` has to go as well.
        drop_supported: bool,
    },
    SupportedNotAllowed {
        min: u32,
    },
    SupportedStart {
        start: u32,
        min: u32,
    },
    SupportedEnd {
        end: u32,
        max: u32,
    },
    /// The old kind of range is missing for clients up to 64.
    NoSupported {
        min: u32,
        max: u32,
    },
    /// `pack_format` is missing for clients up to 64; `add` is one that fits.
    NoPackFormat {
        add: u32,
    },
    PackFormatOutside {
        pack_format: u32,
        min: u32,
        max: u32,
    },
    PackFormatTooOld {
        pack_format: u32,
    },
}

impl fmt::Display for MetaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LAST: u32 = LAST_WITHOUT_MINOR;
        match self {
            Self::NotJson(detail) => write!(f, "pack.mcmeta is not valid JSON ({detail}): correct it at that place"),
            Self::NotAnObject => f.write_str("pack.mcmeta is not a JSON object: write {\"pack\": {…}}"),
            Self::NoPack => f.write_str("pack.mcmeta has no \"pack\" section: add \"pack\": {…}"),
            Self::PackNotAnObject => f.write_str("\"pack\" is not an object: write \"pack\": {…}"),
            Self::NoDescription => f.write_str("\"description\" is missing in \"pack\": add one, \"\" will do"),
            Self::BadDescription => f.write_str("\"description\" is no text: write a string or a text component"),
            Self::BadVersion(key) => write!(f, "\"{key}\" is no format: write a number such as 69, or [69, 0]"),
            Self::BadPackFormat => f.write_str("\"pack_format\" is no number: write it without quotes, such as 34"),
            Self::BadSupported => f.write_str(
                "\"supported_formats\" is no range: write 34, [34, 64] or {\"min_inclusive\": 34, \"max_inclusive\": 64}",
            ),
            Self::SupportedReversed { start, end } => {
                write!(f, "\"supported_formats\" starts at {start} and ends at {end}: put the smaller number first")
            }
            Self::NoFormat => f.write_str(
                "no format is declared: add \"min_format\" and \"max_format\", or \"pack_format\" for formats up to 64",
            ),
            Self::OneBound { present, missing } => {
                write!(f, "\"{present}\" is there without \"{missing}\": add \"{missing}\"")
            }
            Self::BoundsReversed { min, max } => {
                write!(f, "\"min_format\" ({min}) is above \"max_format\" ({max}): exchange them")
            }
            Self::NeedsBounds { start, end, drop_supported } => write!(
                f,
                "formats above {LAST} need both bounds: add \"min_format\": {start} and \"max_format\": {end}{}",
                if *drop_supported { ", and remove \"supported_formats\"" } else { "" }
            ),
            Self::SupportedNotAllowed { min } => write!(
                f,
                "\"supported_formats\" is not allowed when \"min_format\" ({min}) is above {LAST}: remove it"
            ),
            Self::SupportedStart { start, min } => write!(
                f,
                "\"supported_formats\" starts at {start} but \"min_format\" is {min}: let both start at the same number"
            ),
            Self::SupportedEnd { end, max } => write!(
                f,
                "\"supported_formats\" ends at {end} but \"max_format\" is {max}: let it end at {max} or {LAST}"
            ),
            Self::NoSupported { min, max } => {
                write!(f, "clients up to format {LAST} need \"supported_formats\": add \"supported_formats\": [{min}, {max}]")
            }
            Self::NoPackFormat { add } => {
                write!(f, "clients up to format {LAST} need \"pack_format\": add \"pack_format\": {add}")
            }
            Self::PackFormatOutside { pack_format, min, max } => write!(
                f,
                "\"pack_format\" ({pack_format}) is outside the declared formats: write a number from {min} to {max}"
            ),
            Self::PackFormatTooOld { pack_format } => write!(
                f,
                "\"pack_format\" ({pack_format}) of a pack for several versions must be 15 or more: \
                 raise it, or declare that one format only"
            ),
        }
    }
}

impl std::error::Error for MetaError {}
