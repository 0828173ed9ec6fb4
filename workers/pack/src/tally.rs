//! What was downloaded, before it is written down: by day, pack and the client's version.
//!
//! Pure. What a client says of itself is reduced to a version at once; its player's name and UUID,
//! which it sends as well, are never looked at.

use types::{Sha1, Timestamp};

/// Where a client's version is not known, or there is no room for one more.
const OTHER: &str = "other";
const SNAPSHOT: &str = "snapshot";

/// The `User-Agent` of the worker's own look at what was published (`check`), which is no download.
pub const CHECK_AGENT: &str = "genkan-check";

/// The most versions told apart between two writes. There are about 60 that load resource packs,
/// and a handful that play on one server; anything can be claimed.
const MOST_VERSIONS: usize = 24;

/// From so many rows on they are written at once: what is not written yet is lost with the instance.
const MANY: usize = 48;

/// The most rows that are held while nothing can be written; what is more is not counted.
const MOST: usize = 1000;

/// Rows that may be told apart by version on one day; the day's further downloads count as `other`.
/// Two instances that use all of it stay below half of the 100,000 that D1 takes a day.
const DAILY_ROWS: usize = 10_000;

/// How long counts are kept back, in milliseconds: `waitUntil` lives for 30 seconds.
pub const HELD_MS: i64 = 20_000;

/// After this a writer that was to come is taken for dead.
const OVERDUE_MS: i64 = HELD_MS + 15_000;

/// One row as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub day: String,
    pub sha1: Sha1,
    pub version: String,
    pub count: u64,
    pub last_at: Timestamp,
}

/// Who writes a download down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// Another request will, soon.
    Another,
    /// This one, after [`HELD_MS`].
    Later,
    /// This one, at once.
    Now,
}

/// What an instance has counted and not written yet.
#[derive(Debug, Default)]
pub struct Tally {
    rows: Vec<Row>,
    /// When a writer set out last; `None` when it is back.
    since: Option<i64>,
    /// Nothing is written at once before this moment: the last attempt failed.
    not_before: i64,
    today: String,
    written_today: usize,
}

impl Tally {
    pub const fn new() -> Self {
        Self {
            rows: Vec::new(),
            since: None,
            not_before: 0,
            today: String::new(),
            written_today: 0,
        }
    }

    /// Counts one download at `now`, in milliseconds.
    pub fn count(&mut self, sha1: Sha1, version: &str, now: i64) -> Writer {
        let last_at = Timestamp::from_millis(now);
        let day = day_of(last_at);
        if day != self.today {
            self.today.clone_from(&day);
            self.written_today = 0;
        }
        let version = self.told_apart(version);
        self.add(Row {
            day,
            sha1,
            version,
            count: 1,
            last_at,
        });
        if self.rows.len() >= MANY && now >= self.not_before {
            Writer::Now
        } else if self.since.is_none_or(|since| now - since > OVERDUE_MS) {
            self.since = Some(now);
            Writer::Later
        } else {
            Writer::Another
        }
    }

    fn told_apart(&self, version: &str) -> String {
        let mut known: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !known.contains(&row.version.as_str()) {
                known.push(&row.version);
            }
        }
        let room = known.len() < MOST_VERSIONS && self.written_today < DAILY_ROWS;
        let fits = room || known.contains(&version);
        if fits { version } else { OTHER }.to_owned()
    }

    fn add(&mut self, row: Row) {
        let same = |one: &&mut Row| {
            one.sha1 == row.sha1 && one.version == row.version && one.day == row.day
        };
        if let Some(one) = self.rows.iter_mut().find(same) {
            one.count += row.count;
            one.last_at = one.last_at.max(row.last_at);
        } else if self.rows.len() < MOST {
            self.rows.push(row);
        }
    }

    /// Hands out all that is to be written.
    pub fn take(&mut self) -> Vec<Row> {
        self.since = None;
        self.written_today += self.rows.len();
        std::mem::take(&mut self.rows)
    }

    /// Takes back what could not be written.
    pub fn put_back(&mut self, rows: Vec<Row>, now: i64) {
        self.not_before = now + HELD_MS;
        for row in rows {
            self.add(row);
        }
    }
}

/// The day of a moment, in UTC: `2026-11-21`.
pub fn day_of(moment: Timestamp) -> String {
    let mut text = moment.to_string();
    text.truncate(10);
    text
}

/// The client's version from its own headers: `1.21.4`, `snapshot` or `other`; `None` for
/// [`CHECK_AGENT`], which is no player. The game says it in `X-Minecraft-Version` and in
/// `User-Agent: Minecraft Java/1.21.4`.
pub fn version_of(said: Option<&str>, user_agent: Option<&str>) -> Option<String> {
    if user_agent == Some(CHECK_AGENT) {
        return None;
    }
    let by_agent = || user_agent?.strip_prefix("Minecraft Java/");
    let said = said.or_else(by_agent).unwrap_or_default().trim();
    let version = if is_release(said) {
        said
    } else if is_snapshot(said) {
        SNAPSHOT
    } else {
        OTHER
    };
    Some(version.to_owned())
}

/// Two or three numbers of one or two digits.
fn is_release(text: &str) -> bool {
    let number = |part: &str| {
        matches!(part.len(), 1..=2) && part.bytes().all(|digit| digit.is_ascii_digit())
    };
    matches!(text.split('.').count(), 2..=3) && text.split('.').all(number)
}

/// `25w31a`, or what comes before a release: `1.21.11-rc1`, `26.1-snapshot-3`.
fn is_snapshot(text: &str) -> bool {
    let weekly = matches!(
        text.as_bytes(),
        [a, b, b'w', c, d, _, ..] if [a, b, c, d].iter().all(|digit| digit.is_ascii_digit())
    );
    let before = text.split_once('-');
    text.len() <= 40 && (weekly || before.is_some_and(|(release, _)| is_release(release)))
}

#[cfg(test)]
#[path = "tally_tests.rs"]
mod tests;
