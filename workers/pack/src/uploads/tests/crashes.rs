//! An upload in parts on a store that fails at any call.

use futures::executor::block_on;

use super::*;
use crate::{
    memory::{Fault, Memory, SAMPLE, url},
    ports::Uploads as _,
    uploads::flow::{self, Completed},
};

use super::steps::{begun, begun_with_parts};

/// What a client does: completes, and verifies if that is for it to do. Tells whether it is over.
async fn complete(store: &Memory, seconds: i64) -> Result<bool, String> {
    let completed = flow::complete(store, id(), at(seconds)).await;
    match completed.map_err(|error| format!("{error:?}"))? {
        Completed::Over(record) => {
            assert_eq!(record.state, State::Ready);
            assert!(record.uploaded.is_some());
            Ok(true)
        }
        Completed::Underway(_) => Ok(false),
        Completed::ToVerify(record) => {
            let verdict = flow::verify(store, &record, &url(), at(seconds)).await;
            verdict.map(|_| true).map_err(|error| format!("{error:?}"))
        }
    }
}

fn check_ready(store: &Memory, after: &str) {
    store.check_readers();
    let registry = store.registry().unwrap();
    let pack = registry.pack();
    assert_eq!((pack.releases.len(), pack.history.len()), (1, 1), "{after}");
    let announced = store.announced(&Channel::stable()).unwrap();
    assert_eq!(announced.sha1, Sha1::of(SAMPLE));
    let blob = format!("packs/{}", Sha1::of(SAMPLE));
    assert_eq!(store.objects(), [blob], "left behind after {after}");
    let record = store.upload(id()).unwrap();
    assert_eq!(record.state, State::Ready);
    let uploaded = record.uploaded.unwrap();
    assert_eq!(uploaded["published"], true, "after {after}");
}

#[test]
fn after_a_crash_at_any_call_completing_again_comes_to_one_release() {
    for declared in [Some(Sha1::of(SAMPLE)), None] {
        for when in [Fault::Before, Fault::After] {
            for fail_at in 0.. {
                let store = begun(NewUpload {
                    sha1: declared,
                    ..asked(SAMPLE.len() as u64)
                });
                store.put_in_parts(id(), 300, SAMPLE);
                store.fail_at(fail_at, when);
                let begun = store.calls().len();
                let result = block_on(complete(&store, 0));
                store.check();
                let calls = store.calls();
                if calls.len() <= begun + fail_at {
                    assert!(result.is_ok() && fail_at > 8);
                    break;
                }
                let call = calls[begun + fail_at];
                assert!(result.is_err(), "{call} failed and nobody was told");
                store.heal();
                // At once, and after the time for which the lost verification holds it.
                let over = block_on(complete(&store, 1)).unwrap();
                assert!(block_on(complete(&store, 601)).unwrap() || over);
                check_ready(&store, call);
            }
        }
    }
}

#[test]
fn after_a_crash_at_any_call_the_message_that_comes_again_comes_to_one_release() {
    for when in [Fault::Before, Fault::After] {
        for fail_at in 0.. {
            let store = begun_with_parts(SAMPLE);
            let completed = block_on(flow::complete(&store, id(), at(0))).unwrap();
            let Completed::ToVerify(record) = completed else {
                panic!("{completed:?}");
            };
            let begun = store.calls().len();
            store.fail_at(fail_at, when);
            let result = block_on(flow::verify(&store, &record, &url(), at(1)));
            if store.calls().len() <= begun + fail_at {
                assert!(result.is_ok());
                break;
            }
            assert!(result.is_err());
            store.heal();
            let taken_up = block_on(flow::take_up(&store, id(), at(2))).unwrap();
            if let Some(record) = taken_up {
                block_on(flow::verify(&store, &record, &url(), at(2))).unwrap();
            }
            check_ready(&store, store.calls()[begun + fail_at]);
        }
    }
}

#[test]
fn what_is_rejected_is_rejected_after_a_crash_at_any_call_too() {
    let bytes = [7; 700];
    for when in [Fault::Before, Fault::After] {
        for fail_at in 0.. {
            let store = begun_with_parts(&bytes);
            store.fail_at(fail_at, when);
            let begun = store.calls().len();
            let _ = block_on(flow::complete(&store, id(), at(0)));
            let loaded = block_on(store.load_upload(id()));
            if let Ok(Some((record, _))) = loaded {
                let _ = block_on(flow::verify(&store, &record, &url(), at(0)));
            }
            let reached = store.calls().len() > begun + fail_at;
            store.heal();
            for seconds in [1, 601] {
                let completed = block_on(flow::complete(&store, id(), at(seconds))).unwrap();
                if let Completed::ToVerify(record) = completed {
                    block_on(flow::verify(&store, &record, &url(), at(seconds))).unwrap();
                }
            }
            let record = store.upload(id()).unwrap();
            assert_eq!(record.state, State::Rejected);
            assert!(store.objects().is_empty() && store.registry().is_none());
            if !reached {
                break;
            }
        }
    }
}
