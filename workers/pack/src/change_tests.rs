//! Changes that meet others, and announcements that are overtaken.

use std::{cell::Cell, convert::Infallible};

use futures::{executor::block_on, future::join};
use types::{Timestamp, pack::Formats};

use super::*;
use crate::{
    archive::Inspection,
    memory::{Fault, Memory, url, yield_once},
    ports::Place,
    registry::{Author, NoSuchRelease, Verified},
};

fn author(seconds: i64) -> Author {
    Author {
        name: "ci".to_owned(),
        at: Timestamp::from_seconds(seconds),
    }
}

fn sha1(byte: u8) -> types::Sha1 {
    types::Sha1::of(&[byte])
}

fn add(registry: &mut Registry, byte: u8) {
    let formats = Formats {
        min: "34".to_owned(),
        max: "34".to_owned(),
    };
    let verified = Verified {
        sha1: sha1(byte),
        size: 1,
        inspection: Inspection {
            formats,
            minecraft: None,
            warnings: Vec::new(),
        },
    };
    registry.add(&verified, &author(0));
}

/// A store with releases 1 to 3, nothing published.
fn store() -> Memory {
    let store = Memory::default();
    for byte in 1..=3 {
        store.put(&Place::Blob(sha1(byte)), &[byte]);
        store.edit(|registry| add(registry, byte));
    }
    store
}

fn publish(registry: &mut Registry, channel: &Channel, byte: u8) {
    let published = registry.publish(channel, &sha1(byte), &author(byte.into()));
    published.unwrap();
}

type Outcome<T> = Result<Changed<T>, ChangeError<NoSuchRelease>>;

#[test]
fn a_pack_that_is_not_there_comes_to_be_only_when_asked() {
    let store = Memory::default();
    let main = PackName::main();
    let absent: Outcome<()> = block_on(change(&store, &main, None, |_| panic!("nothing to edit")));
    assert_eq!(absent, Err(ChangeError::NoSuchPack));
    let uuid = Uuid::from_u128(7);
    let made: Outcome<()> = block_on(change(&store, &main, Some(uuid), |registry| {
        registry.set_check(&sha1(1), types::pack::Check::default());
        Ok(())
    }));
    assert!(made.is_ok());
    assert_eq!(
        store.registry(),
        None,
        "what has nothing in it is not written"
    );
    let made: Outcome<()> = block_on(change(&store, &main, Some(uuid), |registry| {
        store.put(&Place::Blob(sha1(1)), &[1]);
        add(registry, 1);
        Ok(())
    }));
    assert_eq!(store.registry(), Some(made.unwrap().registry));
    assert_eq!(store.registry().unwrap().pack().uuid, uuid);
    let kept: Outcome<()> = block_on(change(&store, &main, Some(Uuid::nil()), |_| Ok(())));
    assert_eq!(kept.unwrap().registry.pack().uuid, uuid);
}

#[test]
fn what_is_left_as_it_was_is_not_written() {
    let store = store();
    let same: Outcome<u8> = block_on(change(&store, &PackName::main(), None, |_| Ok(5)));
    assert_eq!(same.unwrap().outcome, 5);
    assert_eq!(store.calls(), ["load"]);
}

#[test]
fn a_refusal_is_passed_on_and_nothing_is_written() {
    let store = store();
    let refused: Outcome<()> = block_on(change(&store, &PackName::main(), None, |registry| {
        add(registry, 9);
        Err(NoSuchRelease)
    }));
    assert_eq!(refused, Err(ChangeError::Refused(NoSuchRelease)));
    assert_eq!(store.calls(), ["load"]);
}

#[test]
fn a_change_that_somebody_overtakes_is_made_again_on_what_there_is_then() {
    let store = store();
    // Between the reading and the writing.
    store.interrupt(1, |store| {
        store.edit(|registry| registry.delete(&sha1(2), &author(1)).unwrap());
    });
    let edits = Cell::new(0);
    let stable = Channel::stable();
    let refused = block_on(change(&store, &PackName::main(), None, |registry| {
        edits.set(edits.get() + 1);
        registry.publish(&stable, &sha1(2), &author(2))
    }));
    assert_eq!(refused, Err(ChangeError::Refused(NoSuchRelease)));
    assert_eq!((edits.get(), store.conflicts.get()), (2, 1));
    assert!(store.registry().unwrap().pack().channels.is_empty());
}

