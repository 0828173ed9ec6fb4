//! The ping against a scripted connection.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
};

use futures::FutureExt as _;

use super::*;
use crate::observe::tests::target;

use minecraft::failure::Awaited;
use types::config::ProxyProtocol;

const STATUS: &[u8] = include_bytes!("../../../fixtures/ping/status-response.bin");

/// What a read gives, and what the clock shows after it.
#[derive(Clone)]
enum Step {
    Bytes(Vec<u8>),
    /// The pong to whatever ping was sent.
    Echo,
    Closed,
    Silence,
}

#[derive(Clone, Default)]
struct Peer {
    clock: Rc<Cell<i64>>,
    steps: Rc<RefCell<VecDeque<Step>>>,
    sent: Rc<RefCell<Vec<u8>>>,
    hung_up: Rc<Cell<bool>>,
    dials: Rc<Cell<u32>>,
    refuses: bool,
}

impl Peer {
    fn new(steps: &[Step]) -> Self {
        Self {
            steps: Rc::new(RefCell::new(steps.to_vec().into())),
            ..Self::default()
        }
    }

    fn ping(&self) -> Result<Answer, Failure> {
        self.ping_as(&target())
    }

    fn ping_as(&self, target: &Target) -> Result<Answer, Failure> {
        let allowance = Allowance::beside(std::slice::from_ref(target));
        let answer = ping(self, target, &place(), &allowance).now_or_never();
        answer.expect("the scripted peer never waits")
    }

    /// Every wait takes ten milliseconds.
    fn wait(&self) {
        self.clock.set(self.clock.get() + 10);
    }
}

fn place() -> Place {
    Place {
        host: "node1.example.net".to_owned(),
        port: 25570,
        srv_record: None,
        ip: Some([192, 0, 2, 1].into()),
        is_public: true,
    }
}

impl Network for Peer {
    type Connection = Self;

    fn millis(&self) -> i64 {
        self.clock.get()
    }

    async fn dial(&self, place: &Place, patience: Patience) -> Result<Self, Failure> {
        assert_eq!(place.host, "node1.example.net");
        assert!(patience.connect <= patience.total);
        self.wait();
        self.dials.set(self.dials.get() + 1);
        if self.refuses {
            return Err(Failure::Refused {
                detail: String::new(),
            });
        }
        Ok(self.clone())
    }
}

impl Connection for Peer {
    async fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.sent.borrow_mut().extend_from_slice(bytes);
        Ok(())
    }

    async fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        self.wait();
        let step = self.steps.borrow_mut().pop_front().unwrap_or(Step::Silence);
        let bytes = match step {
            Step::Bytes(bytes) => bytes,
            Step::Echo => self.sent.borrow()[self.sent.borrow().len() - 10..].to_vec(),
            Step::Closed => Vec::new(),
            Step::Silence => {
                return Err(Failure::Timeout {
                    awaited: Awaited::FirstByte,
                    after_ms: 5000,
                });
            }
        };
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }

    async fn hang_up(&mut self) {
        self.hung_up.set(true);
    }
}

fn status() -> Step {
    Step::Bytes(STATUS.to_vec())
}

#[test]
fn a_ping_times_each_part_and_hangs_up() {
    let (first, rest) = STATUS.split_at(100);
    let peer = Peer::new(&[
        Step::Bytes(first.to_vec()),
        Step::Bytes(rest.to_vec()),
        Step::Echo,
    ]);
    let answer = peer.ping().unwrap();
    assert_eq!(
        answer.latency_ms,
        Latency {
            connect: 10,
            status: 20,
            pong: Some(10)
        }
    );
    assert!(!answer.motd.clean.is_empty());
    assert!(peer.hung_up.get());
}

