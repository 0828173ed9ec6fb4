//! Deletion by request, and what a collection takes.

use proptest::prelude::*;

use super::*;
use crate::variant::Client;

const DAY: i64 = 24 * 60 * 60;

/// As many releases, each published to stable a day after the one before, from day 0 on.
fn a_release_a_day(count: u8) -> Registry {
    let mut registry = empty();
    for byte in 0..count {
        let author = author(i64::from(byte) * DAY);
        registry.add(&verified(byte), &author);
        registry.publish(&stable(), &sha1(byte), &author).unwrap();
    }
    registry
}

/// What a collection `grace` days after `now` leaves alone.
fn retention(newest: usize, now: i64, grace: i64) -> Retention {
    Retention {
        newest,
        uploaded_after: at((now - grace) * DAY),
        downloaded: std::collections::HashSet::new(),
    }
}

fn collected(registry: &Registry, retention: &Retention) -> Vec<Sha1> {
    let mut collected = registry.clone();
    let old = collected.collect(retention, &author(99 * DAY));
    assert_eq!(old, registry.collectable(retention));
    for sha1 in &old {
        assert_eq!(collected.release(sha1), None);
    }
    let left = registry.pack().releases.len() - old.len();
    assert_eq!(collected.pack().releases.len(), left);
    old
}

#[test]
fn a_release_that_nothing_points_to_is_deleted() {
    let mut registry = with_releases(2);
    registry.publish(&stable(), &sha1(1), &author(1)).unwrap();
    assert_eq!(registry.delete(&sha1(2), &author(2)), Ok(()));
    assert_eq!(registry.release(&sha1(2)), None);
    let change = registry.pack().history.last().unwrap();
    assert_eq!(
        (change.action, change.before, change.after),
        (ChangeKind::Delete, Some(sha1(2)), None)
    );
    let again = registry.delete(&sha1(2), &author(3));
    assert_eq!(again, Err(DeleteError::NoSuchRelease));
}

#[test]
fn a_release_that_something_points_to_is_not_deleted_and_all_that_does_is_named() {
    let mut registry = with_releases(1);
    registry.publish(&stable(), &sha1(1), &author(1)).unwrap();
    registry.publish(&beta(), &sha1(1), &author(1)).unwrap();
    let pins = SettingsPatch {
        pins: Some(vec![sha1(1)]),
        ..SettingsPatch::default()
    };
    registry.change_settings(&pins, &author(1)).unwrap();
    registry
        .schedule(&stable(), &sha1(1), at(9), &author(1))
        .unwrap();
    let before = registry.clone();
    let by = [
        r#"channel "beta""#,
        r#"channel "stable""#,
        "a pin",
        r#"what is scheduled for channel "stable""#,
    ];
    let refused = registry.delete(&sha1(1), &author(2));
    let by = by.map(ToOwned::to_owned).to_vec();
    assert_eq!(refused, Err(DeleteError::Referenced(by)));
    assert_eq!(registry, before);
}

#[test]
fn a_deleted_release_is_no_longer_what_a_rollback_goes_to() {
    let mut registry = with_releases(3);
    for byte in 1..=3 {
        registry
            .publish(&stable(), &sha1(byte), &author(byte.into()))
            .unwrap();
    }
    registry.delete(&sha1(2), &author(4)).unwrap();
    assert_eq!(published(&registry, &stable()), [sha1(3), sha1(1)]);
    registry.roll_back(&stable(), &author(5)).unwrap();
    assert_eq!(pointed(&registry, &stable()), Some(sha1(1)));
}

#[test]
fn a_number_is_never_given_twice() {
    let mut registry = with_releases(3);
    registry.delete(&sha1(3), &author(1)).unwrap();
    registry.delete(&sha1(1), &author(1)).unwrap();
    registry.delete(&sha1(2), &author(1)).unwrap();
    registry.add(&verified(3), &author(2));
    assert_eq!(registry.release(&sha1(3)).unwrap().release, 4);
}

