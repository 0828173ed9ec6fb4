use proptest::prelude::*;
use types::config::{HostName, Provider, ProviderKind};

use super::{
    super::memory::{Heard, Peer, answer, refused, run},
    *,
};

const URL: &str = "https://mydns.example.test/directip.html";
const PASSWORD: &str = "hunter2 & s\u{f6}ns";
const ACCOUNT: Account<'_> = Account {
    id: "mydns000000",
    password: PASSWORD,
};
const NOW: i64 = 1_795_255_200;
/// As the real one answers, more or less.
const OK: &str = "<HTML><HEAD><TITLE>MyDNS.JP</TITLE></HEAD>\n<BODY>\nLogin and IP address notify OK.<BR>\nlogin_status = 1.<BR>\n</BODY></HTML>";
const WRONG: &str = "<HTML><BODY>\nlogin_status = 0.<BR>\nMASTERID mydns000000\n</BODY></HTML>";

fn provider() -> Provider {
    Provider {
        kind: ProviderKind::Mydns,
        credentials: "home".to_owned(),
        required: true,
        create: false,
        zone: None,
        ttl: None,
        proxied: None,
    }
}

fn addresses(ipv4: &str, ipv6: &str) -> Addresses {
    Addresses {
        ipv4: ipv4.parse().ok(),
        ipv6: ipv6.parse().ok(),
    }
}

const V6: &str = "2001:200::1";

/// What one host gets that wants these addresses.
fn sent(addresses: Addresses, answer: Result<Answer, FetchError>) -> (Sent, Vec<Heard>) {
    let peer = Peer::new(move |_| answer.clone());
    let (host, provider): (HostName, _) = ("home.example.com".parse().unwrap(), provider());
    let wanted = Wanted {
        host: &host,
        addresses,
        provider: &provider,
    };
    let now = Timestamp::from_seconds(NOW);
    let mut sent = run(send(&peer, URL, ACCOUNT, &[&wanted], now));
    assert_eq!(sent.len(), 1);
    (sent.remove(0), peer.heard())
}

fn outcome(answer: Result<Answer, FetchError>) -> Sent {
    sent(addresses("8.8.8.8", V6), answer).0
}

#[test]
fn a_notice_is_a_form_with_what_there_is_and_its_password_is_in_no_url() {
    for (ipv4, ipv6, tail) in [
        (
            "8.8.8.8",
            V6,
            "&IPV4ADDR=8.8.8.8&IPV6ADDR=2001%3A200%3A%3A1",
        ),
        ("8.8.8.8", "", "&IPV4ADDR=8.8.8.8"),
        ("", V6, "&IPV6ADDR=2001%3A200%3A%3A1"),
    ] {
        let (sent, heard) = sent(addresses(ipv4, ipv6), Ok(answer(200, OK)));
        assert!(sent.is_done(), "{sent:?}");
        let [request] = heard.as_slice() else {
            panic!("{} requests", heard.len());
        };
        assert_eq!(
            (request.method.as_str(), request.url.as_str()),
            ("POST", URL)
        );
        let body = format!("MID=mydns000000&PWD=hunter2+%26+s%C3%B6ns{tail}");
        assert_eq!(request.body.as_deref(), Some(body.as_str()));
    }
}

#[test]
fn a_notice_that_was_taken_holds_for_a_week() {
    assert_eq!(
        outcome(Ok(answer(200, OK))),
        Sent::Done {
            detail: format!("took 8.8.8.8 and {V6}"),
            expires_at: Some(Timestamp::from_seconds(NOW + 604_800)),
        }
    );
}

#[test]
fn a_wrong_password_is_refused_although_it_is_a_200() {
    let Sent::Refused { detail } = outcome(Ok(answer(200, WRONG))) else {
        panic!("not refused");
    };
    assert_eq!(
        detail,
        "refused the id or the password (login_status = 0): \"login_status = 0. MASTERID [hidden]\""
    );
}

