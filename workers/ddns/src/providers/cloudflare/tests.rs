//! The client against zones in memory that answer as the API does.

mod odd;

use std::cell::RefCell;

use edge::fetch::{Answer, FetchError};
use types::{
    config::{HostName, Provider, ProviderKind},
    ddns::Addresses,
};

use super::{
    super::memory::{Heard, Peer, answer, later, refused, run},
    *,
};

const BASE: &str = "https://api.example.test/client/v4";
const TOKEN: &str = "cf-t0ken";
const V6: &str = "2001:200::1";

/// A host with one provider, and what it is to have.
struct Home {
    host: HostName,
    provider: Provider,
    addresses: Addresses,
}

fn home(host: &str, ipv4: &str, ipv6: &str) -> Home {
    Home {
        host: host.parse().unwrap(),
        provider: Provider {
            kind: ProviderKind::Cloudflare,
            credentials: "zone".to_owned(),
            required: true,
            create: false,
            zone: None,
            ttl: None,
            proxied: None,
        },
        addresses: Addresses {
            ipv4: ipv4.parse().ok(),
            ipv6: ipv6.parse().ok(),
        },
    }
}

/// Sends what these homes want; gives what came of it and `METHOD path body` of each request.
fn sent(
    homes: &[Home],
    respond: impl FnMut(&Heard) -> Result<Answer, FetchError>,
) -> (Vec<Sent>, Vec<String>) {
    sent_to(&Peer::new(respond), homes)
}

fn sent_to(peer: &Peer<'_>, homes: &[Home]) -> (Vec<Sent>, Vec<String>) {
    let wanted: Vec<Wanted<'_>> = homes
        .iter()
        .map(|home| Wanted {
            host: &home.host,
            addresses: home.addresses,
            provider: &home.provider,
        })
        .collect();
    let wanted: Vec<&Wanted<'_>> = wanted.iter().collect();
    let sent = run(send(peer, BASE, TOKEN, &wanted));
    let heard = peer.heard().into_iter().map(|heard| {
        let authorization = ("authorization".to_owned(), format!("Bearer {TOKEN}"));
        assert!(heard.headers.contains(&authorization));
        let path = heard
            .url
            .strip_prefix(BASE)
            .unwrap_or("elsewhere")
            .to_owned();
        let body = heard.body.map(|body| format!(" {body}"));
        format!("{} {path}{}", heard.method, body.unwrap_or_default())
    });
    (sent, heard.collect())
}

/// Zones that answer as the API does.
#[derive(Default)]
struct Dns {
    zones: Vec<Value>,
    records: RefCell<Vec<Value>>,
    /// Of lists.
    page: usize,
}

#[expect(clippy::unnecessary_wraps, reason = "as a peer answers")]
fn ok(result: &Value) -> Result<Answer, FetchError> {
    let body = json!({"success": true, "errors": [], "messages": [], "result": result});
    Ok(answer(200, &body.to_string()))
}

#[expect(clippy::unnecessary_wraps, reason = "as a peer answers")]
fn error(status: u16, code: u64, message: &str) -> Result<Answer, FetchError> {
    let errors = [json!({"code": code, "message": message})];
    let body = json!({"success": false, "errors": errors, "messages": [], "result": null});
    Ok(answer(status, &body.to_string()))
}

impl Dns {
    /// `example.com` with these records: id, type, name, content.
    fn of(records: &[(&str, &str, &str, &str)]) -> Self {
        let record = |(id, kind, name, content): &(&str, &str, &str, &str)| json!({"id": id, "type": kind, "name": name, "content": content, "ttl": 300, "proxied": true, "comment": "kept"});
        Self {
            zones: vec![json!({"id": "z1", "name": "example.com", "status": "active"})],
            records: RefCell::new(records.iter().map(record).collect()),
            page: 100,
        }
    }

