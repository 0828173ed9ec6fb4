//! Publications, rollbacks and what is put off.

use super::*;

#[test]
fn publishing_what_is_published_changes_nothing() {
    let mut registry = with_releases(1);
    let first = registry.publish(&stable(), &sha1(1), &author(1));
    let before = registry.clone();
    let second = registry.publish(&stable(), &sha1(1), &author(2));
    assert_eq!(
        (first, second),
        (Ok(Previous(None)), Ok(Previous(Some(sha1(1)))))
    );
    assert_eq!(registry, before);
}

#[test]
fn a_channel_only_ever_points_to_a_release() {
    let mut registry = empty();
    let refused = registry.publish(&stable(), &sha1(1), &author(0));
    assert_eq!(refused, Err(NoSuchRelease));
    let refused = registry.publish_incoming(&stable(), &sha1(1), at(0), &author(0));
    assert_eq!(refused, Err(NoSuchRelease));
    let refused = registry.schedule(&stable(), &sha1(1), at(9), &author(0));
    assert_eq!(refused, Err(NoSuchRelease));
    assert_eq!(registry, empty());
    assert_eq!(registry.current(&stable(), &url()), None);
}

#[test]
fn a_rollback_goes_back_step_by_step_to_the_beginning_and_no_further() {
    let mut registry = with_releases(3);
    for byte in 1..=3 {
        registry
            .publish(&stable(), &sha1(byte), &author(byte.into()))
            .unwrap();
    }
    assert_eq!(published(&registry, &stable()), [sha1(3), sha1(2), sha1(1)]);
    for (from, to) in [(3, 2), (2, 1)] {
        let before = registry.roll_back(&stable(), &author(10));
        assert_eq!(before, Ok(Previous(Some(sha1(from)))));
        assert_eq!(pointed(&registry, &stable()), Some(sha1(to)));
        let taken_back = published(&registry, &stable()).contains(&sha1(from));
        assert!(!taken_back, "what was taken back is still given to clients");
        let change = registry.pack().history.last().unwrap();
        assert_eq!(
            (change.action, change.before, change.after),
            (ChangeKind::Rollback, Some(sha1(from)), Some(sha1(to)))
        );
    }
    let before = registry.clone();
    assert_eq!(
        registry.roll_back(&stable(), &author(11)),
        Err(NothingBefore)
    );
    assert_eq!(registry.roll_back(&beta(), &author(11)), Err(NothingBefore));
    assert_eq!(registry, before);
}

#[test]
fn what_was_taken_back_can_be_published_again() {
    let mut registry = with_releases(2);
    for byte in [1, 2, 1] {
        registry
            .publish(&stable(), &sha1(byte), &author(byte.into()))
            .unwrap();
    }
    assert_eq!(published(&registry, &stable()), [sha1(1), sha1(2)]);
    registry.roll_back(&stable(), &author(5)).unwrap();
    assert_eq!(published(&registry, &stable()), [sha1(2)]);
    registry.publish(&stable(), &sha1(1), &author(6)).unwrap();
    assert_eq!(published(&registry, &stable()), [sha1(1), sha1(2)]);
}

#[test]
fn channels_do_not_touch_each_other() {
    let mut registry = with_releases(2);
    registry.publish(&stable(), &sha1(1), &author(1)).unwrap();
    registry.publish(&beta(), &sha1(2), &author(2)).unwrap();
    assert_eq!(registry.roll_back(&beta(), &author(3)), Err(NothingBefore));
    assert_eq!(published(&registry, &stable()), [sha1(1)]);
    assert_eq!(published(&registry, &beta()), [sha1(2)]);
}

