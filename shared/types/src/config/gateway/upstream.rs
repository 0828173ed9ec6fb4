//! Where a route leads: a worker, an origin, a static site, another address, or a fixed answer.

use std::fmt;

use serde::Deserialize;

use crate::SiteName;

/// Who answers a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    /// A worker behind this service binding.
    Worker(BindingName),
    /// A server on the web, in production behind Cloudflare Tunnel.
    Origin(Origin),
    /// Files in R2.
    Site(Site),
    Redirect(Redirect),
    Respond(Respond),
}

/// As logs and errors name it: `pack`, `https://nas.example.com`, `site docs`.
impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker(name) => f.write_str(&name.0),
            Self::Origin(origin) => f.write_str(origin.url.as_str()),
            Self::Site(site) => write!(f, "site {}", site.name),
            Self::Redirect(redirect) => write!(f, "{} {}", redirect.status, redirect.target.0),
            Self::Respond(respond) => write!(f, "respond {}", respond.status),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub url: OriginUrl,
    /// The route's path is taken off before the request goes on.
    pub strip_prefix: bool,
    /// The Cloudflare Access service token is sent along.
    pub access: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    pub name: SiteName,
    /// Paths without a file are answered with `index.html`.
    pub spa: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    pub target: RedirectTarget,
    /// 301, 302, 307 or 308.
    pub status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Respond {
    pub status: u16,
    pub body: String,
    pub content_type: String,
}

/// The name of a binding, in any case and with `-` for `_`: `pack` is the binding `PACK`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct BindingName(String);

impl BindingName {
    /// As it is written in the route.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As it is in the environment.
    pub fn binding(&self) -> String {
        self.0.to_ascii_uppercase().replace('-', "_")
    }
}

impl TryFrom<String> for BindingName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if text.is_empty() || !text.bytes().all(good) {
            return Err(format!("{text:?} is not the name of a binding"));
        }
        Ok(Self(text))
    }
}

/// An http or https URL of a server, with an optional path that stands before every request's:
/// `https://nas.example.com`, `https://nas.example.com:8443/base`. Kept with the host in lower case, without the
/// scheme's own port and without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct OriginUrl {
    text: String,
    /// Where the host starts, and where the path does.
    host: usize,
    path: usize,
}

impl OriginUrl {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn is_https(&self) -> bool {
        self.text.starts_with("https:")
    }

    /// Host and port, as `Host` has them: `nas.example.com:8443`.
    pub fn authority(&self) -> &str {
        &self.text[self.host..self.path]
    }

    /// The host alone: `nas.example.com`, `[::1]`.
    pub fn host(&self) -> &str {
        let authority = self.authority();
        match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => host,
            _ => authority,
        }
    }

    /// The path before every request's, without a slash at the end: `/base`, mostly empty.
    pub fn base(&self) -> &str {
        &self.text[self.path..]
    }

    /// Whether it is this machine.
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        let address: Result<std::net::Ipv4Addr, _> = host.parse();
        host == "localhost" || host == "[::1]" || address.is_ok_and(|address| address.is_loopback())
    }
}

impl TryFrom<String> for OriginUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        parse_origin(&text).ok_or_else(|| {
            format!(
                "{text:?} is not an http or https URL of host, optional port and optional plain path, \
                 as in \"https://nas.example.com\""
            )
        })
    }
}

fn parse_origin(text: &str) -> Option<OriginUrl> {
    let (scheme, rest) = text.split_once("://")?;
    let own_port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let (authority, base) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let address: super::super::Address = authority.parse().ok()?;
    // With a dot at its end it would be another name to the rules about loops; an address of IPv6 has none.
    if address.host.split('.').any(str::is_empty) {
        return None;
    }
    let authority = address.to_string();
    let authority = authority.strip_suffix(own_port).unwrap_or(&authority);
    let base = match base {
        "" => String::new(),
        path => super::PathPrefix::try_from(path.to_owned())
            .ok()?
            .as_str()
            .to_owned(),
    };
    let host = scheme.len() + "://".len();
    Some(OriginUrl {
        path: host + authority.len(),
        host,
        text: format!("{scheme}://{authority}{base}"),
    })
}

/// Where a redirect leads: an http or https URL, or a path on the same host. With `/*` at its end it
/// leads to what follows the route's path, with the query; else exactly there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RedirectTarget(String);

impl RedirectTarget {
    /// As it is written, with the `*`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before `*` (it ends with a slash), when it leads to the rest of the path.
    pub fn before_rest(&self) -> Option<&str> {
        self.0.strip_suffix('*')
    }
}

impl TryFrom<String> for RedirectTarget {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let after_scheme = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        let leads = match after_scheme {
            Some(rest) => !rest.is_empty() && !rest.starts_with(['/', '?', '#', '@', '*']),
            None => text.starts_with('/') && !text.starts_with("//"),
        };
        let plain = text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\\\"<>".contains(&byte));
        let star = match text.find('*') {
            None => true,
            Some(at) => at + 1 == text.len() && text.ends_with("/*") && !text.contains(['?', '#']),
        };
        if leads && plain && star {
            return Ok(Self(text));
        }
        Err(format!(
            "{text:?} is not an http or https URL or a path that starts with '/', with \"/*\" at most at its end"
        ))
    }
}
