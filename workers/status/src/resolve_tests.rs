//! The resolver against a scripted name server that counts.

use futures::FutureExt as _;
use types::config::ProxyProtocol;

use super::*;
use crate::observe::tests::target;

/// Answers by question; whatever it does not know is NXDOMAIN.
struct Server {
    now: Cell<i64>,
    answers: RefCell<BTreeMap<String, Result<&'static str, &'static str>>>,
    asked: RefCell<Vec<String>>,
    warned: Cell<u32>,
}

impl Doh for Server {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.now.get())
    }

    async fn ask(&self, name: &str, kind: RecordType) -> Result<String, String> {
        let question = format!("{} {name}", kind.as_str());
        self.asked.borrow_mut().push(question.clone());
        let answers = self.answers.borrow();
        let answer = answers.get(&question).copied();
        answer
            .unwrap_or(Ok(r#"{"Status":3}"#))
            .map(str::to_owned)
            .map_err(str::to_owned)
    }

    fn warn(&self, _: &str) {
        self.warned.set(self.warned.get() + 1);
    }
}

const SRV: &str = "SRV _minecraft._tcp.mc.example.com";
const FOUND: &str =
    r#"{"Status":0,"Answer":[{"type":33,"TTL":120,"data":"5 0 25570 node1.example.net."}]}"#;
const MOVED: &str =
    r#"{"Status":0,"Answer":[{"type":33,"TTL":120,"data":"5 0 25571 node2.example.net."}]}"#;
const ADDRESSES: &str = r#"{"Status":0,"Answer":[{"type":1,"TTL":5,"data":"192.0.2.9"},{"type":1,"TTL":5,"data":"192.0.2.1"}]}"#;
const NODATA: &str = r#"{"Status":0}"#;
const SIX: &str = r#"{"Status":0,"Answer":[{"type":28,"TTL":5,"data":"2001:db8::1"}]}"#;

impl Server {
    fn new(answers: &[(&str, Result<&'static str, &'static str>)]) -> Self {
        let answers = answers.iter();
        Self {
            now: Cell::new(1_000_000),
            answers: RefCell::new(
                answers
                    .map(|&(question, answer)| (question.to_owned(), answer))
                    .collect(),
            ),
            asked: RefCell::default(),
            warned: Cell::new(0),
        }
    }

    fn answer(&self, question: &str, answer: Result<&'static str, &'static str>) {
        self.answers
            .borrow_mut()
            .insert(question.to_owned(), answer);
    }

    /// The place of a target in a run that begins with this cache, and the cache after it.
    fn place(&self, target: &Target, known: Cache) -> (Place, Cache) {
        let targets = [target.clone()];
        let allowance = Allowance::beside(&targets);
        let resolver = Resolver::new(self, known, &allowance);
        let place = resolver.place(target).now_or_never().unwrap();
        (place, resolver.into_cache())
    }

    fn asked(&self) -> Vec<String> {
        self.asked.take()
    }
}

fn at(address: &str) -> Target {
    let mut target = target();
    target.address = address.parse().unwrap();
    target
}

#[test]
fn an_srv_record_says_where_to_dial_and_is_asked_for_again_when_its_time_is_over() {
    let server = Server::new(&[(SRV, Ok(FOUND)), ("A node1.example.net", Ok(ADDRESSES))]);
    let (place, known) = server.place(&target(), Cache::new());
    assert_eq!(
        (place.host.as_str(), place.port),
        ("node1.example.net", 25570)
    );
    assert_eq!(
        place.ip,
        Some([192, 0, 2, 1].into()),
        "the same in whatever order"
    );
    assert_eq!(server.asked(), [SRV, "A node1.example.net"]);

    server.now.set(1_000_119);
    let (again, known) = server.place(&target(), known);
    assert_eq!((again, server.asked().len()), (place, 0));

    server.answer(SRV, Ok(MOVED));
    server.now.set(1_000_120);
    let (moved, _) = server.place(&target(), known);
    assert_eq!(
        (moved.host.as_str(), moved.port),
        ("node2.example.net", 25571)
    );
}

#[test]
fn that_there_is_no_record_is_remembered_as_well() {
    let server = Server::new(&[("A mc.example.com", Ok(ADDRESSES))]);
    let (place, known) = server.place(&target(), Cache::new());
    assert_eq!((place.host.as_str(), place.port), ("mc.example.com", 25565));
    assert_eq!((place.srv_record.clone(), server.asked().len()), (None, 2));
    server.now.set(1_000_299);
    assert_eq!(server.place(&target(), known).0, place);
    assert_eq!(server.asked(), [""; 0]);
}

#[test]
fn a_new_instance_goes_on_with_what_was_stored() {
    let server = Server::new(&[(SRV, Ok(FOUND)), ("A node1.example.net", Ok(ADDRESSES))]);
    let (_, known) = server.place(&target(), Cache::new());
    let text = serde_json::to_string(&known).unwrap();
    server.asked();
    let (place, _) = server.place(&target(), serde_json::from_str(&text).unwrap());
    assert_eq!(place.port, 25570);
    assert_eq!(server.asked(), [""; 0]);
}

#[test]
fn when_the_name_server_fails_the_last_answer_holds_else_the_host_itself() {
    for failure in [Err("refused"), Ok("<html>"), Ok(r#"{"Status":2}"#)] {
        let server = Server::new(&[(SRV, failure)]);
        let (place, _) = server.place(&target(), Cache::new());
        assert_eq!((place.host.as_str(), place.port), ("mc.example.com", 25565));
        assert_eq!(server.warned.get(), 1);

        server.answer(SRV, Ok(FOUND));
        let (_, known) = server.place(&target(), Cache::new());
        server.answer(SRV, failure);
        server.now.set(2_000_000);
        let (place, known) = server.place(&target(), known);
        assert_eq!(place.port, 25570);
        server.answer(SRV, Ok(MOVED));
        assert_eq!(server.place(&target(), known).0.port, 25571);
    }
}

#[test]
fn a_dead_name_server_is_asked_once_in_a_run_and_one_that_lacks_a_name_for_the_next_too() {
    for (failure, questions) in [(Err("timeout"), 1), (Ok(r#"{"Status":2}"#), 2)] {
        let server = Server::new(&[(SRV, failure)]);
        server.place(&target(), Cache::new());
        assert_eq!(server.asked().len(), questions);
    }
}

#[test]
fn nothing_is_asked_about_addresses_own_names_and_hidden_places() {
    let server = Server::new(&[]);
    for address in [
        "localhost",
        "127.0.0.1:25565",
        "[::1]:1",
        "play.localhost",
        "nas.local",
    ] {
        server.place(&at(address), Cache::new());
    }
    let mut hidden = target();
    hidden.connect = Some("origin.example.com:1".parse().unwrap());
    let (place, _) = server.place(&hidden, Cache::new());
    assert_eq!(
        (place.host.as_str(), place.is_public),
        ("origin.example.com", false)
    );
    assert_eq!(server.asked(), [""; 0]);

    hidden.proxy_protocol = ProxyProtocol::V2;
    server.place(&hidden, Cache::new());
    assert_eq!(server.asked(), ["A origin.example.com"], "for the header");
}

#[test]
fn an_address_is_of_the_first_family_that_has_one() {
    let four = Server::new(&[("A mc.example.com", Ok(ADDRESSES))]);
    let six = Server::new(&[
        ("A mc.example.com", Ok(NODATA)),
        ("AAAA mc.example.com", Ok(SIX)),
    ]);
    let ip = |server: &Server, address| server.place(&at(address), Cache::new()).0.ip;
    assert_eq!(ip(&four, "mc.example.com:1"), Some([192, 0, 2, 1].into()));
    assert_eq!(ip(&six, "mc.example.com:1"), "2001:db8::1".parse().ok());
    assert_eq!(ip(&six, "other.example.com:1"), None);
    assert_eq!(ip(&six, "[2001:db8::2]:1"), "2001:db8::2".parse().ok());
}

#[test]
fn a_name_is_unknown_only_when_dns_says_so() {
    let server = Server::new(&[
        ("A there.example.com", Ok(ADDRESSES)),
        ("A six.example.com", Ok(NODATA)),
        ("A broken.example.com", Ok(r#"{"Status":2}"#)),
    ]);
    let unknown = |host: &str| {
        let allowance = Allowance::beside(&[]);
        let resolver = Resolver::new(&server, Cache::new(), &allowance);
        resolver.is_unknown(host).now_or_never().unwrap()
    };
    assert!(unknown("nowhere.example.com"));
    for host in [
        "there.example.com",
        "six.example.com",
        "broken.example.com",
        "localhost",
        "192.0.2.1",
    ] {
        assert!(!unknown(host), "{host}");
    }
}

#[test]
fn what_belongs_to_no_target_any_more_is_forgotten() {
    let server = Server::new(&[(SRV, Ok(FOUND))]);
    let (_, known) = server.place(&target(), Cache::new());
    assert!(known.keys().any(|key| key == "srv mc.example.com"));
    let (_, known) = server.place(&at("127.0.0.1"), known);
    assert_eq!(known, Cache::new());
}
