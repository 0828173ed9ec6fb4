//! A check of kind `tcp`: a connection, and perhaps a short talk.

use types::config::services::TcpCheck;

use super::{
    Outcome,
    network::{Connection, Network, NetworkError, since},
};

/// The most that is read while looking for what is expected, in bytes.
const MAX_HEARD: usize = 64 * 1024;
const CHUNK: usize = 4 * 1024;

pub async fn check<N: Network>(network: &N, check: &TcpCheck, timeout_ms: u32) -> Outcome {
    let asked = network.millis();
    let talked = match network.dial(&check.host, check.port, timeout_ms).await {
        Ok(mut connection) => {
            let talked = talk(&mut connection, check).await;
            let latency = since(network, asked);
            connection.hang_up().await;
            talked.map(|met| (met, latency))
        }
        Err(error) => Err(error),
    };
    match talked {
        Ok((true, latency)) => Outcome::up(Some(latency)),
        Ok((false, latency)) => {
            Outcome::down("unexpected", "it does not say what it should").after(latency)
        }
        Err(error) => Outcome::failed(&error),
    }
}

/// Whether what is expected was heard.
async fn talk(connection: &mut impl Connection, check: &TcpCheck) -> Result<bool, NetworkError> {
    if let Some(send) = &check.send {
        connection.send(send.as_bytes()).await?;
    }
    let Some(expect) = &check.expect else {
        return Ok(true);
    };
    let expect = expect.as_bytes();
    let mut heard = Vec::new();
    let mut buffer = [0; CHUNK];
    loop {
        let length = connection.receive(&mut buffer).await?;
        let bytes = buffer.get(..length).unwrap_or_default();
        // What was looked through already is looked at again only where the text may begin.
        let from = heard.len().saturating_sub(expect.len());
        heard.extend_from_slice(bytes);
        let fresh = heard.get(from..).unwrap_or_default();
        if fresh.windows(expect.len()).any(|window| window == expect) {
            return Ok(true);
        }
        if bytes.is_empty() {
            return Ok(false);
        }
        if heard.len() > MAX_HEARD {
            return Err(NetworkError::Oversize);
        }
    }
}
