//! Which services are checked in a run of the cron, and in which order. Pure.
//!
//! A run has so many requests, and makes so many checks; services that are due beyond that wait for the
//! next one. Who has been due for longest comes first: the moment that a service became due does not
//! move while it waits, so nobody waits for ever. Within a run, those that failed last time come last,
//! since they may take their whole time-out, and those that were passed over come first.

use types::{ServiceId, Timestamp, config::MAX_CHECKS_A_RUN};

/// The most requests and connections that one run makes for checks. A check that is led elsewhere
/// takes several.
pub const REQUESTS_A_RUN: u32 = MAX_CHECKS_A_RUN;
/// How many checks are under way at the same time: so many connections are allowed.
pub const AT_ONCE: usize = 6;
/// So long after the cron began no further check is begun, in milliseconds. The longest may take 10
/// seconds.
pub const BEGIN_WITHIN_MS: i64 = 38_000;

/// A service that asks the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub id: ServiceId,
    pub interval_minutes: u32,
    /// When it was checked last; `None` for never.
    pub checked_at: Option<Timestamp>,
    /// Whether it failed then.
    pub failing: bool,
    /// Whether a service that depends on it fails, so that it should be looked at now.
    pub asked_for: bool,
    /// How many requests one check is reckoned to make.
    pub cost: u32,
}

impl Candidate {
    /// The minute from which on it should be checked.
    fn due(&self, now: i64) -> i64 {
        let Some(checked_at) = self.checked_at else {
            return i64::MIN;
        };
        let last = minute_of(checked_at);
        if self.asked_for && last < now {
            return now;
        }
        last + i64::from(self.interval_minutes)
    }
}

/// How many minutes pass until each of these has had its turn, were all of them due and `checks` made in
/// a run.
pub fn turn_minutes(candidates: &[Candidate], checks: u32) -> u32 {
    let requests: u32 = candidates.iter().map(|candidate| candidate.cost).sum();
    let count = u32::try_from(candidates.len()).unwrap_or(u32::MAX);
    requests
        .div_ceil(REQUESTS_A_RUN)
        .max(count.div_ceil(checks.max(1)))
}

fn minute_of(moment: Timestamp) -> i64 {
    moment.as_seconds().div_euclid(60)
}

