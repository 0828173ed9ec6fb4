//! Configuration of the `ddns` worker.

use serde::Deserialize;

use super::{
    Config, DohUrl, HostName, InvalidConfig, Provider, ProviderUrl,
    alerts::{self, AlertChannel},
    duplicate, providers,
    services::{self, Service},
};

/// A host name whose address the home reports.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DdnsHost {
    pub host: HostName,
    /// Who keeps its records; each update goes to all of them.
    #[serde(default)]
    pub providers: Vec<Provider>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DdnsConfig {
    pub hosts: Vec<DdnsHost>,
    /// What is watched.
    #[serde(default)]
    pub services: Vec<Service>,
    /// Where alerts are sent to.
    #[serde(default)]
    pub alerts: Vec<AlertChannel>,
    /// Where MyDNS.jp is told of an address.
    #[serde(rename = "MYDNS_URL", default = "ProviderUrl::mydns")]
    pub mydns_url: ProviderUrl,
    /// The base of Cloudflare's API.
    #[serde(rename = "CLOUDFLARE_API", default = "ProviderUrl::cloudflare")]
    pub cloudflare_api: ProviderUrl,
    /// The name server that is asked what DNS answers.
    #[serde(rename = "DOH_URL", default)]
    pub doh_url: DohUrl,
}

impl Config for DdnsConfig {
    fn validate(&self) -> Result<(), InvalidConfig> {
        for (index, entry) in self.hosts.iter().enumerate() {
            providers::validate(&entry.host, &entry.providers).map_err(|error| {
                InvalidConfig::new(format!("hosts[{index}].{}", error.key), error.message)
            })?;
        }
        if let Some((index, host)) = duplicate(self.hosts.iter().map(|entry| &entry.host)) {
            return Err(InvalidConfig::new(
                format!("hosts[{index}].host"),
                format!("\"{host}\" is there twice"),
            ));
        }
        alerts::validate(&self.alerts)?;
        let hosts: Vec<_> = self.hosts.iter().map(|entry| &entry.host).collect();
        let channels: Vec<_> = self.alerts.iter().map(|channel| &channel.name).collect();
        services::validate(&self.services, &hosts, &channels)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_host_that_is_wrong_or_there_twice_is_named() {
        let twice = json!({"hosts": [{"host": "a.example.com"}, {"host": "A.example.com."}]});
        let error = DdnsConfig::parse(twice).unwrap_err().to_string();
        assert_eq!(
            error,
            "[vars] hosts[1].host: \"a.example.com\" is there twice"
        );
        let error = DdnsConfig::parse(json!({"hosts": [{"host": "home"}]})).unwrap_err();
        assert_eq!(error.key, "hosts[0].host");
    }
}