#[test]
fn without_proof_it_is_to_be_sent_later() {
    let cut = Answer {
        cut: true,
        ..answer(200, OK)
    };
    for (given, words) in [
        (
            Ok(answer(200, "")),
            "answered 200 without a login_status: nothing",
        ),
        (
            Ok(answer(200, "<html>Under maintenance</html>")),
            "\"Under maintenance\"",
        ),
        (
            Ok(answer(200, "IP address notify OK")),
            "without a login_status",
        ),
        (
            Ok(answer(200, "login_status = 1.")),
            "took the login and not the address",
        ),
        (
            Ok(answer(200, "login_status = 10. IP address notify OK")),
            "without a login_status",
        ),
        (
            Ok(answer(
                200,
                "login_status = 0. login_status = 1. IP address notify OK",
            )),
            "without",
        ),
        (Ok(answer(500, OK)), "answered 500: "),
        (Ok(answer(503, "")), "answered 503: nothing"),
        (Ok(answer(302, OK)), "answered 302"),
        (
            Ok(answer(401, "Authorization Required")),
            "answered 401: \"Authorization Required\"",
        ),
        (Ok(cut), "with more than 65536 bytes"),
        (Err(FetchError::Timeout(8_000)), "no answer within 8000 ms"),
        (
            Err(FetchError::Broken("lost".to_owned())),
            "the answer broke off: lost",
        ),
        (
            Err(FetchError::Connection(PASSWORD.to_owned())),
            "no connection: [hidden]",
        ),
    ] {
        let sent = outcome(given);
        assert!(matches!(sent, Sent::Later { .. }), "{sent:?}");
        assert!(sent.detail().contains(words), "{sent:?}");
    }
}

#[test]
fn hosts_of_an_account_share_one_notice_and_one_with_another_address_is_refused() {
    let peer = Peer::new(|_| Ok(answer(200, OK)));
    let provider = provider();
    let hosts: [HostName; 4] =
        ["a", "b", "c", "d"].map(|name| format!("{name}.example.com").parse().unwrap());
    let given = [
        addresses("8.8.8.8", ""),
        addresses("", V6),
        addresses("8.8.4.4", V6),
        Addresses::default(),
    ];
    let wanted: Vec<Wanted<'_>> = hosts
        .iter()
        .zip(given)
        .map(|(host, addresses)| Wanted {
            host,
            addresses,
            provider: &provider,
        })
        .collect();
    let wanted: Vec<&Wanted<'_>> = wanted.iter().collect();
    let sent = run(send(
        &peer,
        URL,
        ACCOUNT,
        &wanted,
        Timestamp::from_seconds(NOW),
    ));
    assert!(sent[0].is_done() && sent[1].is_done());
    assert!(matches!(&sent[2], Sent::Refused { detail } if detail.starts_with("c.example.com: ")));
    assert_eq!(sent[3], refused("there is no address to send"));
    let [request] = &peer.heard()[..] else {
        panic!("not one request");
    };
    let body = request.body.as_deref().unwrap_or_default();
    assert!(body.ends_with("&IPV4ADDR=8.8.8.8&IPV6ADDR=2001%3A200%3A%3A1"));
}

#[test]
fn without_an_address_nothing_is_sent() {
    let (sent, heard) = sent(Addresses::default(), Ok(answer(200, OK)));
    assert!(matches!(sent, Sent::Refused { .. }));
    assert_eq!(heard, []);
}

proptest! {
    #[test]
    fn no_odd_answer_is_taken_for_a_success_or_shows_a_credential(
        status in prop_oneof![Just(200_u16), 100..600_u16],
        pieces in prop::collection::vec(
            prop_oneof![
                Just("login_status".to_owned()),
                Just(" = ".to_owned()),
                Just("=1".to_owned()),
                Just("0".to_owned()),
                Just("1".to_owned()),
                Just("IP address notify OK".to_owned()),
                Just(PASSWORD.to_owned()),
                Just("mydns000000".to_owned()),
                "\\PC{0,12}",
            ],
            0..8,
        ),
    ) {
        let text = pieces.concat();
        let sent = outcome(Ok(answer(status, &text)));
        if sent.is_done() {
            prop_assert_eq!(status, 200);
            prop_assert!(text.contains("login_status") && text.contains("IP address notify OK"));
            prop_assert!(text.contains('1'));
        }
        prop_assert!(!sent.detail().contains("hunter2") && !sent.detail().contains("mydns000000"));
        prop_assert!(sent.detail().chars().count() < 400);
    }
}
