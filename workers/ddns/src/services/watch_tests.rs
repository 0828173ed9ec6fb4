use proptest::prelude::*;

use super::{
    super::machine::{Closing, Level, Open},
    *,
};

const MINUTE: i64 = 60;

fn id(name: &str) -> ServiceId {
    name.parse().unwrap()
}

fn watched(name: &str, depends_on: &[&str]) -> Watched {
    Watched {
        id: id(name),
        rules: Rules {
            failures: 2,
            successes: 1,
            remind_minutes: 0,
        },
        depends_on: depends_on.iter().map(|on| id(on)).collect(),
        patience: 0,
    }
}

fn outcome(level: Level, at: i64) -> Outcome {
    Outcome {
        level,
        reason: None,
        at: Timestamp::from_seconds(at),
    }
}

/// A home line that reports every so many minutes, and 20 services behind it, one of them behind
/// another.
struct House {
    period: i64,
    watched: Vec<Watched>,
    machines: BTreeMap<ServiceId, Machine>,
    minute: i64,
    reported: i64,
}

impl House {
    fn new(period: i64) -> Self {
        let mut watched: Vec<_> = (0..20)
            .map(|number| watched(&format!("behind-{number}"), &["home"]))
            .collect();
        watched[19].depends_on = vec![id("behind-18")];
        let mut home = self::watched("home", &[]);
        home.rules.failures = 1;
        home.patience = 2 * period * MINUTE;
        watched.push(home);
        Self {
            period,
            watched,
            machines: BTreeMap::new(),
            minute: 0,
            reported: 0,
        }
    }

    /// A minute in which the line is there or not, and these services fail by themselves.
    fn pass(&mut self, line: bool, broken: &[usize]) -> Vec<Decided> {
        self.minute += 1;
        if line && self.minute % self.period == 0 {
            self.reported = self.minute;
        }
        let overdue = self.minute - self.reported > 2 * self.period;
        let level = |fails: bool| if fails { Level::Down } else { Level::Up };
        let mut news = News::default();
        let home = outcome(level(overdue), self.reported * MINUTE);
        news.outcomes.insert(id("home"), home);
        for number in 0..20 {
            let level = level(!line || broken.contains(&number));
            let outcome = outcome(level, self.minute * MINUTE);
            news.outcomes
                .insert(id(&format!("behind-{number}")), outcome);
        }
        let now = Timestamp::from_seconds(self.minute * MINUTE);
        round(&self.watched, &mut self.machines, &news, now)
    }

    fn state(&self, name: &str) -> ServiceState {
        self.machines[&id(name)].state
    }
}

fn alerts(decided: &[Decided]) -> Vec<(&str, Level)> {
    let alert = |(id, decision): &'_ Decided| match decision {
        Decision::Alert { to, .. } => Some((id.to_string(), *to)),
        _ => None,
    };
    let found: Vec<_> = decided.iter().filter_map(alert).collect();
    found
        .into_iter()
        .map(|(id, level)| (&*id.leak(), level))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// However often it reports, and wherever in its period it goes.
    #[test]
    fn when_the_home_line_goes_one_alert_is_sent_and_not_twenty(
        period in prop_oneof![1_i64..30, 1_i64..200],
        lead in 1_i64..200,
    ) {
        let mut house = House::new(period);
        for _ in 0..lead {
            let told = house.pass(true, &[]);
            prop_assert_eq!(alerts(&told), []);
        }
        let mut told = Vec::new();
        for _ in 0..2 * period + 60 {
            told.extend(house.pass(false, &[]));
        }
        prop_assert_eq!(alerts(&told), [("home", Level::Down)]);
        for name in ["behind-7", "behind-19"] {
            prop_assert_eq!(house.state(name), ServiceState::Unknown);
        }
        let mut told = Vec::new();
        for _ in 0..period + 20 {
            told.extend(house.pass(true, &[]));
        }
        prop_assert_eq!(alerts(&told), [("home", Level::Up)]);
        prop_assert_eq!(house.state("behind-7"), ServiceState::Up);
    }
}

#[test]
fn a_service_that_fails_alone_is_told_with_the_next_report_of_the_line() {
    for (period, lead) in (20..25).map(|lead| (5, lead)).chain([(45, 50), (45, 80)]) {
        let mut house = House::new(period);
        for _ in 0..lead {
            house.pass(true, &[]);
        }
        let mut told = Vec::new();
        for _ in 0..=period {
            told.extend(house.pass(true, &[3]));
        }
        assert_eq!(alerts(&told), [("behind-3", Level::Down)], "{lead}");
    }
}

