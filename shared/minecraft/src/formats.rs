//! Resource pack formats, and the releases they belong to.
//!
//! Spec: "Pack format, List of resource pack formats" and "Protocol version" (minecraft.wiki).

use std::fmt;
use std::str::FromStr;

/// The last format of the old kind, without minor versions.
pub const LAST_WITHOUT_MINOR: u32 = 64;

/// A resource pack format, ordered as the game orders them.
///
/// Written `34` up to 64, `69.0` above, and `69` above if any minor version is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackFormat {
    major: u32,
    minor: u32,
}

impl PackFormat {
    /// The minor version that stands for any: the largest there is.
    pub const ANY_MINOR: u32 = i32::MAX.cast_unsigned();

    /// A minor version is forgotten where there is none, up to 64.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self {
            major,
            minor: if major <= LAST_WITHOUT_MINOR {
                0
            } else {
                minor
            },
        }
    }

    pub const fn major(self) -> u32 {
        self.major
    }

    pub const fn minor(self) -> u32 {
        self.minor
    }
}

impl fmt::Display for PackFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.major <= LAST_WITHOUT_MINOR || self.minor == Self::ANY_MINOR {
            write!(f, "{}", self.major)
        } else {
            write!(f, "{}.{}", self.major, self.minor)
        }
    }
}

/// The text is neither `34` nor `69.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAPackFormat;

impl fmt::Display for NotAPackFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a pack format is written 34 or 69.0")
    }
}

impl std::error::Error for NotAPackFormat {}

impl FromStr for PackFormat {
    type Err = NotAPackFormat;

    /// Reads what `Display` writes, and the client's `X-Minecraft-Pack-Format`.
    fn from_str(text: &str) -> Result<Self, NotAPackFormat> {
        let (major, minor) = match text.split_once('.') {
            Some((major, minor)) => (number(major)?, number(minor)?),
            None => (number(text)?, Self::ANY_MINOR),
        };
        Ok(Self::new(major, minor))
    }
}

fn number(digits: &str) -> Result<u32, NotAPackFormat> {
    let number = digits
        .bytes()
        .all(|digit| digit.is_ascii_digit())
        .then(|| digits.parse().ok())
        .flatten();
    number
        .filter(|&number| number <= PackFormat::ANY_MINOR)
        .ok_or(NotAPackFormat)
}

/// The formats that a pack declares, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatRange {
    min: PackFormat,
    max: PackFormat,
}

impl FormatRange {
    /// `None` if `min` is above `max`.
    pub fn new(min: PackFormat, max: PackFormat) -> Option<Self> {
        (min <= max).then_some(Self { min, max })
    }

    pub fn min(self) -> PackFormat {
        self.min
    }

    pub fn max(self) -> PackFormat {
        self.max
    }

    pub fn contains(self, format: PackFormat) -> bool {
        (self.min..=self.max).contains(&format)
    }
}

/// Major format, first and last release with it. Releases only; formats of snapshots are left out.
const RELEASES: [(u32, &str, &str); 24] = [
    (1, "1.6.1", "1.8.9"),
    (2, "1.9", "1.10.2"),
    (3, "1.11", "1.12.2"),
    (4, "1.13", "1.14.4"),
    (5, "1.15", "1.16.1"),
    (6, "1.16.2", "1.16.5"),
    (7, "1.17", "1.17.1"),
    (8, "1.18", "1.18.2"),
    (9, "1.19", "1.19.2"),
    (12, "1.19.3", "1.19.3"),
    (13, "1.19.4", "1.19.4"),
    (15, "1.20", "1.20.1"),
    (18, "1.20.2", "1.20.2"),
    (22, "1.20.3", "1.20.4"),
    (32, "1.20.5", "1.20.6"),
    (34, "1.21", "1.21.1"),
    (42, "1.21.2", "1.21.3"),
    (46, "1.21.4", "1.21.4"),
    (55, "1.21.5", "1.21.5"),
    (63, "1.21.6", "1.21.6"),
    (64, "1.21.7", "1.21.8"),
    (69, "1.21.9", "1.21.10"),
    (75, "1.21.11", "1.21.11"),
    (84, "26.1", "26.1.2"),
];

