//! One server list ping on one connection, as a state machine without I/O.
//!
//! ```text
//! start() ──▶ send ──▶ feed() … Status ──▶ ping() ──▶ send ──▶ feed() … Pong
//!                        └── NeedMore: read again; the peer closed: eof()
//! ```
//!
//! Status first, pong second, and a new connection for every try: some proxies fail otherwise. The caller owns the
//! socket, the time-outs and the clock.
//!
//! Spec: "Minecraft Java protocol, Server List Ping" (minecraft.wiki).

use crate::failure::Failure;
use crate::frame::{self, FrameError};
use crate::handshake::{self, Handshake, STATUS_REQUEST};
use crate::varint;

/// The largest frame that is read, in bytes. Vanilla stays below 128 KiB; Forge with many mods does not.
pub const MAX_FRAME: u32 = 1 << 20;

/// The most that is ever buffered: one frame and its length prefix.
const MAX_BUFFER: usize = MAX_FRAME as usize + varint::MAX_LEN;

/// What feeding bytes has led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The packet that is due is not complete.
    NeedMore,
    /// The status response's JSON text, not yet looked at. Send [`Exchange::ping`] next, or close.
    Status(Vec<u8>),
    /// The exchange is over. `matches` is whether the payload was the one sent.
    Pong { matches: bool },
}

#[derive(Clone, Copy, Debug)]
enum State {
    AwaitStatus,
    /// The status is here and no ping is out.
    Idle,
    AwaitPong {
        payload: i64,
    },
}

/// The client's side of one exchange.
#[derive(Debug)]
pub struct Exchange {
    state: State,
    buffer: Vec<u8>,
}

impl Exchange {
    /// Begins: the exchange, and the bytes to send first (handshake and status request).
    pub fn start(handshake: &Handshake) -> (Self, Vec<u8>) {
        let mut bytes = handshake.encode();
        bytes.extend_from_slice(&STATUS_REQUEST);
        (
            Self {
                state: State::AwaitStatus,
                buffer: Vec::new(),
            },
            bytes,
        )
    }

    /// Takes what was read from the connection.
    ///
    /// An error ends the exchange. One that comes after the status says nothing about the status itself.
    pub fn feed(&mut self, input: &[u8]) -> Result<Progress, Failure> {
        let rest = self.fill(input);
        let progress = match self.state {
            State::AwaitStatus => self.status(),
            State::Idle => Ok(Progress::NeedMore),
            State::AwaitPong { payload } => self.pong(payload),
        }?;
        let unread = self.fill(rest);
        if unread.is_empty() {
            return Ok(progress);
        }
        let claimed = self.buffer.len().saturating_add(unread.len());
        Err(Failure::Oversize {
            claimed: u32::try_from(claimed).unwrap_or(u32::MAX),
            limit: MAX_FRAME,
        })
    }

    /// The bytes of a ping; its pong is awaited from now on.
    pub fn ping(&mut self, payload: i64) -> Vec<u8> {
        self.state = State::AwaitPong { payload };
        handshake::ping(payload)
    }

    /// The peer has closed. Once the status is here that is no failure, unless it happened inside a frame.
    pub fn eof(&self) -> Result<(), Failure> {
        match (self.state, self.buffer.len()) {
            (State::AwaitStatus, 0) => Err(Failure::ClosedBeforeStatus),
            (_, 0) => Ok(()),
            (_, received) => Err(FrameError::Cut { received }.into()),
        }
    }

    /// Buffers what fits and gives back the rest.
    fn fill<'a>(&mut self, input: &'a [u8]) -> &'a [u8] {
        let room = MAX_BUFFER - self.buffer.len();
        let (fits, rest) = input.split_at(room.min(input.len()));
        self.buffer.extend_from_slice(fits);
        rest
    }

    fn status(&mut self) -> Result<Progress, Failure> {
        let Some((frame, consumed)) = frame::decode(&self.buffer, MAX_FRAME)? else {
            return Ok(Progress::NeedMore);
        };
        let json = handshake::status_json(&frame)?.to_vec();
        self.buffer.drain(..consumed);
        self.state = State::Idle;
        Ok(Progress::Status(json))
    }

    fn pong(&mut self, sent: i64) -> Result<Progress, Failure> {
        let Some((frame, consumed)) = frame::decode(&self.buffer, MAX_FRAME)? else {
            return Ok(Progress::NeedMore);
        };
        let matches = handshake::pong_payload(&frame)? == sent;
        self.buffer.drain(..consumed);
        self.state = State::Idle;
        Ok(Progress::Pong { matches })
    }
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
