use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_795_255_200);

fn due(id: i64, channel: &str, attempts: usize) -> Due {
    Due {
        id,
        channel: channel.to_owned(),
        at: NOW,
        attempts,
    }
}

fn failing(retry_after: Option<i64>) -> Attempt {
    Attempt::Failing {
        error: "answered 500".to_owned(),
        retry_after,
    }
}

fn minutes(notes: &Notes) -> Vec<i64> {
    let rows = notes.progress.iter();
    rows.map(|row| (row.due_at - NOW) / 60).collect()
}

#[test]
fn what_is_delivered_is_settled_and_what_is_not_waits_longer_each_time() {
    let delivered = notes(vec![(due(1, "a", 1), Attempt::Delivered)], NOW);
    assert_eq!(delivered.progress[0].settled_at, Some(NOW));
    let note = ChannelNote {
        channel: "a".to_owned(),
        sent: 1,
        ok: true,
        ..ChannelNote::default()
    };
    assert_eq!(delivered.channels, [note]);

    let failed = (1..=9).map(|attempts| (due(1, "a", attempts), failing(None)));
    let failed = notes(failed.collect(), NOW);
    assert_eq!(minutes(&failed), [1, 2, 4, 8, 15, 30, 60, 60, 60]);
    assert!(failed.progress.iter().all(|row| row.settled_at.is_none()));
}

#[test]
fn a_channel_that_says_how_long_to_wait_is_waited_for() {
    let waits = |seconds| minutes(&notes(vec![(due(1, "a", 1), failing(Some(seconds)))], NOW))[0];
    assert_eq!(
        (waits(5), waits(600), waits(99_999), waits(-5)),
        (1, 10, 60, 1)
    );
}

#[test]
fn a_channel_that_fails_is_left_alone_and_one_that_refuses_a_message_is_not() {
    let run = notes(
        vec![
            (due(1, "a", 3), failing(None)),
            (due(2, "a", 1), Attempt::NotTried),
            (due(3, "b", 1), Attempt::Refused("answered 400".to_owned())),
            (due(4, "b", 1), Attempt::Delivered),
            (due(5, "gone", 1), Attempt::Moot),
        ],
        NOW,
    );
    let rows: Vec<_> = run
        .progress
        .iter()
        .map(|row| (row.id, row.attempts, row.settled_at.is_some()))
        .collect();
    let expected = [
        (1, 3, false),
        (2, 0, false),
        (3, 1, false),
        (4, 1, true),
        (5, 1, true),
    ];
    assert_eq!(rows, expected);
    let [a, b] = &run.channels[..] else {
        panic!("{:?}", run.channels)
    };
    assert_eq!((a.not_before, a.ok), (Some(NOW.plus_seconds(240)), false));
    assert_eq!((b.not_before, b.ok, b.sent), (None, true, 1));
    assert_eq!(b.error.as_deref(), Some("answered 400"));
}

#[test]
fn after_a_day_an_alert_is_given_up() {
    let old = Due {
        at: NOW.plus_seconds(-MAX_AGE_SECONDS - 1),
        ..due(1, "a", 20)
    };
    let run = notes(vec![(old, failing(None))], NOW);
    assert_eq!(run.progress[0].settled_at, Some(NOW));
    assert_eq!(run.given_up.get("a"), Some(&1));
}

#[test]
fn a_status_tells_the_message_from_the_channel() {
    for status in [200, 204, 299] {
        assert_eq!(attempt(status, None), Attempt::Delivered);
    }
    for status in [400, 413, 422] {
        assert!(
            matches!(attempt(status, None), Attempt::Refused(_)),
            "{status}"
        );
    }
    for status in [301, 307, 401, 403, 404, 408, 429, 500, 503] {
        assert!(
            matches!(attempt(status, None), Attempt::Failing { .. }),
            "{status}"
        );
    }
    for (header, seconds) in [
        ("30", Some(31)),
        (" 1.529 ", Some(2)),
        ("Sun, 22 Nov 2026 10:00:00 GMT", None),
        ("", None),
    ] {
        let Attempt::Failing { retry_after, .. } = attempt(429, Some(header)) else {
            panic!()
        };
        assert_eq!(retry_after, seconds, "{header}");
    }
}

#[test]
fn the_notes_rows_are_pinned() {
    let run = notes(
        vec![
            (due(1, "a", 1), failing(None)),
            (due(2, "b", 1), Attempt::Delivered),
        ],
        NOW,
    );
    assert_eq!(
        serde_json::to_string(&run.progress).unwrap(),
        r#"[{"id":1,"due_at":"2026-11-21T10:01:00Z","attempts":1,"settled_at":null},{"id":2,"due_at":"2026-11-21T10:00:00Z","attempts":1,"settled_at":"2026-11-21T10:00:00Z"}]"#
    );
    assert_eq!(
        serde_json::to_string(&run.channels).unwrap(),
        r#"[{"channel":"a","sent":0,"ok":false,"error":"answered 500","not_before":"2026-11-21T10:01:00Z"},{"channel":"b","sent":1,"ok":true,"error":null,"not_before":null}]"#
    );
}

proptest! {
    #[test]
    fn an_alert_is_settled_or_due_again_later_and_never_lost(
        attempts in 0_usize..100, age in 0_i64..200_000, how in 0_u8..5, retry_after: Option<i64>,
    ) {
        let attempt = match how {
            0 => Attempt::Delivered,
            1 => Attempt::Refused(String::new()),
            2 => failing(retry_after),
            3 => Attempt::NotTried,
            _ => Attempt::Moot,
        };
        let tried = !matches!(attempt, Attempt::NotTried);
        let row = Due { at: NOW.plus_seconds(-age), ..due(1, "a", attempts) };
        let notes = notes(vec![(row, attempt.clone())], NOW);
        let row = &notes.progress[0];
        let is_over = matches!(attempt, Attempt::Delivered | Attempt::Moot) || age > MAX_AGE_SECONDS;
        prop_assert_eq!(row.settled_at.is_some(), is_over);
        prop_assert!(row.due_at - NOW <= 3600);
        if tried && !is_over {
            prop_assert!(row.due_at - NOW >= 60);
        }
    }
}

#[test]
fn no_more_reminders_are_put_in_than_are_sent_on_a_day() {
    let mut reminded = Reminded::default();
    let morning = Timestamp::from_seconds(1_795_255_200);
    let room = |reminded: &mut Reminded, channel, now| {
        let all = (0..1000).filter(|_| reminded.count(channel, now));
        u32::try_from(all.count()).unwrap()
    };
    assert_eq!(room(&mut reminded, "chat", morning), MAX_REMINDERS_A_DAY);
    assert_eq!(room(&mut reminded, "mail", morning), MAX_REMINDERS_A_DAY);
    assert_eq!(room(&mut reminded, "chat", morning.plus_seconds(3600)), 0);
    let tomorrow = morning.plus_seconds(24 * 3600);
    assert_eq!(room(&mut reminded, "chat", tomorrow), MAX_REMINDERS_A_DAY);
    let mut reminded = Reminded::default();
    reminded.count("chat", morning);
    let json = serde_json::to_string(&reminded).unwrap();
    assert_eq!(json, r#"{"day":20778,"channels":{"chat":1}}"#);
}
