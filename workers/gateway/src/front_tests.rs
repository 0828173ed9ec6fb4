//! What the table decides, and that no spelling of a path gets further than its plain form.

use proptest::prelude::*;
use serde_json::{Value, json};
use types::config::Config as _;

use super::*;

fn config(vars: Value) -> (Table, GatewayConfig) {
    let config = GatewayConfig::parse(vars).unwrap();
    (Table::new(config.routes.clone()), config)
}

fn table(routes: &Value) -> (Table, GatewayConfig) {
    config(json!({"LOCAL": true, "routes": routes}))
}

fn decided(of: &(Table, GatewayConfig), url: &str) -> String {
    let asked = Asked::read(url).unwrap();
    match next(&of.0, &of.1, &asked, true) {
        Next::Healthy => "healthy".to_owned(),
        Next::ToHttps(url) => url,
        Next::ToFolder(_, path) => path,
        Next::Route(route) => route.label(),
        Next::Own(own) => own.name().to_owned(),
        Next::Nothing => "nothing".to_owned(),
        Next::Ambiguous(..) => "ambiguous".to_owned(),
    }
}

fn home() -> (Table, GatewayConfig) {
    table(&json!([
        {"path": "/", "origin": "https://web.example.com"},
        {"path": "/proxtube/", "origin": "https://tube.example.com", "strip_prefix": true},
        {"path": "/admin", "origin": "https://web.example.com", "auth": "bearer"},
        {"path": "/old/", "redirect": "https://b.example.com/new/*"},
        {"path": "/w", "worker": "pack"},
        {"host": "own.example.com", "path": "/health", "respond": "own"},
        {"host": "app.example.com", "path": "/app", "site": "docs"},
        {"host": "folder.example.com", "path": "/health/", "origin": "https://web.example.com"},
    ]))
}

#[test]
fn a_path_leads_to_its_route_and_a_folder_gets_its_slash() {
    let home = home();
    for (path, decision) in [
        ("/", "*/"),
        ("/x", "*/"),
        ("/proxtube", "/proxtube/"),
        ("/proxtube?a=b&c=%2f", "/proxtube/?a=b&c=%2f"),
        ("/proxtube/", "*/proxtube/"),
        ("/proxtube/x", "*/proxtube/"),
        ("/proxtubes", "*/"),
        ("/a/../proxtube", "/proxtube/"),
        ("/old", "*/old/"),
        ("/admin", "*/admin"),
        ("/admin/", "*/admin"),
    ] {
        assert_eq!(
            decided(&home, &format!("http://a.example.com{path}")),
            decision,
            "{path}"
        );
    }
    assert_eq!(decided(&home, "http://app.example.com/x"), "nothing");
}

#[test]
fn health_is_answered_on_every_host_unless_a_route_is_for_it() {
    let home = home();
    for host in [
        "a.example.com",
        "app.example.com",
        "folder.example.com",
        "203.0.113.7",
        "[2001:db8::1]:8080",
    ] {
        assert_eq!(
            decided(&home, &format!("http://{host}/health?x")),
            "healthy"
        );
        assert_ne!(decided(&home, &format!("http://{host}/health/")), "healthy");
    }
    assert_eq!(
        decided(&home, "http://own.example.com/health"),
        "own.example.com/health"
    );
    assert_eq!(
        decided(&home, "http://folder.example.com/health/"),
        "folder.example.com/health/"
    );
    let asked = Asked::read("http://app.example.com/health").unwrap();
    assert_eq!(next(&home.0, &home.1, &asked, false), Next::Nothing);
}

#[test]
fn plain_http_is_sent_to_https_outside_local_development() {
    let routes = json!([{"path": "/", "worker": "pack"}]);
    let vars = |more: Value| {
        let mut vars = json!({"routes": routes});
        vars.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        config(vars)
    };
    let deployed = vars(json!({}));
    let url = "http://A.example.com:8080//x/../y?z#f";
    assert_eq!(decided(&deployed, url), "https://a.example.com//y?z");
    assert_eq!(decided(&deployed, "https://a.example.com/x"), "*/");
    assert_eq!(decided(&deployed, "http://a.example.com/health"), "healthy");
    for more in [json!({"HTTPS_ONLY": false}), json!({"LOCAL": true})] {
        assert_eq!(decided(&vars(more), "http://a.example.com/x"), "*/");
    }
}

