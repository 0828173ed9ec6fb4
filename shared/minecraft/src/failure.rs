//! Why a ping did not succeed: the reasons of the status API, each with what is known about it.

use std::fmt;

use crate::frame::FrameError;

/// A ping that failed. [`Failure::reason`] is the stable name for the API; `Display` is the sentence for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The host name has no address.
    Dns { host: String },
    /// The connection could not be opened; `detail` is the platform's message.
    Refused { detail: String },
    /// What was awaited had not come after this long.
    Timeout { awaited: Awaited, after_ms: u32 },
    /// The server closed before the first byte of its answer, as one does that is still starting.
    ClosedBeforeStatus,
    /// Bytes that are no frame, a frame that was cut, or one whose inside contradicts its length.
    BadFrame(FrameError),
    /// The status is not a JSON object; the text is the parser's message.
    BadJson(String),
    /// A frame, or bytes nobody asked for, above the limit. Lengths in bytes.
    Oversize { claimed: u32, limit: u32 },
    /// A whole frame, but of another packet than the one that is due.
    Protocol { expected: i32, found: i32 },
}

/// What a ping waits for, one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    Connection,
    FirstByte,
    WholeAnswer,
}

impl Failure {
    /// Whether it was the connection that could not be had: the server has not been asked anything.
    pub fn is_unconnected(&self) -> bool {
        matches!(
            self,
            Self::Dns { .. }
                | Self::Refused { .. }
                | Self::Timeout {
                    awaited: Awaited::Connection,
                    ..
                }
        )
    }

    /// The stable, kebab-case name of the reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Dns { .. } => "dns",
            Self::Refused { .. } => "refused",
            Self::Timeout { .. } => "timeout",
            Self::ClosedBeforeStatus => "closed-before-status",
            Self::BadFrame(_) => "bad-frame",
            Self::BadJson(_) => "bad-json",
            Self::Oversize { .. } => "oversize",
            Self::Protocol { .. } => "protocol",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns { host } => write!(f, "{host} has no address"),
            Self::Refused { detail } => write!(f, "the connection could not be opened: {detail}"),
            Self::Timeout { awaited, after_ms } => {
                let what = match awaited {
                    Awaited::Connection => "connection",
                    Awaited::FirstByte => "answer",
                    Awaited::WholeAnswer => "whole answer",
                };
                write!(f, "no {what} within {after_ms} ms")
            }
            Self::ClosedBeforeStatus => {
                f.write_str("the server closed the connection before it answered")
            }
            Self::BadFrame(error) => write!(f, "not a Minecraft packet: {error}"),
            Self::BadJson(detail) => write!(f, "the status is not a JSON object: {detail}"),
            Self::Oversize { claimed, limit } => {
                write!(f, "{claimed} bytes in one answer; at most {limit} are read")
            }
            Self::Protocol { expected, found } => {
                write!(f, "packet {found:#04x} instead of {expected:#04x}")
            }
        }
    }
}

impl std::error::Error for Failure {}

impl From<FrameError> for Failure {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::TooLong { claimed, limit } => Self::Oversize { claimed, limit },
            other => Self::BadFrame(other),
        }
    }
}
