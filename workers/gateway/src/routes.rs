//! The route table: host name and path to a route, at a cost that does not grow with the table.
//!
//! A host that has routes of its own sees only these; next come the routes of the longest
//! `*.suffix` that it is below, then those for every host. Among these the longest path prefix wins.
//! Paths are compared by segments and as they stand: nothing is decoded, so `/%69p` is not `/ip`.

use std::collections::HashMap;

use types::config::{HostPattern, Route};

/// All routes, by host and path prefix.
#[derive(Debug, Default)]
pub struct Table {
    routes: Vec<Route>,
    exact: HashMap<String, Paths>,
    /// By suffix: `*.example.com` is at `example.com`.
    below: HashMap<String, Paths>,
    any: Paths,
}

/// The routes of one host pattern.
#[derive(Debug, Default)]
struct Paths {
    /// By prefix without a slash at the end: the number of its route.
    by_prefix: HashMap<String, usize>,
    /// How many segments the longest prefix has.
    depth: usize,
}

impl Table {
    pub fn new(routes: Vec<Route>) -> Self {
        let mut table = Self::default();
        for (index, route) in routes.iter().enumerate() {
            let paths = match &route.host {
                HostPattern::Exact(host) => table.exact.entry(host.clone()).or_default(),
                HostPattern::Below(suffix) => table.below.entry(suffix.clone()).or_default(),
                HostPattern::Any => &mut table.any,
            };
            paths.add(route.path.as_str(), index);
        }
        table.routes = routes;
        table
    }

    /// The route of a request to `host`, in lower case and without port, for `path`, which starts with
    /// `/`.
    pub fn find(&self, host: &str, path: &str) -> Option<&Route> {
        let index = self.paths(host).find(path)?;
        self.routes.get(index)
    }

    /// Whether the host has routes of its own, so that those for every host are not looked at.
    pub fn names(&self, host: &str) -> bool {
        !std::ptr::eq(self.paths(host), &raw const self.any)
    }

    fn paths(&self, host: &str) -> &Paths {
        if let Some(own) = self.exact.get(host) {
            return own;
        }
        let mut rest = host;
        while let Some((_, suffix)) = rest.split_once('.') {
            if let Some(paths) = self.below.get(suffix) {
                return paths;
            }
            rest = suffix;
        }
        &self.any
    }
}

impl Paths {
    fn add(&mut self, prefix: &str, index: usize) {
        self.depth = self.depth.max(prefix.matches('/').count());
        // The configuration has no prefix twice.
        self.by_prefix.insert(prefix.to_owned(), index);
    }

