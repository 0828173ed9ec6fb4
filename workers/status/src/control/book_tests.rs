//! Revisions with calls that fail, at once, and over a KV that shows old values.

use std::cell::{Cell, RefCell};

use futures::{
    executor::block_on,
    future::{join_all, poll_fn},
};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_795_255_200);

/// D1 and KV in memory. Every call gives others their turn first.
#[derive(Default)]
struct Memory {
    rows: RefCell<Vec<Claim>>,
    kv: RefCell<Option<String>>,
    /// What KV shows in place of what it holds.
    shown: RefCell<Option<String>>,
    /// Calls until one fails.
    failing: Cell<Option<usize>>,
    written: Cell<usize>,
    /// A clock, in milliseconds; each call takes ten.
    millis: Cell<u64>,
    /// When KV was written last, if it takes one write a second as in production.
    limited: Cell<Option<u64>>,
}

impl Memory {
    /// One whose KV takes one write a second.
    fn limited() -> Self {
        let book = Self::default();
        book.millis.set(1000);
        book.limited.set(Some(0));
        book
    }

    async fn call(&self) -> Result<(), Failure> {
        let mut waited = false;
        poll_fn(|context| {
            if std::mem::replace(&mut waited, true) {
                return std::task::Poll::Ready(());
            }
            context.waker().wake_by_ref();
            std::task::Poll::Pending
        })
        .await;
        self.millis.set(self.millis.get() + 10);
        match self.failing.get() {
            Some(0) => Err(Failure::internal("cut")),
            left => {
                self.failing.set(left.map(|left| left - 1));
                Ok(())
            }
        }
    }

    fn revisions(&self) -> Vec<u32> {
        self.rows.borrow().iter().map(|row| row.revision).collect()
    }

    fn last_text(&self) -> Option<String> {
        self.rows.borrow().last().map(|row| row.after.clone())
    }

    fn by(&self) -> Vec<String> {
        self.rows
            .borrow()
            .iter()
            .map(|row| row.by.clone())
            .collect()
    }
}

impl Book for Memory {
    async fn last(&self) -> Result<Option<Row>, Failure> {
        self.call().await?;
        let rows = self.rows.borrow();
        Ok(rows.last().map(|row| Row {
            revision: row.revision,
            at: row.at,
            after: row.after.clone(),
        }))
    }

    async fn text(&self, revision: u32) -> Result<Option<String>, Failure> {
        self.call().await?;
        let rows = self.rows.borrow();
        let row = rows.iter().find(|row| row.revision == revision);
        Ok(row.map(|row| row.after.clone()))
    }

    async fn was_taken(&self, kv_sha1: &Sha1, since: Timestamp) -> Result<bool, Failure> {
        self.call().await?;
        let rows = self.rows.borrow();
        Ok(rows
            .iter()
            .any(|row| row.kv_sha1 == Some(*kv_sha1) && row.at >= since))
    }

    async fn claim(&self, claim: &Claim) -> Result<bool, Failure> {
        self.call().await?;
        let taken = self.revisions().contains(&claim.revision);
        if !taken {
            self.rows.borrow_mut().push(claim.clone());
        }
        Ok(!taken)
    }

    async fn held(&self) -> Result<Option<String>, Failure> {
        self.call().await?;
        let shown = self.shown.borrow().clone();
        Ok(shown.or_else(|| self.kv.borrow().clone()))
    }

    async fn hold(&self, text: &str) -> Result<(), Failure> {
        self.call().await?;
        let millis = self.millis.get();
        if let Some(last) = self.limited.get() {
            if millis < last + 1000 {
                return Err(Failure::internal("KV: 429 Too Many Requests"));
            }
            self.limited.set(Some(millis));
        }
        self.written.set(self.written.get() + 1);
        *self.kv.borrow_mut() = Some(text.to_owned());
        Ok(())
    }

    async fn wait(&self, millis: u64) {
        self.millis.set(self.millis.get() + millis);
        drop(self.call().await);
    }

    fn tell(&self, _: &str) {}
}

fn motd(line: &str) -> Document {
    change::replaced(json!({"motd": {"entries": [{"lines": [line]}]}})).unwrap()
}

fn put(book: &Memory, line: &str, now: Timestamp) -> Result<Current, Failure> {
    block_on(change(book, "ci", now, |_| Ok(motd(line))))
}

fn look(book: &Memory, now: Timestamp) -> Current {
    block_on(current(book, now)).unwrap()
}

fn shown(current: &Current) -> (u32, &str) {
    let entry = current.document.motd.entries.first();
    (
        current.document.revision,
        entry.map_or("", |entry| &entry.lines[0]),
    )
}

/// The audit is a chain without a gap.
fn assert_chain(book: &Memory) {
    let rows = book.rows.borrow();
    let mut before: Option<String> = None;
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row.revision as usize, index + 1);
        assert_eq!(row.before, before);
        before = Some(row.after.clone());
    }
}

