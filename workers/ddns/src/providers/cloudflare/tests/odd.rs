//! Answers that a client meets on a bad day.

use proptest::prelude::*;

use super::*;

/// What one host gets when its n-th request is answered like this and all others as usual.
fn with(nth: usize, odd: &Result<Answer, FetchError>) -> (Sent, Vec<String>, Vec<String>) {
    let dns = Dns::of(&[("r1", "A", "home.example.com", "8.8.4.4")]);
    let mut count = 0;
    let (mut outcome, heard) = sent(&[home("home.example.com", "8.8.8.8", "")], |heard| {
        count += 1;
        if count == nth {
            odd.clone()
        } else {
            dns.respond(heard)
        }
    });
    (outcome.remove(0), heard, dns.contents())
}

fn limited(retry_after: Option<&str>) -> Answer {
    let name = "retry-after".to_owned();
    Answer {
        headers: retry_after
            .map(|value| (name, value.to_owned()))
            .into_iter()
            .collect(),
        ..answer(429, "slow down")
    }
}

#[test]
fn who_finds_no_requests_left_waits_and_has_not_failed() {
    let peer = Peer::new(|_| Ok(answer(200, ""))).at_most(0);
    let api = super::super::api::Api::new(&peer, "https://api.example.com", "token");
    assert_eq!(run(api.list("/zones?name=example.com")), Err(Fault::Left));
}

#[test]
fn too_many_requests_end_the_round_and_say_when_to_come_back() {
    for (header, seconds) in [
        (Some("17"), 17),
        (None, 300),
        (Some("soon"), 300),
        (Some("999999"), 3600),
        (Some("0"), 1),
    ] {
        for nth in 1..=4 {
            let (outcome, heard, contents) = with(nth, &Ok(limited(header)));
            let Sent::Later {
                after_seconds,
                detail,
            } = outcome
            else {
                panic!("{outcome:?}");
            };
            assert_eq!(after_seconds, Some(seconds), "{detail}");
            assert_eq!((heard.len(), contents), (nth, vec!["8.8.4.4".to_owned()]));
        }
    }
    let (outcome, ..) = with(1, &error(400, 971, "Please wait"));
    assert!(matches!(
        outcome,
        Sent::Later {
            after_seconds: Some(300),
            ..
        }
    ));
}

#[test]
fn the_rest_of_a_zone_waits_when_the_server_does_not_work() {
    let names = ["a", "b", "c", "d", "e", "f"]
        .map(|name| home(&format!("{name}.example.com"), "8.8.8.8", ""));
    let dns = Dns::of(&[]);
    let mut count = 0;
    let (outcome, heard) = sent(&names, |heard| {
        count += 1;
        if count > 2 {
            Ok(limited(Some("9")))
        } else {
            dns.respond(heard)
        }
    });
    assert_eq!(heard.len(), 3, "{heard:?}");
    assert!(outcome.iter().all(|sent| matches!(
        sent,
        Sent::Later {
            after_seconds: Some(9),
            ..
        }
    )));
}

#[test]
fn a_server_that_does_not_work_is_asked_again_later() {
    let cut = Answer {
        cut: true,
        ..answer(200, "{")
    };
    for (odd, detail) in [
        (
            Ok(answer(503, "<h1>Service\nUnavailable</h1>")),
            "answered 503: \"Service Unavailable\"",
        ),
        (error(500, 1000, "Internal"), "answered 500: 1000 Internal"),
        (
            Ok(answer(200, "<html>hello")),
            "answered 200 without a result: \"hello\"",
        ),
        (Ok(answer(200, "")), "answered 200 without a result: \"\""),
        (
            Ok(answer(200, "{}")),
            "answered 200 without a result: \"{}\"",
        ),
        (Ok(answer(302, "")), "answered 302: \"\""),
        (Ok(cut), "answered 200 with more than 262144 bytes"),
        (Err(FetchError::Timeout(8000)), "no answer within 8000 ms"),
        (
            Err(FetchError::Connection("refused".to_owned())),
            "no connection: refused",
        ),
        (
            Err(FetchError::Broken(TOKEN.to_owned())),
            "the answer broke off: [hidden]",
        ),
    ] {
        for nth in 1..=4 {
            let (outcome, _, contents) = with(nth, &odd);
            assert_eq!(outcome, later(detail), "{nth}");
            assert_eq!(contents, ["8.8.4.4"]);
        }
    }
}

