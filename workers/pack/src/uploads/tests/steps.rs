//! An upload in parts, step by step.

use futures::{executor::block_on, future::join};

use super::{meetings::current, *};
use crate::{
    ingest::IngestError,
    memory::{Body, Memory, SAMPLE, url},
    ports::Uploads as _,
    uploads::flow::{self, Completed, UploadError, Verdict},
};

pub const PART: u64 = 300;

/// A store with an upload of these bytes that has just begun.
pub fn begun(asked: NewUpload) -> Memory {
    let store = Memory::default();
    let record = Record::in_parts(asked, id(), "ci".to_owned(), at(0), PART).unwrap();
    assert!(block_on(store.save_upload(&record, None)).unwrap());
    store
}

pub fn begun_with_parts(bytes: &[u8]) -> Memory {
    let store = begun(asked(bytes.len() as u64));
    store.put_in_parts(id(), usize::try_from(PART).unwrap(), bytes);
    store
}

fn put(store: &Memory, number: u32, bytes: &[u8]) -> Result<Part, UploadError> {
    let (record, _) = block_on(flow::load(store, id(), at(1)))?;
    let length = bytes.len() as u64;
    block_on(flow::put_part(
        store,
        &record,
        number,
        length,
        Some(bytes.into()),
        || at(1),
    ))
}

pub fn complete(store: &Memory, seconds: i64) -> Result<Completed, UploadError> {
    block_on(flow::complete(store, id(), at(seconds)))
}

pub fn to_verify(store: &Memory, seconds: i64) -> Record {
    match complete(store, seconds).unwrap() {
        Completed::ToVerify(record) => record,
        other => panic!("{other:?}"),
    }
}

pub fn verify(store: &Memory, record: &Record, seconds: i64) -> Result<Verdict, IngestError> {
    store.clock.set(seconds);
    let verdict = block_on(flow::verify(store, record, &url(), at(seconds)));
    store.check();
    verdict
}

pub fn refused<T>(refused: Refused) -> Result<T, UploadError> {
    Err(UploadError::Refused(refused))
}

pub fn state(store: &Memory) -> State {
    store.upload(id()).unwrap().state
}

#[test]
fn parts_come_in_any_order_and_twice_and_become_a_release() {
    let store = begun(asked(SAMPLE.len() as u64));
    let chunks: Vec<_> = SAMPLE.chunks(300).collect();
    assert_eq!(
        complete(&store, 1),
        refused(Refused::Missing(vec![1, 2, 3]))
    );
    put(&store, 3, chunks[2]).unwrap();
    put(&store, 1, &[0; 300]).unwrap();
    assert_eq!(complete(&store, 1), refused(Refused::Missing(vec![2])));
    put(&store, 2, chunks[1]).unwrap();
    let part = put(&store, 1, chunks[0]).unwrap();
    assert_eq!((part.number, part.size), (1, 300));
    let record = to_verify(&store, 2);
    assert_eq!(
        (record.state, record.state_since),
        (State::Verifying, at(2))
    );
    let Verdict::Ready { uploaded, new } = verify(&store, &record, 3).unwrap() else {
        panic!("not ready");
    };
    assert!(new && uploaded.published);
    assert_eq!(uploaded.record.sha1, Sha1::of(SAMPLE));
    assert_eq!(store.objects(), [format!("packs/{}", Sha1::of(SAMPLE))]);
    let record = store.upload(id()).unwrap();
    assert_eq!(record.state, State::Ready);
    assert_eq!(record.uploaded, serde_json::to_value(&uploaded).ok());
    assert_eq!(complete(&store, 4), Ok(Completed::Over(record)));
}

#[test]
fn a_part_that_is_not_as_long_as_was_said_is_refused_and_has_not_come() {
    let store = begun(asked(SAMPLE.len() as u64));
    assert_eq!(put(&store, 4, b""), refused(Refused::NoSuchPart(3)));
    assert_eq!(put(&store, 1, b"short"), refused(Refused::PartLength(300)));
    assert!(store.objects().is_empty());
    let record = store.upload(id()).unwrap();
    for body in [None, Some(Body::Cut), Some(b"short"[..].into())] {
        let put = block_on(flow::put_part(&store, &record, 1, 300, body, || at(1)));
        assert_eq!(put, Err(UploadError::CutOff));
    }
    assert_eq!(
        complete(&store, 1),
        refused(Refused::Missing(vec![1, 2, 3]))
    );
}

