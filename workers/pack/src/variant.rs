//! Which release a Minecraft client can load: `?protocol=` or `?version=` of `/api/pack/latest`.
//!
//! A client is as new as its format (`minecraft::formats`). One that is newer than every release
//! known here has a format above the newest known one, and nobody can say which: it is given what
//! claims to be for such formats, and nothing else.

use minecraft::formats::{
    FormatRange, PackFormat, format_of_protocol, format_of_version, known, newest, newest_protocol,
    versions_of,
};
use types::pack::{Formats, Release};

/// Protocol numbers of snapshots have this bit, and tell nothing about what they come after.
const SNAPSHOT: i32 = 1 << 30;

/// What a client loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    Format(PackFormat),
    /// Newer than all that is known.
    Newer,
}

impl Client {
    /// Reads the two parameters; the error says what is wrong with which.
    pub fn read(protocol: Option<&str>, version: Option<&str>) -> Result<Option<Self>, String> {
        match (protocol, version) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => {
                Err("protocol and version both say what the client is: give one".to_owned())
            }
            (Some(text), None) => of_protocol(text).map(Some).ok_or_else(|| {
                format!("protocol: {text:?} is the protocol number of no known Minecraft release")
            }),
            (None, Some(text)) => of_version(text).map(Some).ok_or_else(|| {
                format!("version: {text:?} is no known Minecraft release such as 1.21.4")
            }),
        }
    }

    /// All clients that can be told apart.
    pub fn every() -> impl Iterator<Item = Self> {
        known().map(Self::Format).chain([Self::Newer])
    }

    /// Whether a pack of these formats is for it.
    pub fn loads(self, formats: &Formats) -> bool {
        let range = match (formats.min.parse(), formats.max.parse()) {
            (Ok(min), Ok(max)) => FormatRange::new(min, max),
            _ => None,
        };
        range.is_some_and(|range| match self {
            Self::Format(format) => range.contains(format),
            Self::Newer => range.max() > newest(),
        })
    }

    /// The first of these that is for it.
    pub fn choose<'a>(self, releases: &[&'a Release]) -> Option<&'a Release> {
        let mut releases = releases.iter();
        releases
            .find(|release| self.loads(&release.formats))
            .copied()
    }
}

fn of_protocol(text: &str) -> Option<Client> {
    let number: i32 = text.parse().ok()?;
    match format_of_protocol(number) {
        Some(format) => Some(Client::Format(format)),
        None => (newest_protocol() < number && number < SNAPSHOT).then_some(Client::Newer),
    }
}

fn of_version(text: &str) -> Option<Client> {
    if let Some(format) = format_of_version(text) {
        return Some(Client::Format(format));
    }
    let (_, newest) = versions_of(FormatRange::new(newest(), newest())?)?;
    (number(text)? > number(newest)?).then_some(Client::Newer)
}

/// `1.21.4` as numbers; two or three of them.
fn number(version: &str) -> Option<[u16; 3]> {
    let mut number = [0; 3];
    let parts: Vec<&str> = version.split('.').collect();
    if !(2..=3).contains(&parts.len()) {
        return None;
    }
    for (slot, part) in number.iter_mut().zip(parts) {
        if !part.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        *slot = part.parse().ok()?;
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn formats(min: &str, max: &str) -> Formats {
        Formats {
            min: min.to_owned(),
            max: max.to_owned(),
        }
    }

    fn of(protocol: &str) -> Client {
        Client::read(Some(protocol), None).unwrap().unwrap()
    }

    #[test]
    fn a_client_loads_what_covers_its_format() {
        for (protocol, min, max, loads) in [
            ("767", "34", "64", true),
            ("772", "34", "64", true),
            ("766", "34", "64", false),
            ("773", "34", "64", false),
            ("773", "34", "69", true),
            ("773", "69.0", "69.0", true),
            ("773", "69.1", "75.0", false),
            ("47", "1", "1", true),
            ("767", "broken", "64", false),
            ("767", "64", "34", false),
        ] {
            let formats = formats(min, max);
            assert_eq!(
                of(protocol).loads(&formats),
                loads,
                "{protocol} {formats:?}"
            );
        }
        let version = Client::read(None, Some("1.21.4")).unwrap();
        assert_eq!(version, Some(of("769")));
    }

    #[test]
    fn a_client_newer_than_all_that_is_known_loads_what_reaches_above() {
        let above = newest().major() + 1;
        for client in [
            of(&(newest_protocol() + 1).to_string()),
            Client::read(None, Some("99.1")).unwrap().unwrap(),
        ] {
            assert_eq!(client, Client::Newer);
            assert!(client.loads(&formats("34", &above.to_string())));
            assert!(!client.loads(&formats("34", &newest().to_string())));
        }
    }

    #[test]
    fn what_is_no_release_is_refused_by_name() {
        for bad in ["", "x", "48", "-1", "0", "1073742092", "99999999999"] {
            let error = Client::read(Some(bad), None).unwrap_err();
            assert!(
                error.starts_with("protocol: ") && error.contains(bad),
                "{error}"
            );
        }
        for bad in [
            "",
            "1",
            "1.20.7",
            "25w31a",
            "1.21.11-rc1",
            "99.1.1.1",
            "99",
            "+99.1",
            "1.5.2",
        ] {
            let error = Client::read(None, Some(bad)).unwrap_err();
            assert!(
                error.starts_with("version: ") && error.contains(bad),
                "{error}"
            );
        }
        assert!(Client::read(Some("767"), Some("1.21")).is_err());
        assert_eq!(Client::read(None, None), Ok(None));
    }

    proptest! {
        #[test]
        fn any_text_is_a_client_or_an_error(text in "[0-9.]{0,12}|\\PC*", min in "\\PC{0,6}", max in "[0-9.]{0,6}") {
            for client in [Client::read(Some(&text), None), Client::read(None, Some(&text))] {
                if let Ok(Some(client)) = client {
                    client.loads(&formats(&min, &max));
                }
            }
        }
    }
}