#[test]
fn a_no_in_a_200_is_a_no_and_its_code_decides() {
    for (odd, expected) in [
        (error(200, 10000, "Authentication error"), None),
        (error(200, 9109, "Invalid access token cf-t0ken"), None),
        (error(403, 10000, "Authentication error"), None),
        (error(400, 6003, "Invalid request headers"), None),
        (
            error(200, 81044, "Record does not exist."),
            Some("answered 200: 81044 Record does not exist."),
        ),
        (
            error(404, 81044, "Record does not exist."),
            Some("answered 404: 81044 Record does not exist."),
        ),
        (error(200, 1, "strange"), Some("answered 200: 1 strange")),
    ] {
        let (outcome, _, contents) = with(4, &odd);
        assert_eq!(contents, ["8.8.4.4"]);
        assert!(!outcome.detail().contains(TOKEN));
        if let Some(detail) = expected {
            assert_eq!(outcome, later(detail));
        } else {
            let words = "refused the token or lacks a right of it: answered ";
            assert!(matches!(&outcome, Sent::Refused { detail } if detail.starts_with(words)));
        }
    }
    let chain = json!({"code": 9005, "message": "Content for A record is invalid."});
    let errors = [json!({"code": 1004, "message": "DNS Validation Error", "error_chain": [chain]})];
    let body = json!({"success": false, "errors": errors}).to_string();
    let (outcome, ..) = with(4, &Ok(answer(400, &body)));
    let detail = "answered 400: 1004 DNS Validation Error; 9005 Content for A record is invalid.";
    assert_eq!(outcome, refused(detail));
}

#[test]
fn a_wrong_token_is_tried_once() {
    let homes = ["a", "b"].map(|name| home(&format!("{name}.example.com"), "8.8.8.8", ""));
    let (outcome, heard) = sent(&homes, |_| error(400, 6003, "Invalid request headers"));
    assert!(
        outcome
            .iter()
            .all(|sent| matches!(sent, Sent::Refused { .. }))
    );
    assert_eq!(heard.len(), 1);
}

#[test]
fn a_success_without_the_record_is_looked_at_and_is_none_when_the_zone_does_not_have_it() {
    for result in [
        json!(null),
        json!({}),
        json!({"type": "A", "name": "home.example.com", "content": "8.8.4.4"}),
        json!({"type": "A", "name": "other.example.com", "content": "8.8.8.8"}),
        json!({"type": "AAAA", "name": "home.example.com", "content": "8.8.8.8"}),
        json!([{"type": "A", "name": "home.example.com", "content": "8.8.8.8"}]),
    ] {
        let (outcome, ..) = with(4, &ok(&result));
        assert_eq!(
            outcome,
            later("said yes, and the zone has no A record with 8.8.8.8")
        );
    }
}

#[test]
fn a_success_without_the_record_is_one_when_the_zone_has_it() {
    let dns = Dns::of(&[("r1", "A", "home.example.com", "8.8.4.4")]);
    let (outcome, heard) = sent(&[home("home.example.com", "8.8.8.8", "")], |heard| {
        let answer = dns.respond(heard);
        if heard.method == "PATCH" {
            ok(&json!(null))
        } else {
            answer
        }
    });
    assert!(outcome[0].is_done(), "{outcome:?}");
    assert_eq!(heard.len(), 5);
}

#[test]
fn lists_that_are_odd_change_nothing() {
    let endless = json!({"success": true, "result": [], "result_info": {"total_pages": u64::MAX}});
    for (odd, outcome) in [
        (ok(&json!({})), later("answered without a list")),
        (
            ok(
                &json!([{"id": "../x", "type": "A", "name": "home.example.com", "content": "8.8.4.4"}]),
            ),
            later("answered a record without id or content"),
        ),
        (
            ok(&json!([{"id": "r1", "type": "A", "name": "home.example.com"}])),
            later("answered a record without id or content"),
        ),
    ] {
        let (got, _, contents) = with(3, &odd);
        assert_eq!((got, contents), (outcome, vec!["8.8.4.4".to_owned()]));
    }
    let (outcome, heard) = sent(&[home("home.example.com", "8.8.8.8", "")], |_| {
        Ok(answer(200, &endless.to_string()))
    });
    assert_eq!(outcome, [refused("answered with more than 10 pages")]);
    assert_eq!(heard.len(), 10);
}