#[test]
fn the_handshake_names_what_is_configured_and_a_current_protocol() {
    let peer = Peer::new(&[status()]);
    let mut forced = target();
    forced.handshake_host = Some("forced.example.com///x".to_owned());
    forced.address = "mc.example.com:25570".parse().unwrap();
    assert!(peer.ping_as(&forced).is_ok());
    let expected = Handshake::new(PROTOCOL, "forced.example.com///x", 25570).unwrap();
    assert!(peer.sent.borrow().starts_with(&expected.encode()));
}

#[test]
fn a_status_is_not_lost_with_the_pong() {
    let wrong_pong = Step::Bytes(minecraft::handshake::ping(-1));
    let junk = Step::Bytes(vec![0xff; 100]);
    for after in [wrong_pong, junk, Step::Closed, Step::Silence, status()] {
        let peer = Peer::new(&[status(), after]);
        let answer = peer.ping().unwrap();
        assert_eq!(
            (answer.latency_ms.status, answer.latency_ms.pong),
            (10, None)
        );
        assert!(peer.hung_up.get());
    }
}

#[test]
fn failures_before_the_status_have_their_reasons() {
    let table = [
        (vec![Step::Closed], "closed-before-status"),
        (vec![Step::Silence], "timeout"),
        (
            vec![Step::Bytes(STATUS[..50].to_vec()), Step::Closed],
            "bad-frame",
        ),
        (vec![Step::Bytes(STATUS[..50].to_vec())], "timeout"),
        (
            vec![Step::Bytes(vec![0xff, 0xff, 0xff, 0xff, 7])],
            "oversize",
        ),
        (vec![Step::Bytes(b"\x03\x00\x01{".to_vec())], "bad-json"),
        (
            vec![
                Step::Bytes(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()),
                Step::Closed,
            ],
            "bad-frame",
        ),
        (vec![Step::Bytes(minecraft::handshake::ping(1))], "protocol"),
    ];
    for (steps, reason) in table {
        let peer = Peer::new(&steps);
        assert_eq!(peer.ping().unwrap_err().reason(), reason);
        assert!(peer.hung_up.get(), "{reason}");
    }
    let mut peer = Peer::new(&[]);
    peer.refuses = true;
    assert_eq!(peer.ping().unwrap_err().reason(), "refused");
}

#[test]
fn an_answer_that_was_cut_off_is_asked_for_once_more_on_a_new_connection() {
    let cut = [Step::Bytes(STATUS[..50].to_vec()), Step::Closed];
    let mut never = target();
    never.legacy = LegacyPing::Never;
    let peer = Peer::new(&[&cut[..], &[status(), Step::Echo]].concat());
    let answer = peer.ping_as(&never).unwrap();
    assert_eq!(peer.dials.get(), 2);
    assert_eq!(answer.latency_ms.status, 10, "of the second try alone");

    let peer = Peer::new(&[&cut[..], &cut, &cut].concat());
    assert_eq!(peer.ping_as(&never).unwrap_err().reason(), "bad-frame");
    assert_eq!(peer.dials.get(), 2);
}

/// A kick with this reason.
fn kick(reason: &str) -> Step {
    let mut bytes = vec![0xff];
    let units: Vec<u16> = reason.encode_utf16().collect();
    bytes.extend_from_slice(&u16::try_from(units.len()).unwrap().to_be_bytes());
    bytes.extend(units.iter().flat_map(|unit| unit.to_be_bytes()));
    Step::Bytes(bytes)
}

#[test]
fn who_does_not_understand_todays_ping_is_asked_as_in_old_times() {
    let protocol_error = || kick("Protocol error");
    for (before, dials) in [
        (vec![protocol_error()], 2),
        (vec![Step::Closed], 2),
        (vec![protocol_error(), Step::Closed], 3),
        (vec![Step::Closed, protocol_error(), Step::Silence], 4),
    ] {
        let peer = Peer::new(
            &[
                &before[..],
                &[kick("§1\x0078\x001.6.4\x00§6Old\x003\x0020")],
            ]
            .concat(),
        );
        let answer = peer.ping().unwrap();
        assert_eq!(peer.dials.get(), dials);
        assert_eq!(answer.motd.raw, "§6Old");
        assert_eq!(answer.version.unwrap().protocol, Some(78));
        let players = answer.players.unwrap();
        assert_eq!((players.online, players.max), (Some(3), Some(20)));
        let latency = answer.latency_ms;
        assert_eq!(
            (latency.connect, latency.status, latency.pong),
            (10, 10, None)
        );
        assert!(peer.hung_up.get());
    }
    let peer = Peer::new(&[Step::Closed, kick("Beta§0§20")]);
    assert_eq!(peer.ping().unwrap().version, None);
}

