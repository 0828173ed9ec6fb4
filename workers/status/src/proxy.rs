//! The addresses in the PROXY protocol's header.
//!
//! The runtime does not tell a socket its own address, so what is said of the source is not what
//! the server would see. It has to be an address that no receiver takes amiss: private, loopback
//! and documentation addresses are trusted or filtered by plugins and firewalls, and that of a
//! stranger would put the ping down to them. Cloudflare publishes its own: `2a06:98c0:3600::103` is
//! what it puts into `CF-Connecting-IP` where a Worker is the client ("HTTP headers",
//! developers.cloudflare.com), and 162.158.0.0/15 is among the ranges that it connects to servers
//! from (cloudflare.com/ips), of which this is the first address.
//!
//! The destination is the server's address where it is known. Nothing is routed by it; where DNS
//! did not say, it is the source.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use minecraft::proxy_header::{ProxyHeader, ProxyVersion};
use types::config::ProxyProtocol;

use crate::resolve::Place;

const EDGE_V4: Ipv4Addr = Ipv4Addr::new(162, 158, 0, 1);
const EDGE_V6: Ipv6Addr = Ipv6Addr::new(0x2a06, 0x98c0, 0x3600, 0, 0, 0, 0, 0x103);
/// The first port that clients take (RFC 6335, section 6).
const SOURCE_PORT: u16 = 49_152;

/// The bytes that come before the handshake: none where they are not wanted.
pub fn header(wanted: ProxyProtocol, place: &Place) -> Vec<u8> {
    let version = match wanted {
        ProxyProtocol::Off => return Vec::new(),
        ProxyProtocol::V1 => ProxyVersion::V1,
        ProxyProtocol::V2 => ProxyVersion::V2,
    };
    let source = match place.ip {
        Some(IpAddr::V6(_)) => IpAddr::V6(EDGE_V6),
        Some(IpAddr::V4(_)) | None => IpAddr::V4(EDGE_V4),
    };
    let header = ProxyHeader::new(
        SocketAddr::new(source, SOURCE_PORT),
        SocketAddr::new(place.ip.unwrap_or(source), place.port),
    );
    header.map_or_else(Vec::new, |header| header.encode(version))
}

#[cfg(test)]
mod tests {
    use minecraft::proxy_header::decode;

    use super::*;

    #[test]
    fn both_addresses_are_of_the_servers_family() {
        let said = |ip: Option<&str>, wanted| {
            let place = Place {
                host: "mc.example.com".to_owned(),
                port: 25570,
                srv_record: None,
                ip: ip.map(|ip| ip.parse().unwrap()),
                is_public: true,
            };
            let bytes = header(wanted, &place);
            let (header, length) = decode(&bytes).unwrap().unwrap();
            assert_eq!(length, bytes.len());
            header
        };
        for wanted in [ProxyProtocol::V1, ProxyProtocol::V2] {
            for (ip, source, destination) in [
                (
                    Some("93.184.216.34"),
                    "162.158.0.1:49152",
                    "93.184.216.34:25570",
                ),
                (
                    Some("2606:2800::1"),
                    "[2a06:98c0:3600::103]:49152",
                    "[2606:2800::1]:25570",
                ),
                (None, "162.158.0.1:49152", "162.158.0.1:25570"),
            ] {
                let expected =
                    ProxyHeader::new(source.parse().unwrap(), destination.parse().unwrap());
                assert_eq!(Some(said(ip, wanted)), expected);
            }
        }
        let place = Place {
            host: String::new(),
            port: 1,
            srv_record: None,
            ip: None,
            is_public: true,
        };
        assert!(header(ProxyProtocol::Off, &place).is_empty());
    }
}
