//! The schedule, by borders, by property, and over a year.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::observe::tests::answered_at;

/// 2026-11-21T10:00:00Z, which is a turn of every rotation that divides an hour.
const T0: i64 = 1_795_255_200;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(T0 + seconds)
}

fn id(text: &str) -> TargetId {
    text.parse().unwrap()
}

fn document(value: Value) -> Document {
    let document = Document::read(value).unwrap();
    document.validate(text::check).unwrap();
    document
}

/// What is in force: active, announced or not, MOTD, next change after so many seconds.
fn seen(
    document: &Document,
    observation: Option<&Observation>,
    seconds: i64,
) -> (Mode, Option<String>, Option<i64>) {
    let settings = document.settings(&id("main"));
    let effective = effective(document, &settings, &id("main"), observation, at(seconds));
    let next = effective.next_change_at.map(|next| next - at(0));
    (
        effective.mode,
        effective.motd.map(|motd| motd.to_plain()),
        next,
    )
}

fn motd(lines: &str, seconds: i64) -> String {
    let document = document(json!({
        "maintenance": {"enabled": true, "starts_at": at(7200), "ends_at": at(190_800), "reason": "disk\u{a0}swap"},
        "motd": {"entries": [{"lines": [lines]}]},
    }));
    seen(&document, Some(&answered_at(T0)), seconds).1.unwrap()
}

#[test]
fn nothing_is_in_force_before_the_first_change() {
    let document = Document::default();
    let settings = document.settings(&id("main"));
    let effective = effective(&document, &settings, &id("main"), None, at(0));
    assert_eq!(
        effective,
        Effective {
            mode: Mode::Normal,
            motd: None,
            icon: None,
            maintenance: MaintenanceInForce::default(),
            message: None,
            next_change_at: None,
        }
    );
}

#[test]
fn maintenance_is_announced_then_active_then_over_at_its_end() {
    let document = document(json!({
        "maintenance": {"enabled": true, "message": "<red>Closed", "starts_at": at(100), "ends_at": at(200),
                        "auto_end": "at-end", "allow": ["Notch"]},
        "motd": {"entries": [{"lines": ["open"]}]},
    }));
    let motd = |text: &str| Some(text.to_owned());
    assert_eq!(
        seen(&document, None, 99),
        (Mode::Normal, motd("open"), Some(100))
    );
    assert_eq!(
        seen(&document, None, 100),
        (Mode::Maintenance, motd("Closed"), Some(200))
    );
    assert_eq!(
        seen(&document, None, 199),
        (Mode::Maintenance, motd("Closed"), Some(200))
    );
    assert_eq!(
        seen(&document, None, 200),
        (Mode::Normal, motd("open"), None)
    );

    let settings = document.settings(&id("main"));
    let shown =
        |seconds| effective(&document, &settings, &id("main"), None, at(seconds)).maintenance;
    let announced = shown(0);
    assert!(!announced.active);
    assert_eq!(announced.message.as_deref(), Some("<red>Closed</red>"));
    assert_eq!(
        (announced.starts_at, announced.ends_at),
        (Some(at(100)), Some(at(200)))
    );
    assert_eq!(announced.allow, ["Notch"]);
    assert_eq!(shown(200), MaintenanceInForce::default());
}

#[test]
fn the_switch_is_above_the_schedule() {
    let mut document = document(json!({
        "maintenance": {"enabled": false, "message": "Closed", "starts_at": at(0), "ends_at": at(10)}
    }));
    assert_eq!(seen(&document, None, 5), (Mode::Normal, None, None));
    document.maintenance.enabled = true;
    // `never`: the end is announced, nothing more.
    assert_eq!(seen(&document, None, 5).0, Mode::Maintenance);
    assert_eq!(
        seen(&document, None, 1_000_000),
        (Mode::Maintenance, Some("Closed".to_owned()), None)
    );
    document.maintenance.starts_at = None;
    document.maintenance.message = None;
    assert_eq!(
        seen(&document, None, -1_000_000),
        (Mode::Maintenance, None, None)
    );
}

