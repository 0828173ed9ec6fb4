//! Tests of the kinds that nobody asks: heartbeats, and reports of the home line.

use futures::executor::block_on;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    memory::Memory,
    tests::{NOW, secrets, service, with},
    *,
};

fn beat(ending: Ending, duration_ms: Option<u64>, metrics: &[(&str, f64)]) -> BeatReport {
    let metrics = metrics
        .iter()
        .map(|(name, value)| ((*name).to_owned(), *value));
    BeatReport {
        ending,
        duration_ms,
        metrics: metrics.collect(),
    }
}

fn heartbeat(keys: Value) -> types::config::services::HeartbeatCheck {
    match service(with(
        json!({"kind": "heartbeat", "period_minutes": 60, "grace_minutes": 10}),
        keys,
    ))
    .check
    {
        Check::Heartbeat(check) => check,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_beat_that_failed_or_is_too_small_or_too_short_is_a_failure() {
    let rules = heartbeat(json!({
        "min_size_bytes": 1000, "min_duration_ms": 500, "max_duration_ms": 9000, "limits": ["memory_percent < 80"],
    }));
    let good = [("size_bytes", 1000.0), ("memory_percent", 79.0)];
    assert_eq!(
        judge_beat(&rules, &beat(Ending::Success, Some(500), &good)),
        Ok(())
    );
    assert_eq!(
        judge_beat(&rules, &beat(Ending::Exit(0), Some(9000), &good)),
        Ok(())
    );
    let nothing = [("size_bytes", 0.0), ("memory_percent", 1.0)];
    let full = [("size_bytes", 1000.0), ("memory_percent", 80.0)];
    for (beat, reason) in [
        (
            beat(Ending::Fail, Some(500), &good),
            "failed: it says that it failed",
        ),
        (
            beat(Ending::Exit(137), Some(500), &good),
            "exit: it ended with exit code 137",
        ),
        (
            beat(Ending::Success, Some(500), &nothing),
            "size: made 0 bytes, fewer than 1000",
        ),
        (
            beat(Ending::Success, Some(500), &[("size_bytes", f64::NAN)]),
            "size: made NaN bytes, fewer than 1000",
        ),
        (
            beat(Ending::Success, Some(500), &good[1..]),
            "size: it does not say size_bytes",
        ),
        (
            beat(Ending::Success, Some(499), &good),
            "duration: took 499 ms, less than 500",
        ),
        (
            beat(Ending::Success, Some(9001), &good),
            "duration: took 9001 ms, more than 9000",
        ),
        (
            beat(Ending::Success, None, &good),
            "duration: it does not say how long it took",
        ),
        (
            beat(Ending::Success, Some(500), &full),
            "limit: 80 is not memory_percent < 80",
        ),
        (
            beat(Ending::Success, Some(500), &good[..1]),
            "limit: it does not say memory_percent",
        ),
    ] {
        assert_eq!(judge_beat(&rules, &beat).unwrap_err(), reason);
    }
    let plain = heartbeat(json!({}));
    assert_eq!(
        judge_beat(&plain, &beat(Ending::Success, None, &[])),
        Ok(())
    );
}

#[test]
fn silence_is_a_failure_after_the_period_and_its_grace() {
    let rules = heartbeat(json!({}));
    let last = |minutes: i64| Facts {
        last: Some(NOW.plus_seconds(-60 * minutes)),
        ..Facts::none(NOW)
    };
    assert_eq!(
        heartbeat::outcome(&rules, &last(70), NOW),
        Outcome::up(None)
    );
    let late = heartbeat::outcome(&rules, &last(71), NOW);
    assert_eq!(
        late.reason.as_deref(),
        Some("late: nothing was heard for over 60 minutes")
    );
    let new = Facts::none(NOW.plus_seconds(-70 * 60));
    assert_eq!(heartbeat::outcome(&rules, &new, NOW), Outcome::up(None));
    let never = heartbeat::outcome(&rules, &new, NOW.plus_seconds(1));
    assert_eq!(
        never.reason.as_deref(),
        Some("late: nothing was ever heard")
    );
}

#[test]
fn a_failed_beat_and_a_run_that_does_not_end_are_down() {
    let rules = heartbeat(json!({"max_duration_ms": 60_000}));
    let facts = |failure: Option<&str>, started: Option<i64>| Facts {
        last: Some(NOW),
        failure: failure.map(str::to_owned),
        started: started.map(|ago| NOW.plus_seconds(-ago)),
        ..Facts::none(NOW)
    };
    assert_eq!(
        heartbeat::outcome(&rules, &facts(None, Some(60)), NOW).verdict,
        Verdict::Up
    );
    let hangs = heartbeat::outcome(&rules, &facts(None, Some(61)), NOW);
    assert_eq!(
        hangs.reason.as_deref(),
        Some("duration: it has not ended within 60000 ms")
    );
    let failed = heartbeat::outcome(
        &rules,
        &facts(Some("exit: it ended with exit code 1"), None),
        NOW,
    );
    assert_eq!(
        failed.reason.as_deref(),
        Some("exit: it ended with exit code 1")
    );
}

#[test]
fn the_home_line_is_down_when_two_periods_pass_without_a_report() {
    let line = service(json!({"kind": "ddns", "host": "home.example.com", "period_minutes": 10}));
    let at = |seconds_ago: i64| {
        let facts = Facts {
            last: Some(NOW.plus_seconds(-seconds_ago)),
            ..Facts::none(NOW)
        };
        block_on(check(&&Memory::new(), &line, &secrets(), &facts, NOW)).reason
    };
    assert_eq!(at(1200), None);
    assert_eq!(
        at(1201).as_deref(),
        Some("late: no report for over twice 10 minutes")
    );
    let never = Facts::none(NOW.plus_seconds(-1201));
    let outcome = block_on(check(&&Memory::new(), &line, &secrets(), &never, NOW));
    assert_eq!(outcome.reason.as_deref(), Some("late: no report ever came"));
}

proptest! {
    #[test]
    fn a_beat_is_judged_whatever_it_says(size: f64, memory: f64, exit: i64, duration: Option<u64>) {
        let rules = heartbeat(json!({"min_size_bytes": 5, "max_duration_ms": 7, "limits": ["memory < 80"]}));
        let ending = if exit % 2 == 0 { Ending::Success } else { Ending::Exit(exit) };
        let verdict = judge_beat(&rules, &beat(ending, duration, &[("size_bytes", size), ("memory", memory)]));
        let good = exit % 2 == 0 && size >= 5.0 && memory < 80.0 && duration.is_some_and(|took| took <= 7);
        prop_assert_eq!(verdict.is_ok(), good);
        if let Err(reason) = verdict {
            prop_assert!(reason.chars().count() <= MAX_REASON);
        }
    }
}
