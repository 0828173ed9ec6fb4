//! Taking in bytes that are stored already: in parts, or by somebody else.

use futures::executor::block_on;
use proptest::prelude::*;

use super::{
    tests::{author, now, send, target, verified},
    *,
};
use crate::memory::{Fault, Memory, SAMPLE, url, variant};

const KEY: &str = "incoming/main/a.zip";
const PART: usize = 300;

fn parts(store: &Memory, bytes: &[u8]) -> Place {
    store.put_in_parts(Uuid::from_u128(1), PART, bytes)
}

fn incoming(store: &Memory, bytes: &[u8]) -> Place {
    store.put_incoming(KEY, bytes)
}

type Put = fn(&Memory, &[u8]) -> Place;
const PLACES: [Put; 2] = [parts, incoming];

fn take_as(
    store: &Memory,
    from: &Place,
    bytes: &[u8],
    declared: Option<Sha1>,
    publish: Publish,
) -> Result<Accepted, IngestError> {
    let (target, size) = (target(publish, 1), bytes.len() as u64);
    let url = url();
    let result = block_on(take(store, &target, from, size, declared.as_ref(), &url));
    store.check();
    result
}

fn take_now(
    store: &Memory,
    from: &Place,
    bytes: &[u8],
    declared: Option<Sha1>,
) -> Result<Accepted, IngestError> {
    take_as(store, from, bytes, declared, now())
}

#[test]
fn a_pack_is_taken_in_and_what_it_was_taken_from_stays() {
    let sha1 = Sha1::of(SAMPLE);
    for place in PLACES {
        for declared in [Some(sha1), None] {
            let store = Memory::default();
            let from = place(&store, SAMPLE);
            let before = store.objects();
            let taken = take_now(&store, &from, SAMPLE, declared).unwrap();
            assert!(taken.new && taken.uploaded.published);
            let record = &taken.uploaded.record;
            assert_eq!((record.sha1, record.size), (sha1, SAMPLE.len() as u64));
            assert_eq!(store.announced(&Channel::stable()).as_ref(), Some(record));
            let mut after = before;
            after.push(format!("packs/{sha1}"));
            assert_eq!(store.objects(), after);
        }
    }
}

#[test]
fn the_same_bytes_again_are_no_new_release() {
    for place in PLACES {
        for declared in [Some(Sha1::of(SAMPLE)), None] {
            let store = Memory::default();
            send(&store, SAMPLE, None).unwrap();
            let from = place(&store, SAMPLE);
            let taken = take_now(&store, &from, SAMPLE, declared).unwrap();
            assert!(!taken.new && taken.uploaded.published);
            assert_eq!(taken.uploaded.previous, Some(Sha1::of(SAMPLE)));
            assert_eq!(store.registry().unwrap().pack().history.len(), 1);
        }
    }
}

#[test]
fn what_is_refused_is_not_stored_and_not_registered() {
    let declared = Sha1::of(b"something else");
    for place in PLACES {
        for (bytes, declared, expected) in [
            (
                &b"not a zip"[..],
                None,
                IngestError::Refused(Refusal::NotAZip),
            ),
            (b"", None, IngestError::Refused(Refusal::Empty)),
            (SAMPLE, Some(declared), IngestError::WrongHash { declared }),
        ] {
            let store = Memory::default();
            let from = place(&store, bytes);
            let before = store.objects();
            let refused = take_now(&store, &from, bytes, declared);
            assert_eq!(refused, Err(expected));
            assert_eq!(store.objects(), before);
            assert!(store.registry().is_none());
        }
    }
}

#[test]
fn a_wrong_hash_is_refused_also_if_the_declared_bytes_are_there() {
    let declared = Sha1::of(SAMPLE);
    for place in PLACES {
        let store = Memory::default();
        send(&store, SAMPLE, None).unwrap();
        let from = place(&store, &variant(1));
        let refused = take_now(&store, &from, &variant(1), Some(declared));
        assert_eq!(refused, Err(IngestError::WrongHash { declared }));
        assert_eq!(store.registry().unwrap().pack().releases.len(), 1);
    }
}

