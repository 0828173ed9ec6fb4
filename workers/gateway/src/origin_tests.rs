//! Both directions of the mapping.

use proptest::prelude::*;

use super::*;

fn origin(url: &str, strip_prefix: bool) -> Origin {
    Origin {
        url: OriginUrl::try_from(url.to_owned()).unwrap(),
        strip_prefix,
        access: false,
    }
}

fn mapping<'a>(origin: &'a Origin, prefix: &'a str) -> Mapping<'a> {
    let public = "https://a.example.com";
    Mapping {
        origin,
        prefix,
        public,
    }
}

const NAS: &str = "https://nas.example.com";
const TUNNEL: &str = "https://app.tunnel.example.net";

#[test]
fn a_request_goes_below_the_base_without_what_is_stripped() {
    for (url, strip, prefix, path, target) in [
        (NAS, false, "", "/x", "https://nas.example.com/x"),
        (
            NAS,
            false,
            "/app",
            "/app/x",
            "https://nas.example.com/app/x",
        ),
        (NAS, true, "/app", "/app/x", "https://nas.example.com/x"),
        (NAS, true, "/app", "/app", "https://nas.example.com/"),
        (NAS, true, "/app", "/app/", "https://nas.example.com/"),
        (
            NAS,
            true,
            "/app",
            "/app//evil.example.com/x",
            "https://nas.example.com/evil.example.com/x",
        ),
        (
            NAS,
            false,
            "",
            "//evil.example.com/x",
            "https://nas.example.com/evil.example.com/x",
        ),
        (
            "https://nas.example.com/base",
            true,
            "/app",
            "/app/x",
            "https://nas.example.com/base/x",
        ),
        (
            "https://nas.example.com/base",
            false,
            "/app",
            "/app/x",
            "https://nas.example.com/base/app/x",
        ),
    ] {
        let origin = origin(url, strip);
        assert_eq!(
            mapping(&origin, prefix).target(path, "?q=%20"),
            format!("{target}?q=%20")
        );
    }
}

/// What `Location` becomes below `/app`, for an origin at this URL.
#[track_caller]
fn assert_outside(url: &str, strip: bool, location: &str, outside: Option<&str>) {
    let origin = origin(url, strip);
    let found = mapping(&origin, "/app").reference(location);
    assert_eq!(found.as_deref(), outside, "{location}");
}

#[test]
fn a_redirect_by_path_gets_the_prefix_back() {
    for (location, outside) in [
        ("/login", Some("/app/login")),
        ("/", Some("/app/")),
        ("/?x=/y", Some("/app/?x=/y")),
        ("/apple", Some("/app/apple")),
        ("/app/login", None),
        ("login", None),
        ("../x", None),
        ("?x", None),
        ("", None),
    ] {
        assert_outside(NAS, true, location, outside);
    }
    assert_outside(NAS, false, "/app/login", None);
    assert_outside(NAS, false, "/other", None);
}

#[test]
fn a_redirect_by_the_origins_name_gets_the_public_one() {
    const PUBLIC: &str = "https://a.example.com/app";
    for (location, rest) in [
        ("https://nas.example.com/login", "/login"),
        ("http://NAS.example.com:80/x", "/x"),
        ("https://nas.example.com:443", "/"),
        ("//nas.example.com/x", "/x"),
        ("HTTPS://nas.example.com/app/x?y#z", "/x?y#z"),
    ] {
        assert_outside(NAS, true, location, Some(&format!("{PUBLIC}{rest}")));
    }
    let whole = Some("https://a.example.com/app/x?y#z");
    assert_outside(NAS, false, "https://nas.example.com/app/x?y#z", whole);
}

#[test]
fn a_redirect_to_elsewhere_stays() {
    for location in [
        "https://nas.example.com:8443/x",
        "https://evil.example.com/x",
        "https://nas.example.com.evil.example.com/x",
        "https://nas.example.com@evil.example.com/x",
        "//evil.example.com",
        "https://a.example.com/other/",
        "mailto:a@example.com",
    ] {
        assert_outside(NAS, true, location, None);
    }
}

#[test]
fn a_redirect_loses_the_base_and_never_becomes_a_host() {
    const BASED: &str = "https://nas.example.com/base";
    for (strip, location, outside) in [
        (true, "/base/x", Some("/app/x")),
        (true, "/base", Some("/app/")),
        (true, "/base?x", Some("/app/?x")),
        (true, "/based", None),
        (true, "/other", None),
        (true, "https://nas.example.com/other", None),
        (false, "/base/app/x", Some("/app/x")),
        (false, "/base//evil.example.com", Some("/evil.example.com")),
        (false, "/base/\\evil.example.com", Some("/evil.example.com")),
    ] {
        assert_outside(BASED, strip, location, outside);
    }
}