#[test]
fn two_at_once_both_land() {
    let store = store();
    let (main, stable) = (PackName::main(), Channel::stable());
    let one = change(&store, &main, None, |registry| {
        registry.publish(&stable, &sha1(1), &author(1))
    });
    let two = change(&store, &main, None, |registry| {
        registry.publish(&stable, &sha1(2), &author(2))
    });
    let (one, two) = block_on(join(one, two));
    assert!(one.is_ok() && two.is_ok());
    assert_eq!(store.conflicts.get(), 1, "they did not meet");
    let registry = store.registry().unwrap();
    assert_eq!(registry.published(&stable).len(), 2);
    assert_eq!(registry.pack().history.len(), 2);
}

#[test]
fn two_that_make_a_pack_at_once_make_one() {
    let store = Memory::default();
    let main = PackName::main();
    for byte in [1, 2] {
        store.put(&Place::Blob(sha1(byte)), &[byte]);
    }
    let make = |byte: u8| {
        let uuid = Some(Uuid::from_u128(byte.into()));
        change(&store, &main, uuid, move |registry| {
            add(registry, byte);
            Ok::<_, Infallible>(())
        })
    };
    let (one, two) = block_on(join(make(1), make(2)));
    let uuid = |changed: Result<Changed<()>, _>| changed.unwrap().registry.pack().uuid;
    assert_eq!(uuid(one), uuid(two));
    assert_eq!(store.registry().unwrap().pack().releases.len(), 2);
}

#[test]
fn a_change_that_is_overtaken_each_time_is_given_up() {
    let store = store();
    let (main, stable) = (PackName::main(), Channel::stable());
    let edits = Cell::new(0);
    let changed = change(&store, &main, None, |registry| {
        // Somebody is faster, each time.
        edits.set(edits.get() + 1);
        store.edit(|other| publish(other, &"other".parse().unwrap(), 1 + edits.get() % 2));
        registry.publish(&stable, &sha1(1), &author(1))
    });
    assert_eq!(block_on(changed), Err(ChangeError::Busy));
    assert_eq!(store.waits.get(), ATTEMPTS);
    assert_eq!(u32::from(edits.get()), ATTEMPTS);
    assert_eq!(store.registry().unwrap().current(&stable, &url()), None);
}

#[test]
fn a_store_that_fails_is_told_at_once() {
    for call in 0..2 {
        for when in [Fault::Before, Fault::After] {
            let store = store();
            store.fail_at(call, when);
            let stable = Channel::stable();
            let failed = block_on(change(&store, &PackName::main(), None, |registry| {
                registry.publish(&stable, &sha1(1), &author(1))
            }));
            assert!(matches!(failed, Err(ChangeError::Store(_))), "{failed:?}");
            assert_eq!(store.calls().len(), call + 1);
        }
    }
}

#[test]
fn what_somebody_else_publishes_meanwhile_is_what_readers_are_told_in_the_end() {
    let stable = Channel::stable();
    for call in 0..2 {
        let store = store();
        store.edit(|registry| publish(registry, &Channel::stable(), 1));
        let record = store.registry().unwrap().current(&stable, &url()).unwrap();
        store.interrupt(call, |store| {
            store.edit(|registry| publish(registry, &Channel::stable(), 2));
        });
        block_on(announce(&store, record, &url())).unwrap();
        assert_eq!(store.announced(&stable).unwrap().sha1, sha1(2));
        store.check_readers();
    }
}

#[test]
fn an_announcement_that_is_overtaken_each_time_is_given_up() {
    let store = store();
    let stable = Channel::stable();
    store.edit(|registry| publish(registry, &Channel::stable(), 1));
    let record = store.registry().unwrap().current(&stable, &url()).unwrap();
    let restless = async {
        for round in 0..100_u8 {
            store.edit(|registry| publish(registry, &Channel::stable(), 1 + (round + 1) % 3));
            yield_once().await;
        }
    };
    let url = url();
    let (told, ()) = block_on(join(announce(&store, record, &url), restless));
    assert_eq!(told, Err(ReadersLater));
    assert_eq!(store.failures.borrow().len(), 1);
    let announcements = store.calls().into_iter().filter(|call| *call == "announce");
    assert_eq!(announcements.count(), ATTEMPTS as usize);
}

