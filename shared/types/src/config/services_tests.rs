use serde_json::{Value, json};

use super::*;
use crate::{
    RecordType,
    config::{Config, DdnsConfig},
};

fn config(services: &Value) -> Result<DdnsConfig, String> {
    let vars = json!({
        "hosts": [{"host": "home.example.com"}],
        "alerts": [{"name": "chat", "kind": "discord", "secret": "CHAT"}],
        "services": services,
    });
    DdnsConfig::parse(vars).map_err(|error| error.to_string())
}

fn one(mut keys: Value) -> Result<Service, String> {
    let service = keys.as_object_mut().unwrap();
    service.entry("id").or_insert(json!("web"));
    let mut services = config(&json!([keys]))?.services;
    Ok(services.remove(0))
}

fn wrong(keys: Value) -> String {
    one(keys).unwrap_err()
}

#[test]
fn a_service_has_defaults_for_all_but_what_its_check_is_about() {
    let service = one(json!({"kind": "http", "url": "https://www.example.com/up"})).unwrap();
    assert_eq!(
        (service.name.as_str(), service.kind()),
        ("web", ServiceKind::Http)
    );
    assert_eq!((service.interval_minutes, service.timeout_ms), (1, 5000));
    assert_eq!((service.failures, service.successes), (2, 1));
    assert_eq!(
        (service.public, service.critical, service.paused),
        (false, true, false)
    );
    assert!(service.alerts_to(&"chat".parse().unwrap()));
    let Check::Http(check) = service.check else {
        panic!("{:?}", service.check)
    };
    assert_eq!((check.method, check.follow), (Method::Get, true));
    assert!(check.accepts(204) && !check.accepts(301) && !check.accepts(500));
    assert!(!check.reads_body());
}

#[test]
fn every_kind_reads_all_its_keys() {
    let all = json!([
        {"id": "web", "kind": "http", "name": "Website", "group": "home", "interval_minutes": 5,
         "timeout_ms": 2000, "failures": 3, "successes": 2, "remind_minutes": 60, "public": true,
         "depends_on": ["line"], "critical": false, "alerts": [], "paused": true, "max_latency_ms": 500,
         "url": "https://www.example.com/", "method": "POST", "body": "{}",
         "headers": {"Authorization": "$NAS_TOKEN", "X-Price": "$$5"}, "status": ["2xx", 301, "404"],
         "keyword": "ok", "keyword_absent": "error", "json_path": "$.a.b[0]", "json_equals": 1,
         "header": {"Content-Type": "json"}, "redirect": "manual"},
        {"id": "ssh", "kind": "tcp", "address": "ssh.example.com:22", "send": "x\r\n", "expect": "SSH-2.0"},
        {"id": "mc", "kind": "minecraft", "address": "mc.example.com"},
        {"id": "name", "kind": "dns", "host": "_dmarc.Example.com.", "record": "TXT", "expect": ["v=DMARC1"]},
        {"id": "backup", "kind": "heartbeat", "period_minutes": 1440, "grace_minutes": 60,
         "min_size_bytes": 1, "min_duration_ms": 1000, "max_duration_ms": 60000,
         "limits": ["memory_percent < 80"], "key": "$BACKUP"},
        {"id": "line", "kind": "ddns", "host": "home.example.com", "period_minutes": 10},
    ]);
    let services = config(&all).unwrap().services;
    let kinds: Vec<_> = services
        .iter()
        .map(|service| service.kind().as_str())
        .collect();
    assert_eq!(
        kinds,
        ["http", "tcp", "minecraft", "dns", "heartbeat", "ddns"]
    );
    let Check::Http(http) = &services[0].check else {
        panic!()
    };
    assert_eq!(
        http.headers["x-price"],
        HeaderValue::Literal("$5".to_owned())
    );
    assert!(
        matches!(&http.headers["authorization"], HeaderValue::Secret(name) if name.as_str() == "NAS_TOKEN")
    );
    assert!(http.accepts(301) && http.accepts(404) && !http.accepts(302) && !http.follow);
    assert_eq!(http.header["content-type"], "json");
    assert!(!services[0].alerts_to(&"chat".parse().unwrap()));
    let Check::Dns(dns) = &services[3].check else {
        panic!()
    };
    assert_eq!(
        (dns.host.as_str(), dns.record),
        ("_dmarc.example.com", RecordType::Txt)
    );
}

