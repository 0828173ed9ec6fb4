//! What the home says its address is, where it is seen, and what DNS answers: do they agree, and if
//! not, what is between them. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use types::ddns::{Addresses, Difference, Reported};

use crate::address::{is_cloudflare, is_public};

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

/// A report: what it said, and where it came from, when that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting<'a> {
    pub reported: &'a Reported,
    pub seen: Option<Addresses>,
}

/// Where a home is seen and what is between, by the last report that came over each family, newest
/// first. What an older one says of a family is over when a newer one reports another address of it.
pub fn together(
    reports: &[Sighting<'_>],
    suffixed: bool,
) -> (Option<Addresses>, Option<Difference>) {
    let over = |older: &Sighting<'_>, newer: &Sighting<'_>| {
        let seen = older.seen.unwrap_or_default();
        let (had, has) = (older.reported, newer.reported);
        let moved4 = has.ipv4.is_some() && has.ipv4 != had.ipv4;
        let moved6 = has.ipv6.is_some() && !had.ipv6.is_some_and(|had| near(Some(had), has.ipv6));
        (seen.ipv4.is_some() && moved4) || (seen.ipv6.is_some() && moved6)
    };
    let mut held: Vec<&Sighting<'_>> = Vec::new();
    for report in reports {
        if !held.iter().any(|newer| over(report, newer)) {
            held.push(report);
        }
    }
    let seen = held.iter().rev().filter_map(|report| report.seen);
    let seen = seen.reduce(Addresses::updated);
    let mut differences = held
        .iter()
        .map(|report| difference(report.reported, report.seen, suffixed));
    (seen, differences.find_map(|difference| difference))
}

/// Whether DNS answers an address.
enum Answered {
    Unknown,
    Same,
    Another,
}

/// Whether a host's address is the one that DNS answers and the one that it is seen at, in each
/// family that both sides have. A private address that a report comes from says nothing, nor does
/// an answer of Cloudflare's own addresses for a host that it may stand in front of (`fronted`).
/// `None` when DNS is not known and nothing else differs.
pub fn agree(
    has: Addresses,
    seen: Option<Addresses>,
    suffixed: bool,
    dns: Option<&Dns>,
    fronted: bool,
) -> Option<bool> {
    if has.is_empty() {
        return None;
    }
    let seen = seen.map(public).unwrap_or_default();
    let as_seen = same(has.ipv4, seen.ipv4)
        // A host with a suffix of its own never has the address of whoever reports it.
        && (suffixed || near(has.ipv6, seen.ipv6));
    let answered = match dns {
        None => [Answered::Unknown, Answered::Unknown],
        Some(dns) => [
            answered(&dns.ipv4, has.ipv4, fronted),
            answered(&dns.ipv6, has.ipv6, fronted),
        ],
    };
    let any = |of: fn(&Answered) -> bool| answered.iter().any(of);
    if !as_seen || any(|one| matches!(one, Answered::Another)) {
        Some(false)
    } else if any(|one| matches!(one, Answered::Unknown)) {
        None
    } else {
        Some(true)
    }
}

fn answered<T: Copy + PartialEq + Into<IpAddr>>(
    answers: &[T],
    has: Option<T>,
    fronted: bool,
) -> Answered {
    let hidden = || fronted && answers.iter().all(|one| is_cloudflare((*one).into()));
    if has.is_none() || (odd(answers, has) == has) {
        Answered::Same
    } else if !answers.is_empty() && hidden() {
        Answered::Unknown
    } else {
        Answered::Another
    }
}

fn same<T: Copy + PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    one.is_none() || other.is_none() || one == other
}

/// Whether two IPv6 addresses are of one line: a machine takes a new address of its /64 each day.
fn near(one: Option<Ipv6Addr>, other: Option<Ipv6Addr>) -> bool {
    let network = |address: Ipv6Addr| address.to_bits() & types::config::prefix_mask(64);
    same(one.map(network), other.map(network))
}

fn public(seen: Addresses) -> Addresses {
    Addresses {
        ipv4: seen.ipv4.filter(|address| is_public((*address).into())),
        ipv6: seen.ipv6.filter(|address| is_public((*address).into())),
    }
}

