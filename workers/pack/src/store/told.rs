//! What readers of each channel are to be told, as the custom metadata of a registry's object: read
//! without the registry, it says whether KV holds the same.

use std::collections::HashMap;

use edge::{Failure, clock};
use types::{Channel, PackName, Sha1, Timestamp, pack::Record};

use super::{Platform, registry_key};
use crate::registry::{Registry, print_of};

/// The channels of a pack that are told of: a line has up to 80 bytes, and R2 takes 8,192. For the
/// others the registry itself is read.
const CHANNELS: usize = 64;

fn name(channel: &Channel) -> String {
    format!("channel-{channel}")
}

pub fn metadata(registry: &Registry) -> HashMap<String, String> {
    let prints = registry.prints().take(CHANNELS);
    prints
        .map(|(channel, print)| (name(channel), print.to_string()))
        .collect()
}

/// What the registry says of a channel, without what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// `None`: nobody has written it down.
    print: Option<Sha1>,
    /// When the registry was changed last.
    pub since: Timestamp,
}

impl Told {
    /// Whether these bytes are the record that the registry has; its address is not looked at.
    pub fn is(&self, record: &Record, text: &str) -> bool {
        let same = serde_json::to_string(record).is_ok_and(|record| record == text);
        same && self.print.is_some() && self.print == print_of(record)
    }
}

impl Platform {
    /// What the registry of a pack says of a channel; `None` if there is no registry.
    pub async fn told(&self, pack: &PackName, channel: &Channel) -> Result<Option<Told>, Failure> {
        let Some(object) = self.bucket.head(registry_key(pack)).await? else {
            return Ok(None);
        };
        let print = object.custom_metadata()?.remove(&name(channel));
        Ok(Some(Told {
            print: print.and_then(|print| print.parse().ok()),
            since: clock::stored_at(&object),
        }))
    }
}

#[cfg(test)]
mod tests {
    use types::{
        config::PublicUrl,
        pack::{Check, CheckState, SettingsPatch},
    };
    use uuid::Uuid;

    use super::*;
    use crate::{
        ingest::tests::{author, verified},
        memory::{url, variant},
    };

    fn registry() -> Registry {
        let mut registry = Registry::new(PackName::main(), Uuid::nil());
        for byte in [1, 2] {
            registry.add(&verified(&variant(byte)), &author(0));
        }
        let (beta, first) = ("beta".parse().unwrap(), Sha1::of(&variant(1)));
        for channel in [&Channel::stable(), &beta] {
            registry.publish(channel, &first, &author(1)).unwrap();
        }
        registry
    }

    fn told(registry: &Registry) -> Told {
        let print = metadata(registry).remove("channel-stable");
        Told {
            print: print.map(|print| print.parse().unwrap()),
            since: Timestamp::from_seconds(1),
        }
    }

    fn record(registry: &Registry, url: &PublicUrl) -> (Record, String) {
        let record = registry.current(&Channel::stable(), url).unwrap();
        let text = serde_json::to_string(&record).unwrap();
        (record, text)
    }

    #[test]
    fn what_readers_get_is_recognised_wherever_it_is_served() {
        let registry = registry();
        let elsewhere = PublicUrl::try_from("https://other.example.com".to_owned()).unwrap();
        for url in [url(), elsewhere] {
            let (record, text) = record(&registry, &url);
            assert!(told(&registry).is(&record, &text));
            assert!(!told(&registry).is(&record, &text.replace('{', "{ ")));
        }
        assert_eq!(metadata(&registry).len(), 2);
    }

    #[test]
    fn whatever_readers_see_of_a_change_makes_it_another() {
        let (record, text) = record(&registry(), &url());
        let (stable, second) = (Channel::stable(), Sha1::of(&variant(2)));
        let patch = SettingsPatch {
            required: Some(true),
            ..SettingsPatch::default()
        };
        let seen: [&dyn Fn(&mut Registry); 2] = [
            &|registry| assert!(registry.publish(&stable, &second, &author(2)).is_ok()),
            &|registry| registry.change_settings(&patch, &author(2)).unwrap(),
        ];
        for change in seen {
            let mut registry = registry();
            change(&mut registry);
            assert!(!told(&registry).is(&record, &text));
        }
        let check = Check {
            state: CheckState::Verified,
            at: None,
            reason: None,
        };
        let beta = "beta".parse().unwrap();
        let unseen: [&dyn Fn(&mut Registry); 2] = [
            &|registry| assert!(registry.publish(&beta, &second, &author(2)).is_ok()),
            &|registry| assert!(registry.set_check(&Sha1::of(&variant(1)), check.clone())),
        ];
        for change in unseen {
            let mut registry = registry();
            change(&mut registry);
            assert!(told(&registry).is(&record, &text));
        }
    }

    #[test]
    fn what_nobody_has_written_down_is_not_known() {
        let mut registry = registry();
        let (record, text) = record(&registry, &url());
        let none = Told {
            print: None,
            since: Timestamp::from_seconds(1),
        };
        assert!(!none.is(&record, &text));
        // However many channels there are, R2 takes what is written down.
        for number in 0..200 {
            let channel: Channel = format!("{number:032}").parse().unwrap();
            let sha1 = Sha1::of(&variant(1));
            registry.publish(&channel, &sha1, &author(2)).unwrap();
        }
        let metadata = metadata(&registry);
        let bytes: usize = metadata
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum();
        assert!(metadata.len() == CHANNELS && bytes < 8_192);
    }
}