    /// Walks up from the first `depth` segments; what is below those cannot decide.
    fn find(&self, path: &str) -> Option<usize> {
        let end = path
            .match_indices('/')
            .nth(self.depth)
            .map_or(path.len(), |(index, _)| index);
        let mut prefix = path.get(..end)?;
        loop {
            if let Some(found) = self.by_prefix.get(prefix) {
                return Some(*found);
            }
            prefix = prefix.get(..prefix.rfind('/')?)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use types::config::{Config, GatewayConfig};

    use super::*;

    fn routes(rows: &[(&str, &str)]) -> Vec<Route> {
        let rows: Vec<_> = rows
            .iter()
            .map(|(host, path)| match *host {
                "" => json!({"path": path, "worker": "w"}),
                host => json!({"host": host, "path": path, "worker": "w"}),
            })
            .collect();
        let config = GatewayConfig::parse(json!({ "routes": rows }));
        config.map(|config| config.routes).unwrap_or_default()
    }

    fn found(rows: &[(&str, &str)], host: &str, path: &str) -> Option<String> {
        let table = Table::new(routes(rows));
        let found = table.find(host, path)?;
        Some(found.to_string().trim_end_matches(" -> w").to_owned())
    }

    const TABLE: &[(&str, &str)] = &[
        ("rp.example.com", "/"),
        ("only.example.com", "/app"),
        ("*.example.com", "/"),
        ("*.deep.example.com", "/x"),
        ("", "/ip"),
        ("", "/api/pack"),
        ("", "/api/packs"),
        ("", "/api"),
    ];

    fn to(host: &str, path: &str) -> Option<String> {
        found(TABLE, host, path)
    }

    #[test]
    fn the_longest_prefix_by_segments_wins() {
        for (path, route) in [
            ("/ip", Some("*/ip")),
            ("/ip/", Some("*/ip")),
            ("/ip/a/b/c", Some("*/ip")),
            ("/ipx", None),
            ("/", None),
            ("//ip", None),
            ("/IP", None),
            ("/%69p", None),
            ("/ip%2f", None),
            ("/api", Some("*/api")),
            ("/api/pack", Some("*/api/pack")),
            ("/api/pack/latest", Some("*/api/pack")),
            ("/api/packs/main", Some("*/api/packs")),
            ("/api/packsx", Some("*/api")),
            ("/api//pack", Some("*/api")),
        ] {
            assert_eq!(to("other.test", path).as_deref(), route, "{path}");
        }
    }

    #[test]
    fn an_exact_host_is_before_the_longest_suffix_and_that_before_any_host() {
        assert_eq!(to("a.example.com", "/x").as_deref(), Some("*.example.com/"));
        let deep = to("a.b.deep.example.com", "/x");
        assert_eq!(deep.as_deref(), Some("*.deep.example.com/x"));
        assert_eq!(to("example.com", "/ip").as_deref(), Some("*/ip"));
        assert_eq!(to("badexample.com", "/ip").as_deref(), Some("*/ip"));
    }

    #[test]
    fn a_host_with_routes_of_its_own_sees_only_these() {
        assert_eq!(to("only.example.com", "/ip"), None);
        assert_eq!(to("a.deep.example.com", "/ip"), None);
        assert_eq!(
            to("only.example.com", "/app").as_deref(),
            Some("only.example.com/app")
        );
    }

    #[test]
    fn a_path_of_very_many_segments_is_found_at_once() {
        let path = "/ip".to_owned() + &"/a".repeat(1_000_000);
        assert_eq!(to("other.test", &path).as_deref(), Some("*/ip"));
    }

    /// The rules, said as slowly as possible.
    fn scan(routes: &[Route], host: &str, path: &str) -> Option<String> {
        let rank = |route: &Route| match &route.host {
            HostPattern::Exact(own) => (own == host).then_some(usize::MAX),
            HostPattern::Below(suffix) => host
                .ends_with(&format!(".{suffix}"))
                .then_some(suffix.len()),
            HostPattern::Any => Some(0),
        };
        let best = routes.iter().filter_map(rank).max()?;
        let below = |route: &&Route| {
            let prefix = route.path.as_str();
            path == prefix || path.starts_with(&format!("{prefix}/"))
        };
        let own = routes.iter().filter(|route| rank(route) == Some(best));
        own.filter(below)
            .max_by_key(|route| route.path.as_str().len())
            .map(Route::to_string)
    }

    proptest! {
        #[test]
        fn the_table_agrees_with_a_scan_of_all_routes(
            rows in proptest::collection::btree_set(
                ("(\\*\\.)?[ab](\\.[ab]){0,2}|", "/|(/[ab]{1,2}){1,3}"), 0..30),
            host in "[ab](\\.[ab]){0,3}",
            path in "/|(/[ab]{0,2}){1,5}",
        ) {
            let rows: Vec<_> = rows.iter().map(|(host, path)| (host.as_str(), path.as_str())).collect();
            let routes = routes(&rows);
            prop_assert_eq!(routes.len(), rows.len());
            let table = Table::new(routes.clone());
            let found = table.find(&host, &path).map(Route::to_string);
            prop_assert_eq!(found, scan(&routes, &host, &path));
        }

        #[test]
        fn any_request_is_looked_up(host in "\\PC{0,40}", path in "/\\PC{0,40}") {
            let _ = Table::new(routes(TABLE)).find(&host, &path);
        }
    }
}
