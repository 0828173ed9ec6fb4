//! The governor by the minute: a day, and years of servers that flap.

use proptest::prelude::*;

use super::*;

const BUDGET: u32 = 900;
const MINUTES_A_YEAR: i64 = 365 * 24 * 60;

/// What a simulated time came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    writes: u32,
    most_a_day: u32,
    /// The age of what is stored, in seconds, as a reader may have seen it.
    oldest: i64,
    /// How long news waited to be written, in seconds: a change of state, and any.
    state_waited: i64,
    news_waited: i64,
}

/// Runs the cron each minute, up to 20 seconds late, with the news that it finds then. News that is not written stays news.
fn simulate(minutes: i64, budget: u32, mut news_at: impl FnMut(i64) -> News) -> Report {
    let mut report = Report::default();
    let mut stored: Option<(Timestamp, Writes)> = None;
    let mut pending: [Option<Timestamp>; 2] = [None; 2];
    let mut day = (Timestamp::from_seconds(0), 0);
    for minute in 0..minutes {
        let now = Timestamp::from_seconds(minute * 60 + (minute * 7) % 21);
        let found = news_at(minute);
        let [state, any] = &mut pending;
        if found == News::State {
            state.get_or_insert(now);
        }
        if found != News::Nothing {
            any.get_or_insert(now);
        }
        let news = match (&state, &any) {
            (Some(_), _) => News::State,
            (None, Some(_)) => News::Detail,
            (None, None) => News::Nothing,
        };
        let (oldest, so_far) = stored.unzip();
        report.oldest = report.oldest.max(oldest.map_or(0, |oldest| now - oldest));
        let Some(Due { writes, .. }) = decide(news, oldest, so_far, budget, now) else {
            continue;
        };
        let waited = |since: &mut Option<Timestamp>| since.take().map_or(0, |since| now - since);
        report.state_waited = report.state_waited.max(waited(state));
        report.news_waited = report.news_waited.max(waited(any));
        report.writes += 1;
        // Counted here by itself, not as the governor does.
        let today = Timestamp::from_seconds(now.as_seconds() / 86_400 * 86_400);
        day = if day.0 == today {
            (today, day.1 + 1)
        } else {
            (today, 1)
        };
        assert_eq!(writes.count, day.1);
        report.most_a_day = report.most_a_day.max(day.1);
        stored = Some((now, writes));
    }
    report
}

