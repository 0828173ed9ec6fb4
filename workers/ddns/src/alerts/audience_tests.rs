use serde_json::json;

use super::*;
use crate::alerts::tests::alert;

fn channel(events: &[&str]) -> AlertChannel {
    let name = events.join("-");
    let keys = json!({"name": name, "kind": "ntfy", "topic": "x", "events": events});
    serde_json::from_value(keys).unwrap()
}

/// What the channel that hears these is told of these changes, one after the other.
fn told(events: &[&str], levels: &[&str]) -> Vec<String> {
    let channel = channel(events);
    let mut told = Vec::new();
    let (mut before, mut was_degraded) = ("up", false);
    for level in levels {
        let event = serde_json::from_value(json!(level)).unwrap();
        let alert = Alert {
            event,
            previous: Some(before.to_owned()),
            was_degraded,
            ..alert()
        };
        told.extend(hears(&channel, &alert).map(|event| event.as_str().to_owned()));
        was_degraded = before == "degraded";
        before = level;
    }
    told
}

#[test]
fn who_does_not_hear_of_degraded_hears_nothing_of_slow_spells() {
    let deaf = ["down", "up"];
    let none: [&str; 0] = [];
    assert_eq!(told(&deaf, &["degraded", "up", "degraded", "up"]), none);
    assert_eq!(told(&deaf, &["down", "degraded", "up"]), ["down", "up"]);
    let twice = told(&deaf, &["degraded", "down", "degraded", "down", "up"]);
    assert_eq!(twice, ["down", "up", "down", "up"]);
}

#[test]
fn who_hears_of_all_hears_of_each_change_as_what_it_is() {
    let levels = ["degraded", "down", "degraded", "up", "down", "up"];
    assert_eq!(told(&["down", "degraded", "up"], &levels), levels);
}

#[test]
fn who_hears_of_degraded_alone_hears_of_the_end_of_what_it_heard_of() {
    let one = ["degraded", "up"];
    let none: [&str; 0] = [];
    assert_eq!(told(&one, &["down", "up"]), none);
    assert_eq!(told(&one, &["degraded", "down", "up"]), one);
    assert_eq!(told(&one, &["degraded", "down", "degraded", "up"]), one);
    assert_eq!(told(&one, &["down", "degraded", "up"]), one);
    assert_eq!(
        told(&["up", "reminder"], &["degraded", "up", "down", "up"]),
        ["up"]
    );
}
