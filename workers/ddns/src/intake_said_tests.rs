//! What is said of a report: in a dry run, and beside the codes.

use super::*;

#[test]
fn a_preview_says_what_would_be_done_and_does_nothing() {
    let world = World::new(NOW);
    let done = block_on(asked(&world, "1", BOTH, "8.8.8.8", true)).unwrap();
    assert_eq!(words(&done), ["good", "good"]);
    assert_eq!(results(&done[0].1), [ProviderOutcome::WouldSend; 2]);
    assert_eq!(world.state.borrow().told, 0);
    assert_eq!(world.state.borrow().log.len(), 0);
    block_on(report(&world, "2", BOTH, "8.8.8.8")).unwrap();
    let done = block_on(asked(&world, "3", BOTH, "8.8.8.8", true)).unwrap();
    assert_eq!(words(&done), ["nochg", "nochg"]);
    assert_eq!(results(&done[0].1), [ProviderOutcome::Current; 2]);
    let done = block_on(asked(&world, "4", BOTH, "10.0.0.1", true)).unwrap();
    assert_eq!(words(&done), ["dnserr", "dnserr"]);
    assert_eq!(done[0].1.why.as_deref(), Some("10.0.0.1 is private"));
}

#[test]
fn a_family_that_is_not_the_hosts_is_left_out_by_name() {
    let world = World::new(NOW);
    let left = "8.8.8.8 is left out: the host has ipv6 alone";
    for (address, code, why) in [
        ("8.8.8.8,2001:4860:4860::8888", Code::Good, left.to_owned()),
        ("8.8.8.8", Code::Dnserr, left.to_owned()),
        (
            "8.8.8.8,2001:4860:4860::8888",
            Code::Nochg,
            format!("it has this address already; {left}"),
        ),
    ] {
        for dry in [true, false] {
            let done = block_on(asked(&world, "1", "six.example.com", address, dry)).unwrap();
            assert_eq!(done[0].0, code);
            assert_eq!(done[0].1.why.as_ref(), Some(&why));
        }
    }
    let has = world.wanted(&"six.example.com".parse().unwrap()).unwrap();
    assert_eq!((has.ipv4, has.ipv6.is_some()), (None, true));
}

#[test]
fn what_was_refused_is_named_beside_what_was_taken() {
    let world = World::new(NOW);
    let both = "100.64.0.1,2001:4860:4860::8888";
    let why = |done: Vec<(Code, HostReport)>| (done[0].0, done[0].1.why.clone().unwrap());
    let refusing = ("mydns/home".to_owned(), (later(None), 1));
    world.state.borrow_mut().refusing.extend([refusing]);
    let said = [
        (Code::Good, "100.64.0.1 is cgnat", true),
        (
            Code::Failed,
            "a provider that matters does not have it yet; it is told again; 100.64.0.1 is cgnat",
            false,
        ),
        (Code::Good, "100.64.0.1 is cgnat", false),
        (
            Code::Nochg,
            "it has this address already; 100.64.0.1 is cgnat",
            false,
        ),
    ];
    for (code, words, dry) in said {
        let done = block_on(asked(&world, "1", "a.example.com", both, dry)).unwrap();
        assert_eq!(why(done), (code, words.to_owned()));
    }
}
