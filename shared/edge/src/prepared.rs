//! Answers that are built once and given many times, at the cost of a few calls into JavaScript.
//!
//! An answer by [`crate::serve`] is put together header by header, each of which crosses into
//! JavaScript, and is logged by a line that is made for it; for what is asked thousands of times
//! and is the same each time, that is most of the work (`cargo xtask bench pack`). What is kept
//! here is plain data: nothing of it belongs to the request that it was made for.

use std::cell::{Cell, RefCell};

use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use worker::web_sys::{Headers, Request, Response, ResponseInit, console};

use crate::{Failure, clock, conditional::names, log, serve::PUBLIC_HEADERS};

/// The most addresses that an instance keeps answers for, and the longest of them: a client can
/// think of any number of queries that mean the same.
const MOST: usize = 64;
const LONGEST: usize = 200;

/// What was last given at an address, each for a bounded time. `K` says what it is about.
///
/// Answers are found by path and query, before anything is parsed.
pub struct Answers<K> {
    kept: RefCell<Shelf<K, Prepared>>,
    epoch: Cell<u64>,
}

/// How often something had been dropped when a reader set out: what it read before a change must
/// not be kept after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch(u64);

impl<K: PartialEq> Answers<K> {
    /// `kept_ms`: how old an answer may become.
    pub const fn new(kept_ms: i64) -> Self {
        Self {
            kept: RefCell::new(Shelf::new(kept_ms)),
            epoch: Cell::new(0),
        }
    }

    /// Answers GET and HEAD, conditional or not, from what is kept, and logs it.
    pub fn answer(&self, request: &Request) -> Option<Response> {
        let url = request.url();
        let mut kept = self.kept.borrow_mut();
        kept.get(address(&url), clock::millis())?.answer(request)
    }

    pub fn epoch(&self) -> Epoch {
        Epoch(self.epoch.get())
    }

    /// Keeps the 200 of a public route, unless something was dropped since `epoch`.
    pub fn keep(
        &self,
        request: &Request,
        about: K,
        epoch: Epoch,
        content: &Content<'_>,
    ) -> Result<(), Failure> {
        if self.epoch() == epoch {
            let prepared = Prepared::new(content)?;
            let url = request.url();
            let mut kept = self.kept.borrow_mut();
            kept.put(address(&url), about, prepared, clock::millis());
        }
        Ok(())
    }

    /// Drops all that is about this.
    pub fn forget(&self, about: &K) {
        self.epoch.set(self.epoch.get().wrapping_add(1));
        let mut kept = self.kept.borrow_mut();
        kept.list.retain(|kept| kept.about != *about);
    }
}

/// Path and query of an address that the runtime has parsed.
fn address(url: &str) -> &str {
    let host = url.find("://").map_or(0, |scheme| scheme + 3);
    let path = url.get(host..).and_then(|rest| rest.find('/'));
    path.and_then(|path| url.get(host + path..))
        .unwrap_or_default()
}

/// What an answer consists of.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    pub worker: &'static str,
    /// The route's name, for the log.
    pub route: &'static str,
    pub tag: &'a str,
    pub media_type: &'a str,
    pub body: &'a [u8],
}

/// A 200 with the 304 that goes with it.
struct Prepared {
    tag: String,
    body: Uint8Array,
    /// By whether the body is not sent since the client has it.
    init: [ResponseInit; 2],
    /// By that, and by whether the method is HEAD.
    lines: [[JsValue; 2]; 2],
}

impl Prepared {
    fn new(content: &Content<'_>) -> Result<Self, worker::Error> {
        let line = |status, method| {
            JsValue::from(log::fast(content.worker, content.route, method, status))
        };
        Ok(Self {
            tag: content.tag.to_owned(),
            body: Uint8Array::from(content.body),
            init: [init(content, false)?, init(content, true)?],
            lines: [200, 304].map(|status| ["GET", "HEAD"].map(|method| line(status, method))),
        })
    }

