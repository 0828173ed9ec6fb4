//! Answers as name servers give them, and as they should not.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn answer(json: &Value, kind: Kind) -> Result<Answer, DnsError> {
    read(&json.to_string(), kind)
}

#[test]
fn the_answer_of_a_public_resolver_is_read() {
    // As Cloudflare answers, with a CNAME in front.
    let body = json!({
        "Status": 0, "TC": false, "RD": true, "RA": true, "AD": false, "CD": false,
        "Question": [{"name": "_minecraft._tcp.mc.example.com", "type": 33}],
        "Answer": [
            {"name": "_minecraft._tcp.mc.example.com", "type": 5, "TTL": 60, "data": "srv.example.net."},
            {"name": "srv.example.net", "type": 33, "TTL": 300, "data": "5 0 25570 Node1.Example.net."}
        ]
    });
    let answer = answer(&body, Kind::Srv).unwrap();
    assert_eq!(answer.records, ["5 0 25570 node1.example.net"]);
    assert!(answer.exists);
    assert_eq!(answer.ttl_seconds, 60, "of the weakest link");
}

#[test]
fn a_negative_answer_holds_as_long_as_its_zone_says() {
    let soa = |status: u64, ttl: u64, minimum: u64| {
        let data = format!("ns.example.com. root.example.com. 1 10000 2400 604800 {minimum}");
        json!({"Status": status, "Authority": [{"name": "example.com", "type": 6, "TTL": ttl, "data": data}]})
    };
    for (body, exists, ttl) in [
        (soa(3, 900, 1800), false, 900),
        (soa(0, 900, 120), true, 120),
        (soa(3, 1, 1), false, 60),
        (soa(3, 86_400, 86_400), false, 3600),
        (json!({"Status": 3}), false, 300),
        (json!({"Status": 0, "Answer": []}), true, 300),
    ] {
        let answer = answer(&body, Kind::Srv).unwrap();
        assert_eq!((answer.exists, answer.ttl_seconds), (exists, ttl), "{body}");
        assert_eq!(answer.records, [""; 0]);
    }
}

#[test]
fn addresses_are_read_and_what_is_none_is_left_out() {
    let body = json!({"Status": 0, "Answer": [
        {"type": 1, "TTL": 300, "data": "192.0.2.1"},
        {"type": 1, "TTL": 300, "data": "<script>"},
        {"type": 28, "TTL": 300, "data": "2001:db8::1"},
        {"type": 1, "TTL": 300},
    ]});
    assert_eq!(answer(&body, Kind::A).unwrap().records, ["192.0.2.1"]);
    assert_eq!(answer(&body, Kind::Aaaa).unwrap().records, ["2001:db8::1"]);
}

#[test]
fn a_server_that_fails_is_told_from_a_name_that_does() {
    assert_eq!(
        answer(&json!({"Status": 2}), Kind::A),
        Err(DnsError::Name(2))
    );
    for body in ["<html>", "", "[]", "{}", "{\"Status\":\"0\"}", "null"] {
        assert!(matches!(read(body, Kind::A), Err(DnsError::Server(_))));
    }
    assert!(matches!(
        read(&"[".repeat(MAX_BODY as usize), Kind::A),
        Err(DnsError::Server(_))
    ));
}

#[test]
fn records_that_lead_nowhere_are_none() {
    for data in [
        "0 0 25565 .",
        "0 0 0 mc.example.com.",
        "0 0 65536 mc.example.com.",
        "0 0 mc.example.com.",
        "0 0 25565",
        "0 0 25565 a b",
        "0 0 25565 a/b",
        "-1 0 25565 a",
        "",
    ] {
        assert_eq!(Srv::read(data), None, "{data}");
    }
}

fn records(records: &[&str]) -> Vec<String> {
    records.iter().map(|&record| record.to_owned()).collect()
}

#[test]
fn the_lowest_priority_is_chosen_then_the_largest_weight_then_always_the_same() {
    let host =
        |list: &[&str]| chosen(&records(list)).map(|srv| format!("{}:{}", srv.host, srv.port));
    assert_eq!(host(&["10 90 1 b", "5 1 2 a"]).as_deref(), Some("a:2"));
    assert_eq!(host(&["5 1 1 a", "5 90 2 b"]).as_deref(), Some("b:2"));
    assert_eq!(host(&["5 1 2 b", "5 1 9 a"]).as_deref(), Some("a:9"));
    assert_eq!(host(&["5 1 9 a", "5 1 2 b"]).as_deref(), Some("a:9"));
    assert_eq!(host(&["garbage"]), None);
    assert_eq!(host(&[]), None);
}

proptest! {
    #[test]
    fn any_text_is_an_answer_or_an_error(text: String, json in "[{}\\[\\]\":,a-zA-Z0-9. ]{0,80}") {
        let _ = read(&text, Kind::Srv);
        let _ = read(&json, Kind::A);
        let _ = read(&format!("{{\"Status\":0,\"Answer\":{json}}}"), Kind::Srv);
    }

    #[test]
    fn an_answer_is_bounded_and_its_records_read_again(
        data in prop::collection::vec("[0-9]{1,5} [0-9]{1,5} [0-9]{1,5} [a-z0-9./:-]{0,12}", 0..40),
        ttl: u64,
    ) {
        let given: Vec<Value> = data
            .iter()
            .map(|data| json!({"type": 33, "TTL": ttl, "data": data}))
            .collect();
        let answer = answer(&json!({"Status": 0, "Answer": given}), Kind::Srv).unwrap();
        prop_assert!(answer.records.len() <= MAX_RECORDS);
        prop_assert!((0..=86_400).contains(&answer.ttl_seconds));
        prop_assert_eq!(chosen(&answer.records).is_some(), !answer.records.is_empty());
        for record in &answer.records {
            let again = Srv::read(record).map(|srv| srv.to_string());
            prop_assert_eq!(again.as_ref(), Some(record));
        }
    }
}