#[test]
fn what_is_not_a_pack_is_rejected_and_its_parts_go() {
    let bytes = vec![7; 700];
    let store = begun_with_parts(&bytes);
    let record = to_verify(&store, 1);
    let verdict = verify(&store, &record, 1).unwrap();
    assert!(matches!(verdict, Verdict::Rejected { .. }));
    let record = store.upload(id()).unwrap();
    assert_eq!((record.state, &record.uploaded), (State::Rejected, &None));
    assert!(record.reason.as_ref().unwrap().contains("not a zip"));
    assert!(store.objects().is_empty() && store.registry().is_none());
    assert_eq!(complete(&store, 2), Ok(Completed::Over(record)));
}

#[test]
fn bytes_that_do_not_have_the_declared_hash_are_rejected() {
    let asked = NewUpload {
        sha1: Some(Sha1::of(b"other")),
        ..asked(SAMPLE.len() as u64)
    };
    let store = begun(asked);
    store.put_in_parts(id(), 300, SAMPLE);
    let record = to_verify(&store, 1);
    let verdict = verify(&store, &record, 1).unwrap();
    assert!(matches!(verdict, Verdict::Rejected { .. }));
    assert!(store.objects().is_empty() && store.registry().is_none());
}

#[test]
fn an_upload_that_is_not_to_be_published_is_a_release() {
    let asked = NewUpload {
        publish: false,
        ..asked(SAMPLE.len() as u64)
    };
    let store = begun(asked);
    store.put_in_parts(id(), 300, SAMPLE);
    let record = to_verify(&store, 1);
    verify(&store, &record, 1).unwrap();
    assert_eq!(store.registry().unwrap().pack().releases.len(), 1);
    assert_eq!(current(&store), None);
}

#[test]
fn what_is_being_verified_is_not_verified_twice_unless_that_got_lost() {
    let store = begun_with_parts(SAMPLE);
    let record = to_verify(&store, 0);
    assert_eq!(
        complete(&store, 59),
        Ok(Completed::Underway(record.clone()))
    );
    assert_eq!(
        put(&store, 1, &[0; 300]),
        refused(Refused::Over(State::Verifying))
    );
    let again = to_verify(&store, 60);
    assert_eq!(again.state_since, at(60));
    assert_eq!(complete(&store, 61), Ok(Completed::Underway(again.clone())));
    // The one that counted as lost comes to its end after all, and then the other.
    verify(&store, &record, 602).unwrap();
    let ready = store.upload(id()).unwrap();
    let other = verify(&store, &again, 603);
    assert!(matches!(other, Err(IngestError::Gone)), "{other:?}");
    assert_eq!(store.upload(id()), Some(ready));
}

#[test]
fn of_two_that_complete_at_once_one_is_to_verify() {
    let store = begun_with_parts(SAMPLE);
    let both = join(
        flow::complete(&store, id(), at(1)),
        flow::complete(&store, id(), at(1)),
    );
    let (one, two) = block_on(both);
    let to_verify = [one.unwrap(), two.unwrap()]
        .into_iter()
        .filter(|completed| matches!(completed, Completed::ToVerify(_)));
    assert_eq!(to_verify.count(), 1);
}

#[test]
fn a_record_that_others_change_at_every_attempt_is_busy() {
    let store = begun_with_parts(SAMPLE);
    store.forestall("save_upload", |store| store.edit_upload(id(), |_| {}));
    assert_eq!(complete(&store, 1), Err(UploadError::Busy));
    assert_eq!(store.waits.get(), 8);
    let aborted = block_on(flow::abort(&store, id(), at(1)));
    assert_eq!(aborted, Err(UploadError::Busy));
    assert_eq!(state(&store), State::Uploading);
    assert_eq!(store.objects().len(), 3);
    store.edit_upload(id(), |record| record.enter(State::Verifying, at(1)));
    let record = store.upload(id()).unwrap();
    assert_eq!(verify(&store, &record, 2), Err(IngestError::Busy));
    assert_eq!(store.objects().len(), 4, "the parts stay for the next try");
    store.forestall("", |_| {});
    let again = verify(&store, &record, 3).unwrap();
    assert!(matches!(again, Verdict::Ready { new: false, .. }));
}