/// Those that are checked in the run of `now`, in the order in which they are begun: at most so many, with
/// at most so many requests.
pub fn plan(
    mut candidates: Vec<Candidate>,
    now: Timestamp,
    checks: u32,
    requests: u32,
) -> Vec<Candidate> {
    let now = minute_of(now);
    candidates.retain(|candidate| candidate.due(now) <= now);
    candidates.sort_by_cached_key(|candidate| (candidate.due(now), candidate.id.clone()));
    let mut left = requests;
    let mut is_full = false;
    candidates.retain(|candidate| {
        // Nobody overtakes who does not fit: it would wait for ever.
        is_full = is_full || candidate.cost > left;
        if !is_full {
            left -= candidate.cost;
        }
        !is_full
    });
    candidates.truncate(usize::try_from(checks).unwrap_or(usize::MAX));
    candidates.sort_by_key(|candidate| (candidate.due(now) >= now, candidate.failing));
    candidates
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn candidate(number: usize, interval_minutes: u32) -> Candidate {
        Candidate {
            id: format!("s{number}").parse().unwrap(),
            interval_minutes,
            checked_at: None,
            failing: false,
            asked_for: false,
            cost: 1,
        }
    }

    fn at(minute: i64) -> Timestamp {
        // A cron is late by some seconds, now more and now less.
        Timestamp::from_seconds(minute * 60 + minute.rem_euclid(7))
    }

    /// Runs for so many minutes, of which each run reaches `reached` of those that were planned;
    /// gives the longest that each waited beyond its interval, in minutes.
    fn simulate(
        services: Vec<Candidate>,
        minutes: i64,
        reached: impl Fn(i64) -> usize,
    ) -> BTreeMap<ServiceId, i64> {
        simulate_with(services, MAX_CHECKS_A_RUN, minutes, reached)
    }

    fn simulate_with(
        mut services: Vec<Candidate>,
        checks: u32,
        minutes: i64,
        reached: impl Fn(i64) -> usize,
    ) -> BTreeMap<ServiceId, i64> {
        let mut late: BTreeMap<ServiceId, i64> = BTreeMap::new();
        for minute in 0..minutes {
            let planned = plan(services.clone(), at(minute), checks, REQUESTS_A_RUN);
            assert!(planned.iter().map(|candidate| candidate.cost).sum::<u32>() <= REQUESTS_A_RUN);
            assert!(planned.len() <= checks as usize);
            for candidate in planned.iter().take(reached(minute)) {
                let service = services
                    .iter_mut()
                    .find(|service| service.id == candidate.id);
                service.unwrap().checked_at = Some(at(minute));
            }
            for service in &services {
                let last = service.checked_at.map_or(-1, minute_of);
                let waited = minute - last - i64::from(service.interval_minutes);
                let most = late.entry(service.id.clone()).or_default();
                *most = waited.max(*most);
            }
        }
        late
    }

    #[test]
    fn a_hundred_services_each_minute_are_each_seen_every_third_minute() {
        let services = (0..100).map(|number| candidate(number, 1)).collect();
        let late = simulate(services, 6 * 60, |_| usize::MAX);
        assert_eq!(late.len(), 100);
        assert!(late.values().all(|late| *late <= 2), "{late:?}");
    }

    #[test]
    fn fewer_checks_a_run_take_turns_and_what_is_led_elsewhere_has_its_turn() {
        let mut services: Vec<_> = (0..40).map(|number| candidate(number, 1)).collect();
        services[7].cost = 21;
        assert_eq!(turn_minutes(&services, 15), 3);
        assert_eq!(turn_minutes(&services, 40), 2);
        let late = simulate_with(services, 15, 6 * 60, |_| usize::MAX);
        assert!(late.values().all(|late| *late <= 2), "{late:?}");
    }

    #[test]
    fn what_fits_is_never_late_whatever_the_intervals() {
        let interval = |number: usize| [1, 2, 5, 10, 60][number % 5];
        let services: Vec<_> = (0..60)
            .map(|number| candidate(number, interval(number)))
            .collect();
        let late = simulate(services, 6 * 60, |_| usize::MAX);
        // Only the first minutes, in which all are due at once.
        assert!(late.values().all(|late| *late <= 1), "{late:?}");
    }

    #[test]
    fn nobody_starves_when_runs_are_cut_short() {
        // 24 checks that take their whole time-out of 10 s fill a run.
        let mut services: Vec<_> = (0..100).map(|number| candidate(number, 1)).collect();
        for service in services.iter_mut().take(60) {
            service.failing = true;
        }
        let late = simulate(
            services,
            4 * 60,
            |minute| if minute % 3 == 0 { 10 } else { 24 },
        );
        assert!(late.values().all(|late| *late <= 8), "{late:?}");
    }

    #[test]
    fn the_passed_over_come_first_and_the_failing_last() {
        let mut services: Vec<_> = (0..4).map(|number| candidate(number, 1)).collect();
        services[0].failing = true;
        for service in &mut services {
            service.checked_at = Some(at(9));
        }
        services[2].checked_at = Some(at(7));
        services[3].checked_at = Some(at(10));
        let order = |services: &[Candidate]| -> Vec<String> {
            let planned = plan(services.to_vec(), at(10), 40, 40);
            planned
                .iter()
                .map(|planned| planned.id.to_string())
                .collect()
        };
        assert_eq!(order(&services), ["s2", "s1", "s0"]);
        // In the same minute nothing is checked twice, asked for or not.
        services[3].asked_for = true;
        services[1].interval_minutes = 60;
        assert_eq!(order(&services), ["s2", "s0"]);
        services[1].asked_for = true;
        assert_eq!(order(&services), ["s2", "s1", "s0"]);
    }

    proptest! {
        #[test]
        fn what_is_planned_is_due_fits_and_leaves_none_behind_that_waits_longer(
            made in prop::collection::vec((1_u32..10, prop::option::of(0_i64..100), any::<bool>(), 1_u32..5), 0..80),
            checks in 1_u32..=MAX_CHECKS_A_RUN,
            requests in 0_u32..60,
        ) {
            let services: Vec<_> = made.into_iter().enumerate().map(|(number, (interval, last, flag, cost))| Candidate {
                checked_at: last.map(at),
                failing: flag,
                cost,
                ..candidate(number, interval)
            }).collect();
            let planned = plan(services.clone(), at(100), checks, requests);
            prop_assert!(planned.len() <= checks as usize);
            prop_assert!(planned.iter().map(|planned| planned.cost).sum::<u32>() <= requests);
            let latest = planned.iter().map(|planned| planned.due(100)).max();
            for service in services {
                let is_planned = planned.iter().any(|planned| planned.id == service.id);
                if is_planned {
                    prop_assert!(service.due(100) <= 100);
                } else if let Some(latest) = latest {
                    prop_assert!(service.due(100) >= latest || service.due(100) > 100);
                }
            }
        }
    }
}