#[test]
fn whatever_fails_after_a_change_readers_are_told_later() {
    // The announcement itself, and the look whether it was overtaken.
    for call in 0..2 {
        let store = store();
        store.edit(|registry| publish(registry, &Channel::stable(), 1));
        let registry = store.registry().unwrap();
        let record = registry.current(&Channel::stable(), &url()).unwrap();
        store.fail_at(call, Fault::Before);
        let told = block_on(announce(&store, record, &url()));
        assert_eq!(told, Err(ReadersLater));
        assert!(store.failures.borrow()[0].contains("failed"));
    }
}

#[test]
fn a_channel_that_fails_does_not_keep_the_others_from_being_told() {
    let store = store();
    let channels = ["beta", "stable"].map(|name| name.parse::<Channel>().unwrap());
    store.edit(|registry| publish(registry, &channels[0], 1));
    store.edit(|registry| publish(registry, &channels[1], 2));
    let registry = store.registry().unwrap();
    // The look after the first announcement.
    store.fail_at(1, Fault::Before);
    let told = block_on(announce_all(&store, &registry, channels.iter(), &url()));
    assert_eq!(told, Err(ReadersLater));
    let told = channels.map(|channel| store.announced(&channel).map(|record| record.sha1));
    assert_eq!(told, [Some(sha1(1)), Some(sha1(2))]);
}

#[test]
fn readers_are_told_of_every_channel_that_points_somewhere() {
    let store = store();
    let channels = ["beta", "dev", "stable"].map(|name| name.parse::<Channel>().unwrap());
    store.edit(|registry| {
        for (channel, byte) in channels.iter().zip([1, 2]) {
            publish(registry, channel, byte);
        }
    });
    let registry = store.registry().unwrap();
    block_on(announce_all(&store, &registry, channels.iter(), &url())).unwrap();
    let told = channels.map(|channel| store.announced(&channel).map(|record| record.sha1));
    assert_eq!(told, [Some(sha1(1)), Some(sha1(2)), None]);
}

/// Publishes release 1 as a worker does.
fn publish_by_change(store: &Memory) -> Result<(), ChangeError<NoSuchRelease>> {
    let (main, stable) = (PackName::main(), Channel::stable());
    let changed = change(store, &main, None, |registry| {
        registry.publish(&stable, &sha1(1), &author(1))
    });
    block_on(changed).map(drop)
}

#[test]
fn each_change_is_followed_up_once_and_owed_from_the_moment_at_which_it_is_saved() {
    for listens in [true, false] {
        let store = store();
        store.listens.set(listens);
        // Somebody is faster at first.
        store.interrupt(1, |store| {
            store.edit(|registry| publish(registry, &"other".parse().unwrap(), 3));
        });
        publish_by_change(&store).unwrap();
        publish_by_change(&store).unwrap();
        assert_eq!(store.conflicts.get(), 1);
        let registry = store.registry().unwrap();
        let followed = store.followed.borrow();
        let last = registry.pack().history.last().unwrap().clone();
        assert_eq!(*followed, [(2, last)]);
        // That of the other one is its own to tell.
        let owed: Vec<u64> = registry.owed().iter().map(|(number, _)| *number).collect();
        assert_eq!(owed, if listens { vec![2] } else { vec![] });
    }
}

#[test]
fn what_is_not_saved_is_neither_followed_up_nor_owed() {
    for call in 0..2 {
        let store = store();
        store.listens.set(true);
        store.fail_at(call, Fault::Before);
        publish_by_change(&store).unwrap_err();
        assert!(store.followed.borrow().is_empty());
        assert_eq!(store.registry().unwrap().owed(), []);
    }
}

#[test]
fn what_was_saved_by_one_that_died_is_owed() {
    let store = store();
    store.listens.set(true);
    // It took effect, and nothing was done after it.
    store.fail_at(1, Fault::After);
    publish_by_change(&store).unwrap_err();
    assert!(store.followed.borrow().is_empty());
    let registry = store.registry().unwrap();
    assert_eq!(registry.owed()[0].1.after, Some(sha1(1)));
}

#[test]
fn that_readers_are_told_later_keeps_nobody_from_being_told() {
    let store = store();
    publish_by_change(&store).unwrap();
    store.fail_at(0, Fault::Before);
    let registry = store.registry().unwrap();
    let channels = registry.pack().channels.keys();
    let told = block_on(announce_all(&store, &registry, channels, &url()));
    assert_eq!(told, Err(ReadersLater));
    assert_eq!(store.followed.borrow().len(), 1);
}
