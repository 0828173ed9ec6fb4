//! What the home says its address is, where it is seen, and what DNS answers: do they agree, and if
//! not, what is between them. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use types::ddns::{Addresses, Difference, Reported};

use crate::address::is_public;

/// What DNS answers for a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dns {
    pub ipv4: Vec<Ipv4Addr>,
    pub ipv6: Vec<Ipv6Addr>,
}

impl Dns {
    /// One address a family: of several, the first that is not the expected one, since only a name
    /// that has the expected one alone is right.
    pub fn shown(&self, expected: Addresses) -> Addresses {
        Addresses {
            ipv4: odd(&self.ipv4, expected.ipv4),
            ipv6: odd(&self.ipv6, expected.ipv6),
        }
    }
}

fn odd<T: Copy + PartialEq>(answered: &[T], expected: Option<T>) -> Option<T> {
    let mut others = answered.iter().filter(|one| Some(**one) != expected);
    others.next().or(answered.first()).copied()
}

/// Where a report came from, as addresses.
pub fn seen(connecting: &str) -> Option<Addresses> {
    let mut seen = Addresses::default();
    match connecting.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(address) => seen.ipv4 = Some(address),
        IpAddr::V6(address) => seen.ipv6 = Some(address),
    }
    Some(seen)
}

/// Whether a host's address is the one that DNS answers and the one that it is seen at, in each
/// family that both sides have. A private address that a report comes from says nothing. `None`
/// when DNS is not known and nothing else differs.
pub fn agree(
    has: Addresses,
    seen: Option<Addresses>,
    suffixed: bool,
    dns: Option<Addresses>,
) -> Option<bool> {
    if has.is_empty() {
        return None;
    }
    let seen = seen.map(public).unwrap_or_default();
    let as_seen = same(has.ipv4, seen.ipv4)
        // A host with a suffix of its own never has the address of whoever reports it.
        && (suffixed || same(has.ipv6, seen.ipv6));
    let Some(dns) = dns else {
        return (!as_seen).then_some(false);
    };
    let answered = (has.ipv4.is_none() || has.ipv4 == dns.ipv4)
        && (has.ipv6.is_none() || has.ipv6 == dns.ipv6);
    Some(as_seen && answered)
}

fn same<T: Copy + PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    one.is_none() || other.is_none() || one == other
}

fn public(seen: Addresses) -> Addresses {
    Addresses {
        ipv4: seen.ipv4.filter(|address| is_public((*address).into())),
        ipv6: seen.ipv6.filter(|address| is_public((*address).into())),
    }
}

/// What is between a report and where it came from.
pub fn difference(
    reported: &Reported,
    seen: Option<Addresses>,
    suffixed: bool,
) -> Option<Difference> {
    let refused = |reason: &str| reported.refused.iter().any(|one| one.reason == reason);
    if refused("cgnat") {
        return Some(Difference::Cgnat);
    }
    if refused("private") {
        return Some(Difference::DoubleNat);
    }
    let seen = public(seen?);
    let direct = same(reported.ipv4, seen.ipv4) && (suffixed || same(reported.ipv6, seen.ipv6));
    (!direct).then_some(Difference::VpnOrProxy)
}

#[cfg(test)]
mod tests {
    use types::ddns::RefusedAddress;

    use super::*;

    fn v4(text: &str) -> Addresses {
        Addresses {
            ipv4: text.parse().ok(),
            ipv6: None,
        }
    }

    #[test]
    fn three_sides_agree_or_one_is_odd() {
        let has = v4("8.8.8.8");
        for (seen, dns, expected) in [
            (Some("8.8.8.8"), Some("8.8.8.8"), Some(true)),
            (None, Some("8.8.8.8"), Some(true)),
            (Some("2001:200::1"), Some("8.8.8.8"), Some(true)),
            (Some("127.0.0.1"), Some("8.8.8.8"), Some(true)),
            (Some("9.9.9.9"), Some("8.8.8.8"), Some(false)),
            (Some("8.8.8.8"), Some("9.9.9.9"), Some(false)),
            (Some("8.8.8.8"), Some(""), Some(false)),
            (Some("8.8.8.8"), None, None),
            (Some("9.9.9.9"), None, Some(false)),
        ] {
            let told = agree(has, seen.and_then(super::seen), false, dns.map(v4));
            assert_eq!(told, expected, "{seen:?} {dns:?}");
        }
        assert_eq!(agree(Addresses::default(), None, false, Some(has)), None);
    }

    #[test]
    fn of_several_records_the_odd_one_is_shown() {
        let dns = Dns {
            ipv4: vec![Ipv4Addr::new(8, 8, 8, 8), Ipv4Addr::new(9, 9, 9, 9)],
            ipv6: vec![],
        };
        assert_eq!(dns.shown(v4("8.8.8.8")), v4("9.9.9.9"));
        assert_eq!(dns.shown(v4("9.9.9.9")), v4("8.8.8.8"));
        assert_eq!(Dns::default().shown(v4("8.8.8.8")), Addresses::default());
    }

    #[test]
    fn a_difference_has_a_name() {
        let reported = |address: &str, reason: &str| Reported {
            ipv4: address.parse().ok().filter(|_| reason.is_empty()),
            refused: (!reason.is_empty())
                .then(|| RefusedAddress {
                    address: address.to_owned(),
                    reason: reason.to_owned(),
                })
                .into_iter()
                .collect(),
            ..Reported::default()
        };
        for (address, reason, seen, expected) in [
            ("8.8.8.8", "", "8.8.8.8", None),
            ("8.8.8.8", "", "2001:200::1", None),
            ("8.8.8.8", "", "192.168.1.1", None),
            ("8.8.8.8", "", "9.9.9.9", Some(Difference::VpnOrProxy)),
            ("8.8.8.8", "", "104.16.0.1", Some(Difference::VpnOrProxy)),
            ("100.64.0.1", "cgnat", "8.8.8.8", Some(Difference::Cgnat)),
            (
                "192.168.1.2",
                "private",
                "8.8.8.8",
                Some(Difference::DoubleNat),
            ),
            ("8.8", "malformed", "8.8.8.8", None),
        ] {
            let told = difference(&reported(address, reason), super::seen(seen), false);
            assert_eq!(told, expected, "{address} {seen}");
        }
    }

    #[test]
    fn a_host_with_a_suffix_is_not_where_its_reporter_is() {
        let reported = Reported {
            ipv6: "2001:4860:4860::1".parse().ok(),
            ..Reported::default()
        };
        let from = seen("2001:4860:4860::2");
        assert_eq!(difference(&reported, from, true), None);
        assert_eq!(
            difference(&reported, from, false),
            Some(Difference::VpnOrProxy)
        );
        let has = Addresses {
            ipv4: None,
            ipv6: "2001:4860:4860:0:1:2:3:4".parse().ok(),
        };
        assert_eq!(agree(has, from, true, Some(has)), Some(true));
    }
}
