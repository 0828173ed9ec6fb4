//! The data centre's cache (Cache API, `caches.default`), for bytes that never change.
//!
//! It is an offer, never a promise: it has no effect on `workers.dev`, forgets as it likes, and
//! differs from one data centre to the next. So nothing here fails; what does not work out is a
//! miss, and the caller goes to where the bytes lie. It is filled by at most one request of an
//! instance at a time, and the others look again instead of waiting for that one's future, which
//! the runtime forbids.

use std::{cell::RefCell, rc::Rc, time::Duration};

use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use worker::{Delay, Response, web_sys};

use crate::{clock, log, stream};

// The `Cache` and the `RequestInit` of the worker crate bring what else a request can be told along,
// 13 KB (gzipped).
#[wasm_bindgen(inline_js = r#"
export function matching(key, range) {
  return caches.default.match(range === undefined ? key : new Request(key, { headers: { Range: range } }));
}
export function put(key, response) {
  return caches.default.put(key, response);
}"#)]
extern "C" {
    #[wasm_bindgen(catch)]
    async fn matching(key: &str, range: Option<&str>) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch)]
    async fn put(key: &str, response: web_sys::Response) -> Result<JsValue, JsValue>;
}

/// How long a fill counts as under way, in milliseconds: what `waitUntil` gives it. One that died
/// blocks nobody for longer.
const FILL_LASTS_MS: i64 = 30_000;

/// How long a cache that kept nothing of what it was given is left alone, in milliseconds.
const LEFT_ALONE_MS: i64 = 60_000;

/// How long a request waits for a fill by another one, in milliseconds: so long whatever its size,
/// and longer for each MiB that is to come, up to the most. Mostly the fill has ended long before;
/// one that is slower than 16 MiB/s lets a player wait too long for the first byte.
const PATIENCE_MS: i64 = 3_000;
const PATIENCE_PER_MIB_MS: i64 = 60;
const MOST_PATIENCE_MS: i64 = 10_000;

/// When those who wait look again, in milliseconds: first after this, then ever later, up to that.
const FIRST_LOOK_MS: i64 = 10;
const LAST_LOOK_MS: i64 = 250;

/// What a request does about a miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Miss {
    /// Nobody fills it: this request is to, and to say when it has [`ended`](Fills::ended).
    Fill,
    /// Another request does: [`wait`](Fills::wait) for it.
    Wait,
    /// The cache does not keep what it is given.
    GoWithout,
}

/// The fills that this instance has under way; a clone is the same list.
#[derive(Clone, Default)]
pub struct Fills(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    under_way: Vec<Fill>,
    left_alone_until: i64,
}

struct Fill {
    key: String,
    since: i64,
    /// How long others wait for it, in milliseconds.
    patience: i64,
}

impl Fills {
    pub fn missed(&self, key: &str) -> Miss {
        self.0.borrow_mut().missed(key, clock::millis())
    }

    /// Says how many bytes the fill that [`Miss::Fill`] began has to bring.
    pub fn expects(&self, key: &str, bytes: u64) {
        self.0.borrow_mut().expects(key, bytes);
    }

    /// Ends the fill that [`Miss::Fill`] began.
    pub fn ended(&self, key: &str) {
        self.0.borrow_mut().under_way.retain(|fill| fill.key != key);
    }

    /// Waits until what another request fills in is there; `None` when that came to nothing, or takes
    /// too long. The cache itself is asked once, since that counts as a request of the worker's.
    pub async fn wait(&self, key: &str) -> Option<Response> {
        let (started, mut pause) = (clock::millis(), FIRST_LOOK_MS);
        loop {
            Delay::from(Duration::from_millis(pause.unsigned_abs())).await;
            let now = clock::millis();
            if !self.0.borrow_mut().is_awaited(key, started, now) {
                return find(key, None).await;
            }
            pause = (pause * 2).min(LAST_LOOK_MS);
        }
    }

