//! The header of the PROXY protocol: who connects, said before anything else on a connection.
//!
//! Version 1 is a line of text, version 2 binary. Only connections over TCP are written, with real addresses: proxies
//! have been seen to fail on `UNKNOWN` and `LOCAL`. [`decode`] reads what [`encode`](ProxyHeader::encode) can write.
//!
//! Spec: "The PROXY protocol, versions 1 & 2" (haproxy, doc/proxy-protocol.txt), sections 2.1 and 2.2.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// What version 2 begins with; no version 1 header does.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, command PROXY.
const VERSION_AND_COMMAND: u8 = 0x21;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;
/// Signature, version, family, length.
const FIXED: usize = 16;
/// The longest line of version 1, in bytes, with its end.
const MAX_LINE: usize = 107;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyVersion {
    V1,
    V2,
}

/// A connection over TCP, of which both ends are of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyHeader {
    Tcp4 {
        source: SocketAddrV4,
        destination: SocketAddrV4,
    },
    Tcp6 {
        source: SocketAddrV6,
        destination: SocketAddrV6,
    },
}

/// Why bytes are no header of a connection over TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoProxyHeader;

impl fmt::Display for NoProxyHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no PROXY protocol header of a TCP connection")
    }
}

impl std::error::Error for NoProxyHeader {}

impl ProxyHeader {
    /// `None` when the two addresses are of different families.
    pub fn new(source: SocketAddr, destination: SocketAddr) -> Option<Self> {
        match (source, destination) {
            (SocketAddr::V4(source), SocketAddr::V4(destination)) => Some(Self::Tcp4 {
                source,
                destination,
            }),
            (SocketAddr::V6(source), SocketAddr::V6(destination)) => Some(Self::Tcp6 {
                source,
                destination,
            }),
            _ => None,
        }
    }

    /// The bytes to send first.
    pub fn encode(&self, version: ProxyVersion) -> Vec<u8> {
        match version {
            ProxyVersion::V1 => self.line().into_bytes(),
            ProxyVersion::V2 => self.binary(),
        }
    }

    fn line(&self) -> String {
        let (family, source, destination) = match *self {
            Self::Tcp4 {
                source,
                destination,
            } => ("TCP4", source.into(), destination.into()),
            Self::Tcp6 {
                source,
                destination,
            } => ("TCP6", SocketAddr::V6(source), SocketAddr::V6(destination)),
        };
        format!(
            "PROXY {family} {} {} {} {}\r\n",
            source.ip(),
            destination.ip(),
            source.port(),
            destination.port()
        )
    }

    fn binary(&self) -> Vec<u8> {
        let mut addresses = Vec::with_capacity(36);
        let (family, ports) = match self {
            Self::Tcp4 {
                source,
                destination,
            } => {
                addresses.extend_from_slice(&source.ip().octets());
                addresses.extend_from_slice(&destination.ip().octets());
                (TCP_OVER_IPV4, [source.port(), destination.port()])
            }
            Self::Tcp6 {
                source,
                destination,
            } => {
                addresses.extend_from_slice(&source.ip().octets());
                addresses.extend_from_slice(&destination.ip().octets());
                (TCP_OVER_IPV6, [source.port(), destination.port()])
            }
        };
        addresses.extend(ports.iter().flat_map(|port| port.to_be_bytes()));
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend_from_slice(&[VERSION_AND_COMMAND, family, 0]);
        // 12 or 36 bytes
        bytes.push(u8::try_from(addresses.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(&addresses);
        bytes
    }
}

/// Reads a header of either version from the start of `input`, and how many bytes it took; `None` while bytes are
/// missing. What version 2 adds behind the addresses (TLVs) is skipped.
pub fn decode(input: &[u8]) -> Result<Option<(ProxyHeader, usize)>, NoProxyHeader> {
    let known = input.len().min(SIGNATURE.len());
    if input[..known] == SIGNATURE[..known] {
        return binary(input);
    }
    let Some(end) = input.iter().take(MAX_LINE).position(|&byte| byte == b'\n') else {
        let prefix = b"PROXY ";
        let begins = prefix.starts_with(input) || input.starts_with(prefix);
        return if begins && input.len() < MAX_LINE {
            Ok(None)
        } else {
            Err(NoProxyHeader)
        };
    };
    let line = input[..end].strip_suffix(b"\r").ok_or(NoProxyHeader)?;
    let header = str::from_utf8(line).ok().and_then(line_header);
    Ok(Some((header.ok_or(NoProxyHeader)?, end + 1)))
}

fn line_header(line: &str) -> Option<ProxyHeader> {
    let mut words = line.strip_prefix("PROXY ")?.split(' ');
    let family = words.next()?;
    let addresses: [IpAddr; 2] = [words.next()?.parse().ok()?, words.next()?.parse().ok()?];
    let ports: [u16; 2] = [words.next()?.parse().ok()?, words.next()?.parse().ok()?];
    let header = ProxyHeader::new(
        SocketAddr::new(addresses[0], ports[0]),
        SocketAddr::new(addresses[1], ports[1]),
    )?;
    let named = match header {
        ProxyHeader::Tcp4 { .. } => "TCP4",
        ProxyHeader::Tcp6 { .. } => "TCP6",
    };
    (family == named && words.next().is_none()).then_some(header)
}

fn binary(input: &[u8]) -> Result<Option<(ProxyHeader, usize)>, NoProxyHeader> {
    let Some(fixed) = input.first_chunk::<FIXED>() else {
        return Ok(None);
    };
    let end = FIXED + usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if fixed[12] != VERSION_AND_COMMAND {
        return Err(NoProxyHeader);
    }
    let Some(addresses) = input.get(FIXED..end) else {
        return Ok(None);
    };
    let header = match fixed[13] {
        TCP_OVER_IPV4 => addresses.first_chunk().map(tcp4),
        TCP_OVER_IPV6 => addresses.first_chunk().map(tcp6),
        _ => None,
    };
    Ok(Some((header.ok_or(NoProxyHeader)?, end)))
}

fn tcp4(bytes: &[u8; 12]) -> ProxyHeader {
    let ip = |at: usize| Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
    let port = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    ProxyHeader::Tcp4 {
        source: SocketAddrV4::new(ip(0), port(8)),
        destination: SocketAddrV4::new(ip(4), port(10)),
    }
}

fn tcp6(bytes: &[u8; 36]) -> ProxyHeader {
    let ip = |at: usize| {
        let mut octets = [0; 16];
        octets.copy_from_slice(&bytes[at..at + 16]);
        Ipv6Addr::from(octets)
    };
    let port = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    ProxyHeader::Tcp6 {
        source: SocketAddrV6::new(ip(0), port(32), 0, 0),
        destination: SocketAddrV6::new(ip(16), port(34), 0, 0),
    }
}

#[cfg(test)]
#[path = "proxy_header_tests.rs"]
mod tests;
