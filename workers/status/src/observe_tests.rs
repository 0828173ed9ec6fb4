//! The state machine, by table and by property.

use minecraft::frame::FrameError;
use proptest::prelude::*;
use types::status::{Motd, Player, Players, Snapshot, Version, Version1};

use super::*;

pub fn target() -> Target {
    Target {
        id: "main".parse().unwrap(),
        address: "mc.example.com".parse().unwrap(),
        connect: None,
        handshake_host: None,
        timeout_ms: 5000,
        degraded_ms: 1000,
        privacy: false,
    }
}

pub fn answer() -> Answer {
    Answer {
        latency_ms: Latency {
            connect: 8,
            status: 11,
            pong: Some(9),
        },
        version: Some(Version {
            name_raw: "§cPaper 1.21".to_owned(),
            name_clean: "Paper 1.21".to_owned(),
            name_html: "<span style=\"color:#ff5555\">Paper 1.21</span>".to_owned(),
            protocol: Some(774),
        }),
        players: Some(Players {
            online: Some(1),
            max: Some(20),
            list: vec![Player {
                uuid: Some("069a79f4-44e9-4726-a5be-fca90e38aaf5".to_owned()),
                name_raw: "Notch".to_owned(),
                name_clean: "Notch".to_owned(),
                name_html: "Notch".to_owned(),
            }],
        }),
        motd: Motd {
            raw: "§6Hello".to_owned(),
            clean: "Hello".to_owned(),
            html: "<span style=\"color:#ffaa00\">Hello</span>".to_owned(),
            minimessage: "<gold>Hello".to_owned(),
        },
        icon: None,
        software: Some("Paper".to_owned()),
    }
}

pub fn answered_at(seconds: i64) -> Observation {
    observe(
        None,
        Ok(answer()),
        &target(),
        Timestamp::from_seconds(seconds),
    )
}

fn slow() -> Answer {
    let mut slow = answer();
    slow.latency_ms.connect = 500;
    slow.latency_ms.status = 501;
    slow
}

fn timeout() -> Outcome {
    Err(Failure::Timeout { after_ms: 5000 })
}

fn closed() -> Outcome {
    Err(Failure::ClosedBeforeStatus)
}

/// The observations that these pings lead to, one a minute.
fn history(outcomes: impl IntoIterator<Item = Outcome>) -> Vec<Observation> {
    let mut seen: Vec<Observation> = Vec::new();
    for (minute, outcome) in (0..).zip(outcomes) {
        let now = Timestamp::from_seconds(minute * 60);
        seen.push(observe(seen.last(), outcome, &target(), now));
    }
    seen
}

fn states(outcomes: impl IntoIterator<Item = Outcome>) -> Vec<State> {
    let states = history(outcomes).into_iter().map(|seen| seen.state);
    states.collect()
}

#[test]
fn one_failed_ping_degrades_two_in_a_row_are_offline_and_an_answer_ends_it() {
    use State::{Degraded, Offline, Online};
    let pings = [
        Ok(answer()),
        timeout(),
        Ok(answer()),
        timeout(),
        timeout(),
        timeout(),
        Ok(answer()),
    ];
    assert_eq!(
        states(pings),
        [Online, Degraded, Online, Degraded, Offline, Offline, Online]
    );
}

#[test]
fn the_first_ping_ever_may_say_offline() {
    assert_eq!(states([timeout()]), [State::Offline]);
    assert_eq!(states([closed()]), [State::Starting]);
}

#[test]
fn closing_before_the_status_is_starting_each_time_and_counts_as_a_failed_ping() {
    use State::{Offline, Online, Starting};
    assert_eq!(
        states([
            Ok(answer()),
            closed(),
            closed(),
            closed(),
            timeout(),
            closed()
        ]),
        [Online, Starting, Starting, Starting, Offline, Starting]
    );
}

#[test]
fn slow_is_connect_and_status_together_and_no_failure() {
    let seen = history([Ok(answer()), Ok(slow()), timeout()]);
    assert_eq!(seen[1].state, State::Degraded);
    assert_eq!((seen[1].reason, seen[1].online), (Some(Reason::Slow), true));
    assert_eq!(
        (seen[2].state, seen[2].reason, seen[2].online),
        (State::Degraded, Some(Reason::Timeout), false)
    );
    let mut just_in_time = slow();
    just_in_time.latency_ms.connect -= 1;
    assert_eq!(states([Ok(just_in_time)]), [State::Online]);
}

