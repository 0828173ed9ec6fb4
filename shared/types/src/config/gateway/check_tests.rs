//! Tests of the check of a whole table.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::config::Config;

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern::from(*text)).collect()
}

fn around() -> Surroundings {
    Surroundings {
        services: vec!["PACK".to_owned(), "MY_APP".to_owned()],
        rate_limits: vec!["PER_MINUTE".to_owned()],
        buckets: vec!["SITES".to_owned()],
        secrets: ACCESS_SECRETS.map(str::to_owned).to_vec(),
        patterns: patterns(&[
            "home.example.com",
            "*.apps.example.com/*",
            "example.net/api/*",
        ]),
        others: patterns(&["rp.example.com"]),
    }
}

fn errors(routes: &Value, around: &Surroundings) -> Vec<String> {
    let config = GatewayConfig::parse(json!({ "routes": routes })).unwrap();
    let wrong = check(&config, around);
    wrong.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn assert_error(routes: &Value, key: &str, words: &str) {
    let errors = errors(routes, &around());
    let [error] = &errors[..] else {
        panic!("{errors:?}");
    };
    assert!(error.starts_with(&format!("[vars] {key}: ")), "{error}");
    assert!(error.contains(words), "{error}");
}

#[test]
fn a_good_table_is_good() {
    let routes = json!([
        {"host": "home.example.com", "path": "/", "origin": "https://origin.example.org"},
        {"host": "home.example.com", "path": "/app", "worker": "my-app", "rate_limit": "per-minute"},
        {"host": "nas.apps.example.com", "path": "/", "origin": "https://nas.example.org", "access": true},
        {"host": "*.apps.example.com", "path": "/", "redirect": "https://home.example.com/*"},
        {"host": "example.net", "path": "/api/v1", "worker": "pack"},
        {"host": "example.net", "path": "/", "site": "www"},
        {"host": "home.example.com", "path": "/old", "redirect": "/app/*"},
    ]);
    assert_eq!(errors(&routes, &around()), [""; 0]);
}

#[test]
fn a_worker_that_is_not_bound_is_named_with_what_is() {
    assert_error(
        &json!([{"host": "home.example.com", "path": "/x", "worker": "pakc"}]),
        "routes[0].worker",
        "home.example.com/x -> pakc: no [[services]] has the binding PAKC; there is PACK, MY_APP",
    );
}

#[test]
fn a_rate_limit_a_bucket_and_secrets_that_are_not_there_are_named() {
    let bare = Surroundings {
        services: vec!["PACK".to_owned()],
        ..Surroundings::default()
    };
    let routes = json!([
        {"path": "/a", "worker": "pack", "rate_limit": "PER_MINUTE"},
        {"path": "/b", "site": "www"},
        {"path": "/c", "origin": "https://a.example.org", "access": true},
    ]);
    assert_eq!(
        errors(&routes, &bare),
        [
            "[vars] routes[0].rate_limit: */a -> pack: no [[ratelimits]] has the name PER_MINUTE; there is none at all",
            "[vars] routes[1].site: */b -> site www: no [[r2_buckets]] has the binding SITES",
            "[vars] routes[2].access: */c -> https://a.example.org: the service token is two secrets, and [secrets] required does not name ACCESS_CLIENT_ID",
        ]
    );
}

#[test]
fn an_origin_that_is_one_of_our_own_hosts_is_a_loop() {
    for (origin, words) in [
        (
            "https://home.example.com",
            "home.example.com is a host of the gateway itself",
        ),
        (
            "https://HOME.example.com:8443/x",
            "home.example.com is a host of the gateway itself",
        ),
        (
            "https://nas.apps.example.com",
            "nas.apps.example.com is a host of the gateway itself",
        ),
        (
            "https://rp.example.com",
            "rp.example.com is a host of one of our workers",
        ),
    ] {
        let routes = json!([{"host": "home.example.com", "path": "/", "origin": origin}]);
        assert_error(&routes, "routes[0].origin", words);
    }
    // Also where nothing is known of how requests come: by the hosts in the table.
    let routes = json!([
        {"host": "a.example.com", "path": "/", "origin": "https://b.example.com"},
        {"host": "b.example.com", "path": "/", "origin": "https://c.d.example.com"},
        {"host": "*.d.example.com", "path": "/", "respond": "x"},
    ]);
    let errors = errors(&routes, &Surroundings::default());
    assert_eq!(errors.len(), 2, "{errors:?}");
}

#[test]
fn another_server_on_this_machine_is_no_loop() {
    let config = json!({"LOCAL": true, "routes": [
        {"host": "localhost", "path": "/", "origin": "http://localhost:3000"},
    ]});
    let config = GatewayConfig::parse(config).unwrap();
    assert_eq!(check(&config, &Surroundings::default()), []);
}

#[test]
fn a_redirect_to_itself_is_a_loop_and_one_to_a_longer_route_is_not() {
    for target in [
        "/old/new",
        "/old/*",
        "https://home.example.com/old?x=1",
        "https://HOME.example.com:443/old/x/*",
        "https://home.example.com./old",
    ] {
        let routes = json!([{"host": "home.example.com", "path": "/old", "redirect": target}]);
        assert_error(&routes, "routes[0].redirect", "again and again");
    }
    let fine = json!([
        {"host": "home.example.com", "path": "/", "redirect": "/app/"},
        {"host": "home.example.com", "path": "/app", "worker": "pack"},
        {"host": "home.example.com", "path": "/old", "redirect": "https://www.example.org/old"},
        {"host": "home.example.com", "path": "/older", "redirect": "/old"},
    ]);
    assert_eq!(errors(&fine, &around()), [""; 0]);
}

#[test]
fn a_redirect_of_many_hosts_to_one_of_them_is_a_loop() {
    for (host, target) in [
        ("*.example.com", "https://home.example.com/"),
        ("", "https://home.example.com/*"),
        ("", "https://example.net/api/x"),
    ] {
        let mut route = json!({"path": "/", "redirect": target});
        if !host.is_empty() {
            route["host"] = json!(host);
        }
        assert_error(&json!([route]), "routes[0].redirect", "again and again");
    }
    let fine = json!([
        {"host": "home.example.com", "path": "/", "worker": "pack"},
        {"path": "/api/home", "redirect": "https://home.example.com/*"},
        // This may be another server's.
        {"host": "*.apps.example.com", "path": "/", "redirect": "https://www.apps.example.com/*"},
        {"path": "/", "redirect": "https://www.example.org/*"},
    ]);
    assert_eq!(errors(&fine, &around()), [""; 0]);
}

#[test]
fn what_no_pattern_brings_is_unreachable() {
    let never = "it is never reached";
    for host in [
        "other.example.com",
        "example.org",
        "apps.example.com",
        "*.example.org",
    ] {
        let routes = json!([{"host": host, "path": "/", "respond": "x"}]);
        assert_error(&routes, "routes[0]", never);
    }
    assert_error(
        &json!([{"host": "example.net", "path": "/web", "respond": "x"}]),
        "routes[0]",
        "bring other paths",
    );
    for (host, path) in [
        ("*.example.com", "/"),
        ("*.net", "/api"),
        ("a.b.apps.example.com", "/x"),
        ("*.b.apps.example.com", "/x"),
        ("example.net", "/api"),
        ("example.net", "/api/x/y"),
        ("example.net", "/"),
    ] {
        let routes = json!([{"host": host, "path": path, "respond": "x"}]);
        assert_eq!(errors(&routes, &around()), [""; 0], "{host}{path}");
    }
}

#[test]
fn routes_for_every_host_are_unreachable_when_each_host_has_its_own() {
    let mut around = around();
    around.patterns = patterns(&["home.example.com", "a.apps.example.com"]);
    let routes = json!([
        {"host": "home.example.com", "path": "/", "respond": "x"},
        {"host": "*.apps.example.com", "path": "/", "respond": "x"},
        {"path": "/ip", "respond": "x"},
    ]);
    let errors = errors(&routes, &around);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].starts_with("[vars] routes[2]: */ip -> respond 200: it is never reached"),
        "{errors:?}"
    );
}

