//! The stored form, and what the other tests of the registry share.

mod incoming;
mod keeping;
mod owed;
mod publication;
mod sequences;
mod settings;

use serde_json::{Value, json};
use types::{
    config::PublicUrl,
    pack::{CheckState, Formats, Settings, Versions, Warning},
};

use super::*;

fn verified(byte: u8) -> Verified {
    Verified {
        sha1: sha1(byte),
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

fn sha1(byte: u8) -> Sha1 {
    Sha1::of(&[byte])
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_795_255_200 + seconds)
}

fn author(seconds: i64) -> Author {
    Author {
        name: "ci".to_owned(),
        at: at(seconds),
    }
}

fn stable() -> Channel {
    Channel::stable()
}

fn beta() -> Channel {
    "beta".parse().unwrap()
}

fn empty() -> Registry {
    Registry::new(
        PackName::main(),
        "5b6f3f0e-6d0e-4d0c-9d0e-0d6c5c6f2a11".parse().unwrap(),
    )
}

/// With releases 1 to `count`, of these bytes.
fn with_releases(count: u8) -> Registry {
    let mut registry = empty();
    for byte in 1..=count {
        assert!(registry.add(&verified(byte), &author(0)));
    }
    registry
}

fn url() -> PublicUrl {
    PublicUrl::try_from("https://rp.example.com".to_owned()).unwrap()
}

fn pointed(registry: &Registry, channel: &Channel) -> Option<Sha1> {
    let pointer = registry.pack().channels.get(channel);
    pointer.map(|pointer| pointer.sha1)
}

/// What is published, newest first.
fn published(registry: &Registry, channel: &Channel) -> Vec<Sha1> {
    let published = registry.published(channel);
    published.iter().map(|release| release.sha1).collect()
}

fn actions(registry: &Registry) -> Vec<ChangeKind> {
    let history = &registry.pack().history;
    history.iter().map(|change| change.action).collect()
}

const ONE: &str = "bf8b4530d8d246dd74ac53a13471bba17941dff7";
const TWO: &str = "c4ea21bb365bbeeaf5f2c654883e56d11e43c44e";

#[test]
fn the_stored_form_is_pinned_byte_for_byte() {
    let mut registry = empty();
    registry.add(&verified(1), &author(0));
    let warned = Inspection {
        minecraft: None,
        warnings: vec![Warning {
            code: "odd-names".to_owned(),
            message: "odd".to_owned(),
        }],
        ..verified(2).inspection
    };
    let second = Verified {
        inspection: warned,
        ..verified(2)
    };
    registry.add(&second, &author(1));
    registry.publish(&stable(), &sha1(1), &author(2)).unwrap();
    registry.publish(&stable(), &sha1(2), &author(3)).unwrap();
    let check = Check {
        state: CheckState::Failed,
        at: Some(at(4)),
        reason: Some("answers 404".to_owned()),
    };
    assert!(registry.set_check(&sha1(2), check));
    registry
        .schedule(&beta(), &sha1(1), at(60), &author(5))
        .unwrap();
    let patch = SettingsPatch {
        required: Some(true),
        pins: Some(vec![sha1(1)]),
        ..SettingsPatch::default()
    };
    registry.change_settings(&patch, &author(6)).unwrap();
    let json = [
        r#"{"v":1,"registry":{"pack":"main","uuid":"5b6f3f0e-6d0e-4d0c-9d0e-0d6c5c6f2a11","#,
        r#""required":true,"prompt":null,"display_name":null,"pins":["ONE"],"#,
        r#""incoming_channel":"stable","channels":{"stable":{"release":2,"sha1":"TWO","#,
        r#""published_at":"2026-11-21T10:00:03Z","#,
        r#""earlier":[{"sha1":"ONE","published_at":"2026-11-21T10:00:02Z"}]}},"#,
        r#""scheduled":[{"channel":"beta","sha1":"ONE","at":"2026-11-21T10:01:00Z","by":"ci"}],"#,
        r#""releases":[{"release":1,"sha1":"ONE","size":1,"#,
        r#""formats":{"min":"34","max":"64"},"minecraft":{"min":"1.21","max":"1.21.8"},"warnings":[],"#,
        r#""uploaded_at":"2026-11-21T10:00:00Z","uploaded_by":"ci","check":{"state":"pending"}},"#,
        r#"{"release":2,"sha1":"TWO","size":2,"formats":{"min":"34","max":"64"},"minecraft":null,"#,
        r#""warnings":[{"code":"odd-names","message":"odd"}],"#,
        r#""uploaded_at":"2026-11-21T10:00:01Z","uploaded_by":"ci","#,
        r#""check":{"state":"failed","at":"2026-11-21T10:00:04Z","reason":"answers 404"}}],"#,
        r#""history":[{"at":"2026-11-21T10:00:02Z","by":"ci","action":"publish","channel":"stable","#,
        r#""before":null,"after":"ONE"},"#,
        r#"{"at":"2026-11-21T10:00:03Z","by":"ci","action":"publish","channel":"stable","#,
        r#""before":"ONE","after":"TWO"},"#,
        r#"{"at":"2026-11-21T10:00:05Z","by":"ci","action":"schedule","channel":"beta","#,
        r#""before":null,"after":"ONE"},"#,
        r#"{"at":"2026-11-21T10:00:06Z","by":"ci","action":"settings","channel":null,"#,
        r#""before":null,"after":null,"settings":{"#,
        r#""before":{"required":false,"prompt":null,"display_name":null,"pins":[],"incoming_channel":"stable"},"#,
        r#""after":{"required":true,"prompt":null,"display_name":null,"pins":["ONE"],"incoming_channel":"stable"}"#,
        r#"}}]},"last_release":2,"changes":4}"#,
    ];
    let json = json.concat().replace("ONE", ONE).replace("TWO", TWO);
    assert_eq!(serde_json::to_string(&registry).unwrap(), json);
    assert_eq!(serde_json::from_str::<Registry>(&json).unwrap(), registry);
}

/// What was stored before there were rollbacks, schedules, checks and deletions.
fn old_form() -> Registry {
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
    serde_json::from_str(json).unwrap()
}

#[test]
fn the_form_that_was_stored_before_still_reads() {
    let mut new = empty();
    new.add(&verified(1), &author(0));
    new.publish(&stable(), &sha1(1), &author(1)).unwrap();
    let old = old_form();
    assert_eq!(old.pack(), new.pack());
    let stored = serde_json::to_string(&old).unwrap();
    assert_eq!(serde_json::from_str::<Registry>(&stored).unwrap(), old);
}

#[test]
fn the_form_that_was_stored_before_can_be_worked_with() {
    let mut registry = old_form();
    assert_eq!(
        registry.roll_back(&stable(), &author(2)),
        Err(NothingBefore)
    );
    assert!(registry.add(&verified(2), &author(2)));
    registry.publish(&stable(), &sha1(2), &author(2)).unwrap();
    registry.delete(&sha1(1), &author(3)).unwrap();
    assert!(registry.add(&verified(3), &author(4)));
    assert_eq!(registry.release(&sha1(3)).unwrap().release, 3);
}

#[test]
fn numbers_are_not_reused_in_a_form_that_was_stored_before() {
    let mut registry = old_form();
    registry.add(&verified(2), &author(2));
    let text = serde_json::to_string(&registry).unwrap();
    let mut value: Value = serde_json::from_str(&text).unwrap();
    value.as_object_mut().unwrap().remove("last_release");
    let mut registry: Registry = serde_json::from_value(value).unwrap();
    registry.delete(&sha1(2), &author(3)).unwrap();
    registry.add(&verified(3), &author(4));
    assert_eq!(registry.release(&sha1(3)).unwrap().release, 3);
}

#[test]
fn a_stored_form_of_another_version_is_refused() {
    let later = serde_json::to_string(&empty())
        .unwrap()
        .replace(r#""v":1"#, r#""v":2"#);
    let error = serde_json::from_str::<Registry>(&later)
        .unwrap_err()
        .to_string();
    assert!(error.contains("version 2 is not known here"), "{error}");
}

#[test]
fn the_same_bytes_are_one_release() {
    let mut registry = empty();
    assert!(registry.add(&verified(1), &author(0)));
    assert!(!registry.add(&verified(1), &author(9)));
    assert!(registry.add(&verified(2), &author(9)));
    let releases = &registry.pack().releases;
    let numbers: Vec<u32> = releases.iter().map(|release| release.release).collect();
    assert_eq!(numbers, [1, 2]);
    assert_eq!(releases[0].uploaded_at, at(0));
}

#[test]
fn a_check_is_put_on_record_for_a_release_that_is_there() {
    let mut registry = with_releases(1);
    let check = Check {
        state: CheckState::Verified,
        at: Some(at(1)),
        reason: None,
    };
    assert!(!registry.set_check(&sha1(2), check.clone()));
    assert!(registry.set_check(&sha1(1), check.clone()));
    assert_eq!(registry.release(&sha1(1)).unwrap().check, check);
}

#[test]
fn a_reader_sees_the_settings_and_where_the_bytes_are() {
    let mut registry = with_releases(1);
    let unpublished = registry.record(&stable(), &sha1(1), &url()).unwrap();
    assert_eq!(unpublished.published_at, None);
    registry.publish(&stable(), &sha1(1), &author(7)).unwrap();
    let patch = SettingsPatch {
        required: Some(true),
        prompt: Field::Set(Some(json!({"text": "please"}))),
        ..SettingsPatch::default()
    };
    registry.change_settings(&patch, &author(8)).unwrap();
    let record = registry.current(&stable(), &url()).unwrap();
    assert_eq!(
        record.url,
        format!("https://rp.example.com/packs/{ONE}.zip")
    );
    assert_eq!((record.release, record.size), (1, 1));
    assert_eq!(record.published_at, Some(at(7)));
    assert_eq!(record.uuid, registry.pack().uuid);
    assert_eq!(
        (record.required, record.prompt),
        (true, Some(json!({"text": "please"})))
    );
    assert_eq!(registry.current(&beta(), &url()), None);
}