/// A sequence that looks random and is the same each time (xorshift).
fn random(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

#[test]
fn a_year_of_nothing_new_is_written_by_the_heartbeat() {
    let report = simulate(MINUTES_A_YEAR, BUDGET, |_| News::Nothing);
    println!("nothing new: {report:?}");
    assert!(report.most_a_day <= 480, "{report:?}");
    assert!(report.oldest <= HEARTBEAT_SECONDS, "{report:?}");
}

#[test]
fn a_year_of_flapping_each_minute_stays_within_the_budget_and_is_never_old() {
    for news in [News::Detail, News::State] {
        let report = simulate(MINUTES_A_YEAR, BUDGET, |_| news);
        println!("{news:?} each minute: {report:?}");
        assert!(report.most_a_day <= BUDGET, "{report:?}");
        assert!(report.most_a_day >= BUDGET * 9 / 10, "{report:?}");
        // Every other minute, and the cron's own lateness.
        assert!(report.oldest <= 2 * 60 + 20, "{report:?}");
        assert!(report.news_waited <= 60 + 20, "{report:?}");
    }
}

#[test]
fn a_year_of_quiet_and_wild_hours_stays_within_the_budget_and_tells_states_at_once() {
    let mut next = random(0x9e37_79b9_7f4a_7c15);
    let mut mood = 0;
    let report = simulate(MINUTES_A_YEAR, BUDGET, |minute| {
        if minute % 45 == 0 {
            mood = next() % 8;
        }
        let dice = next() % 100;
        match mood {
            // A server that restarts again and again, a full one where somebody always comes or goes, a quiet one.
            0 if dice < 60 => News::State,
            1..=3 if dice < 90 => News::Detail,
            _ if dice < 3 => News::Detail,
            _ => News::Nothing,
        }
    });
    println!("quiet and wild hours: {report:?}");
    assert!(report.most_a_day <= BUDGET, "{report:?}");
    assert!(report.oldest <= HEARTBEAT_SECONDS, "{report:?}");
    assert!(report.news_waited <= 2 * 60 + 20, "{report:?}");
    assert_eq!(report.state_waited, 0, "{report:?}");
}

#[test]
fn the_smallest_budget_still_keeps_the_status_fresh() {
    for news in [News::Nothing, News::Detail, News::State] {
        let report = simulate(MINUTES_A_YEAR / 12, 500, |_| news);
        println!("budget of 500, {news:?} each minute: {report:?}");
        assert!(report.most_a_day <= 500, "{report:?}");
        assert!(report.oldest <= 300, "{report:?}");
    }
}

#[test]
fn a_quiet_servers_news_is_written_at_once_for_an_hour() {
    let noon = 12 * 60;
    let report = simulate(24 * 60, BUDGET, |minute| {
        if (noon..noon + 60).contains(&minute) {
            News::Detail
        } else {
            News::Nothing
        }
    });
    assert_eq!(report.news_waited, 0, "{report:?}");
}

#[test]
fn the_count_is_that_of_the_day_in_utc() {
    let midnight = Timestamp::from_seconds(20_000 * 86_400);
    let spent = Some(Writes {
        day: midnight.plus_seconds(-86_400),
        count: 900,
    });
    let write = |now| decide(News::State, Some(now), spent, BUDGET, now);
    assert_eq!(write(midnight.plus_seconds(-1)), None);
    assert_eq!(
        write(midnight).map(|due| due.writes),
        Some(Writes {
            day: midnight,
            count: 1
        })
    );
}

#[test]
fn what_claims_to_be_from_the_future_is_replaced() {
    let now = Timestamp::from_seconds(86_400);
    let due = |ahead| {
        decide(
            News::Nothing,
            Some(now.plus_seconds(ahead)),
            None,
            BUDGET,
            now,
        )
    };
    assert_eq!(due(5), None);
    assert!(due(3600).is_some());
    assert!(decide(News::Nothing, None, None, BUDGET, now).is_some());
}

#[test]
fn of_two_counts_the_later_and_larger_is_believed() {
    let writes = |day: i64, count| {
        Some(Writes {
            day: Timestamp::from_seconds(day * 86_400),
            count,
        })
    };
    assert_eq!(latest(writes(1, 5), writes(1, 9)), writes(1, 9));
    assert_eq!(latest(writes(2, 1), writes(1, 9)), writes(2, 1));
    assert_eq!(latest(None, writes(1, 9)), writes(1, 9));
    assert_eq!(latest(None, None), None);
}

/// The row of the database (`ledger`).
#[derive(Default)]
struct Row(Option<Writes>);

impl Row {
    fn count(&mut self, Due { writes, limit }: Due) -> Counted {
        let count = match self.0 {
            Some(known) if known.day > writes.day => return Counted::Spent,
            Some(known) if known.day == writes.day && known.count >= limit => {
                return Counted::Spent;
            }
            Some(known) if known.day == writes.day => writes.count.max(known.count + 1),
            _ => writes.count,
        };
        self.0 = Some(Writes { count, ..writes });
        Counted::Now(count)
    }
}

/// Days of a cron whose every run is in a new instance, over a KV that shows it the write before the
/// last, with news each minute: the writes of each day.
fn late(days: i64, budget: u32, answers: impl Fn(i64) -> bool) -> Vec<u32> {
    let (mut row, mut written) = (Row::default(), vec![None::<(Timestamp, Writes)>; 2]);
    let mut of_day = vec![0; usize::try_from(days).unwrap()];
    for minute in 0..days * 1440 {
        let now = Timestamp::from_seconds(minute * 60);
        let (oldest, so_far) = written[written.len() - 2].unzip();
        let Some(due) = decide(News::State, oldest, so_far, budget, now) else {
            continue;
        };
        let counted = if answers(minute) {
            row.count(due)
        } else {
            Counted::Unknown
        };
        if let Some(writes) = granted(due, counted, false) {
            written.push(Some((now, writes)));
            of_day[usize::try_from(minute / 1440).unwrap()] += 1;
        }
    }
    of_day
}

#[test]
fn a_count_that_is_seen_a_write_late_does_not_exceed_the_budget() {
    // From when on the database is silent, in minutes of each day.
    for (name, silent_from) in [("always", 1440), ("never", 0), ("in the morning", 720)] {
        let name = format!("the database answers {name}");
        let answers = |minute: i64| minute % 1440 < silent_from;
        for budget in [BUDGET, 500] {
            let of_day = late(30, budget, answers);
            println!("{name}, budget {budget}: {:?}", of_day.iter().max());
            assert!(
                of_day.iter().all(|&writes| writes <= budget),
                "{name}: {of_day:?}"
            );
            assert!(
                of_day.iter().all(|&writes| writes >= budget * 8 / 10),
                "{name}: {of_day:?}"
            );
        }
    }
}

#[test]
fn what_the_database_says_counts_and_what_is_not_known_counts_double() {
    let day = Timestamp::from_seconds(0);
    let due = |count| Due {
        writes: Writes { day, count },
        limit: 10,
    };
    let count = |due, counted, remembers| {
        let writes = granted(due, counted, remembers);
        writes.map(|writes| writes.count)
    };
    assert_eq!(count(due(3), Counted::Now(7), false), Some(7));
    assert_eq!(count(due(3), Counted::Spent, true), None);
    assert_eq!(count(due(3), Counted::Unknown, true), Some(3));
    assert_eq!(count(due(3), Counted::Unknown, false), Some(4));
    assert_eq!(count(due(10), Counted::Unknown, true), Some(10));
    assert_eq!(count(due(10), Counted::Unknown, false), None);
}

proptest! {
    #[test]
    fn no_day_of_any_server_exceeds_its_budget(
        budget in 500_u32..2000,
        news in prop::collection::vec(0_u8..3, 100),
        start in 0_i64..1440,
    ) {
        let mut stored: Option<(Timestamp, Writes)> = None;
        let mut writes_of_day = std::collections::BTreeMap::new();
        for minute in start..start + 2 * 1440 {
            let now = Timestamp::from_seconds(minute * 60);
            let at = usize::try_from(minute).unwrap() % news.len();
            let news = [News::Nothing, News::Detail, News::State][usize::from(news[at])];
            let (oldest, so_far) = stored.unzip();
            if let Some(Due { writes, .. }) = decide(news, oldest, so_far, budget, now) {
                stored = Some((now, writes));
                *writes_of_day.entry(minute / 1440).or_insert(0) += 1;
            }
            prop_assert!(stored.is_none_or(|(oldest, _)| now - oldest <= 300));
        }
        prop_assert!(writes_of_day.values().all(|&writes| writes <= budget));
    }
}
