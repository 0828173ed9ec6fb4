use futures::executor::block_on;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    memory::{Act, Memory},
    network::{HttpAnswer, Resolved},
    *,
};

pub const NOW: Timestamp = Timestamp::from_seconds(1_795_255_200);

/// A table with more keys.
pub fn with(mut table: Value, more: Value) -> Value {
    if let (Value::Object(table), Value::Object(more)) = (&mut table, more) {
        table.extend(more);
    }
    table
}

pub fn service(keys: Value) -> Service {
    serde_json::from_value(with(json!({"id": "it"}), keys)).unwrap()
}

fn http(keys: Value) -> Service {
    let table = json!({"kind": "http", "url": "https://www.example.com/up?key=hunter2hunter2"});
    service(with(table, keys))
}

pub fn secrets() -> Secrets {
    Secrets::parse(r#"{"NAS":"Bearer hunter2hunter2"}"#).unwrap()
}

pub fn look(memory: &Memory, service: &Service) -> Outcome {
    let facts = Facts::none(NOW);
    block_on(check(&memory, service, &secrets(), &facts, NOW))
}

fn answering(status: u16, body: &str) -> Memory {
    let mut memory = Memory::new();
    memory.answer = Ok(HttpAnswer {
        status,
        headers: vec![(
            "content-type".to_owned(),
            "application/json; charset=utf-8".to_owned(),
        )],
        body: body.to_owned(),
        cut: false,
        latency_ms: 42,
    });
    memory
}

/// Verdict and reason of a check of this answer.
fn verdict(status: u16, body: &str, keys: Value) -> (Verdict, Option<String>) {
    let outcome = look(&answering(status, body), &http(keys));
    assert_eq!(outcome.latency_ms, Some(42));
    (outcome.verdict, outcome.reason)
}

fn down(reason: &str) -> (Verdict, Option<String>) {
    (Verdict::Down, Some(reason.to_owned()))
}

const UP: (Verdict, Option<String>) = (Verdict::Up, None);

#[test]
fn an_answer_is_good_when_it_meets_every_condition() {
    let body = r#"{"status": "ok", "load": [1, 0.5]}"#;
    assert_eq!(verdict(204, "", json!({})), UP);
    assert_eq!(verdict(503, "", json!({})), down("status: answered 503"));
    assert_eq!(verdict(503, "", json!({"status": ["2xx", 503]})), UP);
    assert_eq!(verdict(200, body, json!({"keyword": "ok"})), UP);
    assert_eq!(
        verdict(200, body, json!({"keyword": "fine"})),
        down("keyword: the keyword is not in the answer")
    );
    assert_eq!(
        verdict(200, body, json!({"keyword_absent": "ok"})),
        down("keyword: a word that must not be in the answer is")
    );
    assert_eq!(verdict(200, body, json!({"json_path": "$.load[1]"})), UP);
    assert_eq!(
        verdict(
            200,
            body,
            json!({"json_path": "$.load[0]", "json_equals": 1.0})
        ),
        UP
    );
    assert_eq!(
        verdict(
            200,
            body,
            json!({"json_path": "/status", "json_equals": "ok"})
        ),
        UP
    );
    assert_eq!(
        verdict(
            200,
            body,
            json!({"json_path": "$.status", "json_equals": "fine"})
        ),
        down("json: the value is not the one that it should be")
    );
    assert_eq!(
        verdict(200, body, json!({"json_path": "$.load[2]"})),
        down("json: the value is not in the answer")
    );
    assert_eq!(
        verdict(200, "{", json!({"json_path": "$"})),
        down("json: the answer is not JSON")
    );
    assert_eq!(
        verdict(200, "", json!({"header": {"Content-Type": "json"}})),
        UP
    );
    assert_eq!(
        verdict(200, "", json!({"header": {"Content-Type": "html"}})),
        down("header: the header content-type is not as it should be")
    );
    assert_eq!(
        verdict(200, "", json!({"header": {"X-Powered-By": ""}})),
        down("header: the header x-powered-by is not as it should be")
    );
}

#[test]
fn of_a_body_that_was_not_read_to_its_end_only_what_is_in_it_is_told() {
    let cut = |keys| {
        let mut memory = answering(200, "beginning");
        memory.answer.as_mut().unwrap().cut = true;
        look(&memory, &http(keys)).code().map(str::to_owned)
    };
    assert_eq!(cut(json!({})), None);
    assert_eq!(cut(json!({"keyword": "begin"})), None);
    assert_eq!(cut(json!({"keyword": "end"})).as_deref(), Some("oversize"));
    assert_eq!(
        cut(json!({"keyword_absent": "end"})).as_deref(),
        Some("oversize")
    );
    assert_eq!(
        cut(json!({"keyword_absent": "begin"})).as_deref(),
        Some("keyword")
    );
    assert_eq!(cut(json!({"json_path": "$"})).as_deref(), Some("oversize"));
    assert_eq!(cut(json!({"status": [201]})).as_deref(), Some("status"));
}

#[test]
fn a_good_answer_that_is_slow_is_degraded_and_a_bad_one_is_down() {
    let slow = http(json!({"max_latency_ms": 41}));
    let outcome = look(&answering(200, ""), &slow);
    assert_eq!(outcome.verdict, Verdict::Degraded);
    assert_eq!(
        outcome.reason.as_deref(),
        Some("slow: took longer than 41 ms")
    );
    assert_eq!(
        look(&answering(200, ""), &http(json!({"max_latency_ms": 42}))).verdict,
        Verdict::Up
    );
    assert_eq!(look(&answering(500, ""), &slow).code(), Some("status"));
}

#[test]
fn a_request_is_made_as_configured_with_secrets_where_they_are_named() {
    let memory = answering(200, "");
    look(
        &memory,
        &http(json!({
            "method": "POST", "body": "{}", "timeout_ms": 900,
            "headers": {"Authorization": "$NAS", "User-Agent": "me"},
        })),
    );
    look(&memory, &http(json!({"keyword": "x"})));
    assert_eq!(
        *memory.asked.borrow(),
        [
            r#"POST https://www.example.com/up?key=hunter2hunter2 [("authorization", "Bearer hunter2hunter2"), ("user-agent", "me")] Some("{}") follow false in 900 up to 0"#,
            r#"GET https://www.example.com/up?key=hunter2hunter2 [("user-agent", "genkan")] None follow true in 5000 up to 262144"#,
        ]
    );
    let memory = answering(200, "");
    let outcome = look(
        &memory,
        &http(json!({"headers": {"Authorization": "$OTHER"}})),
    );
    assert_eq!(
        outcome.reason.as_deref(),
        Some("configuration: the secret CHECKS has nothing for the header authorization")
    );
    assert!(
        memory.asked.borrow().is_empty(),
        "nothing is asked without the secret"
    );
}

#[test]
fn what_an_answer_repeats_of_a_secret_is_struck_out_and_its_body_is_not_public() {
    let body = r#"{"you_sent": "Bearer hunter2hunter2"}"#;
    let outcome = look(
        &answering(200, body),
        &http(
            json!({"json_path": "$.you_sent", "json_equals": "x", "headers": {"Authorization": "$NAS"}}),
        ),
    );
    assert_eq!(outcome.detail.as_deref(), Some(r#"$.you_sent is "***""#));
    assert!(!format!("{:?}", outcome.reason).contains("Bearer"));
}

#[test]
fn a_failed_request_says_how_without_saying_where() {
    for (error, code) in [
        (NetworkError::Timeout, "timeout"),
        (
            NetworkError::Broken("10.0.0.1 refused".to_owned()),
            "connection",
        ),
        (NetworkError::Redirects, "redirects"),
    ] {
        let mut memory = Memory::new();
        memory.answer = Err(error);
        let outcome = look(&memory, &http(json!({})));
        assert_eq!(
            (outcome.verdict, outcome.code()),
            (Verdict::Down, Some(code))
        );
        assert_eq!(outcome.latency_ms, None);
        assert!(!outcome.reason.unwrap().contains("10.0.0.1"));
    }
}

pub fn talking(acts: &[Act]) -> Memory {
    let mut memory = Memory::new();
    memory.dialled = Ok(acts.to_vec());
    memory
}

pub fn says(text: &str) -> Act {
    Act::Says(text.as_bytes().to_vec())
}

#[test]
fn a_port_is_up_when_it_opens_and_says_what_is_expected() {
    let tcp = |keys: Value| {
        service(with(
            json!({"kind": "tcp", "address": "ssh.example.com:22"}),
            keys,
        ))
    };
    let memory = talking(&[]);
    let outcome = look(&memory, &tcp(json!({})));
    assert_eq!(outcome, Outcome::up(Some(7)));
    assert_eq!(
        *memory.asked.borrow(),
        ["dial ssh.example.com 22", "hang up"]
    );

    let banner = tcp(json!({"send": "HELO\r\n", "expect": "SSH-2.0"}));
    let memory = talking(&[says("xxSS"), says("H-2."), says("0-x")]);
    assert_eq!(look(&memory, &banner).verdict, Verdict::Up);
    assert_eq!(*memory.said.borrow(), b"HELO\r\n");
    for (acts, code) in [
        (vec![says("SSH-1.0"), Act::Closes], "unexpected"),
        (vec![Act::Closes], "unexpected"),
        (vec![says("SSH"), Act::Hangs], "timeout"),
        (vec![Act::Says(vec![b'x'; 70_000])], "oversize"),
    ] {
        let memory = talking(&acts);
        assert_eq!(look(&memory, &banner).code(), Some(code));
        assert_eq!(memory.asked.borrow().last().unwrap(), "hang up", "{code}");
    }
    let outcome = look(&Memory::new(), &banner);
    assert_eq!(
        outcome.reason.as_deref(),
        Some("timeout: no answer within the time")
    );
}

#[test]
fn a_name_is_up_when_it_has_the_expected_records() {
    let look_up = |keys: Value, resolved: Resolved| {
        let table = with(json!({"kind": "dns", "host": "www.example.com"}), keys);
        let mut memory = Memory::new();
        memory.resolved = Ok(resolved);
        let outcome = look(&memory, &service(table));
        assert_eq!(outcome.latency_ms, Some(7));
        outcome.reason
    };
    let records =
        |records: &[&str]| Resolved::Records(records.iter().map(ToString::to_string).collect());
    assert_eq!(look_up(json!({}), records(&["192.0.2.1"])), None);
    assert_eq!(
        look_up(
            json!({"expect": "192.0.2.1"}),
            records(&["192.0.2.2", "192.0.2.1"])
        ),
        None
    );
    let v6 = json!({"record": "AAAA", "expect": ["2001:DB8:0::1"]});
    assert_eq!(look_up(v6, records(&["2001:db8::1"])), None);
    let mx = json!({"record": "MX", "expect": ["10 Mail.example.com."]});
    assert_eq!(look_up(mx, records(&["10 mail.example.com"])), None);
    let txt = json!({"record": "TXT", "expect": ["v=spf1 -All."]});
    assert_eq!(look_up(txt, records(&["v=spf1 -All."])), None);
    for (keys, resolved, reason) in [
        (
            json!({"expect": "192.0.2.1"}),
            records(&["192.0.2.2"]),
            "unexpected: an expected A record is missing",
        ),
        (
            json!({"record": "AAAA"}),
            records(&[]),
            "no-records: it has no AAAA record",
        ),
        (
            json!({}),
            Resolved::NoSuchName,
            "nxdomain: there is no such name",
        ),
        (
            json!({}),
            Resolved::Failed(2),
            "dns: the name server answers with code 2",
        ),
    ] {
        assert_eq!(look_up(keys, resolved).as_deref(), Some(reason));
    }
}

proptest! {
    #[test]
    fn whatever_a_server_answers_reasons_are_short_and_printable(status in 100_u16..600, body: String, keyword in ".{1,20}") {
        let checks = [json!({"keyword": keyword}), json!({"json_path": "$.a", "json_equals": 1}), json!({})];
        for keys in checks {
            let outcome = look(&answering(status, &body), &http(keys));
            prop_assert_eq!(outcome.reason.is_none(), outcome.verdict == Verdict::Up);
            for text in outcome.reason.iter().chain(&outcome.detail) {
                prop_assert!(text.chars().count() <= MAX_REASON && !text.chars().any(char::is_control));
            }
        }
    }

    #[test]
    fn an_expected_text_is_found_however_it_is_cut(before in ".{0,40}", expect in ".{1,20}", after in ".{0,40}", size in 1_usize..9) {
        let tcp = service(json!({"kind": "tcp", "address": "a.example.com:1", "expect": expect}));
        let whole = format!("{before}{expect}{after}").into_bytes();
        let acts: Vec<_> = whole.chunks(size).map(|chunk| Act::Says(chunk.to_vec())).collect();
        prop_assert_eq!(look(&talking(&acts), &tcp).verdict, Verdict::Up);
    }
}
