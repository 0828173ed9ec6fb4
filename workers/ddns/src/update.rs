//! What a dyndns2 client asks for: the query of `/nic/update` as a value.
//!
//! <https://help.dyn.com/remote-access-api/perform-update/>, and what ddclient, inadyn and the
//! routers make of it.

use std::net::IpAddr;

use types::{
    config::HostName,
    ddns::{RefusedAddress, Reported},
};

use crate::address::{Refusal, judge};

/// What is kept of a text that a client sent and that is not what it should be.
const KEPT_CHARS: usize = 80;
/// How many refused addresses of one request are kept.
const KEPT_REFUSED: usize = 8;

/// A host as a client named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    Host(HostName),
    /// Not a fully qualified name: a bounded piece of what was sent.
    NotFullyQualified(String),
}

/// One request: these hosts have these addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// In the order of the request, repetitions included.
    pub hosts: Vec<Asked>,
    pub reported: Reported,
}

/// Which field an address came in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Either,
    V6,
}

/// Reads the query. Without any address in it, `connecting` is the one that is reported.
///
/// `ip6lanprefix` is taken and not used yet: no host is computed from a prefix. Keys
/// that are not known (`system`, `wildcard`, `mx`, …) are ignored, as dyndns2 servers do.
pub fn parse(query: &[(String, String)], connecting: Option<&str>) -> Update {
    let mut hosts = Vec::new();
    let mut addresses = Vec::new();
    for (key, value) in query {
        let field = match key.as_str() {
            "hostname" => {
                hosts.extend(items(value).map(asked));
                continue;
            }
            "myip" | "ip" => Field::Either,
            "myipv6" | "ip6" | "ipv6" => Field::V6,
            _ => continue,
        };
        addresses.extend(items(value).map(|item| (field, item.to_owned())));
    }
    if addresses.is_empty() {
        addresses.extend(connecting.map(|address| (Field::Either, address.to_owned())));
    }
    Update {
        hosts,
        reported: report(addresses),
    }
}

