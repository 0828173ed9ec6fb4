use proptest::prelude::*;
use types::config::{Config as _, DdnsConfig};

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_795_255_200);

fn v4(text: &str) -> Addresses {
    Addresses {
        ipv4: text.parse().ok(),
        ipv6: None,
    }
}

fn duty() -> Duty {
    Duty {
        host: "home.example.com".parse().unwrap(),
        provider: "mydns/home".to_owned(),
        required: true,
        refresh_seconds: 7200,
        shared: true,
    }
}

fn line(wanted: Addresses, holdings: Vec<Holding>) -> Line {
    Line {
        host: duty().host,
        wanted,
        updated_at: NOW,
        holdings,
    }
}

fn holding(has: &str, acknowledged: i64) -> Holding {
    Holding {
        provider: duty().provider,
        has: v4(has),
        acknowledged_at: Some(NOW.plus_seconds(acknowledged)),
        ..Holding::default()
    }
}

fn at(line: &Line, occasion: Occasion, seconds: i64) -> Due {
    due(&duty(), Some(line), occasion, NOW.plus_seconds(seconds))
}

#[test]
fn nothing_is_told_when_neither_address_nor_clock_asks_for_it() {
    let current = line(v4("8.8.8.8"), vec![holding("8.8.8.8", 0)]);
    assert_eq!(at(&current, Occasion::Report, 100_000), Due::Nothing);
    assert_eq!(at(&current, Occasion::Cron, 7140), Due::Nothing);
    assert_eq!(at(&current, Occasion::Cron, 7141), Due::Tell);
    let never = line(Addresses::default(), vec![]);
    for occasion in [Occasion::Report, Occasion::Cron] {
        assert_eq!(at(&never, occasion, 0), Due::Nothing);
        assert_eq!(due(&duty(), None, occasion, NOW), Due::Nothing);
    }
}

#[test]
fn what_is_missing_is_told_by_whoever_comes_unless_another_is_at_it() {
    let mut missing = holding("8.8.8.8", 0);
    for (holdings, expected) in [
        (vec![missing.clone()], Due::Tell),
        (vec![], Due::Tell),
        (
            vec![Holding {
                leased_until: Some(NOW.plus_seconds(1)),
                ..missing.clone()
            }],
            Due::Busy,
        ),
        (
            vec![Holding {
                leased_until: Some(NOW),
                ..missing.clone()
            }],
            Due::Tell,
        ),
        (
            vec![Holding {
                not_before: Some(NOW.plus_seconds(1)),
                ..missing.clone()
            }],
            Due::Resting,
        ),
    ] {
        let line = line(v4("8.8.4.4"), holdings);
        for occasion in [Occasion::Report, Occasion::Cron] {
            assert_eq!(at(&line, occasion, 0), expected);
        }
    }
    missing.attempts = 1;
    missing.next_try_at = Some(NOW.plus_seconds(60));
    let failing = line(v4("8.8.4.4"), vec![missing]);
    assert_eq!(at(&failing, Occasion::Report, 0), Due::Tell);
    assert_eq!(at(&failing, Occasion::Cron, 59), Due::Resting);
    assert_eq!(at(&failing, Occasion::Cron, 60), Due::Tell);
}

#[test]
fn a_family_that_the_host_does_not_have_is_not_missing() {
    let both = Addresses {
        ipv6: "2001:4860:4860::8888".parse().ok(),
        ..v4("8.8.8.8")
    };
    assert!(holding("8.8.8.8", 0).has(v4("8.8.8.8")));
    assert!(!holding("8.8.8.8", 0).has(both));
}

#[test]
fn an_older_address_is_not_told_to_an_account_that_a_newer_one_is_in() {
    let other = Duty {
        host: "other.example.com".parse().unwrap(),
        ..duty()
    };
    let lines = |ours: Addresses, theirs: Addresses, seconds: i64| {
        let mut newer = line(theirs, Vec::new());
        newer.host.clone_from(&other.host);
        newer.updated_at = NOW.plus_seconds(seconds);
        [line(ours, Vec::new()), newer]
    };
    let [old, new] = [v4("8.8.8.8"), v4("8.8.4.4")];
    let duties = [duty(), other.clone()];
    let overtaken = |lines: &[Line]| overtaken(&duty(), &duties, lines).is_some();
    assert!(overtaken(&lines(old, new, 1)));
    assert!(!overtaken(&lines(old, new, 0)));
    let theirs = |lines: &[Line]| super::overtaken(&other, &duties, lines);
    assert_eq!(
        theirs(&lines(old, new, 0)).as_deref(),
        Some("home.example.com has got another address, and an account has one"),
        "of one second, one is refused"
    );
    assert_eq!(theirs(&lines(old, new, 1)), None);
    assert!(!overtaken(&lines(old, new, -1)));
    assert!(!overtaken(&lines(old, old, 1)));
    let v6 = Addresses {
        ipv4: None,
        ipv6: "2001:200::1".parse().ok(),
    };
    assert!(!overtaken(&lines(old, v6, 1)));
    assert!(overtaken(&lines(old, new.updated(v6), 1)));
    for elsewhere in [
        Duty {
            shared: false,
            ..duty()
        },
        Duty {
            provider: "mydns/second".to_owned(),
            ..duty()
        },
    ] {
        assert_eq!(
            super::overtaken(&elsewhere, &duties, &lines(old, new, 1)),
            None
        );
    }
}

