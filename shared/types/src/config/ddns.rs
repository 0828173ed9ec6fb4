//! Configuration of the `ddns` worker.

use std::net::Ipv6Addr;

use serde::Deserialize;

use super::{
    Config, DohUrl, HostName, InvalidConfig, Provider, ProviderUrl,
    alerts::{self, AlertChannel},
    duplicate, providers,
    services::{self, Service},
};
use crate::ddns::Addresses;

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        }
    }
}

/// A host name whose address the home reports.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DdnsHost {
    pub host: HostName,
    /// How often its providers are told its address when nothing changes, at least.
    #[serde(default = "two_hours")]
    pub refresh_minutes: u32,
    /// The families that it has an address of.
    #[serde(default = "both")]
    pub families: Vec<Family>,
    /// The end of its IPv6 address: what is reported is then taken for the prefix alone.
    pub ipv6_suffix: Option<Ipv6Addr>,
    /// How many bits of the address the prefix is.
    #[serde(default = "sixty_four")]
    pub ipv6_prefix_length: u8,
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
    /// How many of them one run of the cron asks at most.
    #[serde(rename = "CHECKS_A_RUN", default = "forty")]
    pub checks_a_run: u32,
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

/// How many hosts there may be: one row each is read by every run of the cron.
const MAX_HOSTS: usize = 100;
/// MyDNS.jp forgets a host after a week.
const MAX_REFRESH_MINUTES: u32 = 5 * 24 * 60;

/// The most checks that one run of the cron makes: the free plan has 50 requests, and alerts and DNS
/// providers need some.
pub const MAX_CHECKS_A_RUN: u32 = 40;

fn forty() -> u32 {
    MAX_CHECKS_A_RUN
}

fn two_hours() -> u32 {
    120
}

fn both() -> Vec<Family> {
    vec![Family::Ipv4, Family::Ipv6]
}

fn sixty_four() -> u8 {
    64
}

/// The bits of an address that are its prefix of this length.
pub const fn prefix_mask(length: u8) -> u128 {
    match length {
        0 => 0,
        1..=128 => u128::MAX << (128 - length),
        _ => u128::MAX,
    }
}

impl DdnsHost {
    /// Whether it has addresses of this family.
    pub fn has_family(&self, family: Family) -> bool {
        self.families.contains(&family)
    }

    /// Of these addresses, those of its families.
    #[must_use]
    pub fn own(&self, addresses: Addresses) -> Addresses {
        Addresses {
            ipv4: addresses.ipv4.filter(|_| self.has_family(Family::Ipv4)),
            ipv6: addresses.ipv6.filter(|_| self.has_family(Family::Ipv6)),
        }
    }

    /// This host's IPv6 address when the home has this one or this prefix: the first bits of it,
    /// then the suffix. Without a suffix, the address itself.
    pub fn ipv6_of(&self, reported: Ipv6Addr) -> Ipv6Addr {
        match self.ipv6_suffix {
            None => reported,
            Some(suffix) => {
                let prefix = reported.to_bits() & prefix_mask(self.ipv6_prefix_length);
                Ipv6Addr::from_bits(prefix | suffix.to_bits())
            }
        }
    }

    /// The key that is wrong, and what is.
    fn validate(&self) -> Result<(), (&'static str, String)> {
        let within = |key, value: u32, most| match value {
            0 => Err((key, "must be 1 at least".to_owned())),
            _ if value > most => Err((key, format!("must be {most} at most"))),
            _ => Ok(()),
        };
        within("refresh_minutes", self.refresh_minutes, MAX_REFRESH_MINUTES)?;
        if self.families.is_empty() {
            return Err(("families", "must name ipv4, ipv6 or both".to_owned()));
        }
        if let Some((_, family)) = duplicate(self.families.iter()) {
            return Err((
                "families",
                format!("\"{}\" is there twice", family.as_str()),
            ));
        }
        if self.ipv6_suffix.is_some() && !self.has_family(Family::Ipv6) {
            let message = "is only for a host that has ipv6 among its families";
            return Err(("ipv6_suffix", message.to_owned()));
        }
        let length = self.ipv6_prefix_length;
        if !(16..=124).contains(&length) {
            return Err((
                "ipv6_prefix_length",
                "must be a number of bits from 16 to 124".to_owned(),
            ));
        }
        let suffix = self.ipv6_suffix.map_or(0, Ipv6Addr::to_bits);
        if suffix & prefix_mask(length) != 0 {
            let message = format!(
                "must leave the first {length} bits zero: they are the prefix (ipv6_prefix_length)"
            );
            return Err(("ipv6_suffix", message));
        }
        if self.ipv6_suffix.is_some() && suffix == 0 {
            return Err((
                "ipv6_suffix",
                "must be the end of an address, as in \"::1:2:3:4\"".to_owned(),
            ));
        }
        Ok(())
    }
}