    fn respond(&self, heard: &Heard) -> Result<Answer, FetchError> {
        let path = heard.url.strip_prefix(BASE).unwrap_or_default();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let parameter = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let body: Value = heard
            .body
            .as_deref()
            .map_or(Value::Null, |body| body.parse().unwrap());
        let records = "/zones/z1/dns_records";
        match (heard.method.as_str(), path) {
            ("GET", "/zones") => {
                let asked = parameter("name").unwrap_or_default();
                let zones = self.zones.iter().filter(|zone| zone["name"] == asked);
                ok(&zones.cloned().collect::<Vec<_>>().into())
            }
            ("GET", path) if path == records => {
                let (name, kind) = (parameter("name").unwrap_or_default(), parameter("type"));
                let records = self.records.borrow();
                let all: Vec<_> = records
                    .iter()
                    .filter(|record| record["type"] == kind.unwrap_or_default())
                    .filter(|record| record["name"].as_str().unwrap().eq_ignore_ascii_case(name))
                    .collect();
                let page: usize = parameter("page").map_or(1, |page| page.parse().unwrap());
                let shown: Vec<_> = all
                    .chunks(self.page)
                    .nth(page - 1)
                    .unwrap_or_default()
                    .to_vec();
                let info = json!({"page": page, "total_pages": all.len().div_ceil(self.page)});
                let body =
                    json!({"success": true, "errors": [], "result": shown, "result_info": info});
                Ok(answer(200, &body.to_string()))
            }
            ("POST", path) if path == format!("{records}/batch") => {
                let list = |key: &str| body[key].as_array().cloned().unwrap_or_default();
                let patches: Vec<Value> = list("patches")
                    .iter()
                    .map(|patch| self.patch(patch["id"].as_str().unwrap(), patch))
                    .collect();
                let posts: Vec<Value> = list("posts").iter().map(|post| self.post(post)).collect();
                ok(&json!({"deletes": null, "patches": patches, "posts": posts, "puts": null}))
            }
            ("POST", path) if path == records => ok(&self.post(&body)),
            ("PATCH", path) => ok(&self.patch(path.rsplit('/').next().unwrap(), &body)),
            _ => error(400, 7000, "No route for that URI"),
        }
    }

    fn patch(&self, id: &str, patch: &Value) -> Value {
        let mut records = self.records.borrow_mut();
        let record = records
            .iter_mut()
            .find(|record| record["id"] == id)
            .unwrap();
        record["content"] = patch["content"].clone();
        record.clone()
    }

    fn post(&self, record: &Value) -> Value {
        let mut record = record.clone();
        record["id"] = "made".into();
        self.records.borrow_mut().push(record.clone());
        record
    }

    fn contents(&self) -> Vec<String> {
        let records = self.records.borrow();
        let content = |record: &Value| record["content"].as_str().unwrap().to_owned();
        records.iter().map(content).collect()
    }
}

const FIND: [&str; 2] = [
    "GET /zones?name=home.example.com",
    "GET /zones?name=example.com",
];
const LIST: &str = "GET /zones/z1/dns_records?type=A&name=home.example.com";

#[test]
fn a_record_that_differs_gets_another_content_and_keeps_the_rest() {
    let dns = Dns::of(&[("r1", "A", "Home.Example.com", "8.8.4.4")]);
    let homes = [home("home.example.com", "8.8.8.8", "")];
    let (outcome, heard) = sent(&homes, |heard| dns.respond(heard));
    let detail = "A 8.8.8.8 instead of 8.8.4.4".to_owned();
    assert_eq!(
        outcome,
        [Sent::Done {
            detail,
            expires_at: None
        }]
    );
    let patch = r#"PATCH /zones/z1/dns_records/r1 {"content":"8.8.8.8"}"#;
    assert_eq!(heard, [FIND[0], FIND[1], LIST, patch]);
}

