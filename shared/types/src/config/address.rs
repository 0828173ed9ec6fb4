//! A Minecraft server address: `host` or `host:port`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// `host`, `host:port`, `[v6]` or `[v6]:port`. The host is kept in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    pub host: String,
    pub port: Option<u16>,
}

impl Address {
    /// The port of Minecraft: Java Edition.
    pub const DEFAULT_PORT: u16 = 25565;

    pub fn port_or_default(&self) -> u16 {
        self.port.unwrap_or(Self::DEFAULT_PORT)
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("{text:?} is not host or host:port");
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']').ok_or_else(invalid)?;
                if host.parse::<std::net::Ipv6Addr>().is_err() {
                    return Err(invalid());
                }
                let port = match after {
                    "" => None,
                    _ => Some(after.strip_prefix(':').ok_or_else(invalid)?),
                };
                (host, port)
            }
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        if host.is_empty() || host.len() > 253 || !host.bytes().all(good) {
            return Err(invalid());
        }
        let port = port
            .map(|port| {
                port.parse()
                    .ok()
                    .filter(|port| *port != 0)
                    .ok_or_else(invalid)
            })
            .transpose()?;
        Ok(Self {
            host: host.to_ascii_lowercase(),
            port,
        })
    }
}

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        self.port.iter().try_for_each(|port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_back_as_written() {
        for text in [
            "mc.example.com",
            "mc.example.com:25566",
            "127.0.0.1:1",
            "[::1]:25565",
            "[2001:db8::1]",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!(
            "MC.Example.com".parse::<Address>().unwrap().host,
            "mc.example.com"
        );
    }

    #[test]
    fn others_are_refused() {
        for bad in [
            "", ":25565", "a:", "a:0", "a:65536", "a:b:c", "a b", "[::1", "[x]:1", "::1", "a/b",
            "[::1]1",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad:?}");
        }
    }
}
