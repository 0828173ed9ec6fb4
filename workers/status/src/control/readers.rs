//! What readers get of the control document: KV's, or the last good one.

use std::{cell::RefCell, rc::Rc};

use edge::{Failure, clock, log};
use types::{
    Timestamp,
    config::StatusConfig,
    control::{Document, Invalid},
};
use worker::Env;

use super::{
    book::{self, Book as _, Current, Row},
    change,
    store::{self, KEY, Platform},
};

/// How long an answer of D1 is used when KV has none.
pub const FALLBACK_SECONDS: i64 = 30;

/// What this instance last knew, so that texts are not read again for every request.
struct Known {
    text: String,
    document: Rc<Document>,
    /// When D1 was asked in KV's place.
    asked_at: Option<Timestamp>,
}

thread_local! {
    static KNOWN: RefCell<Option<Known>> = const { RefCell::new(None) };
}

/// Keeps what was just written: it is newer than any answer of D1 that this instance may hold.
pub fn remember(text: &str) {
    if let Ok(document) = book::read(text) {
        know(text.to_owned(), Rc::new(document), None);
    }
}

fn know(text: String, document: Rc<Document>, asked_at: Option<Timestamp>) {
    KNOWN.set(Some(Known {
        text,
        document,
        asked_at,
    }));
}

/// The document in force, for a reader: never an error.
pub async fn in_force(env: &Env) -> Rc<Document> {
    let now = clock::now();
    let why = match store::held_by(env).await {
        Ok(Some(text)) => {
            let same = |known: &Known| (known.text == text).then(|| Rc::clone(&known.document));
            if let Some(document) = KNOWN.with_borrow(|known| known.as_ref().and_then(same)) {
                return document;
            }
            match book::read(&text) {
                Ok(document) => {
                    let document = Rc::new(document);
                    know(text, Rc::clone(&document), None);
                    return document;
                }
                Err(problem) => Some(format!("KV {KEY}: {problem}")),
            }
        }
        Ok(None) => None,
        Err(failure) => Some(failure.into_message()),
    };
    let fresh = |known: &Known| {
        let fresh = known
            .asked_at
            .is_some_and(|asked_at| now - asked_at < FALLBACK_SECONDS);
        fresh.then(|| Rc::clone(&known.document))
    };
    if let Some(document) = KNOWN.with_borrow(|known| known.as_ref().and_then(fresh)) {
        return document;
    }
    if let Some(why) = why {
        log::warn(
            "control",
            &format!("the last good document is in force: {why}"),
        );
    }
    last_good(env, now).await
}

/// What is to be told of the value in KV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Odd {
    /// It is no good document, and the last good one stays in force.
    Broken(Invalid),
    /// It is in force, and part of it does nothing.
    Stranger(Invalid),
}

/// What is odd about what KV holds. Repairs nothing: anybody may ask.
pub async fn odd(env: &Env, config: &StatusConfig) -> Result<Option<Odd>, Failure> {
    let held = store::held_by(env).await?;
    Ok(held.and_then(|text| match book::read(&text) {
        Ok(document) => {
            let stranger = change::strangers(&document, config).next();
            stranger.map(|(_, stranger)| Odd::Stranger(stranger))
        }
        Err(problem) => Some(Odd::Broken(problem)),
    }))
}

/// What D1 has; if it fails, what is known here; if that is nothing, the document of before the first
/// change.
async fn last_good(env: &Env, now: Timestamp) -> Rc<Document> {
    let last = async { Platform::new(env)?.last().await }.await;
    let read = |row: Row| {
        let current = Current::of(row)?;
        Ok((current.text, Rc::new(current.document)))
    };
    let last = last.and_then(|row| row.map_or_else(|| Ok((String::new(), Rc::default())), read));
    let (text, document) = last.unwrap_or_else(|failure| {
        log::warn("control", &failure.into_message());
        let known = KNOWN.take();
        known.map_or_else(Default::default, |known| (known.text, known.document))
    });
    know(text, Rc::clone(&document), Some(now));
    document
}
