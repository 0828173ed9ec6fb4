//! Any sequence of all operations keeps what must hold.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Add(u8),
    Publish(u8, u8),
    Incoming(u8, u8, i64),
    RollBack(u8),
    Schedule(u8, u8, i64),
    Unschedule(u8),
    Due,
    Settings(Vec<u8>, bool, Option<u8>),
    Delete(u8),
    Collect {
        newest: usize,
        age: i64,
        downloaded: u8,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (byte, channel) = (0_u8..8, 0_u8..3);
    let step = prop_oneof![
        4 => byte.clone().prop_map(Step::Add),
        4 => (channel.clone(), byte.clone()).prop_map(|(c, b)| Step::Publish(c, b)),
        3 => (channel.clone(), byte.clone(), -20_i64..5)
            .prop_map(|(c, b, late)| Step::Incoming(c, b, late)),
        3 => channel.clone().prop_map(Step::RollBack),
        2 => (channel.clone(), byte.clone(), 0_i64..10)
            .prop_map(|(c, b, later)| Step::Schedule(c, b, later)),
        1 => channel.clone().prop_map(Step::Unschedule),
        2 => Just(Step::Due),
        1 => (proptest::collection::vec(byte.clone(), 0..3), any::<bool>(), proptest::option::of(channel))
            .prop_map(|(pins, required, channel)| Step::Settings(pins, required, channel)),
        2 => byte.clone().prop_map(Step::Delete),
        2 => (0_usize..5, 0_i64..20, byte)
            .prop_map(|(newest, age, downloaded)| Step::Collect { newest, age, downloaded }),
    ];
    proptest::collection::vec(step, 0..80)
}

fn channel(number: u8) -> Channel {
    ["beta", "dev", "stable"][usize::from(number)]
        .parse()
        .unwrap()
}

fn apply(registry: &mut Registry, step: Step, now: i64) {
    let author = author(now);
    match step {
        Step::Add(byte) => {
            let _ = registry.add(&verified(byte), &author);
        }
        Step::Publish(to, byte) => {
            let _ = registry.publish(&channel(to), &sha1(byte), &author);
        }
        Step::Incoming(to, byte, late) => {
            let put_at = at(now + late);
            let _ = registry.publish_incoming(&channel(to), &sha1(byte), put_at, &author);
        }
        Step::RollBack(to) => {
            let _ = registry.roll_back(&channel(to), &author);
        }
        Step::Schedule(to, byte, later) => {
            let _ = registry.schedule(&channel(to), &sha1(byte), at(now + later), &author);
        }
        Step::Unschedule(to) => {
            let _ = registry.unschedule(&channel(to), &author);
        }
        Step::Due => {
            let _ = registry.publish_due(at(now));
        }
        Step::Settings(pins, required, to) => {
            let patch = SettingsPatch {
                required: Some(required),
                pins: Some(pins.into_iter().map(sha1).collect()),
                incoming_channel: Field::Set(to.map(channel)),
                ..SettingsPatch::default()
            };
            let _ = registry.change_settings(&patch, &author);
        }
        Step::Delete(byte) => {
            let _ = registry.delete(&sha1(byte), &author);
        }
        Step::Collect {
            newest,
            age,
            downloaded,
        } => {
            let retention = Retention {
                newest,
                uploaded_after: at(now - age),
                downloaded: [sha1(downloaded)].into(),
            };
            let _ = registry.collect(&retention, &author);
        }
    }
}

/// Everything that points somewhere points to a release.
fn check_references(registry: &Registry) {
    let pack = registry.pack();
    let is_release = |sha1: &Sha1| registry.release(sha1).is_some();
    for (channel, pointer) in &pack.channels {
        let release = registry
            .release(&pointer.sha1)
            .map(|release| release.release);
        assert_eq!(release, Some(pointer.release), "{channel}");
        assert!(
            pointer
                .earlier
                .iter()
                .all(|earlier| is_release(&earlier.sha1))
        );
        let mut published = published(registry, channel);
        assert_eq!(published[0], pointer.sha1);
        assert_eq!(published.len(), pointer.earlier.len() + 1);
        published.sort_by_key(|sha1| *sha1.as_bytes());
        published.dedup();
        assert_eq!(
            published.len(),
            pointer.earlier.len() + 1,
            "published twice"
        );
        let current = registry.current(channel, &url()).unwrap();
        assert_eq!((current.sha1, current.uuid), (pointer.sha1, pack.uuid));
        assert_eq!(current.published_at, Some(pointer.published_at));
    }
    assert!(pack.pins.iter().all(is_release));
    assert!(
        pack.scheduled
            .iter()
            .all(|scheduled| is_release(&scheduled.sha1))
    );
    let channels: Vec<_> = pack.scheduled.iter().map(|one| &one.channel).collect();
    let distinct: std::collections::BTreeSet<_> = channels.iter().collect();
    assert_eq!(
        channels.len(),
        distinct.len(),
        "scheduled twice for a channel"
    );
}

