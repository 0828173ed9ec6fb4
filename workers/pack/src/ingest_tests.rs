//! The order of an upload in one piece, on a store that can fail at any call and that others use at
//! the same time.

use futures::{executor::block_on, future::join};
use proptest::prelude::*;

use super::*;
use crate::{
    memory::{Body, Fault, Memory, SAMPLE, url, variant},
    registry::Author,
};

pub fn author(seconds: i64) -> Author {
    Author {
        name: "ci".to_owned(),
        at: Timestamp::from_seconds(seconds),
    }
}

pub fn target(publish: Publish, id: u128) -> Target {
    Target {
        pack: PackName::main(),
        publish,
        by: "ci".to_owned(),
        id: Uuid::from_u128(id),
    }
}

pub fn now() -> Publish {
    Publish::Now(Channel::stable())
}

pub fn request(length: usize, declared: Option<Sha1>, id: u128) -> Upload {
    Upload {
        target: target(now(), id),
        declared,
        length: length as u64,
    }
}

pub fn send(store: &Memory, body: &[u8], declared: Option<Sha1>) -> Result<Accepted, IngestError> {
    let id = store.calls().len() as u128 + 1;
    let upload = request(body.len(), declared, id);
    let result = block_on(super::upload(store, &upload, Some(body.into()), &url()));
    store.check();
    result
}

#[test]
fn a_declared_and_an_undeclared_upload_come_to_the_same() {
    let sha1 = Sha1::of(SAMPLE);
    for declared in [Some(sha1), None] {
        let store = Memory::default();
        let first = send(&store, SAMPLE, declared).unwrap();
        assert!(first.new && first.uploaded.published);
        let record = &first.uploaded.record;
        assert_eq!((record.sha1, record.size), (sha1, SAMPLE.len() as u64));
        assert_eq!(first.uploaded.previous, None);
        assert_eq!(store.announced(&Channel::stable()).as_ref(), Some(record));
        let again = send(&store, SAMPLE, declared).unwrap();
        assert!(!again.new && again.uploaded.published);
        assert_eq!(store.registry().unwrap().pack().history.len(), 1);
        assert_eq!(store.objects().len(), 1, "something was left behind");
    }
}

#[test]
fn a_wrong_hash_is_refused_whether_the_blob_exists_or_not() {
    let store = Memory::default();
    let declared = Sha1::of(SAMPLE);
    let wrong = Err(IngestError::WrongHash { declared });
    assert_eq!(send(&store, &variant(1), Some(declared)), wrong);
    assert!(store.objects().is_empty() && store.registry().is_none());
    send(&store, SAMPLE, Some(declared)).unwrap();
    assert_eq!(send(&store, &variant(1), Some(declared)), wrong);
    assert_eq!(store.objects().len(), 1);
    assert_eq!(store.registry().unwrap().pack().releases.len(), 1);
}

#[test]
fn what_is_refused_leaves_nothing_behind() {
    for declared in [true, false] {
        let store = Memory::default();
        let declared = declared.then(|| Sha1::of(b"not a zip"));
        assert_eq!(
            send(&store, b"not a zip", declared),
            Err(IngestError::Refused(Refusal::NotAZip))
        );
        assert_eq!(
            send(&store, b"", declared),
            Err(IngestError::Refused(Refusal::Empty))
        );
        assert!(store.objects().is_empty() && store.registry().is_none());
    }
}

#[test]
fn a_body_that_breaks_off_leaves_nothing_behind() {
    for declared in [Some(Sha1::of(SAMPLE)), None] {
        let store = Memory::default();
        let upload = request(SAMPLE.len(), declared, 1);
        let cut = block_on(super::upload(&store, &upload, Some(Body::Cut), &url()));
        assert_eq!(cut, Err(IngestError::CutOff));
        let none = block_on(super::upload(&store, &upload, None, &url()));
        assert_eq!(none, Err(IngestError::Refused(Refusal::Empty)));
        assert!(store.objects().is_empty() && store.registry().is_none());
    }
}

#[test]
fn an_upload_that_is_not_published_moves_nothing() {
    let store = Memory::default();
    send(&store, SAMPLE, None).unwrap();
    let body = variant(1);
    let upload = Upload {
        target: target(Publish::No(Channel::stable()), 9),
        ..request(body.len(), None, 9)
    };
    let body = Body::Whole(body);
    let accepted = block_on(super::upload(&store, &upload, Some(body), &url())).unwrap();
    assert!(accepted.new && !accepted.uploaded.published);
    assert_eq!(accepted.uploaded.record.published_at, None);
    assert_eq!(accepted.uploaded.previous, Some(Sha1::of(SAMPLE)));
    let announced = store.announced(&Channel::stable()).unwrap();
    assert_eq!(announced.sha1, Sha1::of(SAMPLE));
    assert_eq!(store.registry().unwrap().pack().history.len(), 1);
}

