//! PUT and PATCH as pure functions.

use proptest::prelude::*;
use serde_json::json;
use types::config::Config as _;

use super::*;

fn document() -> Document {
    let mut document = replaced(json!({
        "maintenance": {"enabled": true, "message": "Closed", "allow": ["Notch"]},
        "motd": {"entries": [{"lines": ["one"]}]},
        "targets": {"lobby": {"icon": null, "motd": {"rotate_seconds": 30}}},
    }))
    .unwrap();
    document.revision = 7;
    document
}

#[test]
fn a_body_of_put_says_everything_but_what_is_the_workers() {
    let sent = json!({
        "v": 1, "revision": 99, "updated_at": "2026-01-01T00:00:00Z", "updated_by": "me",
        "motd": {"entries": [{"lines": ["x"]}]}, "problem": {"at": "", "message": "?"},
        "warnings": [],
        "ended": {"main": "2026-01-01T00:00:00Z"},
    });
    let now = Timestamp::from_seconds(1_795_255_200);
    let made = next(replaced(sent).unwrap(), &document(), "ci", now);
    assert_eq!(
        (made.revision, made.updated_at, made.updated_by.as_deref()),
        (8, Some(now), Some("ci"))
    );
    assert!(made.ended.is_empty() && !made.maintenance.enabled && made.targets.is_empty());
    assert!(matches!(replaced(json!([])), Err(Refused::Shape(_))));
    assert!(matches!(replaced(json!({"x": 1})), Err(Refused::Shape(_))));
    let wrong = replaced(json!({"maintenance": {"message": "<nope>"}}));
    assert!(matches!(wrong, Err(Refused::Content(_))));
}

#[test]
fn null_in_a_patch_takes_away_and_the_rest_stays() {
    let patch = |patch| patched(&document(), &patch);
    let made = patch(json!({"maintenance": {"message": null, "reason": "disk"}})).unwrap();
    assert_eq!(made.maintenance.message, None);
    assert_eq!(made.maintenance.reason.as_deref(), Some("disk"));
    assert!(made.maintenance.enabled);
    assert_eq!(made.motd, document().motd);

    let made = patch(json!({"maintenance": null})).unwrap();
    assert_eq!(made.maintenance, types::control::Maintenance::default());
    let made = patch(json!({"motd": {"entries": [{"lines": ["a", "b"]}]}})).unwrap();
    assert_eq!(made.motd.entries.len(), 1);
    assert_eq!(made.motd.entries[0].lines, ["a", "b"]);

    let made = patch(json!({"targets": {"lobby": {"icon": null}}})).unwrap();
    let overrides = serde_json::to_value(&made.targets).unwrap();
    assert_eq!(
        overrides,
        json!({"lobby": {"motd": {"rotate_seconds": 30}}})
    );
    let made =
        patch(json!({"targets": {"lobby": null, "main": {"maintenance": {"enabled": false}}}}))
            .unwrap();
    let overrides = serde_json::to_value(&made.targets).unwrap();
    assert_eq!(
        overrides,
        json!({"main": {"maintenance": {"enabled": false}}})
    );

    assert!(patch(json!({})).unwrap().wants_same(&document()));
    for shape in [
        json!([]),
        json!("x"),
        json!({"motd": 1}),
        json!({"maintenance": {"on": true}}),
        json!({"v": 2}),
    ] {
        assert!(matches!(patch(shape), Err(Refused::Shape(_))));
    }
}

#[test]
fn only_a_configured_target_is_newly_named() {
    let config = StatusConfig::parse(json!({"targets": [{"id": "main", "address": "a"}]})).unwrap();
    let check = |wanted| known_targets(&replaced(wanted).unwrap(), &document(), &config);
    assert_eq!(check(json!({"targets": {"main": {}}})), Ok(()));
    assert_eq!(
        check(json!({"targets": {"lobby": {"icon": null}}})),
        Ok(()),
        "it was there before"
    );
    let Err(Refused::Content(invalid)) = check(json!({"targets": {"mian": {}}})) else {
        panic!("it is not configured");
    };
    assert_eq!(
        invalid.to_string(),
        "targets.mian: there is no such target; there are main"
    );
}

#[test]
fn every_override_of_a_target_that_is_not_configured_is_found() {
    let config = StatusConfig::parse(json!({"targets": [{"id": "main", "address": "a"}]})).unwrap();
    let wanted = replaced(json!({"targets": {"main": {}, "loby": {}, "mian": {"icon": null}}}));
    let document = wanted.unwrap();
    let found: Vec<_> = strangers(&document, &config)
        .map(|(_, told)| told.to_string())
        .collect();
    assert_eq!(
        found,
        [
            "targets.loby: there is no such target; there are main",
            "targets.mian: there is no such target; there are main"
        ]
    );
}

#[test]
fn what_is_over_is_over_for_that_maintenance() {
    let end: Timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
    let mut before = document();
    before.maintenance.ends_at = Some(end);
    before.ended.insert("main".parse().unwrap(), end);
    let after = |wanted: &Document| next(wanted.clone(), &before, "ci", end).ended.len();
    let mut wanted = before.clone();
    wanted.ended.clear();
    assert_eq!(after(&wanted), 1);
    wanted.maintenance.ends_at = Some(end.plus_seconds(1));
    assert_eq!(after(&wanted), 0);
    wanted.maintenance.ends_at = Some(end);
    wanted.maintenance.enabled = false;
    assert_eq!(after(&wanted), 0);
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        "[a-z<>]{0,4}".prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "maintenance",
        "motd",
        "message",
        "entries",
        "lines",
        "x",
    ]);
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::hash_map(key.clone().prop_map(str::to_owned), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// RFC 7396, section 2: what is merged twice is merged once, and no null is left behind.
    #[test]
    fn a_merge_is_idempotent(target in json_value(), patch in json_value()) {
        if let (Value::Object(target), Value::Object(patch)) = (target, patch) {
            let mut once = target;
            merge(&mut once, &patch);
            let mut twice = once.clone();
            merge(&mut twice, &patch);
            prop_assert_eq!(&once, &twice);
            for (key, wish) in &patch {
                prop_assert_eq!(once.contains_key(key), !wish.is_null());
            }
            let _ = patched(&document(), &Value::Object(patch));
        }
    }
}