#[test]
fn when_healthy_needs_a_healthy_ping_after_the_end_and_stays_over() {
    let mut document = document(json!({
        "maintenance": {"enabled": true, "message": "Closed", "ends_at": at(100), "auto_end": "when-healthy"}
    }));
    let main = id("main");
    let mode =
        |document: &Document, observation: &Observation| seen(document, Some(observation), 150).0;
    let early = answered_at(T0 + 99);
    let healthy = answered_at(T0 + 100);
    let mut slow = healthy.clone();
    slow.state = State::Degraded;
    assert_eq!(
        seen(&document, None, 150),
        (Mode::Maintenance, Some("Closed".to_owned()), None)
    );
    assert_eq!(mode(&document, &early), Mode::Maintenance);
    assert_eq!(mode(&document, &slow), Mode::Maintenance);
    assert_eq!(mode(&document, &healthy), Mode::Normal);
    assert_eq!(seen(&document, Some(&healthy), 99).2, Some(100));

    assert_eq!(to_latch(&document, &main, Some(&early), at(150)), None);
    assert_eq!(
        to_latch(&document, &main, Some(&healthy), at(150)),
        Some(at(100))
    );
    document.ended.insert(main.clone(), at(100));
    assert_eq!(to_latch(&document, &main, Some(&healthy), at(150)), None);
    assert_eq!(
        mode(&document, &slow),
        Mode::Normal,
        "a later failure does not bring it back"
    );
    // The next maintenance has another end.
    document.maintenance.ends_at = Some(at(120));
    assert_eq!(mode(&document, &slow), Mode::Maintenance);
}

#[test]
fn placeholders_show_what_is_known() {
    assert_eq!(
        motd("<online>/<max> <version> <target>", 0),
        "1/20 Paper 1.21 main"
    );
    assert_eq!(
        motd("<starts_at> <ends_at>", 0),
        "2026-11-21 12:00 UTC 2026-11-23 15:00 UTC"
    );
    assert_eq!(motd("<reason>", 0), "disk\u{a0}swap");
    assert_eq!(motd("<countdown>", 0), "2h 0m");
    assert_eq!(motd("<countdown>", 3601), "1h 0m");
    assert_eq!(motd("<countdown>", 7141), "1m");
    assert_eq!(motd("<countdown>", 7200), "2d 3h");
    assert_eq!(motd("<countdown>", 190_801), "0m");
    let unknown = document(json!({"motd": {"entries": [{"lines": ["&6<online> <countdown>"]}]}}));
    assert_eq!(seen(&unknown, None, 0).1.as_deref(), Some("? ?"));
}

#[test]
fn entries_take_turns_that_all_proxies_agree_on() {
    let document = document(json!({
        "motd": {"rotate_seconds": 60, "entries": [{"lines": ["a"]}, {"lines": ["b", "b"]}, {"lines": ["c"]}]},
    }));
    let turns: Vec<_> = (0..4)
        .map(|turn| seen(&document, None, turn * 60).1.unwrap())
        .collect();
    assert_eq!(turns[0], turns[3]);
    let mut all = turns[..3].to_vec();
    all.sort();
    assert_eq!(all, ["a", "b\nb", "c"]);
    assert_eq!(seen(&document, None, 59).2, Some(60));
    assert_eq!(seen(&document, None, 60).2, Some(120));
}

/// A year in minutes: every change comes exactly when it was announced.
#[test]
fn over_a_year_nothing_changes_but_when_it_was_told() {
    const MINUTES: i64 = 365 * 24 * 60;
    let document = document(json!({
        "maintenance": {"enabled": true, "message": "Closed", "starts_at": at(100 * 86_400), "ends_at": at(103 * 86_400),
                        "auto_end": "at-end"},
        "motd": {"rotate_seconds": 3600, "entries": [{"lines": ["a"]}, {"lines": ["b"]}]},
    }));
    let settings = document.settings(&id("main"));
    let (mut changes, mut maintained, mut due) = (0, 0, None::<Timestamp>);
    let mut before = None;
    for minute in 0..MINUTES {
        let now = at(minute * 60);
        let mut shown = effective(&document, &settings, &id("main"), None, now);
        let next = shown.next_change_at.take();
        maintained += i64::from(shown.mode == Mode::Maintenance);
        if before.as_ref().is_some_and(|before| *before != shown) {
            changes += 1;
            assert_eq!(due, Some(now), "minute {minute}");
        } else if let Some(due) = due {
            assert!(
                now < due || before.is_none(),
                "minute {minute} was announced"
            );
        }
        due = next;
        before = Some(shown);
    }
    assert_eq!(maintained, 3 * 24 * 60);
    // A turn an hour, but for three days that show one message.
    assert_eq!(changes, (365 - 3) * 24);
}

