//! Frames: every packet is its length as a `VarInt`, its id as a `VarInt`, and its body.
//!
//! Decoding is sans-IO: a frame, *incomplete*, or an error. A length is judged as soon as it is read, before anything
//! is allocated or waited for.
//!
//! Spec: "Minecraft Java protocol, Packet format, Without compression" (minecraft.wiki).

use std::fmt;

use crate::varint::{self, VarIntError};

/// One packet, borrowed from the bytes it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub id: i32,
    /// What follows the id.
    pub body: &'a [u8],
}

/// Why bytes are not a frame, or not the frame that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The length is not a `VarInt`.
    Length(VarIntError),
    Negative(i32),
    /// A length of zero leaves no room for a packet id.
    Empty,
    TooLong {
        claimed: u32,
        limit: u32,
    },
    /// The packet id is not a whole `VarInt`.
    PacketId,
    /// The connection ended inside a frame, after this many bytes of it.
    Cut {
        received: usize,
    },
    /// The string of a packet does not fill the packet exactly. `claimed` is its length in bytes, if that was readable.
    StringLength {
        claimed: Option<i32>,
        actual: usize,
    },
    /// A pong that is not eight bytes.
    PongLength(usize),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(error) => write!(f, "the frame's length is {error}"),
            Self::Negative(length) => write!(f, "a frame of length {length}"),
            Self::Empty => f.write_str("a frame of length 0"),
            Self::TooLong { claimed, limit } => {
                write!(f, "a frame of {claimed} bytes; at most {limit} are read")
            }
            Self::PacketId => f.write_str("a frame without a packet id"),
            Self::Cut { received } => {
                write!(f, "the connection ended {received} bytes into a frame")
            }
            Self::StringLength {
                claimed: Some(claimed),
                actual,
            } => {
                write!(
                    f,
                    "a string that claims {claimed} bytes in a packet that has {actual}"
                )
            }
            Self::StringLength { claimed: None, .. } => f.write_str("a string without a length"),
            Self::PongLength(length) => write!(f, "a pong of {length} bytes instead of 8"),
        }
    }
}

impl std::error::Error for FrameError {}

/// Reads one frame from the start of `input`: the frame and how many bytes it took, or `None` while bytes are missing.
///
/// `limit` is the largest length, in bytes after the length prefix, that is accepted.
pub fn decode(input: &[u8], limit: u32) -> Result<Option<(Frame<'_>, usize)>, FrameError> {
    let Some((length, prefix)) = length(input).map_err(FrameError::Length)? else {
        return Ok(None);
    };
    let claimed = u32::try_from(length).map_err(|_| FrameError::Negative(length))?;
    if claimed == 0 {
        return Err(FrameError::Empty);
    }
    if claimed > limit {
        return Err(FrameError::TooLong { claimed, limit });
    }
    let end = prefix + claimed as usize;
    let Some(payload) = input.get(prefix..end) else {
        return Ok(None);
    };
    match varint::read(payload) {
        Ok(Some((id, len))) => Ok(Some((
            Frame {
                id,
                body: &payload[len..],
            },
            end,
        ))),
        Ok(None) | Err(_) => Err(FrameError::PacketId),
    }
}

/// The length of a frame. Some servers, Minestom among them, leave three bytes for it and fill them whatever the number
/// is, which the game takes. A padding to two bytes is none of theirs: `FF 00` is how the kick of an old server begins.
fn length(input: &[u8]) -> Result<Option<(i32, usize)>, VarIntError> {
    match (varint::read(input), input.first_chunk()) {
        (Err(VarIntError::Overlong), Some(&[low @ 0x80..=0xff, high @ 0x80..=0xff, 0])) => {
            let length = i32::from(low & 0x7f) | i32::from(high & 0x7f) << 7;
            Ok(Some((length, 3)))
        }
        (read, _) => read,
    }
}