#[test]
fn an_account_is_told_for_one_host_at_a_time() {
    let other = Duty {
        host: "other.example.com".parse().unwrap(),
        ..duty()
    };
    let told = |seconds: i64| {
        let mut theirs = holding("8.8.4.4", 0);
        theirs.leased_until = Some(NOW.plus_seconds(seconds));
        let mut theirs = line(v4("8.8.4.4"), vec![theirs]);
        theirs.host.clone_from(&other.host);
        [line(v4("8.8.4.4"), vec![]), theirs]
    };
    let around = [duty(), other.clone()];
    for (seconds, expected) in [(1, Due::Busy), (0, Due::Tell)] {
        for occasion in [Occasion::Report, Occasion::Cron] {
            let due = due_among(&duty(), &around, &told(seconds), occasion, NOW);
            assert_eq!(due, expected);
        }
    }
    let alone = Duty {
        shared: false,
        ..duty()
    };
    let due = due_among(&alone, &around, &told(1), Occasion::Report, NOW);
    assert_eq!(due, Due::Tell);
}

#[test]
fn who_shares_an_account_is_looked_at_too() {
    let mydns = |name: &str| serde_json::json!({"kind": "mydns", "credentials": name});
    let zone = serde_json::json!({"kind": "cloudflare", "credentials": "home"});
    let config = serde_json::json!({"hosts": [
        {"host": "a.example.com", "providers": [mydns("home"), zone]},
        {"host": "b.example.com", "providers": [zone, mydns("home"), mydns("second")]},
        {"host": "c.example.com", "providers": [zone]},
        {"host": "d.example.com", "providers": [mydns("second")]},
    ]});
    let hosts = DdnsConfig::parse(config).unwrap().hosts;
    let sharers_of = |index: usize| {
        let of: Vec<Duty> = duties(&hosts[index]).collect();
        let name = |duty: &Duty| format!("{} {}", duty.host, duty.provider);
        sharers(&of, &hosts).iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(sharers_of(0), ["b.example.com mydns/home"]);
    assert_eq!(
        sharers_of(1),
        ["a.example.com mydns/home", "d.example.com mydns/second"]
    );
    assert_eq!(sharers_of(2), Vec::<String>::new());
}

#[test]
fn a_provider_that_forgets_is_warned_of_two_days_ahead() {
    let expiring = |seconds: i64| Holding {
        expires_at: Some(NOW.plus_seconds(seconds)),
        ..holding("8.8.8.8", 0)
    };
    for (seconds, standing) in [
        (7 * 86_400, Standing::Current),
        (2 * 86_400 + 1, Standing::Current),
        (2 * 86_400, Standing::Expiring),
        (1, Standing::Expiring),
        (0, Standing::Expired),
    ] {
        assert_eq!(
            expiring(seconds).standing(v4("8.8.8.8"), NOW),
            standing,
            "{seconds}"
        );
        assert_eq!(
            expiring(seconds).expires_soon(NOW),
            standing != Standing::Current
        );
    }
    let failing = Holding {
        attempts: 1,
        ..expiring(1)
    };
    assert_eq!(failing.standing(v4("8.8.8.8"), NOW), Standing::Failing);
    assert_eq!(
        holding("8.8.8.8", 0).standing(v4("8.8.4.4"), NOW),
        Standing::Pending
    );
}

#[test]
fn the_next_refresh_is_that_of_the_provider_whose_turn_comes_first() {
    let second = Duty {
        provider: "cloudflare/zone".to_owned(),
        ..duty()
    };
    let earlier = Holding {
        provider: second.provider.clone(),
        ..holding("8.8.8.8", -600)
    };
    let line = line(v4("8.8.8.8"), vec![holding("8.8.8.8", 0), earlier]);
    assert_eq!(
        next_refresh_at(&[duty(), second], &line),
        Some(NOW.plus_seconds(6600))
    );
    assert_eq!(next_refresh_at(&[], &line), None);
}

proptest! {
    #[test]
    fn delays_grow_are_bounded_and_honour_what_was_asked(attempts in 0_u32.., asked in proptest::option::of(-10_i64..1_000_000)) {
        let one = delay(attempts, asked);
        prop_assert!(one >= 60);
        prop_assert!(one <= LONGEST_REST);
        prop_assert!(one >= asked.unwrap_or(0).min(LONGEST_REST));
        prop_assert!(delay(attempts.saturating_add(1), asked) >= one);
        prop_assert!(asked.is_some() || one <= 3600);
    }

    #[test]
    fn who_was_left_out_comes_with_the_next_run_and_has_failed_no_more_often(attempts: u32) {
        let left = Sent::Left { detail: "is left".to_owned() };
        let settled = settled(&duty().host, "p", attempts, &left, NOW);
        prop_assert!(!settled.done);
        prop_assert_eq!((settled.attempts, settled.next_try_at, settled.not_before), (attempts, None, None));
        prop_assert_eq!(settled.error.is_some(), attempts > 0);
    }

    #[test]
    fn a_failure_never_says_that_the_provider_has_anything(attempts: u32, after_seconds: Option<u32>, refused: bool) {
        let outcome = if refused {
            Sent::Refused { detail: "x".repeat(1000) }
        } else {
            Sent::Later { after_seconds, detail: "x".repeat(1000) }
        };
        let settled = settled(&duty().host, "p", attempts, &outcome, NOW);
        prop_assert!(!settled.done);
        prop_assert_eq!(settled.acknowledged_at, None);
        prop_assert!(settled.next_try_at > Some(NOW));
        prop_assert!(settled.error.unwrap().len() <= KEPT_CHARS);
    }
}
