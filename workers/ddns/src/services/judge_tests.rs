use serde_json::json;
use types::config::Config as _;

use super::*;

fn config() -> DdnsConfig {
    let tcp = |id: &str| json!({"id": id, "kind": "tcp", "address": "nas.example.com:22", "depends_on": ["home"]});
    let mut web = tcp("web");
    web["name"] = "Website".into();
    web["remind_minutes"] = 60.into();
    DdnsConfig::parse(json!({
        "hosts": [{"host": "home.example.com"}],
        "services": [
            web,
            tcp("nas"),
            {"id": "home", "kind": "ddns", "host": "home.example.com", "period_minutes": 5},
        ],
    }))
    .unwrap()
}

fn id(name: &str) -> ServiceId {
    name.parse().unwrap()
}

const START: i64 = 1_795_255_200;

struct Bench {
    config: DdnsConfig,
    book: Book,
    minute: i64,
    open: OpenIncidents,
    silences: Vec<Silence>,
}

impl Bench {
    fn new() -> Self {
        Self {
            config: config(),
            book: Book::default(),
            minute: 0,
            open: OpenIncidents {
                next: 7,
                open: Vec::new(),
            },
            silences: Vec::new(),
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(START + 60 * self.minute)
    }

    /// A run in which these were found so.
    fn run(&mut self, found: &[(&str, Level)]) -> (Written, Vec<Alert>) {
        self.minute += 1;
        let now = self.now();
        enter(&mut self.book, &self.config.services, now);
        let found = found
            .iter()
            .map(|(name, level)| {
                let outcome = Outcome {
                    level: *level,
                    reason: (*level != Level::Up).then(|| "timeout: no answer".to_owned()),
                    at: now,
                };
                let latency_ms = Some(30);
                (
                    id(name),
                    Found {
                        outcome,
                        latency_ms,
                    },
                )
            })
            .collect();
        let news = silenced(&self.config.services, &self.silences, now);
        let (config, book) = (&self.config, &mut self.book);
        let (written, alerts) = judge(config, book, news, &found, &self.open, now);
        for opening in &written.opening {
            self.open.open.push(super::super::store::run::OpenIncident {
                id: opening.id,
                service: opening.service.to_string(),
                acknowledged: false,
            });
            self.open.next = opening.id + 1;
        }
        (written, alerts)
    }
}

#[test]
fn what_goes_down_opens_an_incident_and_is_told_with_its_id() {
    let mut bench = Bench::new();
    let up = [("home", Level::Up), ("web", Level::Up)];
    let (written, alerts) = bench.run(&up);
    assert_eq!((written.changes.len(), alerts.len()), (2, 0));
    let down = [("home", Level::Up), ("web", Level::Down)];
    assert!(bench.run(&down).0.changes.is_empty());
    let (written, alerts) = bench.run(&down);
    let opening = Opening {
        id: 7,
        service: id("web"),
        reason: Some("timeout: no answer".to_owned()),
    };
    assert_eq!(written.opening, [opening]);
    assert_eq!(
        serde_json::to_string(&alerts).unwrap(),
        r#"[{"v":1,"event":"down","service":"web","name":"Website","group":null,"state":"down","previous":"up","reason":"timeout: no answer","since":"2026-11-21T10:03:00Z","at":"2026-11-21T10:03:00Z","incident":"7"}]"#
    );
    for _ in 0..59 {
        assert!(bench.run(&down).1.is_empty());
    }
    assert_eq!(bench.run(&down).1[0].event, AlertEvent::Reminder);
    let (written, alerts) = bench.run(&up);
    assert_eq!(written.closing[0].text, "recovered");
    assert_eq!(alerts[0].event, AlertEvent::Up);
    assert_eq!(alerts[0].incident.as_deref(), Some("7"));
}

#[test]
fn the_switch_of_the_line_needs_no_second_failure() {
    let mut bench = Bench::new();
    bench.run(&[("home", Level::Up)]);
    let (_, alerts) = bench.run(&[
        ("home", Level::Down),
        ("web", Level::Down),
        ("nas", Level::Down),
    ]);
    assert_eq!(alerts.len(), 1);
    assert_eq!(
        bench.book.services[&id("web")].machine.state,
        ServiceState::Unknown
    );
}

#[test]
fn what_is_in_maintenance_or_behind_a_dead_line_is_not_counted() {
    let mut bench = Bench::new();
    bench.silences.push(Silence {
        service: "nas".to_owned(),
        paused: false,
        until: Some(Timestamp::from_seconds(START + 150)),
        reason: None,
    });
    bench.run(&[
        ("home", Level::Down),
        ("web", Level::Down),
        ("nas", Level::Up),
    ]);
    let pending = |bench: &Bench, name: &str| bench.book.services[&id(name)].windows.0[0].0;
    assert_eq!((pending(&bench, "web"), pending(&bench, "nas")), (0, 0));
    bench.run(&[("home", Level::Up), ("web", Level::Up), ("nas", Level::Up)]);
    assert_eq!((pending(&bench, "web"), pending(&bench, "nas")), (1, 0));
    bench.run(&[("home", Level::Up), ("web", Level::Up), ("nas", Level::Up)]);
    assert_eq!((pending(&bench, "web"), pending(&bench, "nas")), (2, 1));
}

/// Checks, and good ones, that were counted of the website.
fn counted(bench: &Bench) -> (u32, u32) {
    bench.book.services[&id("web")].windows.0[0]
}

/// A website that was up, and has failed four times since the line was heard of last.
fn held() -> Bench {
    let mut bench = Bench::new();
    bench.run(&[("home", Level::Up), ("web", Level::Up)]);
    for _ in 0..4 {
        bench.run(&[("web", Level::Down)]);
    }
    assert_eq!(counted(&bench), (1, 1));
    bench
}

#[test]
fn what_fails_before_the_line_is_known_to_be_out_is_not_counted() {
    let mut bench = held();
    bench.run(&[("home", Level::Down), ("web", Level::Down)]);
    bench.run(&[("home", Level::Up), ("web", Level::Up)]);
    assert_eq!(counted(&bench), (2, 2));
}

#[test]
fn what_fails_before_the_line_is_known_to_hold_is_counted_then() {
    let mut bench = held();
    bench.run(&[("home", Level::Up), ("web", Level::Down)]);
    assert_eq!(counted(&bench), (6, 1));
    let mut bench = held();
    bench.run(&[("web", Level::Up)]);
    assert_eq!(counted(&bench), (6, 2), "it is up: so was the line");
    let mut bench = held();
    for _ in 0..30 {
        bench.run(&[("web", Level::Down)]);
    }
    assert_eq!(counted(&bench), (35, 1), "nobody waits for ever");
}

#[test]
fn what_is_known_of_the_day_before_goes_to_its_hour_and_its_day() {
    let mut bench = held();
    // Until 23:59, in the hour of which the website was up.
    bench.minute = 14 * 60 - 5;
    let (written, _) = bench.run(&[("home", Level::Up), ("web", Level::Up)]);
    let mut rows = written.hours;
    for _ in 0..6 {
        let (written, _) = bench.run(&[("web", Level::Down)]);
        rows.extend(written.hours);
        if bench.minute == 14 * 60 {
            assert!(written.work.is_some(), "the day is over");
        }
    }
    let (written, _) = bench.run(&[("home", Level::Up), ("web", Level::Down)]);
    assert!(written.work.is_some(), "and is added up again");
    rows.extend(written.hours);
    let midnight = START + 14 * 3600;
    let last = rows.iter().rfind(|row| row.service == id("web"));
    let last = last.unwrap();
    assert_eq!(
        (last.at, last.sums.checks, last.sums.up),
        (midnight - 3600, 4, 1)
    );
    let (written, _) = bench.run(&[("home", Level::Up), ("web", Level::Up)]);
    assert!(written.work.is_none());
    let entry = &bench.book.services[&id("web")];
    assert_eq!(
        (entry.hour, entry.sums.checks, entry.sums.up),
        (midnight, 5, 1)
    );
}

#[test]
fn checks_go_to_the_history_every_five_minutes() {
    let mut bench = Bench::new();
    let mut flushed = 0;
    for _ in 0..60 {
        let (written, _) = bench.run(&[("home", Level::Up), ("web", Level::Up)]);
        flushed += written.hours.len();
    }
    // Both services, each five minutes, and once more where the hour ends.
    assert_eq!(flushed, 2 * 13);
}

#[test]
fn who_others_wait_for_is_asked_for_and_who_is_paused_is_not_asked() {
    let mut bench = Bench::new();
    bench.config.services[1].depends_on = vec![id("web")];
    bench.run(&[("nas", Level::Down), ("web", Level::Up)]);
    let asked = candidates(&bench.config.services, &bench.book, &BTreeSet::new());
    let asked: Vec<_> = asked
        .iter()
        .map(|candidate| {
            (
                candidate.id.as_str(),
                candidate.asked_for,
                candidate.failing,
            )
        })
        .collect();
    assert_eq!(asked, [("web", true, false), ("nas", false, true)]);
    let paused = BTreeSet::from([id("nas")]);
    assert_eq!(
        candidates(&bench.config.services, &bench.book, &paused).len(),
        1
    );
}

#[test]
fn a_service_that_is_taken_out_is_forgotten_and_its_incident_closed() {
    let mut bench = Bench::new();
    bench.run(&[("home", Level::Up), ("web", Level::Down)]);
    bench.run(&[("home", Level::Up), ("web", Level::Down)]);
    bench.config.services.remove(0);
    let (written, alerts) = bench.run(&[]);
    assert_eq!(written.closing[0].text, "not watched any more");
    assert!(alerts.is_empty());
    assert!(!bench.book.services.contains_key(&id("web")));
}
