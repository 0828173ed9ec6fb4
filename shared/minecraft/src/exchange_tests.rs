//! The exchange against captured bytes and against peers that mean harm.

use super::*;
use crate::handshake::PROTOCOL;
use crate::varint::VarIntError;
use proptest::prelude::*;

const STATUS: &[u8] = include_bytes!("../../../fixtures/ping/status-response.bin");
const PONG: &[u8] = include_bytes!("../../../fixtures/ping/pong.bin");
const PAYLOAD: i64 = 0x0123_4567_89ab_cdef;

fn started() -> Exchange {
    Exchange::start(&Handshake::new(PROTOCOL, "mc.krz-tech.net", 25565).unwrap()).0
}

fn after_status() -> Exchange {
    let mut exchange = started();
    assert!(matches!(exchange.feed(STATUS), Ok(Progress::Status(_))));
    exchange.ping(PAYLOAD);
    exchange
}

#[test]
fn a_captured_exchange_is_replayed_byte_for_byte() {
    let handshake = Handshake::new(774, "mc.krz-tech.net", 25565).unwrap();
    let (mut exchange, sent) = Exchange::start(&handshake);
    let captured = [
        include_bytes!("../../../fixtures/ping/handshake.bin").as_slice(),
        include_bytes!("../../../fixtures/ping/status-request.bin").as_slice(),
    ];
    assert_eq!(sent, captured.concat());
    let Progress::Status(json) = exchange.feed(STATUS).unwrap() else {
        panic!("no status")
    };
    assert_eq!(
        json,
        STATUS[5..],
        "after frame length, packet id and string length"
    );
    assert_eq!(
        exchange.ping(PAYLOAD),
        include_bytes!("../../../fixtures/ping/ping.bin")
    );
    assert_eq!(exchange.feed(PONG), Ok(Progress::Pong { matches: true }));
}

#[test]
fn bytes_may_come_one_at_a_time() {
    let mut exchange = started();
    let (last, first) = STATUS.split_last().unwrap();
    for byte in first {
        assert_eq!(exchange.feed(&[*byte]), Ok(Progress::NeedMore));
    }
    assert!(matches!(exchange.feed(&[*last]), Ok(Progress::Status(_))));
}

#[test]
fn a_pong_that_came_early_waits_for_its_ping() {
    let mut exchange = started();
    assert!(matches!(
        exchange.feed(&[STATUS, PONG].concat()),
        Ok(Progress::Status(_))
    ));
    assert_eq!(exchange.feed(&[]), Ok(Progress::NeedMore));
    exchange.ping(PAYLOAD);
    assert_eq!(exchange.feed(&[]), Ok(Progress::Pong { matches: true }));
}

#[test]
fn a_pong_with_another_payload_does_not_match() {
    let mut exchange = after_status();
    assert_eq!(
        exchange.feed(&handshake::ping(7)),
        Ok(Progress::Pong { matches: false })
    );
}

#[test]
fn a_missing_pong_is_no_failure_and_a_cut_one_is() {
    assert_eq!(after_status().eof(), Ok(()));
    let mut exchange = after_status();
    assert_eq!(exchange.feed(&PONG[..4]), Ok(Progress::NeedMore));
    assert_eq!(
        exchange.eof(),
        Err(Failure::BadFrame(FrameError::Cut { received: 4 }))
    );
}

#[test]
fn closing_before_the_first_byte_differs_from_closing_inside_a_frame() {
    assert_eq!(started().eof(), Err(Failure::ClosedBeforeStatus));
    for end in [1, 2, 100, STATUS.len() - 1] {
        let mut exchange = started();
        assert_eq!(exchange.feed(&STATUS[..end]), Ok(Progress::NeedMore));
        assert_eq!(
            exchange.eof(),
            Err(Failure::BadFrame(FrameError::Cut { received: end }))
        );
    }
}

#[test]
fn a_length_of_2_gib_is_refused_at_once_and_nothing_is_kept_for_it() {
    let mut exchange = started();
    let failure = exchange.feed(&[0xff, 0xff, 0xff, 0xff, 0x07]).unwrap_err();
    assert_eq!(
        failure,
        Failure::Oversize {
            claimed: 0x7fff_ffff,
            limit: MAX_FRAME
        }
    );
    assert!(exchange.buffer.capacity() < 64);
}

#[test]
fn hostile_first_bytes_have_their_reason() {
    let table: [(&str, &[u8], Failure); 6] = [
        (
            "negative",
            &[0xff, 0xff, 0xff, 0xff, 0x0f],
            FrameError::Negative(-1).into(),
        ),
        ("zero", &[0x00], FrameError::Empty.into()),
        (
            "no VarInt",
            &[0xff; 16],
            FrameError::Length(VarIntError::TooLong).into(),
        ),
        (
            "a legacy kick",
            &[0xff, 0x00, 0x10, 0x00, 0xa7],
            FrameError::Length(VarIntError::Overlong).into(),
        ),
        (
            "a string longer than its frame",
            &[0x03, 0x00, 0x7f, b'{'],
            {
                FrameError::StringLength {
                    claimed: Some(127),
                    actual: 1,
                }
                .into()
            },
        ),
        (
            "an HTTP server",
            b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n",
            Failure::Protocol {
                expected: 0,
                found: 0x54,
            },
        ),
    ];
    for (name, bytes, failure) in table {
        assert_eq!(started().feed(bytes), Err(failure), "{name}");
    }
}

#[test]
fn the_largest_frame_passes_and_a_flood_behind_it_does_not() {
    let mut body = Vec::new();
    varint::write(i32::try_from(MAX_FRAME).unwrap() - 4, &mut body);
    body.resize(MAX_FRAME as usize - 1, b' ');
    let largest = frame::encode(0, &body);
    let mut exchange = started();
    assert!(
        matches!(exchange.feed(&largest), Ok(Progress::Status(json)) if json.len() == MAX_FRAME as usize - 4)
    );
    assert_eq!(exchange.feed(&largest).unwrap(), Progress::NeedMore);
    assert_eq!(exchange.feed(&largest).unwrap_err().reason(), "oversize");
    assert!(exchange.buffer.len() <= MAX_BUFFER);
}

proptest! {
    #[test]
    fn how_the_bytes_are_cut_changes_nothing(mut cuts in prop::collection::vec(0..STATUS.len(), 0..8)) {
        cuts.sort_unstable();
        let mut exchange = started();
        let mut from = 0;
        for cut in cuts {
            prop_assert_eq!(exchange.feed(&STATUS[from..cut]), Ok(Progress::NeedMore));
            from = cut;
        }
        prop_assert_eq!(exchange.feed(&STATUS[from..]), Ok(Progress::Status(STATUS[5..].to_vec())));
    }

    #[test]
    fn any_bytes_give_progress_or_a_failure_within_the_buffer(chunks: Vec<Vec<u8>>, ping: bool) {
        let mut exchange = if ping { after_status() } else { started() };
        for chunk in chunks {
            if exchange.feed(&chunk).is_err() {
                break;
            }
            prop_assert!(exchange.buffer.len() <= MAX_BUFFER);
        }
        let _ = exchange.eof();
    }
}