/// A frame as bytes. The packets written here are small; a body above 2 GiB has no length and would be cut to it.
pub fn encode(id: i32, body: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(varint::MAX_LEN + body.len());
    varint::write(id, &mut payload);
    payload.extend_from_slice(body);
    let mut out = Vec::with_capacity(varint::MAX_LEN + payload.len());
    varint::write(i32::try_from(payload.len()).unwrap_or(i32::MAX), &mut out);
    out.extend_from_slice(&payload);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: u32 = 1 << 20;

    #[test]
    fn a_status_request_is_two_bytes() {
        assert_eq!(encode(0, &[]), [0x01, 0x00]);
        assert_eq!(
            decode(&[0x01, 0x00], LIMIT),
            Ok(Some((Frame { id: 0, body: &[] }, 2)))
        );
    }

    #[test]
    fn a_length_is_judged_before_the_body_arrives() {
        assert_eq!(
            decode(&[0xff, 0xff, 0xff, 0xff, 0x0f], LIMIT),
            Err(FrameError::Negative(-1))
        );
        assert_eq!(decode(&[0x00], LIMIT), Err(FrameError::Empty));
        let two_gib = [0xff, 0xff, 0xff, 0xff, 0x07];
        assert_eq!(
            decode(&two_gib, LIMIT),
            Err(FrameError::TooLong {
                claimed: 0x7fff_ffff,
                limit: LIMIT
            })
        );
        assert_eq!(
            decode(&[0x81, 0x80, 0x40], LIMIT),
            Err(FrameError::TooLong {
                claimed: LIMIT + 1,
                limit: LIMIT
            })
        );
        assert_eq!(
            decode(&[0x80, 0x80, 0x40], LIMIT),
            Ok(None),
            "the limit itself is allowed"
        );
        assert_eq!(
            decode(&[0xff; 6], LIMIT),
            Err(FrameError::Length(VarIntError::TooLong))
        );
    }

    #[test]
    fn a_length_may_be_padded_to_three_bytes_alone() {
        let frame = Frame {
            id: 1,
            body: &[7; 8],
        };
        let mut padded = vec![0x89, 0x80, 0x00, 0x01];
        padded.extend(frame.body);
        assert_eq!(decode(&padded, LIMIT), Ok(Some((frame, 12))));
        for end in 0..padded.len() {
            assert_eq!(decode(&padded[..end], LIMIT), Ok(None), "{end}");
        }
        assert_eq!(decode(&[0x80, 0x80, 0x00], LIMIT), Err(FrameError::Empty));
        let refused: [&[u8]; 3] = [
            &[0xff, 0x00, 0x10],
            &[0x89, 0x80, 0x80, 0x00],
            &[0x89, 0x80, 0x80, 0x80, 0x00],
        ];
        for bytes in refused {
            let error = Err(FrameError::Length(VarIntError::Overlong));
            assert_eq!(decode(bytes, LIMIT), error, "{bytes:x?}");
        }
    }

    #[test]
    fn a_packet_id_must_end_inside_its_frame() {
        assert_eq!(
            decode(&[0x01, 0x80, 0x01], LIMIT),
            Err(FrameError::PacketId)
        );
    }

    proptest! {
        #[test]
        fn every_frame_reads_back(id: i32, body: Vec<u8>, tail: Vec<u8>) {
            let mut bytes = encode(id, &body);
            let len = bytes.len();
            bytes.extend(tail);
            prop_assert_eq!(decode(&bytes, LIMIT), Ok(Some((Frame { id, body: &body }, len))));
        }

        #[test]
        fn every_cut_is_incomplete(id: i32, body: Vec<u8>) {
            let bytes = encode(id, &body);
            for end in 0..bytes.len() {
                prop_assert_eq!(decode(&bytes[..end], LIMIT), Ok(None));
            }
        }

        #[test]
        fn any_bytes_are_a_frame_incomplete_or_an_error(bytes: Vec<u8>, limit: u32) {
            if let Ok(Some((frame, consumed))) = decode(&bytes, limit) {
                prop_assert!(consumed <= bytes.len());
                prop_assert!(frame.body.len() <= limit as usize);
            }
        }
    }
}
