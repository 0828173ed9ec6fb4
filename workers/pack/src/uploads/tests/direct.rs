//! Objects in `incoming/<pack>/`.

use futures::executor::block_on;

use super::*;
use crate::{
    memory::{Fault, Memory, SAMPLE, url, variant},
    uploads::flow::{self, Verdict},
};

const KEY: &str = "incoming/main/a.zip";

#[test]
fn the_pack_is_the_folder() {
    for (key, pack) in [
        ("incoming/main/a.zip", Some("main")),
        ("incoming/main/A.ZIP", Some("main")),
        ("incoming/main/a.Zip", Some("main")),
        ("incoming/lobby-2/server/packs/a.zip", Some("lobby-2")),
        ("incoming/main/名前 (1).zip", Some("main")),
        ("incoming/main/a.zip.zip", Some("main")),
        ("incoming/main//a.zip", Some("main")),
        ("incoming/_staging/a.zip", None),
        ("incoming/_uploads/5b6f3f0e/part-00001", None),
        ("incoming/_uploads/5b6f3f0e/a.zip", None),
        ("incoming/a.zip", None),
        ("incoming//a.zip", None),
        ("incoming/main/", None),
        ("incoming/main/.zip", None),
        ("incoming/main/.ZIP", None),
        ("incoming/main/folder/.zip", None),
        ("incoming/main/zip", None),
        ("incoming/main/azip", None),
        ("incoming/main/a.zip/", None),
        ("incoming/main/a.zip ", None),
        ("incoming/main/a.tar", None),
        ("incoming/Main/a.zip", None),
        ("incoming/-main/a.zip", None),
        ("incoming/../a.zip", None),
        ("incoming/main\\a.zip", None),
        ("Incoming/main/a.zip", None),
        ("/incoming/main/a.zip", None),
        ("packs/main/a.zip", None),
        ("incoming", None),
        ("", None),
    ] {
        let found = Found::pack_of(key);
        assert_eq!(found.as_ref().map(PackName::as_str), pack, "{key:?}");
    }
}

#[test]
fn an_object_has_one_id_however_often_it_is_announced() {
    let object = found(KEY, b"a", 0);
    assert_eq!(object.id(), found(KEY, b"a", 0).id());
    assert_ne!(object.id(), found(KEY, b"b", 0).id());
    assert_ne!(object.id(), found("incoming/main/b.zip", b"a", 0).id());
    assert_eq!(object.id(), found(KEY, b"a", 1).id());
}

/// One event: what is there is looked at, and taken in if that was not done.
fn told_of(store: &Memory, found: &Found, seconds: i64) -> Option<Verdict> {
    let discovered = block_on(flow::discover(store, found, at(seconds))).unwrap();
    let verified = discovered
        .map(|record| block_on(flow::verify(store, &record, &url(), at(seconds))).unwrap());
    store.check();
    verified
}

fn is_ready(verdict: Option<&Verdict>) -> bool {
    matches!(verdict, Some(Verdict::Ready { .. }))
}

fn current(store: &Memory) -> Sha1 {
    store.announced(&Channel::stable()).unwrap().sha1
}

#[test]
fn an_object_is_taken_in_once_and_goes_away() {
    let store = Memory::default();
    store.put_incoming(KEY, SAMPLE);
    let object = found(KEY, SAMPLE, 0);
    assert!(is_ready(told_of(&store, &object, 10).as_ref()));
    assert_eq!(store.objects(), [format!("packs/{}", Sha1::of(SAMPLE))]);
    let record = store.upload(object.id()).unwrap();
    assert_eq!((record.state, record.reason), (State::Ready, None));
    assert_eq!(record.uploaded.unwrap()["release"], 1);
    let pointer = store.announced(&Channel::stable()).unwrap();
    assert_eq!(pointer.published_at, Some(at(0)));
    assert_eq!(told_of(&store, &object, 20), None);
    assert_eq!(store.registry().unwrap().pack().history.len(), 1);
}

#[test]
fn a_rejected_object_stays_and_is_not_looked_at_again() {
    let store = Memory::default();
    store.put_incoming(KEY, b"not a zip");
    let object = found(KEY, b"not a zip", 0);
    let rejected = told_of(&store, &object, 10);
    assert!(matches!(rejected, Some(Verdict::Rejected { .. })));
    assert_eq!(store.objects(), [KEY]);
    let record = store.upload(object.id()).unwrap();
    assert_eq!(record.state, State::Rejected);
    assert!(record.reason.unwrap().contains("not a zip"));
    assert_eq!(told_of(&store, &object, 20), None);
    assert!(store.registry().is_none());
}

