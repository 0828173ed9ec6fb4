//! An origin's addresses and the public ones: where a request goes, and how what the origin says
//! about itself (`Location`, `Content-Location`, `Refresh`, cookies) reads from outside.
//!
//! A public path is the route's prefix and a rest; at the origin it is the origin's base path and,
//! when the prefix is stripped, the rest alone, else prefix and rest.

use types::config::{Origin, OriginUrl};

use crate::access;

/// One route's mapping.
#[derive(Debug, Clone, Copy)]
pub struct Mapping<'a> {
    pub origin: &'a Origin,
    /// The route's path, without a slash at the end.
    pub prefix: &'a str,
    /// Scheme, host and port as the client has them: `https://a.example.com`.
    pub public: &'a str,
}

impl<'a> Mapping<'a> {
    /// What is taken off the path; mostly empty.
    pub fn stripped(&self) -> &'a str {
        if self.origin.strip_prefix {
            self.prefix
        } else {
            ""
        }
    }

    const fn url(&self) -> &'a OriginUrl {
        &self.origin.url
    }

    /// Whether the two sides have the same paths.
    fn same_paths(&self) -> bool {
        self.stripped().is_empty() && self.url().base().is_empty()
    }

    /// The URL at the origin, for a path below the prefix. It never starts with two slashes: many
    /// a server would take `//x` for a host.
    pub fn target(&self, path: &str, query: &str) -> String {
        let rest = path.strip_prefix(self.stripped()).unwrap_or(path);
        let rest = rest.trim_start_matches('/');
        format!("{}/{rest}{query}", self.url().as_str())
    }

    /// A reference that the origin gave, as it reads from outside; `None`: as it is. A host that is not
    /// the origin's own is not touched, nor is what is relative to the page.
    pub fn reference(&self, value: &str) -> Option<String> {
        let value = value.trim();
        if let Some((authority, rest)) = authority_of(value) {
            if !self.is_own(value, authority) {
                return None;
            }
            return Some(format!("{}{}", self.public, self.outward(rest)?));
        }
        if !value.starts_with('/') || self.same_paths() {
            return None;
        }
        self.outward(value).filter(|path| path != value)
    }

    /// Whether an absolute reference names the origin.
    fn is_own(&self, value: &str, authority: &str) -> bool {
        let own_port = match value.get(..5) {
            Some(scheme) if scheme.eq_ignore_ascii_case("http:") => ":80",
            _ => ":443",
        };
        let authority = authority.to_ascii_lowercase();
        let bare = authority.strip_suffix(own_port).unwrap_or(&authority);
        bare == self.url().authority()
    }

    /// A path at the origin, seen from outside; `None` when it is not below the base path.
    fn outward(&self, path: &str) -> Option<String> {
        let rest = below(path, self.url().base())?;
        let stripped = self.stripped();
        if !stripped.is_empty() && below(rest, stripped).is_some() {
            // An origin that knows where it is shown says so itself.
            return Some(one_slash(rest));
        }
        Some(format!("{stripped}{}", one_slash(rest)))
    }

    /// `Refresh: 5; url=/x`.
    pub fn refresh(&self, value: &str) -> Option<String> {
        let start = value.to_ascii_lowercase().find("url=")? + "url=".len();
        let (before, url) = value.split_at_checked(start)?;
        let quoted = |quote| url.strip_prefix(quote)?.strip_suffix(quote);
        let (mark, url) = match (quoted('"'), quoted('\'')) {
            (Some(inner), _) => ("\"", inner),
            (_, Some(inner)) => ("'", inner),
            _ => ("", url),
        };
        let url = self.reference(url)?;
        Some(format!("{before}{mark}{url}{mark}"))
    }

    /// Whether a visitor gets this `Set-Cookie`: not what the gateway's own service token has earned.
    pub fn passes(&self, cookie: &str) -> bool {
        !(self.origin.access && access::is_session(cookie))
    }

    /// `Set-Cookie` (RFC 6265): its path seen from outside, so that applications under one host stay
    /// apart, and no domain of the origin's that the public host is not in, which a browser would refuse:
    /// it is for the public host then.
    pub fn cookie(&self, value: &str) -> Option<String> {
        let mut parts = value.split(';');
        let pair = parts.next()?;
        let mut changed = false;
        let mut cookie = pair.to_owned();
        // Such a cookie is only accepted with `Path=/`.
        let bound = pair.trim_start().starts_with("__Host-");
        for part in parts {
            let (name, text) = part.split_once('=').unwrap_or((part, ""));
            let (name, text) = (name.trim(), text.trim());
            if name.eq_ignore_ascii_case("domain") {
                let domain = text.trim_start_matches('.').to_ascii_lowercase();
                if self.is_unknown_outside(&domain) {
                    changed = true;
                    continue;
                }
            }
            let path = name.eq_ignore_ascii_case("path") && text.starts_with('/') && !bound;
            if let Some(path) = path.then(|| self.cookie_path(text)).flatten() {
                changed = true;
                cookie.push_str("; Path=");
                cookie.push_str(&path);
            } else {
                cookie.push(';');
                cookie.push_str(part);
            }
        }
        changed.then_some(cookie)
    }

    /// Whether a cookie's domain is the origin's host, or one above it that the public host is not below.
    fn is_unknown_outside(&self, domain: &str) -> bool {
        let origin = self.url().host();
        let public = authority_of(self.public).map_or("", |(authority, _)| authority);
        let public = public.rsplit_once(':').map_or(public, |(host, _)| host);
        origin == domain || (is_within(origin, domain) && !is_within(public, domain))
    }

    fn cookie_path(&self, path: &str) -> Option<String> {
        if self.same_paths() {
            return None;
        }
        let outward = self.outward(path)?;
        // `/app/` would leave out `/app`.
        let outward = match (path, self.stripped()) {
            ("/", prefix) if !prefix.is_empty() => prefix.to_owned(),
            _ => outward,
        };
        (outward != path).then_some(outward)
    }
}

/// Whether a host is this domain or below it (RFC 6265, section 5.1.3).
fn is_within(host: &str, domain: &str) -> bool {
    let before = host.strip_suffix(domain);
    !domain.is_empty() && before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// Host and port of a reference that has them, and what follows.
fn authority_of(reference: &str) -> Option<(&str, &str)> {
    let scheme = |name: &str| {
        let start = reference.get(..name.len())?;
        start
            .eq_ignore_ascii_case(name)
            .then(|| &reference[name.len()..])
    };
    let rest = scheme("https://")
        .or_else(|| scheme("http://"))
        .or_else(|| scheme("//"))?;
    Some(rest.split_at(rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len())))
}

/// What follows `prefix` in a path, by segments: empty, or from a slash, `?` or `#` on.
fn below<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(prefix)?;
    (rest.is_empty() || rest.starts_with(['/', '?', '#', '\\'])).then_some(rest)
}

/// A path with exactly one slash at its start: two would be a host.
fn one_slash(path: &str) -> String {
    format!("/{}", path.trim_start_matches(['/', '\\']))
}

#[cfg(test)]
#[path = "origin_tests.rs"]
mod tests;
