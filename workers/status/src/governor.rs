//! When a snapshot is written: KV takes 1,000 writes a day in the free plan, for everything.
//!
//! A write is due when there is news, or when what is stored is about to look old (the heartbeat).
//! How many there may have been by any moment of the day is a line: it begins with a burst, so that
//! a quiet server's news is told at once, and rises evenly, so that a server which flaps all day is
//! written as often in the evening as in the morning. Above it lies a reserve, for the heartbeat
//! and for news of a server's state.
//!
//! ```text
//! budget ┤                         ·····──  reserve: state, heartbeat
//!        │               ·····──────
//!        │      ·····────                   the line: who plays, what the server says
//!  burst ┼──────
//!        └────────────────────────────────
//!        00:00 UTC                   24:00
//! ```
//!
//! State: how many writes the day has seen (`Writes`), which is a part of what is written. But KV shows a
//! write a minute late, and an instance that has just begun would count one twice as one. So each write
//! that is due is counted in the database first, where the count is certain (`ledger`). While that is
//! silent, an instance that does not remember the last run counts its write as two: KV may not show the
//! last one. (Not covered: a database that comes and goes by the minute, under instances that never live
//! for two runs.)

use types::{Timestamp, status::Writes};

use crate::news::News;

/// What is stored is never older than this while the cron runs, in seconds. A reader far away sees
/// a write about a minute late, and at 300 seconds takes it for stale.
const HEARTBEAT_SECONDS: i64 = 240;
/// The cron's period, and what it may be early by.
const TICK_SECONDS: i64 = 60;
const JITTER_SECONDS: i64 = 30;

const DAY_SECONDS: i64 = 24 * 3600;
/// The parts of the budget that the burst and the reserve are.
const BURST: i64 = 15;
const RESERVE: i64 = 20;

/// A write that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The day's count with it, as far as is known here.
    pub writes: Writes,
    /// The most writes that the day may have had by now.
    pub limit: u32,
}

/// What the database says of a write that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// The day's count with it.
    Now(u32),
    /// The day has had its limit already.
    Spent,
    /// It does not answer.
    Unknown,
}

/// The write that is to be made, if there is to be one; `ledger` has the last word.
///
/// `oldest` is when the oldest observation that is stored was made.
pub fn decide(
    news: News,
    oldest: Option<Timestamp>,
    so_far: Option<Writes>,
    budget: u32,
    now: Timestamp,
) -> Option<Due> {
    let heartbeat = oldest.is_none_or(|oldest| is_old(oldest, now));
    let Writes { day, count } = today(so_far, now);
    let (line, most) = allowed(budget, now - day);
    let limit = match news {
        News::State => most,
        _ if heartbeat => most,
        News::Detail => line,
        News::Nothing => return None,
    };
    let writes = Writes {
        day,
        count: count + 1,
    };
    (count < limit).then_some(Due { writes, limit })
}

/// The day's count with a write that is due, if it may be made. `remembers` is whether this instance
/// made the last run, too.
pub fn granted(due: Due, counted: Counted, remembers: bool) -> Option<Writes> {
    let Writes { day, count } = due.writes;
    let count = match counted {
        Counted::Now(count) => count,
        Counted::Spent => return None,
        Counted::Unknown => count + u32::from(!remembers),
    };
    (count <= due.limit).then_some(Writes { day, count })
}

/// Whether it would be too old if it were left until the next run; or was never true, being from
/// the future.
fn is_old(retrieved_at: Timestamp, now: Timestamp) -> bool {
    let age = now - retrieved_at;
    age + TICK_SECONDS + JITTER_SECONDS > HEARTBEAT_SECONDS || age < -TICK_SECONDS
}

/// How many writes there were today. KV counts by days in UTC.
fn today(so_far: Option<Writes>, now: Timestamp) -> Writes {
    let into_day = now.as_seconds().rem_euclid(DAY_SECONDS);
    let day = now.plus_seconds(-into_day);
    let count = so_far.filter(|writes| writes.day == day);
    Writes {
        day,
        count: count.map_or(0, |writes| writes.count),
    }
}

/// How many writes there may be when so much of the day is over: for details, and for all else.
fn allowed(budget: u32, into_day: i64) -> (u32, u32) {
    let budget = i64::from(budget);
    let (burst, reserve) = (budget / BURST, budget / RESERVE);
    let line = burst + (budget - burst - reserve) * into_day / DAY_SECONDS;
    let count = |number: i64| u32::try_from(number).unwrap_or(0);
    (count(line), count(line + reserve))
}

/// Of two counts the one that knows more.
pub fn latest(one: Option<Writes>, other: Option<Writes>) -> Option<Writes> {
    one.into_iter()
        .chain(other)
        .max_by_key(|writes| (writes.day, writes.count))
}

#[cfg(test)]
#[path = "governor_tests.rs"]
mod tests;
