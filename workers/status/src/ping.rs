//! One ping of one target, over a port to the network.
//!
//! A status that was received is never lost: whatever goes wrong with the pong is `pong: null`.

use minecraft::{
    clean::ServerStatus,
    exchange::{Exchange, Progress},
    failure::Failure,
    handshake::{Handshake, PROTOCOL},
};
use types::{
    config::Target,
    status::{Answer, Latency},
};

use crate::answer::answer;

/// How much is read at once.
const CHUNK: usize = 8 * 1024;

/// The way out to servers, and the clock to measure it by.
pub trait Network {
    type Connection: Connection;

    /// Milliseconds since any fixed moment.
    fn millis(&self) -> i64;

    /// Opens a connection to where the target says, on which everything is over after its time-out.
    async fn dial(&self, target: &Target) -> Result<Self::Connection, Failure>;
}

/// An open connection.
pub trait Connection {
    async fn send(&mut self, bytes: &[u8]) -> Result<(), Failure>;

    /// Gives how many bytes came; 0 when no more will, for whatever reason.
    async fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, Failure>;

    async fn hang_up(&mut self);
}

/// Asks a server for its status, then for a pong, on one connection.
pub async fn ping<N: Network>(network: &N, target: &Target) -> Result<Answer, Failure> {
    let port = target.address.port_or_default();
    let handshake = Handshake::new(PROTOCOL, target.announced_host(), port).map_err(|error| {
        Failure::Refused {
            detail: error.to_string(),
        }
    })?;
    let dialled = network.millis();
    let mut connection = network.dial(target).await?;
    let connect = since(network, dialled);
    let exchanged = exchange(network, &mut connection, &handshake, connect).await;
    connection.hang_up().await;
    // Only now, so that no work stands between two readings of the clock.
    let (json, latency) = exchanged?;
    Ok(answer(&ServerStatus::from_json(&json)?, latency))
}

/// The status, unread, and how long everything took.
async fn exchange<N: Network>(
    network: &N,
    connection: &mut N::Connection,
    handshake: &Handshake,
    connect: u32,
) -> Result<(Vec<u8>, Latency), Failure> {
    let (mut exchange, hello) = Exchange::start(handshake);
    let asked = network.millis();
    connection.send(&hello).await?;
    let json = loop {
        if let Progress::Status(json) = next(connection, &mut exchange).await? {
            break json;
        }
    };
    let status = since(network, asked);
    let asked = network.millis();
    let matches = pong(connection, &mut exchange, asked).await;
    let pong = (matches == Ok(true)).then(|| since(network, asked));
    let latency = Latency {
        connect,
        status,
        pong,
    };
    Ok((json, latency))
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

fn since(network: &impl Network, start: i64) -> u32 {
    u32::try_from(network.millis() - start).unwrap_or(0)
}

#[cfg(test)]
#[path = "ping_tests.rs"]
mod tests;
