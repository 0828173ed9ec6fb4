//! The ports of an update over the platform: providers by `fetch`, time by timers.

use std::time::Duration;

use edge::{clock, log};
use futures::future::join;
use types::{
    RecordType, Timestamp,
    config::{DdnsConfig, HostName, Provider},
};
use worker::{Delay, Env};

use crate::{
    book::{Claimed, Clock, Tell},
    plan::Duty,
    providers::{self, Http as _, Live, Providers, Sent, Wanted},
    truth::Dns,
};

/// For all that is told at once. A provider has less for each request.
const TELLING: Duration = Duration::from_secs(25);
/// Between two looks at what somebody else tells.
const PAUSE: Duration = Duration::from_millis(300);

/// How many requests providers are sent in one invocation, of the 50 that the platform allows: an
/// update has nothing else to send, and the cron has services to look at.
pub const REQUESTS: u32 = 45;
pub const CRON_REQUESTS: u32 = 16;

/// The providers of this deployment.
pub struct Outside<'a> {
    env: &'a Env,
    config: &'a DdnsConfig,
    http: Live,
}

impl<'a> Outside<'a> {
    /// For one invocation, in which they are sent this many requests at the most.
    pub const fn new(env: &'a Env, config: &'a DdnsConfig, requests: u32) -> Self {
        Self {
            env,
            config,
            http: Live::new(requests),
        }
    }

    /// A host's provider of this name.
    fn provider(&self, host: &HostName, name: &str) -> Option<&'a Provider> {
        let mut hosts = self.config.hosts.iter();
        let host = hosts.find(|one| one.host == *host)?;
        let mut providers = host.providers.iter();
        providers.find(|provider| provider.name() == name)
    }

    /// How many requests are left of them.
    pub fn left(&self) -> u32 {
        u32::try_from(self.http.left()).unwrap_or(u32::MAX)
    }
}

impl Tell for Outside<'_> {
    async fn tell(&self, claimed: &[Claimed], now: Timestamp) -> Vec<Sent> {
        let wanted: Vec<Wanted<'_>> = claimed
            .iter()
            .filter_map(|one| {
                Some(Wanted {
                    host: &one.host,
                    addresses: one.addresses,
                    provider: self.provider(&one.host, &one.provider)?,
                })
            })
            .collect();
        let later = |detail: &str| Sent::Later {
            detail: detail.to_owned(),
            after_seconds: None,
        };
        // Only what is configured is ever claimed.
        if wanted.len() != claimed.len() {
            return vec![later("is not configured any more"); claimed.len()];
        }
        let secrets = providers::secrets(self.env);
        let providers = Providers {
            http: &self.http,
            mydns_url: &self.config.mydns_url,
            cloudflare_api: &self.config.cloudflare_api,
            secrets: &secrets,
        };
        let sent = clock::within(TELLING, providers.send(&wanted, now)).await;
        sent.unwrap_or_else(|| vec![later("did not answer in time"); claimed.len()])
    }

    fn known_fault(&self, duty: &Duty) -> Option<String> {
        let provider = self.provider(&duty.host, &duty.provider)?;
        providers::secrets(self.env).get(provider).err()
    }
}

/// The clock on the wall.
pub struct Wall;

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    async fn pause(&self) {
        Delay::from(PAUSE).await;
    }
}

/// The moment for which a cron was due, for as long as its run takes: so what is due in a minute is,
/// however late this run and the next one begin.
pub struct Scheduled(pub Timestamp);

impl Clock for Scheduled {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn lease_start(&self) -> Timestamp {
        self.0.max(clock::now())
    }

    async fn pause(&self) {
        Delay::from(PAUSE).await;
    }
}

/// What DNS answers for a name; `None` when it does not say, and then the log says why.
pub async fn dns(config: &DdnsConfig, host: &HostName) -> Option<Dns> {
    use edge::doh::{self, NOERROR, NXDOMAIN};
    const TIMEOUT_MS: u32 = 3000;
    let ask = async |kind: RecordType| {
        let url = config.doh_url.as_str();
        let answer = doh::ask(url, host.as_str(), kind, TIMEOUT_MS).await;
        let answer = answer.and_then(|body| doh::read(&body, kind).map_err(|no| no.to_string()));
        match answer {
            Ok(answer) if [NOERROR, NXDOMAIN].contains(&answer.code) => Ok(answer.records),
            Ok(answer) => Err(format!("response code {}", answer.code)),
            Err(words) => Err(words),
        }
    };
    let told = match join(ask(RecordType::A), ask(RecordType::Aaaa)).await {
        (Ok(v4), Ok(v6)) => Ok((v4, v6)),
        (Err(words), _) | (_, Err(words)) => Err(words),
    };
    match told {
        Ok((v4, v6)) => Some(Dns {
            ipv4: v4.iter().filter_map(|one| one.data.parse().ok()).collect(),
            ipv6: v6.iter().filter_map(|one| one.data.parse().ok()).collect(),
        }),
        Err(words) => {
            log::warn("dns", &format!("{host}: {words}"));
            None
        }
    }
}