#[test]
fn a_change_is_a_row_and_the_same_text_in_kv() {
    let book = Memory::default();
    assert_eq!(shown(&look(&book, NOW)), (0, ""));
    put(&book, "one", NOW).unwrap();
    assert_eq!(shown(&put(&book, "two", NOW).unwrap()), (2, "two"));
    assert_eq!(*book.kv.borrow(), book.last_text());
    // The same again is no change.
    assert_eq!(shown(&put(&book, "two", NOW).unwrap()), (2, "two"));
    assert_eq!((book.revisions(), book.written.get()), (vec![1, 2], 2));
    assert_chain(&book);
}

#[test]
fn of_changes_at_once_each_has_its_own_revision() {
    let book = Memory::default();
    let lines: Vec<_> = (0..20).map(|n| n.to_string()).collect();
    let changes = lines
        .iter()
        .map(|line| change(&book, "ci", NOW, move |_| Ok(motd(line))));
    let made = block_on(join_all(changes));
    let won: Vec<_> = made
        .iter()
        .flatten()
        .map(|made| made.document.revision)
        .collect();
    assert!(won.len() >= ATTEMPTS, "{won:?}");
    assert_eq!(book.revisions().len(), won.len());
    for failure in made.into_iter().filter_map(Result::err) {
        assert_eq!(failure.into_problem().0.code, Code::Conflict);
    }
    assert_chain(&book);
    assert_eq!(
        *book.kv.borrow(),
        book.last_text(),
        "KV ends with the last one"
    );
}

#[test]
fn two_changes_in_a_second_are_both_in_kv_which_takes_one_write_a_second() {
    let book = Memory::limited();
    put(&book, "one", NOW).unwrap();
    assert_eq!(shown(&put(&book, "two", NOW).unwrap()), (2, "two"));
    assert_eq!(*book.kv.borrow(), book.last_text());
    // Three at once, of which the last one wins.
    let changes = ["a", "b", "c"].map(|line| change(&book, "ci", NOW, move |_| Ok(motd(line))));
    let made = block_on(join_all(changes));
    assert!(made.iter().all(Result::is_ok));
    assert_eq!(*book.kv.borrow(), book.last_text());
    assert_chain(&book);
}

