use types::services::ServiceState as State;

use super::*;

const RULES: Rules = Rules {
    failures: 2,
    successes: 2,
    remind_minutes: 60,
};

struct Bench {
    machine: Machine,
    now: Timestamp,
    paused: bool,
    maintenance: Option<&'static str>,
    line: Line,
    acknowledged: bool,
}

impl Bench {
    fn new() -> Self {
        let now = Timestamp::from_seconds(0);
        Self {
            machine: Machine::new(now),
            now,
            paused: false,
            maintenance: None,
            line: Line::Holds,
            acknowledged: false,
        }
    }

    fn step(&mut self, level: Option<Level>, reason: &str) -> Vec<Decision> {
        self.now = self.now.plus_seconds(60);
        let outcome = level.map(|level| Outcome {
            level,
            reason: (level != Level::Up).then(|| reason.to_owned()),
            at: self.now,
        });
        let input = Input {
            now: self.now,
            outcome: outcome.as_ref(),
            paused: self.paused,
            maintenance: self.maintenance,
            line: self.line,
            acknowledged: std::mem::take(&mut self.acknowledged),
        };
        self.machine.step(RULES, &input)
    }

    fn up(&mut self) -> Vec<Decision> {
        self.step(Some(Level::Up), "")
    }

    fn down(&mut self) -> Vec<Decision> {
        self.step(Some(Level::Down), "timeout")
    }

    /// A service that was up and is down.
    fn broken() -> Self {
        let mut bench = Self::new();
        bench.up();
        bench.down();
        bench.down();
        assert_eq!(bench.machine.state, State::Down);
        bench
    }
}

const fn changed(from: State, to: State) -> Decision {
    Decision::Changed { from, to }
}

#[test]
fn a_blip_is_nothing_and_two_failures_are_down() {
    let mut bench = Bench::new();
    assert_eq!(bench.up(), [changed(State::Unknown, State::Up)]);
    assert_eq!(bench.down(), []);
    assert_eq!(bench.machine.reason, None);
    assert_eq!(bench.up(), []);
    assert_eq!(bench.down(), []);
    let alert = Decision::Alert {
        from: Level::Up,
        to: Level::Down,
        was_degraded: false,
        after_seconds: 0,
    };
    let expected = [
        changed(State::Up, State::Down),
        Decision::OpenIncident,
        alert,
    ];
    assert_eq!(bench.down(), expected);
    assert_eq!(bench.machine.reason.as_deref(), Some("timeout"));
    assert_eq!(bench.up(), []);
    assert_eq!(bench.machine.reason.as_deref(), Some("timeout"));
    let alert = Decision::Alert {
        from: Level::Down,
        to: Level::Up,
        was_degraded: false,
        after_seconds: 120,
    };
    let expected = [
        changed(State::Down, State::Up),
        Decision::CloseIncident(Closing::Recovered),
        alert,
    ];
    assert_eq!(bench.up(), expected);
}

#[test]
fn other_words_for_the_same_failure_are_no_news() {
    let mut bench = Bench::broken();
    for reason in ["refused", "timeout", "answered 502"] {
        assert_eq!(bench.step(Some(Level::Down), reason), []);
        assert_eq!(bench.machine.reason.as_deref(), Some(reason));
    }
}

#[test]
fn an_open_incident_is_reminded_of_until_somebody_acknowledges_it() {
    let mut bench = Bench::broken();
    let mut reminded = 0;
    for _ in 0..120 {
        reminded += bench.down().len();
    }
    assert_eq!(reminded, 2);
    bench.acknowledged = true;
    for _ in 0..120 {
        assert_eq!(bench.down(), []);
    }
    bench.up();
    assert_eq!(bench.up().len(), 3, "recovery is told all the same");
}

#[test]
fn maintenance_silences_and_what_is_down_after_it_is_told() {
    let mut bench = Bench::new();
    bench.up();
    bench.maintenance = Some("new disk");
    assert_eq!(bench.up(), [changed(State::Up, State::Maintenance)]);
    for _ in 0..5 {
        assert_eq!(bench.down(), []);
    }
    bench.maintenance = None;
    let told = bench.down();
    assert_eq!(told[0], changed(State::Maintenance, State::Down));
    assert_eq!(told[1], Decision::OpenIncident);
    assert_eq!(told.len(), 3);
}

