//! Answers as name servers give them, and as they should not.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn answer(json: &Value, kind: RecordType) -> Answer {
    read(&json.to_string(), kind).unwrap()
}

fn data(json: &Value, kind: RecordType) -> Vec<String> {
    let records = answer(json, kind).records.into_iter();
    records.map(|record| record.data).collect()
}

/// What one record of this kind becomes.
fn one(kind: RecordType, given: &str) -> Option<String> {
    let body = json!({"Status": 0, "Answer": [{"type": kind.number(), "TTL": 60, "data": given}]});
    data(&body, kind).pop()
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
    let srv = answer(&body, RecordType::Srv);
    let record = Record {
        data: "5 0 25570 node1.example.net".to_owned(),
        ttl_seconds: 300,
    };
    assert_eq!(srv.records, [record]);
    assert_eq!(srv.code, NOERROR);
    assert_eq!(srv.ttl_seconds, 60, "of the weakest link");
    assert_eq!(data(&body, RecordType::Cname), ["srv.example.net"]);
}

#[test]
fn a_negative_answer_holds_as_long_as_its_zone_says() {
    let soa = |status: u16, ttl: u64, minimum: u64| {
        let data = format!("ns.example.com. root.example.com. 1 10000 2400 604800 {minimum}");
        json!({"Status": status, "Authority": [{"name": "example.com", "type": 6, "TTL": ttl, "data": data}]})
    };
    for (body, code, ttl) in [
        (soa(3, 900, 1800), NXDOMAIN, 900),
        (soa(0, 900, 120), NOERROR, 120),
        (soa(3, 1, 1), NXDOMAIN, 60),
        (soa(3, 86_400, 86_400), NXDOMAIN, 3600),
        (json!({"Status": 3}), NXDOMAIN, 300),
        (json!({"Status": 2}), 2, 300),
        (json!({"Status": 0, "Answer": []}), NOERROR, 300),
    ] {
        let answer = answer(&body, RecordType::Srv);
        assert_eq!((answer.code, answer.ttl_seconds), (code, ttl), "{body}");
        assert_eq!(answer.records, []);
    }
}

#[test]
fn addresses_are_read_and_what_is_none_is_left_out() {
    let body = json!({"Status": 0, "Answer": [
        {"type": 1, "TTL": 300, "data": "192.0.2.1"},
        {"type": 1, "TTL": 300, "data": "<script>"},
        {"type": 1, "TTL": 300, "data": "2001:db8::1"},
        {"type": 28, "TTL": 300, "data": "2001:0db8::1"},
        {"type": 1, "TTL": 300},
    ]});
    assert_eq!(data(&body, RecordType::A), ["192.0.2.1"]);
    assert_eq!(data(&body, RecordType::Aaaa), ["2001:db8::1"]);
}

#[test]
fn each_kind_has_one_form() {
    for (kind, given, form) in [
        (
            RecordType::Cname,
            "Other.Example.com.",
            Some("other.example.com"),
        ),
        (RecordType::Ns, "ns1.example.com.", Some("ns1.example.com")),
        (RecordType::Ns, "", None),
        (
            RecordType::Mx,
            "10 Mail.Example.com.",
            Some("10 mail.example.com"),
        ),
        (RecordType::Mx, "0 .", Some("0 .")),
        (RecordType::Mx, "mail.example.com.", None),
        (RecordType::Mx, "70000 mail.example.com.", None),
        (RecordType::Txt, r#""v=spf1 -all""#, Some("v=spf1 -all")),
        (RecordType::Txt, r#""one " "two""#, Some("one two")),
        (
            RecordType::Txt,
            r#""a\"b\\c\228\001""#,
            Some("a\"b\\c\u{fffd}\u{1}"),
        ),
        (RecordType::Txt, "bare text", Some("bare text")),
        (RecordType::Txt, r#""open \"#, Some("open \\")),
    ] {
        assert_eq!(one(kind, given).as_deref(), form, "{kind:?} {given}");
    }
    assert_eq!(
        one(RecordType::Txt, &"x".repeat(9000)).unwrap().len(),
        MAX_DATA
    );
}

#[test]
fn what_is_no_answer_of_a_name_server_is_an_error() {
    for body in [
        "<html>",
        "",
        "[]",
        "{}",
        "{\"Status\":\"0\"}",
        "{\"Status\":-1}",
        "null",
    ] {
        assert_eq!(read(body, RecordType::A), Err(NoDns), "{body}");
    }
    let deep = "[".repeat(MAX_BODY as usize);
    assert_eq!(read(&deep, RecordType::A), Err(NoDns));
}

#[test]
fn service_records_that_lead_nowhere_are_none() {
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

proptest! {
    #[test]
    fn any_text_is_an_answer_or_an_error(
        text: String,
        json in "[{}\\[\\]\":,a-zA-Z0-9. ]{0,80}",
        data: String,
        kind in prop::sample::select(&RecordType::ALL[..]),
    ) {
        let _ = read(&text, kind);
        let _ = read(&json, kind);
        let _ = read(&format!("{{\"Status\":0,\"Answer\":{json}}}"), kind);
        let _ = one(kind, &data);
        let _ = one(kind, &format!("\"{data}"));
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
        let answer = answer(&json!({"Status": 0, "Answer": given}), RecordType::Srv);
        prop_assert!(answer.records.len() <= MAX_RECORDS);
        prop_assert!(answer.ttl_seconds <= 86_400);
        for record in &answer.records {
            let again = Srv::read(&record.data).map(|srv| srv.to_string());
            prop_assert_eq!(again.as_ref(), Some(&record.data));
            prop_assert!(record.ttl_seconds <= 86_400);
        }
    }
}
