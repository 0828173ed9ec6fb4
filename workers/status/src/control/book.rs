//! The book of revisions and the value in KV, kept together. How, the parent module tells.

use edge::Failure;
use types::{
    Code, Sha1, Timestamp,
    control::{Document, Invalid, MAX_BYTES},
};

use super::{change, text};

/// How long KV may take to show a write everywhere, with some to spare.
pub const SETTLED_SECONDS: i64 = 90;
/// For how long a text that was taken over from KV may be seen there again.
pub const TAKEN_SECONDS: i64 = 600;
/// How often a change begins again because another one was first.
const ATTEMPTS: usize = 6;
/// How often KV is written to until a write goes through.
const WRITES: usize = 3;
/// KV takes one write a second of a key; in milliseconds.
const PAUSE_MS: u64 = 1100;
/// Who changed what was changed by hand in KV.
pub const BY_HAND: &str = "kv";

/// A revision as it stands in the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub revision: u32,
    pub at: Timestamp,
    /// The document, as KV is to hold it.
    pub after: String,
}

/// A revision to be claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub revision: u32,
    pub at: Timestamp,
    pub by: String,
    pub before: Option<String>,
    pub after: String,
    /// Of the text in KV that is taken over.
    pub kv_sha1: Option<Sha1>,
}

/// D1 and KV, as this module uses them.
pub trait Book {
    /// The last revision, if there is one.
    async fn last(&self) -> Result<Option<Row>, Failure>;
    /// A revision's text.
    async fn text(&self, revision: u32) -> Result<Option<String>, Failure>;
    /// Whether a text of this hash was taken over from KV since then.
    async fn was_taken(&self, kv_sha1: &Sha1, since: Timestamp) -> Result<bool, Failure>;
    /// Inserts the row, unless its revision is there.
    async fn claim(&self, claim: &Claim) -> Result<bool, Failure>;
    /// What KV holds, as seen from here.
    async fn held(&self) -> Result<Option<String>, Failure>;
    /// Writes it to KV, which refuses a second write within a second.
    async fn hold(&self, text: &str) -> Result<(), Failure>;
    async fn wait(&self, millis: u64);
    /// Puts on the log what was found or survived.
    fn tell(&self, what: &str);
}

/// The last revision, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    pub document: Document,
    /// As it is stored; its hash is the entity tag.
    pub text: String,
    /// What is wrong with what KV holds instead, if it was broken by hand.
    pub problem: Option<Invalid>,
}

impl Current {
    /// What there is before the first change.
    fn first() -> Self {
        Self::made(Document::default())
    }

    fn made(document: Document) -> Self {
        Self {
            text: document.to_text(),
            document,
            problem: None,
        }
    }

    /// What a row holds.
    pub fn of(row: Row) -> Result<Self, Failure> {
        let document = Document::from_text(&row.after).map_err(|error| {
            Failure::internal(format!("control_history {}: {error}", row.revision))
        })?;
        Ok(Self {
            document,
            text: row.after,
            problem: None,
        })
    }
}

/// Reads a text that is said to be a document, as KV may hold it after an edit by hand.
pub fn read(text: &str) -> Result<Document, Invalid> {
    if text.len() > MAX_BYTES {
        let message = format!("has {} bytes; {MAX_BYTES} are the most", text.len());
        return Err(Invalid::new("", message));
    }
    let document = Document::from_text(text)?;
    document.validate(text::check)?;
    Ok(document)
}

/// The last revision, after whatever was found in KV has been dealt with.
pub async fn current(book: &impl Book, now: Timestamp) -> Result<Current, Failure> {
    let (current, behind) = looked(book, now).await?;
    if behind {
        publish(book, &current).await;
    }
    Ok(current)
}

