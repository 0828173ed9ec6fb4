//! The resolver's port over the runtime's `fetch`.

use edge::{clock, doh, log};
use types::{
    RecordType, Timestamp,
    config::{DohUrl, StatusConfig},
};

use crate::resolve;

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

    async fn ask(&self, name: &str, kind: RecordType) -> Result<String, String> {
        doh::ask(self.url.as_str(), name, kind, self.timeout_ms).await
    }

    fn warn(&self, message: &str) {
        log::warn("dns", message);
    }
}