#[test]
fn a_run_with_few_requests_changes_some_hosts_and_leaves_the_others_to_the_next_one() {
    let names: Vec<String> = (0..12).map(|n| format!("h{n}.example.com")).collect();
    let records: Vec<_> = names
        .iter()
        .map(|name| (&name[..name.len() - 12], "A", name.as_str(), "8.8.4.4"))
        .collect();
    let dns = Dns::of(&records);
    let mut homes: Vec<Home> = names.iter().map(|name| home(name, "8.8.8.8", "")).collect();
    for home in &mut homes {
        home.provider.zone = "example.com".parse().ok();
    }
    let mut runs = 0;
    while !homes.is_empty() {
        runs += 1;
        let peer = Peer::new(|heard| match heard.url.as_str() {
            url if url.ends_with("/batch") => error(400, 1004, "DNS Validation Error"),
            _ => dns.respond(heard),
        });
        let (outcome, _) = sent_to(&peer.at_most(12), &homes);
        let mut each = outcome.iter();
        homes.retain(|_| !each.next().is_some_and(Sent::is_done));
        assert!(runs < 5, "{outcome:?}");
    }
    assert_eq!(dns.contents(), ["8.8.8.8"; 12]);
}

#[test]
fn looking_for_zones_leaves_calls_to_change_records_and_nobody_fails_who_only_waits() {
    let names: Vec<String> = (0..15).map(|n| format!("h{n}.example.com")).collect();
    let record = |kind, content| move |name: &String| json!({"id": format!("{kind}{}", &name[..name.len() - 12]), "type": kind, "name": name, "content": content});
    let dns = Dns::of(&[]);
    let old = names.iter().map(record("A", "8.8.4.4"));
    let old = old.chain(names.iter().map(record("AAAA", "2001:200::2")));
    dns.records.borrow_mut().extend(old);
    let mut homes: Vec<Home> = names.iter().map(|name| home(name, "8.8.8.8", V6)).collect();
    let mut runs = 0;
    while !homes.is_empty() {
        runs += 1;
        let peer = Peer::new(|heard| dns.respond(heard)).at_most(16);
        let (outcome, _) = sent_to(&peer, &homes);
        assert!(
            outcome
                .iter()
                .all(|sent| sent.is_done() || matches!(sent, Sent::Left { .. })),
            "{outcome:?}"
        );
        let mut each = outcome.iter();
        homes.retain(|_| !each.next().is_some_and(Sent::is_done));
        assert!(runs < 8, "{outcome:?}");
    }
    let changed = |contents: &[String]| [contents[0].as_str(), &contents[29]] == ["8.8.8.8", V6];
    assert!(changed(&dns.contents()));
}

/// A body as the API, somebody in between, or nobody would send it.
fn body() -> impl Strategy<Value = String> {
    let record = |content: &'static str| json!({"id": "r1", "name": "home.example.com", "type": "A", "content": content});
    let success = |result: Value| json!({"success": true, "result": result}).to_string();
    let records = [
        success(json!([{"id": "z1", "name": "example.com"}])),
        success(json!([record("8.8.4.4")])),
        success(json!([])),
        success(record("8.8.8.8")),
        success(record("")),
        success(json!([record("8.8.4.4"), record("8.8.8.8")])),
        json!({"success": false, "result": [record("8.8.8.8")], "errors": [{"code": 10000, "message": TOKEN}]}).to_string(),
        format!("<html>{TOKEN}"),
        String::new(),
    ];
    prop_oneof![
        prop::sample::select(records.to_vec()),
        "[{}\\[\\]\":,a-z0-9.]{0,30}",
        "\\PC{0,30}"
    ]
}

proptest! {
    #[test]
    fn no_sequence_of_odd_answers_is_taken_for_a_success_or_blanks_a_record(
        answers in prop::collection::vec((prop_oneof![4 => Just(200_u16), 1 => 100..600_u16], body()), 1..8),
        create: bool,
    ) {
        let mut one = home("home.example.com", "8.8.8.8", "");
        one.provider.create = create;
        let mut proof = false;
        let mut all = answers.iter().cycle();
        let (outcome, heard) = sent(&[one], |_| {
            let (status, body) = all.next().unwrap();
            proof |= (200..300).contains(status) && body.contains("\"success\":true") && body.contains("8.8.8.8");
            Ok(answer(*status, body))
        });
        prop_assert!(proof || !outcome[0].is_done(), "{outcome:?}");
        prop_assert!(!outcome[0].detail().contains(TOKEN));
        prop_assert!(outcome[0].detail().chars().count() < 400);
        for request in heard {
            let method = request.split(' ').next().unwrap_or_default();
            prop_assert!(["GET", "PATCH", "POST"].contains(&method), "{request}");
            prop_assert!(method == "GET" || request.contains(r#""content":"8.8.8.8""#), "{request}");
        }
    }
}
