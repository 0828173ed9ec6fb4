//! What a dyndns2 client asks for: the query of `/nic/update` as a value.
//!
//! <https://help.dyn.com/remote-access-api/perform-update/>, and what ddclient, inadyn and the
//! routers make of it.

use std::net::{IpAddr, Ipv6Addr};

use types::{
    config::HostName,
    ddns::{RefusedAddress, Reported},
};

use crate::address::{Refusal, judge, judge_prefix};

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
    V4,
    V6,
    Prefix,
}

/// Reads the query. Without any address or prefix in it, `connecting` is what is reported. Keys
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
            "ip6lanprefix" => Field::Prefix,
            _ => continue,
        };
        addresses.extend(items(value).map(|item| (field, item.to_owned())));
    }
    Update {
        hosts,
        reported: report(addresses, connecting),
    }
}

/// The same of a JSON report: at most one address a family.
pub fn read(ipv4: Option<&str>, ipv6: Option<&str>, connecting: Option<&str>) -> Reported {
    let v4 = ipv4.map(|address| (Field::V4, address.trim().to_owned()));
    let v6 = ipv6.map(|address| (Field::V6, address.trim().to_owned()));
    report(v4.into_iter().chain(v6).collect(), connecting)
}

/// The items of a list with commas; empty ones do not count.
fn items(value: &str) -> impl Iterator<Item = &str> {
    value
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

/// A host as it was named.
pub fn asked(name: &str) -> Asked {
    match name.parse() {
        Ok(host) => Asked::Host(host),
        Err(_) => Asked::NotFullyQualified(bounded(name)),
    }
}

fn bounded(text: &str) -> String {
    text.chars().take(KEPT_CHARS).collect()
}

/// What can be taken of one text.
enum Taken {
    Address(IpAddr),
    Prefix(Ipv6Addr),
}

fn take(field: Field, text: &str) -> Result<Taken, Refusal> {
    if field == Field::Prefix {
        return judge_prefix(text).map(Taken::Prefix);
    }
    match (field, judge(text)?) {
        (Field::V6, IpAddr::V4(_)) => Err(Refusal::V4InV6),
        (Field::V4, IpAddr::V6(_)) => Err(Refusal::V6InV4),
        (_, address) => Ok(Taken::Address(address)),
    }
}

fn report(mut addresses: Vec<(Field, String)>, connecting: Option<&str>) -> Reported {
    if addresses.is_empty() {
        addresses.extend(connecting.map(|address| (Field::Either, address.to_owned())));
    }
    let prefix_told = addresses.iter().any(|(field, _)| *field == Field::Prefix);
    let (mut v4, mut v6, mut prefixes) = (Vec::new(), Vec::new(), Vec::new());
    let mut refused = Vec::new();
    for (field, text) in addresses {
        match take(field, &text) {
            Ok(Taken::Address(IpAddr::V4(address))) => v4.push(address),
            Ok(Taken::Address(IpAddr::V6(address))) => v6.push(address),
            Ok(Taken::Prefix(prefix)) => prefixes.push(prefix),
            Err(refusal) => refused.push((text, refusal)),
        }
    }
    let ipv4 = only(v4, &mut refused);
    let ipv6 = only(v6, &mut refused);
    let prefix = only(prefixes, &mut refused);
    let named = |(text, refusal): &(String, Refusal)| RefusedAddress {
        address: bounded(text),
        reason: refusal.to_string(),
    };
    Reported {
        ipv4,
        ipv6,
        prefix,
        prefix_refused: prefix_told && prefix.is_none(),
        refused: refused.iter().take(KEPT_REFUSED).map(named).collect(),
    }
}

/// The one that came, however often. Of two different ones neither is taken, rather than one by
/// chance.
fn only<T: Copy + PartialEq + ToString>(
    came: Vec<T>,
    refused: &mut Vec<(String, Refusal)>,
) -> Option<T> {
    let first = *came.first()?;
    if came.iter().all(|other| *other == first) {
        return Some(first);
    }
    let mut different = Vec::new();
    for one in came {
        if !different.contains(&one) {
            different.push(one);
        }
    }
    refused.extend(
        different
            .iter()
            .map(|one| (one.to_string(), Refusal::Ambiguous)),
    );
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use types::ddns::Addresses;

    use super::*;

    fn asking(pairs: &[(&str, &str)]) -> Update {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        parse(&pairs, Some("9.9.9.9"))
    }

    fn addresses(pairs: &[(&str, &str)]) -> (String, Vec<String>) {
        let reported = asking(pairs).reported;
        let shown = serde_json::to_string(&Addresses {
            ipv4: reported.ipv4,
            ipv6: reported.ipv6,
        });
        let shown = shown.unwrap();
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
        let update = asking(&[("hostname", ",b.example.com,,Home,a.example.com.,")]);
        assert_eq!(
            update.hosts,
            [
                Asked::Host("b.example.com".parse().unwrap()),
                Asked::NotFullyQualified("Home".to_owned()),
                Asked::Host("a.example.com".parse().unwrap()),
            ]
        );
        assert!(asking(&[("hostname", ",")]).hosts.is_empty());
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
                ("ip6lanprefix", "2001:4860::/56"),
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
    fn a_prefix_is_reported_beside_the_addresses_or_alone() {
        let prefix = |pairs: &[(&str, &str)]| {
            let reported = asking(pairs).reported;
            let told = pairs.iter().any(|(key, _)| *key == "ip6lanprefix");
            assert_eq!(reported.prefix_refused, told && reported.prefix.is_none());
            (
                reported.ipv4.is_some(),
                reported.prefix,
                reported.refused.len(),
            )
        };
        let taken = "2001:4860:4860::".parse().ok();
        let lan = ("ip6lanprefix", "2001:4860:4860::/64");
        assert_eq!(prefix(&[("myip", "8.8.8.8"), lan]), (true, taken, 0));
        assert_eq!(
            prefix(&[("myip", ""), lan]),
            (false, taken, 0),
            "not the connecting one"
        );
        assert_eq!(prefix(&[("ip6lanprefix", "fd00::/64")]), (false, None, 1));
        let two = ("ip6lanprefix", "2001:200::/64,2001:4860::/64");
        assert_eq!(prefix(&[two]), (false, None, 2));
    }

    #[test]
    fn a_json_report_has_each_family_in_its_place() {
        let both = read(Some("8.8.8.8"), Some(V6), Some("9.9.9.9"));
        assert_eq!(
            (both.ipv4, both.ipv6),
            ("8.8.8.8".parse().ok(), V6.parse().ok())
        );
        let crossed = read(Some(V6), Some("8.8.8.8"), Some("9.9.9.9"));
        let reasons: Vec<_> = crossed
            .refused
            .iter()
            .map(|one| one.reason.as_str())
            .collect();
        assert_eq!(reasons, ["ipv6-in-ipv4-field", "ipv4-in-ipv6-field"]);
        assert_eq!((crossed.ipv4, crossed.ipv6), (None, None));
        assert_eq!(
            read(None, None, Some("9.9.9.9")).ipv4,
            "9.9.9.9".parse().ok()
        );
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
        let update = asking(&[("hostname", &long), ("myip", &long)]);
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
            proptest::sample::select(vec!["hostname", "myip", "myipv6", "ip6", "ip6lanprefix", "x"]),
            "[a-z0-9.:, ]{0,40}|\\PC{0,40}",
        ), 0..8)) {
            let pairs: Vec<_> = pairs.iter().map(|(key, value)| (*key, value.as_str())).collect();
            let update = asking(&pairs);
            let commas: usize = pairs.iter().map(|(_, value)| value.matches(',').count() + 1).sum();
            prop_assert!(update.hosts.len() <= commas);
        }
    }
}