#[test]
fn an_edit_by_hand_that_a_change_replaces_is_a_revision_and_no_write() {
    let book = Memory::limited();
    put(&book, "one", NOW).unwrap();
    book.millis.set(10_000);
    *book.kv.borrow_mut() = Some(r#"{"motd": {"entries": [{"lines": ["hand"]}]}}"#.to_owned());
    assert_eq!(shown(&put(&book, "three", NOW).unwrap()), (3, "three"));
    assert_eq!(
        (book.by(), book.written.get()),
        (vec!["ci".to_owned(), "kv".to_owned(), "ci".to_owned()], 2)
    );
    assert_eq!(*book.kv.borrow(), book.last_text());
    assert!(book.millis.get() < 11_000, "nobody had to wait");
    // One whose change is refused is taken over all the same.
    book.millis.set(20_000);
    *book.kv.borrow_mut() = Some(r#"{"motd": {"entries": [{"lines": ["again"]}]}}"#.to_owned());
    let refused = change(&book, "ci", NOW, |_| {
        Err(Failure::new(Code::PreconditionFailed, "changed"))
    });
    assert!(block_on(refused).is_err());
    assert_eq!(book.revisions(), [1, 2, 3, 4]);
    assert_eq!(*book.kv.borrow(), book.last_text());
}

#[test]
fn a_condition_is_asked_again_of_what_was_first() {
    let book = Memory::default();
    let lines: Vec<_> = (0..20).map(|n| n.to_string()).collect();
    let changes = lines.iter().map(|line| {
        change(&book, "ci", NOW, move |last| match last.document.revision {
            0 => Ok(motd(line)),
            _ => Err(Failure::new(Code::PreconditionFailed, "changed")),
        })
    });
    let made = block_on(join_all(changes));
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
    assert_eq!(book.revisions(), [1]);
}

#[test]
fn wherever_it_is_cut_the_next_look_finds_and_repairs_it() {
    for cut in 0..12 {
        let book = Memory::default();
        put(&book, "one", NOW).unwrap();
        book.failing.set(Some(cut));
        let made = put(&book, "two", NOW).is_ok();
        book.failing.set(None);
        let later = NOW.plus_seconds(SETTLED_SECONDS + 1);
        let seen = look(&book, later);
        assert_eq!(*book.kv.borrow(), book.last_text(), "cut {cut}");
        if made {
            assert_eq!(
                shown(&seen),
                (2, "two"),
                "cut {cut}: what was answered is there"
            );
        }
        assert_chain(&book);
    }
}

#[test]
fn a_value_that_is_lost_or_old_is_written_again_once_it_had_its_time() {
    let book = Memory::default();
    put(&book, "one", NOW).unwrap();
    let one = book.last_text();
    put(&book, "two", NOW).unwrap();
    for old in [None, one] {
        *book.kv.borrow_mut() = old.clone();
        assert_eq!(
            shown(&look(&book, NOW.plus_seconds(SETTLED_SECONDS))),
            (2, "two")
        );
        assert_eq!(*book.kv.borrow(), old);
        assert_eq!(
            shown(&look(&book, NOW.plus_seconds(SETTLED_SECONDS + 1))),
            (2, "two")
        );
        assert_eq!(*book.kv.borrow(), book.last_text());
    }
    assert_eq!(book.revisions(), [1, 2]);
}

#[test]
fn an_edit_by_hand_is_a_revision_by_kv_once() {
    let book = Memory::default();
    put(&book, "one", NOW).unwrap();
    let edits = [
        book.last_text().unwrap().replace("one", "same revision"),
        r#"{"motd": {"entries": [{"lines": ["no revision"]}]}}"#.to_owned(),
        r#"{"revision": 77, "motd": {"entries": [{"lines": ["another"]}]}}"#.to_owned(),
    ];
    for (index, (edit, line)) in edits
        .iter()
        .zip(["same revision", "no revision", "another"])
        .enumerate()
    {
        *book.kv.borrow_mut() = Some(edit.clone());
        let revision = u32::try_from(index).unwrap() + 2;
        assert_eq!(shown(&look(&book, NOW)), (revision, line));
        assert_eq!(*book.kv.borrow(), book.last_text());
        // KV still shows the edit elsewhere: it is not taken over again, not even over a newer change.
        *book.shown.borrow_mut() = Some(edit.clone());
        assert_eq!(shown(&look(&book, NOW.plus_seconds(60))), (revision, line));
        *book.shown.borrow_mut() = None;
    }
    *book.shown.borrow_mut() = Some(edits[2].clone());
    put(&book, "five", NOW.plus_seconds(30)).unwrap();
    assert_eq!(shown(&look(&book, NOW.plus_seconds(31))), (5, "five"));
    *book.shown.borrow_mut() = None;
    assert_eq!(book.by(), ["ci", "kv", "kv", "kv", "ci"]);
    assert_chain(&book);
    // Put there again on another day, it is a wish again.
    let day = NOW.plus_seconds(86_400);
    *book.kv.borrow_mut() = Some(edits[2].clone());
    assert_eq!(shown(&look(&book, day)), (6, "another"));
}

#[test]
fn the_same_wish_in_another_form_is_no_change() {
    let book = Memory::default();
    put(&book, "one", NOW).unwrap();
    let text = r#" {"motd": {"entries": [{"lines": ["one"]}]}} "#;
    *book.kv.borrow_mut() = Some(text.to_owned());
    assert_eq!(shown(&look(&book, NOW.plus_seconds(100))), (1, "one"));
    assert_eq!(*book.kv.borrow(), book.last_text());
}

#[test]
fn what_is_broken_by_hand_is_told_and_left_until_somebody_changes_something() {
    let book = Memory::default();
    put(&book, "one", NOW).unwrap();
    let nested = format!(
        r#"{{"motd":{{"entries":[{{"lines":["{}"]}}]}}}}"#,
        "<b>".repeat(100_000)
    );
    let table = [
        ("", "is no JSON"),
        ("{", "is no JSON"),
        ("\u{0}", "is no JSON"),
        ("null", "must be an object"),
        (r#"{"v":2}"#, "v: version 2"),
        (
            r#"{"motd":{"entries":[{"lines":["\ud800"]}]}}"#,
            "is no JSON",
        ),
        (
            r#"{"motd":{"entries":[{"lines":["<nope>"]}]}}"#,
            "motd.entries[0].lines[0]: character 0",
        ),
        (&nested, "has 300037 bytes"),
        (&"[".repeat(50_000), "is no JSON"),
    ];
    for (broken, expected) in table {
        *book.kv.borrow_mut() = Some(broken.to_owned());
        let seen = look(&book, NOW.plus_seconds(1000));
        assert_eq!(shown(&seen), (1, "one"));
        let problem = seen.problem.unwrap().to_string();
        assert!(problem.starts_with(expected), "{problem}");
        assert_eq!(book.kv.borrow().as_deref(), Some(broken));
        // Even a change that says what is in force.
        assert_eq!(put(&book, "one", NOW).unwrap().problem, None);
        assert_eq!(*book.kv.borrow(), book.last_text());
    }
    assert_eq!(book.revisions(), [1]);
}

proptest! {
    #[test]
    fn whatever_happens_the_audit_is_whole(steps in prop::collection::vec((0..5_u8, 0..4_u8, 0..9_usize), 1..25)) {
        let book = Memory::default();
        let mut now = NOW;
        for (step, line, cut) in steps {
            let line = format!("line {line}");
            match step {
                0 | 1 => drop(put(&book, &line, now)),
                2 => {
                    book.failing.set(Some(cut));
                    drop(put(&book, &line, now));
                    book.failing.set(None);
                }
                3 => *book.kv.borrow_mut() = None,
                _ => *book.kv.borrow_mut() = serde_json::to_string(&motd(&line)).ok(),
            }
            now = now.plus_seconds(700);
            look(&book, now);
            assert_chain(&book);
            prop_assert!(book.rows.borrow().is_empty() || *book.kv.borrow() == book.last_text());
        }
    }
}
