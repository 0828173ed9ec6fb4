//! DNS providers: what a host's address is told to, each in its own way, behind one port.
//!
//! [`Providers::send`] takes all that is wanted at once: hosts that share credentials go to their
//! provider together, accounts are served side by side, and one that fails concerns no other.
//! Nothing is kept here. A provider's record is never deleted and never blanked; what a provider
//! answers is quoted without credentials and cut to a bounded length.

mod cloudflare;
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
    /// This run has no requests left for it: nothing is wrong, and the next one sends it.
    Left { detail: String },
    /// Sending the same again does not help: somebody has to change something.
    Refused { detail: String },
}

impl Sent {
    pub fn detail(&self) -> &str {
        match self {
            Self::Done { detail, .. }
            | Self::Later { detail, .. }
            | Self::Left { detail }
            | Self::Refused { detail } => detail,
        }
    }

    pub const fn is_done(&self) -> bool {
        matches!(self, Self::Done { .. })
    }
}

/// Why a provider does not have an address: [`Sent::Later`], [`Sent::Left`] or [`Sent::Refused`].
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault {
    Later {
        detail: String,
        after_seconds: Option<u32>,
    },
    Left,
    Refused {
        detail: String,
    },
}

impl Fault {
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

impl From<Fault> for Sent {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Later {
                detail,
                after_seconds,
            } => Self::Later {
                detail,
                after_seconds,
            },
            Fault::Left => Self::Left {
                detail: LEFT.to_owned(),
            },
            Fault::Refused { detail } => Self::Refused { detail },
        }
    }
}

/// What is said of what a run has no requests for.
const LEFT: &str = "is left to the next run, which may send more requests";

/// The way out.
pub trait Http {
    /// Sends a request and reads its answer, within the request's time and limit.
    async fn send(&self, request: Request<'_>) -> Result<Answer, FetchError>;

    /// How many more requests may be sent in this run.
    fn left(&self) -> usize;
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
    /// Sends all that is wanted; gives what came of each, in the same order. A host that is there
    /// twice for one account is sent once.
    pub async fn send(&self, wanted: &[Wanted<'_>], now: Timestamp) -> Vec<Sent> {
        let mut accounts: BTreeMap<(ProviderKind, &str), Vec<usize>> = BTreeMap::new();
        let mut firsts = Vec::with_capacity(wanted.len());
        for (index, one) in wanted.iter().enumerate() {
            let account = (one.provider.kind, one.provider.credentials.as_str());
            let indices = accounts.entry(account).or_default();
            let earlier = indices.iter().copied();
            let same = |&index: &usize| {
                wanted
                    .get(index)
                    .is_some_and(|known| known.host == one.host)
            };
            let first = earlier.clone().find(same);
            if first.is_none() {
                indices.push(index);
            }
            firsts.push(first.unwrap_or(index));
        }
        let sending = accounts.into_values().map(async |indices| {
            let group: Vec<_> = indices
                .iter()
                .filter_map(|&index| wanted.get(index))
                .collect();
            let sent = self.send_to_one(&group, now).await;
            indices.into_iter().zip(sent).collect::<Vec<_>>()
        });
        let sent: BTreeMap<usize, Sent> = join_all(sending).await.into_iter().flatten().collect();
        let each = firsts
            .iter()
            .zip(wanted)
            .map(|(first, one)| match wanted.get(*first) {
                Some(known) if known.addresses == one.addresses => sent.get(first).cloned(),
                _ => Some(Sent::from(Fault::refused(format!(
                    "{} is asked for twice, with two addresses",
                    one.host
                )))),
            });
        each.map(|sent| sent.unwrap_or_else(|| Fault::later("was not sent").into()))
            .collect()
    }

    /// All that is wanted of one account.
    async fn send_to_one(&self, wanted: &[&Wanted<'_>], now: Timestamp) -> Vec<Sent> {
        let Some(first) = wanted.first() else {
            return Vec::new();
        };
        match self.secrets.get(first.provider) {
            Err(error) => vec![Fault::refused(error).into(); wanted.len()],
            Ok(Credentials::Mydns { id, password }) => {
                let account = mydns::Account { id, password };
                let url = self.mydns_url.as_str();
                mydns::send(self.http, url, account, wanted, now).await
            }
            Ok(Credentials::Cloudflare { token }) => {
                let base = self.cloudflare_api.as_str();
                cloudflare::send(self.http, base, token, wanted).await
            }
        }
    }
}

#[cfg(test)]
mod memory;
#[cfg(test)]
mod tests;