/// A host with routes, and one of them for a path: the slow way to say which route answers.
fn takes(routes: &[Route], host: &str, path: &str) -> Option<usize> {
    let rank = |route: &Route| match &route.host {
        HostPattern::Exact(own) => (own == host).then_some(usize::MAX),
        HostPattern::Below(suffix) => host
            .ends_with(&format!(".{suffix}"))
            .then_some(suffix.len()),
        HostPattern::Any => Some(0),
    };
    let best = routes.iter().filter_map(rank).max()?;
    let own = routes
        .iter()
        .enumerate()
        .filter(|(_, route)| rank(route) == Some(best));
    own.filter(|(_, route)| {
        let prefix = route.path.as_str();
        path == prefix || path.starts_with(&format!("{prefix}/"))
    })
    .max_by_key(|(_, route)| route.path.as_str().len())
    .map(|(index, _)| index)
}

proptest! {
    /// Nothing that a request can come to is called unreachable.
    #[test]
    fn a_route_that_answers_is_not_called_unreachable(
        rows in proptest::collection::btree_set(("(\\*\\.)?[ab](\\.[ab]){0,2}|", "/|(/[ab]){1,2}"), 1..12),
        brings in proptest::collection::vec("(\\*\\.)?[ab](\\.[ab]){0,2}(/\\*|/[ab]/\\*)?", 1..4),
        host in "[ab](\\.[ab]){0,3}",
        path in "/|(/[ab]){1,3}",
    ) {
        let routes: Vec<_> = rows.iter().map(|(host, path)| match host.as_str() {
            "" => json!({"path": path, "respond": "x"}),
            host => json!({"host": host, "path": path, "respond": "x"}),
        }).collect();
        let config = GatewayConfig::parse(json!({ "routes": routes })).unwrap();
        let around = Surroundings {
            patterns: brings.iter().map(|text| Pattern::from(text.as_str())).collect(),
            ..Surroundings::default()
        };
        let comes = around.patterns.iter().any(|pattern| pattern.has(&host) && path.starts_with(&pattern.path));
        if comes && let Some(index) = takes(&config.routes, &host, &path) {
            let key = format!("routes[{index}]");
            let wrong = check(&config, &around);
            prop_assert!(!wrong.iter().any(|wrong| wrong.key == key), "{wrong:?}");
        }
    }

    #[test]
    fn any_pattern_is_read(text in "\\PC{0,40}") {
        let _ = Pattern::from(text.as_str()).has("a.example.com");
    }
}
