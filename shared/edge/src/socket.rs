//! Outgoing TCP with a deadline on everything.
//!
//! The runtime's sockets have no time-outs, so each wait is raced with a timer: one a connection, which
//! is set anew only when a deadline comes closer. Reads give what has come; they never wait for the end
//! of the stream. In JavaScript, since driven from Rust each wait crosses over several times: twenty
//! pings take a third more CPU then.

use std::{borrow::Cow, time::Duration};

use js_sys::Uint8Array;
use wasm_bindgen::{JsCast as _, JsValue, prelude::wasm_bindgen};

use crate::{clock, stream::words};

/// How long closing may take, in milliseconds: one that is still being dialled closes only then.
const CLOSING_MS: u32 = 100;

#[wasm_bindgen(inline_js = r#"
import { connect } from "cloudflare:sockets";

// What a wait is rejected with when its time is over.
const LATE = null;
const ignore = () => {};

class Line {
  constructor(socket) {
    this.socket = socket;
    this.due = Infinity;
    this.late = new Promise((_, reject) => { this.expire = reject; });
    // The timer rings at the deadline or before it, and then looks again.
    this.ring = () => {
      const left = this.deadline - Date.now();
      if (left <= 0) return this.expire(LATE);
      this.due = this.deadline;
      this.timer = setTimeout(this.ring, left);
    };
  }
  // Before any work, for a peer that sends without end would otherwise win each race.
  arm(deadline) {
    const now = Date.now();
    if (now >= deadline) throw LATE;
    this.deadline = deadline;
    if (deadline >= this.due) return;
    clearTimeout(this.timer);
    this.due = deadline;
    this.timer = setTimeout(this.ring, deadline - now);
  }
  write(bytes) {
    this.writer ??= this.socket.writable.getWriter();
    // They lie in the memory of the caller, who goes on meanwhile.
    return this.writer.write(bytes.slice());
  }
  async send(bytes, deadline) {
    this.arm(deadline);
    await Promise.race([this.write(bytes), this.late]);
  }
  async ask(bytes, milliseconds, deadline) {
    this.arm(Math.min(Date.now() + milliseconds, deadline));
    // When this breaks, so does the read.
    if (bytes.length > 0) this.write(bytes).catch(ignore);
    this.reader ??= this.socket.readable.getReader();
    const { value } = await Promise.race([this.reader.read(), this.late]);
    return value;
  }
  close() {
    clearTimeout(this.timer);
    return this.socket.close().catch(ignore);
  }
  async closed(milliseconds) {
    await Promise.race([this.close(), new Promise((resolve) => setTimeout(resolve, milliseconds))]);
  }
}

export async function open(hostname, port, deadline, closing) {
  const line = new Line(connect({ hostname, port }));
  try {
    line.arm(deadline);
    await Promise.race([line.socket.opened, line.late]);
    return line;
  } catch (error) {
    await line.closed(closing);
    throw error;
  }
}"#)]
extern "C" {
    type Line;
    #[wasm_bindgen(catch)]
    async fn open(host: &str, port: u16, deadline: f64, closing: u32) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    async fn send(this: &Line, bytes: &[u8], deadline: f64) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    async fn ask(
        this: &Line,
        bytes: &[u8],
        milliseconds: f64,
        deadline: f64,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method)]
    fn close(this: &Line) -> JsValue;
    #[wasm_bindgen(method, catch)]
    async fn closed(this: &Line, milliseconds: u32) -> Result<JsValue, JsValue>;
}

/// Why a connection does not serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketError {
    /// It could not be opened: the runtime's words. They are the same for a closed port, an unknown
    /// host name and an address that it does not dial; only a DNS query could tell.
    Refused(String),
    Timeout,
    /// The connection broke: the runtime's words.
    Broken(String),
}

/// An open connection that ends at its deadline.
pub struct Connection {
    line: Line,
    deadline_ms: i64,
    /// What came and was not read yet, from `taken` on.
    came: Vec<u8>,
    taken: usize,
    /// Whether it no longer serves.
    is_over: bool,
}

