//! Reports, faults and races over the ports in memory.

use std::collections::BTreeSet;

use proptest::prelude::*;
use types::{
    Timestamp,
    config::{Config as _, DdnsConfig, DdnsHost},
    token::{TokenEntry, TokenHash},
};

use super::*;

#[path = "intake_account_tests.rs"]
mod accounts;
#[path = "intake_said_tests.rs"]
mod said;

use crate::{
    book::memory::{Broken, Fault, World, block_on, interleave},
    plan::sharers,
    providers::Sent,
    refresh,
    report::judge_hosts,
    update,
};

const NOW: Timestamp = Timestamp::from_seconds(1_795_255_200);
const BOTH: &str = "a.example.com,b.example.com";

fn hosts() -> Vec<DdnsHost> {
    let mydns = |name: &str| serde_json::json!({"kind": "mydns", "credentials": name});
    let zone = serde_json::json!({"kind": "cloudflare", "credentials": "zone"});
    let mut optional = mydns("second");
    optional["required"] = false.into();
    let config = serde_json::json!({"hosts": [
        {"host": "a.example.com", "providers": [mydns("home"), zone]},
        {"host": "b.example.com", "providers": [zone, optional]},
        {"host": "c.example.com"},
        {"host": "d.example.com", "providers": [mydns("shared")]},
        {"host": "e.example.com", "providers": [mydns("shared")]},
        {"host": "six.example.com", "families": ["ipv6"]},
    ]});
    DdnsConfig::parse(config).unwrap().hosts
}

fn ports(world: &World) -> Ports<'_, World, World, World> {
    Ports {
        book: world,
        providers: world,
        clock: world,
    }
}

async fn report(
    world: &World,
    mark: &str,
    names: &str,
    address: &str,
) -> Result<Vec<(Code, HostReport)>, Broken> {
    asked(world, mark, names, address, false).await
}

async fn asked(
    world: &World,
    mark: &str,
    names: &str,
    address: &str,
    dry: bool,
) -> Result<Vec<(Code, HostReport)>, Broken> {
    let token = TokenEntry {
        name: "router".to_owned(),
        sha256: TokenHash::of("x"),
        scopes: vec!["ddns:update".parse().unwrap()],
    };
    let query = [("hostname", names), ("myip", address)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    let update = update::parse(&query, None);
    let hosts = hosts();
    let verdicts = judge_hosts(&update, &hosts, &token);
    let applied = verdicts.iter().filter_map(|verdict| match verdict {
        Verdict::Apply { host, .. } => Some(duties(host)),
        _ => None,
    });
    let request = Request {
        mark,
        at: world.now(),
        token: "router",
        client: None,
        seen: None,
        guesser: "",
        reported: &update.reported,
        verdicts: &verdicts,
        sharers: &sharers(&applied.flatten().collect::<Vec<_>>(), &hosts),
        damped: true,
    };
    let answered = if dry {
        preview(&ports(world), &request).await?
    } else {
        take(&ports(world), &request).await?
    };
    match answered {
        Answered::Hosts(done) => Ok(done
            .into_iter()
            .map(|done| (done.code, done.report))
            .collect()),
        Answered::Limited { .. } => Ok(Vec::new()),
    }
}

fn words(done: &[(Code, HostReport)]) -> Vec<&'static str> {
    done.iter().map(|(code, _)| code.as_str()).collect()
}

fn results(report: &HostReport) -> Vec<ProviderOutcome> {
    report.providers.iter().map(|one| one.result).collect()
}

fn all_duties() -> Vec<Duty> {
    hosts().iter().flat_map(duties).collect()
}

/// Whether every provider that matters has what the book says.
fn told(world: &World, required: bool) -> bool {
    all_duties().iter().all(|duty| {
        let wanted = world.wanted(&duty.host);
        (required && !duty.required) || wanted.is_none() || world.record_of(duty) == wanted
    })
}

