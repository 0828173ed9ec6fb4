//! The way out to what is checked: the port of this module, and why it fails.

use std::fmt;

use types::RecordType;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkError {
    /// Nothing came within the time.
    Timeout,
    /// The connection could not be had, or broke; the platform's words, for operators alone: they
    /// may name addresses.
    Broken(String),
    /// More bytes than are read.
    Oversize,
    /// It redirects and redirects.
    Redirects,
}

impl NetworkError {
    /// The stable code of a reason, and words that may be public.
    pub fn reason(&self) -> (&'static str, &'static str) {
        match self {
            Self::Timeout => ("timeout", "no answer within the time"),
            Self::Broken(_) => ("connection", "the connection failed"),
            Self::Oversize => ("oversize", "the answer is larger than what is read"),
            Self::Redirects => ("redirects", "redirected too often"),
        }
    }
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(words) => f.write_str(words),
            _ => f.write_str(self.reason().1),
        }
    }
}

/// A request to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest<'a> {
    pub url: &'a str,
    pub method: &'static str,
    pub headers: Vec<(&'a str, &'a str)>,
    pub body: Option<&'a str>,
    pub follow: bool,
    pub timeout_ms: u32,
    /// How many bytes of the body are read; the rest is let go of.
    pub body_limit: u32,
    /// Whether the answer's headers are looked at.
    pub reads_headers: bool,
}

/// What a server answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpAnswer {
    pub status: u16,
    /// Where they are read, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// Empty when it was not read; what is not UTF-8 is replaced.
    pub body: String,
    /// Whether the body goes on beyond what was read.
    pub cut: bool,
    /// From the start to the last byte that was read.
    pub latency_ms: u32,
}

/// An open connection, on which nothing waits longer than was said at dialling.
pub trait Connection {
    async fn send(&mut self, bytes: &[u8]) -> Result<(), NetworkError>;

    /// Gives how many bytes came; 0 when no more will.
    async fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, NetworkError>;

    async fn hang_up(&mut self);
}

/// The outside.
pub trait Network {
    type Connection: Connection;

    /// Milliseconds since any fixed moment.
    fn millis(&self) -> i64;

    async fn request(&self, request: &HttpRequest<'_>) -> Result<HttpAnswer, NetworkError>;

    /// Asks for the records of this type.
    async fn resolve(
        &self,
        name: &str,
        record: RecordType,
        timeout_ms: u32,
    ) -> Result<Resolved, NetworkError>;

    /// Opens a connection; all that follows on it is over after this time.
    async fn dial(
        &self,
        host: &str,
        port: u16,
        timeout_ms: u32,
    ) -> Result<Self::Connection, NetworkError>;
}

/// What DNS says of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// It exists; perhaps without such records. Their data are in one form (`edge::doh::Record`).
    Records(Vec<String>),
    /// There is no such name.
    NoSuchName,
    /// The server answers with this code (RFC 1035, section 4.1.1).
    Failed(u16),
}

/// Milliseconds from `start` to now, by the network's clock.
pub fn since<N: Network>(network: &N, start: i64) -> u32 {
    u32::try_from(network.millis() - start).unwrap_or(0)
}
