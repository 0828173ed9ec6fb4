//! The resolver's port over the runtime's `fetch`.

use edge::{clock, get, log};
use types::{
    Timestamp,
    config::{DohUrl, StatusConfig},
};

use crate::{
    dns::{Kind, MAX_BODY},
    resolve,
};

/// A server for DNS-over-HTTPS, with a time-out on each question.
pub struct Doh<'a> {
    url: &'a DohUrl,
    timeout_ms: u32,
}

impl<'a> Doh<'a> {
    pub fn new(config: &'a StatusConfig) -> Self {
        Self {
            url: &config.doh_url,
            timeout_ms: config.doh_timeout_ms,
        }
    }
}

impl resolve::Doh for Doh<'_> {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    async fn ask(&self, name: &str, kind: Kind) -> Result<String, String> {
        let url = self.url.as_str();
        let separator = if url.contains('?') { '&' } else { '?' };
        // A name has no character that would need escaping: `Address` sees to it.
        let url = format!("{url}{separator}name={name}&type={}", kind.as_str());
        get::text(&url, "application/dns-json", self.timeout_ms, MAX_BODY).await
    }

    fn warn(&self, message: &str) {
        log::warn("dns", message);
    }
}