fn cron(world: &World, mark: &str) -> Result<Vec<String>, Broken> {
    block_on(refresh::run(&ports(world), mark, &hosts()))
}

fn later(after_seconds: Option<u32>) -> Sent {
    Sent::Later {
        detail: "answered 503".to_owned(),
        after_seconds,
    }
}

#[test]
fn good_is_said_when_all_that_matter_took_it_and_nochg_when_they_have_it() {
    let world = World::new(NOW);
    let done = block_on(report(&world, "1", BOTH, "8.8.8.8")).unwrap();
    assert_eq!(words(&done), ["good", "good"]);
    assert_eq!(results(&done[0].1), [ProviderOutcome::Done; 2]);
    assert!(told(&world, false));
    assert_eq!(world.state.borrow().log, ["good", "good"]);
    let told = world.state.borrow().told;
    let done = block_on(report(&world, "2", BOTH, "8.8.8.8")).unwrap();
    assert_eq!(words(&done), ["nochg", "nochg"]);
    assert_eq!(results(&done[0].1), [ProviderOutcome::Current; 2]);
    assert_eq!(world.state.borrow().told, told, "nobody was told again");
}

#[test]
fn one_that_fails_does_not_undo_the_others_and_is_tried_by_whoever_comes_next() {
    let world = World::new(NOW);
    let refusing = ("mydns/home".to_owned(), (later(None), 2));
    world.state.borrow_mut().refusing.extend([refusing]);
    let done = block_on(report(&world, "1", BOTH, "8.8.8.8")).unwrap();
    assert_eq!(words(&done), ["911", "good"]);
    assert_eq!(
        results(&done[0].1),
        [ProviderOutcome::Failed, ProviderOutcome::Done]
    );
    let done = block_on(report(&world, "2", BOTH, "8.8.8.8")).unwrap();
    assert_eq!(words(&done), ["911", "nochg"]);
    let done = block_on(report(&world, "3", BOTH, "8.8.8.8")).unwrap();
    assert_eq!(words(&done), ["good", "nochg"]);
    assert!(told(&world, false));
}

#[test]
fn one_that_does_not_matter_does_not_fail_the_update_and_gets_it_by_cron() {
    let world = World::new(NOW);
    let refusing = ("mydns/second".to_owned(), (later(None), 2));
    world.state.borrow_mut().refusing.extend([refusing]);
    let done = block_on(report(&world, "1", "b.example.com", "8.8.8.8")).unwrap();
    assert_eq!(words(&done), ["good"]);
    assert!(!told(&world, false));
    cron(&world, "2").unwrap();
    assert_eq!(world.state.borrow().notes, [], "a minute is not over");
    for (seconds, expected) in [(60, 1), (60, 1), (60, 2)] {
        world.advance(seconds);
        cron(&world, "3").unwrap();
        assert_eq!(world.state.borrow().notes.len(), expected);
    }
    assert!(told(&world, false));
    let notes = &world.state.borrow().notes;
    let said: Vec<_> = notes
        .iter()
        .map(|note| (note.client, note.decision))
        .collect();
    assert_eq!(said, [("retry", "911"), ("retry", "good")]);
}

#[test]
fn one_that_asks_to_be_left_alone_is() {
    let world = World::new(NOW);
    let refusing = ("cloudflare/zone".to_owned(), (later(Some(300)), 2));
    world.state.borrow_mut().refusing.extend([refusing]);
    assert_eq!(
        words(&block_on(report(&world, "1", "b.example.com", "8.8.8.8")).unwrap()),
        ["911"]
    );
    let before = world.state.borrow().told;
    let done = block_on(report(&world, "2", "b.example.com", "8.8.8.8")).unwrap();
    assert_eq!(words(&done), ["911"]);
    assert_eq!(results(&done[0].1)[0], ProviderOutcome::Waiting);
    world.advance(299);
    cron(&world, "3").unwrap();
    assert_eq!(world.state.borrow().told, before);
    world.advance(1);
    cron(&world, "4").unwrap();
    assert_eq!(world.state.borrow().told, before + 1);
}