    /// `None` if the method is neither GET nor HEAD.
    fn answer(&self, request: &Request) -> Option<Response> {
        let head = match request.method().as_str() {
            "GET" => false,
            "HEAD" => true,
            _ => return None,
        };
        let condition = request.headers().get("if-none-match").ok()?;
        let unchanged = condition.is_some_and(|condition| names(&condition, &self.tag));
        let init = &self.init[usize::from(unchanged)];
        let response = if head || unchanged {
            Response::new_with_opt_str_and_init(None, init)
        } else {
            Response::new_with_opt_buffer_source_and_init(Some(&self.body), init)
        };
        console::log_1(&self.lines[usize::from(unchanged)][usize::from(head)]);
        response.ok()
    }
}

fn init(content: &Content<'_>, unchanged: bool) -> Result<ResponseInit, worker::Error> {
    let headers = Headers::new()?;
    for (name, value) in PUBLIC_HEADERS {
        headers.set(name, value)?;
    }
    headers.set("ETag", content.tag)?;
    headers.set("Cache-Control", "no-cache")?;
    if !unchanged {
        headers.set("Content-Type", content.media_type)?;
        headers.set("Content-Length", &content.body.len().to_string())?;
    }
    let init = ResponseInit::new();
    init.set_status(if unchanged { 304 } else { 200 });
    init.set_headers(&headers);
    Ok(init)
}

/// A small bounded map whose values grow old; a list, since `BTreeMap` brings 4 KB (gzipped).
struct Shelf<K, V> {
    list: Vec<Kept<K, V>>,
    kept_ms: i64,
}

struct Kept<K, V> {
    address: String,
    about: K,
    value: V,
    at: i64,
    /// Somebody has set out to get a newer one.
    claimed: bool,
}

impl<K, V> Shelf<K, V> {
    const fn new(kept_ms: i64) -> Self {
        Self {
            list: Vec::new(),
            kept_ms,
        }
    }

    /// The first to come in the last fifth of a value's time gets nothing, and so fetches a newer
    /// one while the others still have this: at no moment do all of them go and read.
    fn get(&mut self, address: &str, now: i64) -> Option<&V> {
        let kept_ms = self.kept_ms;
        let kept = self.list.iter_mut().find(|kept| kept.address == address)?;
        let age = now - kept.at;
        let due = age >= kept_ms / 5 * 4;
        if age >= kept_ms || (due && !kept.claimed) {
            kept.claimed = true;
            return None;
        }
        Some(&kept.value)
    }

    fn put(&mut self, address: &str, about: K, value: V, now: i64) {
        if address.len() > LONGEST {
            return;
        }
        let kept_ms = self.kept_ms;
        self.list
            .retain(|kept| now - kept.at < kept_ms && kept.address != address);
        if self.list.len() < MOST {
            self.list.push(Kept {
                address: address.to_owned(),
                about,
                value,
                at: now,
                claimed: false,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reader_fetches_a_newer_value_while_the_others_have_the_old_one() {
        let mut shelf = Shelf::new(5000);
        assert_eq!(shelf.get("/a", 0), None);
        shelf.put("/a", "main", 1, 1000);
        assert_eq!(shelf.get("/a", 4999), Some(&1));
        assert_eq!(shelf.get("/a", 5000), None, "the first in the last fifth");
        assert_eq!(shelf.get("/a", 5000), Some(&1), "the next");
        assert_eq!(shelf.get("/a", 6000), None, "its time is over");
        shelf.put("/a", "main", 2, 6000);
        assert_eq!(shelf.get("/a", 6001), Some(&2));
    }

    #[test]
    fn what_is_kept_is_bounded_and_gives_way_when_old() {
        let mut shelf = Shelf::new(5000);
        for number in 0..1000 {
            shelf.put(&format!("/{number}"), "main", number, 0);
        }
        shelf.put(&"x".repeat(LONGEST + 1), "main", 0, 0);
        assert_eq!(shelf.list.len(), MOST);
        assert_eq!(shelf.get("/0", 1), Some(&0));
        assert_eq!(shelf.get("/999", 1), None);
        shelf.put("/999", "main", 999, 5000);
        assert_eq!(shelf.list.len(), 1);
    }

    #[test]
    fn an_address_is_path_and_query_whatever_the_host() {
        for (url, expected) in [
            (
                "https://rp.example.com/api/pack/latest?pack=a",
                "/api/pack/latest?pack=a",
            ),
            ("http://127.0.0.1:8787/", "/"),
            ("nonsense", ""),
        ] {
            assert_eq!(address(url), expected, "{url}");
        }
    }
}
