//! What others are still to be told of.

use super::*;

fn numbers(changes: &[Numbered<'_>]) -> Vec<u64> {
    changes.iter().map(|(number, _)| *number).collect()
}

/// Publishes each in turn, and owes it.
fn publish(registry: &mut Registry, bytes: &[u8]) {
    for (byte, seconds) in bytes.iter().zip(1..) {
        let before = registry.clone();
        let published = registry.publish(&stable(), &sha1(*byte), &author(seconds));
        published.unwrap();
        registry.owe(&before);
    }
}

#[test]
fn publications_and_rollbacks_are_owed_until_they_are_settled() {
    let mut registry = with_releases(2);
    publish(&mut registry, &[1, 2]);
    let before = registry.clone();
    registry.roll_back(&stable(), &author(3)).unwrap();
    registry
        .schedule(&beta(), &sha1(1), at(9), &author(4))
        .unwrap();
    registry.delete(&sha1(2), &author(5)).unwrap();
    registry.owe(&before);
    let owed = registry.owed();
    assert_eq!(numbers(&owed), [1, 2, 3]);
    assert_eq!(owed[2].1.action, ChangeKind::Rollback);
    registry.settle(2);
    assert_eq!(numbers(&registry.owed()), [1, 3]);
    let unchanged = registry.clone();
    registry.settle(2);
    assert_eq!(registry, unchanged);
    for number in [1, 3] {
        registry.settle(number);
    }
    let text = serde_json::to_string(&registry).unwrap();
    assert!(!text.contains("owed"), "{text}");
}

#[test]
fn what_is_owed_is_stored() {
    let mut registry = with_releases(2);
    publish(&mut registry, &[1, 2]);
    let text = serde_json::to_string(&registry).unwrap();
    assert!(text.ends_with(r#","changes":2,"owed":[1,2]}"#), "{text}");
    assert_eq!(serde_json::from_str::<Registry>(&text).unwrap(), registry);
}

#[test]
fn of_what_was_stored_before_nothing_is_owed() {
    let mut registry = old_form();
    assert_eq!(registry.owed(), []);
    registry.add(&verified(2), &author(2));
    publish(&mut registry, &[2]);
    let owed = registry.owed();
    assert_eq!(numbers(&owed), [1]);
    assert_eq!(owed[0].1.after, Some(sha1(2)));
}

#[test]
fn numbers_go_on_when_the_history_is_full_and_what_it_lost_is_forgotten() {
    let mut registry = with_releases(2);
    let many: Vec<u8> = [1, 2].repeat(510);
    publish(&mut registry, &many);
    let history = registry.pack().history.len();
    assert_eq!(history, HISTORY);
    let owed = registry.owed();
    assert_eq!((owed.len(), owed[0].0, owed[999].0), (1000, 21, 1020));
    let before = registry.clone();
    publish(&mut registry, &[1]);
    let since = registry.changes_since(&before);
    assert_eq!(numbers(&since), [1021]);
    assert_eq!(Some(since[0].1), registry.pack().history.last());
    registry.settle(1021);
    assert_eq!(registry.owed.len(), 999);
}

#[test]
fn a_change_has_an_id_of_its_own_that_stays() {
    let registry = empty();
    assert_eq!(registry.id_of(1), registry.clone().id_of(1));
    assert_ne!(registry.id_of(1), registry.id_of(2));
    let other = Registry::new(PackName::main(), Uuid::nil());
    assert_ne!(registry.id_of(1), other.id_of(1));
}
