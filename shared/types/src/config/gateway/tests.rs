//! What the route table accepts, and how it names what it refuses.

use serde_json::{Value, json};

use super::*;

fn error(routes: &Value) -> String {
    GatewayConfig::parse(json!({ "routes": routes }))
        .unwrap_err()
        .to_string()
}

#[test]
fn wrong_routes_are_named() {
    for (route, key) in [
        (json!({"path": "api", "worker": "pack"}), "routes[0].path"),
        (
            json!({"path": "/a/../b", "worker": "pack"}),
            "routes[0].path",
        ),
        (json!({"path": "/", "worker": ""}), "routes[0].worker"),
        (json!({"path": "/", "worker": "pa ck"}), "routes[0].worker"),
        (
            json!({"path": "/", "host": "*.", "worker": "pack"}),
            "routes[0].host",
        ),
        // No request has such a host.
        (
            json!({"path": "/", "host": "a..example.com", "worker": "pack"}),
            "routes[0].host",
        ),
        (
            json!({"path": "/", "host": "a:80", "worker": "pack"}),
            "routes[0].host",
        ),
        (
            json!({"path": "/", "worker": "pack", "orgin": "x"}),
            "routes[0].orgin",
        ),
    ] {
        let error = error(&json!([route]));
        assert!(error.starts_with(&format!("[vars] {key}:")), "{error}");
    }
}

#[test]
fn a_star_in_a_path_is_refused_with_what_to_write_instead() {
    for path in ["/api/*", "/*", "/a*/b"] {
        let error = error(&json!([{"path": path, "worker": "pack"}]));
        assert!(
            error.contains("a path is a prefix already: leave out the `*`"),
            "{error}"
        );
    }
    // It has a meaning in where a redirect leads.
    let redirect = json!({"routes": [{"path": "/old", "redirect": "/new/*"}]});
    assert!(GatewayConfig::parse(redirect).is_ok());
}

#[test]
fn a_route_that_is_there_twice_is_refused() {
    let twice = json!([
        {"host": "A.example.com", "path": "/x", "worker": "pack"},
        {"host": "a.example.com", "path": "/x/", "worker": "ddns"},
    ]);
    assert!(
        error(&twice).starts_with("[vars] routes[1]: a.example.com/x/ -> ddns: an earlier route")
    );
}

#[test]
fn a_route_is_named_by_what_it_matches_and_where_it_leads() {
    let table = json!({"routes": [
        {"host": "RP.example.com", "path": "/", "worker": "pack"},
        {"host": "*.example.com", "path": "/a/", "worker": "my-app"},
        {"path": "/ip", "worker": "ddns"},
    ]});
    let table = GatewayConfig::parse(table).unwrap();
    let names: Vec<_> = table.routes.iter().map(Route::to_string).collect();
    assert_eq!(
        names,
        [
            "rp.example.com/ -> pack",
            "*.example.com/a/ -> my-app",
            "*/ip -> ddns"
        ]
    );
    let Upstream::Worker(worker) = &table.routes[1].upstream else {
        panic!("{:?}", table.routes[1]);
    };
    assert_eq!(worker.binding(), "MY_APP");
}

fn route(keys: &Value) -> Result<Route, String> {
    let mut all = json!({"host": "a.example.com", "path": "/app/"});
    let keys = keys.as_object().unwrap().clone();
    all.as_object_mut().unwrap().extend(keys);
    GatewayConfig::parse(json!({"LOCAL": true, "routes": [all]}))
        .map(|mut config| config.routes.remove(0))
        .map_err(|error| error.to_string())
}

#[test]
fn a_route_leads_to_one_of_five() {
    for (keys, shown) in [
        (json!({"worker": "my-app"}), "my-app"),
        (
            json!({"origin": "https://NAS.example.com:443/base/"}),
            "https://nas.example.com/base",
        ),
        (
            json!({"origin": "http://127.0.0.1:8080"}),
            "http://127.0.0.1:8080",
        ),
        (json!({"site": "docs", "spa": true}), "site docs"),
        (
            json!({"redirect": "https://b.example.com/*", "status": 308}),
            "308 https://b.example.com/*",
        ),
        (json!({"redirect": "/new?x=1#y"}), "302 /new?x=1#y"),
        (json!({"respond": "gone\n", "status": 410}), "respond 410"),
        (json!({"respond": "", "status": 204}), "respond 204"),
    ] {
        let route = route(&keys).unwrap();
        assert_eq!(route.to_string(), format!("a.example.com/app/ -> {shown}"));
    }
}