#[test]
fn a_record_that_holds_the_address_is_left_alone() {
    let dns = Dns::of(&[("r6", "AAAA", "home.example.com", "2001:0200:0::1")]);
    let (outcome, heard) = sent(&[home("home.example.com", "", V6)], |heard| {
        dns.respond(heard)
    });
    assert_eq!(outcome[0].detail(), "AAAA 2001:200::1 is there already");
    assert!(outcome[0].is_done() && heard.iter().all(|heard| heard.starts_with("GET ")));
}

#[test]
fn a_record_that_is_not_there_is_created_where_that_is_allowed() {
    let dns = Dns::of(&[
        ("x", "CNAME", "home.example.com", "a"),
        ("y", "A", "other.example.com", "8.8.8.8"),
    ]);
    let mut homes = [home("home.example.com", "8.8.8.8", "")];
    let (outcome, heard) = sent(&homes, |heard| dns.respond(heard));
    let detail = "home.example.com has no A record in example.com, and create is not set";
    assert_eq!(outcome, [refused(detail)]);
    assert_eq!(heard.len(), 3);

    homes[0].provider.create = true;
    let (outcome, heard) = sent(&homes, |heard| dns.respond(heard));
    assert_eq!(outcome[0].detail(), "A 8.8.8.8 created");
    assert!(outcome[0].is_done());
    let post = r#"POST /zones/z1/dns_records {"content":"8.8.8.8","name":"home.example.com","proxied":false,"ttl":1,"type":"A"}"#;
    assert_eq!(heard[3], post);

    (homes[0].provider.ttl, homes[0].provider.proxied) = (Some(120), Some(true));
    let dns = Dns::of(&[]);
    let (_, heard) = sent(&homes, |heard| dns.respond(heard));
    assert!(
        heard[3].contains(r#""proxied":true,"ttl":120"#),
        "{}",
        heard[3]
    );
}

#[test]
fn several_records_of_one_name_are_refused_by_name_and_count_on_every_page() {
    let mut dns = Dns::of(&[
        ("r1", "A", "home.example.com", "8.8.4.4"),
        ("r2", "A", "home.example.com", "8.8.8.8"),
        ("r3", "A", "home.example.com", "9.9.9.9"),
    ]);
    dns.page = 1;
    let (outcome, heard) = sent(&[home("home.example.com", "8.8.8.8", "")], |heard| {
        dns.respond(heard)
    });
    let detail =
        "home.example.com has 3 A records in example.com: nobody knows which is the home's";
    assert_eq!(outcome, [refused(detail)]);
    assert_eq!(
        heard[3..],
        [format!("{LIST}&page=2"), format!("{LIST}&page=3")]
    );
    assert_eq!(dns.contents(), ["8.8.4.4", "8.8.8.8", "9.9.9.9"]);
}

#[test]
fn a_family_that_cannot_be_sent_does_not_hold_up_the_other() {
    let dns = Dns::of(&[("r1", "A", "home.example.com", "8.8.4.4")]);
    let (outcome, _) = sent(&[home("home.example.com", "8.8.8.8", V6)], |heard| {
        dns.respond(heard)
    });
    let detail = "A 8.8.8.8 instead of 8.8.4.4; home.example.com has no AAAA record in example.com, and create is not set";
    assert_eq!(outcome, [refused(detail)]);
    assert_eq!(dns.contents(), ["8.8.8.8"]);
}

#[test]
fn several_records_of_a_zone_are_one_transaction_and_the_zone_is_looked_for_once() {
    let dns = Dns::of(&[
        ("r1", "A", "home.example.com", "8.8.4.4"),
        ("r2", "AAAA", "home.example.com", "2001:200::9"),
        ("r3", "A", "nas.example.com", "8.8.8.8"),
    ]);
    let mut homes = [
        home("home.example.com", "8.8.8.8", V6),
        home("nas.example.com", "8.8.8.8", V6),
    ];
    homes[1].provider.create = true;
    let (outcome, heard) = sent(&homes, |heard| dns.respond(heard));
    assert!(outcome.iter().all(Sent::is_done), "{outcome:?}");
    let batch = concat!(
        r#"POST /zones/z1/dns_records/batch {"patches":[{"content":"8.8.8.8","id":"r1"},{"content":"2001:200::1","id":"r2"}],"#,
        r#""posts":[{"content":"2001:200::1","name":"nas.example.com","proxied":false,"ttl":1,"type":"AAAA"}]}"#
    );
    assert_eq!(heard.last().unwrap(), batch);
    assert_eq!(heard.len(), 3 + 4 + 1, "{heard:?}");
    assert_eq!(dns.contents(), ["8.8.8.8", V6, "8.8.8.8", V6]);
}

#[test]
fn a_batch_that_is_refused_is_sent_record_by_record() {
    let dns = Dns::of(&[
        ("r1", "A", "home.example.com", "8.8.4.4"),
        ("r3", "A", "nas.example.com", "8.8.4.4"),
    ]);
    let homes = [
        home("home.example.com", "8.8.8.8", ""),
        home("nas.example.com", "8.8.8.8", ""),
    ];
    let (outcome, heard) = sent(&homes, |heard| match heard.url.as_str() {
        url if url.ends_with("/batch") || url.ends_with("/r3") => {
            error(400, 1004, "DNS Validation Error")
        }
        _ => dns.respond(heard),
    });
    assert!(outcome[0].is_done());
    assert_eq!(
        outcome[1],
        refused("answered 400: 1004 DNS Validation Error")
    );
    assert_eq!(heard.len(), 8);
    assert_eq!(dns.contents(), ["8.8.8.8", "8.8.4.4"]);
}

#[test]
fn the_zone_is_the_longest_name_that_the_token_sees_or_the_one_that_is_said() {
    let mut dns = Dns::of(&[("r1", "A", "a.home.example.com", "8.8.4.4")]);
    let mut homes = [home("a.home.example.com", "8.8.8.8", "")];
    let (_, heard) = sent(&homes, |heard| dns.respond(heard));
    assert_eq!(
        heard[..3],
        ["GET /zones?name=a.home.example.com", FIND[0], FIND[1]]
    );

    homes[0].provider.zone = "example.com".parse().ok();
    let (outcome, heard) = sent(&homes, |heard| dns.respond(heard));
    assert!(outcome[0].is_done());
    assert_eq!(heard[0], FIND[1]);

    homes[0].provider.zone = "home.example.com".parse().ok();
    let (outcome, _) = sent(&homes, |heard| dns.respond(heard));
    assert_eq!(
        outcome,
        [refused("the token sees no zone home.example.com")]
    );

    homes[0].provider.zone = None;
    dns.zones.clear();
    let (outcome, heard) = sent(&homes, |heard| dns.respond(heard));
    assert_eq!(
        outcome,
        [refused("the token sees no zone for a.home.example.com")]
    );
    assert_eq!(heard.len(), 3);
}

#[test]
fn of_zones_with_one_name_the_active_one_is_meant() {
    let mut dns = Dns::of(&[("r1", "A", "home.example.com", "8.8.8.8")]);
    dns.zones
        .push(json!({"id": "z2", "name": "example.com", "status": "pending"}));
    let homes = [home("home.example.com", "8.8.8.8", "")];
    assert!(sent(&homes, |heard| dns.respond(heard)).0[0].is_done());
    dns.zones[1]["status"] = "active".into();
    let (outcome, _) = sent(&homes, |heard| dns.respond(heard));
    assert_eq!(
        outcome,
        [refused(
            "the token sees 2 zones example.com: set one active"
        )]
    );
}

#[test]
fn without_an_address_nothing_is_asked() {
    let (outcome, heard) = sent(&[home("home.example.com", "", "")], |_| panic!("asked"));
    assert_eq!(outcome, [refused("there is no address to send")]);
    assert_eq!(heard, [""; 0]);
}