/// Protocol number, first and last release with it, since 1.8.
const PROTOCOLS: [(i32, &str, &str); 48] = [
    (47, "1.8", "1.8.9"),
    (107, "1.9", "1.9"),
    (108, "1.9.1", "1.9.1"),
    (109, "1.9.2", "1.9.2"),
    (110, "1.9.3", "1.9.4"),
    (210, "1.10", "1.10.2"),
    (315, "1.11", "1.11"),
    (316, "1.11.1", "1.11.2"),
    (335, "1.12", "1.12"),
    (338, "1.12.1", "1.12.1"),
    (340, "1.12.2", "1.12.2"),
    (393, "1.13", "1.13"),
    (401, "1.13.1", "1.13.1"),
    (404, "1.13.2", "1.13.2"),
    (477, "1.14", "1.14"),
    (480, "1.14.1", "1.14.1"),
    (485, "1.14.2", "1.14.2"),
    (490, "1.14.3", "1.14.3"),
    (498, "1.14.4", "1.14.4"),
    (573, "1.15", "1.15"),
    (575, "1.15.1", "1.15.1"),
    (578, "1.15.2", "1.15.2"),
    (735, "1.16", "1.16"),
    (736, "1.16.1", "1.16.1"),
    (751, "1.16.2", "1.16.2"),
    (753, "1.16.3", "1.16.3"),
    (754, "1.16.4", "1.16.5"),
    (755, "1.17", "1.17"),
    (756, "1.17.1", "1.17.1"),
    (757, "1.18", "1.18.1"),
    (758, "1.18.2", "1.18.2"),
    (759, "1.19", "1.19"),
    (760, "1.19.1", "1.19.2"),
    (761, "1.19.3", "1.19.3"),
    (762, "1.19.4", "1.19.4"),
    (763, "1.20", "1.20.1"),
    (764, "1.20.2", "1.20.2"),
    (765, "1.20.3", "1.20.4"),
    (766, "1.20.5", "1.20.6"),
    (767, "1.21", "1.21.1"),
    (768, "1.21.2", "1.21.3"),
    (769, "1.21.4", "1.21.4"),
    (770, "1.21.5", "1.21.5"),
    (771, "1.21.6", "1.21.6"),
    (772, "1.21.7", "1.21.8"),
    (773, "1.21.9", "1.21.10"),
    (774, "1.21.11", "1.21.11"),
    (775, "26.1", "26.1.2"),
];

/// The format that a release of this table has: none so far came with a minor version other than 0.
fn released(major: u32) -> PackFormat {
    PackFormat::new(major, 0)
}

/// The formats of all releases that this table knows, oldest first.
pub fn known() -> impl Iterator<Item = PackFormat> {
    RELEASES.iter().map(|(major, ..)| released(*major))
}

/// The newest format of a release that this table knows. A pack above it may be right, and cannot be judged here.
pub fn newest() -> PackFormat {
    released(RELEASES[RELEASES.len() - 1].0)
}

/// The highest protocol number of a release that this table knows.
pub fn newest_protocol() -> i32 {
    PROTOCOLS[PROTOCOLS.len() - 1].0
}

/// The first and the last release that load a pack of these formats; `None` if no known one does.
pub fn versions_of(range: FormatRange) -> Option<(&'static str, &'static str)> {
    let mut loading = RELEASES
        .iter()
        .filter(|(major, ..)| range.contains(released(*major)));
    let first = loading.next()?;
    let last = loading.next_back().unwrap_or(first);
    Some((first.1, last.2))
}

/// The format of a release such as `1.21.4`; `None` for an unknown one and for snapshots.
pub fn format_of_version(version: &str) -> Option<PackFormat> {
    let version = release_number(version)?;
    let row = RELEASES.iter().find(|(_, first, last)| {
        release_number(first).is_some_and(|first| first <= version)
            && release_number(last).is_some_and(|last| version <= last)
    })?;
    Some(released(row.0))
}

/// The first and the last release with a protocol number, since 1.8 (47).
pub fn versions_of_protocol(protocol: i32) -> Option<(&'static str, &'static str)> {
    PROTOCOLS
        .iter()
        .find(|(number, ..)| *number == protocol)
        .map(|&(_, first, last)| (first, last))
}

/// The format that clients of a protocol number load.
pub fn format_of_protocol(protocol: i32) -> Option<PackFormat> {
    format_of_version(versions_of_protocol(protocol)?.0)
}

