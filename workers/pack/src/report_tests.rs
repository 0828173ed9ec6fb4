use types::PackName;
use uuid::Uuid;

use super::*;
use crate::uploads::{Found, NewUpload};

const NOW: Timestamp = Timestamp::from_seconds(1_795_255_200);

#[test]
fn the_stored_form_is_pinned() {
    let mut report = Report::new(NOW);
    report.fail("kv");
    report.fail("kv");
    report.uploads.rejected = 2;
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(
        text,
        r#"{"v":1,"at":"2026-11-21T10:00:00Z","failed":["kv"],"unreadable":0,"kv_put_right":0,"kv_runs":0,"unfetchable":0,"uploads":{"waiting":0,"stuck":0,"rejected":2,"rejected_left":0}}"#
    );
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
}

#[test]
fn runs_that_put_kv_right_are_counted_while_they_follow_each_other() {
    let mut before = None;
    let runs = [1, 3, 0, 1].map(|put_right| {
        let mut report = Report::new(NOW);
        report.kv_put_right = put_right;
        report.follow(before.as_ref());
        let runs = report.kv_runs;
        before = Some(report);
        runs
    });
    assert_eq!(runs, [1, 2, 0, 1]);
}

fn in_parts() -> Record {
    let asked: NewUpload = serde_json::from_str(r#"{"size":10}"#).unwrap();
    Record::in_parts(asked, Uuid::nil(), "ci".to_owned(), NOW, 100).unwrap()
}

fn put_directly() -> Record {
    let found = Found {
        pack: PackName::main(),
        key: "incoming/main/a.zip".to_owned(),
        etag: "e".to_owned(),
        size: 10,
        put_at: NOW,
    };
    Record::incoming(&found, NOW)
}

fn counted(record: &Record, is_there: bool, after: i64) -> [u32; 4] {
    let mut counts = UploadCounts::default();
    counts.count(record, is_there, NOW.plus_seconds(after));
    let UploadCounts {
        waiting,
        stuck,
        rejected,
        rejected_left,
    } = counts;
    [waiting, stuck, rejected, rejected_left]
}

#[test]
fn uploads_are_counted_by_where_they_are() {
    const DAY: i64 = 24 * 60 * 60;
    let mut record = in_parts();
    assert_eq!(counted(&record, false, DAY), [1, 0, 0, 0]);
    assert_eq!(counted(&record, false, DAY + 1), [0; 4]);
    record.state = State::Verifying;
    assert_eq!(counted(&record, false, STUCK), [1, 0, 0, 0]);
    assert_eq!(counted(&record, false, STUCK + 1), [1, 1, 0, 0]);
    record.state = State::Rejected;
    assert_eq!(counted(&record, false, DAY), [0, 0, 1, 0]);
    assert_eq!(counted(&record, false, DAY + 1), [0; 4]);
    record.state = State::Ready;
    assert_eq!(counted(&record, false, 0), [0; 4]);
}

#[test]
fn an_object_that_was_rejected_counts_for_as_long_as_it_lies_there() {
    let mut record = put_directly();
    record.state = State::Rejected;
    assert_eq!(counted(&record, true, 1_000_000), [0, 0, 1, 1]);
    assert_eq!(counted(&record, false, 0), [0, 0, 1, 0]);
    let mut counts = UploadCounts::default();
    counts.unannounced(STUCK);
    counts.unannounced(STUCK + 1);
    assert_eq!((counts.waiting, counts.stuck), (2, 1));
}