/// What was on record before a change is where the change before had left it.
fn check_history(registry: &Registry) {
    let pack = registry.pack();
    let mut pointed: BTreeMap<&Channel, Sha1> = BTreeMap::new();
    let mut scheduled: BTreeMap<&Channel, Sha1> = BTreeMap::new();
    for change in &pack.history {
        let channel = change.channel.as_ref();
        match change.action {
            ChangeKind::Publish | ChangeKind::Rollback => {
                let after = change.after.unwrap();
                let before = pointed.insert(channel.unwrap(), after);
                assert_eq!(change.before, before);
                assert_ne!(change.before, change.after);
            }
            ChangeKind::Schedule => {
                scheduled.insert(channel.unwrap(), change.after.unwrap());
            }
            ChangeKind::Unschedule => {
                assert_eq!(change.before, scheduled.remove(channel.unwrap()));
            }
            ChangeKind::Settings => {
                let settings = change.settings.as_deref().unwrap();
                assert_ne!(settings.before, settings.after);
            }
            ChangeKind::Delete | ChangeKind::Collect => {
                assert!(change.before.is_some() && change.after.is_none());
            }
        }
    }
    let pointers = pack.channels.iter();
    let pointers: BTreeMap<_, _> = pointers.map(|(channel, one)| (channel, one.sha1)).collect();
    assert_eq!(pointed, pointers);
    let times = pack.history.iter().map(|change| change.at);
    assert!(times.is_sorted());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn after_every_step_everything_holds_together(steps in steps()) {
        let mut registry = empty();
        let uuid = registry.pack().uuid;
        let mut given: HashMap<u32, Sha1> = HashMap::new();
        let mut highest = 0;
        for (step, now) in steps.into_iter().zip(0..) {
            let before = registry.clone();
            apply(&mut registry, step, now);
            let (history, since) = (&registry.pack().history, registry.changes_since(&before));
            let since: Vec<_> = since.into_iter().map(|(_, change)| change.clone()).collect();
            prop_assert_eq!([before.pack().history.clone(), since].concat(), history.clone());
            prop_assert_eq!(registry.pack().uuid, uuid);
            let releases = &registry.pack().releases;
            prop_assert!(releases.is_sorted_by(|one, two| one.release < two.release));
            for release in releases {
                let first = *given.entry(release.release).or_insert(release.sha1);
                prop_assert_eq!(first, release.sha1, "a number was given twice");
                if first == release.sha1 && release.release > highest {
                    highest = release.release;
                }
            }
            let last = releases.last().map_or(0, |release| release.release);
            prop_assert!(last <= highest);
            check_references(&registry);
            check_history(&registry);
            let text = serde_json::to_string(&registry).unwrap();
            let read: Registry = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&read, &registry);
            prop_assert_eq!(serde_json::to_string(&read).unwrap(), text);
        }
    }

    #[test]
    fn a_rollback_undoes_a_publication(steps in steps(), to in 0_u8..3, byte in 0_u8..8) {
        let mut registry = empty();
        for (step, now) in steps.into_iter().zip(0..) {
            apply(&mut registry, step, now);
        }
        let channel = channel(to);
        let before = published(&registry, &channel);
        let done = registry.publish(&channel, &sha1(byte), &author(100));
        let new = done.is_ok_and(|previous| previous.0 != Some(sha1(byte)));
        if new && !before.is_empty() && !before.contains(&sha1(byte)) {
            registry.roll_back(&channel, &author(101)).unwrap();
            prop_assert_eq!(published(&registry, &channel), before);
        }
    }
}
