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

/// When those who wait for a fill look again, in milliseconds after they looked last: for about two
/// seconds in all, after which a player is better served without the cache.
const LOOKS: [u64; 9] = [10, 15, 25, 50, 100, 200, 400, 600, 600];

/// What a request does about a miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Miss {
    /// Nobody fills it: this request is to, and to say when it has [`ended`](Fills::ended).
    Fill,
    /// Another request does: look again soon.
    Wait,
    /// The cache does not keep what it is given.
    GoWithout,
}

/// The fills that this instance has under way; a clone is the same list.
#[derive(Clone, Default)]
pub struct Fills(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    under_way: Vec<(String, i64)>,
    left_alone_until: i64,
}

impl Fills {
    pub fn missed(&self, key: &str) -> Miss {
        self.0.borrow_mut().missed(key, clock::millis())
    }

    /// Ends the fill that [`Miss::Fill`] began.
    pub fn ended(&self, key: &str) {
        self.0.borrow_mut().under_way.retain(|(one, _)| one != key);
    }

    /// Looks again and again until what another request fills in is there; `None` as soon as
    /// nobody does any more, or it takes too long.
    pub async fn wait(&self, key: &str) -> Option<Response> {
        for pause in LOOKS {
            Delay::from(Duration::from_millis(pause)).await;
            let under_way = self.0.borrow_mut().is_under_way(key, clock::millis());
            let found = find(key, None).await;
            if found.is_some() || !under_way {
                return found;
            }
        }
        None
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
            self.under_way.push((key.to_owned(), now));
            Miss::Fill
        }
    }

    fn is_under_way(&mut self, key: &str, now: i64) -> bool {
        self.under_way.retain(|(_, at)| now - at < FILL_LASTS_MS);
        self.under_way.iter().any(|(one, _)| one == key)
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
}
