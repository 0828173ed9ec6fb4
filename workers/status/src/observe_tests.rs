//! The state machine, by table and by property.

use minecraft::{failure::Awaited, frame::FrameError};
use proptest::prelude::*;
use types::config::{LegacyPing, ProxyProtocol};
use types::status::{
    DnsAnswer, Motd, Player, Players, Snapshot, SrvRecord, Version, Version1, Writes,
};

use super::*;

pub fn target() -> Target {
    Target {
        id: "main".parse().unwrap(),
        address: "mc.example.com".parse().unwrap(),
        connect: None,
        handshake_host: None,
        proxy_protocol: ProxyProtocol::Off,
        timeout_ms: 5000,
        connect_timeout_ms: None,
        first_byte_timeout_ms: None,
        degraded_ms: 1000,
        offline_after: 2,
        legacy: LegacyPing::Auto,
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
            minimessage: "<gold>Hello</gold>".to_owned(),
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
    Err(Failure::Timeout {
        awaited: Awaited::FirstByte,
        after_ms: 5000,
    })
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
    known.srv_record = Some(SrvRecord {
        host: "node1.example.net".to_owned(),
        port: 25570,
    });
    known.ip_address = Some("2001:db8::1".parse().unwrap());
    let srv = DnsAnswer {
        until: Timestamp::from_seconds(1_795_255_500),
        exists: true,
        records: vec!["5 0 25570 node1.example.net".to_owned()],
    };
    let snapshot = Snapshot {
        v: Version1,
        targets: [("main", known), ("survival", lost)]
            .map(|(id, seen)| (id.parse().unwrap(), seen))
            .into(),
        dns: [("srv mc.example.com".to_owned(), srv)].into(),
        writes: Some(Writes {
            day: Timestamp::from_seconds(1_795_219_200),
            count: 17,
        }),
    };
    let pinned = concat!(
        r#"{"v":1,"targets":{"main":{"state":"online","reason":null,"online":true,"failures":0,"#,
        r#""host":"mc.example.com","port":25565,"ip_address":"2001:db8::1","#,
        r#""srv_record":{"host":"node1.example.net","port":25570},"#,
        r#""retrieved_at":"2026-11-21T10:00:00Z","answer":{"#,
        r#""latency_ms":{"connect":8,"status":11,"pong":9},"#,
        r##""version":{"name_raw":"§cPaper 1.21","name_clean":"Paper 1.21","##,
        r##""name_html":"<span style=\"color:#ff5555\">Paper 1.21</span>","protocol":774},"##,
        r#""players":{"online":1,"max":20,"list":[{"uuid":"069a79f4-44e9-4726-a5be-fca90e38aaf5","#,
        r#""name_raw":"Notch","name_clean":"Notch","name_html":"Notch"}]},"#,
        r##""motd":{"raw":"§6Hello","clean":"Hello","##,
        r##""html":"<span style=\"color:#ffaa00\">Hello</span>","minimessage":"<gold>Hello</gold>"},"##,
        r#""icon":"data:image/png;base64,iVBORw0KGgo=","software":"Paper"}},"#,
        r#""survival":{"state":"starting","reason":"closed-before-status","online":false,"#,
        r#""failures":2,"host":"mc.example.com","port":25565,"ip_address":null,"srv_record":null,"#,
        r#""retrieved_at":"2026-11-21T10:00:01Z","answer":null}},"#,
        r#""dns":{"srv mc.example.com":{"until":"2026-11-21T10:05:00Z","exists":true,"#,
        r#""records":["5 0 25570 node1.example.net"]}},"#,
        r#""writes":{"day":"2026-11-21T00:00:00Z","count":17}}"#,
    );
    assert_eq!(serde_json::to_string(&snapshot).unwrap(), pinned);
    assert_eq!(serde_json::from_str::<Snapshot>(pinned).unwrap(), snapshot);
}

#[test]
fn what_was_stored_before_there_was_more_to_say_still_reads() {
    let old = concat!(
        r#"{"v":1,"targets":{"main":{"state":"online","reason":null,"online":true,"failures":0,"#,
        r#""host":"mc.example.com","port":25565,"retrieved_at":"2026-11-21T10:00:00Z","answer":{"#,
        r#""latency_ms":{"connect":8,"status":11,"pong":9},"#,
        r#""version":{"name_raw":"§cPaper 1.21","name_clean":"Paper 1.21","protocol":774},"#,
        r#""players":{"online":1,"max":20,"list":[{"uuid":"069a79f4-44e9-4726-a5be-fca90e38aaf5","#,
        r#""name_raw":"Notch","name_clean":"Notch"}]},"motd":{"raw":"§6Hello","clean":"Hello"},"#,
        r#""icon":null,"software":"Paper"}}}}"#,
    );
    let snapshot = serde_json::from_str::<Snapshot>(old).unwrap();
    let seen = snapshot.targets.values().next().unwrap();
    assert_eq!(seen.answer.as_ref().unwrap().motd.clean, "Hello");
    assert_eq!((seen.ip_address, &seen.srv_record), (None, &None));
    assert_eq!((snapshot.dns.len(), snapshot.writes), (0, None));
}

#[test]
fn how_many_failures_mean_offline_is_configured() {
    use State::{Degraded, Offline, Online};
    for (offline_after, expected) in [
        (1, [Online, Offline, Offline, Offline]),
        (3, [Online, Degraded, Degraded, Offline]),
    ] {
        let mut patient = target();
        patient.offline_after = offline_after;
        let mut seen = answered_at(0);
        let mut states = vec![seen.state];
        for minute in 1..4 {
            let now = Timestamp::from_seconds(60 * minute);
            seen = observe(Some(&seen), timeout(), &patient, now);
            states.push(seen.state);
        }
        assert_eq!(states, expected);
    }
}

#[test]
fn names_that_were_stored_do_not_outlive_privacy() {
    let mut discreet = target();
    discreet.privacy = true;
    let before = answered_at(0);
    let seen = observe(
        Some(&before),
        timeout(),
        &discreet,
        Timestamp::from_seconds(60),
    );
    let players = seen.answer.unwrap().players.unwrap();
    assert_eq!((players.online, players.list), (Some(1), Vec::new()));
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
            prop_assert!(seen.failures <= target().offline_after);
        }
    }
}