#[test]
fn an_old_answer_may_come_in_pieces() {
    let Step::Bytes(whole) = kick("§1\x0078\x001.6.4\0Old\x003\x0020") else {
        unreachable!()
    };
    let pieces = whole.chunks(1).map(|piece| Step::Bytes(piece.to_vec()));
    let steps: Vec<Step> = [Step::Closed].into_iter().chain(pieces).collect();
    assert_eq!(Peer::new(&steps).ping().unwrap().motd.clean, "Old");
}

#[test]
fn when_nothing_old_helps_either_the_failure_is_todays() {
    let peer = Peer::new(&[Step::Closed, Step::Closed, kick("Go away"), Step::Silence]);
    assert_eq!(peer.ping().unwrap_err(), Failure::ClosedBeforeStatus);
    assert_eq!(peer.dials.get(), 4);

    let mut never = target();
    never.legacy = LegacyPing::Never;
    let peer = Peer::new(&[Step::Closed, kick("Beta§0§20")]);
    assert_eq!(
        peer.ping_as(&never).unwrap_err(),
        Failure::ClosedBeforeStatus
    );
    assert_eq!(peer.dials.get(), 1);

    for understood in [Step::Silence, Step::Bytes(minecraft::handshake::ping(1))] {
        let peer = Peer::new(&[understood, kick("Beta§0§20")]);
        assert!(peer.ping().is_err());
        assert_eq!(peer.dials.get(), 1);
    }
}

#[test]
fn without_an_allowance_there_is_one_try() {
    let many = vec![target(); 44];
    let allowance = Allowance::beside(&many);
    let peer = Peer::new(&[Step::Closed, kick("Beta§0§20")]);
    let failed = ping(&peer, &target(), &place(), &allowance).now_or_never();
    assert_eq!(failed.unwrap().unwrap_err(), Failure::ClosedBeforeStatus);
    assert_eq!(peer.dials.get(), 1);
}

#[test]
fn the_proxy_header_stands_in_front_of_every_try() {
    for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
        let mut behind = target();
        behind.proxy_protocol = version;
        let header = proxy::header(version, &place());
        let peer = Peer::new(&[status()]);
        peer.ping_as(&behind).unwrap();
        let handshake = Handshake::new(PROTOCOL, "mc.example.com", 25565).unwrap();
        let expected = [&header[..], &handshake.encode()].concat();
        assert!(peer.sent.borrow().starts_with(&expected));

        let peer = Peer::new(&[Step::Closed, kick("Beta§0§20")]);
        peer.ping_as(&behind).unwrap();
        let sent = peer.sent.borrow();
        let second = [&header[..], &[0xfe, 0x01, 0xfa]].concat();
        assert!(sent.windows(second.len()).any(|bytes| bytes == second));
    }
}

#[test]
fn a_ping_has_one_deadline_for_all_its_tries() {
    let mut hasty = target();
    hasty.connect_timeout_ms = Some(300);
    hasty.first_byte_timeout_ms = Some(400);
    let peer = Peer::default();
    peer.clock.set(7);
    let place = place();
    let call = Call::new(&peer, &hasty, &place);
    let expected = Patience {
        connect: 300,
        first_byte: 400,
        total: 5000,
        deadline_ms: 5007,
    };
    assert_eq!(call.patience, expected);
}
