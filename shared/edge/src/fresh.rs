//! What an instance remembers for some seconds of what it read: a burst of readers costs one read.
//!
//! While one reader reads anew, the others get what is there, as long as it is only just too old: in
//! an instance that nobody asked for a while they read as well. None waits for another, which the
//! platform forbids. A value that cannot be read anew stays in use, and its age shows.

use std::{cell::RefCell, rc::Rc};

/// For how long a reader that reads anew keeps the others from doing the same, in milliseconds.
const CLAIM_MS: i64 = 2000;

/// One value, or none yet.
#[derive(Debug)]
pub struct Fresh<T>(RefCell<Slot<T>>);

#[derive(Debug)]
struct Slot<T> {
    value: Option<Rc<T>>,
    /// When it was read, in milliseconds since the epoch.
    read_at: i64,
    /// Until when nobody else reads: the value is new, one reader reads, or one could not.
    until: i64,
    /// Whether the last reader could not read.
    failed: bool,
    /// Counts what was forgotten, so that a read which began before does not bring it back.
    forgotten: u32,
}

/// A value, and why it could not be read anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Got<T, E> {
    pub value: Rc<T>,
    pub error: Option<E>,
}

impl<T> Default for Fresh<T> {
    fn default() -> Self {
        Self(RefCell::new(Slot {
            value: None,
            read_at: i64::MIN,
            until: i64::MIN,
            failed: false,
            forgotten: 0,
        }))
    }
}

impl<T> Fresh<T> {
    /// The value, read anew when it is older than `keep_ms`. `now` is in milliseconds.
    pub async fn get<E>(
        &self,
        now: i64,
        keep_ms: i64,
        read: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<Got<T, E>, E> {
        let (old, forgotten) = {
            let mut slot = self.0.borrow_mut();
            let age = now.saturating_sub(slot.read_at);
            // Where reading failed there is nothing better, however old it is.
            let is_good = slot.failed || age < keep_ms.saturating_add(CLAIM_MS);
            if let Some(value) = slot.value.as_ref().filter(|_| is_good && now < slot.until) {
                return Ok(Got {
                    value: Rc::clone(value),
                    error: None,
                });
            }
            slot.until = now.saturating_add(CLAIM_MS.min(keep_ms));
            (slot.value.clone(), slot.forgotten)
        };
        match (read().await, old) {
            (Ok(value), _) => {
                let value = Rc::new(value);
                let mut slot = self.0.borrow_mut();
                // Of several that read at once, the one that began last knows most.
                if slot.forgotten == forgotten && slot.read_at <= now {
                    slot.value = Some(Rc::clone(&value));
                    slot.read_at = now;
                    slot.until = now.saturating_add(keep_ms);
                    slot.failed = false;
                }
                Ok(Got { value, error: None })
            }
            (Err(error), Some(value)) => {
                self.0.borrow_mut().failed = true;
                Ok(Got {
                    value,
                    error: Some(error),
                })
            }
            (Err(error), None) => Err(error),
        }
    }

    /// What was read last, however old it is.
    pub fn last(&self) -> Option<Rc<T>> {
        self.0.borrow().value.clone()
    }

    /// Makes the next reader read.
    pub fn forget(&self) {
        let mut slot = self.0.borrow_mut();
        slot.value = None;
        slot.read_at = i64::MIN;
        slot.forgotten = slot.forgotten.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, task::Poll};

    use futures::{FutureExt as _, future::poll_fn};

    use super::*;

    const KEEP: i64 = 15_000;

    /// Of a read that has nothing to wait for.
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        future.now_or_never().unwrap()
    }

    fn get(cache: &Fresh<u32>, now: i64, value: Result<u32, &'static str>) -> (u32, bool) {
        let got = block_on(cache.get(now, KEEP, async || value)).unwrap();
        (*got.value, got.error.is_some())
    }

