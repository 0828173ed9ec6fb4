//! The checks' port over the runtime's `fetch` and sockets.

use std::{cell::Cell, time::Duration};

use edge::{
    clock, doh,
    fetch::{self, FetchError, Redirect},
    socket::{self, SocketError},
};
use types::{RecordType, config::DohUrl};

use super::network::{Connection, HttpAnswer, HttpRequest, Network, NetworkError, Resolved};

/// How often a redirect is followed.
pub const MAX_REDIRECTS: u32 = 20;
/// What is said when all requests of a run are used up, in the platform's own words for it.
pub const SPENT: &str = "too many subrequests";

/// The outside as the platform has it, for one check.
pub struct Outside<'a> {
    pub doh_url: &'a DohUrl,
    /// How many more requests and connections there may be in this run: redirects count too.
    pub left: &'a Cell<u32>,
    /// How many this check has made.
    pub asked: Cell<u32>,
}

impl Outside<'_> {
    fn spend(&self) -> Result<(), NetworkError> {
        let left = self.left.get().checked_sub(1);
        let left = left.ok_or_else(|| NetworkError::Broken(SPENT.to_owned()))?;
        self.left.set(left);
        self.asked.set(self.asked.get() + 1);
        Ok(())
    }
}

impl Network for Outside<'_> {
    type Connection = Tcp;

    fn millis(&self) -> i64 {
        clock::millis()
    }

    async fn request(&self, request: &HttpRequest<'_>) -> Result<HttpAnswer, NetworkError> {
        let begun = clock::millis();
        let mut step = Step::first(request);
        for _ in 0..=MAX_REDIRECTS {
            self.spend()?;
            let past_ms = u32::try_from(clock::millis() - begun).unwrap_or(0);
            let sent = fetch::send(fetch::Request {
                method: step.method,
                url: &step.url,
                headers: &step.headers,
                body: step.body,
                timeout_ms: request.timeout_ms.saturating_sub(past_ms).max(1),
                limit: request.body_limit,
                reads_headers: request.reads_headers,
                redirect: if request.follow {
                    Redirect::Follow
                } else {
                    Redirect::Manual
                },
            });
            let answer = sent.await.map_err(|error| of_fetch(&error, &step.url))?;
            let Some(location) = answer.location else {
                return Ok(HttpAnswer {
                    status: answer.status,
                    headers: answer.headers,
                    body: answer.text,
                    cut: answer.cut,
                    latency_ms: past_ms + answer.total_ms,
                });
            };
            step.go_on(answer.status, location);
        }
        Err(NetworkError::Redirects)
    }

    async fn resolve(
        &self,
        name: &str,
        record: RecordType,
        timeout_ms: u32,
    ) -> Result<Resolved, NetworkError> {
        let server = self.doh_url.as_str();
        self.spend()?;
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
        self.spend()?;
        let timeout = Duration::from_millis(timeout_ms.into());
        let opened = socket::Connection::open(host, port, timeout).await;
        opened.map(Tcp).map_err(of_socket)
    }
}

/// One request of a chain of redirects (Fetch Standard, section 4.5).
struct Step<'a> {
    url: String,
    method: &'static str,
    headers: Vec<(&'a str, &'a str)>,
    body: Option<&'a str>,
}

impl<'a> Step<'a> {
    fn first(request: &HttpRequest<'a>) -> Self {
        Self {
            url: request.url.to_owned(),
            method: request.method,
            headers: request.headers.clone(),
            body: request.body,
        }
    }

    /// What is asked of another server says nothing that was for the first one.
    fn go_on(&mut self, status: u16, location: String) {
        let is_get = match status {
            303 => self.method != "HEAD",
            301 | 302 => self.method == "POST",
            _ => false,
        };
        if is_get {
            (self.method, self.body) = ("GET", None);
        }
        if origin(&self.url) != origin(&location) {
            self.headers
                .retain(|(name, _)| !["authorization", "cookie"].contains(name));
        }
        self.url = location;
    }
}

/// Scheme, host and port, as they are written.
fn origin(url: &str) -> Vec<&str> {
    url.splitn(4, '/').take(3).collect()
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
            NetworkError::Broken(words.replace(url, "the URL"))
        }
    }
}

fn of_socket(error: SocketError) -> NetworkError {
    match error {
        SocketError::Timeout => NetworkError::Timeout,
        SocketError::Refused(words) | SocketError::Broken(words) => NetworkError::Broken(words),
    }
}
