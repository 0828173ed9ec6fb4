//! One ping of one target, over a port to the network.
//!
//! A status that was received is never lost: whatever goes wrong with the pong is `pong: null`.
//! Each try has a connection of its own, and all of them one time-out. There is a second try where
//! the answer was cut off, since such a server does answer; and where today's ping was not
//! understood, the ones of old times are tried. If none of them is answered either, the failure is
//! that of the first try.

use minecraft::{
    clean::ServerStatus,
    exchange::{Exchange, Progress},
    failure::Failure,
    frame::FrameError,
    handshake::{Handshake, PROTOCOL},
    legacy_ping::{self, Dialect, MAX_REPLY},
};
use types::{
    config::{LegacyPing, Target},
    status::{Answer, Latency},
};

use crate::{allowance::Allowance, answer::answer, proxy, resolve::Place};

/// How much is read at once.
const CHUNK: usize = 8 * 1024;

/// How long to wait for what, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    pub connect: u32,
    /// From the question on.
    pub first_byte: u32,
    /// For all tries together.
    pub total: u32,
    /// When that is over, on the network's clock.
    pub deadline_ms: i64,
}

/// The way out to servers, and the clock to measure it by.
pub trait Network {
    type Connection: Connection;

    /// Milliseconds since any fixed moment.
    fn millis(&self) -> i64;

    /// Opens a connection on which nobody waits longer than this.
    async fn dial(&self, place: &Place, patience: Patience) -> Result<Self::Connection, Failure>;
}

/// An open connection.
pub trait Connection {
    async fn send(&mut self, bytes: &[u8]) -> Result<(), Failure>;

    /// Gives how many bytes came; 0 when no more will, for whatever reason.
    async fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, Failure>;

    async fn hang_up(&mut self);
}

/// Asks a server for its status. Tries beyond the first are taken from the allowance.
pub async fn ping<N: Network>(
    network: &N,
    target: &Target,
    place: &Place,
    allowance: &Allowance,
) -> Result<Answer, Failure> {
    let call = Call::new(network, target, place);
    let mut seen = call.modern().await;
    let is_cut = matches!(seen, Err(Failure::BadFrame(FrameError::Cut { .. })));
    if is_cut
        && allowance.take()
        && let again @ Ok(_) = call.modern().await
    {
        seen = again;
    }
    let not_understood = matches!(
        seen,
        Err(Failure::BadFrame(_) | Failure::ClosedBeforeStatus)
    );
    if not_understood && target.legacy == LegacyPing::Auto {
        for dialect in Dialect::ALL {
            if !allowance.take() {
                break;
            }
            if let Ok(old) = call.legacy(dialect).await {
                seen = Ok(old);
                break;
            }
        }
    }
    let (status, latency) = seen?;
    Ok(answer(&status, latency, target.privacy))
}

/// What a try gives: the status, and how long everything took.
type Seen = Result<(ServerStatus, Latency), Failure>;

struct Call<'a, N> {
    network: &'a N,
    target: &'a Target,
    place: &'a Place,
    patience: Patience,
}

impl<'a, N: Network> Call<'a, N> {
    fn new(network: &'a N, target: &'a Target, place: &'a Place) -> Self {
        let total_ms = target.timeout_ms;
        let part = |part: Option<u32>| part.unwrap_or(total_ms).min(total_ms);
        let patience = Patience {
            connect: part(target.connect_timeout_ms),
            first_byte: part(target.first_byte_timeout_ms),
            total: total_ms,
            deadline_ms: network.millis() + i64::from(total_ms),
        };
        Self {
            network,
            target,
            place,
            patience,
        }
    }

    /// Status, then pong.
    async fn modern(&self) -> Seen {
        let port = self.target.address.port_or_default();
        let handshake = Handshake::new(PROTOCOL, self.target.announced_host(), port);
        let handshake = handshake.map_err(|error| Failure::Refused {
            detail: error.to_string(),
        })?;
        let (mut connection, connect) = self.dial().await?;
        let exchanged = self.exchange(&mut connection, &handshake, connect).await;
        connection.hang_up().await;
        // Only now, so that no work stands between two readings of the clock.
        let (json, latency) = exchanged?;
        Ok((ServerStatus::from_json(&json)?, latency))
    }

