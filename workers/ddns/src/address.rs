//! Which addresses a home line can have: public ones, and none of Cloudflare's.
//!
//! IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and its updates), multicast
//! (RFC 5771, RFC 4291), and <https://www.cloudflare.com/ips/>. Every refusal has a name.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::{Ipv4Net, Ipv6Net};

/// A range that no home line is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    Unspecified,
    Private,
    CarrierGradeNat,
    Loopback,
    LinkLocal,
    Multicast,
    Documentation,
    Benchmarking,
    UniqueLocal,
    SixToFour,
    Nat64,
    Reserved,
    Cloudflare,
}

/// Why an address is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Malformed,
    NotPublic(Range),
    /// An IPv4 address where only an IPv6 one belongs.
    V4InV6,
    /// An IPv6 address where only an IPv4 one belongs.
    V6InV4,
    /// Another public address of the same family came along: there is no telling which one holds.
    Ambiguous,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "unspecified",
            Self::Private => "private",
            Self::CarrierGradeNat => "cgnat",
            Self::Loopback => "loopback",
            Self::LinkLocal => "link-local",
            Self::Multicast => "multicast",
            Self::Documentation => "documentation",
            Self::Benchmarking => "benchmarking",
            Self::UniqueLocal => "unique-local",
            Self::SixToFour => "6to4",
            Self::Nat64 => "nat64",
            Self::Reserved => "reserved",
            Self::Cloudflare => "cloudflare",
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("malformed"),
            Self::NotPublic(range) => range.fmt(f),
            Self::V4InV6 => f.write_str("ipv4-in-ipv6-field"),
            Self::V6InV4 => f.write_str("ipv6-in-ipv4-field"),
            Self::Ambiguous => f.write_str("ambiguous"),
        }
    }
}

const fn v4(a: u8, b: u8, c: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), length)
}

const fn v6(a: u16, b: u16, c: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), length)
}

const NOT_PUBLIC_V4: [(Ipv4Net, Range); 32] = [
    (v4(0, 0, 0, 8), Range::Unspecified),
    (v4(10, 0, 0, 8), Range::Private),
    (v4(172, 16, 0, 12), Range::Private),
    (v4(192, 168, 0, 16), Range::Private),
    (v4(100, 64, 0, 10), Range::CarrierGradeNat),
    (v4(127, 0, 0, 8), Range::Loopback),
    (v4(169, 254, 0, 16), Range::LinkLocal),
    (v4(192, 0, 0, 24), Range::Reserved),
    (v4(192, 0, 2, 24), Range::Documentation),
    (v4(198, 51, 100, 24), Range::Documentation),
    (v4(203, 0, 113, 24), Range::Documentation),
    (v4(192, 88, 99, 24), Range::SixToFour),
    (v4(198, 18, 0, 15), Range::Benchmarking),
    // Within those of multicast, and so before them.
    (v4(233, 252, 0, 24), Range::Documentation),
    (v4(224, 0, 0, 4), Range::Multicast),
    (v4(240, 0, 0, 4), Range::Reserved),
    (v4(192, 31, 196, 24), Range::Reserved),
    (v4(173, 245, 48, 20), Range::Cloudflare),
    (v4(103, 21, 244, 22), Range::Cloudflare),
    (v4(103, 22, 200, 22), Range::Cloudflare),
    (v4(103, 31, 4, 22), Range::Cloudflare),
    (v4(141, 101, 64, 18), Range::Cloudflare),
    (v4(108, 162, 192, 18), Range::Cloudflare),
    (v4(190, 93, 240, 20), Range::Cloudflare),
    (v4(188, 114, 96, 20), Range::Cloudflare),
    (v4(197, 234, 240, 22), Range::Cloudflare),
    (v4(198, 41, 128, 17), Range::Cloudflare),
    (v4(162, 158, 0, 15), Range::Cloudflare),
    (v4(104, 16, 0, 13), Range::Cloudflare),
    (v4(104, 24, 0, 14), Range::Cloudflare),
    (v4(172, 64, 0, 13), Range::Cloudflare),
    (v4(131, 0, 72, 22), Range::Cloudflare),
];

/// Only `2000::/3` is handed out as global unicast; the rest is reserved when it is not named here.
const GLOBAL_UNICAST: Ipv6Net = v6(0x2000, 0, 0, 3);

