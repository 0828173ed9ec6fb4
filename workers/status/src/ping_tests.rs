//! The ping against a scripted connection.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
};

use futures::FutureExt as _;

use super::*;
use crate::observe::tests::target;

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
        let answer = ping(self, &target()).now_or_never();
        answer.expect("the scripted peer never waits")
    }

    /// Every wait takes ten milliseconds.
    fn wait(&self) {
        self.clock.set(self.clock.get() + 10);
    }
}

impl Network for Peer {
    type Connection = Self;

    fn millis(&self) -> i64 {
        self.clock.get()
    }

    async fn dial(&self, _: &Target) -> Result<Self, Failure> {
        self.wait();
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
            Step::Silence => return Err(Failure::Timeout { after_ms: 5000 }),
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
    let answer = ping(&peer, &forced).now_or_never().unwrap();
    assert!(answer.is_ok());
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