#[test]
fn the_cron_tells_again_after_two_hours_and_nothing_before() {
    let world = World::new(NOW);
    block_on(report(&world, "1", BOTH, "8.8.8.8")).unwrap();
    let told = world.state.borrow().told;
    for minute in 1..120 {
        world.advance(60);
        cron(&world, "2").unwrap();
        assert_eq!(world.state.borrow().told, told, "{minute}");
    }
    world.advance(60);
    cron(&world, "3").unwrap();
    assert_eq!(world.state.borrow().told, 2 * told);
    let notes = &world.state.borrow().notes;
    let said: Vec<_> = notes
        .iter()
        .map(|note| (note.client, note.decision))
        .collect();
    assert_eq!(said, [("refresh", "good"); 2]);
}

#[test]
fn of_an_expiry_it_is_warned_once_two_days_ahead() {
    let world = World::new(NOW);
    block_on(report(&world, "1", "a.example.com", "8.8.8.8")).unwrap();
    let refusing = ("mydns/home".to_owned(), (later(None), u32::MAX));
    world.state.borrow_mut().refusing.extend([refusing]);
    let refusing = ("cloudflare/zone".to_owned(), (later(None), u32::MAX));
    world.state.borrow_mut().refusing.extend([refusing]);
    let mut warned = Vec::new();
    for hour in 0..24 * 7 {
        if !cron(&world, "2").unwrap().is_empty() {
            warned.push(hour);
        }
        world.advance(3600);
    }
    assert_eq!(warned, [5 * 24]);
    let note = world
        .state
        .borrow()
        .notes
        .iter()
        .find(|note| note.decision == "expiring")
        .cloned();
    let note = note.unwrap();
    let detail = note.providers[0].detail.clone().unwrap();
    assert!(detail.contains("2026-11-28T10:00:00Z"), "{detail}");
    let alert = crate::refresh::alert(&note).unwrap();
    assert_eq!(alert.service, "ddns:a.example.com");
    let reason = alert.reason.unwrap();
    let start = "expiring: mydns/home forgets this host at 2026-11-28T10:00:00Z unless";
    assert!(reason.starts_with(start), "{reason}");
    let warnings = |world: &World| {
        let notes = &world.state.borrow().notes;
        notes.iter().filter_map(crate::refresh::alert).count()
    };
    assert_eq!(warnings(&world), 1);
    world.state.borrow_mut().refusing.clear();
    cron(&world, "3").unwrap();
    assert!(told(&world, false));
}

/// The codes that it ends with, if it ends well.
type Running<'a> = std::pin::Pin<Box<dyn Future<Output = Option<Vec<Code>>> + 'a>>;

const ADDRESSES: [&str; 4] = ["8.8.8.8", "8.8.4.4", "9.9.9.9", "2001:4860:4860::8888"];
const NAMES: [&str; 4] = ["a.example.com", "b.example.com", "c.example.com", BOTH];

/// Runs the cron until it has nothing to do any more, over all leases and pauses.
fn settle_down(world: &World) {
    for round in 0..4 {
        world.advance(7200);
        let _ = cron(world, &format!("cron{round}"));
        assert!(world.beliefs_hold());
    }
}