#[test]
fn what_is_put_off_is_published_when_its_time_has_come_and_not_before() {
    let mut registry = with_releases(2);
    registry.publish(&stable(), &sha1(1), &author(0)).unwrap();
    registry
        .schedule(&stable(), &sha1(2), at(60), &author(1))
        .unwrap();
    assert_eq!(registry.publish_due(at(59)), []);
    assert_eq!(pointed(&registry, &stable()), Some(sha1(1)));
    assert_eq!(registry.publish_due(at(60)), [stable()]);
    assert_eq!(published(&registry, &stable()), [sha1(2), sha1(1)]);
    assert_eq!(registry.pack().scheduled, []);
    assert_eq!(registry.publish_due(at(61)), []);
    let change = registry.pack().history.last().unwrap();
    assert_eq!((change.by.as_str(), change.at), ("ci", at(60)));
}

#[test]
fn what_is_due_late_is_published_in_the_order_of_its_times() {
    let mut registry = with_releases(3);
    let channels = ["a", "b", "c"].map(|name| name.parse::<Channel>().unwrap());
    for (channel, seconds) in channels.iter().zip([30, 10, 20]) {
        registry
            .schedule(channel, &sha1(1), at(seconds), &author(0))
            .unwrap();
    }
    let [a, b, c] = channels;
    assert_eq!(registry.publish_due(at(1000)), [b, c, a]);
    let times: Vec<_> = registry
        .pack()
        .history
        .iter()
        .map(|change| change.at)
        .collect();
    assert_eq!(times[3..], [at(1000); 3]);
}

#[test]
fn of_two_that_are_put_off_for_a_channel_the_later_request_stands() {
    let mut registry = with_releases(2);
    registry
        .schedule(&stable(), &sha1(1), at(60), &author(0))
        .unwrap();
    registry
        .schedule(&beta(), &sha1(1), at(60), &author(0))
        .unwrap();
    registry
        .schedule(&stable(), &sha1(2), at(30), &author(1))
        .unwrap();
    let change = registry.pack().history.last().unwrap();
    assert_eq!(
        (change.before, change.after),
        (Some(sha1(1)), Some(sha1(2)))
    );
    assert_eq!(registry.pack().scheduled.len(), 2);
    let before = registry.clone();
    registry
        .schedule(&stable(), &sha1(2), at(30), &author(2))
        .unwrap();
    assert_eq!(registry, before, "the same again changes nothing");
    registry.publish_due(at(100));
    assert_eq!(pointed(&registry, &stable()), Some(sha1(2)));
}

#[test]
fn what_is_put_off_can_be_called_off() {
    let mut registry = with_releases(1);
    registry
        .schedule(&stable(), &sha1(1), at(60), &author(0))
        .unwrap();
    assert!(!registry.unschedule(&beta(), &author(1)));
    assert!(registry.unschedule(&stable(), &author(1)));
    assert!(!registry.unschedule(&stable(), &author(1)));
    assert_eq!(
        actions(&registry),
        [ChangeKind::Schedule, ChangeKind::Unschedule]
    );
    assert_eq!(registry.publish_due(at(100)), []);
}

#[test]
fn what_is_due_and_published_already_moves_nothing() {
    let mut registry = with_releases(1);
    registry
        .schedule(&stable(), &sha1(1), at(60), &author(0))
        .unwrap();
    registry.publish(&stable(), &sha1(1), &author(1)).unwrap();
    assert_eq!(registry.publish_due(at(100)), []);
    assert_eq!(registry.pack().scheduled, []);
}

#[test]
fn the_history_is_cut_and_the_pointers_stay_right() {
    let mut registry = with_releases(3);
    for step in 0..2500 {
        let byte = u8::try_from(1 + step % 3).unwrap();
        registry
            .publish(&stable(), &sha1(byte), &author(step))
            .unwrap();
    }
    let history = &registry.pack().history;
    assert_eq!(history.len(), 1000);
    assert_eq!((history[0].at, history[999].at), (at(1500), at(2499)));
    assert_eq!(history[999].after, pointed(&registry, &stable()));
    assert_eq!(published(&registry, &stable()), [sha1(1), sha1(3), sha1(2)]);
}
