-- Alerts that are to be sent, and how each channel does. Times are RFC 3339 in UTC.

-- One row an alert and channel. What is settled (delivered or given up) stays for two days without
-- its text, so that an alert that is put in twice is sent once.
CREATE TABLE alerts (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  channel    TEXT NOT NULL,
  key        TEXT NOT NULL,              -- what makes two alerts the same one
  at         TEXT NOT NULL,
  alert      TEXT,                       -- JSON
  attempts   INTEGER NOT NULL DEFAULT 0,
  due_at     TEXT NOT NULL,              -- not to be tried before
  settled_at TEXT,
  UNIQUE (channel, key)
) STRICT;

CREATE INDEX alerts_due ON alerts (due_at) WHERE settled_at IS NULL;

CREATE TABLE alert_channels (
  channel       TEXT NOT NULL PRIMARY KEY,
  last_ok_at    TEXT,
  failing_since TEXT,                    -- null while it works
  error         TEXT,
  day           TEXT NOT NULL,           -- of `sent`
  sent          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
