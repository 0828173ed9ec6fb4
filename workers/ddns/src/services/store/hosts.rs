//! Of the tables of dynamic DNS, how old addresses and reports are.

use edge::Failure;
use serde::Deserialize;
use types::Timestamp;

use super::Store;

const AGES: &str = "\
SELECT json_group_array(json_object('host', host, 'updated_at', updated_at,
  'reported_at', (SELECT at FROM reports WHERE reports.host = hosts.host))) AS found FROM hosts";

/// How old a host's address is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HostAge {
    pub host: String,
    /// When it changed.
    pub updated_at: Timestamp,
    pub reported_at: Option<Timestamp>,
}

impl Store {
    pub async fn host_ages(&self) -> Result<Vec<HostAge>, Failure> {
        self.query(AGES, &[]).await
    }
}