#[test]
fn a_refresh_keeps_its_delay_and_quotes() {
    let origin = origin(NAS, true);
    let refresh = |value| mapping(&origin, "/app").refresh(value);
    assert_eq!(refresh("5; url=/x"), Some("5; url=/app/x".to_owned()));
    assert_eq!(refresh("0;URL='/x'"), Some("0;URL='/app/x'".to_owned()));
    assert_eq!(
        refresh("0; url=\"/x\""),
        Some("0; url=\"/app/x\"".to_owned())
    );
    assert_eq!(refresh("5"), None);
    assert_eq!(refresh("5; url=https://evil.example.com/"), None);
}

#[test]
fn a_cookie_for_a_domain_that_no_visitor_is_in_is_for_the_public_host() {
    for (url, cookie, outside) in [
        (
            TUNNEL,
            "a=1; Domain=example.net; Secure",
            Some("a=1; Secure"),
        ),
        (TUNNEL, "a=1; Domain=.Tunnel.example.net", Some("a=1")),
        (TUNNEL, "a=1; Domain=app.tunnel.example.net", Some("a=1")),
        // Not the origin's to give away, and refused by the browser.
        (TUNNEL, "a=1; Domain=example.org", None),
        (TUNNEL, "a=1; Domain=ample.net", None),
        (TUNNEL, "a=1; Domain=", None),
        // One that both are in is meant to be shared.
        (NAS, "a=1; Domain=example.com", None),
        (NAS, "a=1; Domain=.EXAMPLE.com", None),
    ] {
        let origin = origin(url, false);
        let outside = outside.map(str::to_owned);
        assert_eq!(mapping(&origin, "").cookie(cookie), outside, "{cookie}");
    }
    // The public host with its port.
    let origin = origin(NAS, false);
    let public = "http://a.example.com:8443";
    let mapping = Mapping {
        public,
        ..mapping(&origin, "")
    };
    assert_eq!(mapping.cookie("a=1; Domain=example.com"), None);
}

#[test]
fn a_cookie_stays_with_its_application() {
    for (strip, cookie, outside) in [
        (
            true,
            "a=1; Path=/; HttpOnly",
            Some("a=1; Path=/app; HttpOnly"),
        ),
        (true, "a=1;path=/x;Secure", Some("a=1; Path=/app/x;Secure")),
        (true, "a=1", None),
        (true, "a=1; Path=/app", None),
        (true, "__Host-a=1; Path=/; Secure", None),
        (true, "a=1; Domain=nas.example.com", Some("a=1")),
        (
            false,
            "a=1; Domain=.NAS.example.com; Path=/",
            Some("a=1; Path=/"),
        ),
        (false, "a=1; Domain=example.com; Path=/", None),
        (false, "a=1; Path=/", None),
        (true, "a=\"/;b\"; Path=", None),
    ] {
        let origin = origin(NAS, strip);
        let outside = outside.map(str::to_owned);
        assert_eq!(mapping(&origin, "/app").cookie(cookie), outside, "{cookie}");
    }
}

proptest! {
    /// Whatever is asked, the request goes to the origin and below its base.
    #[test]
    fn a_target_is_at_the_origin(
        path in "(/([a-z@:.]|%2f|%5c|\\\\){0,4}){0,5}",
        strip: bool,
        base in "|/base",
    ) {
        let origin = origin(&format!("{NAS}{base}"), strip);
        let target = mapping(&origin, "/app").target(&format!("/app{path}"), "");
        let start = format!("{NAS}{base}/");
        prop_assert!(target.starts_with(&start));
        prop_assert!(!target[start.len()..].starts_with('/'));
    }

    /// A path that an origin gives never becomes a host.
    #[test]
    fn a_path_stays_a_path(rest in "[/\\\\a-z.]{0,12}", strip: bool) {
        let origin = origin(&format!("{NAS}/base"), strip);
        if let Some(outside) = mapping(&origin, "/app").reference(&format!("/base/{rest}")) {
            prop_assert!(outside.starts_with('/') && !outside[1..].starts_with(['/', '\\']), "{}", outside);
        }
    }

    #[test]
    fn what_an_origin_says_is_looked_at(value in "\\PC{0,60}") {
        let origin = origin(&format!("{NAS}/base"), true);
        let mapping = mapping(&origin, "/app");
        let _ = (mapping.reference(&value), mapping.refresh(&value), mapping.cookie(&value));
    }

    /// Inside and out again is the same place. (Unless the path inside begins with the prefix, too:
    /// then the origin is taken to know where it is shown.)
    #[test]
    fn a_path_reads_back(rest in "(/[a-p]{1,3}){0,4}/?", strip: bool, base in "|/base") {
        let origin = origin(&format!("{NAS}{base}"), strip);
        let mapping = mapping(&origin, "/qq");
        let public = format!("/qq{rest}");
        let target = mapping.target(&public, "");
        let location = target.strip_prefix(NAS).unwrap();
        let outside = mapping.reference(location).unwrap_or_else(|| location.to_owned());
        let public = if rest.is_empty() && strip { "/qq/".to_owned() } else { public };
        prop_assert_eq!(outside, public);
    }
}
