//! Which route a GET takes, and why: the rules of `front` and `routes`, told to an operator.

use std::cmp::Reverse;

use types::{
    config::{GatewayConfig, HostPattern, Route},
    gateway::{Candidate, Lookup},
};

use crate::{
    asked::Asked,
    front::{self, Next},
    routes::Table,
};

/// Looks a URL up; `asked` is what was read of it.
pub fn explain(config: &GatewayConfig, table: &Table, url: String, asked: &Asked) -> Lookup {
    let (host, path) = (asked.host.as_str(), asked.path.as_str());
    let routes = &config.routes;
    let fits = |route: &Route| is_below(path, route.path.as_str());
    let mut fitting: Vec<(usize, &Route)> = routes
        .iter()
        .enumerate()
        .filter(|(_, route)| fits(route) && nearness(&route.host, host).is_some())
        .collect();
    fitting.sort_by_key(|(_, route)| {
        Reverse((nearness(&route.host, host), route.path.as_str().len()))
    });
    let index = |wanted: &Route| {
        let found = fitting.iter().find(|(_, route)| *route == wanted);
        found.map(|(index, _)| *index)
    };
    let nearest = routes
        .iter()
        .filter_map(|route| nearness(&route.host, host))
        .max();
    let (takes, why) = outcome(config, table, asked);
    let takes = takes.and_then(index);
    let best = table.find(host, path).and_then(index);
    let candidates = fitting.iter().map(|(index, route)| Candidate {
        index: *index,
        route: route.to_string(),
        why: if Some(*index) == takes {
            "takes it".to_owned()
        } else if Some(*index) == best {
            "would take it, but the gateway answers first".to_owned()
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

/// The route that it comes to in the end, and the reason.
fn outcome<'t>(
    config: &GatewayConfig,
    table: &'t Table,
    asked: &Asked,
) -> (Option<&'t Route>, String) {
    const LONGEST: &str =
        "its host is the nearest, and of that host's routes its path is the longest";
    match front::next(table, config, asked, true) {
        Next::Healthy => {
            let why = "the gateway itself says that it is well, on every host";
            (None, why.to_owned())
        }
        Next::ToHttps(url) => {
            let over_https = Asked {
                https: true,
                ..asked.clone()
            };
            let (takes, why) = outcome(config, table, &over_https);
            (takes, format!("it is sent to {url} first; then: {why}"))
        }
        Next::ToFolder(route, path) => {
            let why = format!("{LONGEST}; it is sent to {path} first");
            (Some(route), why)
        }
        Next::Route(route) => (Some(route), LONGEST.to_owned()),
        Next::Own(own) => {
            let why = format!("the gateway itself answers {}", own.name());
            (None, why)
        }
        Next::Ambiguous(_, why) => (None, format!("it is refused (400): {why}")),
        Next::Nothing => {
            let mut hosts = config.routes.iter().map(|route| &route.host);
            let why = if hosts.any(|pattern| nearness(pattern, &asked.host).is_some()) {
                format!(
                    "the host {} has routes, and none of them is for this path",
                    asked.host
                )
            } else {
                format!("no route is for the host {}", asked.host)
            };
            (None, why)
        }
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

    fn config(rows: &[(&str, &str)]) -> GatewayConfig {
        let row = |(host, path): &(&str, &str)| match *host {
            "" => json!({"path": path, "worker": "w"}),
            host => json!({"host": host, "path": path, "worker": "w"}),
        };
        let rows: Vec<_> = rows.iter().map(row).collect();
        GatewayConfig::parse(json!({ "routes": rows })).unwrap()
    }

    fn look_up_url(rows: &[(&str, &str)], url: &str) -> Lookup {
        let config = config(rows);
        let table = Table::new(config.routes.clone());
        explain(&config, &table, String::new(), &Asked::read(url).unwrap())
    }

    fn look_up(rows: &[(&str, &str)], host: &str, path: &str) -> Lookup {
        look_up_url(rows, &format!("https://{host}{path}"))
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

    #[test]
    fn what_the_gateway_answers_or_refuses_itself_takes_no_route() {
        const WHOLE: &[(&str, &str)] = &[("", "/"), ("", "/app/"), ("b.example.com", "/x")];
        for (url, takes, why) in [
            (
                "https://a.example.com/health",
                None,
                "the gateway itself says",
            ),
            (
                "http://b.example.com/health",
                None,
                "the gateway itself says",
            ),
            (
                "https://a.example.com/metrics",
                None,
                "the gateway itself answers GET /metrics",
            ),
            (
                "https://a.example.com//app/x",
                None,
                "it is refused (400): the path leads elsewhere",
            ),
            (
                "https://a.example.com/x/..;/y",
                None,
                "it is refused (400): the path hides",
            ),
            (
                "https://a.example.com/app?a=b",
                Some(1),
                "its host is the nearest, and of that host's routes its path is the longest; it is sent to /app/?a=b first",
            ),
            ("wss://a.example.com/x", Some(0), "its host is the nearest"),
            (
                "http://a.example.com/x",
                Some(0),
                "it is sent to https://a.example.com/x first; then: its host is the nearest",
            ),
            (
                "http://a.example.com/%61pp/",
                None,
                "it is sent to https://a.example.com/%61pp/ first; then: it is refused (400)",
            ),
        ] {
            let found = look_up_url(WHOLE, url);
            assert_eq!(found.takes, takes, "{url}");
            assert!(found.why.starts_with(why), "{url}: {}", found.why);
        }
        let refused = look_up_url(WHOLE, "https://a.example.com//app/x");
        assert_eq!(
            refused.candidates[0].why,
            "would take it, but the gateway answers first"
        );
    }

    proptest! {
        #[test]
        fn what_is_told_is_what_is_done(
            rows in proptest::collection::btree_set(("(\\*\\.)?[ab](\\.[ab]){0,2}|", "/|(/[ab]{1,2}){1,3}"), 0..30),
            host in "[ab](\\.[ab]){0,3}",
            path in "/|(/[ab]{0,2}){1,5}",
        ) {
            let rows: Vec<_> = rows.iter().map(|(host, path)| (host.as_str(), path.as_str())).collect();
            let config = config(&rows);
            let table = Table::new(config.routes.clone());
            let asked = Asked::read(&format!("https://{host}{path}")).unwrap();
            let told = explain(&config, &table, String::new(), &asked);
            let done = match front::next(&table, &config, &asked, true) {
                Next::Route(route) | Next::ToFolder(route, _) => Some(route),
                _ => None,
            };
            prop_assert_eq!(told.takes.map(|index| &config.routes[index]), done);
            prop_assert_eq!(told.takes, told.candidates.first().map(|one| one.index).filter(|_| done.is_some()));
        }
    }
}
