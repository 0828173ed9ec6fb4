use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::config::{Config as _, DdnsConfig};

fn provider(json: &Value) -> Result<Provider, InvalidConfig> {
    let vars = json!({"hosts": [{"host": "home.example.com", "providers": [json]}]});
    let mut config = DdnsConfig::parse(vars)?;
    Ok(config.hosts.remove(0).providers.remove(0))
}

#[test]
fn what_is_not_said_is_the_careful_choice() {
    let given = json!({"kind": "cloudflare", "credentials": "zone"});
    let provider = provider(&given).unwrap();
    assert!(provider.required && !provider.create);
    assert_eq!((provider.ttl, provider.proxied), (None, None));
    assert_eq!(provider.name(), "cloudflare/zone");
}

#[test]
fn each_wrong_key_is_named() {
    let cloudflare = |mut more: Value| {
        more["kind"] = "cloudflare".into();
        more["credentials"] = "zone".into();
        more
    };
    for (given, key, message) in [
        (json!({"kind": "mydns"}), "", "missing field `credentials`"),
        (
            json!({"kind": "route53", "credentials": "a"}),
            ".kind",
            "unknown variant",
        ),
        (
            json!({"kind": "mydns", "credentials": ""}),
            ".credentials",
            "must be 1 to 40",
        ),
        (
            json!({"kind": "mydns", "credentials": "a b"}),
            ".credentials",
            "must be 1 to 40",
        ),
        (
            json!({"kind": "mydns", "credentials": "a", "create": true}),
            ".create",
            "is only for kind",
        ),
        (
            json!({"kind": "mydns", "credentials": "a", "zone": "example.com"}),
            ".zone",
            "is only for kind",
        ),
        (
            json!({"kind": "mydns", "credentials": "a", "tll": 1}),
            ".tll",
            "unknown field",
        ),
        (
            cloudflare(json!({"zone": "example.net"})),
            ".zone",
            "\"home.example.com\" is not in",
        ),
        (
            cloudflare(json!({"zone": "ome.example.com"})),
            ".zone",
            "\"home.example.com\" is not in",
        ),
        (
            cloudflare(json!({"ttl": 300})),
            ".ttl",
            "is only for create = true",
        ),
        (
            cloudflare(json!({"proxied": false})),
            ".proxied",
            "is only for create = true",
        ),
        (
            cloudflare(json!({"create": true, "ttl": 29})),
            ".ttl",
            "must be 1 or from 30",
        ),
    ] {
        let error = provider(&given).unwrap_err();
        let place = format!("hosts[0].providers[0]{key}");
        assert!(
            error.key == place && error.message.starts_with(message),
            "{error}"
        );
    }
}

#[test]
fn a_zone_is_the_host_or_above_it() {
    for zone in ["home.example.com", "example.com", "Example.com."] {
        let given = json!({"kind": "cloudflare", "credentials": "a", "zone": zone});
        assert!(provider(&given).is_ok(), "{zone}");
    }
}

#[test]
fn a_provider_is_there_once_a_host() {
    let one = json!({"kind": "mydns", "credentials": "a"});
    let vars = json!({"hosts": [{"host": "home.example.com", "providers": [one, one]}]});
    let error = DdnsConfig::parse(vars).unwrap_err().to_string();
    assert_eq!(
        error,
        "[vars] hosts[0].providers[1].credentials: \"a\" is there twice"
    );
}

#[test]
fn credentials_go_to_https_or_to_this_machine_alone() {
    let url = |text: &str| ProviderUrl::try_from(text.to_owned());
    for good in [
        "https://www.mydns.jp/directip.html",
        "http://127.0.0.1:8080/directip.html",
        "http://[::1]:1",
        "http://localhost",
    ] {
        assert!(url(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "https://",
        "https:///x",
        "www.mydns.jp",
        "http://www.mydns.jp/directip.html",
        "http://127.0.0.1.example.com/",
        "http://localhost.example.com",
        "http://127.0.0.1@example.com",
        "https://user@example.com",
        "https://example.com/",
        "https://example.com?x",
        "https://example.com/a b",
        "ftp://127.0.0.1",
    ] {
        assert!(url(bad).is_err(), "{bad}");
    }
    for default in [ProviderUrl::mydns(), ProviderUrl::cloudflare()] {
        assert_eq!(url(default.as_str()), Ok(default));
    }
}

const SECRET: &str = r#"{"home":{"id":"mydns000000","password":"pass word ä"},"zone":{"token":"t0ken"},"odd":{"token":"a b"},"both":{"id":"hunter2","token":"hunter2"}}"#;

fn named(kind: &str, credentials: &str) -> Provider {
    provider(&json!({"kind": kind, "credentials": credentials})).unwrap()
}

#[test]
fn credentials_are_found_by_name_and_fit_their_kind() {
    let secrets = ProviderSecrets::parse(Some(SECRET));
    let home = Credentials::Mydns {
        id: "mydns000000".to_owned(),
        password: "pass word ä".to_owned(),
    };
    assert_eq!(secrets.get(&named("mydns", "home")), Ok(&home));
    assert!(secrets.get(&named("cloudflare", "zone")).is_ok());
    for (kind, name, what) in [
        ("cloudflare", "home", "cloudflare needs \"token\""),
        ("mydns", "zone", "mydns needs \"id\" and \"password\""),
        ("mydns", "other", "the secret PROVIDERS has no such key"),
        ("cloudflare", "odd", "a value is empty, too long, or has"),
        ("mydns", "both", "is neither"),
    ] {
        let error = secrets.get(&named(kind, name)).unwrap_err();
        assert!(
            error.starts_with(&format!("credentials \"{name}\": {what}")),
            "{error}"
        );
    }
}

#[test]
fn a_missing_or_malformed_secret_names_the_credentials_and_quotes_nothing() {
    let home = named("mydns", "home");
    for secret in [
        "",
        "hunter2",
        "[\"hunter2\"]",
        r#"{"home":"hunter2"}"#,
        r#"{"home":{"id":"hunter2"}}"#,
        r#"{"home":{"id":"hunter2","password":""}}"#,
        r#"{"home":{"id":"hunter2","password":"hunter2","hunter2":1}}"#,
        r#"{"home":{"id":"hunter2","password":{"hunter2":1}}}"#,
        r#"{"home":{"id":"hunter2","password":"hunter2\n"}}"#,
    ] {
        let error = ProviderSecrets::parse(Some(secret)).get(&home).unwrap_err();
        assert!(error.starts_with("credentials \"home\": "), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let error = ProviderSecrets::parse(None).get(&home).unwrap_err();
    assert_eq!(
        error,
        "credentials \"home\": the secret PROVIDERS is not set"
    );
}

#[test]
fn nothing_secret_is_in_debug_output() {
    let shown = format!("{:?}", ProviderSecrets::parse(Some(SECRET)));
    for secret in ["mydns000000", "pass word", "t0ken", "a b", "hunter2"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

proptest! {
    #[test]
    fn any_secret_is_read(text: String, entry in "[{}\\[\\]\":,a-z0-9 ]{0,60}") {
        let _ = ProviderSecrets::parse(Some(&text)).get(&named("mydns", "home"));
        let secret = format!("{{\"home\":{entry}}}");
        let _ = ProviderSecrets::parse(Some(&secret)).get(&named("cloudflare", "home"));
    }

    #[test]
    fn any_text_is_a_url_or_not(text: String) {
        let _ = ProviderUrl::try_from(text);
    }
}