fn http(more: &Value) -> Value {
    let mut keys = json!({"kind": "http", "url": "https://www.example.com/"});
    let more = more.as_object().unwrap().clone();
    keys.as_object_mut().unwrap().extend(more);
    keys
}

#[test]
fn what_is_missing_wrong_or_of_another_kind_is_named() {
    for (keys, says) in [
        (json!({"kind": "http"}), "url: is missing"),
        (json!({"kind": "tcp"}), "address: is missing"),
        (
            json!({"kind": "tcp", "address": "a.example.com"}),
            "address: needs a port",
        ),
        (
            json!({"kind": "tcp", "address": "a.example.com:1", "expect": ["a", "b"]}),
            "expect: one text",
        ),
        (json!({"kind": "minecraft"}), "address: is missing"),
        (
            json!({"kind": "minecraft", "address": "a.example.com", "send": "x"}),
            "send: kind \"minecraft\" has no such key",
        ),
        (json!({"kind": "dns"}), "host: is missing"),
        (json!({"kind": "dns", "host": "a b"}), "host: not a name"),
        (json!({"kind": "dns", "host": "a..b"}), "host: not a name"),
        (json!({"kind": "heartbeat"}), "period_minutes: is missing"),
        (
            json!({"kind": "heartbeat", "period_minutes": 0}),
            "period_minutes: must be",
        ),
        (
            json!({"kind": "heartbeat", "period_minutes": 5, "key": "open sesame"}),
            "key: must be $",
        ),
        (
            json!({"kind": "heartbeat", "period_minutes": 5, "min_duration_ms": 2, "max_duration_ms": 1}),
            "max_duration_ms",
        ),
        (
            json!({"kind": "heartbeat", "period_minutes": 5, "max_latency_ms": 1}),
            "max_latency_ms: kind \"heartbeat\"",
        ),
        (
            json!({"kind": "heartbeat", "period_minutes": 5, "interval_minutes": 2}),
            "interval_minutes: kind \"heartbeat\"",
        ),
        (
            json!({"kind": "heartbeat", "period_minutes": 5, "successes": 2}),
            "successes: kind \"heartbeat\"",
        ),
        (
            json!({"kind": "ddns", "host": "home.example.com", "period_minutes": 5, "failures": 3}),
            "failures: kind \"ddns\"",
        ),
        (
            json!({"kind": "ddns", "host": "home.example.com", "period_minutes": 5, "timeout_ms": 5000}),
            "timeout_ms: kind \"ddns\"",
        ),
        (
            json!({"kind": "ddns", "host": "home.example.com"}),
            "period_minutes: is missing",
        ),
        (
            json!({"kind": "ddns", "host": "home", "period_minutes": 5}),
            "host: \"home\"",
        ),
        (
            json!({"kind": "ddns", "host": "other.example.com", "period_minutes": 5}),
            "none of the hosts",
        ),
    ] {
        let error = wrong(keys.clone());
        assert!(error.starts_with("[vars] services[0]"), "{error}");
        assert!(error.contains(says), "{keys}: {error}");
    }
}

