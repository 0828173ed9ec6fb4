//! What can be wrong with a whole table and what surrounds it, told at build: routes that nothing
//! reaches, names that nothing has, ways that lead back to the door.
//!
//! Spec: patterns of routes and custom domains, as wrangler's configuration has them.

use std::collections::HashSet;

use super::{GatewayConfig, HostPattern, PathPrefix, Route, Upstream};
use crate::config::InvalidConfig;

/// The secrets that a route with `access = true` sends.
const ACCESS_SECRETS: [&str; 2] = ["ACCESS_CLIENT_ID", "ACCESS_CLIENT_SECRET"];

/// The bucket that sites lie in.
const SITES: &str = "SITES";

/// What one environment's configuration has beside the table.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The names of the bindings to workers.
    pub services: Vec<String>,
    /// The names of the bindings that limit rates.
    pub rate_limits: Vec<String>,
    /// The names of the bindings to buckets.
    pub buckets: Vec<String>,
    /// The secrets that `[secrets] required` names.
    pub secrets: Vec<String>,
    /// Which requests come to the gateway; none: nothing is known of it, as in local development.
    pub patterns: Vec<Pattern>,
    /// Which requests come to the other workers.
    pub others: Vec<Pattern>,
}

/// Which requests a worker gets: `edge.example.com`, `example.com/api/*`, `*.example.com/*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// Without a `*`, in lower case.
    host: String,
    /// There was one before it: any host that ends so.
    any_before: bool,
    /// Without a `*`; empty: every path.
    path: String,
}

impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        let (host, path) = text.split_at(text.find('/').unwrap_or(text.len()));
        let lower = host.to_ascii_lowercase();
        Self {
            any_before: lower.starts_with('*'),
            host: lower.trim_start_matches('*').to_owned(),
            path: path.trim_end_matches('*').to_owned(),
        }
    }
}

impl Pattern {
    fn has(&self, host: &str) -> bool {
        if self.any_before {
            host.ends_with(&self.host)
        } else {
            host == self.host
        }
    }

    /// Whether some path that comes here is one of the prefix.
    fn meets(&self, prefix: &PathPrefix) -> bool {
        let prefix = prefix.as_str();
        self.path.starts_with(prefix) || prefix.starts_with(self.path.trim_end_matches('/'))
    }
}

/// All that is wrong, each with the index of its route and its text.
pub fn check(config: &GatewayConfig, around: &Surroundings) -> Vec<InvalidConfig> {
    let table = Table {
        routes: &config.routes,
        around,
        exact: hosts(config, |host| match host {
            HostPattern::Exact(name) => Some(name),
            _ => None,
        }),
        below: hosts(config, |host| match host {
            HostPattern::Below(suffix) => Some(suffix),
            _ => None,
        }),
    };
    let mut wrong = Vec::new();
    for (index, route) in config.routes.iter().enumerate() {
        let found = [
            table.missing(route),
            table.loops(route),
            table.unreachable(route),
        ];
        for (key, message) in found.into_iter().flatten() {
            wrong.push(InvalidConfig::new(
                format!("routes[{index}]{key}"),
                format!("{route}: {message}"),
            ));
        }
    }
    wrong
}

fn hosts(config: &GatewayConfig, name: fn(&HostPattern) -> Option<&String>) -> HashSet<&str> {
    let named = config.routes.iter().filter_map(|route| name(&route.host));
    named.map(String::as_str).collect()
}

/// A key of a route (`.worker`) and what is wrong about it.
type Wrong = Option<(&'static str, String)>;

struct Table<'a> {
    routes: &'a [Route],
    around: &'a Surroundings,
    /// The hosts with routes of their own.
    exact: HashSet<&'a str>,
    /// The suffixes with routes of their own.
    below: HashSet<&'a str>,
}