#[test]
fn a_line_that_never_says_anything_delays_no_alert_for_ever() {
    let services = [watched("web", &["home"]), watched("home", &[])];
    let mut machines = BTreeMap::new();
    let mut told_at = None;
    for minute in 0..60 {
        let mut news = News::default();
        let down = outcome(Level::Down, minute * MINUTE);
        news.outcomes.insert(id("web"), down);
        let now = Timestamp::from_seconds(minute * MINUTE);
        let decided = round(&services, &mut machines, &news, now);
        if !alerts(&decided).is_empty() {
            told_at.get_or_insert(minute);
        }
    }
    assert_eq!(told_at, Some(HELD_SECONDS / MINUTE + 1));
}

#[test]
fn a_chain_is_unknown_to_its_end_and_a_paused_link_says_nothing() {
    let services = [
        watched("c", &["b"]),
        watched("b", &["a"]),
        watched("a", &[]),
    ];
    let mut machines = BTreeMap::new();
    let mut run = |level: Level, paused: bool, minute: i64| {
        let mut news = News::default();
        for name in ["a", "b", "c"] {
            news.outcomes
                .insert(id(name), outcome(level, minute * MINUTE));
        }
        if paused {
            news.paused.insert(id("a"));
        }
        let now = Timestamp::from_seconds(minute * MINUTE);
        round(&services, &mut machines, &news, now);
        ["a", "b", "c"].map(|name| machines[&id(name)].state)
    };
    assert_eq!(run(Level::Up, false, 0), [ServiceState::Up; 3]);
    run(Level::Down, false, 1);
    let expected = [
        ServiceState::Down,
        ServiceState::Unknown,
        ServiceState::Unknown,
    ];
    assert_eq!(run(Level::Down, false, 2), expected);
    run(Level::Down, true, 3);
    let expected = [
        ServiceState::Paused,
        ServiceState::Down,
        ServiceState::Unknown,
    ];
    assert_eq!(run(Level::Down, true, 4), expected);
}

#[test]
fn circles_and_strangers_do_no_harm_and_what_is_not_watched_is_forgotten() {
    let services = [watched("a", &["b"]), watched("b", &["a", "gone"])];
    let now = Timestamp::from_seconds(0);
    let mut old = Machine::new(now);
    old.incident = Some(Open {
        at: now,
        acknowledged: false,
    });
    let mut machines = BTreeMap::from([(id("old"), old), (id("older"), Machine::new(now))]);
    let decided = round(&services, &mut machines, &News::default(), now);
    let closed = (id("old"), Decision::CloseIncident(Closing::Forgotten));
    assert_eq!(decided, [closed]);
    assert_eq!(
        machines.keys().map(ServiceId::as_str).collect::<Vec<_>>(),
        ["a", "b"]
    );
}

/// One minute of one service, at random.
#[derive(Debug, Clone, Copy)]
struct Minute {
    level: Option<Level>,
    paused: bool,
    maintenance: bool,
    acknowledged: bool,
    words: u8,
}

fn minutes() -> impl Strategy<Value = Minute> {
    let level = prop_oneof![
        2 => Just(None),
        4 => Just(Some(Level::Up)),
        1 => Just(Some(Level::Degraded)),
        4 => Just(Some(Level::Down)),
    ];
    let seldom = || prop::bool::weighted(0.1);
    (level, seldom(), seldom(), seldom(), any::<u8>()).prop_map(
        |(level, paused, maintenance, acknowledged, words)| Minute {
            level,
            paused,
            maintenance,
            acknowledged,
            words,
        },
    )
}

/// Its rules, and which of those before it a service depends on.
type Made = ((u32, u32, u32), [bool; 4]);

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Any services of which each may depend on those before it.
fn services() -> impl Strategy<Value = Vec<Watched>> {
    let rules = (1_u32..4, 1_u32..4, prop_oneof![Just(0_u32), 1_u32..10]);
    prop::collection::vec((rules, any::<[bool; 4]>()), NAMES.len()).prop_map(|made| {
        let service = |(index, (rules, on)): (usize, Made)| {
            let (failures, successes, remind_minutes) = rules;
            Watched {
                id: id(NAMES[index]),
                rules: Rules {
                    failures,
                    successes,
                    remind_minutes,
                },
                depends_on: (0..index)
                    .filter(|on_index| on[*on_index])
                    .map(|on_index| id(NAMES[on_index]))
                    .collect(),
                patience: 0,
            }
        };
        made.into_iter().enumerate().map(service).collect()
    })
}