#[test]
fn declared_bytes_that_appear_meanwhile_do_not_stand_in_for_others() {
    let declared = Sha1::of(SAMPLE);
    for place in PLACES {
        for at in 0.. {
            let store = Memory::default();
            let from = place(&store, &variant(1));
            store.interrupt(at, move |store| store.put(&Place::Blob(declared), SAMPLE));
            let refused = take_now(&store, &from, &variant(1), Some(declared));
            if store.was_undisturbed() {
                break;
            }
            assert_eq!(refused, Err(IngestError::WrongHash { declared }), "{at}");
            assert!(store.registry().is_none());
        }
    }
}

#[test]
fn an_object_that_is_gone_or_replaced_at_any_moment_is_gone_or_was_taken_whole() {
    type Act = fn(&Memory, &Place);
    let acts: [Act; 3] = [
        |store, from| store.remove(from),
        |store, from| store.put(from, &variant(1)),
        |store, from| store.put(from, b"not a zip"),
    ];
    for act in acts {
        for declared in [Some(Sha1::of(SAMPLE)), None] {
            let mut gone = 0;
            for at in 0.. {
                let store = Memory::default();
                let from = incoming(&store, SAMPLE);
                let place = from.clone();
                store.interrupt(at, move |store| act(store, &place));
                let result = take_now(&store, &from, SAMPLE, declared);
                if store.was_undisturbed() {
                    break;
                }
                if let Ok(taken) = result {
                    assert_eq!(taken.uploaded.record.sha1, Sha1::of(SAMPLE));
                } else {
                    assert_eq!(result, Err(IngestError::Gone), "at call {at}");
                    assert!(store.registry().is_none());
                    gone += 1;
                }
            }
            assert!(gone > 1);
        }
    }
}

#[test]
fn parts_that_are_gone_are_gone() {
    for at in 0..3 {
        let store = Memory::default();
        let from = parts(&store, SAMPLE);
        let place = from.clone();
        store.interrupt(at, move |store| store.remove(&place));
        let taken = take_now(&store, &from, SAMPLE, None);
        assert_eq!(taken, Err(IngestError::Gone), "at call {at}");
        assert!(store.registry().is_none());
    }
}

#[test]
fn parts_that_are_replaced_while_they_are_verified_are_never_registered_unseen() {
    for other in [variant(0), vec![0; SAMPLE.len()]] {
        let other = other[..SAMPLE.len()].to_vec();
        for declared in [None, Some(Sha1::of(&other))] {
            for at in 0.. {
                let store = Memory::default();
                let from = parts(&store, SAMPLE);
                let bytes = other.clone();
                store.interrupt(at, move |store| {
                    parts(store, &bytes);
                });
                let result = take_now(&store, &from, SAMPLE, declared);
                if store.was_undisturbed() {
                    break;
                }
                let registered = store.registry();
                let unseen = registered.and_then(|held| held.release(&Sha1::of(&other)).cloned());
                assert_eq!(unseen, None, "at call {at}: {result:?}");
                let again = take_now(&store, &from, SAMPLE, None);
                assert!(matches!(again, Err(IngestError::Refused(_))), "{again:?}");
            }
        }
    }
}

#[test]
fn what_is_put_directly_goes_where_the_settings_say() {
    let beta: Channel = "beta".parse().unwrap();
    for (channel, published_to) in [
        (Some(Channel::stable()), Some(Channel::stable())),
        (Some(beta.clone()), Some(beta)),
        (None, None),
    ] {
        let store = Memory::default();
        let patch = types::pack::SettingsPatch {
            incoming_channel: types::pack::Field::Set(channel),
            ..Default::default()
        };
        store.edit(|registry| registry.change_settings(&patch, &author(0)).unwrap());
        let from = incoming(&store, SAMPLE);
        let put_at = Timestamp::from_seconds(500);
        let taken = take_as(&store, &from, SAMPLE, None, Publish::Incoming(put_at)).unwrap();
        let uploaded = taken.uploaded;
        assert_eq!(uploaded.published, published_to.is_some());
        assert_eq!(
            uploaded.record.published_at,
            published_to.as_ref().map(|_| put_at)
        );
        let registry = store.registry().unwrap();
        let channels: Vec<_> = registry.pack().channels.keys().cloned().collect();
        assert_eq!(
            channels,
            published_to.clone().into_iter().collect::<Vec<_>>()
        );
        if let Some(channel) = published_to {
            assert_eq!(store.announced(&channel), Some(uploaded.record));
        }
    }
}