#[test]
fn two_at_once_both_end_in_the_history_and_readers_are_told_of_the_last() {
    let store = Memory::default();
    let (one, two) = (variant(1), variant(2));
    let (first, second) = (request(one.len(), None, 1), request(two.len(), None, 2));
    let url = url();
    let (first, second) = block_on(join(
        super::upload(&store, &first, Some(Body::Whole(one)), &url),
        super::upload(&store, &second, Some(Body::Whole(two)), &url),
    ));
    assert!(first.is_ok() && second.is_ok());
    assert!(store.conflicts.get() > 0, "they did not meet");
    let registry = store.registry().unwrap();
    let pack = registry.pack();
    assert_eq!((pack.releases.len(), pack.history.len()), (2, 2));
    store.check_readers();
}

#[test]
fn a_publication_is_of_the_moment_at_which_it_is_registered() {
    // A body that takes from second 0 to second 300, and others that publish meanwhile.
    let (operators, late) = (variant(1), variant(2));
    let at = Timestamp::from_seconds;
    let stable = Channel::stable();
    for declared in [Some(Sha1::of(SAMPLE)), None] {
        for publish in [
            Publish::Incoming(at(180)),
            Publish::AsOf(stable.clone(), at(180)),
        ] {
            let store = Memory::default();
            let operators = verified(&operators);
            store.put(&Place::Blob(operators.sha1), &variant(1));
            // While the body comes: it is looked whether the blob is there, then it is stored.
            store.interrupt(usize::from(declared.is_some()), move |store| {
                let stable = Channel::stable();
                store.edit(|registry| {
                    registry.add(&operators, &author(120));
                    let published = registry.publish(&stable, &operators.sha1, &author(120));
                    published.unwrap();
                });
                store.clock.set(300);
            });
            let uploaded = send(&store, SAMPLE, declared).unwrap().uploaded;
            assert_eq!(uploaded.record.published_at, Some(at(300)));
            let pack = store.registry().unwrap().pack().clone();
            let times: Vec<_> = pack.history.iter().map(|change| change.at).collect();
            assert_eq!(times, [at(120), at(300)]);
            assert_eq!(pack.releases[1].uploaded_at, at(300));

            // What was put, or completed, before it and comes to be verified now.
            store.clock.set(310);
            let place = store.put_incoming("incoming/main/late.zip", &late);
            let (target, size) = (target(publish, 9), late.len() as u64);
            block_on(take(&store, &target, &place, size, None, &url())).unwrap();
            let registry = store.registry().unwrap();
            let current = registry.current(&stable, &url()).unwrap();
            assert_eq!(current.sha1, Sha1::of(SAMPLE));
            assert_eq!(registry.published(&stable).len(), 3);
        }
    }
}

#[test]
fn a_failure_at_any_call_leaves_nothing_broken_and_the_same_again_succeeds() {
    for (declared, when) in [
        (Some(Sha1::of(SAMPLE)), Fault::Before),
        (Some(Sha1::of(SAMPLE)), Fault::After),
        (None, Fault::Before),
        (None, Fault::After),
    ] {
        for fail_at in 0.. {
            let store = Memory::default();
            store.fail_at(fail_at, when);
            let result = send(&store, SAMPLE, declared);
            let calls = store.calls();
            if calls.len() <= fail_at {
                assert!(result.is_ok() && fail_at > 5);
                break;
            }
            let call = calls[fail_at];
            // What is published is not failed any more by what comes after.
            let later = call == "announce" || calls[..fail_at].contains(&"announce");
            match &result {
                Ok(accepted) if later && call != "discard" => {
                    let warnings = &accepted.uploaded.warnings;
                    let code = warnings.last().map(|warning| warning.code.as_str());
                    assert_eq!(code, Some("readers-later"), "{call}");
                }
                Ok(_) => panic!("{call} failed and nobody was told"),
                Err(_) => assert!(!later || call == "discard", "{call}: {result:?}"),
            }
            store.heal();
            let again = send(&store, SAMPLE, declared).unwrap();
            assert!(again.uploaded.published, "after {call}");
            assert_eq!(again.uploaded.warnings, []);
            let announced = store.announced(&Channel::stable());
            assert_eq!(announced, Some(again.uploaded.record));
            let registry = store.registry().unwrap();
            let pack = registry.pack();
            assert_eq!((pack.releases.len(), pack.history.len()), (1, 1));
        }
    }
}

#[test]
fn a_refusal_is_told_even_if_what_was_set_aside_cannot_be_discarded() {
    let store = Memory::default();
    let discard = {
        let store = Memory::default();
        send(&store, b"not a zip", None).unwrap_err();
        let calls = store.calls();
        calls.iter().position(|call| *call == "discard").unwrap()
    };
    store.fail_at(discard, Fault::Before);
    assert_eq!(
        send(&store, b"not a zip", None),
        Err(IngestError::Refused(Refusal::NotAZip))
    );
}

