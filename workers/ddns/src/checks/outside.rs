//! The checks' port over the runtime's `fetch` and sockets.

use std::time::Duration;

use edge::{
    clock, doh,
    fetch::{self, FetchError, Redirect},
    socket::{self, SocketError},
};
use types::{RecordType, config::DohUrl};

use super::network::{Connection, HttpAnswer, HttpRequest, Network, NetworkError, Resolved};

/// The outside as the platform has it.
pub struct Outside<'a> {
    pub doh_url: &'a DohUrl,
}

impl Network for Outside<'_> {
    type Connection = Tcp;

    fn millis(&self) -> i64 {
        clock::millis()
    }

    async fn request(&self, request: &HttpRequest<'_>) -> Result<HttpAnswer, NetworkError> {
        let sent = fetch::send(fetch::Request {
            method: request.method,
            url: request.url,
            headers: &request.headers,
            body: request.body,
            timeout_ms: request.timeout_ms,
            limit: request.body_limit,
            reads_headers: request.reads_headers,
            redirect: if request.follow {
                Redirect::Follow
            } else {
                Redirect::Manual
            },
        });
        let answer = sent.await.map_err(|error| of_fetch(&error, request.url))?;
        Ok(HttpAnswer {
            status: answer.status,
            headers: answer.headers,
            body: answer.text,
            cut: answer.cut,
            latency_ms: answer.total_ms,
        })
    }

    async fn resolve(
        &self,
        name: &str,
        record: RecordType,
        timeout_ms: u32,
    ) -> Result<Resolved, NetworkError> {
        let server = self.doh_url.as_str();
        let asked = clock::millis();
        let answered = doh::ask(server, name, record, timeout_ms).await;
        let body = answered.map_err(|words| {
            // Which of its failures it was is only said in words.
            if clock::millis() - asked >= i64::from(timeout_ms) {
                NetworkError::Timeout
            } else {
                NetworkError::Broken(words)
            }
        })?;
        let answer = doh::read(&body, record);
        let answer = answer.map_err(|error| NetworkError::Broken(error.to_string()))?;
        Ok(match answer.code {
            doh::NOERROR => {
                let records = answer.records.into_iter();
                Resolved::Records(records.map(|record| record.data).collect())
            }
            doh::NXDOMAIN => Resolved::NoSuchName,
            code => Resolved::Failed(code),
        })
    }

    async fn dial(&self, host: &str, port: u16, timeout_ms: u32) -> Result<Tcp, NetworkError> {
        let timeout = Duration::from_millis(timeout_ms.into());
        let opened = socket::Connection::open(host, port, timeout).await;
        opened.map(Tcp).map_err(of_socket)
    }
}

/// A connection of the runtime's.
pub struct Tcp(socket::Connection);

impl Connection for Tcp {
    async fn send(&mut self, bytes: &[u8]) -> Result<(), NetworkError> {
        self.0.write(bytes).await.map_err(of_socket)
    }

    async fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, NetworkError> {
        self.0.read(buffer).await.map_err(of_socket)
    }

    async fn hang_up(&mut self) {
        self.0.close().await;
    }
}

/// The runtime's words may say the URL, in which a secret may stand.
fn of_fetch(error: &FetchError, url: &str) -> NetworkError {
    match error {
        FetchError::Timeout(_) => NetworkError::Timeout,
        FetchError::Connection(words) | FetchError::Broken(words) | FetchError::Invalid(words) => {
            if words.to_ascii_lowercase().contains("redirect") {
                NetworkError::Redirects
            } else {
                NetworkError::Broken(words.replace(url, "the URL"))
            }
        }
    }
}

fn of_socket(error: SocketError) -> NetworkError {
    match error {
        SocketError::Timeout => NetworkError::Timeout,
        SocketError::Refused(words) | SocketError::Broken(words) => NetworkError::Broken(words),
    }
}
