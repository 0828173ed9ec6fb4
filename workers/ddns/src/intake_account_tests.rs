//! What hosts have in common: one address at MyDNS.jp, one budget at Cloudflare, one run of the cron.

use types::config::HostName;

use super::*;

const D: &str = "d.example.com";
const E: &str = "e.example.com";
const SHARERS: [&str; 3] = [D, E, "d.example.com,e.example.com"];

fn word(world: &World, name: &str, address: &str) -> &'static str {
    world.advance(1);
    words(&block_on(report(world, "mark", name, address)).unwrap())[0]
}

fn account(world: &World) -> Addresses {
    let mut all = all_duties().into_iter();
    let duty = all.find(|duty| duty.host.as_str() == D).unwrap();
    world.record_of(&duty).unwrap_or_default()
}

#[test]
fn nobody_is_told_nochg_of_an_account_that_another_host_has_changed() {
    let world = World::new(NOW);
    assert_eq!(word(&world, D, "8.8.8.8"), "good");
    assert_eq!(word(&world, E, "8.8.4.4"), "good");
    assert_eq!(word(&world, E, "8.8.4.4"), "nochg");
    for dry in [true, false] {
        let done = block_on(asked(&world, "dry", D, "8.8.8.8", dry)).unwrap();
        assert_eq!(
            words(&done),
            ["911"],
            "it is older than what the account has"
        );
        let one = &done[0].1.providers[0];
        assert_eq!(one.result, ProviderOutcome::Refused);
        let detail = "e.example.com has got another address since, and an account has one";
        assert_eq!(one.detail.as_deref(), Some(detail));
    }
    assert_eq!(word(&world, E, "8.8.4.4"), "nochg", "nobody took it away");
    assert_eq!(account(&world).ipv4, "8.8.4.4".parse().ok());
    assert_eq!(word(&world, D, "8.8.4.4"), "good");
    assert_eq!(
        word(&world, D, "9.9.9.9"),
        "good",
        "who changed last has it"
    );
    assert_eq!(word(&world, E, "8.8.4.4"), "911");
    assert_eq!(account(&world).ipv4, "9.9.9.9".parse().ok());
}

#[test]
fn hosts_of_one_account_with_one_family_each_do_not_disturb_one_another() {
    let world = World::new(NOW);
    assert_eq!(word(&world, D, "8.8.8.8"), "good");
    assert_eq!(word(&world, E, "2001:4860:4860::8888"), "good");
    assert_eq!(word(&world, D, "8.8.8.8"), "nochg");
    assert_eq!(word(&world, E, "2001:4860:4860::8888"), "nochg");
    assert!(told_families(&world));
}

fn told_families(world: &World) -> bool {
    let has = account(world);
    has.ipv4.is_some() && has.ipv6.is_some()
}

#[test]
fn a_token_that_is_blocked_is_left_alone_by_all_its_hosts() {
    let world = World::new(NOW);
    block_on(report(&world, "1", BOTH, "8.8.8.8")).unwrap();
    let refusing = ("cloudflare/zone".to_owned(), (later(Some(300)), 1));
    world.state.borrow_mut().refusing.extend([refusing]);
    assert_eq!(word(&world, "a.example.com", "8.8.4.4"), "911");
    let before = world.state.borrow().told;
    let done = block_on(report(&world, "2", "b.example.com", "8.8.4.4")).unwrap();
    assert_eq!(results(&done[0].1)[0], ProviderOutcome::Waiting);
    assert_eq!(
        world.state.borrow().told,
        before + 1,
        "the other one is told"
    );
    world.advance(299);
    cron(&world, "3").unwrap();
    world.advance(1);
    cron(&world, "4").unwrap();
    assert!(told(&world, false));
}