const NAT64: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);
const ONES: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128);
const ZEROS: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128);

const NOT_PUBLIC_V6: [(Ipv6Net, Range); 20] = [
    (ZEROS, Range::Unspecified),
    (ONES, Range::Loopback),
    (NAT64, Range::Nat64),
    (v6(0x64, 0xff9b, 1, 48), Range::Nat64),
    (v6(0x2001, 2, 0, 48), Range::Benchmarking),
    // IETF protocol assignments, Teredo and ORCHID among them.
    (v6(0x2001, 0, 0, 23), Range::Reserved),
    (v6(0x2001, 0xdb8, 0, 32), Range::Documentation),
    (v6(0x3fff, 0, 0, 20), Range::Documentation),
    (v6(0x2002, 0, 0, 16), Range::SixToFour),
    (v6(0xfc00, 0, 0, 7), Range::UniqueLocal),
    (v6(0xfe80, 0, 0, 10), Range::LinkLocal),
    (v6(0xfec0, 0, 0, 10), Range::Private),
    (v6(0xff00, 0, 0, 8), Range::Multicast),
    (v6(0x2400, 0xcb00, 0, 32), Range::Cloudflare),
    (v6(0x2606, 0x4700, 0, 32), Range::Cloudflare),
    (v6(0x2803, 0xf800, 0, 32), Range::Cloudflare),
    (v6(0x2405, 0xb500, 0, 32), Range::Cloudflare),
    (v6(0x2405, 0x8100, 0, 32), Range::Cloudflare),
    (v6(0x2a06, 0x98c0, 0, 29), Range::Cloudflare),
    (v6(0x2c0f, 0xf248, 0, 32), Range::Cloudflare),
];

/// The range that makes this address unfit; `None` for a public one.
fn unfit(address: IpAddr) -> Option<Range> {
    match address {
        IpAddr::V4(address) => NOT_PUBLIC_V4
            .iter()
            .find_map(|(net, range)| net.contains(&address).then_some(*range)),
        IpAddr::V6(address) => NOT_PUBLIC_V6
            .iter()
            .find_map(|(net, range)| net.contains(&address).then_some(*range))
            .or_else(|| (!GLOBAL_UNICAST.contains(&address)).then_some(Range::Reserved)),
    }
}

/// Reads an address and judges it. An IPv4 address mapped into IPv6 is the IPv4 address it stands
/// for.
pub fn judge(text: &str) -> Result<IpAddr, Refusal> {
    let address: IpAddr = text.parse().map_err(|_| Refusal::Malformed)?;
    let address = address.to_canonical();
    match unfit(address) {
        None => Ok(address),
        Some(range) => Err(Refusal::NotPublic(range)),
    }
}

/// The bits of a network that a host of the home has in common with the others.
const LAN_PREFIX: u8 = 64;

/// Reads an IPv6 prefix, as routers write it (`2001:4860:4860::/64`), and judges it. Without a
/// length it is one of 64 bits. What follows the prefix is zero in what is given.
pub fn judge_prefix(text: &str) -> Result<Ipv6Addr, Refusal> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, length.parse().map_err(|_| Refusal::Malformed)?),
        None => (text, LAN_PREFIX),
    };
    if !(16..=128).contains(&length) {
        return Err(Refusal::Malformed);
    }
    match judge(address)? {
        IpAddr::V4(_) => Err(Refusal::V4InV6),
        IpAddr::V6(address) => Ok(Ipv6Addr::from_bits(
            address.to_bits() & types::config::prefix_mask(length),
        )),
    }
}

/// Whether an address is one of Cloudflare's.
pub fn is_cloudflare(address: IpAddr) -> bool {
    unfit(address) == Some(Range::Cloudflare)
}

