//! The ping's port over the runtime's sockets.

use std::time::Duration;

use edge::{clock, socket};
use minecraft::failure::Failure;
use types::config::Target;

use crate::ping::{Connection, Network};

/// TCP as the platform has it.
pub struct Tcp;

pub struct TcpConnection {
    socket: socket::Connection,
    timeout_ms: u32,
}

impl Network for Tcp {
    type Connection = TcpConnection;

    fn millis(&self) -> i64 {
        clock::millis()
    }

    async fn dial(&self, target: &Target) -> Result<TcpConnection, Failure> {
        let to = target.dial();
        let timeout_ms = target.timeout_ms;
        let timeout = Duration::from_millis(timeout_ms.into());
        let opened = socket::Connection::open(&to.host, to.port_or_default(), timeout).await;
        let socket = opened.map_err(|error| match error {
            socket::SocketError::Timeout => Failure::Timeout {
                after_ms: timeout_ms,
            },
            socket::SocketError::Refused(detail) | socket::SocketError::Broken(detail) => {
                Failure::Refused { detail }
            }
        })?;
        Ok(TcpConnection { socket, timeout_ms })
    }
}

impl TcpConnection {
    fn timeout(&self) -> Failure {
        Failure::Timeout {
            after_ms: self.timeout_ms,
        }
    }
}

impl Connection for TcpConnection {
    async fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.socket.write(bytes).await.map_err(|error| match error {
            socket::SocketError::Timeout => self.timeout(),
            _ => Failure::ClosedBeforeStatus,
        })
    }

    /// A connection that breaks has ended; what that means depends on what came before.
    async fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        match self.socket.read(buffer).await {
            Err(socket::SocketError::Timeout) => Err(self.timeout()),
            Err(_) => Ok(0),
            Ok(length) => Ok(length),
        }
    }

    async fn hang_up(&mut self) {
        self.socket.close().await;
    }
}