impl Config for DdnsConfig {
    fn validate(&self) -> Result<(), InvalidConfig> {
        if self.hosts.len() > MAX_HOSTS {
            let message = format!("at most {MAX_HOSTS} hosts are served");
            return Err(InvalidConfig::new("hosts", message));
        }
        if !(1..=MAX_CHECKS_A_RUN).contains(&self.checks_a_run) {
            let message = format!("must be a number from 1 to {MAX_CHECKS_A_RUN}");
            return Err(InvalidConfig::new("CHECKS_A_RUN", message));
        }
        if let Some((index, host)) = duplicate(self.hosts.iter().map(|entry| &entry.host)) {
            return Err(InvalidConfig::new(
                format!("hosts[{index}].host"),
                format!("\"{host}\" is there twice"),
            ));
        }
        for (index, host) in self.hosts.iter().enumerate() {
            host.validate().map_err(|(key, message)| {
                InvalidConfig::new(format!("hosts[{index}].{key}"), message)
            })?;
            providers::validate(&host.host, &host.providers).map_err(|error| {
                InvalidConfig::new(format!("hosts[{index}].{}", error.key), error.message)
            })?;
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

    fn one(more: &serde_json::Value) -> Result<DdnsHost, InvalidConfig> {
        let mut host = json!({"host": "home.example.com"});
        for (key, value) in more.as_object().unwrap() {
            host[key] = value.clone();
        }
        let config = DdnsConfig::parse(json!({ "hosts": [host] }))?;
        Ok(config.hosts.into_iter().next().unwrap())
    }

    #[test]
    fn a_run_makes_one_check_at_least_and_forty_at_most() {
        let parse = |checks| DdnsConfig::parse(json!({"hosts": [], "CHECKS_A_RUN": checks}));
        assert_eq!(parse(15).unwrap().checks_a_run, 15);
        let default = DdnsConfig::parse(json!({"hosts": []})).unwrap();
        assert_eq!(default.checks_a_run, 40);
        for checks in [0, 41] {
            assert_eq!(parse(checks).unwrap_err().key, "CHECKS_A_RUN");
        }
    }

    #[test]
    fn what_is_not_said_is_as_usual() {
        let host = one(&json!({})).unwrap();
        assert_eq!((host.refresh_minutes, host.ipv6_prefix_length), (120, 64));
        let reported = "2001:4860:4860::8888".parse().unwrap();
        assert_eq!(host.ipv6_of(reported), reported);
        assert_eq!(host.families, [Family::Ipv4, Family::Ipv6]);
    }

    #[test]
    fn a_host_has_the_addresses_of_its_families() {
        let both = Addresses {
            ipv4: "8.8.8.8".parse().ok(),
            ipv6: "2001:4860:4860::8888".parse().ok(),
        };
        let own =
            |families: serde_json::Value| one(&json!({"families": families})).unwrap().own(both);
        assert_eq!(own(json!(["ipv6", "ipv4"])), both);
        assert_eq!(own(json!(["ipv6"])), Addresses { ipv4: None, ..both });
        assert_eq!(own(json!(["ipv4"])), Addresses { ipv6: None, ..both });
        let error = one(&json!({"families": ["ipv5"]})).unwrap_err();
        assert!(error.key.starts_with("hosts[0].families"), "{error}");
    }

    #[test]
    fn values_that_make_no_sense_are_named() {
        for (more, key) in [
            (json!({"refresh_minutes": 0}), "refresh_minutes"),
            (json!({"refresh_minutes": 7201}), "refresh_minutes"),
            (json!({"refresh_minutes": -1}), "refresh_minutes"),
            (json!({"ipv6_prefix_length": 8}), "ipv6_prefix_length"),
            (json!({"ipv6_prefix_length": 200}), "ipv6_prefix_length"),
            (json!({"ipv6_suffix": "::"}), "ipv6_suffix"),
            (json!({"ipv6_suffix": "1.2.3.4"}), "ipv6_suffix"),
            (json!({"ipv6_suffix": "2001:db8::1"}), "ipv6_suffix"),
            (
                json!({"ipv6_suffix": "::1:2:3:4", "ipv6_prefix_length": 80}),
                "ipv6_suffix",
            ),
            (json!({"suffix": "::1"}), "suffix"),
            (json!({"families": []}), "families"),
            (json!({"families": ["ipv6", "ipv6"]}), "families"),
            (
                json!({"families": ["ipv4"], "ipv6_suffix": "::1"}),
                "ipv6_suffix",
            ),
        ] {
            let error = one(&more).unwrap_err();
            assert_eq!(error.key, format!("hosts[0].{key}"), "{more}: {error}");
        }
    }

    #[test]
    fn an_address_is_made_of_the_prefix_and_the_suffix() {
        for (suffix, length, reported, address) in [
            (
                "::1:2:3:4",
                64,
                "2001:4860:4860:1::8888",
                "2001:4860:4860:1:1:2:3:4",
            ),
            ("::1", 64, "2001:4860:4860::", "2001:4860:4860::1"),
            // The home has a /56, and this host is in its third network.
            (
                "0:0:0:3::1",
                56,
                "2001:4860:4860:ab00::",
                "2001:4860:4860:ab03::1",
            ),
        ] {
            let host = one(&json!({"ipv6_suffix": suffix, "ipv6_prefix_length": length})).unwrap();
            let made = host.ipv6_of(reported.parse().unwrap());
            assert_eq!(made, address.parse::<Ipv6Addr>().unwrap());
        }
    }

    #[test]
    fn a_mask_has_as_many_bits_as_its_length() {
        for length in 0..=128 {
            assert_eq!(prefix_mask(length).leading_ones(), u32::from(length));
            assert_eq!(prefix_mask(length).count_ones(), u32::from(length));
        }
    }
}
