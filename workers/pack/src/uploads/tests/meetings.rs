//! Uploads in parts that are given up, come late, or meet others.

use futures::{executor::block_on, future::join};

use super::{
    steps::{PART, begun_with_parts, complete, refused, state, to_verify, verify},
    *,
};
use crate::{
    memory::{Fault, Memory, SAMPLE, url, variant},
    ports::Uploads as _,
    registry::{Author, Registry},
    uploads::flow::{self, Completed, UploadError, Verdict},
};

fn operator(seconds: i64) -> Author {
    Author {
        name: "operator".to_owned(),
        at: at(seconds),
    }
}

pub fn current(store: &Memory) -> Option<Sha1> {
    let registry = store.registry()?;
    let record = registry.current(&Channel::stable(), &url())?;
    Some(record.sha1)
}

#[test]
fn an_upload_can_be_given_up_in_any_state_but_while_it_is_verified() {
    type Reach = fn() -> Memory;
    let reached: [Reach; 4] = [
        || begun_with_parts(SAMPLE),
        || {
            let store = begun_with_parts(SAMPLE);
            to_verify(&store, -600);
            store
        },
        || {
            let store = begun_with_parts(SAMPLE);
            let record = to_verify(&store, 0);
            verify(&store, &record, 0).unwrap();
            store
        },
        || {
            let store = begun_with_parts(&[7; 700]);
            let record = to_verify(&store, 0);
            verify(&store, &record, 0).unwrap();
            store
        },
    ];
    for reach in reached {
        let store = reach();
        block_on(flow::abort(&store, id(), at(0))).unwrap();
        assert_eq!(store.upload(id()), None);
        assert!(store.objects().iter().all(|key| key.starts_with("packs/")));
        let again = block_on(flow::abort(&store, id(), at(0)));
        assert_eq!(again, refused(Refused::NoSuchUpload));
        assert_eq!(complete(&store, 0), refused(Refused::NoSuchUpload));
    }
    let store = begun_with_parts(SAMPLE);
    to_verify(&store, 0);
    let aborted = block_on(flow::abort(&store, id(), at(59)));
    assert_eq!(aborted, refused(Refused::Over(State::Verifying)));
    assert_eq!(state(&store), State::Verifying);
}

#[test]
fn of_an_abort_and_a_completion_at_once_one_counts() {
    for turns in 0..64_u32 {
        let store = begun_with_parts(SAMPLE);
        let random = (0..30).map(|call| u8::try_from((turns >> (call % 6)) & 1).unwrap() * 3);
        store.take_turns(random);
        let url = url();
        let completion = async {
            match flow::complete(&store, id(), at(1)).await {
                Ok(Completed::ToVerify(record)) => {
                    flow::verify(&store, &record, &url, at(1)).await.unwrap();
                    true
                }
                Err(UploadError::Refused(_)) => false,
                other => panic!("{other:?}"),
            }
        };
        let abort = async { flow::abort(&store, id(), at(1)).await };
        let (completed, aborted) = block_on(join(completion, abort));
        let published = current(&store).is_some();
        assert_eq!(published, completed, "{turns}");
        if aborted.is_ok() {
            assert_eq!(store.upload(id()), None, "{turns}");
            assert_eq!(store.objects().len(), usize::from(completed), "{turns}");
        }
    }
}

#[test]
fn an_abort_that_fails_is_not_undone_by_a_completion() {
    for fail_at in 0.. {
        let store = begun_with_parts(SAMPLE);
        let begun = store.calls().len();
        store.fail_at(fail_at, Fault::After);
        let aborted = block_on(flow::abort(&store, id(), at(1)));
        if store.calls().len() <= begun + fail_at {
            assert!(aborted.is_ok() && fail_at > 2);
            break;
        }
        assert!(matches!(aborted, Err(UploadError::Store(_))));
        store.heal();
        if fail_at > 0 {
            assert_eq!(
                complete(&store, 1),
                refused(Refused::NoSuchUpload),
                "{fail_at}"
            );
        }
    }
}