/// What happened in a minute, with the words of the results or without.
fn news_of(events: &[Minute], minute: i64, words: bool) -> News {
    let mut news = News::default();
    for (name, event) in NAMES.iter().zip(events) {
        let reason = words.then(|| format!("words {}", event.words));
        if let Some(level) = event.level {
            let at = Timestamp::from_seconds(minute * MINUTE);
            news.outcomes
                .insert(id(name), Outcome { level, reason, at });
        }
        if event.paused {
            news.paused.insert(id(name));
        }
        if event.maintenance {
            news.maintenance.insert(id(name), "work".to_owned());
        }
        if event.acknowledged {
            news.acknowledged.insert(id(name));
        }
    }
    news
}

/// What the outside knows of one service when it follows the decisions.
#[derive(Default)]
struct Follower {
    open: bool,
    acknowledged: bool,
    state: ServiceState,
    told: Level,
    last_word: i64,
}

impl Follower {
    fn follow(&mut self, decision: &Decision, rules: Rules, minute: i64) {
        match decision {
            Decision::Changed { from, to } => {
                assert_eq!(*from, self.state);
                assert_ne!(from, to);
                self.state = *to;
            }
            Decision::OpenIncident => {
                assert!(!self.open, "a second incident");
                assert_eq!(self.state, ServiceState::Down);
                (self.open, self.acknowledged) = (true, false);
                self.last_word = minute;
            }
            Decision::CloseIncident(_) => {
                assert!(self.open, "closed before it was opened");
                self.open = false;
            }
            Decision::Alert { from, to, .. } => {
                assert_eq!(*from, self.told);
                assert_ne!(from, to, "an alert without a change");
                assert_eq!(
                    self.state.as_str(),
                    to.as_str(),
                    "an alert of another state"
                );
                self.told = *to;
                self.last_word = minute;
            }
            Decision::Reminder { .. } => {
                assert!(self.open && !self.acknowledged && rules.remind_minutes > 0);
                assert_eq!(self.state, ServiceState::Down);
                assert!(minute - self.last_word >= i64::from(rules.remind_minutes));
                self.last_word = minute;
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_incidents_and_alerts_are_in_order(
        services in services(),
        story in prop::collection::vec(prop::collection::vec(minutes(), NAMES.len()), 1..80),
    ) {
        let mut machines = BTreeMap::new();
        let mut silent = BTreeMap::new();
        let mut followers: BTreeMap<ServiceId, Follower> = BTreeMap::new();
        for (minute, events) in (0_i64..).zip(&story) {
            for (name, event) in NAMES.iter().zip(events) {
                let follower = followers.entry(id(name)).or_default();
                follower.acknowledged |= event.acknowledged && follower.open;
                if event.paused {
                    follower.told = Level::Up;
                }
            }
            let now = Timestamp::from_seconds(minute * MINUTE);
            let decided = round(&services, &mut machines, &news_of(events, minute, true), now);
            for (id, decision) in &decided {
                let rules = services.iter().find(|service| service.id == *id).unwrap().rules;
                followers.get_mut(id).unwrap().follow(decision, rules, minute);
            }
            // The words of a result decide nothing.
            prop_assert_eq!(&decided, &round(&services, &mut silent, &news_of(events, minute, false), now));
            for (id, machine) in &machines {
                let follower = &followers[id];
                prop_assert_eq!(machine.state, follower.state);
                prop_assert_eq!(machine.incident.is_some(), follower.open);
                prop_assert_eq!(machine.told, follower.told);
                if machine.state == ServiceState::Down {
                    prop_assert!(machine.incident.is_some());
                }
                if machine.state == ServiceState::Up {
                    prop_assert!(machine.incident.is_none());
                }
                let json = serde_json::to_string(machine).unwrap();
                prop_assert_eq!(&serde_json::from_str::<Machine>(&json).unwrap(), machine);
            }
            for service in &services {
                let is_out = |on: &ServiceId| machines[on].is_out();
                let shown = machines[&service.id].state;
                if service.depends_on.iter().any(is_out) {
                    let hidden = [ServiceState::Unknown, ServiceState::Paused, ServiceState::Maintenance];
                    prop_assert!(hidden.contains(&shown), "{shown:?} behind what is out");
                }
            }
        }
    }
}
