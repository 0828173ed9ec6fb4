//! The ping's port over the runtime's sockets.

use std::time::Duration;

use edge::{clock, socket};
use minecraft::failure::{Awaited, Failure};

use crate::{
    ping::{Connection, Network, Patience},
    resolve::Place,
};

/// TCP as the platform has it.
pub struct Tcp;

pub struct TcpConnection {
    socket: socket::Connection,
    patience: Patience,
    /// What is to be sent before the next read: one call for both, since calls cost.
    question: Vec<u8>,
    /// Whether anything was received yet.
    answered: bool,
}

impl Network for Tcp {
    type Connection = TcpConnection;

    fn millis(&self) -> i64 {
        clock::millis()
    }

    async fn dial(&self, place: &Place, patience: Patience) -> Result<TcpConnection, Failure> {
        let left = (patience.deadline_ms - clock::millis()).clamp(0, patience.connect.into());
        let timeout = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        let opened = socket::Connection::open(&place.host, place.port, timeout).await;
        let mut socket = opened.map_err(|error| match error {
            socket::SocketError::Timeout => Failure::Timeout {
                awaited: Awaited::Connection,
                after_ms: patience.connect,
            },
            socket::SocketError::Refused(detail) | socket::SocketError::Broken(detail) => {
                Failure::Refused { detail }
            }
        })?;
        socket.set_deadline(patience.deadline_ms);
        Ok(TcpConnection {
            socket,
            patience,
            question: Vec::new(),
            answered: false,
        })
    }
}

impl TcpConnection {
    /// The end of the wait for the first byte, or for the rest.
    fn timeout(&self) -> Failure {
        let (awaited, after_ms) = if self.answered {
            (Awaited::WholeAnswer, self.patience.total)
        } else {
            (Awaited::FirstByte, self.patience.first_byte)
        };
        Failure::Timeout { awaited, after_ms }
    }
}

impl Connection for TcpConnection {
    /// Sent with the next read, since an answer is waited for whenever something is said.
    async fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.question.extend_from_slice(bytes);
        Ok(())
    }

    /// A connection that breaks has ended; what that means depends on what came before.
    async fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let question = std::mem::take(&mut self.question);
        let received = if self.answered {
            self.socket.ask(&question, u32::MAX, buffer).await
        } else {
            let patience = self.patience.first_byte;
            self.socket.ask(&question, patience, buffer).await
        };
        match received {
            Err(socket::SocketError::Timeout) => Err(self.timeout()),
            Err(_) => Ok(0),
            Ok(length) => {
                self.answered = true;
                Ok(length)
            }
        }
    }

    async fn hang_up(&mut self) {
        self.socket.close().await;
    }
}
