//! The record of an upload, its parts, and objects that were put directly.

mod crashes;
mod direct;
mod meetings;
mod simulation;
mod steps;

use proptest::prelude::*;

use super::*;

const MIB: u64 = 1024 * 1024;

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_795_255_200 + seconds)
}

pub fn asked(size: u64) -> NewUpload {
    NewUpload {
        pack: PackName::main(),
        channel: Channel::stable(),
        publish: true,
        size,
        sha1: None,
    }
}

pub fn id() -> Uuid {
    "5b6f3f0e-6d0e-4d0c-9d0e-0d6c5c6f2a11".parse().unwrap()
}

/// An upload of this size in parts of this size.
pub fn record(size: u64, part_size: u64) -> Record {
    Record::in_parts(asked(size), id(), "ci".to_owned(), at(0), part_size).unwrap()
}

pub fn found(key: &str, bytes: &[u8], seconds: i64) -> Found {
    Found {
        pack: PackName::main(),
        key: key.to_owned(),
        etag: crate::memory::etag(bytes),
        size: bytes.len() as u64,
        put_at: at(seconds),
    }
}

fn part(number: u32, size: u64) -> Part {
    Part {
        number,
        size,
        etag: "e".to_owned(),
    }
}

#[test]
fn the_record_of_parts_is_pinned_byte_for_byte() {
    let asked = NewUpload {
        publish: false,
        sha1: Some(Sha1::of(b"")),
        ..asked(25 * MIB)
    };
    let record = Record::in_parts(asked, id(), "ci".to_owned(), at(0), 100_000_000).unwrap();
    let json = concat!(
        r#"{"v":1,"id":"5b6f3f0e-6d0e-4d0c-9d0e-0d6c5c6f2a11","#,
        r#""source":{"parts":{"part_size":10485760}},"pack":"main","channel":"stable","#,
        r#""publish":false,"size":26214400,"sha1":"da39a3ee5e6b4b0d3255bfef95601890afd80709","#,
        r#""by":"ci","created_at":"2026-11-21T10:00:00Z","expires_at":"2026-11-22T10:00:00Z","#,
        r#""state":"uploading","state_since":"2026-11-21T10:00:00Z","reason":null,"uploaded":null}"#,
    );
    assert_eq!(serde_json::to_string(&record).unwrap(), json);
    assert_eq!(serde_json::from_str::<Record>(json).unwrap(), record);
    let later = json.replace(r#""v":1"#, r#""v":2"#);
    assert!(serde_json::from_str::<Record>(&later).is_err());
}

#[test]
fn the_record_of_an_object_is_pinned_byte_for_byte() {
    let found = Found {
        etag: "c846ff7a18f28c2e262116d6e8719ef0".to_owned(),
        ..found("incoming/main/a.zip", b"abc", 0)
    };
    let mut record = Record::incoming(&found, at(60));
    record.enter(State::Rejected, at(61));
    record.reason = Some("no".to_owned());
    let json = concat!(
        r#"{"v":1,"id":"2855fbb1-d1e1-5c26-ac54-9b3b5dfa224a","#,
        r#""source":{"incoming":{"key":"incoming/main/a.zip","etag":"c846ff7a18f28c2e262116d6e8719ef0"}},"#,
        r#""pack":"main","channel":"stable","publish":true,"size":3,"sha1":null,"#,
        r#""by":"incoming/main/a.zip","created_at":"2026-11-21T10:00:00Z","#,
        r#""expires_at":"2026-11-22T10:01:01Z","state":"rejected","#,
        r#""state_since":"2026-11-21T10:01:01Z","reason":"no","uploaded":null}"#,
    );
    assert_eq!(serde_json::to_string(&record).unwrap(), json);
    assert_eq!(serde_json::from_str::<Record>(json).unwrap(), record);
}

#[test]
fn what_a_client_asks_for_has_defaults_and_no_unknown_members() {
    let read = |json: &str| serde_json::from_str::<NewUpload>(json);
    assert_eq!(read(r#"{"size":9}"#).unwrap(), asked(9));
    for bad in [r"{}", r#"{"size":-1}"#, r#"{"size":1,"chanel":"beta"}"#] {
        assert!(read(bad).is_err(), "{bad}");
    }
}

#[test]
fn an_upload_has_a_size_that_the_game_takes() {
    let size_of = |size| {
        let record = Record::in_parts(asked(size), id(), String::new(), at(0), MIB);
        record.map(|record| record.size)
    };
    assert_eq!(size_of(0), Err(Refused::Empty));
    assert_eq!(size_of(1), Ok(1));
    assert_eq!(size_of(262_144_000), Ok(262_144_000));
    assert_eq!(size_of(262_144_001), Err(Refused::TooLarge(262_144_001)));
    assert_eq!(size_of(u64::MAX), Err(Refused::TooLarge(u64::MAX)));
}

#[test]
fn a_part_is_as_large_as_one_request_may_be_and_10_mib_at_most() {
    for (limit, expected) in [(100_000_000, 10 * MIB), (MIB, MIB), (1, 1), (0, 1)] {
        let source = record(MAX_PACK, limit).source;
        assert_eq!(
            source,
            Source::Parts {
                part_size: expected
            }
        );
    }
    assert_eq!(record(MAX_PACK, 100_000_000).parts(), 25);
}

#[test]
fn a_stored_part_size_of_nothing_does_no_harm() {
    let mut record = record(10, 5);
    record.source = Source::Parts { part_size: 0 };
    assert_eq!(record.parts(), 10);
    assert_eq!(record.part_length(10), Ok(1));
}

#[test]
fn an_object_has_no_parts() {
    let record = Record::incoming(&found("incoming/main/a.zip", b"a", 0), at(0));
    assert_eq!(record.parts(), 0);
    assert_eq!(record.part_length(1), Err(Refused::NoSuchPart(0)));
    assert_eq!(record.missing(&[]), Vec::<u32>::new());
}

#[test]
fn a_part_is_taken_while_uploading_only_and_with_its_own_length() {
    let mut record = record(25, 10);
    for (part, length) in [(1, 10), (2, 10), (3, 5)] {
        assert_eq!(record.check_part(part, length), Ok(()));
        for wrong in [0, length - 1, length + 1, u64::MAX] {
            let refused = Err(Refused::PartLength(length));
            assert_eq!(record.check_part(part, wrong), refused);
        }
    }
    for state in [State::Verifying, State::Ready, State::Rejected] {
        record.enter(state, at(1));
        assert_eq!(record.check_part(1, 10), Err(Refused::Over(state)));
    }
}

#[test]
fn a_part_of_another_length_has_not_come() {
    let record = record(25, 10);
    assert_eq!(record.missing(&[]), [1, 2, 3]);
    let received = [
        part(3, 5),
        part(1, 9),
        part(2, 10),
        part(4, 10),
        part(0, 10),
    ];
    assert_eq!(record.missing(&received), [1]);
}

#[test]
fn an_upload_ends_a_day_after_it_was_begun_completed_or_over() {
    let mut record = record(25, 10);
    assert!(!record.has_expired(at(LIFETIME)) && record.has_expired(at(LIFETIME + 1)));
    for (state, now) in [(State::Verifying, 100), (State::Ready, 200)] {
        record.enter(state, at(now));
        assert!(!record.has_expired(at(now + LIFETIME)));
        assert!(record.has_expired(at(now + LIFETIME + 1)));
    }
}

#[test]
fn a_verification_of_a_small_pack_counts_as_lost_after_a_minute() {
    let mut record = record(25, 10);
    assert!(!record.is_being_verified(at(0)));
    record.enter(State::Verifying, at(0));
    assert!(record.is_being_verified(at(-5)) && record.is_being_verified(at(59)));
    assert!(!record.is_being_verified(at(60)));
    // The queue may put off a larger one.
    record.size = AT_ONCE + 1;
    assert!(record.is_being_verified(at(599)) && !record.is_being_verified(at(600)));
    record.enter(State::Ready, at(0));
    assert!(!record.is_being_verified(at(0)) && record.is_over());
}

proptest! {
    #[test]
    fn the_parts_make_up_the_whole_and_there_are_no_others(
        size in 1..=MAX_PACK,
        limit in prop_oneof![MAX_PACK / 200..MAX_PACK, Just(100_000_000)],
        other in any::<u32>(),
    ) {
        let record = record(size, limit);
        let parts = record.parts();
        let lengths: Vec<u64> = (1..=parts).map(|part| record.part_length(part).unwrap()).collect();
        prop_assert_eq!(lengths.iter().sum::<u64>(), size);
        let (last, full) = lengths.split_last().unwrap();
        let Source::Parts { part_size } = record.source else { unreachable!() };
        prop_assert!(full.iter().all(|length| *length == part_size));
        prop_assert!((1..=part_size).contains(last));
        for outside in [0, parts + 1, parts.saturating_add(other.max(1)), u32::MAX] {
            prop_assert_eq!(record.part_length(outside), Err(Refused::NoSuchPart(parts)));
            prop_assert_eq!(record.check_part(outside, *last), Err(Refused::NoSuchPart(parts)));
        }
        let received: Vec<Part> = lengths.iter().zip(1..).map(|(size, number)| part(number, *size)).collect();
        prop_assert_eq!(record.missing(&received), Vec::<u32>::new());
    }
}