/// `1.21` as 1, 21, 0.
fn release_number(version: &str) -> Option<[u32; 3]> {
    let mut number = [0; 3];
    let mut slots = number.iter_mut();
    for part in version.split('.') {
        *slots.next()? = part.parse().ok()?;
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(min: &str, max: &str) -> FormatRange {
        FormatRange::new(min.parse().unwrap(), max.parse().unwrap()).unwrap()
    }

    #[test]
    fn formats_are_written_with_a_minor_version_only_above_64() {
        let table = [
            (PackFormat::new(34, 0), "34"),
            (PackFormat::new(64, 7), "64"),
            (PackFormat::new(64, PackFormat::ANY_MINOR), "64"),
            (PackFormat::new(69, 0), "69.0"),
            (PackFormat::new(69, 1), "69.1"),
            (PackFormat::new(69, PackFormat::ANY_MINOR), "69"),
        ];
        for (format, text) in table {
            assert_eq!(format.to_string(), text);
            assert_eq!(text.parse(), Ok(format));
        }
        for junk in [
            "",
            ".",
            "69.",
            ".0",
            "-1",
            "+34",
            "69.0.1",
            "2147483648",
            "34 ",
            "٣",
        ] {
            assert_eq!(junk.parse::<PackFormat>(), Err(NotAPackFormat), "{junk}");
        }
    }

    #[test]
    fn formats_become_the_releases_that_load_them() {
        let table = [
            (("34", "64"), Some(("1.21", "1.21.8"))),
            (("15", "15"), Some(("1.20", "1.20.1"))),
            (("1", "99"), Some(("1.6.1", "26.1.2"))),
            (("69.0", "69"), Some(("1.21.9", "1.21.10"))),
            (("64", "69.0"), Some(("1.21.7", "1.21.10"))),
            (("69.1", "74"), None),
            (("10", "11"), None),
            (("99.0", "99"), None),
        ];
        for ((min, max), versions) in table {
            assert_eq!(versions_of(range(min, max)), versions, "{min} to {max}");
        }
    }

    #[test]
    fn releases_and_protocol_numbers_lead_to_their_format() {
        let table = [
            ("1.8.9", "1"),
            ("1.20.4", "22"),
            ("1.21", "34"),
            ("1.21.10", "69.0"),
            ("26.1.1", "84.0"),
        ];
        for (version, format) in table {
            assert_eq!(
                format_of_version(version).unwrap().to_string(),
                format,
                "{version}"
            );
        }
        for unknown in [
            "",
            "1.5.2",
            "1.20.7",
            "25w31a",
            "1.21.11-rc1",
            "1.21.1.1",
            "99.1",
        ] {
            assert_eq!(format_of_version(unknown), None, "{unknown}");
        }
        assert_eq!(versions_of_protocol(765), Some(("1.20.3", "1.20.4")));
        assert_eq!(format_of_protocol(774), format_of_version("1.21.11"));
        assert_eq!(format_of_protocol(0), None);
    }

    #[test]
    fn the_tables_are_in_order_and_agree_with_each_other() {
        assert!(
            RELEASES.is_sorted_by(|a, b| a.0 < b.0 && release_number(a.2) < release_number(b.1))
        );
        assert!(
            PROTOCOLS.is_sorted_by(|a, b| a.0 < b.0 && release_number(a.2) < release_number(b.1))
        );
        assert!(
            RELEASES
                .iter()
                .all(|row| release_number(row.1) <= release_number(row.2))
        );
        for (protocol, first, last) in PROTOCOLS {
            assert!(format_of_version(first).is_some(), "{protocol}");
            assert_eq!(
                format_of_version(first),
                format_of_version(last),
                "{protocol}"
            );
        }
        assert_eq!(
            format_of_protocol(PROTOCOLS[PROTOCOLS.len() - 1].0),
            Some(newest())
        );
        assert!(versions_of_protocol(crate::handshake::PROTOCOL).is_some());
    }

    proptest! {
        #[test]
        fn every_format_reads_back(major in 0..=PackFormat::ANY_MINOR, minor in 0..=PackFormat::ANY_MINOR) {
            let format = PackFormat::new(major, minor);
            // up to 64 a bare number has no minor version, above it stands for any
            prop_assert_eq!(format.to_string().parse(), Ok(format));
        }

        #[test]
        fn any_text_is_a_format_or_an_error(text in "[0-9.]{0,12}|\\PC*") {
            let _ = text.parse::<PackFormat>();
            let _ = format_of_version(&text);
        }
    }
}
