//! A check of kind `minecraft`: does a client's server list get a status.
//!
//! The server is where a client looks for it: at the port that is said, else where the SRV record of
//! `_minecraft._tcp` leads, else at the usual port. Who does not get an answer of DNS goes on without.
//!
//! One connection and one status request, without a pong and without the pings of old times: what
//! the server says of itself is the worker `status`'s to tell.

use edge::doh::Srv;
use minecraft::{
    clean::ServerStatus,
    exchange::{Exchange, Progress},
    failure::Failure,
    handshake::{Handshake, PROTOCOL},
};
use types::{
    RecordType,
    config::{Address, is_public_name},
};

use super::{
    Outcome,
    network::{Connection, Network, NetworkError, Resolved, since},
    outside::SPENT,
};

const CHUNK: usize = 8 * 1024;

/// Why there is no status.
enum Refusal {
    Network(NetworkError),
    Server(Failure),
}

pub async fn check<N: Network>(network: &N, address: &Address, timeout_ms: u32) -> Outcome {
    let begun = network.millis();
    let (host, port) = match place(network, address, timeout_ms / 2).await {
        Ok(place) => place,
        Err(error) => return Outcome::failed(&error),
    };
    let left_ms = timeout_ms.saturating_sub(since(network, begun)).max(1);
    let asked = network.millis();
    let asked = match network.dial(&host, port, left_ms).await {
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

/// Where the server is.
async fn place<N: Network>(
    network: &N,
    address: &Address,
    timeout_ms: u32,
) -> Result<(String, u16), NetworkError> {
    let itself = || (address.host.clone(), address.port_or_default());
    if address.port.is_some() || !is_public_name(&address.host) {
        return Ok(itself());
    }
    let name = format!("_minecraft._tcp.{}", address.host);
    match network.resolve(&name, RecordType::Srv, timeout_ms).await {
        Ok(Resolved::Records(records)) => {
            let srv = Srv::chosen(&records);
            Ok(srv.map_or_else(itself, |srv| (srv.target, srv.port)))
        }
        // Not the server's fault, nor DNS's: it is the next run's turn.
        Err(NetworkError::Broken(words)) if words == SPENT => Err(NetworkError::Broken(words)),
        Ok(Resolved::NoSuchName | Resolved::Failed(_)) | Err(_) => Ok(itself()),
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