impl Table<'_> {
    /// A name of something that is not there.
    fn missing(&self, route: &Route) -> Wrong {
        let around = self.around;
        let lacks = |names: &[String], name: &str| !names.iter().any(|known| known == name);
        match &route.upstream {
            Upstream::Worker(name) if lacks(&around.services, &name.binding()) => {
                let known = list(&around.services);
                let message = format!(
                    "no [[services]] has the binding {}; {known}",
                    name.binding()
                );
                return Some((".worker", message));
            }
            Upstream::Site(_) if lacks(&around.buckets, SITES) => {
                let message = format!("no [[r2_buckets]] has the binding {SITES}");
                return Some((".site", message));
            }
            Upstream::Origin(origin) if origin.access => {
                let missing = ACCESS_SECRETS
                    .iter()
                    .find(|name| lacks(&around.secrets, name));
                if let Some(name) = missing {
                    let message = format!(
                        "the service token is two secrets, and [secrets] required does not name {name}"
                    );
                    return Some((".access", message));
                }
            }
            _ => {}
        }
        let limit = route.rate_limit.as_ref()?;
        lacks(&around.rate_limits, &limit.binding()).then(|| {
            let known = list(&around.rate_limits);
            let message = format!(
                "no [[ratelimits]] has the name {}; {known}",
                limit.binding()
            );
            (".rate_limit", message)
        })
    }

    /// A way that leads back to the door, or to another worker's.
    fn loops(&self, route: &Route) -> Wrong {
        match &route.upstream {
            // Another port of this machine is another server.
            Upstream::Origin(origin) if origin.url.is_loopback() => None,
            Upstream::Origin(origin) => {
                let host = origin.url.host();
                let own = self.exact.contains(host) || self.suffix_of(host).is_some();
                let message = if own || self.around.patterns.iter().any(|pattern| pattern.has(host))
                {
                    format!("{host} is a host of the gateway itself: the request would come back")
                } else if self.around.others.iter().any(|pattern| pattern.has(host)) {
                    format!("{host} is a host of one of our workers: name it as `worker`")
                } else {
                    return None;
                };
                Some((".origin", message))
            }
            Upstream::Redirect(redirect) => {
                let target = redirect
                    .target
                    .before_rest()
                    .unwrap_or(redirect.target.as_str());
                let (host, path) = split(target);
                let path = path.split(['?', '#']).next().unwrap_or(path);
                let same_host = host.is_none_or(|host| self.comes_back(&host, path, &route.host));
                (same_host && self.leads(route, path)).then(|| {
                    let message =
                        format!("{target} is answered by this very route, again and again");
                    (".redirect", message)
                })
            }
            _ => None,
        }
    }

    /// Whether a request for this host is looked up among the routes of this host pattern. Of a host
    /// that no route names, this is known only where a pattern brings that very host: what `*` brings,
    /// another worker may take by a pattern of its own.
    fn comes_back(&self, host: &str, path: &str, to: &HostPattern) -> bool {
        let comes = |pattern: &Pattern| {
            !pattern.any_before && pattern.has(host) && path.starts_with(&pattern.path)
        };
        let brought = || self.around.patterns.iter().any(comes);
        match to {
            HostPattern::Exact(name) => name == host,
            _ if self.exact.contains(host) => false,
            HostPattern::Below(suffix) => {
                self.suffix_of(host) == Some(suffix.as_str()) && brought()
            }
            HostPattern::Any => self.suffix_of(host).is_none() && brought(),
        }
    }

    /// Whether a request for `path` on a host of this route takes this route.
    fn leads(&self, route: &Route, path: &str) -> bool {
        let below = |prefix: &str| {
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let same = self.routes.iter().filter(|other| other.host == route.host);
        let best = same
            .filter(|other| below(other.path.as_str()))
            .max_by_key(|other| other.path.as_str().len());
        best.is_some_and(|best| best.path == route.path)
    }

    /// A route that no request comes to.
    fn unreachable(&self, route: &Route) -> Wrong {
        let patterns = &self.around.patterns;
        if patterns.is_empty() {
            return None;
        }
        let mut coming = patterns
            .iter()
            .filter(|pattern| self.comes(pattern, &route.host));
        let mut coming = coming.by_ref().peekable();
        let message = if coming.peek().is_none() {
            "it is never reached: no pattern of this environment's `routes` brings a request for its host, \
             or every host that one brings has routes of its own"
        } else if coming.any(|pattern| pattern.meets(&route.path)) {
            return None;
        } else {
            "it is never reached: the patterns of this environment's `routes` that bring its host bring \
             other paths"
        };
        Some(("", message.to_owned()))
    }

    /// Whether a request that the pattern brings is looked up among the routes of this host pattern.
    fn comes(&self, pattern: &Pattern, to: &HostPattern) -> bool {
        if !pattern.any_before {
            return match to {
                HostPattern::Exact(name) => *name == pattern.host,
                _ if self.exact.contains(pattern.host.as_str()) => false,
                HostPattern::Below(suffix) => {
                    self.suffix_of(&pattern.host) == Some(suffix.as_str())
                }
                HostPattern::Any => self.suffix_of(&pattern.host).is_none(),
            };
        }
        // Some host that nothing in the table names, below what the pattern has.
        let some = format!("x.{}", pattern.host.trim_start_matches('.'));
        match to {
            HostPattern::Exact(name) => pattern.has(name),
            HostPattern::Below(suffix) => {
                pattern.has(&format!("x.{suffix}"))
                    || self.suffix_of(&some) == Some(suffix.as_str())
            }
            HostPattern::Any => self.suffix_of(&some).is_none(),
        }
    }

    /// The longest suffix of the table that the host is below.
    fn suffix_of(&self, host: &str) -> Option<&str> {
        let mut rest = host;
        while let Some((_, suffix)) = rest.split_once('.') {
            if let Some(found) = self.below.get(suffix) {
                return Some(found);
            }
            rest = suffix;
        }
        None
    }
}

fn list(names: &[String]) -> String {
    match names {
        [] => "there is none at all".to_owned(),
        names => format!("there is {}", names.join(", ")),
    }
}

/// Host, if the target names one, and path.
fn split(target: &str) -> (Option<String>, &str) {
    match target.split_once("://") {
        None => (None, target),
        Some((_, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority
                .rsplit_once(':')
                .map_or(authority, |(host, _)| host);
            let host = host.strip_suffix('.').unwrap_or(host);
            (
                Some(host.to_ascii_lowercase()),
                if path.is_empty() { "/" } else { path },
            )
        }
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
