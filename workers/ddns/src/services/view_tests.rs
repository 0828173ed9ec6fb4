use serde_json::json;
use types::config::Config as _;

use super::{
    super::{book::Last, machine::Settled, store::run::OpenIncidents},
    *,
};

const START: Timestamp = Timestamp::from_seconds(1_795_255_200);

fn config() -> DdnsConfig {
    let tcp = |id: &str| json!({"id": id, "kind": "tcp", "address": "nas.example.com:22", "interval_minutes": 5});
    DdnsConfig::parse(json!({
        "hosts": [{"host": "home.example.com"}],
        "services": [
            tcp("web"),
            tcp("down"),
            tcp("rested"),
            {"id": "home", "kind": "ddns", "host": "home.example.com", "period_minutes": 30},
        ],
    }))
    .unwrap()
}

/// The states and reasons that are shown so many minutes after the last run, which found all but one
/// service up.
fn shown(minutes: i64) -> [(ServiceState, Option<String>); 4] {
    let mut config = config();
    let mut book = Book {
        minute: START.as_seconds() / MINUTE,
        ..Book::default()
    };
    judge::enter(&mut book, &config.services, START);
    for (id, entry) in &mut book.services {
        let up = id.as_str() != "down";
        entry.last = Some(Last {
            at: START,
            up,
            latency_ms: None,
        });
        let machine = &mut entry.machine;
        (machine.settled, machine.state, machine.reason) = if up {
            (Settled::Up, ServiceState::Up, None)
        } else {
            (
                Settled::Down,
                ServiceState::Down,
                Some("timeout: no answer".to_owned()),
            )
        };
        (machine.fault, machine.passed) = (machine.reason.clone(), u32::from(up));
    }
    config.services[2].paused = true;
    let before = Before {
        revision: 1,
        book,
        incidents: OpenIncidents::default(),
        silences: Vec::new(),
        beats: BTreeMap::new(),
        reports: BTreeMap::from([("home.example.com".to_owned(), START)]),
        windows: None,
    };
    let present = Present::of(&config, before, START.plus_seconds(minutes * MINUTE));
    assert_eq!(present.ran_at(), Some(START));
    let show = |service: &Service| {
        let shown = present.show(service, &Viewer::Anyone);
        (shown.state, shown.reason)
    };
    let [web, down, rested, home] = &config.services[..] else {
        panic!("four services");
    };
    [web, down, rested, home].map(show)
}

#[test]
fn what_was_up_is_unknown_when_no_run_checks_it_any_more() {
    let down = (ServiceState::Down, Some("timeout: no answer".to_owned()));
    let rested = (ServiceState::Paused, Some("paused".to_owned()));
    let up = || (ServiceState::Up, None);
    // Its interval, a minute for both to have their turn, and ten more.
    assert_eq!(shown(16), [up(), down.clone(), rested.clone(), up()]);
    let reason = "not checked since 2026-11-21T10:00:00Z".to_owned();
    let unknown = (ServiceState::Unknown, Some(reason));
    assert_eq!(shown(17), [unknown, down, rested, up()]);
}

#[test]
fn a_book_without_a_run_has_none() {
    let config = config();
    let before = Before {
        revision: 0,
        book: Book::default(),
        incidents: OpenIncidents::default(),
        silences: Vec::new(),
        beats: BTreeMap::new(),
        reports: BTreeMap::new(),
        windows: None,
    };
    assert_eq!(Present::of(&config, before, START).ran_at(), None);
}