#[test]
fn an_object_that_the_game_would_not_load_is_rejected_without_reading_it() {
    let store = Memory::default();
    let object = Found {
        size: MAX_PACK + 1,
        ..found(KEY, SAMPLE, 0)
    };
    let rejected = told_of(&store, &object, 10).unwrap();
    assert!(matches!(rejected, Verdict::Rejected { .. }));
    assert!(!store.calls().contains(&"read"));
}

#[test]
fn an_object_that_is_gone_leaves_no_record() {
    let store = Memory::default();
    let object = found(KEY, SAMPLE, 0);
    assert_eq!(told_of(&store, &object, 10), Some(Verdict::Gone));
    assert_eq!(store.upload(object.id()), None);
    // Replaced: its successor is told of by itself, and stays.
    store.put_incoming(KEY, &variant(1));
    assert_eq!(told_of(&store, &object, 10), Some(Verdict::Gone));
    assert_eq!(store.objects(), [KEY]);
    assert!(is_ready(
        told_of(&store, &found(KEY, &variant(1), 5), 10).as_ref()
    ));
}

#[test]
fn the_same_bytes_put_again_under_the_same_key_are_published_again() {
    let store = Memory::default();
    for (bytes, seconds) in [
        (SAMPLE.to_vec(), 0),
        (variant(1), 100),
        (SAMPLE.to_vec(), 200),
    ] {
        store.put_incoming(KEY, &bytes);
        let verdict = told_of(&store, &found(KEY, &bytes, seconds), seconds + 1);
        assert!(is_ready(verdict.as_ref()), "{seconds}");
        assert_eq!(current(&store), Sha1::of(&bytes), "{seconds}");
    }
    assert_eq!(store.objects().len(), 2);
    let registry = store.registry().unwrap();
    assert_eq!(registry.pack().history.len(), 3);
}

#[test]
fn bytes_that_were_put_again_before_the_first_time_was_dealt_with_count_as_put_then() {
    let store = Memory::default();
    store.put_incoming(KEY, SAMPLE);
    let first = found(KEY, SAMPLE, 0);
    block_on(flow::discover(&store, &first, at(1))).unwrap();
    store.put_incoming("incoming/main/b.zip", &variant(1));
    told_of(&store, &found("incoming/main/b.zip", &variant(1), 100), 101);
    assert!(is_ready(
        told_of(&store, &found(KEY, SAMPLE, 200), 201).as_ref()
    ));
    assert_eq!(current(&store), Sha1::of(SAMPLE));
    // The event of the first time comes late.
    assert_eq!(told_of(&store, &first, 300), None);
}

#[test]
fn a_verification_that_ends_after_the_bytes_were_put_again_leaves_that_to_the_next() {
    let store = Memory::default();
    store.put_incoming(KEY, SAMPLE);
    let first = block_on(flow::discover(&store, &found(KEY, SAMPLE, 0), at(1)));
    let second = block_on(flow::discover(&store, &found(KEY, SAMPLE, 100), at(101)));
    let (first, second) = (first.unwrap().unwrap(), second.unwrap().unwrap());
    block_on(flow::verify(&store, &first, &url(), at(102))).unwrap();
    assert!(store.objects().contains(&KEY.to_owned()));
    assert_eq!(store.upload(second.id), Some(second.clone()));
    let verdict = block_on(flow::verify(&store, &second, &url(), at(103))).unwrap();
    assert!(is_ready(Some(&verdict)));
    let record = store.announced(&Channel::stable()).unwrap();
    assert_eq!(record.published_at, Some(at(100)));
    assert_eq!(store.objects().len(), 1);
}

#[test]
fn a_rejected_object_that_is_put_again_is_looked_at_again() {
    let store = Memory::default();
    store.put_incoming(KEY, b"not a zip");
    for seconds in [0, 100] {
        let verdict = told_of(&store, &found(KEY, b"not a zip", seconds), seconds);
        assert!(
            matches!(verdict, Some(Verdict::Rejected { .. })),
            "{seconds}"
        );
    }
}

#[test]
fn an_object_whose_removal_failed_is_removed_the_next_time_it_is_told_of() {
    let store = Memory::default();
    let object = found(KEY, SAMPLE, 0);
    store.put_incoming(KEY, SAMPLE);
    assert!(is_ready(told_of(&store, &object, 10).as_ref()));
    store.put_incoming(KEY, SAMPLE);
    let record = store.upload(object.id()).unwrap();
    assert!(!record.settles(&object), "the cron would leave it there");
    assert_eq!(told_of(&store, &object, 20), None);
    assert_eq!(store.objects().len(), 1);
}