#[test]
fn an_upload_that_has_expired_is_none() {
    let store = begun_with_parts(SAMPLE);
    let late = LIFETIME + 1;
    assert_eq!(complete(&store, late), refused(Refused::NoSuchUpload));
    let aborted = block_on(flow::abort(&store, id(), at(late)));
    assert_eq!(aborted, refused(Refused::NoSuchUpload));
    let loaded = block_on(flow::load(&store, Uuid::nil(), at(0)));
    assert_eq!(loaded, refused(Refused::NoSuchUpload));
}

#[test]
fn an_upload_that_is_completed_in_the_last_second_does_not_expire_while_it_is_verified() {
    let store = begun_with_parts(SAMPLE);
    let record = to_verify(&store, LIFETIME);
    assert!(block_on(flow::load(&store, id(), at(LIFETIME + 300))).is_ok());
    verify(&store, &record, LIFETIME + 300).unwrap();
    assert_eq!(state(&store), State::Ready);
}

#[test]
fn a_verification_that_is_repeated_does_not_undo_what_an_operator_did_since() {
    let store = begun_with_parts(SAMPLE);
    let release = crate::ingest::tests::verified(&variant(1));
    let before = |store: &Memory| {
        store.put(&crate::ports::Place::Blob(release.sha1), &variant(1));
        store.edit(|registry: &mut Registry| {
            registry.add(&release, &operator(-100));
            let stable = Channel::stable();
            registry
                .publish(&stable, &release.sha1, &operator(-100))
                .unwrap();
        });
    };
    before(&store);
    let record = to_verify(&store, 0);
    // It is published, and then the worker is gone before it can say so.
    let announced = 1 + {
        let store = begun_with_parts(SAMPLE);
        before(&store);
        let record = to_verify(&store, 0);
        let already = store.calls().len();
        verify(&store, &record, 1).unwrap();
        let calls = store.calls();
        calls[already..]
            .iter()
            .position(|call| *call == "announce")
            .unwrap()
    };
    store.fail_at(announced, Fault::Before);
    assert!(verify(&store, &record, 1).is_err());
    assert_eq!(current(&store), Some(Sha1::of(SAMPLE)));
    store.heal();
    store.edit(|registry| {
        registry
            .roll_back(&Channel::stable(), &operator(30))
            .unwrap();
    });
    let Verdict::Ready { uploaded, .. } = verify(&store, &record, 60).unwrap() else {
        panic!("not ready");
    };
    assert!(!uploaded.published);
    assert_eq!(current(&store), Some(release.sha1));
    assert_eq!(state(&store), State::Ready);
}

#[test]
fn of_two_uploads_the_one_completed_later_is_published_whichever_is_verified_first() {
    for first in [0, 1] {
        let store = Memory::default();
        let mut records = Vec::new();
        for (byte, seconds) in [(1, 10), (2, 20)] {
            let bytes = variant(byte);
            let id = Uuid::from_u128(byte.into());
            let size = asked(bytes.len() as u64);
            let record = Record::in_parts(size, id, "ci".to_owned(), at(0), PART).unwrap();
            block_on(store.save_upload(&record, None)).unwrap();
            store.put_in_parts(id, 300, &bytes);
            let completed = block_on(flow::complete(&store, id, at(seconds))).unwrap();
            let Completed::ToVerify(record) = completed else {
                panic!("{completed:?}");
            };
            records.push(record);
        }
        verify(&store, &records[first], 30).unwrap();
        verify(&store, &records[1 - first], 40).unwrap();
        assert_eq!(current(&store), Some(Sha1::of(&variant(2))));
        let registry = store.registry().unwrap();
        assert_eq!(registry.published(&Channel::stable()).len(), 2);
        store.check_readers();
    }
}

#[test]
fn an_upload_completed_in_the_second_of_another_publication_is_published() {
    let store = begun_with_parts(SAMPLE);
    for byte in 0..8 {
        let release = crate::ingest::tests::verified(&variant(byte));
        store.put(&crate::ports::Place::Blob(release.sha1), &variant(byte));
        store.edit(|registry| {
            registry.add(&release, &operator(5));
            let stable = Channel::stable();
            registry
                .publish(&stable, &release.sha1, &operator(5))
                .unwrap();
        });
    }
    let record = to_verify(&store, 5);
    verify(&store, &record, 5).unwrap();
    assert_eq!(current(&store), Some(Sha1::of(SAMPLE)));
}
