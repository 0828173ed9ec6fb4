-- Addresses of the home line, the log of what was reported, and when each cron ran.
-- Times are RFC 3339 in UTC with whole seconds: they sort as text.

CREATE TABLE hosts (
  host       TEXT NOT NULL PRIMARY KEY,
  ipv4       TEXT,
  ipv6       TEXT,
  updated_at TEXT NOT NULL,              -- when an address changed last
  updated_by TEXT NOT NULL               -- the name of the token
) STRICT, WITHOUT ROWID;

-- One row a host and report, whatever came of it. Never changed, never reused ids.
CREATE TABLE updates (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  at          TEXT NOT NULL,
  token       TEXT NOT NULL,             -- its name
  client      TEXT,                      -- User-Agent
  host        TEXT,                      -- as named by the client; null when it named none
  reported    TEXT NOT NULL,             -- JSON: ipv4, ipv6, refused
  decision    TEXT NOT NULL,             -- the dyndns2 code
  ipv4_before TEXT,
  ipv6_before TEXT,
  ipv4_after  TEXT,
  ipv6_after  TEXT
) STRICT;

CREATE TABLE ticks (
  worker TEXT NOT NULL PRIMARY KEY,
  at     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
