//! Outgoing TCP with a deadline on everything.
//!
//! The runtime's sockets have no time-outs, so each wait is raced with a timer. Reads give what has
//! come; they never wait for the end of the stream.

use std::{borrow::Cow, time::Duration};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use worker::Socket;

use crate::clock;

/// How long closing may take, in milliseconds: one that is still being dialled closes only then.
const CLOSING_MS: i64 = 100;

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
    socket: Socket,
    deadline_ms: i64,
}

impl Connection {
    /// Dials `host`:`port`; all that follows on this connection is over after `timeout`.
    pub async fn open(host: &str, port: u16, timeout: Duration) -> Result<Self, SocketError> {
        let millis = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
        let deadline_ms = clock::millis().saturating_add(millis);
        let refused = |error: worker::Error| SocketError::Refused(error.to_string());
        let socket = Socket::builder()
            .connect(authority_host(host), port)
            .map_err(refused)?;
        let opened = within(deadline_ms, socket.opened()).await;
        let mut connection = Self {
            socket,
            deadline_ms,
        };
        match opened.and_then(|opened| opened.map_err(refused)) {
            Ok(_) => Ok(connection),
            Err(error) => {
                connection.close().await;
                Err(error)
            }
        }
    }

    /// From now on everything is over at this moment, in milliseconds since the epoch.
    pub fn set_deadline(&mut self, deadline_ms: i64) {
        self.deadline_ms = deadline_ms;
    }

    /// Writes all of `bytes`.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), SocketError> {
        within(self.deadline_ms, self.socket.write_all(bytes))
            .await?
            .map_err(|error| SocketError::Broken(error.to_string()))
    }

    /// Reads what has come, up to the length of `buffer`; 0 is the end. After a time-out the read
    /// is still under way, and what it gives is lost: close then.
    pub async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, SocketError> {
        within(self.deadline_ms, self.socket.read(buffer))
            .await?
            .map_err(|error| SocketError::Broken(error.to_string()))
    }

    /// Lets go of the connection. There is nobody left to tell if that fails.
    pub async fn close(&mut self) {
        let _ = within(clock::millis() + CLOSING_MS, self.socket.close()).await;
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

async fn within<T>(deadline_ms: i64, work: impl Future<Output = T>) -> Result<T, SocketError> {
    let left = u64::try_from(deadline_ms - clock::millis()).unwrap_or(0);
    if left == 0 {
        // A peer that sends without end would otherwise win each race with the timer.
        return Err(SocketError::Timeout);
    }
    let done = clock::within(Duration::from_millis(left), work).await;
    done.ok_or(SocketError::Timeout)
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