/// The addresses that a provider's record may have: those that were ever reported.
fn records_are_reported_ones(world: &World) {
    let known: BTreeSet<String> = ADDRESSES.iter().map(|one| (*one).to_owned()).collect();
    for record in world.state.borrow().records.values() {
        assert!(!record.is_empty());
        assert!(
            record
                .ipv4
                .is_none_or(|one| known.contains(&one.to_string()))
        );
        assert!(
            record
                .ipv6
                .is_none_or(|one| known.contains(&one.to_string()))
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// One fault anywhere: a call that fails before or after its effect, or a run that ends in the
    /// middle of everything.
    #[test]
    fn what_was_answered_good_is_everywhere_whatever_fails(
        reports in proptest::collection::vec((0..NAMES.len(), 0..ADDRESSES.len()), 1..8),
        fault_at in 1_u32..40,
        after: bool,
        crash in proptest::option::of((0_usize..8, 0_usize..30)),
    ) {
        let world = World::new(NOW);
        let mut records = world.state.borrow().records.clone();
        if crash.is_none() {
            world.break_call(fault_at, if after { Fault::After } else { Fault::Before });
        }
        for (number, (names, address)) in reports.iter().enumerate() {
            let mark = number.to_string();
            let dropped = crash.filter(|(at, _)| *at == number).map(|(_, turns)| (0, turns));
            let future = report(&world, &mark, NAMES[*names], ADDRESSES[*address]);
            let done = interleave(vec![Box::pin(future)], &[], dropped, || {
                assert!(world.beliefs_hold());
                // No record is ever taken away, and no family of one.
                let state = world.state.borrow();
                for (key, before) in &records {
                    let now = state.records[key];
                    assert!(before.ipv4.is_none() || now.ipv4.is_some());
                    assert!(before.ipv6.is_none() || now.ipv6.is_some());
                }
                records.clone_from(&state.records);
            });
            if let Some(Some(Ok(done))) = done.into_iter().next() {
                for (code, host) in done.iter().filter(|(code, _)| code.succeeded()) {
                    let of_host = |duty: &&Duty| duty.required && Some(duty.host.as_str()) == host.host.as_deref();
                    for duty in all_duties().iter().filter(of_host) {
                        prop_assert_eq!(world.record_of(duty), world.wanted(&duty.host), "{:?}", code);
                    }
                }
            }
        }
        settle_down(&world);
        prop_assert!(told(&world, false));
        records_are_reported_ones(&world);
    }

    /// Several at once, in any order of their steps, the cron among them.
    #[test]
    fn reports_at_once_end_with_the_last_one_of_the_book_everywhere(
        reports in proptest::collection::vec((0..NAMES.len(), 0..ADDRESSES.len()), 2..4),
        order in proptest::collection::vec(0_usize..6, 0..120),
        with_cron: bool,
        crash in proptest::option::of((0_usize..4, 0_usize..30)),
    ) {
        let world = World::new(NOW);
        block_on(report(&world, "first", BOTH, "8.8.8.8")).unwrap();
        world.advance(7200);
        let known = hosts();
        let all = ports(&world);
        let marks: Vec<String> = (0..reports.len()).map(|number| number.to_string()).collect();
        let mut futures: Vec<Running<'_>> = Vec::new();
        for ((names, address), mark) in reports.iter().zip(&marks) {
            let future = report(&world, mark, NAMES[*names], ADDRESSES[*address]);
            futures.push(Box::pin(async move {
                future.await.ok().map(|done| done.into_iter().map(|(code, _)| code).collect())
            }));
        }
        if with_cron {
            futures.push(Box::pin(async {
                refresh::run(&all, "cron", &known).await.ok().map(|_| Vec::new())
            }));
        }
        let done = interleave(futures, &order, crash, || assert!(world.beliefs_hold()));
        let good = |codes: &Option<Option<Vec<Code>>>| {
            codes.iter().flatten().flatten().all(|code| code.succeeded())
        };
        let crashed = done.iter().take(reports.len()).any(|codes| !matches!(codes, Some(Some(_))));
        if crash.is_none() && !crashed && done.iter().take(reports.len()).all(good) {
            prop_assert!(told(&world, true), "all were answered good");
        }
        if crash.is_none() {
            prop_assert!(done.iter().take(reports.len()).all(good), "nothing failed: {:?}", done);
        }
        settle_down(&world);
        prop_assert!(told(&world, false));
        records_are_reported_ones(&world);
    }
}
