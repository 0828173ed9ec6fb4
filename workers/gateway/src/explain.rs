//! Which route a request takes, and why: the rules of `routes`, told to an operator.

use std::cmp::Reverse;

use types::{
    config::{HostPattern, Route},
    gateway::{Candidate, Lookup},
};

use crate::routes::Table;

/// Looks a URL up, of which `host` (in lower case, without port) and `path` are the parts that the
/// table compares.
pub fn explain(routes: &[Route], table: &Table, url: String, host: &str, path: &str) -> Lookup {
    let nearest = routes
        .iter()
        .filter_map(|route| nearness(&route.host, host))
        .max();
    let answering = table.find(host, path);
    let fits = |route: &Route| is_below(path, route.path.as_str());
    let mut fitting: Vec<(usize, &Route)> = routes
        .iter()
        .enumerate()
        .filter(|(_, route)| fits(route) && nearness(&route.host, host).is_some())
        .collect();
    fitting.sort_by_key(|(_, route)| {
        Reverse((nearness(&route.host, host), route.path.as_str().len()))
    });
    let takes = answering.and_then(|answering| {
        let found = fitting.iter().find(|(_, route)| *route == answering);
        found.map(|(index, _)| *index)
    });
    let why = match (nearest, takes) {
        (None, _) => format!("no route is for the host {host}"),
        (Some(_), None) => format!("the host {host} has routes, and none of them is for this path"),
        (Some(_), Some(_)) => {
            "its host is the nearest, and of that host's routes its path is the longest".to_owned()
        }
    };
    let candidates = fitting.iter().map(|(index, route)| Candidate {
        index: *index,
        route: route.to_string(),
        why: if Some(*index) == takes {
            "takes it".to_owned()
        } else if nearness(&route.host, host) == nearest {
            "another path of the same host is longer".to_owned()
        } else {
            "not looked at: the host has routes that name it more exactly".to_owned()
        },
    });
    Lookup {
        candidates: candidates.collect(),
        url,
        path: path.to_owned(),
        host: host.to_owned(),
        takes,
        why,
    }
}

/// How exactly a pattern names a host; `None` when it does not.
fn nearness(pattern: &HostPattern, host: &str) -> Option<usize> {
    match pattern {
        HostPattern::Any => Some(0),
        HostPattern::Exact(name) => (name == host).then_some(usize::MAX),
        HostPattern::Below(suffix) => {
            let before = host.strip_suffix(suffix.as_str())?;
            before.ends_with('.').then_some(suffix.len())
        }
    }
}

fn is_below(path: &str, prefix: &str) -> bool {
    let rest = path.strip_prefix(prefix);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use types::config::{Config as _, GatewayConfig};

    use super::*;

    fn routes(rows: &[(&str, &str)]) -> Vec<Route> {
        let row = |(host, path): &(&str, &str)| match *host {
            "" => json!({"path": path, "respond": "x"}),
            host => json!({"host": host, "path": path, "respond": "x"}),
        };
        let rows: Vec<_> = rows.iter().map(row).collect();
        GatewayConfig::parse(json!({ "routes": rows }))
            .unwrap()
            .routes
    }

    fn look_up(rows: &[(&str, &str)], host: &str, path: &str) -> Lookup {
        let routes = routes(rows);
        let table = Table::new(routes.clone());
        explain(&routes, &table, String::new(), host, path)
    }

    const ROWS: &[(&str, &str)] = &[
        ("", "/"),
        ("a.example.com", "/"),
        ("a.example.com", "/x"),
        ("*.example.com", "/x/y"),
        ("a.example.com", "/z"),
    ];

    #[test]
    fn the_candidates_are_told_apart() {
        let found = look_up(ROWS, "a.example.com", "/x/y");
        assert_eq!(
            (found.takes, found.host.as_str()),
            (Some(2), "a.example.com")
        );
        let told: Vec<_> = found
            .candidates
            .iter()
            .map(|one| (one.index, one.why.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (2, "takes it"),
                (1, "another path of the same host is longer"),
                (
                    3,
                    "not looked at: the host has routes that name it more exactly"
                ),
                (
                    0,
                    "not looked at: the host has routes that name it more exactly"
                ),
            ]
        );
    }

    #[test]
    fn that_there_is_none_is_told_with_its_reason() {
        let found = look_up(&ROWS[1..], "b.example.org", "/");
        assert_eq!(
            (found.takes, found.why.as_str()),
            (None, "no route is for the host b.example.org")
        );
        let found = look_up(ROWS, "b.example.com", "/q");
        assert_eq!(found.takes, None);
        assert_eq!(
            found.why,
            "the host b.example.com has routes, and none of them is for this path"
        );
        assert_eq!(found.candidates.len(), 1);
    }

    proptest! {
        #[test]
        fn what_is_told_is_what_is_done(
            rows in proptest::collection::btree_set(("(\\*\\.)?[ab](\\.[ab]){0,2}|", "/|(/[ab]{1,2}){1,3}"), 0..30),
            host in "[ab](\\.[ab]){0,3}",
            path in "/|(/[ab]{0,2}){1,5}",
        ) {
            let rows: Vec<_> = rows.iter().map(|(host, path)| (host.as_str(), path.as_str())).collect();
            let routes = routes(&rows);
            let table = Table::new(routes.clone());
            let told = explain(&routes, &table, String::new(), &host, &path);
            let done = table.find(&host, &path);
            prop_assert_eq!(told.takes.map(|index| &routes[index]), done);
            prop_assert_eq!(told.takes, told.candidates.first().map(|one| one.index).filter(|_| done.is_some()));
        }
    }
}
