//! What `PATCH` changes.

use super::*;

#[test]
fn settings_are_changed_one_by_one_and_put_on_record() {
    let mut registry = with_releases(2);
    let before = registry.pack().settings();
    let patch = SettingsPatch {
        required: Some(true),
        prompt: Field::Set(Some(json!({"text": "please"}))),
        display_name: Field::Set(Some("Main".to_owned())),
        pins: Some(vec![sha1(2), sha1(1), sha1(2)]),
        incoming_channel: Field::Set(None),
    };
    registry.change_settings(&patch, &author(1)).unwrap();
    let after = Settings {
        required: true,
        prompt: Some(json!({"text": "please"})),
        display_name: Some("Main".to_owned()),
        pins: vec![sha1(2), sha1(1)],
        incoming_channel: None,
    };
    assert_eq!(registry.pack().settings(), after);
    let [change] = registry.pack().history.as_slice() else {
        panic!("one change is on record");
    };
    assert_eq!(
        (change.action, change.channel.as_ref()),
        (ChangeKind::Settings, None)
    );
    let on_record = change.settings.as_deref().unwrap();
    assert_eq!((&on_record.before, &on_record.after), (&before, &after));
}

#[test]
fn what_is_left_out_stays_and_null_takes_away() {
    let mut registry = empty();
    let patch = SettingsPatch {
        required: Some(true),
        display_name: Field::Set(Some("Main".to_owned())),
        ..SettingsPatch::default()
    };
    registry.change_settings(&patch, &author(1)).unwrap();
    let patch = r#"{"display_name":null}"#;
    let patch: SettingsPatch = serde_json::from_str(patch).unwrap();
    registry.change_settings(&patch, &author(2)).unwrap();
    let settings = registry.pack().settings();
    assert_eq!((settings.required, settings.display_name), (true, None));
    assert_eq!(settings.incoming_channel, Some(stable()));
}

#[test]
fn what_changes_nothing_is_not_on_record() {
    let mut registry = with_releases(1);
    let patch = SettingsPatch {
        required: Some(false),
        prompt: Field::Set(None),
        pins: Some(Vec::new()),
        incoming_channel: Field::Set(Some(stable())),
        ..SettingsPatch::default()
    };
    let before = registry.clone();
    registry.change_settings(&patch, &author(1)).unwrap();
    let nothing = SettingsPatch::default();
    registry.change_settings(&nothing, &author(1)).unwrap();
    assert_eq!(registry, before);
}

#[test]
fn only_a_release_can_be_pinned_and_a_refusal_changes_nothing() {
    let mut registry = with_releases(1);
    let before = registry.clone();
    let patch = SettingsPatch {
        required: Some(true),
        pins: Some(vec![sha1(1), sha1(2)]),
        ..SettingsPatch::default()
    };
    let refused = registry.change_settings(&patch, &author(1));
    assert_eq!(refused, Err(NoSuchRelease));
    assert_eq!(registry, before);
}
