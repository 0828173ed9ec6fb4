//! DNS providers: what a host's address is told to, each in its own way, behind one port.
//!
//! [`Providers::send`] takes all that is wanted at once: hosts that share credentials go to their
//! provider together, accounts are served side by side, and one that fails concerns no other.
//! Nothing is kept here. A provider's record is never deleted and never blanked; what a provider
//! answers is quoted without credentials and cut to a bounded length.

mod detail;
mod live;
mod mydns;

use std::collections::BTreeMap;

use edge::fetch::{Answer, FetchError, Request};
use futures::future::join_all;
use types::{
    Timestamp,
    config::{Credentials, HostName, Provider, ProviderKind, ProviderSecrets, ProviderUrl},
    ddns::Addresses,
};

pub use live::{Live, secrets};

/// What one of a host's providers shall have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    pub host: &'a HostName,
    /// A family that is not there is left as it is.
    pub addresses: Addresses,
    pub provider: &'a Provider,
}

/// What came of it. A detail is one line of at most a few hundred characters without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The provider has these addresses, and said so.
    Done {
        detail: String,
        /// When the provider forgets them, unless it is told again.
        expires_at: Option<Timestamp>,
    },
    /// Nobody knows, or not all of it is there: to be sent again, not before this many seconds
    /// where the provider named them.
    Later {
        detail: String,
        after_seconds: Option<u32>,
    },
    /// Sending the same again does not help: somebody has to change something.
    Refused { detail: String },
}

impl Sent {
    pub fn detail(&self) -> &str {
        match self {
            Self::Done { detail, .. } | Self::Later { detail, .. } | Self::Refused { detail } => {
                detail
            }
        }
    }

    pub const fn is_done(&self) -> bool {
        matches!(self, Self::Done { .. })
    }

    fn later(detail: impl Into<String>) -> Self {
        Self::Later {
            detail: detail.into(),
            after_seconds: None,
        }
    }

    fn refused(detail: impl Into<String>) -> Self {
        Self::Refused {
            detail: detail.into(),
        }
    }
}

/// The way out.
pub trait Http {
    /// Sends a request and reads its answer, within the request's time and limit.
    async fn send(&self, request: Request<'_>) -> Result<Answer, FetchError>;
}

/// All providers, with what is needed to reach them.
#[derive(Debug, Clone, Copy)]
pub struct Providers<'a, H> {
    pub http: &'a H,
    pub mydns_url: &'a ProviderUrl,
    pub cloudflare_api: &'a ProviderUrl,
    pub secrets: &'a ProviderSecrets,
}

impl<H: Http> Providers<'_, H> {
    /// Sends all that is wanted; gives what came of each, in the same order.
    pub async fn send(&self, wanted: &[Wanted<'_>], now: Timestamp) -> Vec<Sent> {
        let mut accounts: BTreeMap<(ProviderKind, &str), Vec<usize>> = BTreeMap::new();
        for (index, one) in wanted.iter().enumerate() {
            let account = (one.provider.kind, one.provider.credentials.as_str());
            accounts.entry(account).or_default().push(index);
        }
        let sending = accounts.into_values().map(async |indices| {
            let group: Vec<_> = indices
                .iter()
                .filter_map(|&index| wanted.get(index))
                .collect();
            let sent = self.send_to_one(&group, now).await;
            indices.into_iter().zip(sent).collect::<Vec<_>>()
        });
        let mut sent: BTreeMap<usize, Sent> =
            join_all(sending).await.into_iter().flatten().collect();
        (0..wanted.len())
            .map(|index| {
                sent.remove(&index)
                    .unwrap_or_else(|| Sent::later("nothing came back"))
            })
            .collect()
    }

    /// All that is wanted of one account.
    async fn send_to_one(&self, wanted: &[&Wanted<'_>], now: Timestamp) -> Vec<Sent> {
        let Some(first) = wanted.first() else {
            return Vec::new();
        };
        match self.secrets.get(first.provider) {
            Err(error) => vec![Sent::refused(error); wanted.len()],
            Ok(Credentials::Mydns { id, password }) => {
                let account = mydns::Account { id, password };
                let url = self.mydns_url.as_str();
                mydns::send(self.http, url, account, wanted, now).await
            }
            Ok(Credentials::Cloudflare { .. }) => {
                vec![Sent::refused("cloudflare is not sent to yet"); wanted.len()]
            }
        }
    }
}

#[cfg(test)]
mod memory;
