//! Where a target is to be found: SRV records and addresses, by DNS-over-HTTPS, each for as long as
//! it holds.
//!
//! DNS never stands between a server and its ping: when it fails, what it said last is good enough,
//! and when it never said anything, the host itself is dialled. After one failure of the server
//! that is asked, nothing more is asked of it in that run, so that a dead one costs one time-out.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use types::{
    RecordType, Timestamp,
    config::{Target, is_public_name},
    status::{DnsAnswer, SrvRecord},
};

use crate::{
    allowance::Allowance,
    dns::{self, DnsError},
};

/// The shortest that an address holds, in seconds: it is shown, and dialled by name.
const ADDRESS_SECONDS: i64 = 300;

/// What DNS said, by kind and name: `srv mc.example.com`.
pub type Cache = BTreeMap<String, DnsAnswer>;

/// The way out to a name server.
pub trait Doh {
    fn now(&self) -> Timestamp;

    /// The body of the answer; the error says what is wrong with the server.
    async fn ask(&self, name: &str, kind: RecordType) -> Result<String, String>;

    /// Something an operator may want to know.
    fn warn(&self, message: &str);
}

/// Where to dial, and how that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub host: String,
    pub port: u16,
    pub srv_record: Option<SrvRecord>,
    /// An address of `host`, where it is known.
    pub ip: Option<IpAddr>,
    /// Whether players find it too: where `connect` points is nobody's business.
    pub is_public: bool,
}

/// Finds the places of one run's targets.
pub struct Resolver<'a, D> {
    doh: &'a D,
    allowance: &'a Allowance,
    known: RefCell<Cache>,
    /// The entries that somebody needed.
    used: RefCell<BTreeSet<String>>,
    broken: Cell<bool>,
}

impl<'a, D: Doh> Resolver<'a, D> {
    pub fn new(doh: &'a D, known: Cache, allowance: &'a Allowance) -> Self {
        Self {
            doh,
            allowance,
            known: RefCell::new(known),
            used: RefCell::default(),
            broken: Cell::new(false),
        }
    }

    /// What to remember for the next run: nothing of targets that are gone.
    pub fn into_cache(self) -> Cache {
        let used = self.used.into_inner();
        let mut known = self.known.into_inner();
        known.retain(|key, _| used.contains(key));
        known
    }

    pub async fn place(&self, target: &Target) -> Place {
        let srv_record = if target.may_have_srv() {
            self.srv(&target.address.host).await
        } else {
            None
        };
        let (host, port) = match &srv_record {
            Some(srv) => (srv.host.clone(), srv.port),
            None => (target.dial().host.clone(), target.dial().port_or_default()),
        };
        let is_public = target.connect.is_none();
        let is_needed = is_public || target.proxy_protocol != types::config::ProxyProtocol::Off;
        let ip = match host.parse() {
            Ok(ip) => Some(ip),
            Err(_) if is_needed => self.address(&host).await,
            Err(_) => None,
        };
        Place {
            host,
            port,
            srv_record,
            ip,
            is_public,
        }
    }

    /// Whether DNS says that there is no such host: the runtime's sockets say the same of that and
    /// of a closed port.
    pub async fn is_unknown(&self, host: &str) -> bool {
        is_public_name(host)
            && self
                .lookup(RecordType::A, host)
                .await
                .is_some_and(|answer| !answer.exists)
    }

    async fn srv(&self, host: &str) -> Option<SrvRecord> {
        dns::chosen(&self.lookup(RecordType::Srv, host).await?.records)
    }

    /// The same one of several each time, whatever order they come in.
    async fn address(&self, host: &str) -> Option<IpAddr> {
        if !is_public_name(host) {
            return None;
        }
        for kind in [RecordType::A, RecordType::Aaaa] {
            let answer = self.lookup(kind, host).await?;
            let addresses = answer.records.iter();
            if let Some(ip) = addresses.filter_map(|ip| ip.parse().ok()).min() {
                return Some(ip);
            }
            if !answer.exists {
                break;
            }
        }
        None
    }

    async fn lookup(&self, kind: RecordType, host: &str) -> Option<DnsAnswer> {
        let key = format!("{} {host}", kind.as_str().to_ascii_lowercase());
        self.used.borrow_mut().insert(key.clone());
        let known = self.known.borrow().get(&key).cloned();
        let now = self.doh.now();
        if known.as_ref().is_some_and(|known| now < known.until) {
            return known;
        }
        let allowed = !self.broken.get()
            && if kind == RecordType::Srv {
                self.allowance.take_for_srv()
            } else {
                self.allowance.take()
            };
        if !allowed {
            return known;
        }
        match self.ask(kind, host).await {
            Ok(answer) => {
                let least = if kind == RecordType::Srv {
                    0
                } else {
                    ADDRESS_SECONDS
                };
                let fresh = DnsAnswer {
                    until: self.doh.now().plus_seconds(answer.ttl_seconds.max(least)),
                    exists: answer.exists,
                    records: answer.records,
                };
                self.known.borrow_mut().insert(key, fresh.clone());
                Some(fresh)
            }
            Err(error) => {
                if !self.broken.get() {
                    self.doh.warn(&format!("{key}: {error}"));
                }
                if matches!(error, DnsError::Server(_)) {
                    self.broken.set(true);
                }
                known
            }
        }
    }

    async fn ask(&self, kind: RecordType, host: &str) -> Result<dns::Answer, DnsError> {
        let name = if kind == RecordType::Srv {
            format!("_minecraft._tcp.{host}")
        } else {
            host.to_owned()
        };
        let body = self.doh.ask(&name, kind).await.map_err(DnsError::Server)?;
        dns::read(&body, kind)
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