    /// Puts a whole answer into the cache and ends the fill. To be given to `wait_until`.
    pub async fn fill(&self, key: &str, response: Response) {
        let kept = match put(key, response.into()).await {
            Ok(_) => match find(key, None).await {
                Some(response) => {
                    stream::dismiss(response).await;
                    true
                }
                None => false,
            },
            Err(error) => {
                log::warn("cache", &stream::words(&error));
                false
            }
        };
        if !kept {
            self.0.borrow_mut().left_alone_until = clock::millis() + LEFT_ALONE_MS;
        }
        self.ended(key);
    }
}

impl State {
    fn missed(&mut self, key: &str, now: i64) -> Miss {
        if now < self.left_alone_until {
            Miss::GoWithout
        } else if self.is_under_way(key, now) {
            Miss::Wait
        } else {
            self.under_way.push(Fill {
                key: key.to_owned(),
                since: now,
                patience: PATIENCE_MS,
            });
            Miss::Fill
        }
    }

    fn is_under_way(&mut self, key: &str, now: i64) -> bool {
        self.under_way
            .retain(|fill| now - fill.since < FILL_LASTS_MS);
        self.under_way.iter().any(|fill| fill.key == key)
    }

    fn expects(&mut self, key: &str, bytes: u64) {
        let mib = i64::try_from(bytes >> 20).unwrap_or(i64::MAX);
        let longer = mib.saturating_mul(PATIENCE_PER_MIB_MS);
        let patience = longer.saturating_add(PATIENCE_MS).min(MOST_PATIENCE_MS);
        for fill in self.under_way.iter_mut().filter(|fill| fill.key == key) {
            fill.patience = patience;
        }
    }

    /// Whether a request that has waited for a fill since then goes on waiting.
    fn is_awaited(&mut self, key: &str, started: i64, now: i64) -> bool {
        let goes_on = |fill: &Fill| fill.key == key && now - started < fill.patience;
        self.is_under_way(key, now) && self.under_way.iter().any(goes_on)
    }
}

/// What the cache holds under an address, whole or the range that is asked for.
pub async fn find(key: &str, range: Option<&str>) -> Option<Response> {
    match matching(key, range).await {
        Ok(found) => found
            .dyn_into::<web_sys::Response>()
            .ok()
            .map(Response::from),
        Err(error) => {
            log::warn("cache", &stream::words(&error));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_fills_and_the_others_wait_until_it_ended_or_is_taken_for_dead() {
        let fills = Fills::default();
        let missed = |key, now| fills.0.borrow_mut().missed(key, now);
        assert_eq!(missed("a", 0), Miss::Fill);
        assert_eq!(missed("a", 1), Miss::Wait);
        assert_eq!(missed("b", 1), Miss::Fill);
        fills.ended("a");
        assert_eq!(missed("a", 2), Miss::Fill);
        assert_eq!(missed("b", FILL_LASTS_MS), Miss::Wait);
        assert_eq!(missed("b", FILL_LASTS_MS + 1), Miss::Fill);
        fills.0.borrow_mut().left_alone_until = FILL_LASTS_MS + 9;
        assert_eq!(missed("c", FILL_LASTS_MS + 8), Miss::GoWithout);
        assert_eq!(missed("c", FILL_LASTS_MS + 9), Miss::Fill);
    }

    #[test]
    fn a_slow_fill_is_awaited_longer_the_more_it_brings_and_never_for_ever() {
        for (mib, patience) in [(0, 3_000), (1, 3_060), (100, 9_000), (250, 10_000)] {
            let mut state = State::default();
            assert_eq!(state.missed("a", 0), Miss::Fill);
            state.expects("a", mib << 20);
            assert!(state.is_awaited("a", 1, patience), "{mib}");
            assert!(!state.is_awaited("a", 1, patience + 1), "{mib}");
            assert!(!state.is_awaited("b", 1, 2), "{mib}");
        }
        let mut state = State::default();
        assert_eq!(state.missed("a", 0), Miss::Fill);
        state.expects("a", u64::MAX);
        assert!(state.is_awaited("a", FILL_LASTS_MS - 2, FILL_LASTS_MS - 1));
        assert!(!state.is_awaited("a", FILL_LASTS_MS - 1, FILL_LASTS_MS));
    }
}
