use proptest::prelude::*;
use types::{
    config::{Config as _, DdnsConfig},
    token::TokenHash,
};

use super::*;
use crate::update::parse;

fn token(scopes: &[&str]) -> TokenEntry {
    TokenEntry {
        name: "router".to_owned(),
        sha256: TokenHash::of("x"),
        scopes: scopes.iter().map(|scope| scope.parse().unwrap()).collect(),
    }
}

fn hosts() -> Vec<DdnsHost> {
    let config = serde_json::json!({"hosts": [
        {"host": "a.example.com"},
        {"host": "b.example.com"},
        {"host": "nas.example.com", "ipv6_suffix": "::1:2:3:4"},
        {"host": "lan.example.com", "ipv6_suffix": "0:0:0:3::1", "ipv6_prefix_length": 56},
        {"host": "six.example.com", "families": ["ipv6"], "ipv6_suffix": "::6"},
    ]});
    DdnsConfig::parse(config).unwrap().hosts
}

/// The words of a request's verdicts: what would be logged or answered.
fn verdicts(query: &[(&str, &str)], scopes: &[&str]) -> Vec<String> {
    let query: Vec<_> = query
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let update = parse(&query, None);
    let hosts = hosts();
    let word = |verdict: &Verdict<'_>| match verdict {
        Verdict::Apply { addresses, .. } => {
            let shown = [
                addresses.ipv4.map(|ip| ip.to_string()),
                addresses.ipv6.map(|ip| ip.to_string()),
            ];
            shown.into_iter().flatten().collect::<Vec<_>>().join(",")
        }
        Verdict::Repeat { first, .. } => format!("as {first}"),
        Verdict::Refuse { code, .. } => code.as_str().to_owned(),
    };
    judge_hosts(&update, &hosts, &token(scopes))
        .iter()
        .map(word)
        .collect()
}

fn of(hostname: &str, myip: &str, scopes: &[&str]) -> Vec<String> {
    verdicts(&[("hostname", hostname), ("myip", myip)], scopes)
}

#[test]
fn each_host_is_judged_by_itself() {
    assert_eq!(
        of(
            "a.example.com,c.example.com,b.example.com,home",
            "8.8.8.8",
            &["ddns:update:a.example.com"]
        ),
        ["8.8.8.8", "nohost", "!yours", "notfqdn"]
    );
}

#[test]
fn a_host_that_is_named_twice_is_applied_once() {
    assert_eq!(
        of("a.example.com,A.example.com.", "8.8.8.8", &["ddns:update"]),
        ["8.8.8.8", "as 0"]
    );
}

#[test]
fn without_a_public_address_nothing_is_applied() {
    assert_eq!(
        of("a.example.com,c.example.com", "10.0.0.1", &["ddns:update"]),
        ["dnserr", "nohost"]
    );
}

#[test]
fn no_host_and_too_many_are_said_once() {
    assert_eq!(of("", "8.8.8.8", &["ddns:update"]), ["notfqdn"]);
    let twenty = ["a.example.com"; MAX_HOSTS].join(",");
    assert_eq!(of(&twenty, "8.8.8.8", &["ddns:update"]).len(), MAX_HOSTS);
    let more = format!("{twenty},home");
    assert_eq!(of(&more, "8.8.8.8", &["ddns:update"]), ["numhost"]);
}

#[test]
fn one_prefix_gives_every_host_with_a_suffix_its_own_address() {
    let names = "a.example.com,nas.example.com,lan.example.com";
    let prefix = ("ip6lanprefix", "2001:4860:4860:ab00::/56");
    assert_eq!(
        verdicts(
            &[("hostname", names), ("myip", "8.8.8.8"), prefix],
            &["ddns:update"]
        ),
        [
            "8.8.8.8",
            "8.8.8.8,2001:4860:4860:ab00:1:2:3:4",
            "8.8.8.8,2001:4860:4860:ab03::1"
        ]
    );
    assert_eq!(
        verdicts(&[("hostname", names), prefix], &["ddns:update"]),
        [
            "dnserr",
            "2001:4860:4860:ab00:1:2:3:4",
            "2001:4860:4860:ab03::1"
        ],
        "a prefix alone is no address"
    );
    assert_eq!(
        of(names, "2001:4860:4860:ab12::9", &["ddns:update"]),
        [
            "2001:4860:4860:ab12::9",
            "2001:4860:4860:ab12:1:2:3:4",
            "2001:4860:4860:ab03::1"
        ],
        "without a prefix it is taken of the address"
    );
}

#[test]
fn a_host_gets_no_address_of_a_family_that_it_does_not_have() {
    let both = [
        ("hostname", "six.example.com,a.example.com"),
        ("myip", "8.8.8.8,2001:4860:4860:1::8888"),
    ];
    assert_eq!(
        verdicts(&both, &["ddns:update"]),
        ["2001:4860:4860:1::6", "8.8.8.8,2001:4860:4860:1::8888"]
    );
    assert_eq!(
        of("six.example.com,a.example.com", "8.8.8.8", &["ddns:update"]),
        ["dnserr", "8.8.8.8"]
    );
}

#[test]
fn below_a_prefix_that_was_refused_no_host_gets_an_address() {
    for prefix in ["fd00::/64", "2001:4860:4860:a::/64,2001:4860:4860:b::/64"] {
        let query = [
            ("hostname", "a.example.com,nas.example.com"),
            ("myip", "8.8.8.8,2001:4860:4860:1::8888"),
            ("ip6lanprefix", prefix),
        ];
        assert_eq!(
            verdicts(&query, &["ddns:update"]),
            ["8.8.8.8,2001:4860:4860:1::8888", "8.8.8.8"],
            "{prefix}"
        );
    }
}

#[test]
fn a_family_that_is_not_reported_stays() {
    let both = Addresses {
        ipv4: "8.8.8.8".parse().ok(),
        ipv6: "2001:4860:4860::8888".parse().ok(),
    };
    let v4 = Addresses {
        ipv4: "8.8.4.4".parse().ok(),
        ipv6: None,
    };
    assert_eq!(both.updated(v4).ipv6, both.ipv6);
    assert_eq!(both.updated(Addresses::default()), both);
}

proptest! {
    #[test]
    fn what_is_made_of_a_prefix_is_public_or_nothing(bits: u128) {
        let reported = Reported {
            prefix: Some(bits.into()),
            ..Reported::default()
        };
        for host in hosts() {
            let made = addresses_of(&host, &reported).ipv6;
            if let Some(address) = made {
                prop_assert!(judge(&address.to_string()).is_ok());
                prop_assert_eq!(address.to_bits() & host.ipv6_suffix.unwrap().to_bits(), host.ipv6_suffix.unwrap().to_bits());
            }
        }
    }
}