/// The last revision, once an edit by hand is one, and whether KV is to be given it.
async fn looked(book: &impl Book, now: Timestamp) -> Result<(Current, bool), Failure> {
    for _ in 0..ATTEMPTS {
        let last = book.last().await?;
        let held = book.held().await?;
        let settled = last
            .as_ref()
            .is_none_or(|last| now - last.at > SETTLED_SECONDS);
        let last = last.map_or_else(|| Ok(Current::first()), Current::of)?;
        let Some(held) = held else {
            let is_gone = settled && last.document.revision > 0;
            return Ok((last, is_gone));
        };
        if held == last.text {
            return Ok((last, false));
        }
        let edited = match read(&held) {
            Err(problem) => {
                let problem = Some(problem);
                return Ok((Current { problem, ..last }, false));
            }
            Ok(edited) => edited,
        };
        let hash = Sha1::of(held.as_bytes());
        let next = change::next(edited.clone(), &last.document, BY_HAND, now);
        let old = next.wants_same(&last.document)
            || book.text(edited.revision).await?.as_ref() == Some(&held)
            || book
                .was_taken(&hash, now.plus_seconds(-TAKEN_SECONDS))
                .await?;
        if old {
            return Ok((last, settled));
        }
        if let Some(taken) = claim(book, &next, &last, Some(hash), now).await? {
            book.tell(&format!("an edit by hand is revision {}", next.revision));
            return Ok((taken, true));
        }
    }
    Err(busy())
}

/// Makes the next revision. `wish` makes a document of the last one, and is asked again when another
/// change was first; a wish for what is there already changes nothing. KV is written once: what is
/// published leaves nothing to repair.
pub async fn change(
    book: &impl Book,
    by: &str,
    now: Timestamp,
    wish: impl Fn(&Current) -> Result<Document, Failure>,
) -> Result<Current, Failure> {
    for _ in 0..ATTEMPTS {
        let (last, behind) = looked(book, now).await?;
        let next = match wish(&last) {
            Ok(wanted) => change::next(wanted, &last.document, by, now),
            Err(refused) => {
                if behind {
                    publish(book, &last).await;
                }
                return Err(refused);
            }
        };
        if next.wants_same(&last.document) {
            if last.problem.is_some() {
                write(book, &last).await?;
            } else if behind {
                publish(book, &last).await;
            }
            return Ok(Current {
                problem: None,
                ..last
            });
        }
        if let Some(made) = claim(book, &next, &last, None, now).await? {
            publish(book, &made).await;
            return Ok(made);
        }
    }
    Err(busy())
}

fn busy() -> Failure {
    let detail = "others keep changing the document; nothing was changed, try again";
    Failure::new(Code::Conflict, detail)
}

/// Claims the revision of `next`; `None` when another change has it.
async fn claim(
    book: &impl Book,
    next: &Document,
    last: &Current,
    kv_sha1: Option<Sha1>,
    now: Timestamp,
) -> Result<Option<Current>, Failure> {
    let made = Current::made(next.clone());
    let claim = Claim {
        revision: next.revision,
        at: now,
        by: next.updated_by.clone().unwrap_or_default(),
        before: (last.document.revision > 0).then(|| last.text.clone()),
        after: made.text.clone(),
        kv_sha1,
    };
    Ok(book.claim(&claim).await?.then_some(made))
}

/// Writes a revision to KV. That it fails is survived: the revision is made, and the cron writes it
/// again.
async fn publish(book: &impl Book, made: &Current) {
    if let Err(failure) = write(book, made).await {
        book.tell(&failure.into_message());
    }
}

/// Writes a revision to KV, and in its place or over it any that was made meanwhile and may have been
/// written before. A refused write is tried again after a pause, by whoever made a revision: of two
/// changes in a second KV refuses the later one.
async fn write(book: &impl Book, made: &Current) -> Result<(), Failure> {
    let mut newest = (made.document.revision, made.text.clone());
    let mut outcome = Ok(());
    for attempt in 0..WRITES {
        if attempt > 0 {
            book.wait(PAUSE_MS).await;
        }
        outcome = book.hold(&newest.1).await;
        match book.last().await {
            Ok(Some(last)) if last.revision > newest.0 => newest = (last.revision, last.after),
            Ok(_) if outcome.is_ok() => break,
            Ok(_) => {}
            Err(failure) => {
                book.tell(&failure.into_message());
                if outcome.is_ok() {
                    break;
                }
            }
        }
    }
    outcome
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