#[test]
fn what_a_route_leaves_out_has_a_default() {
    let route = route(&json!({"origin": "https://nas.example.com"})).unwrap();
    assert_eq!(route.timeout_seconds, 30);
    assert_eq!(
        (route.auth, route.maintenance, route.rate_limit),
        (Auth::None, None, None)
    );
    let protection = Protection {
        csp: None,
        permissions: None,
        frame: Frame::Sameorigin,
    };
    assert_eq!(route.protection, Some(protection));
    let Upstream::Origin(origin) = route.upstream else {
        panic!("{:?}", route.upstream);
    };
    assert!(!origin.strip_prefix && !origin.access);
}

#[test]
fn a_wrong_or_misplaced_key_is_named() {
    let origin = "https://nas.example.com";
    for (keys, message) in [
        (json!({}), "exactly one of `worker`, `origin`"),
        (
            json!({"origin": origin, "site": "docs"}),
            "exactly one of `worker`, `origin`",
        ),
        (
            json!({"origin": origin, "spa": true}),
            "spa: it is only for a `site`",
        ),
        (
            json!({"site": "docs", "access": true}),
            "access: it is only for an `origin`",
        ),
        (
            json!({"worker": "w", "strip_prefix": true}),
            "strip_prefix: it is only",
        ),
        (
            json!({"worker": "w", "status": 301}),
            "status: it is only for `redirect`",
        ),
        (
            json!({"redirect": "/x", "content_type": "a/b"}),
            "content_type: it is only",
        ),
        (
            json!({"redirect": "/x", "status": 200}),
            "status: a redirect is 301",
        ),
        (
            json!({"respond": "x", "status": 101}),
            "status: 101 is not 200 to 599",
        ),
        (json!({"respond": "x", "status": 204}), "has no body"),
        (
            json!({"respond": "x", "content_type": "a\nb: c"}),
            "content_type: \"a\\nb: c\"",
        ),
        (
            json!({"origin": origin, "timeout_seconds": 0}),
            "timeout_seconds: 0 is not 1 to 3600",
        ),
        (
            json!({"origin": origin, "timeout_seconds": 3601}),
            "timeout_seconds: 3601",
        ),
        (
            json!({"site": "docs", "timeout_seconds": 1}),
            "timeout_seconds: it is only",
        ),
        (
            json!({"origin": origin, "retry_after_seconds": 0}),
            "retry_after_seconds: 0",
        ),
        (
            json!({"origin": origin, "scope": "ops:read"}),
            "scope: it is only for `auth",
        ),
        (
            json!({"origin": origin, "forward_token": true}),
            "forward_token: it is only",
        ),
        (
            json!({"site": "docs", "auth": "bearer", "forward_token": true}),
            "forward_token: it",
        ),
        (
            json!({"origin": origin, "headers": "off", "csp": "x"}),
            "csp: it is only for `headers",
        ),
        (
            json!({"origin": origin, "csp": "a\r\nb"}),
            "csp: \"a\\r\\nb\" is not the value",
        ),
        (json!({"origin": origin, "name": " "}), "name: \" \" is not"),
    ] {
        let error = route(&keys).unwrap_err();
        let place = "[vars] routes[0]: a.example.com/app/: ";
        assert!(
            error.starts_with(place) && error.contains(message),
            "{error}"
        );
    }
}

#[test]
fn a_wrong_value_is_named_with_its_key() {
    let origin = "https://nas.example.com";
    for (keys, key) in [
        (json!({"origin": origin, "auth": "basic"}), "auth"),
        (
            json!({"origin": origin, "auth": "bearer", "scope": "x"}),
            "scope",
        ),
        (json!({"origin": origin, "maintenance": 1}), "maintenance"),
        (
            json!({"origin": origin, "maintenance": {"fr": "x"}}),
            "maintenance",
        ),
        (json!({"origin": origin, "frame": "none"}), "frame"),
        (json!({"origin": origin, "rate_limit": "a b"}), "rate_limit"),
        (json!({"site": "Docs"}), "site"),
    ] {
        let error = route(&keys).unwrap_err();
        assert!(
            error.starts_with(&format!("[vars] routes[0].{key}")),
            "{error}"
        );
    }
}

