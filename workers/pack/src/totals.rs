//! How often each release was ever downloaded, and what is kept of old days.
//!
//! A day's rows stay for 400 days. Then each release's are added up in one row, of a day before all
//! days, so that what was ever downloaded never becomes less. Rows of days that are over do not change:
//! an instance adds them up once a day, and with each scrape reads those of two days.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use edge::{Failure, d1};
use types::{Sha1, Timestamp};
use worker::Env;

use crate::stats::{BINDING, first_day};

/// For how many days downloads are told apart by day and version.
const KEPT_DAYS: u32 = 400;
/// Today and yesterday: what an instance has counted last is written a moment after midnight.
const OPEN_DAYS: u32 = 2;

const BEFORE: &str = "\
SELECT json_group_array(json_array(sha1, count)) AS found
FROM (SELECT sha1, sum(count) AS count FROM downloads WHERE day < ?1 GROUP BY sha1)";
const SINCE: &str = "\
SELECT json_group_array(json_array(sha1, count)) AS found
FROM (SELECT sha1, sum(count) AS count FROM downloads WHERE day >= ?1 GROUP BY sha1)";

/// Rows of a day between the one before all and ?1, found by the key.
const ADD_UP: &str = "\
INSERT INTO downloads (day, sha1, version, count, last_at)
SELECT '0000-00-00', sha1, 'other', sum(count), max(last_at) FROM downloads
WHERE day > '0000-00-00' AND day < ?1 GROUP BY sha1
ON CONFLICT (day, sha1, version) DO UPDATE SET
  count = count + excluded.count, last_at = max(last_at, excluded.last_at)";
const DELETE_ADDED: &str = "DELETE FROM downloads WHERE day > '0000-00-00' AND day < ?1";

type Totals = BTreeMap<Sha1, u64>;

thread_local! {
    /// Of all days before this one.
    static OVER: RefCell<Option<(String, Rc<Totals>)>> = const { RefCell::new(None) };
}

/// The downloads of every release there ever was.
pub async fn read(env: &Env, now: Timestamp) -> Result<Totals, Failure> {
    let day = first_day(now, OPEN_DAYS);
    let known = OVER.with_borrow(Clone::clone);
    let mut over = known
        .filter(|(before, _)| *before == day)
        .map(|(_, over)| over);
    if over.is_none() {
        let read = Rc::new(sums(env, BEFORE, &day).await?);
        OVER.set(Some((day.clone(), Rc::clone(&read))));
        over = Some(read);
    }
    let mut totals = sums(env, SINCE, &day).await?;
    for (sha1, count) in over.iter().flat_map(|over| over.iter()) {
        *totals.entry(*sha1).or_default() += count;
    }
    Ok(totals)
}

async fn sums(env: &Env, sql: &str, day: &str) -> Result<Totals, Failure> {
    let found = d1::run(env, BINDING, sql, day).await?;
    let rows: Vec<(Sha1, u64)> = serde_json::from_str(&found.unwrap_or_default())
        .map_err(|error| Failure::internal(format!("{BINDING}: {error}")))?;
    Ok(rows.into_iter().collect())
}

/// Adds up what is older than it is kept, in one transaction.
pub async fn prune(env: &Env, now: Timestamp) -> Result<(), Failure> {
    let day = first_day(now, KEPT_DAYS);
    d1::run_all(env, BINDING, &[ADD_UP, DELETE_ADDED], &day).await
}
