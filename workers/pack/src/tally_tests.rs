use proptest::prelude::*;

use super::*;

const NOON: i64 = 1_795_262_400_000; // 2026-11-21T12:00:00Z

fn pack(number: u8) -> Sha1 {
    Sha1::of(&[number])
}

fn total(rows: &[Row]) -> u64 {
    rows.iter().map(|row| row.count).sum()
}

#[test]
fn a_version_is_what_the_client_says_of_itself_and_nothing_else() {
    for (said, agent, expected) in [
        (Some("1.21.4"), None, "1.21.4"),
        (Some("26.1"), Some("Minecraft Java/1.21.4"), "26.1"),
        (None, Some("Minecraft Java/1.20.1"), "1.20.1"),
        (None, Some("Minecraft Java/25w31a"), "snapshot"),
        (Some("1.21.11-rc1"), None, "snapshot"),
        (Some("1.21-pre4"), None, "snapshot"),
        (Some("26.1-snapshot-3"), None, "snapshot"),
        (Some("24w14potato"), None, "snapshot"),
        (Some("Notch"), Some("Minecraft Java/1.20.1"), "other"),
        (Some("5b6f3f0e6d0e4d0c9d0e0d6c5c6f2a11"), None, "other"),
        (Some("1.21.4.5"), None, "other"),
        (Some("1"), None, "other"),
        (Some("123.1"), None, "other"),
        (Some("1..2"), None, "other"),
        (Some("1.２"), None, "other"),
        (Some(""), None, "other"),
        (None, Some("curl/8.5.0"), "other"),
        (None, Some("Mozilla/5.0 Minecraft Java/1.20.1"), "other"),
        (None, None, "other"),
    ] {
        let version = version_of(said, agent);
        assert_eq!(version.as_deref(), Some(expected), "{said:?} {agent:?}");
    }
    assert_eq!(version_of(None, Some(CHECK_AGENT)), None);
}

#[test]
fn the_first_of_a_burst_writes_for_all_of_it() {
    let mut tally = Tally::new();
    assert_eq!(tally.count(pack(1), "1.21.4", NOON), Writer::Later);
    for second in 1..20 {
        let writer = tally.count(pack(1), "1.21.4", NOON + second * 1000);
        assert_eq!(writer, Writer::Another);
    }
    assert_eq!(
        tally.count(pack(2), "1.20.1", NOON + 19_500),
        Writer::Another
    );
    let rows = tally.take();
    let row = |sha1, version: &str, count, at| Row {
        day: "2026-11-21".to_owned(),
        sha1,
        version: version.to_owned(),
        count,
        last_at: Timestamp::from_millis(NOON + at),
    };
    assert_eq!(
        rows,
        [
            row(pack(1), "1.21.4", 20, 19_000),
            row(pack(2), "1.20.1", 1, 19_500)
        ]
    );
    assert_eq!(tally.take(), []);
    assert_eq!(tally.count(pack(1), "1.21.4", NOON + 30_000), Writer::Later);
}

#[test]
fn a_writer_that_never_came_is_replaced() {
    let mut tally = Tally::new();
    assert_eq!(tally.count(pack(1), "1.21.4", NOON), Writer::Later);
    let overdue = NOON + OVERDUE_MS;
    assert_eq!(tally.count(pack(1), "1.21.4", overdue), Writer::Another);
    assert_eq!(tally.count(pack(1), "1.21.4", overdue + 1), Writer::Later);
    assert_eq!(total(&tally.take()), 3);
}

#[test]
fn midnight_parts_the_days() {
    let mut tally = Tally::new();
    tally.count(pack(1), "1.21.4", NOON + 12 * 3_600_000 - 1);
    tally.count(pack(1), "1.21.4", NOON + 12 * 3_600_000);
    let days: Vec<String> = tally.take().into_iter().map(|row| row.day).collect();
    assert_eq!(days, ["2026-11-21", "2026-11-22"]);
}

#[test]
fn what_could_not_be_written_is_counted_on_and_not_tried_at_once() {
    let mut tally = Tally::new();
    for number in 0..47 {
        tally.count(pack(number), "1.21.4", NOON);
    }
    assert_eq!(tally.count(pack(47), "1.21.4", NOON), Writer::Now);
    let rows = tally.take();
    tally.count(pack(0), "1.21.4", NOON + 10);
    tally.put_back(rows, NOON + 10);
    let writer = tally.count(pack(0), "1.21.4", NOON + 20);
    assert_eq!(writer, Writer::Another);
    let later = tally.count(pack(0), "1.21.4", NOON + 10 + HELD_MS);
    assert_eq!(later, Writer::Now);
    assert_eq!(total(&tally.take()), 51);
}

#[test]
fn any_number_of_claimed_versions_makes_a_bounded_number_of_rows() {
    let mut tally = Tally::new();
    for number in 0..1000 {
        tally.count(
            pack(1),
            &format!("1.{}.{}", number / 100, number % 100),
            NOON,
        );
    }
    let rows = tally.take();
    assert_eq!((rows.len(), total(&rows)), (MOST_VERSIONS + 1, 1000));
    let mut written = rows.len();
    for _ in 0..10_000 {
        for version in ["1.1", "1.2", "1.3", "1.4"] {
            tally.count(pack(1), version, NOON);
        }
        written += tally.take().len();
    }
    assert!(written < DAILY_ROWS + 4 + 10_000, "{written}");
    let tomorrow = NOON + 86_400_000;
    tally.count(pack(1), "1.1", tomorrow);
    assert_eq!(tally.take()[0].version, "1.1");
}

proptest! {
    #[test]
    fn no_header_becomes_anything_but_a_version(said in "\\PC*", agent in "(Minecraft Java/)?\\PC*") {
        for version in [version_of(Some(&said), None), version_of(None, Some(&agent))].into_iter().flatten() {
            let numbers = version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            prop_assert!(version == "other" || version == "snapshot" || (numbers && version.len() <= 8));
        }
    }
}