    #[test]
    fn a_value_is_read_again_when_its_time_is_over() {
        let cache = Fresh::default();
        let reads = Cell::new(0);
        let read = |now| {
            let read = async || {
                reads.set(reads.get() + 1);
                Ok::<_, ()>(())
            };
            block_on(cache.get(now, KEEP, read)).unwrap();
            reads.get()
        };
        assert!(cache.last().is_none());
        assert_eq!([0, 1, KEEP - 1].map(read), [1, 1, 1]);
        assert!(cache.last().is_some());
        assert_eq!([KEEP, KEEP + 1].map(read), [2, 2]);
        let never = Fresh::default();
        for expected in 1..=3 {
            let got = block_on(never.get(0, 0, async || Ok::<_, ()>(expected))).unwrap();
            assert_eq!(*got.value, expected);
        }
    }

    #[test]
    fn what_was_forgotten_is_read_and_a_read_from_before_does_not_bring_it_back() {
        let cache = Fresh::default();
        assert_eq!(get(&cache, 0, Ok(1)), (1, false));
        cache.forget();
        assert_eq!(get(&cache, 1, Ok(2)), (2, false));
        let got = block_on(cache.get(KEEP + 1, KEEP, async || {
            cache.forget();
            Ok::<_, ()>(3)
        }));
        assert_eq!(*got.unwrap().value, 3);
        assert_eq!(get(&cache, KEEP + 2, Ok(4)), (4, false));
    }

    #[test]
    fn what_cannot_be_read_anew_stays_and_is_tried_again() {
        let cache = Fresh::default();
        assert!(block_on(cache.get(0, KEEP, async || Err::<u32, _>("KV"))).is_err());
        assert_eq!(get(&cache, 1, Ok(1)), (1, false));
        assert_eq!(get(&cache, KEEP + 1, Err("KV")), (1, true));
        assert_eq!(get(&cache, KEEP + 2, Ok(2)), (1, false));
        assert_eq!(get(&cache, KEEP + 1 + CLAIM_MS, Ok(2)), (2, false));
    }

    /// A read that goes on until it may end.
    async fn slow(ready: &Cell<bool>) -> Result<u32, &'static str> {
        poll_fn(|_| {
            if ready.get() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        Ok(2)
    }

    #[test]
    fn after_a_long_silence_nobody_gets_what_is_old() {
        let cache = Fresh::default();
        let (now, ready) = (10 * KEEP, Cell::new(false));
        assert_eq!(get(&cache, 0, Ok(1)), (1, false));
        let mut reading = Box::pin(cache.get(now, KEEP, async || slow(&ready).await));
        assert!(reading.as_mut().now_or_never().is_none());
        assert_eq!(get(&cache, now, Ok(3)), (3, false));
        assert_eq!(get(&cache, now + 1, Ok(4)), (3, false));
        ready.set(true);
        assert_eq!(*block_on(reading).unwrap().value, 2);
    }

    #[test]
    fn while_reading_fails_what_is_old_is_used_and_few_try() {
        let cache = Fresh::default();
        let now = 10 * KEEP;
        assert_eq!(get(&cache, 0, Ok(1)), (1, false));
        assert_eq!(get(&cache, now, Err("KV")), (1, true));
        assert_eq!(get(&cache, now + 1, Ok(2)), (1, false));
        assert_eq!(get(&cache, now + CLAIM_MS, Ok(2)), (2, false));
    }

    #[test]
    fn while_one_reads_anew_the_others_get_what_is_there() {
        let cache = Fresh::default();
        assert_eq!(get(&cache, 0, Ok(1)), (1, false));
        let ready = Cell::new(false);
        let slow = async || slow(&ready).await;
        let mut reading = Box::pin(cache.get(KEEP, KEEP, slow));
        assert!(reading.as_mut().now_or_never().is_none());
        assert_eq!(get(&cache, KEEP + 1, Ok(3)), (1, false));
        ready.set(true);
        assert_eq!(*block_on(reading).unwrap().value, 2);
        assert_eq!(get(&cache, KEEP + 2, Ok(3)), (2, false));
    }
}