#[test]
fn a_record_settles_a_rejected_object_until_it_is_put_again() {
    let object = found(KEY, SAMPLE, 0);
    let mut record = Record::incoming(&object, at(1));
    assert!(!record.settles(&object));
    record.enter(State::Rejected, at(2));
    assert!(record.settles(&object));
    assert!(!record.settles(&found(KEY, SAMPLE, 1)));
}

#[test]
fn two_that_take_up_the_same_object_at_once_come_to_one_release_and_its_record_stays() {
    let object = found(KEY, SAMPLE, 0);
    for turns in 0..200_u32 {
        let store = Memory::default();
        store.put_incoming(KEY, SAMPLE);
        let random = (0..60).map(|call| u8::try_from((turns >> (call % 8)) & 3).unwrap());
        store.take_turns(random);
        let url = url();
        let handle = async || {
            if let Some(record) = flow::discover(&store, &object, at(1)).await.unwrap() {
                flow::verify(&store, &record, &url, at(1)).await.unwrap();
            }
        };
        block_on(futures::future::join(handle(), handle()));
        store.check_readers();
        let record = store.upload(object.id());
        assert_eq!(
            record.map(|record| record.state),
            Some(State::Ready),
            "{turns}"
        );
        assert_eq!(store.registry().unwrap().pack().history.len(), 1);
        assert_eq!(store.objects().len(), 1);
    }
}

#[test]
fn a_direct_upload_that_is_given_up_goes_with_its_object() {
    let store = Memory::default();
    store.put_incoming(KEY, b"not a zip");
    let object = found(KEY, b"not a zip", 0);
    told_of(&store, &object, 1);
    block_on(flow::abort(&store, object.id(), at(2))).unwrap();
    assert_eq!(
        (store.objects().len(), store.upload(object.id())),
        (0, None)
    );
}

#[test]
fn a_crash_at_any_call_is_made_up_for_when_the_event_comes_again() {
    let object = found(KEY, SAMPLE, 0);
    for when in [Fault::Before, Fault::After] {
        for fail_at in 0.. {
            let store = Memory::default();
            store.put_incoming(KEY, SAMPLE);
            store.fail_at(fail_at, when);
            let url = url();
            let handle = async || {
                let discovered = flow::discover(&store, &object, at(1)).await;
                match discovered.map_err(|error| format!("{error:?}"))? {
                    Some(record) => flow::verify(&store, &record, &url, at(1))
                        .await
                        .map(drop)
                        .map_err(|error| format!("{error:?}")),
                    None => Ok(()),
                }
            };
            let failed = block_on(handle()).is_err();
            store.check();
            let calls = store.calls().len();
            if calls <= fail_at {
                break;
            }
            assert!(failed, "call {fail_at} failed and nobody was told");
            store.heal();
            block_on(handle()).unwrap();
            store.check_readers();
            assert_eq!(current(&store), Sha1::of(SAMPLE));
            let registry = store.registry().unwrap();
            assert_eq!(registry.pack().history.len(), 1, "{fail_at}");
            let incoming = store.objects().contains(&KEY.to_owned());
            assert!(!incoming, "left behind after call {fail_at}");
            let record = store.upload(object.id()).unwrap();
            assert_eq!(record.state, State::Ready);
        }
    }
}

#[test]
fn what_does_not_come_to_an_end_is_tried_again_ever_more_seldom_and_for_ever() {
    let minute = 60;
    let record = Record::incoming(&found(KEY, b"a", 0), at(0));
    // As the cron comes, a little early or late.
    let runs = |from: i64, to: i64| {
        let times = (from..to).map(|run| run * 5 * minute + 7 * (run % 3));
        times.filter(|time| record.is_due_again(at(*time)))
    };
    assert_eq!(runs(0, 8).count(), 8, "at first each time");
    for hours in [1, 2, 4, 8] {
        let tries = runs(12 * hours, 24 * hours).count();
        assert!((4..=9).contains(&tries), "{hours}: {tries}");
    }
    let day = 288;
    for days in [2, 30, 365] {
        let tries = runs(days * day, (days + 1) * day).count();
        assert!((4..=5).contains(&tries), "day {days}: {tries}");
    }
    assert!(record.is_due_again(at(-minute)), "clocks differ");
}