#[test]
fn an_origin_is_a_url_without_anything_that_could_lead_elsewhere() {
    for bad in [
        "nas.example.com",
        "ftp://nas.example.com",
        "https://",
        "https:///x",
        "https://a:b@c",
        "https://a?x",
        "https://a#x",
        "https://a/x?y",
        "https://a/../b",
        "https://a//b",
        "https://a/%2e",
        "https://a:0",
        "https://a b",
        "https://a\\b",
        "HTTPS://a",
        "https://:443",
    ] {
        assert!(OriginUrl::try_from(bad.to_owned()).is_err(), "{bad:?}");
    }
    let parts = |text: &str| {
        let url = OriginUrl::try_from(text.to_owned()).unwrap();
        (
            url.authority().to_owned(),
            url.host().to_owned(),
            url.base().to_owned(),
        )
    };
    let owned = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
    assert_eq!(
        parts("https://A.example.com"),
        owned("a.example.com", "a.example.com", "")
    );
    assert_eq!(parts("http://a:8443/x/"), owned("a:8443", "a", "/x"));
    assert_eq!(parts("http://[::1]:80/"), owned("[::1]", "[::1]", ""));
    for host in [
        "a.example.com.",
        "a..example.com",
        ".a.example.com",
        ".",
        "a.:8443",
    ] {
        let url = format!("https://{host}");
        assert!(OriginUrl::try_from(url).is_err(), "{host}");
    }
    assert_eq!(parts("http://[::1]:81"), owned("[::1]:81", "[::1]", ""));
}

#[test]
fn an_origin_without_https_is_on_this_machine_in_local_development() {
    let config = |origin: &str, local: bool| {
        let routes = json!([{"path": "/", "origin": origin}]);
        GatewayConfig::parse(json!({"LOCAL": local, "routes": routes})).map(drop)
    };
    for origin in [
        "http://127.0.0.1:1",
        "http://localhost",
        "http://[::1]:8080",
    ] {
        assert_eq!(config(origin, true), Ok(()));
        let error = config(origin, false).unwrap_err().to_string();
        assert!(
            error.starts_with("[vars] routes[0].origin: */ -> http://"),
            "{error}"
        );
    }
    for origin in [
        "http://10.0.0.1",
        "http://127.example.com",
        "http://localhost.example.com",
    ] {
        assert!(config(origin, true).is_err(), "{origin}");
    }
    assert_eq!(config("https://nas.example.com", false), Ok(()));
}

#[test]
fn a_redirect_leads_to_a_url_or_a_path() {
    for bad in [
        "",
        "x",
        "//evil.example.com",
        "https://",
        "https:///x",
        "javascript:alert(1)",
        "/a*",
        "/*/b",
        "/a/*?x",
        "/a b",
        "https://a\\b/",
        "/\"",
    ] {
        assert!(RedirectTarget::try_from(bad.to_owned()).is_err(), "{bad:?}");
    }
    let target = RedirectTarget::try_from("https://a.example.com/b/*".to_owned()).unwrap();
    assert_eq!(target.before_rest(), Some("https://a.example.com/b/"));
    let exact = RedirectTarget::try_from("/b".to_owned()).unwrap();
    assert_eq!((exact.before_rest(), exact.as_str()), (None, "/b"));
}

#[test]
fn maintenance_is_a_flag_a_message_or_one_in_two_languages() {
    let read = |value: Value| {
        let keys = json!({"worker": "w", "maintenance": value});
        let maintenance = route(&keys).unwrap().maintenance;
        maintenance.map(|maintenance| (maintenance.en, maintenance.ja))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(read(json!(false)), None);
    assert_eq!(read(json!(true)), Some((None, None)));
    assert_eq!(
        read(json!("until six")),
        Some((some("until six"), some("until six")))
    );
    assert_eq!(
        read(json!({"ja": "六時まで"})),
        Some((some("六時まで"), some("六時まで")))
    );
    let both = json!({"ja": "六時まで", "en": "until six"});
    assert_eq!(read(both), Some((some("until six"), some("六時まで"))));
}