#[test]
fn a_blob_that_appears_meanwhile_is_not_taken_for_the_body() {
    // Somebody else stores and registers the declared bytes at any moment, while these are others.
    let declared = Sha1::of(SAMPLE);
    for body in [variant(1), b"not a zip".to_vec(), SAMPLE.to_vec()] {
        for at in 0.. {
            let store = Memory::default();
            store.interrupt(at, move |store| {
                store.put(&Place::Blob(declared), SAMPLE);
                store.edit(|registry| {
                    registry.add(&verified(SAMPLE), &author(0));
                });
            });
            let upload = request(body.len(), Some(declared), 1);
            let sent = Some(body.as_slice().into());
            let result = block_on(super::upload(&store, &upload, sent, &url()));
            if store.was_undisturbed() {
                break;
            }
            store.check();
            if body == SAMPLE {
                assert!(result.is_ok(), "at call {at}: {result:?}");
            } else {
                assert_eq!(result, Err(IngestError::WrongHash { declared }), "{at}");
            }
            let registry = store.registry().unwrap();
            let release = registry.release(&declared).unwrap();
            assert_eq!(release.size, SAMPLE.len() as u64);
        }
    }
}

#[test]
fn a_refusal_does_not_delete_a_blob_that_somebody_else_has_stored() {
    // What was accepted by earlier rules, and registered, is refused by those of today.
    let bytes = b"not a zip";
    // Before it is looked whether it is there, and between that and the storing.
    for at in 0..2 {
        let store = Memory::default();
        store.interrupt(at, move |store| {
            store.put(&Place::Blob(Sha1::of(bytes)), bytes);
            store.edit(|registry| {
                registry.add(&verified(bytes), &author(0));
            });
        });
        let upload = request(bytes.len(), Some(Sha1::of(bytes)), 1);
        let sent = Some(bytes[..].into());
        let result = block_on(super::upload(&store, &upload, sent, &url()));
        assert_eq!(result, Err(IngestError::Refused(Refusal::NotAZip)));
        assert_eq!(
            store.calls()[..2],
            ["blob_size", if at == 0 { "stage" } else { "put_blob" }]
        );
        store.check();
    }
}

/// Bytes as if they had been looked at.
pub fn verified(bytes: &[u8]) -> Verified {
    let formats = types::pack::Formats {
        min: "34".to_owned(),
        max: "64".to_owned(),
    };
    Verified {
        sha1: Sha1::of(bytes),
        size: bytes.len() as u64,
        inspection: Inspection {
            formats,
            minecraft: None,
            warnings: Vec::new(),
        },
    }
}

#[test]
fn a_registry_that_others_keep_changing_is_given_up_and_nothing_is_announced() {
    let store = Memory::default();
    send(&store, SAMPLE, None).unwrap();
    let body = variant(1);
    let times = std::cell::Cell::new(0);
    store.forestall("save", move |store| {
        store.edit(|registry| {
            let at = Timestamp::from_seconds(times.replace(times.get() + 1));
            let other = "other".parse().unwrap();
            let scheduled = registry.schedule(&other, &Sha1::of(SAMPLE), at, &author(0));
            scheduled.unwrap();
        });
    });
    let upload = request(body.len(), None, 7);
    let body = Some(Body::Whole(body));
    let result = block_on(super::upload(&store, &upload, body, &url()));
    assert_eq!(result, Err(IngestError::Busy));
    store.check_readers();
    assert_eq!(store.objects().len(), 2, "the blob stays for the next try");
    assert_eq!(store.waits.get(), 16);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn at_once_in_any_interleaving_all_are_registered_and_readers_are_told_of_the_last(
        turns in proptest::collection::vec(0_u8..4, 0..80),
        bodies in proptest::collection::vec((0_u8..3, any::<bool>()), 3),
    ) {
        let store = Memory::default();
        // Who begins first may come last, so the times of requests are in no order.
        store.tick.set(1);
        store.take_turns(turns);
        let url = url();
        let requests: Vec<_> = bodies.iter().zip(1..).map(|((body, declared), id)| {
            let body = variant(*body);
            let declared = declared.then(|| Sha1::of(&body));
            (request(body.len(), declared, id), body)
        }).collect();
        let uploads = requests.iter().map(|(request, body)| {
            super::upload(&store, request, Some(Body::Whole(body.clone())), &url)
        });
        let results = block_on(futures::future::join_all(uploads));
        for result in results {
            prop_assert!(result.is_ok(), "{:?}", result);
        }
        store.check_readers();
        let registry = store.registry().unwrap();
        for (_, body) in &requests {
            prop_assert!(registry.release(&Sha1::of(body)).is_some());
        }
        let current = registry.current(&Channel::stable(), &url);
        prop_assert_eq!(store.announced(&Channel::stable()), current.clone());
        let history = &registry.pack().history;
        prop_assert!(history.iter().map(|change| change.at).is_sorted());
        let last = history.last().map(|change| (change.after, Some(change.at)));
        prop_assert_eq!(current.map(|record| (Some(record.sha1), record.published_at)), last);
        prop_assert_eq!(store.objects().len(), registry.pack().releases.len());
    }
}