#[test]
fn the_address_is_that_of_the_configuration() {
    let mut moved = target();
    moved.address = "[2001:db8::1]:25570".parse().unwrap();
    let before = answered_at(0);
    let seen = observe(
        Some(&before),
        timeout(),
        &moved,
        Timestamp::from_seconds(60),
    );
    assert_eq!((seen.host.as_str(), seen.port), ("2001:db8::1", 25570));
}

#[test]
fn the_stored_form_is_pinned() {
    let mut known = answered_at(1_795_255_200);
    if let Some(answer) = &mut known.answer {
        answer.icon = Some("data:image/png;base64,iVBORw0KGgo=".to_owned());
    }
    let lost = observe(
        None,
        Err(Failure::ClosedBeforeStatus),
        &target(),
        Timestamp::from_seconds(1_795_255_201),
    );
    let snapshot = Snapshot {
        v: Version1,
        targets: [("main", known), ("survival", lost)]
            .map(|(id, seen)| (id.parse().unwrap(), seen))
            .into(),
    };
    let pinned = concat!(
        r#"{"v":1,"targets":{"main":{"state":"online","reason":null,"online":true,"failures":0,"#,
        r#""host":"mc.example.com","port":25565,"ip_address":null,"srv_record":null,"#,
        r#""retrieved_at":"2026-11-21T10:00:00Z","answer":{"#,
        r#""latency_ms":{"connect":8,"status":11,"pong":9},"#,
        r##""version":{"name_raw":"§cPaper 1.21","name_clean":"Paper 1.21","##,
        r##""name_html":"<span style=\"color:#ff5555\">Paper 1.21</span>","protocol":774},"##,
        r#""players":{"online":1,"max":20,"list":[{"uuid":"069a79f4-44e9-4726-a5be-fca90e38aaf5","#,
        r#""name_raw":"Notch","name_clean":"Notch","name_html":"Notch"}]},"#,
        r##""motd":{"raw":"§6Hello","clean":"Hello","##,
        r##""html":"<span style=\"color:#ffaa00\">Hello</span>","minimessage":"<gold>Hello"},"##,
        r#""icon":"data:image/png;base64,iVBORw0KGgo=","software":"Paper"}},"#,
        r#""survival":{"state":"starting","reason":"closed-before-status","online":false,"#,
        r#""failures":2,"host":"mc.example.com","port":25565,"ip_address":null,"srv_record":null,"#,
        r#""retrieved_at":"2026-11-21T10:00:01Z","answer":null}}}"#,
    );
    assert_eq!(serde_json::to_string(&snapshot).unwrap(), pinned);
    assert_eq!(serde_json::from_str::<Snapshot>(pinned).unwrap(), snapshot);
}

fn outcomes() -> impl Strategy<Value = Vec<Outcome>> {
    let outcome = prop_oneof![
        any::<u16>().prop_map(|status| {
            let mut answer = answer();
            answer.latency_ms.status = status.into();
            Ok(answer)
        }),
        Just(timeout()),
        Just(closed()),
        Just(Err(Failure::BadFrame(FrameError::Empty))),
        Just(Err(Failure::Dns {
            host: "x".to_owned()
        })),
    ];
    prop::collection::vec(outcome, 1..20)
}

proptest! {
    #[test]
    fn the_last_answer_survives_everything(outcomes in outcomes()) {
        let mut last = None;
        for (outcome, seen) in outcomes.iter().zip(history(outcomes.clone())) {
            last = outcome.as_ref().ok().cloned().or(last);
            prop_assert_eq!(&seen.answer, &last);
            prop_assert_eq!(seen.online, outcome.is_ok());
        }
    }

    #[test]
    fn offline_needs_two_failures_in_a_row_unless_nothing_was_known(outcomes in outcomes()) {
        let seen = history(outcomes.clone());
        for now in 0..seen.len() {
            let failed_before = now == 0 || outcomes[now - 1].is_err();
            let offline = matches!(&outcomes[now], Err(failure) if *failure != Failure::ClosedBeforeStatus)
                && failed_before;
            prop_assert_eq!(seen[now].state == State::Offline, offline);
        }
    }

    #[test]
    fn only_online_has_no_reason_and_starting_has_its_own(outcomes in outcomes()) {
        for seen in history(outcomes) {
            prop_assert_eq!(seen.state == State::Online, seen.reason.is_none());
            prop_assert_eq!(
                seen.state == State::Starting,
                seen.reason == Some(Reason::ClosedBeforeStatus)
            );
            prop_assert!(seen.failures <= OFFLINE_AFTER);
        }
    }
}
