use proptest::prelude::*;
use types::{
    config::PublicUrl,
    pack::{Formats, Versions},
};

use super::*;

fn verified(byte: u8) -> Verified {
    Verified {
        sha1: Sha1::of(&[byte]),
        size: u64::from(byte),
        inspection: Inspection {
            formats: Formats {
                min: "34".to_owned(),
                max: "64".to_owned(),
            },
            minecraft: Some(Versions {
                min: "1.21".to_owned(),
                max: "1.21.8".to_owned(),
            }),
            warnings: Vec::new(),
        },
    }
}

fn author(seconds: i64) -> Author {
    Author {
        name: "ci".to_owned(),
        at: Timestamp::from_seconds(1_795_255_200 + seconds),
    }
}

fn registry() -> Registry {
    Registry::new(
        PackName::main(),
        "5b6f3f0e-6d0e-4d0c-9d0e-0d6c5c6f2a11".parse().unwrap(),
    )
}

fn url() -> PublicUrl {
    PublicUrl::try_from("https://rp.example.com".to_owned()).unwrap()
}

#[test]
fn the_stored_form_is_pinned_byte_for_byte() {
    let mut registry = registry();
    registry.add(&verified(1), &author(0));
    registry
        .publish(&Channel::stable(), &Sha1::of(&[1]), &author(1))
        .unwrap();
    let json = concat!(
        r#"{"v":1,"registry":{"pack":"main","uuid":"5b6f3f0e-6d0e-4d0c-9d0e-0d6c5c6f2a11","#,
        r#""required":false,"prompt":null,"display_name":null,"pins":[],"#,
        r#""channels":{"stable":{"release":1,"sha1":"bf8b4530d8d246dd74ac53a13471bba17941dff7","#,
        r#""published_at":"2026-11-21T10:00:01Z"}},"#,
        r#""releases":[{"release":1,"sha1":"bf8b4530d8d246dd74ac53a13471bba17941dff7","size":1,"#,
        r#""formats":{"min":"34","max":"64"},"minecraft":{"min":"1.21","max":"1.21.8"},"warnings":[],"#,
        r#""uploaded_at":"2026-11-21T10:00:00Z","uploaded_by":"ci"}],"#,
        r#""history":[{"at":"2026-11-21T10:00:01Z","by":"ci","channel":"stable","before":null,"#,
        r#""after":"bf8b4530d8d246dd74ac53a13471bba17941dff7"}]}}"#,
    );
    assert_eq!(serde_json::to_string(&registry).unwrap(), json);
    assert_eq!(serde_json::from_str::<Registry>(json).unwrap(), registry);
}

#[test]
fn a_stored_form_of_another_version_is_refused() {
    let later = serde_json::to_string(&registry())
        .unwrap()
        .replace(r#""v":1"#, r#""v":2"#);
    let error = serde_json::from_str::<Registry>(&later)
        .unwrap_err()
        .to_string();
    assert!(error.contains("version 2 is not known here"), "{error}");
}

#[test]
fn the_same_bytes_are_one_release() {
    let mut registry = registry();
    assert!(registry.add(&verified(1), &author(0)));
    assert!(!registry.add(&verified(1), &author(9)));
    assert!(registry.add(&verified(2), &author(9)));
    let numbers: Vec<u32> = registry
        .pack()
        .releases
        .iter()
        .map(|release| release.release)
        .collect();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn publishing_what_is_published_changes_nothing() {
    let mut registry = registry();
    registry.add(&verified(1), &author(0));
    let first = registry.publish(&Channel::stable(), &Sha1::of(&[1]), &author(1));
    let before = registry.clone();
    let second = registry.publish(&Channel::stable(), &Sha1::of(&[1]), &author(2));
    assert_eq!(
        (first, second),
        (Ok(Previous(None)), Ok(Previous(Some(Sha1::of(&[1])))))
    );
    assert_eq!(registry, before);
}

#[test]
fn a_channel_only_ever_points_to_a_release() {
    let mut registry = registry();
    let published = registry.publish(&Channel::stable(), &Sha1::of(&[1]), &author(0));
    assert_eq!(published, Err(NoSuchRelease));
    assert_eq!(registry.current(&Channel::stable(), &url()), None);
}

#[test]
fn a_release_that_is_not_published_has_no_time_of_publication() {
    let mut registry = registry();
    registry.add(&verified(1), &author(0));
    let record = registry
        .record(&Channel::stable(), &Sha1::of(&[1]), &url())
        .unwrap();
    assert_eq!(record.published_at, None);
    assert_eq!(
        record.url,
        format!("https://rp.example.com/packs/{}.zip", Sha1::of(&[1]))
    );
}

proptest! {
    #[test]
    fn any_order_of_changes_keeps_the_invariants(
        steps in proptest::collection::vec((0_u8..6, 0_usize..3, any::<bool>()), 0..60)
    ) {
        let channels = ["stable", "beta", "dev"].map(|name| name.parse::<Channel>().unwrap());
        let mut registry = registry();
        let uuid = registry.pack().uuid;
        for (now, (byte, channel, publish)) in (0..).zip(steps) {
            let before = registry.pack().history.len();
            if publish {
                let _ = registry.publish(&channels[channel], &Sha1::of(&[byte]), &author(now));
            } else {
                registry.add(&verified(byte), &author(now));
            }
            prop_assert!(registry.pack().history.len() >= before);
        }
        let pack = registry.pack();
        prop_assert_eq!(pack.uuid, uuid);
        for (index, release) in pack.releases.iter().enumerate() {
            prop_assert_eq!(release.release as usize, index + 1);
        }
        for (channel, pointer) in &pack.channels {
            let release = registry.release(&pointer.sha1);
            prop_assert_eq!(release.map(|release| release.release), Some(pointer.release));
            let last = pack.history.iter().rev().find(|change| change.channel == *channel);
            prop_assert_eq!(last.map(|change| change.after), Some(pointer.sha1));
        }
        for change in &pack.history {
            prop_assert!(change.before != Some(change.after));
        }
    }
}