#[test]
fn what_recovers_in_maintenance_is_closed_then_and_told_after_it() {
    let mut bench = Bench::broken();
    bench.maintenance = Some("new disk");
    bench.up();
    assert_eq!(bench.up(), [Decision::CloseIncident(Closing::Recovered)]);
    bench.maintenance = None;
    let told = bench.step(None, "");
    assert_eq!(told[0], changed(State::Maintenance, State::Up));
    assert!(matches!(
        told[1],
        Decision::Alert {
            from: Level::Down,
            to: Level::Up,
            ..
        }
    ));
}

#[test]
fn behind_a_line_that_is_out_it_is_unknown_and_nobody_is_told() {
    let mut bench = Bench::new();
    bench.up();
    bench.line = Line::Suspect;
    assert_eq!(bench.down(), []);
    assert_eq!(bench.down(), [changed(State::Up, State::Unknown)]);
    bench.line = Line::Out;
    for _ in 0..100 {
        assert_eq!(bench.down(), []);
    }
    bench.line = Line::Holds;
    assert_eq!(bench.step(None, ""), []);
    assert_eq!(bench.up(), [changed(State::Unknown, State::Up)]);
}

#[test]
fn what_was_down_before_the_line_went_is_not_told_again() {
    let mut bench = Bench::broken();
    bench.line = Line::Out;
    assert_eq!(bench.down(), [changed(State::Down, State::Unknown)]);
    bench.line = Line::Holds;
    assert_eq!(bench.down(), [changed(State::Unknown, State::Down)]);
    bench.up();
    assert_eq!(bench.up().len(), 3);
}

#[test]
fn a_failure_waits_for_the_line_and_is_told_when_that_turns_out_to_hold() {
    let mut bench = Bench::new();
    bench.up();
    bench.line = Line::Suspect;
    bench.down();
    bench.down();
    assert_eq!(bench.machine.state, State::Unknown);
    bench.line = Line::Holds;
    let told = bench.step(None, "");
    assert_eq!(told[0], changed(State::Unknown, State::Down));
    assert_eq!(told.len(), 3);
}

#[test]
fn pausing_closes_and_tells_nobody() {
    let mut bench = Bench::broken();
    bench.paused = true;
    let expected = [
        changed(State::Down, State::Paused),
        Decision::CloseIncident(Closing::Paused),
    ];
    assert_eq!(bench.step(None, ""), expected);
    bench.paused = false;
    assert_eq!(
        bench.step(None, ""),
        [changed(State::Paused, State::Unknown)]
    );
    assert_eq!(bench.up(), [changed(State::Unknown, State::Up)]);
}

#[test]
fn slowness_has_to_last_as_failure_has() {
    let mut bench = Bench::new();
    bench.up();
    let slow = |bench: &mut Bench| bench.step(Some(Level::Degraded), "slow");
    assert_eq!(slow(&mut bench), []);
    bench.up();
    slow(&mut bench);
    let told = slow(&mut bench);
    assert_eq!(told[0], changed(State::Up, State::Degraded));
    assert_eq!(told.len(), 2, "no incident");
    assert_eq!(bench.machine.reason.as_deref(), Some("slow"));
    bench.up();
    assert_eq!(bench.machine.state, State::Degraded);
}

#[test]
fn a_stored_machine_is_pinned() {
    let bench = Bench::broken();
    let json = serde_json::to_string(&bench.machine).unwrap();
    assert_eq!(
        json,
        r#"{"state":"down","since":"1970-01-01T00:03:00Z","settled":"down","failed":2,"passed":0,"slow":0,"clean":0,"failing_since":"1970-01-01T00:02:00Z","good_at":"1970-01-01T00:01:00Z","incident":{"at":"1970-01-01T00:03:00Z"},"told":"down","told_at":"1970-01-01T00:03:00Z","reminded_at":"1970-01-01T00:03:00Z","fault":"timeout","reason":"timeout"}"#
    );
    let read: Machine = serde_json::from_str(&json).unwrap();
    assert_eq!(read, bench.machine);
}
