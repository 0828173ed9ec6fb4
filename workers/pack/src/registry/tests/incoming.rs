//! What is put directly into the bucket: told of at least once, and in any order.

use proptest::prelude::*;
use types::pack::Pointer;

use super::*;

/// Bytes, and when they were put, in seconds.
type Put = (u8, i64);

fn told_of(registry: &mut Registry, (byte, seconds): Put, now: i64) {
    registry.add(&verified(byte), &author(now));
    let told = registry.publish_incoming(&stable(), &sha1(byte), at(seconds), &author(now));
    told.unwrap();
}

fn outcome(registry: &Registry) -> Pointer {
    let pointer = &registry.pack().channels[&stable()];
    // Releases are numbered in the order in which they came.
    Pointer {
        release: 0,
        ..pointer.clone()
    }
}

fn all(puts: &[Put]) -> Pointer {
    let mut registry = empty();
    for (put, now) in puts.iter().zip(100..) {
        told_of(&mut registry, *put, now);
    }
    outcome(&registry)
}

fn in_time(puts: &[Put]) -> Vec<Put> {
    let mut puts = puts.to_vec();
    puts.sort_by_key(|(byte, seconds)| (*seconds, *sha1(*byte).as_bytes()));
    puts
}

#[test]
fn the_newest_is_published_and_the_others_before_it() {
    let pointer = all(&[(2, 2), (3, 3), (1, 1)]);
    let earlier: Vec<_> = pointer.earlier.iter().map(|one| one.sha1).collect();
    assert_eq!((pointer.sha1, pointer.published_at), (sha1(3), at(3)));
    assert_eq!(earlier, [sha1(1), sha1(2)]);
}

#[test]
fn the_same_bytes_put_again_later_are_published_again() {
    let expected = all(&[(1, 1), (2, 2), (1, 3)]);
    assert_eq!((expected.sha1, expected.published_at), (sha1(1), at(3)));
    assert_eq!(expected, all(&[(1, 3), (2, 2), (1, 1)]));
}

#[test]
fn a_publication_is_not_undone_by_what_was_put_before_it() {
    let mut registry = with_releases(3);
    told_of(&mut registry, (1, 1), 2);
    registry.publish(&stable(), &sha1(3), &author(10)).unwrap();
    told_of(&mut registry, (2, 5), 11);
    assert_eq!(published(&registry, &stable()), [sha1(3), sha1(2), sha1(1)]);
    told_of(&mut registry, (2, 12), 13);
    assert_eq!(published(&registry, &stable()), [sha1(2), sha1(3), sha1(1)]);
}

#[test]
fn a_rollback_is_not_undone_by_what_was_put_before_it() {
    let mut registry = with_releases(3);
    told_of(&mut registry, (1, 1), 2);
    told_of(&mut registry, (2, 5), 6);
    registry.roll_back(&stable(), &author(10)).unwrap();
    for put in [(2, 5), (3, 9)] {
        told_of(&mut registry, put, 11);
        assert_eq!(published(&registry, &stable()), [sha1(1)], "{put:?}");
    }
    told_of(&mut registry, (3, 12), 13);
    told_of(&mut registry, (2, 5), 14);
    assert_eq!(published(&registry, &stable()), [sha1(3), sha1(1)]);
    registry.roll_back(&stable(), &author(15)).unwrap();
    assert_eq!(pointed(&registry, &stable()), Some(sha1(1)));
}

proptest! {
    #[test]
    fn in_any_order_and_as_often_as_they_come_the_outcome_is_the_same(
        puts in proptest::collection::vec((0_u8..5, 0_i64..6), 1..9),
        order in proptest::collection::vec(any::<prop::sample::Index>(), 0..30),
    ) {
        let told: Vec<Put> = order.iter().map(|one| *one.get(&puts)).collect();
        let told = [told, puts.clone()].concat();
        prop_assert_eq!(all(&told), all(&in_time(&puts)));
    }

    #[test]
    fn a_publication_in_between_comes_to_the_same_as_if_all_had_been_told_in_time(
        puts in proptest::collection::vec((0_u8..5, 0_i64..6), 1..9),
        position in any::<prop::sample::Index>(),
    ) {
        let publish = |registry: &mut Registry| {
            registry.add(&verified(9), &author(6));
            registry.publish(&stable(), &sha1(9), &author(6)).unwrap();
        };
        let mut expected = empty();
        for put in in_time(&puts) {
            told_of(&mut expected, put, 100);
        }
        publish(&mut expected);
        let mut registry = empty();
        let position = position.index(puts.len() + 1);
        for (index, put) in puts.iter().enumerate() {
            if index == position {
                publish(&mut registry);
            }
            told_of(&mut registry, *put, 100);
        }
        if position == puts.len() {
            publish(&mut registry);
        }
        prop_assert_eq!(outcome(&registry), outcome(&expected));
    }

    #[test]
    fn after_a_rollback_nothing_that_was_put_before_it_is_published(
        before in proptest::collection::vec((0_u8..5, 0_i64..6), 2..6),
        after in proptest::collection::vec((0_u8..5, 0_i64..6), 0..6),
    ) {
        let mut registry = empty();
        for put in before {
            told_of(&mut registry, put, 7);
        }
        if registry.roll_back(&stable(), &author(8)).is_ok() {
            let rolled_back = outcome(&registry);
            for put in after {
                told_of(&mut registry, put, 9);
                prop_assert_eq!(outcome(&registry), rolled_back.clone());
            }
        }
    }
}
