//! An upload whose blob is there already, and a collection that is about to delete it.

use futures::{executor::block_on, future::join};
use proptest::prelude::*;

use super::{
    tests::{now, request, send, target},
    *,
};
use crate::memory::{Body, Memory, SAMPLE, url};

/// A store in which the blob lies, from a release that was collected.
fn leftover() -> Memory {
    let store = Memory::default();
    store.put(&Place::Blob(Sha1::of(SAMPLE)), SAMPLE);
    store
}

#[test]
fn a_blob_that_is_deleted_after_the_registration_is_copied_once_more() {
    let sha1 = Sha1::of(SAMPLE);
    for at in 0.. {
        let store = leftover();
        // The collection looked at the registries before, and deletes now.
        store.interrupt(at, move |store| store.remove(&Place::Blob(sha1)));
        let sent = send(&store, SAMPLE, None);
        if store
            .calls()
            .iter()
            .skip(at)
            .all(|call| *call != "being_collected")
        {
            break;
        }
        sent.unwrap();
        assert!(store.has_blob(&sha1), "deleted at call {at}");
    }
}

#[test]
fn an_upload_waits_for_the_end_of_a_collection_that_deletes_its_blob() {
    let sha1 = Sha1::of(SAMPLE);
    let store = leftover();
    store.set_collecting([sha1]);
    let ends = async {
        while store.waits.get() < 2 {
            crate::memory::yield_once().await;
        }
        store.remove(&Place::Blob(sha1));
        store.set_collecting([]);
    };
    let upload = request(SAMPLE.len(), None, 1);
    let url = url();
    let body = Some(Body::from(SAMPLE));
    let (sent, ()) = block_on(join(super::upload(&store, &upload, body, &url), ends));
    assert!(sent.unwrap().uploaded.published);
    store.check_readers();
}

#[test]
fn while_a_collection_that_deletes_its_blob_does_not_end_nothing_is_registered() {
    let store = leftover();
    store.set_collecting([Sha1::of(SAMPLE)]);
    assert_eq!(send(&store, SAMPLE, None), Err(IngestError::Busy));
    assert!(store.waits.get() > 3);
    assert!(store.registry().is_none());
    assert_eq!(store.announced(&Channel::stable()), None);
    store.set_collecting([]);
    assert!(send(&store, SAMPLE, None).unwrap().uploaded.published);
}

#[test]
fn a_collection_of_other_blobs_delays_nothing() {
    let store = leftover();
    store.set_collecting([Sha1::of(b"another")]);
    send(&store, SAMPLE, None).unwrap();
    assert_eq!(store.waits.get(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn in_any_interleaving_with_a_collection_a_release_keeps_its_blob(
        turns in proptest::collection::vec(0_u8..5, 0..100),
        kind in 0_u8..5,
    ) {
        let sha1 = Sha1::of(SAMPLE);
        let store = leftover();
        store.take_turns(turns);
        let url = url();
        let from = match kind {
            4 => store.put_in_parts(Uuid::from_u128(1), 300, SAMPLE),
            _ => store.put_incoming("incoming/main/a.zip", SAMPLE),
        };
        let upload = async {
            let declared = (kind % 2 == 0).then_some(sha1);
            let length = SAMPLE.len();
            if kind < 2 {
                let body = Some(SAMPLE.into());
                super::upload(&store, &request(length, declared, 1), body, &url).await
            } else {
                let target = target(now(), 1);
                take(&store, &target, &from, length as u64, declared.as_ref(), &url).await
            }
        };
        let (taken, ()) = block_on(join(upload, store.collect(&[sha1])));
        store.check();
        if taken == Err(IngestError::Busy) {
            prop_assert_eq!(kind, 4);
            prop_assert!(send(&store, SAMPLE, None).is_ok());
        } else {
            prop_assert!(taken.is_ok(), "{:?}", taken);
        }
        store.check_readers();
        prop_assert_eq!(store.registry().unwrap().pack().history.len(), 1);
    }
}