    /// The status, unread, and how long everything took.
    async fn exchange(
        &self,
        connection: &mut N::Connection,
        handshake: &Handshake,
        connect: u32,
    ) -> Result<(Vec<u8>, Latency), Failure> {
        let (mut exchange, hello) = Exchange::start(handshake);
        let asked = self.network.millis();
        connection.send(&self.introduced(&hello)).await?;
        let json = loop {
            if let Progress::Status(json) = next(connection, &mut exchange).await? {
                break json;
            }
        };
        let status = self.since(asked);
        let asked = self.network.millis();
        let matches = pong(connection, &mut exchange, asked).await;
        let pong = (matches == Ok(true)).then(|| self.since(asked));
        let latency = Latency {
            connect,
            status,
            pong,
        };
        Ok((json, latency))
    }

    /// The status in a kick; there was no pong then.
    async fn legacy(&self, dialect: Dialect) -> Seen {
        let (mut connection, connect) = self.dial().await?;
        let asked = self.network.millis();
        let kicked = self.kick(&mut connection, dialect).await;
        let status = self.since(asked);
        connection.hang_up().await;
        let latency = Latency {
            connect,
            status,
            pong: None,
        };
        Ok((kicked?, latency))
    }

    async fn kick(
        &self,
        connection: &mut N::Connection,
        dialect: Dialect,
    ) -> Result<ServerStatus, Failure> {
        let port = self.target.address.port_or_default();
        let request = dialect.request(self.target.announced_host(), port);
        connection.send(&self.introduced(&request)).await?;
        let mut received = Vec::new();
        let mut buffer = [0; CHUNK];
        loop {
            let length = connection.receive(&mut buffer).await?;
            let bytes = buffer.get(..length).unwrap_or_default();
            if bytes.is_empty() || received.len() > MAX_REPLY {
                return Err(Failure::ClosedBeforeStatus);
            }
            received.extend_from_slice(bytes);
            let reply = legacy_ping::reply(&received);
            // What kind of no it is stays here: the ping's failure is that of the modern try.
            if let Some(status) = reply.map_err(|_| Failure::ClosedBeforeStatus)? {
                return Ok(status);
            }
        }
    }

    async fn dial(&self) -> Result<(N::Connection, u32), Failure> {
        let dialled = self.network.millis();
        let connection = self.network.dial(self.place, self.patience).await?;
        Ok((connection, self.since(dialled)))
    }

    /// What is sent first, behind the header of the PROXY protocol where one is wanted.
    fn introduced(&self, hello: &[u8]) -> Vec<u8> {
        let mut bytes = proxy::header(self.target.proxy_protocol, self.place);
        bytes.extend_from_slice(hello);
        bytes
    }

    fn since(&self, start: i64) -> u32 {
        u32::try_from(self.network.millis() - start).unwrap_or(0)
    }
}

/// Whether the pong has the payload of the ping.
async fn pong(
    connection: &mut impl Connection,
    exchange: &mut Exchange,
    payload: i64,
) -> Result<bool, Failure> {
    connection.send(&exchange.ping(payload)).await?;
    // It may have come before it was asked for.
    let mut progress = exchange.feed(&[])?;
    loop {
        if let Progress::Pong { matches } = progress {
            return Ok(matches);
        }
        progress = next(connection, exchange).await?;
    }
}

/// Reads once and feeds it. The end is a failure: something is still due.
async fn next(
    connection: &mut impl Connection,
    exchange: &mut Exchange,
) -> Result<Progress, Failure> {
    let mut buffer = [0; CHUNK];
    let length = connection.receive(&mut buffer).await?;
    match buffer.get(..length) {
        Some(bytes) if length > 0 => exchange.feed(bytes),
        _ => Err(exchange.eof().err().unwrap_or(Failure::ClosedBeforeStatus)),
    }
}

#[cfg(test)]
#[path = "ping_tests.rs"]
mod tests;