impl Connection {
    /// Dials `host`:`port`; all that follows on this connection is over after `timeout`.
    pub async fn open(host: &str, port: u16, timeout: Duration) -> Result<Self, SocketError> {
        let millis = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
        let deadline_ms = clock::millis().saturating_add(millis);
        let opened = open(&authority_host(host), port, number(deadline_ms), CLOSING_MS).await;
        match opened {
            Ok(line) => Ok(Self {
                line: line.unchecked_into(),
                deadline_ms,
                came: Vec::new(),
                taken: 0,
                is_over: false,
            }),
            Err(error) => Err(failed(&error, SocketError::Refused)),
        }
    }

    /// From now on everything is over at this moment, in milliseconds since the epoch.
    pub fn set_deadline(&mut self, deadline_ms: i64) {
        self.deadline_ms = deadline_ms;
    }

    /// Writes all of `bytes`.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), SocketError> {
        let written = self.line.send(bytes, number(self.deadline_ms)).await;
        self.is_over |= written.is_err();
        written.map(drop).map_err(broken)
    }

    /// Writes all of `bytes` and reads as [`Self::read`] does, within so many milliseconds and never
    /// beyond the deadline. A peer that takes nothing, but has something to say, is heard.
    pub async fn ask(
        &mut self,
        bytes: &[u8],
        milliseconds: u32,
        buffer: &mut [u8],
    ) -> Result<usize, SocketError> {
        if self.taken < self.came.len() {
            self.write(bytes).await?;
        } else {
            self.hear(bytes, milliseconds.into()).await?;
        }
        Ok(self.take(buffer))
    }

    /// Reads what has come, up to the length of `buffer`; 0 is the end. After a time-out the read
    /// is still under way, and what it gives is lost: close then.
    pub async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, SocketError> {
        if self.taken == self.came.len() {
            self.hear(&[], f64::INFINITY).await?;
        }
        Ok(self.take(buffer))
    }

    async fn hear(&mut self, bytes: &[u8], milliseconds: f64) -> Result<(), SocketError> {
        let deadline = number(self.deadline_ms);
        let came = self.line.ask(bytes, milliseconds, deadline).await;
        self.is_over |= came.is_err();
        let came = came.map_err(broken)?;
        // There is none at the end.
        let chunk = came.dyn_ref::<Uint8Array>();
        self.came = chunk.map(Uint8Array::to_vec).unwrap_or_default();
        self.taken = 0;
        Ok(())
    }

    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let left = self.came.get(self.taken..).unwrap_or_default();
        let length = left.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), left.get(..length)) {
            to.copy_from_slice(from);
        }
        self.taken += length;
        length
    }

    /// Lets go of the connection: at once while all is well, or else when its end was told, for on one
    /// that is torn down at once the peer sees a reset. There is nobody left to tell if that fails.
    pub async fn close(&mut self) {
        if self.is_over {
            let _ = self.line.closed(CLOSING_MS).await;
        } else {
            drop(self.line.close());
        }
    }
}

/// As JavaScript has it: whole, and far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since the epoch")]
fn number(millis: i64) -> f64 {
    millis as f64
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn broken(error: JsValue) -> SocketError {
    failed(&error, SocketError::Broken)
}

fn failed(error: &JsValue, otherwise: fn(String) -> SocketError) -> SocketError {
    if error.is_null() {
        SocketError::Timeout
    } else {
        otherwise(words(error))
    }
}

/// An IPv6 address stands in brackets, as in a URL (RFC 3986, section 3.2.2).
fn authority_host(host: &str) -> Cow<'_, str> {
    if host.contains(':') {
        Cow::Owned(format!("[{host}]"))
    } else {
        Cow::Borrowed(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_ipv6_address_is_bracketed() {
        assert_eq!(authority_host("2001:db8::1"), "[2001:db8::1]");
        assert_eq!(authority_host("192.0.2.1"), "192.0.2.1");
        assert_eq!(authority_host("mc.example.com"), "mc.example.com");
    }
}
