-- What is watched: its state, its history, its incidents, and the beats that come in.
-- Times are RFC 3339 in UTC with whole seconds, or seconds since 1970 where it says so.

-- All that is known of all services, as one JSON value that the cron swaps once a run: a run whose
-- revision was overtaken breaks the NOT NULL, and with it its whole transaction.
CREATE TABLE book (
  id       INTEGER PRIMARY KEY CHECK (id = 1),
  revision INTEGER NOT NULL,
  book     TEXT NOT NULL
) STRICT;
INSERT INTO book (id, revision, book) VALUES (1, 0, '');

-- The history: a row a service and hour, and one a service and day. Without a rowid and without
-- another index, so that D1 counts one row written for one row.
CREATE TABLE checks (
  service     TEXT NOT NULL,
  step        INTEGER NOT NULL,          -- minutes that the row stands for: 60, 1440
  at          INTEGER NOT NULL,          -- the start of those minutes, in seconds since 1970
  checks      INTEGER NOT NULL,          -- how many there were
  up          INTEGER NOT NULL,          -- how many did not fail
  latency_sum INTEGER NOT NULL,          -- milliseconds
  latency_max INTEGER NOT NULL,
  buckets     TEXT,                      -- of hours: counts by latency, a JSON array
  samples     TEXT,                      -- of hours, for 30 days: [[minute since 1970, latency], …]
  PRIMARY KEY (service, step, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE incidents (
  id              INTEGER PRIMARY KEY,
  service         TEXT NOT NULL,
  opened_at       TEXT NOT NULL,
  closed_at       TEXT,
  acknowledged_by TEXT,                  -- the name of the token
  reason          TEXT,
  updates         TEXT NOT NULL          -- JSON: [{at, by, text}, …]
) STRICT;
-- Never two open incidents of one service.
CREATE UNIQUE INDEX open_incidents ON incidents (service) WHERE closed_at IS NULL;

-- What operators have silenced: a row a service for which there is something.
CREATE TABLE silences (
  service TEXT NOT NULL PRIMARY KEY,
  paused  INTEGER NOT NULL,              -- 0 or 1
  until   TEXT,                          -- the end of maintenance
  reason  TEXT,
  by      TEXT NOT NULL,                 -- the name of the token
  at      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The beats of the last 30 days, as they came in and as they were judged.
CREATE TABLE heartbeats (
  service       TEXT NOT NULL,
  ended         INTEGER NOT NULL,        -- 0 for the start of a run, 1 for its end
  at            INTEGER NOT NULL,        -- milliseconds since 1970
  ending        TEXT NOT NULL,           -- start, success, fail, exit <code>
  rid           TEXT,                    -- the run's id
  duration_ms   INTEGER,
  failure       TEXT,                    -- why it counts as a failure
  metrics       TEXT,                    -- JSON: numbers by name
  log           TEXT,                    -- the end of it
  log_bytes_cut INTEGER NOT NULL,
  PRIMARY KEY (service, ended, at)
) STRICT, WITHOUT ROWID;
-- The same run does not end twice.
CREATE UNIQUE INDEX runs ON heartbeats (service, rid, ended) WHERE rid IS NOT NULL;

-- Changes of state, and what operators did. Kept for 400 days.
CREATE TABLE audit (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  at      TEXT NOT NULL,
  by      TEXT,                          -- the name of a token; null for the cron
  subject TEXT NOT NULL,                 -- the service
  what    TEXT NOT NULL,                 -- state, maintenance, pause, resume, acknowledge
  before  TEXT,
  after   TEXT
) STRICT;
