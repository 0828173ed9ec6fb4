//! What is wanted of several accounts at once.

use edge::fetch::FetchError;
use serde_json::json;

use super::{
    memory::{Peer, answer, later, refused, run},
    *,
};

const SECRET: &str = r#"{"home":{"id":"mydns000000","password":"hunter2"},"zone":{"token":"cf-t0ken"},"odd":{"token":1}}"#;
const TAKEN: &str = "Login and IP address notify OK.<BR>\nlogin_status = 1.<BR>";

fn provider(kind: ProviderKind, credentials: &str) -> Provider {
    Provider {
        kind,
        credentials: credentials.to_owned(),
        required: true,
        create: false,
        zone: None,
        ttl: None,
        proxied: None,
    }
}

fn sent<'a>(peer: &Peer<'_>, wanted: &[(&'a HostName, &str, &'a Provider)]) -> Vec<Sent> {
    let (secrets, now) = (
        ProviderSecrets::parse(Some(SECRET)),
        Timestamp::from_seconds(0),
    );
    let providers = Providers {
        http: peer,
        mydns_url: &ProviderUrl::mydns(),
        cloudflare_api: &ProviderUrl::cloudflare(),
        secrets: &secrets,
    };
    let wanted: Vec<Wanted<'_>> = wanted
        .iter()
        .map(|&(host, ipv4, provider)| Wanted {
            host,
            addresses: Addresses {
                ipv4: ipv4.parse().ok(),
                ipv6: None,
            },
            provider,
        })
        .collect();
    run(providers.send(&wanted, now))
}

#[test]
fn one_provider_that_fails_concerns_no_other_and_answers_keep_their_order() {
    let host: HostName = "home.example.com".parse().unwrap();
    let zone = provider(ProviderKind::Cloudflare, "zone");
    let odd = provider(ProviderKind::Cloudflare, "odd");
    let mydns = provider(ProviderKind::Mydns, "home");
    let peer = Peer::new(|heard| match heard.url.as_str() {
        "https://www.mydns.jp/directip.html" => Ok(answer(200, TAKEN)),
        _ => Err(FetchError::Timeout(8000)),
    });
    let sent = sent(
        &peer,
        &[
            (&host, "8.8.8.8", &zone),
            (&host, "8.8.8.8", &odd),
            (&host, "8.8.8.8", &mydns),
        ],
    );
    assert_eq!(sent[0], later("no answer within 8000 ms"));
    let detail = "credentials \"odd\": is neither {\"id\",\"password\"} nor {\"token\"}";
    assert_eq!(sent[1], refused(detail));
    assert!(sent[2].is_done());
}

#[test]
fn a_host_that_is_there_twice_is_sent_once() {
    let host: HostName = "home.example.com".parse().unwrap();
    let mydns = provider(ProviderKind::Mydns, "home");
    let peer = Peer::new(|_| Ok(answer(200, TAKEN)));
    let outcomes = sent(
        &peer,
        &[
            (&host, "8.8.8.8", &mydns),
            (&host, "8.8.8.8", &mydns),
            (&host, "8.8.4.4", &mydns),
        ],
    );
    assert!(outcomes[0].is_done());
    assert_eq!(outcomes[0], outcomes[1]);
    assert_eq!(
        outcomes[2],
        refused("home.example.com is asked for twice, with two addresses")
    );
    assert_eq!(peer.heard().len(), 1);
    assert_eq!(sent(&peer, &[]), []);
}

#[test]
fn credentials_are_in_nothing_that_is_shown() {
    let host: HostName = "home.example.com".parse().unwrap();
    let mydns = provider(ProviderKind::Mydns, "home");
    let zone = provider(ProviderKind::Cloudflare, "zone");
    let peer = Peer::new(|heard| {
        let all = format!("{} {:?} {:?}", heard.url, heard.headers, heard.body);
        Ok(answer(200, &json!({"success": false, "errors": [{"code": 1, "message": all}], "login_status": all}).to_string()))
    });
    for one in sent(
        &peer,
        &[(&host, "8.8.8.8", &mydns), (&host, "8.8.8.8", &zone)],
    ) {
        for secret in ["hunter2", "mydns000000", "cf-t0ken"] {
            assert!(!one.detail().contains(secret), "{one:?}");
        }
    }
}
