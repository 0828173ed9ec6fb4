//! The server list pings from before 1.7, which have no frames: a few bytes, and the server answers with a kick whose
//! reason is its status.
//!
//! | Client | Request | Reason of the kick |
//! |---|---|---|
//! | 1.6 | `FE 01 FA` and the plugin message `MC\|PingHost`, with the host | `§1\0protocol\0version\0motd\0online\0max` |
//! | 1.4, 1.5 | `FE 01` | the same |
//! | beta 1.8 to 1.3 | `FE` | `motd§online§max` |
//!
//! A reply is read in either form, whatever was asked: servers answer a ping newer than they know in their own way.
//!
//! Spec: "Minecraft Java protocol, Server List Ping", 1.6, 1.4 to 1.5, beta 1.8 to 1.3 (minecraft.wiki).

use std::fmt;

use crate::clean::{Players, ServerStatus, Version};
use crate::text::Text;

/// The longest reason that is read, in UTF-16 units. Servers keep to 256; two bytes could claim 65,535.
pub const MAX_UNITS: u16 = 4096;

/// The packet number of a kick, the first byte of every answer.
const KICK: u8 = 0xff;
/// The kick's number and the length of its reason.
const HEADER: usize = 3;
/// The most a reply takes, in bytes.
pub const MAX_REPLY: usize = HEADER + 2 * MAX_UNITS as usize;

/// What a 1.6 client says it is: 1.6.4.
const PROTOCOL_1_6_4: u8 = 78;

/// How a client of that time asks, the newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Release1_6,
    Release1_4,
    Beta,
}

/// Why bytes are no answer to a legacy ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegacyError {
    /// The first byte is not that of a kick.
    NoKick(u8),
    /// The reason would be longer than [`MAX_UNITS`].
    TooLong(u16),
    /// The reason is one for people: the server really kicks.
    NoStatus,
}

impl fmt::Display for LegacyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKick(byte) => write!(f, "an answer that begins with {byte:#04x}"),
            Self::TooLong(units) => {
                write!(
                    f,
                    "a status of {units} characters; at most {MAX_UNITS} are read"
                )
            }
            Self::NoStatus => f.write_str("a kick that holds no status"),
        }
    }
}

impl std::error::Error for LegacyError {}

impl Dialect {
    /// In the order to try them in: a server takes none that is newer than itself, and tells less in an older one.
    pub const ALL: [Self; 3] = [Self::Release1_6, Self::Release1_4, Self::Beta];

    /// The bytes to send. A host that is too long for a handshake is cut, since no server of that time looks at it.
    pub fn request(self, host: &str, port: u16) -> Vec<u8> {
        match self {
            Self::Beta => vec![0xfe],
            Self::Release1_4 => vec![0xfe, 0x01],
            Self::Release1_6 => {
                let host: Vec<u16> = host.encode_utf16().take(255).collect();
                let mut data = vec![PROTOCOL_1_6_4];
                write_string(&mut data, &host);
                data.extend_from_slice(&u32::from(port).to_be_bytes());
                let channel: Vec<u16> = "MC|PingHost".encode_utf16().collect();
                let mut bytes = vec![0xfe, 0x01, 0xfa];
                write_string(&mut bytes, &channel);
                bytes.extend_from_slice(&length(data.len()));
                bytes.extend_from_slice(&data);
                bytes
            }
        }
    }
}

fn write_string(out: &mut Vec<u8>, units: &[u16]) {
    out.extend_from_slice(&length(units.len()));
    out.extend(units.iter().flat_map(|unit| unit.to_be_bytes()));
}

/// At most 255 characters and a few fixed bytes: it fits.
fn length(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

/// Reads an answer from its beginning: the status, or `None` while bytes are missing.
pub fn reply(input: &[u8]) -> Result<Option<ServerStatus>, LegacyError> {
    let Some(&first) = input.first() else {
        return Ok(None);
    };
    if first != KICK {
        return Err(LegacyError::NoKick(first));
    }
    let Some(&[high, low]) = input.get(1..HEADER) else {
        return Ok(None);
    };
    let units = u16::from_be_bytes([high, low]);
    if units > MAX_UNITS {
        return Err(LegacyError::TooLong(units));
    }
    let Some(reason) = input.get(HEADER..HEADER + 2 * usize::from(units)) else {
        return Ok(None);
    };
    let units = reason
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let reason: String = char::decode_utf16(units)
        .map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    let status = match reason.strip_prefix("§1\0") {
        Some(fields) => release(fields),
        None => beta(&reason),
    };
    status.map(Some).ok_or(LegacyError::NoStatus)
}

/// `protocol\0version\0motd\0online\0max`; the MOTD may have `§` codes.
fn release(fields: &str) -> Option<ServerStatus> {
    let mut fields = fields.split('\0');
    let protocol = fields.next()?;
    let version = fields.next()?;
    let motd = fields.next()?;
    let players = players(fields.next()?, fields.next()?)?;
    Some(ServerStatus {
        version: Some(Version {
            name: Text::from_legacy(version),
            protocol: protocol.trim().parse().ok(),
        }),
        players,
        motd: Text::from_legacy(motd),
        favicon: None,
    })
}

/// `motd§online§max`. Read from its end: a MOTD with a `§` of its own is not lost.
fn beta(reason: &str) -> Option<ServerStatus> {
    let (rest, max) = reason.rsplit_once('§')?;
    let (motd, online) = rest.rsplit_once('§')?;
    Some(ServerStatus {
        version: None,
        players: players(online, max)?,
        motd: Text::from_legacy(motd),
        favicon: None,
    })
}

/// A kick for people has no two numbers at its end.
fn players(online: &str, max: &str) -> Option<Players> {
    Some(Players {
        online: Some(online.trim().parse().ok()?),
        max: Some(max.trim().parse().ok()?),
        sample: Vec::new(),
    })
}

#[cfg(test)]
#[path = "legacy_ping_tests.rs"]
mod tests;