fn schedule() -> impl Strategy<Value = Document> {
    let time = || prop::option::of(0..5000_i64);
    let end = prop::sample::select(vec![AutoEnd::Never, AutoEnd::AtEnd, AutoEnd::WhenHealthy]);
    (
        any::<bool>(),
        any::<bool>(),
        time(),
        time(),
        end,
        5..400_u32,
        0..4_usize,
        any::<bool>(),
    )
        .prop_map(
            |(enabled, message, start, length, auto_end, rotate_seconds, entries, overridden)| {
                let mut document = Document::default();
                document.maintenance.enabled = enabled;
                document.maintenance.message = message.then(|| "Closed <countdown>".to_owned());
                document.maintenance.starts_at = start.map(at);
                document.maintenance.ends_at =
                    length.map(|length| at(start.unwrap_or(0) + 1 + length));
                document.maintenance.auto_end = match document.maintenance.ends_at {
                    Some(_) => auto_end,
                    None => AutoEnd::Never,
                };
                document.motd.rotate_seconds = rotate_seconds;
                document.motd.entries = (0..entries)
                    .map(|n| types::control::Entry {
                        lines: vec![format!("{n} <countdown>")],
                    })
                    .collect();
                if overridden {
                    let overrides =
                        json!({"maintenance": {"enabled": true}, "motd": {"rotate_seconds": 7}});
                    document
                        .targets
                        .insert(id("main"), serde_json::from_value(overrides).unwrap());
                }
                document
            },
        )
}

/// Everything but the countdown and the time of the next look.
fn facts(effective: &Effective<'_>) -> impl PartialEq + std::fmt::Debug + use<> {
    let first = |text: &Option<Text>| text.as_ref().map(|text| text.to_plain().chars().next());
    let maintenance = &effective.maintenance;
    (
        (
            effective.mode,
            first(&effective.motd),
            first(&effective.message),
        ),
        (
            maintenance.active,
            maintenance.starts_at,
            maintenance.ends_at,
        ),
    )
}

proptest! {
    #[test]
    fn until_the_next_change_nothing_differs_but_the_countdown(
        document in schedule(), now in -100..12_000_i64, seen_at in prop::option::of(0..6000_i64), part in 0.0..1.0_f64,
    ) {
        prop_assert_eq!(document.validate(text::check), Ok(()));
        let settings = document.settings(&id("main"));
        let observation = seen_at.map(|seconds| answered_at(T0 + seconds));
        let look = |now| effective(&document, &settings, &id("main"), observation.as_ref(), now);
        let shown = look(at(now));
        if let Some(next) = shown.next_change_at {
            prop_assert!(next > at(now));
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "small numbers")]
            let between = at(now).plus_seconds(((next - at(now) - 1) as f64 * part) as i64);
            for moment in [between, next.plus_seconds(-1)] {
                let later = look(moment);
                prop_assert_eq!(facts(&later), facts(&shown));
                prop_assert_eq!(later.next_change_at, Some(next));
            }
        } else {
            prop_assert_eq!(facts(&look(at(now + 1_000_000))), facts(&shown));
        }
    }

    #[test]
    fn every_entry_gets_its_turn(step in 5..90_u32, count in 1..8_usize, start in 0..1_000_000_i64) {
        let mut document = Document::default();
        document.motd.rotate_seconds = step;
        document.motd.entries = (0..count).map(|n| types::control::Entry { lines: vec![n.to_string()] }).collect();
        let mut shown: Vec<_> = (0..count)
            .map(|turn| seen(&document, None, start + i64::try_from(turn).unwrap() * i64::from(step)).1.unwrap())
            .collect();
        shown.sort();
        let all: Vec<_> = (0..count).map(|n| n.to_string()).collect();
        prop_assert_eq!(shown, all);
    }
}