#[test]
fn the_highest_number_there_can_be_does_no_harm() {
    let json = serde_json::to_string(&with_releases(1)).unwrap();
    let json = json.replace(r#""last_release":1"#, r#""last_release":4294967295"#);
    let mut registry: Registry = serde_json::from_str(&json).unwrap();
    assert!(registry.add(&verified(2), &author(0)));
}

#[test]
fn a_collection_takes_what_is_neither_new_nor_needed() {
    let registry = a_release_a_day(10);
    let old = collected(&registry, &retention(3, 100, 30));
    assert_eq!(old, [6, 5, 4, 3, 2, 1, 0].map(sha1));
    assert_eq!(collected(&registry, &retention(10, 100, 30)), []);
    assert_eq!(collected(&registry, &retention(0, 100, 30)).len(), 9);
}

#[test]
fn a_release_stays_a_grace_period_after_it_was_last_pointed_to() {
    // The one of day 3 was replaced on day 4.
    let registry = a_release_a_day(10);
    let old = collected(&registry, &retention(0, 33, 30));
    assert_eq!(old, [2, 1, 0].map(sha1));
    let old = collected(&registry, &retention(0, 34, 30));
    assert_eq!(old, [3, 2, 1, 0].map(sha1));
}

#[test]
fn what_was_published_for_long_can_be_rolled_back_to_after_it_was_replaced() {
    let mut registry = with_releases(40);
    registry.publish(&stable(), &sha1(1), &author(0)).unwrap();
    let now = author(100 * DAY);
    registry.publish(&stable(), &sha1(40), &now).unwrap();
    let retention = retention(20, 100, 30);
    let taken = registry.collect(&retention, &now);
    assert!(!taken.contains(&sha1(1)) && taken.len() == 19);
    registry.roll_back(&stable(), &now).unwrap();
    assert_eq!(pointed(&registry, &stable()), Some(sha1(1)));
}

#[test]
fn a_release_stays_a_grace_period_after_it_was_unpinned_or_called_off() {
    let mut registry = a_release_a_day(3);
    let pins = |pins: &[u8]| SettingsPatch {
        pins: Some(pins.iter().map(|byte| sha1(*byte)).collect()),
        ..SettingsPatch::default()
    };
    registry
        .change_settings(&pins(&[0]), &author(5 * DAY))
        .unwrap();
    registry
        .schedule(&beta(), &sha1(1), at(200 * DAY), &author(5 * DAY))
        .unwrap();
    registry
        .change_settings(&pins(&[]), &author(80 * DAY))
        .unwrap();
    registry.unschedule(&beta(), &author(80 * DAY));
    assert_eq!(registry.last_named(&sha1(0)), Some(at(80 * DAY)));
    assert_eq!(collected(&registry, &retention(0, 109, 30)), []);
    assert_eq!(
        collected(&registry, &retention(0, 110, 30)),
        [sha1(1), sha1(0)]
    );
}

#[test]
fn what_is_pointed_to_pinned_put_off_or_downloaded_is_never_collected() {
    let mut registry = a_release_a_day(6);
    let patch = SettingsPatch {
        pins: Some(vec![sha1(0)]),
        ..SettingsPatch::default()
    };
    registry.change_settings(&patch, &author(0)).unwrap();
    registry.publish(&beta(), &sha1(1), &author(0)).unwrap();
    registry
        .schedule(&beta(), &sha1(2), at(500 * DAY), &author(0))
        .unwrap();
    let retention = Retention {
        downloaded: [sha1(3)].into(),
        ..retention(0, 400, 1)
    };
    assert_eq!(collected(&registry, &retention), [sha1(4)]);
}

#[test]
fn a_collection_is_on_record_and_its_releases_are_taken_from_what_was_published() {
    let mut registry = a_release_a_day(4);
    registry.collect(&retention(2, 100, 30), &author(100 * DAY));
    assert_eq!(published(&registry, &stable()), [sha1(3), sha1(2)]);
    assert_eq!(actions(&registry)[4..], [ChangeKind::Collect; 2]);
    assert_eq!(registry.last_named(&sha1(0)), Some(at(100 * DAY)));
    assert_eq!(registry.last_named(&sha1(9)), None);
    let before = registry.clone();
    assert_eq!(
        registry.collect(&retention(2, 100, 30), &author(101 * DAY)),
        []
    );
    assert_eq!(registry, before);
}

/// Formats of which some cover others, some do not, and some reach above all that is known.
fn formats() -> impl Strategy<Value = Formats> {
    let ends = prop::sample::select(vec![15, 18, 22, 34, 46, 64, 69, 75, 84, 9000]);
    (ends.clone(), ends).prop_map(|(one, two): (u32, u32)| Formats {
        min: one.min(two).to_string(),
        max: one.max(two).to_string(),
    })
}

proptest! {
    #[test]
    fn a_collection_changes_what_no_client_is_given_and_takes_all_that_nobody_is(
        formats in prop::collection::vec(formats(), 1..12),
        publications in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 0..20),
    ) {
        let mut registry = empty();
        for (byte, formats) in (0..).zip(&formats) {
            let mut verified = verified(byte);
            verified.inspection.formats = formats.clone();
            registry.add(&verified, &author(0));
        }
        for (second, (in_beta, release)) in (0..).zip(publications) {
            let channel = if in_beta { beta() } else { stable() };
            let byte = u8::try_from(release.index(formats.len())).unwrap();
            registry.publish(&channel, &sha1(byte), &author(second)).unwrap();
        }
        let given = |registry: &Registry| {
            let channels = [beta(), stable()].into_iter();
            let each = channels.flat_map(|channel| {
                let published = registry.published(&channel);
                let choose = |client: Client| client.choose(&published).map(|one| one.sha1);
                Client::every().map(choose).collect::<Vec<_>>()
            });
            each.collect::<Vec<_>>()
        };
        let before = given(&registry);
        let taken = registry.collect(&retention(0, 100, 30), &author(100 * DAY));
        prop_assert_eq!(given(&registry), before.clone());
        let pointed = [pointed(&registry, &beta()), pointed(&registry, &stable())];
        for release in (0..).zip(&formats).map(|(byte, _)| sha1(byte)) {
            let needed = before.contains(&Some(release)) || pointed.contains(&Some(release));
            prop_assert_eq!(taken.contains(&release), !needed);
        }
    }
}
