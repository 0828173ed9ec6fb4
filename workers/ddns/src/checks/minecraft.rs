//! A check of kind `minecraft`: does a client's server list get a status.
//!
//! One connection and one status request, without a pong and without the pings of old times: what
//! the server says of itself is the worker `status`'s to tell.

use minecraft::{
    clean::ServerStatus,
    exchange::{Exchange, Progress},
    failure::Failure,
    handshake::{Handshake, PROTOCOL},
};
use types::config::Address;

use super::{
    Outcome,
    network::{Connection, Network, NetworkError, since},
};

const CHUNK: usize = 8 * 1024;

/// Why there is no status.
enum Refusal {
    Network(NetworkError),
    Server(Failure),
}

pub async fn check<N: Network>(network: &N, address: &Address, timeout_ms: u32) -> Outcome {
    let asked = network.millis();
    let dialled = network.dial(&address.host, address.port_or_default(), timeout_ms);
    let asked = match dialled.await {
        Ok(mut connection) => {
            let json = exchange(&mut connection, address).await;
            let latency = since(network, asked);
            connection.hang_up().await;
            json.map(|json| (json, latency))
        }
        Err(error) => Err(Refusal::Network(error)),
    };
    let read = asked.and_then(|(json, latency)| match ServerStatus::from_json(&json) {
        Ok(_) => Ok(latency),
        Err(failure) => Err(Refusal::Server(failure)),
    });
    match read {
        Ok(latency) => Outcome::up(Some(latency)),
        Err(Refusal::Network(error)) => Outcome::failed(&error),
        Err(Refusal::Server(failure)) => {
            let words = "it does not answer as a Minecraft server";
            Outcome::down(failure.reason(), words).with_detail(&failure.to_string())
        }
    }
}

/// The status, unread.
async fn exchange(connection: &mut impl Connection, address: &Address) -> Result<Vec<u8>, Refusal> {
    let handshake = Handshake::new(PROTOCOL, &address.host, address.port_or_default());
    let handshake = handshake.map_err(|error| {
        Refusal::Server(Failure::Refused {
            detail: error.to_string(),
        })
    })?;
    let (mut exchange, hello) = Exchange::start(&handshake);
    connection.send(&hello).await.map_err(Refusal::Network)?;
    let mut buffer = [0; CHUNK];
    loop {
        let length = connection.receive(&mut buffer).await;
        let length = length.map_err(Refusal::Network)?;
        let bytes = buffer.get(..length).unwrap_or_default();
        if bytes.is_empty() {
            let cut = exchange.eof().err().unwrap_or(Failure::ClosedBeforeStatus);
            return Err(Refusal::Server(cut));
        }
        match exchange.feed(bytes).map_err(Refusal::Server)? {
            Progress::Status(json) => return Ok(json),
            Progress::NeedMore | Progress::Pong { .. } => {}
        }
    }
}
