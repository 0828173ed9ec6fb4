//! The packets of a status exchange: handshake, status request and response, ping and pong.
//!
//! Spec: "Minecraft Java protocol, Server List Ping" (minecraft.wiki).

use std::fmt;

use crate::failure::Failure;
use crate::frame::{self, Frame, FrameError};
use crate::varint;

/// The protocol number that genkan announces: 1.21.11.
///
/// It has to be current, because proxies turn RGB colours into the 16 old ones for clients below 1.16 (735), and not
/// the very newest, because a proxy treats a number that it does not know yet as such an old client.
pub const PROTOCOL: i32 = 774;

/// The status request: a packet 0 without a body.
pub const STATUS_REQUEST: [u8; 2] = [0x01, 0x00];

const STATUS_ID: i32 = 0;
const PING_ID: i32 = 1;
const NEXT_STATE_STATUS: i32 = 1;
const MAX_HOST: usize = 255;

/// A handshake that asks for the status. The host and port are what the server is told (forced hosts, `TCPShield`);
/// where one really connects is another matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    protocol: i32,
    host: String,
    port: u16,
}

/// The host name of a handshake has more than 255 characters (UTF-16 units, as Java counts); the number is how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostTooLong(pub usize);

impl fmt::Display for HostTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a host name of {} characters; a handshake takes {MAX_HOST}",
            self.0
        )
    }
}

impl std::error::Error for HostTooLong {}

impl Handshake {
    pub fn new(protocol: i32, host: impl Into<String>, port: u16) -> Result<Self, HostTooLong> {
        let host = host.into();
        let length = host.encode_utf16().count();
        if length > MAX_HOST {
            return Err(HostTooLong(length));
        }
        Ok(Self {
            protocol,
            host,
            port,
        })
    }

    /// The packet as a frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.host.len() + 16);
        varint::write(self.protocol, &mut body);
        // at most 255 UTF-16 units, so at most 765 bytes
        varint::write(
            i32::try_from(self.host.len()).unwrap_or(i32::MAX),
            &mut body,
        );
        body.extend_from_slice(self.host.as_bytes());
        body.extend_from_slice(&self.port.to_be_bytes());
        varint::write(NEXT_STATE_STATUS, &mut body);
        frame::encode(0, &body)
    }
}

/// A ping as a frame; the server sends the payload back.
pub fn ping(payload: i64) -> Vec<u8> {
    frame::encode(PING_ID, &payload.to_be_bytes())
}

/// The JSON text of a status response, as bytes. Its length is checked against the frame, its content is not looked at.
pub fn status_json<'a>(frame: &Frame<'a>) -> Result<&'a [u8], Failure> {
    expect(frame, STATUS_ID)?;
    let body = frame.body;
    let Ok(Some((claimed, prefix))) = varint::read(body) else {
        return Err(FrameError::StringLength {
            claimed: None,
            actual: body.len(),
        }
        .into());
    };
    let json = &body[prefix..];
    if usize::try_from(claimed) != Ok(json.len()) {
        return Err(FrameError::StringLength {
            claimed: Some(claimed),
            actual: json.len(),
        }
        .into());
    }
    Ok(json)
}

/// The payload of a pong.
pub fn pong_payload(frame: &Frame<'_>) -> Result<i64, Failure> {
    expect(frame, PING_ID)?;
    let bytes =
        <[u8; 8]>::try_from(frame.body).map_err(|_| FrameError::PongLength(frame.body.len()))?;
    Ok(i64::from_be_bytes(bytes))
}

fn expect(frame: &Frame<'_>, expected: i32) -> Result<(), Failure> {
    if frame.id == expected {
        Ok(())
    } else {
        Err(Failure::Protocol {
            expected,
            found: frame.id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! fixture {
        ($name:literal) => {
            include_bytes!(concat!("../../../fixtures/ping/", $name, ".bin")).as_slice()
        };
    }

    fn frame(bytes: &[u8]) -> Frame<'_> {
        frame::decode(bytes, 1 << 20).unwrap().unwrap().0
    }

    #[test]
    fn our_packets_are_byte_for_byte_those_of_a_real_client() {
        let handshake = Handshake::new(774, "mc.krz-tech.net", 25565).unwrap();
        assert_eq!(handshake.encode(), fixture!("handshake"));
        assert_eq!(STATUS_REQUEST, fixture!("status-request"));
        assert_eq!(ping(0x0123_4567_89ab_cdef), fixture!("ping"));
    }

    #[test]
    fn a_real_servers_packets_are_read() {
        let json = status_json(&frame(fixture!("status-response"))).unwrap();
        assert!(json.starts_with(br#"{"version":{"name":"1.21.11""#) && json.ends_with(b"}"));
        assert_eq!(
            pong_payload(&frame(fixture!("pong"))),
            Ok(0x0123_4567_89ab_cdef)
        );
    }

    #[test]
    fn the_host_may_have_255_characters_in_any_script() {
        let longest = "玄".repeat(255);
        assert!(
            Handshake::new(PROTOCOL, longest.clone(), 1)
                .unwrap()
                .encode()
                .len()
                > 765
        );
        assert_eq!(
            Handshake::new(PROTOCOL, longest + "x", 1),
            Err(HostTooLong(256))
        );
    }

    #[test]
    fn a_string_must_fill_its_packet() {
        for body in [
            &b"\x03{}"[..],
            b"\x01{}",
            b"\xff\xff\xff\xff\x0f{}",
            b"\x80",
            b"",
        ] {
            let failure = status_json(&Frame { id: 0, body }).unwrap_err();
            assert_eq!(failure.reason(), "bad-frame", "{body:?}: {failure}");
        }
    }

    #[test]
    fn another_packet_is_a_protocol_error() {
        assert_eq!(
            status_json(&Frame {
                id: 0x54,
                body: b"TP/1.1"
            }),
            Err(Failure::Protocol {
                expected: 0,
                found: 0x54
            })
        );
        assert_eq!(
            pong_payload(&Frame {
                id: 0,
                body: &[0; 8]
            }),
            Err(Failure::Protocol {
                expected: 1,
                found: 0
            })
        );
        assert_eq!(
            pong_payload(&Frame {
                id: 1,
                body: &[0; 7]
            })
            .unwrap_err()
            .reason(),
            "bad-frame"
        );
    }
}