/// What is between a report and where it came from.
fn difference(reported: &Reported, seen: Option<Addresses>, suffixed: bool) -> Option<Difference> {
    let refused = |reason: &str| reported.refused.iter().any(|one| one.reason == reason);
    if refused("cgnat") {
        return Some(Difference::Cgnat);
    }
    if refused("private") {
        return Some(Difference::DoubleNat);
    }
    let seen = public(seen?);
    let direct = same(reported.ipv4, seen.ipv4) && (suffixed || near(reported.ipv6, seen.ipv6));
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

    fn answers(texts: &[&str]) -> Dns {
        Dns {
            ipv4: texts.iter().filter_map(|text| text.parse().ok()).collect(),
            ipv6: texts.iter().filter_map(|text| text.parse().ok()).collect(),
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
            let dns = dns.map(|text| answers(&[text]));
            let seen = seen.and_then(super::seen);
            for fronted in [true, false] {
                let told = agree(has, seen, false, dns.as_ref(), fronted);
                assert_eq!(told, expected, "{seen:?} {dns:?}");
            }
        }
        let dns = answers(&["8.8.8.8"]);
        let nothing = agree(Addresses::default(), None, false, Some(&dns), false);
        assert_eq!(nothing, None);
    }

    #[test]
    fn what_stands_behind_cloudflare_is_not_known_by_dns() {
        const EDGE: [&str; 2] = ["104.16.0.1", "2606:4700::1"];
        let both = Addresses {
            ipv6: "2001:4860:4860::8888".parse().ok(),
            ..v4("8.8.8.8")
        };
        for (has, dns, fronted, expected) in [
            (v4("8.8.8.8"), &EDGE[..], true, None),
            (v4("8.8.8.8"), &EDGE, false, Some(false)),
            (v4("8.8.8.8"), &["104.16.0.1", "9.9.9.9"], true, Some(false)),
            (both, &["8.8.8.8", "2606:4700::1"], true, None),
            (both, &["9.9.9.9", "2606:4700::1"], true, Some(false)),
            (both, &["104.16.0.1"], true, Some(false)),
        ] {
            let told = agree(has, None, false, Some(&answers(dns)), fronted);
            assert_eq!(told, expected, "{has:?} {dns:?}");
        }
        let seen = super::seen("9.9.9.9");
        let told = agree(v4("8.8.8.8"), seen, false, Some(&answers(&EDGE)), true);
        assert_eq!(told, Some(false), "it is seen elsewhere");
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
    fn an_address_of_the_same_network_is_the_same_line() {
        let reported = Reported {
            ipv6: "2001:4860:4860:1::1".parse().ok(),
            ..Reported::default()
        };
        let has = Addresses {
            ipv4: None,
            ipv6: reported.ipv6,
        };
        let dns = answers(&["2001:4860:4860:1::1"]);
        let other = answers(&["2001:4860:4860:1::2"]);
        let near = seen("2001:4860:4860:1:aaaa:bbbb:cccc:dddd");
        let far = seen("2001:4860:4860:2::1");
        assert_eq!(difference(&reported, near, false), None);
        assert_eq!(
            difference(&reported, far, false),
            Some(Difference::VpnOrProxy)
        );
        assert_eq!(agree(has, near, false, Some(&dns), false), Some(true));
        assert_eq!(agree(has, far, false, Some(&dns), false), Some(false));
        let told = agree(has, near, false, Some(&other), false);
        assert_eq!(told, Some(false), "of DNS every bit counts");
    }

    #[test]
    fn each_family_is_seen_by_the_last_report_that_came_over_it() {
        const V6: &str = "2001:4860:4860::8888";
        let reported = |ipv4: &str, ipv6: &str| Reported {
            ipv4: ipv4.parse().ok(),
            ipv6: ipv6.parse().ok(),
            ..Reported::default()
        };
        let (over4, over6) = (reported("8.8.8.8", ""), reported("", V6));
        let sighting = |reported, from| Sighting {
            reported,
            seen: seen(from),
        };
        let both = Addresses {
            ipv6: V6.parse().ok(),
            ..v4("8.8.8.8")
        };
        let reports = [sighting(&over6, V6), sighting(&over4, "8.8.8.8")];
        assert_eq!(together(&reports, false), (Some(both), None));
        let reports = [sighting(&over6, V6), sighting(&over4, "9.9.9.9")];
        let (seen_at, difference) = together(&reports, false);
        assert_eq!(seen_at.unwrap().ipv4, "9.9.9.9".parse().ok());
        assert_eq!(difference, Some(Difference::VpnOrProxy));
        // The line has another address by now, and who reported it came over IPv6.
        let moved = reported("8.8.4.4", V6);
        let reports = [sighting(&moved, V6), sighting(&over4, "8.8.8.8")];
        let (seen_at, difference) = together(&reports, false);
        assert_eq!((seen_at.unwrap().ipv4, difference), (None, None));
        assert_eq!(together(&[], false), (None, None));
        let unknown = [sighting(&over4, "unknown")];
        assert_eq!(together(&unknown, false), (None, None));
    }

    #[test]
    fn a_host_with_a_suffix_is_not_where_its_reporter_is() {
        let reported = Reported {
            ipv6: "2001:4860:4860::1".parse().ok(),
            ..Reported::default()
        };
        let from = seen("2001:4860:4861::2");
        assert_eq!(difference(&reported, from, true), None);
        assert_eq!(
            difference(&reported, from, false),
            Some(Difference::VpnOrProxy)
        );
        let has = Addresses {
            ipv4: None,
            ipv6: "2001:4860:4860:0:1:2:3:4".parse().ok(),
        };
        let dns = answers(&["2001:4860:4860:0:1:2:3:4"]);
        assert_eq!(agree(has, from, true, Some(&dns), false), Some(true));
    }
}