#[test]
fn what_was_put_before_the_last_publication_is_stored_and_not_published() {
    let store = Memory::default();
    store.clock.set(1000);
    send(&store, SAMPLE, None).unwrap();
    let from = incoming(&store, &variant(1));
    let put_at = Timestamp::from_seconds(999);
    let taken = take_as(&store, &from, &variant(1), None, Publish::Incoming(put_at)).unwrap();
    assert!(taken.new && !taken.uploaded.published);
    assert_eq!(taken.uploaded.previous, Some(Sha1::of(SAMPLE)));
    let announced = store.announced(&Channel::stable()).unwrap();
    assert_eq!(announced.sha1, Sha1::of(SAMPLE));
}

#[test]
fn what_is_not_to_be_published_is_answered_about_its_channel() {
    let store = Memory::default();
    let from = parts(&store, SAMPLE);
    let publish = || Publish::No(Channel::stable());
    let taken = take_as(&store, &from, SAMPLE, None, publish()).unwrap();
    assert!(taken.new && !taken.uploaded.published);
    assert_eq!(
        (taken.uploaded.previous, store.announced(&Channel::stable())),
        (None, None)
    );
    take_now(&store, &from, SAMPLE, None).unwrap();
    let taken = take_as(&store, &from, SAMPLE, None, publish()).unwrap();
    assert!(taken.uploaded.published && !taken.new);
}

#[test]
fn a_failure_at_any_call_leaves_nothing_broken_and_the_same_again_succeeds() {
    let sha1 = Sha1::of(SAMPLE);
    for place in PLACES {
        for declared in [Some(sha1), None] {
            for when in [Fault::Before, Fault::After] {
                for fail_at in 0.. {
                    let store = Memory::default();
                    let from = place(&store, SAMPLE);
                    store.fail_at(fail_at, when);
                    let result = take_now(&store, &from, SAMPLE, declared);
                    if store.calls().len() <= fail_at {
                        assert!(result.is_ok() && fail_at > 5);
                        break;
                    }
                    assert!(result.is_err(), "call {fail_at} failed and nobody was told");
                    store.heal();
                    let again = take_now(&store, &from, SAMPLE, declared).unwrap();
                    let announced = store.announced(&Channel::stable());
                    assert_eq!(announced, Some(again.uploaded.record));
                    let registry = store.registry().unwrap();
                    let pack = registry.pack();
                    assert_eq!((pack.releases.len(), pack.history.len()), (1, 1));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_order_and_interleaving_in_which_objects_are_taken_in_do_not_matter(
        turns in proptest::collection::vec(0_u8..4, 0..120),
        times in proptest::collection::vec(0_i64..3, 4),
    ) {
        let store = Memory::default();
        store.take_turns(turns);
        let url = url();
        let objects: Vec<_> = times.iter().zip(0_u8..).map(|(time, byte)| {
            let bytes = variant(byte);
            let from = store.put_incoming(&format!("incoming/main/{byte}.zip"), &bytes);
            let put_at = Timestamp::from_seconds(*time);
            (target(Publish::Incoming(put_at), byte.into()), from, bytes, put_at)
        }).collect();
        let takes = objects.iter().map(|(target, from, bytes, _)| {
            take(&store, target, from, bytes.len() as u64, None, &url)
        });
        for taken in block_on(futures::future::join_all(takes)) {
            prop_assert!(taken.is_ok(), "{:?}", taken);
        }
        store.check_readers();
        let newest = objects.iter().map(|(_, _, bytes, put_at)| {
            let verified = verified(bytes);
            (*put_at, *verified.sha1.as_bytes())
        });
        let record = store.announced(&Channel::stable()).unwrap();
        let announced = (record.published_at.unwrap(), *record.sha1.as_bytes());
        prop_assert_eq!(Some(announced), newest.max());
    }
}