#[test]
fn a_path_that_another_server_would_read_differently_is_refused() {
    let home = home();
    for path in [
        "/%61dmin",
        "/%2561dmin",
        "//admin",
        "/x%2f..%2fadmin",
        "/x/..%2fadmin",
        "/admin;x",
        "/;/admin",
        "/x/..;/admin",
        "/proxtube/..%2f..%2fadmin",
        "/proxtube/%2e%2e%2fadmin",
        "/proxtube/..;/x",
        "/proxtube/%252e%252e/x",
        "/%5cadmin",
        "/proxtube%2fx",
        "/x%00",
        "/proxtube/x%0d%0aX:1",
        "/admin%2f",
        "/admin%3f",
        "/admin%3Fx/y",
        "/admin%23x",
        "/%61dmin%253fx",
        "/proxtube/..%3f",
        "/proxtube/a%3f/..%2f..%2fadmin",
    ] {
        assert_eq!(
            decided(&home, &format!("http://a.example.com{path}")),
            "ambiguous",
            "{path}"
        );
    }
    for (path, decision) in [
        ("/a%2fb", "*/"),
        ("/a;b=c/d", "*/"),
        ("/a//b", "*/"),
        ("/%E3%81%82", "*/"),
        ("/100%", "*/"),
        ("/proxtube/a%2fb%20c", "*/proxtube/"),
        ("/admin/x%2fy", "*/admin"),
        ("/admin/what%3f", "*/admin"),
        ("/x%3f/admin", "*/"),
        ("/%23", "*/"),
        ("/w/a%00", "*/w"),
    ] {
        assert_eq!(
            decided(&home, &format!("http://a.example.com{path}")),
            decision,
            "{path}"
        );
    }
}

#[test]
fn a_redirect_leads_to_one_place_or_to_the_rest() {
    let (table, config) = table(&json!([
        {"path": "/old/", "redirect": "https://b.example.com/new/*"},
        {"path": "/go", "redirect": "/there?x=1"},
        {"path": "/self", "redirect": "/*"},
    ]));
    let location = |path: &str| {
        let asked = Asked::read(&format!("http://a.example.com{path}")).unwrap();
        let Next::Route(route) = next(&table, &config, &asked, true) else {
            panic!("{path}");
        };
        let Upstream::Redirect(redirect) = &route.upstream else {
            panic!("{path}");
        };
        super::location(redirect, route, &asked)
    };
    assert_eq!(
        location("/old/a/b?c=d"),
        "https://b.example.com/new/a/b?c=d"
    );
    assert_eq!(location("/old"), "https://b.example.com/new/");
    assert_eq!(location("/go/anything?y"), "/there?x=1");
    assert_eq!(location("/self//evil.example.com"), "/evil.example.com");
}

/// How a client can write `/a` and still mean something like it.
fn spelled() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("a".to_owned()),
        Just("b".to_owned()),
        Just("%61".to_owned()),
        Just("%2561".to_owned()),
        Just("..".to_owned()),
        Just("%2e%2E".to_owned()),
        Just(".%2e".to_owned()),
        Just("%252e%252e".to_owned()),
        Just("..;x".to_owned()),
        Just("a;x".to_owned()),
        Just(".".to_owned()),
        Just(String::new()),
        Just("%".to_owned()),
        Just("a%3fb".to_owned()),
        Just("a%2523".to_owned()),
        Just("%3F".to_owned()),
    ];
    let slash = prop_oneof![
        5 => Just("/"), 1 => Just("//"), 1 => Just("\\"), 1 => Just("%2f"), 1 => Just("%5C"), 1 => Just("%252F")
    ];
    proptest::collection::vec((slash, piece), 1..6).prop_map(|pieces| {
        pieces
            .into_iter()
            .fold("/".to_owned(), |all, (slash, piece)| all + &piece + slash)
    })
}

/// What a server makes of a path that decodes `rounds` times over, then ends it at what it takes for a
/// query or fragment, drops parameters, merges slashes and resolves dots.
fn understood(path: &str, rounds: usize) -> String {
    let mut path = path.to_owned();
    for _ in 0..rounds {
        for (escape, char) in [
            ("%25", "%"),
            ("%61", "a"),
            ("%2f", "/"),
            ("%2F", "/"),
            ("%5C", "/"),
            ("%2e", "."),
            ("%2E", "."),
            ("%3f", "?"),
            ("%3F", "?"),
            ("%23", "#"),
        ] {
            path = path.replace(escape, &char.replace('%', "\u{0}"));
        }
        path = path.replace('\u{0}', "%");
    }
    let path = path.split(['?', '#']).next().unwrap_or("");
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split(['/', '\\']) {
        match segment.split(';').next().unwrap_or("") {
            "" | "." => {}
            ".." => drop(kept.pop()),
            name => kept.push(name),
        }
    }
    format!("/{}", kept.join("/"))
}

proptest! {
    /// However often a server decodes, what it understands is at the route that was chosen.
    #[test]
    fn no_spelling_reaches_past_the_table(path in spelled(), rounds in 0..3_usize) {
        let routes = table(&json!([
            {"path": "/", "origin": "https://web.example.com"},
            {"path": "/a", "origin": "https://web.example.com", "auth": "bearer"},
            {"path": "/a/b", "respond": "x"},
            {"path": "/b/", "origin": "https://web.example.com"},
        ]));
        let asked = Asked::read(&format!("http://h.example.com{path}")).unwrap();
        if let Next::Route(route) = next(&routes.0, &routes.1, &asked, false) {
            let understood = understood(&asked.path, rounds);
            let plain = routes.0.find("h.example.com", &understood);
            prop_assert_eq!(plain.map(Route::label), Some(route.label()), "{} is {}", asked.path, understood);
        }
    }
}