#[test]
fn what_is_wrong_with_a_request_is_named() {
    for (keys, says) in [
        (
            http(&json!({"address": "a:1"})),
            "address: kind \"http\" has no such key",
        ),
        (
            http(&json!({"json_equals": 1})),
            "json_path: json_equals needs it",
        ),
        (
            http(&json!({"json_path": "$.a", "json_equals": {}})),
            "json_equals: must be",
        ),
        (http(&json!({"body": "x"})), "body: GET has none"),
        (
            http(&json!({"method": "HEAD", "keyword": "x"})),
            "method: the answer to HEAD",
        ),
        (http(&json!({"status": []})), "status: must be"),
        (http(&json!({"keyword": ""})), "keyword: must be"),
        (
            http(&json!({"headers": {"a": "$B"}, "redirect": "follow"})),
            "redirect: headers with a secret",
        ),
        (http(&json!({"headers": {"a b": "c"}})), "headers: \"a b\""),
        (
            http(&json!({"headers": {"a": "b\r\nc: d"}})),
            "headers: a value",
        ),
        (
            http(&json!({"headers": {"a": "$not a name"}})),
            "headers: must be $",
        ),
        (http(&json!({"timeout_ms": 10_001})), "timeout_ms: must be"),
        (http(&json!({"failures": 0})), "failures: must be"),
        (http(&json!({"name": "a\nb"})), "name: must be"),
        (
            http(&json!({"alerts": ["pager"]})),
            "alerts: there is no alert channel \"pager\"",
        ),
    ] {
        let error = wrong(keys.clone());
        assert!(error.starts_with("[vars] services[0]"), "{error}");
        assert!(error.contains(says), "{keys}: {error}");
    }
    for (keys, path) in [
        (http(&json!({"urll": 1})), "urll"),
        (http(&json!({"id": "A"})), "services[0].id"),
        (http(&json!({"url": "ftp://x"})), "services[0].url"),
        (http(&json!({"method": "get"})), "services[0].method"),
        (http(&json!({"status": ["6xx"]})), "services[0].status[0]"),
        (http(&json!({"json_path": "$..a"})), "services[0].json_path"),
        (json!({"kind": "ping"}), "services[0].kind"),
        (
            json!({"kind": "heartbeat", "period_minutes": 1, "limits": ["x"]}),
            "services[0].limits[0]",
        ),
    ] {
        let error = wrong(keys);
        assert!(error.contains(path), "{path}: {error}");
    }
}

#[test]
fn a_value_that_may_be_a_secret_by_mistake_is_not_quoted() {
    let headers = json!({"Authorization": "$tk live/secret"});
    let error = wrong(json!({"kind": "http", "url": "https://a.example.com", "headers": headers}));
    assert!(
        !error.contains("secret\"") && !error.contains("tk live"),
        "{error}"
    );
}

fn web(id: &str, depends_on: &[&str]) -> Value {
    json!({"id": id, "kind": "http", "url": "https://a.example.com", "depends_on": depends_on})
}

#[test]
fn dependencies_exist_and_go_round_in_no_circle() {
    let good = json!([web("a", &["b", "c"]), web("b", &["c"]), web("c", &[])]);
    assert!(config(&good).is_ok());
    let unknown = config(&json!([web("a", &["z"])])).unwrap_err();
    assert_eq!(
        unknown,
        "[vars] services[0].depends_on: there is no service \"z\""
    );
    let own = config(&json!([web("a", &["a"])])).unwrap_err();
    assert_eq!(
        own,
        "[vars] services[0].depends_on: goes round in a circle: a -> a"
    );
    let circle = json!([
        web("x", &["a"]),
        web("a", &["b"]),
        web("b", &["c"]),
        web("c", &["a"])
    ]);
    assert_eq!(
        config(&circle).unwrap_err(),
        "[vars] services[3].depends_on: goes round in a circle: a -> b -> c -> a"
    );
    let twice = config(&json!([web("a", &[]), web("a", &[])])).unwrap_err();
    assert_eq!(twice, "[vars] services[1].id: \"a\" is there twice");
}

#[test]
fn a_long_chain_is_no_circle() {
    let ids: Vec<_> = (0..200).map(|n| format!("s{n}")).collect();
    let mut chain: Vec<_> = ids
        .windows(2)
        .map(|pair| web(&pair[0], &[&pair[1]]))
        .collect();
    chain.push(web("s199", &[]));
    assert!(config(&Value::Array(chain)).is_ok());
    let many: Vec<_> = (0..201).map(|n| web(&format!("s{n}"), &[])).collect();
    assert!(
        config(&Value::Array(many))
            .unwrap_err()
            .contains("at most 200")
    );
}