/// The items of a list with commas; empty ones do not count.
fn items(value: &str) -> impl Iterator<Item = &str> {
    value
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

fn asked(name: &str) -> Asked {
    match name.parse() {
        Ok(host) => Asked::Host(host),
        Err(_) => Asked::NotFullyQualified(bounded(name)),
    }
}

fn bounded(text: &str) -> String {
    text.chars().take(KEPT_CHARS).collect()
}

fn report(addresses: Vec<(Field, String)>) -> Reported {
    let mut taken = Vec::new();
    let mut refused = Vec::new();
    for (field, text) in addresses {
        match judge(&text) {
            Ok(address) if field == Field::V6 && address.is_ipv4() => {
                refused.push((text, Refusal::WrongFamily));
            }
            Ok(address) if taken.contains(&address) => {}
            Ok(address) => taken.push(address),
            Err(refusal) => refused.push((text, refusal)),
        }
    }
    let mut reported = Reported::default();
    // Two addresses of one family: neither is taken, rather than one by chance.
    for v4 in [true, false] {
        let family: Vec<_> = taken.iter().filter(|ip| ip.is_ipv4() == v4).collect();
        match family[..] {
            [IpAddr::V4(only)] => reported.addresses.ipv4 = Some(*only),
            [IpAddr::V6(only)] => reported.addresses.ipv6 = Some(*only),
            _ => refused.extend(family.iter().map(|ip| (ip.to_string(), Refusal::Ambiguous))),
        }
    }
    let named = |(text, refusal): &(String, Refusal)| RefusedAddress {
        address: bounded(text),
        reason: refusal.to_string(),
    };
    reported.refused = refused.iter().take(KEPT_REFUSED).map(named).collect();
    reported
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Update {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        parse(&pairs, Some("9.9.9.9"))
    }

    fn addresses(pairs: &[(&str, &str)]) -> (String, Vec<String>) {
        let reported = read(pairs).reported;
        let shown = serde_json::to_string(&reported.addresses).unwrap();
        let refused = reported
            .refused
            .into_iter()
            .map(|refused| format!("{} {}", refused.address, refused.reason))
            .collect();
        (shown, refused)
    }

    const V6: &str = "2001:4860:4860::8888";

    #[test]
    fn hosts_come_in_the_order_of_the_request_with_empty_ones_left_out() {
        let update = read(&[("hostname", ",b.example.com,,Home,a.example.com.,")]);
        assert_eq!(
            update.hosts,
            [
                Asked::Host("b.example.com".parse().unwrap()),
                Asked::NotFullyQualified("Home".to_owned()),
                Asked::Host("a.example.com".parse().unwrap()),
            ]
        );
        assert!(read(&[("hostname", ",")]).hosts.is_empty());
    }

    #[test]
    fn every_alias_and_both_families_in_one_field_are_read() {
        let both = format!(r#"{{"ipv4":"8.8.8.8","ipv6":"{V6}"}}"#);
        let list = format!(" 8.8.8.8 ,{V6},");
        for pairs in [
            &[("myip", list.as_str())][..],
            &[("ip", "8.8.8.8"), ("ip6", V6)],
            &[
                ("myip", "8.8.8.8"),
                ("myipv6", V6),
                ("ip6lanprefix", "2001:db8::/56"),
            ],
            &[("myip", "::ffff:8.8.8.8"), ("ipv6", V6), ("myipv6", V6)],
        ] {
            assert_eq!(addresses(pairs), (both.clone(), vec![]), "{pairs:?}");
        }
    }

    #[test]
    fn without_an_address_the_connecting_one_is_meant() {
        let connecting = (r#"{"ipv4":"9.9.9.9","ipv6":null}"#.to_owned(), vec![]);
        assert_eq!(addresses(&[]), connecting);
        assert_eq!(addresses(&[("myip", ""), ("myipv6", ",")]), connecting);
        assert_eq!(parse(&[], None).reported, Reported::default());
    }

    #[test]
    fn an_address_that_was_sent_and_refused_is_not_replaced_by_the_connecting_one() {
        let none = r#"{"ipv4":null,"ipv6":null}"#.to_owned();
        for (pairs, refused) in [
            (&[("myip", "192.168.1.2")][..], vec!["192.168.1.2 private"]),
            (&[("myipv6", "8.8.8.8")], vec!["8.8.8.8 ipv4-in-ipv6-field"]),
            (
                &[("myip", "8.8.8.8,8.8.4.4")],
                vec!["8.8.8.8 ambiguous", "8.8.4.4 ambiguous"],
            ),
        ] {
            let refused: Vec<_> = refused.into_iter().map(str::to_owned).collect();
            assert_eq!(addresses(pairs), (none.clone(), refused));
        }
    }

    #[test]
    fn a_refused_family_leaves_the_other_one() {
        let (taken, refused) = addresses(&[("myip", "10.0.0.1"), ("myipv6", V6)]);
        assert_eq!(taken, format!(r#"{{"ipv4":null,"ipv6":"{V6}"}}"#));
        assert_eq!(refused, ["10.0.0.1 private"]);
    }

    #[test]
    fn what_is_kept_of_a_wrong_request_is_bounded() {
        let long = format!("{0},{0}", "x".repeat(9000)).repeat(50);
        let update = read(&[("hostname", &long), ("myip", &long)]);
        assert!(update.reported.refused.len() <= KEPT_REFUSED);
        assert!(
            update
                .reported
                .refused
                .iter()
                .all(|refused| refused.address.len() <= KEPT_CHARS)
        );
        let kept = |asked: &Asked| matches!(asked, Asked::NotFullyQualified(text) if text.len() <= KEPT_CHARS);
        assert!(update.hosts.iter().all(kept));
    }

    proptest! {
        #[test]
        fn any_query_is_read(pairs in proptest::collection::vec((
            proptest::sample::select(vec!["hostname", "myip", "myipv6", "ip6", "x"]),
            "[a-z0-9.:, ]{0,40}|\\PC{0,40}",
        ), 0..8)) {
            let pairs: Vec<_> = pairs.iter().map(|(key, value)| (*key, value.as_str())).collect();
            let update = read(&pairs);
            let commas: usize = pairs.iter().map(|(_, value)| value.matches(',').count() + 1).sum();
            prop_assert!(update.hosts.len() <= commas);
        }
    }
}
