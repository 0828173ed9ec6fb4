//! The checks, each with what it needs and nothing else.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{JsonPath, Limit, SecretName, ServiceKind, StatusPattern};
use crate::{
    RecordType,
    config::{Address, HostName, WebhookUrl},
};

/// How a service is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    Http(Box<HttpCheck>),
    Tcp(TcpCheck),
    /// A status request, as a client's server list sends it.
    Minecraft {
        address: Address,
    },
    Dns(DnsCheck),
    Heartbeat(HeartbeatCheck),
    Ddns(DdnsCheck),
}

impl Check {
    pub const fn kind(&self) -> ServiceKind {
        match self {
            Self::Http(_) => ServiceKind::Http,
            Self::Tcp(_) => ServiceKind::Tcp,
            Self::Minecraft { .. } => ServiceKind::Minecraft,
            Self::Dns(_) => ServiceKind::Dns,
            Self::Heartbeat(_) => ServiceKind::Heartbeat,
            Self::Ddns(_) => ServiceKind::Ddns,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl Method {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }

    /// Whether a request has a body.
    pub(super) const fn takes_body(self) -> bool {
        !matches!(self, Self::Get | Self::Head)
    }
}

/// The value of a header that is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderValue {
    Literal(String),
    /// Looked up in the secret `CHECKS`.
    Secret(SecretName),
}

/// One request, and what its answer has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpCheck {
    pub url: WebhookUrl,
    pub method: Method,
    pub headers: BTreeMap<String, HeaderValue>,
    pub body: Option<String>,
    /// The answers that are good; one of these. Never empty.
    pub status: Vec<StatusPattern>,
    /// A text that the body has to contain.
    pub keyword: Option<String>,
    /// A text that it must not contain.
    pub keyword_absent: Option<String>,
    /// What the body, as JSON, has to have.
    pub json_path: Option<JsonPath>,
    /// A scalar that has to be there.
    pub json_equals: Option<Value>,
    /// Texts that the answer's headers have to contain.
    pub header: BTreeMap<String, String>,
    /// Whether redirects are followed; else the 3xx is the answer. Never with a secret.
    pub follow: bool,
}

impl HttpCheck {
    pub fn accepts(&self, status: u16) -> bool {
        self.status.iter().any(|pattern| pattern.matches(status))
    }

    /// Whether the body has to be read at all.
    pub fn reads_body(&self) -> bool {
        self.keyword.is_some() || self.keyword_absent.is_some() || self.json_path.is_some()
    }
}

/// A connection, and perhaps a short talk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpCheck {
    pub host: String,
    pub port: u16,
    /// What is said first.
    pub send: Option<String>,
    /// What has to be in what is heard.
    pub expect: Option<String>,
}

/// One question to `DOH_URL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsCheck {
    /// Without the dot at the end, in lower case.
    pub host: String,
    pub record: RecordType,
    /// All of these have to be in the answer; else any record will do.
    pub expect: Vec<String>,
}

/// Somebody else calls, and it is the silence that is the failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatCheck {
    pub period_minutes: u32,
    /// How late a beat may be.
    pub grace_minutes: u32,
    /// What was made must not be smaller: the metric `size_bytes`.
    pub min_size_bytes: Option<u64>,
    /// The work must not be over sooner, or take longer.
    pub min_duration_ms: Option<u64>,
    pub max_duration_ms: Option<u64>,
    pub limits: Vec<Limit>,
    /// In the secret `CHECKS`: what stands for the id in the URL, and makes a token needless.
    pub key: Option<SecretName>,
}

/// The dead-man switch of the home line: a host's last report is younger than two periods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DdnsCheck {
    pub host: HostName,
    pub period_minutes: u32,
}