#[test]
fn what_is_known_to_fail_is_promised_by_no_dry_run() {
    let world = World::new(NOW);
    let fault = "credentials \"home\": the secret PROVIDERS has no such key";
    let faults = [("mydns/home".to_owned(), fault.to_owned())];
    world.state.borrow_mut().faults.extend(faults);
    let done = block_on(asked(&world, "1", "a.example.com", "8.8.8.8", true)).unwrap();
    assert_eq!(words(&done), ["911"]);
    let refused = [ProviderOutcome::Refused, ProviderOutcome::WouldSend];
    assert_eq!(results(&done[0].1), refused);
    assert_eq!(done[0].1.providers[0].detail.as_deref(), Some(fault));
}

#[test]
fn a_lease_runs_from_when_it_is_taken_however_late_the_cron_is() {
    let world = World::new(NOW);
    let refusing = ("mydns/home".to_owned(), (later(None), 1));
    world.state.borrow_mut().refusing.extend([refusing]);
    assert_eq!(word(&world, "a.example.com", "8.8.8.8"), "911");
    world.advance(60);
    world.late.set(50);
    // It reads the book, leases, tells, and is not heard of again.
    world.break_call(4, Fault::Before);
    assert_eq!(cron(&world, "1"), Err(Broken));
    world.late.set(0);
    let before = world.state.borrow().told;
    world.advance(109);
    assert_eq!(word_of_busy(&world), "911");
    assert_eq!(world.state.borrow().told, before);
    world.advance(1);
    assert_eq!(word_of_busy(&world), "good");
}

fn word_of_busy(world: &World) -> &'static str {
    words(&block_on(report(world, "mark", "a.example.com", "8.8.8.8")).unwrap())[0]
}

#[test]
fn the_cron_tells_who_lacks_something_before_who_is_only_told_again() {
    let world = World::new(NOW);
    assert_eq!(word(&world, "b.example.com", "8.8.8.8"), "good");
    world.advance(7000);
    let refusing = ("cloudflare/zone".to_owned(), (later(None), 1));
    world.state.borrow_mut().refusing.extend([refusing]);
    assert_eq!(word(&world, "a.example.com", "8.8.8.8"), "911");
    world.state.borrow_mut().order.clear();
    world.advance(300);
    cron(&world, "1").unwrap();
    let order = &world.state.borrow().order;
    let order: Vec<_> = order.iter().map(HostName::as_str).collect();
    assert_eq!(order, ["a.example.com", "b.example.com", "b.example.com"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Several hosts of one account at once, in any order of their steps, some of which fail or end in
    /// the middle.
    #[test]
    fn an_account_ends_with_what_changed_last_and_nobody_believes_otherwise(
        reports in proptest::collection::vec((0..SHARERS.len(), 0..ADDRESSES.len()), 2..5),
        order in proptest::collection::vec(0_usize..6, 0..120),
        fault_at in proptest::option::of((1_u32..40, any::<bool>())),
        crash in proptest::option::of((0_usize..5, 0_usize..30)),
    ) {
        let world = World::new(NOW);
        block_on(report(&world, "first", D, "8.8.8.8")).unwrap();
        world.advance(7200);
        if let Some((at, after)) = fault_at {
            world.break_call(at, if after { Fault::After } else { Fault::Before });
        }
        let known = hosts();
        let all = ports(&world);
        let marks: Vec<String> = (0..reports.len()).map(|number| number.to_string()).collect();
        let mut futures: Vec<Running<'_>> = Vec::new();
        for ((names, address), mark) in reports.iter().zip(&marks) {
            let future = report(&world, mark, SHARERS[*names], ADDRESSES[*address]);
            futures.push(Box::pin(async move {
                future.await.ok().map(|done| done.into_iter().map(|(code, _)| code).collect())
            }));
        }
        futures.push(Box::pin(async {
            refresh::run(&all, "cron", &known).await.ok().map(|_| Vec::new())
        }));
        interleave(futures, &order, crash, || assert!(world.beliefs_hold()));
        settle_down(&world);
        let lines = world.state.borrow().lines(None);
        let newest = lines.iter().max_by_key(|line| (line.updated_at, std::cmp::Reverse(line.host.clone())));
        let wanted = newest.unwrap().wanted;
        prop_assert_eq!(account(&world).updated(wanted), account(&world));
    }
}
