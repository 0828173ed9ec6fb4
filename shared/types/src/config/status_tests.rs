//! What a configuration may say, and what the errors name.

use serde_json::{Value, json};

use super::*;

fn parse(targets: &Value) -> Result<StatusConfig, InvalidConfig> {
    StatusConfig::parse(json!({ "targets": targets }))
}

fn error(targets: &Value) -> String {
    parse(targets).unwrap_err().to_string()
}

fn many(count: usize, timeout_ms: u32) -> Value {
    (0..count)
        .map(|n| json!({"id": format!("t{n}"), "address": "a", "timeout_ms": timeout_ms}))
        .collect()
}

#[test]
fn errors_name_the_target_and_the_key() {
    let good = json!({"id": "main", "address": "mc.example.com"});
    assert_eq!(
        error(&json!([])),
        "[vars] targets: at least one server is needed"
    );
    assert_eq!(
        error(&json!([good, good])),
        "[vars] targets[1].id: \"main\" is there twice"
    );
    assert_eq!(
        error(&many(21, 100)),
        "[vars] targets: at most 20 servers are pinged"
    );
    assert!(error(&json!([{"id": "main"}])).contains("missing field `address`"));
    assert!(
        error(&json!([{"id": "Main", "address": "a"}]))
            .starts_with("[vars] targets[0].id: \"Main\" is not a name")
    );
    for (key, value) in [
        ("address", json!("a:b")),
        ("timeout", json!(1)),
        ("timeout_ms", json!(1)),
        ("connect_timeout_ms", json!(5001)),
        ("first_byte_timeout_ms", json!(99)),
        ("proxy_protocol", json!("v3")),
        ("legacy", json!("always")),
        ("offline_after", json!(0)),
        ("privacy", json!("yes")),
        ("handshake_host", json!("")),
    ] {
        let mut target = json!({"id": "third", "address": "a"});
        target[key] = value;
        let error = error(&json!([good, {"id": "second", "address": "a"}, target]));
        assert!(
            error.starts_with(&format!("[vars] targets[2].{key}: ")),
            "{error}"
        );
    }
}

#[test]
fn twenty_targets_that_all_hang_are_over_before_the_next_run() {
    assert!(error(&many(20, 20_000)).starts_with("[vars] targets: the sum of timeout_ms"));
    let most = parse(&many(20, 10_000)).unwrap();
    // 20 × 10 s in 6 places, 24 questions of 1.5 s in the same, and the last one by itself.
    assert_eq!(most.longest_run_ms(), (200_000 + 36_000) / 6 + 10_000);
    assert!(most.longest_run_ms() <= CRON_RUN_MS);
    assert_eq!(
        parse(&many(20, 5000)).unwrap().longest_run_ms(),
        (100_000 + 36_000) / 6 + 5000
    );
    assert_eq!(parse(&many(1, 5000)).unwrap().dns_questions(), 3);
}

#[test]
fn what_is_not_said_is_as_usual() {
    let config = parse(&json!([{"id": "main", "address": "mc.example.com"}])).unwrap();
    assert_eq!(
        config.doh_url.as_str(),
        "https://cloudflare-dns.com/dns-query"
    );
    assert_eq!(
        (config.doh_timeout_ms, config.kv_writes_per_day),
        (1500, 900)
    );
    let main = &config.targets[0];
    assert_eq!(
        (main.legacy, main.proxy_protocol),
        (LegacyPing::Auto, ProxyProtocol::Off)
    );
    assert_eq!(
        (main.timeout_ms, main.degraded_ms, main.offline_after),
        (5000, 1000, 2)
    );
    assert!(!main.privacy);
}

#[test]
fn the_keys_for_all_targets_are_checked() {
    let error = |key: &str, value: Value| {
        let config = json!({"targets": many(1, 5000), key: value});
        StatusConfig::parse(config).unwrap_err().to_string()
    };
    for (key, value) in [
        ("DOH_URL", json!("cloudflare-dns.com")),
        ("DOH_URL", json!("https://")),
        ("DOH_URL", json!("https://a b")),
        ("DOH_TIMEOUT_MS", json!(10)),
        ("KV_WRITES_PER_DAY", json!(480)),
        ("KV_WRITES_PER_DAY", json!(-1)),
    ] {
        let error = error(key, value);
        assert!(error.starts_with(&format!("[vars] {key}: ")), "{error}");
    }
}

#[test]
fn only_names_without_a_port_have_srv_records() {
    let may = |address: &str, connect: Option<&str>| {
        let target = json!([{"id": "a", "address": address, "connect": connect}]);
        parse(&target).unwrap().targets[0].may_have_srv()
    };
    assert!(may("mc.example.com", None));
    for other in [
        "mc.example.com:25565",
        "192.0.2.1",
        "[2001:db8::1]",
        "localhost",
        "proxy",
        "play.localhost",
        "nas.local",
    ] {
        assert!(!may(other, None), "{other}");
    }
    assert!(!may("mc.example.com", Some("192.0.2.1:25565")));
}

#[test]
fn an_instance_keeps_what_it_read_for_fifteen_seconds_and_never_long() {
    let config = |seconds: Value| {
        let target = json!({"id": "main", "address": "mc.example.com"});
        StatusConfig::parse(json!({"targets": [target], "CACHE_SECONDS": seconds}))
    };
    let target = json!([{"id": "main", "address": "mc.example.com"}]);
    assert_eq!(parse(&target).unwrap().cache_seconds, 15);
    assert_eq!(config(json!(0)).unwrap().cache_seconds, 0);
    let error = config(json!(61)).unwrap_err().to_string();
    assert!(
        error.starts_with("[vars] CACHE_SECONDS: must be"),
        "{error}"
    );
}
