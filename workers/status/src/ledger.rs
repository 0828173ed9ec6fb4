//! The day's count of writes to KV, in D1 (`STATUS_DB`, table `kv_writes`): one row, which is changed
//! when a write is due, before it is made.

use edge::{d1, log};
use worker::Env;

use crate::governor::{Counted, Due};

const BINDING: &str = "STATUS_DB";

/// One more on that day, unless it has had its limit; an older day than the one in the row is over.
/// Gives the new count. What KV knows counts as well, should the row be behind it.
const COUNT: &str = "\
INSERT INTO kv_writes (id, day, count)
SELECT 1, ?1 ->> 'day', ?1 ->> 'count' WHERE true
ON CONFLICT (id) DO UPDATE SET
  count = CASE WHEN day = excluded.day THEN max(count + 1, excluded.count) ELSE excluded.count END,
  day = excluded.day
WHERE day < excluded.day OR (day = excluded.day AND count < ?1 ->> 'limit')
RETURNING CAST(count AS TEXT) AS found";

/// Counts a write that is due, and tells whether it may be made.
pub async fn count(env: &Env, due: &Due) -> Counted {
    let (day, count) = (due.writes.day.as_seconds(), due.writes.count);
    let row = serde_json::json!({"day": day, "count": count, "limit": due.limit});
    let found = d1::run(env, BINDING, COUNT, &row.to_string()).await;
    match found.map(|found| found.map(|text| text.parse())) {
        Ok(None) => Counted::Spent,
        Ok(Some(Ok(count))) => Counted::Now(count),
        Ok(Some(Err(_))) => Counted::Unknown,
        Err(failure) => {
            let told = failure.into_message();
            log::warn("kv", &d1::cure(&told, BINDING, "status").unwrap_or(told));
            Counted::Unknown
        }
    }
}