/// Whether an address is a public one, Cloudflare's included.
pub fn is_public(address: IpAddr) -> bool {
    matches!(unfit(address), None | Some(Range::Cloudflare))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn public_addresses_are_taken() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "223.255.255.255",
            "104.28.0.0",
            "2001:4860:4860::8888",
            "2001:200::1",
            "240b:10::1",
            "2606:46ff:ffff::1",
        ] {
            assert_eq!(judge(text), Ok(text.parse().unwrap()), "{text}");
        }
        assert_eq!(judge("::ffff:8.8.8.8"), Ok("8.8.8.8".parse().unwrap()));
    }

    #[test]
    fn each_refusal_has_its_name() {
        for (text, name) in [
            ("0.0.0.0", "unspecified"),
            ("10.1.2.3", "private"),
            ("172.31.255.255", "private"),
            ("192.168.1.1", "private"),
            ("100.64.0.1", "cgnat"),
            ("127.0.0.1", "loopback"),
            ("169.254.1.1", "link-local"),
            ("192.0.2.1", "documentation"),
            ("203.0.113.5", "documentation"),
            ("198.19.0.1", "benchmarking"),
            ("224.0.0.1", "multicast"),
            ("233.252.0.1", "documentation"),
            ("233.252.1.1", "multicast"),
            ("255.255.255.255", "reserved"),
            ("192.88.99.1", "6to4"),
            ("104.16.0.1", "cloudflare"),
            ("172.71.255.255", "cloudflare"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::ffff:10.0.0.1", "private"),
            ("::8.8.8.8", "reserved"),
            ("64:ff9b::808:808", "nat64"),
            ("64:ff9b:1::1", "nat64"),
            ("100::1", "reserved"),
            ("2001::1", "reserved"),
            ("2001:2::1", "benchmarking"),
            ("2001:db8::1", "documentation"),
            ("3fff:fff::1", "documentation"),
            ("2002:808:808::1", "6to4"),
            ("fd00::1", "unique-local"),
            ("fe80::1", "link-local"),
            ("ff02::1", "multicast"),
            ("2606:4700::1111", "cloudflare"),
            ("2a06:98c7::1", "cloudflare"),
            ("4000::1", "reserved"),
        ] {
            let refusal = judge(text).map_err(|refusal| refusal.to_string());
            assert_eq!(refusal, Err(name.to_owned()), "{text}");
        }
    }

    #[test]
    fn other_texts_are_malformed() {
        for text in [
            "",
            "auto",
            "<ipaddr>",
            "8.8.8",
            "8.8.8.8.8",
            "08.8.8.8",
            "256.1.1.1",
            "8.8.8.8/32",
            "8.8.8.8:80",
            "[2001:4860::1]",
            "2001:4860::/32",
            "fe80::1%eth0",
            "1::2::3",
            "<html>",
        ] {
            assert_eq!(judge(text), Err(Refusal::Malformed), "{text}");
        }
    }

    #[test]
    fn a_prefix_is_read_with_and_without_its_length() {
        for (text, prefix) in [
            ("2001:4860:4860::/64", "2001:4860:4860::"),
            ("2001:4860:4860:12ff::1/56", "2001:4860:4860:1200::"),
            ("2001:4860:4860:1::1", "2001:4860:4860:1::"),
        ] {
            assert_eq!(judge_prefix(text), Ok(prefix.parse().unwrap()), "{text}");
        }
        for (text, refusal) in [
            ("fd00::/64", Refusal::NotPublic(Range::UniqueLocal)),
            ("2001:db8::/32", Refusal::NotPublic(Range::Documentation)),
            ("8.8.8.0/24", Refusal::V4InV6),
            ("2001:4860::/0", Refusal::Malformed),
            ("2001:4860::/129", Refusal::Malformed),
            ("2001:4860::/", Refusal::Malformed),
            ("/64", Refusal::Malformed),
            ("", Refusal::Malformed),
        ] {
            assert_eq!(judge_prefix(text), Err(refusal), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_is_global_by_the_standard_librarys_own_tests(bits: u128, bits4: u32) {
            for address in [IpAddr::from(bits.to_be_bytes()), IpAddr::from(bits4.to_be_bytes())] {
                if let Ok(taken) = judge(&address.to_string()) {
                    prop_assert!(!taken.is_loopback() && !taken.is_multicast() && !taken.is_unspecified());
                    match taken {
                        IpAddr::V4(v4) => prop_assert!(!v4.is_private() && !v4.is_link_local() && !v4.is_documentation() && !v4.is_broadcast()),
                        IpAddr::V6(v6) => prop_assert!(!v6.is_unique_local() && !v6.is_unicast_link_local()),
                    }
                }
            }
        }

        #[test]
        fn any_text_is_judged(text in "\\PC{0,60}") {
            let _ = judge(&text);
            let _ = judge_prefix(&text);
        }
    }
}
