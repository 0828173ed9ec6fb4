-- What each DNS provider has of a host, who reported when, and who asks too often.

-- What every provider answered, as JSON: [{provider, result, detail}].
ALTER TABLE updates ADD COLUMN providers TEXT NOT NULL DEFAULT '[]';
-- Where the report came from, as the edge saw it.
ALTER TABLE updates ADD COLUMN seen TEXT;

CREATE INDEX updates_of_host ON updates (host, id);
-- Only what changed an address: a rollback and the damping of flapping look at nothing else.
CREATE INDEX changes_of_host ON updates (host, id)
  WHERE ipv4_before IS NOT ipv4_after OR ipv6_before IS NOT ipv6_after;

-- The last report of each host by a token that is for it, whatever came of it.
CREATE TABLE reports (
  host TEXT NOT NULL PRIMARY KEY,
  at   TEXT NOT NULL,
  seen TEXT                              -- the connecting address
) STRICT, WITHOUT ROWID;

-- One row a host and provider. A row is leased while it is being told, so that no two tell one
-- provider of one host at once: whoever was later in `hosts` is then also later at the provider.
CREATE TABLE provider_states (
  host            TEXT NOT NULL,
  provider        TEXT NOT NULL,         -- its name in the configuration: cloudflare/zone
  ipv4            TEXT,                  -- what it has for certain; null while that is not known
  ipv6            TEXT,
  sending_ipv4    TEXT,                  -- what it is being told, or was told last
  sending_ipv6    TEXT,
  acknowledged_at TEXT,                  -- when it took what it was told last
  expires_at      TEXT,                  -- when it forgets the host
  warned_at       TEXT,                  -- when the log said that this is near
  attempts        INTEGER NOT NULL DEFAULT 0, -- failures since it took anything
  next_try_at     TEXT,                  -- when the cron tries again
  not_before      TEXT,                  -- until when it asked to be left alone
  error           TEXT,                  -- of the last attempt
  leased_by       TEXT,
  leased_until    TEXT,
  PRIMARY KEY (host, provider)
) STRICT, WITHOUT ROWID;

-- When each token updated lately: a JSON list of seconds since the epoch, oldest first.
CREATE TABLE rates (
  token TEXT NOT NULL PRIMARY KEY,       -- its name
  times TEXT NOT NULL,
  mark  TEXT NOT NULL                    -- the request that was let through last
) STRICT, WITHOUT ROWID;

-- Clients that guessed tokens.
CREATE TABLE blocks (
  client TEXT NOT NULL PRIMARY KEY,
  until  INTEGER NOT NULL                -- seconds since the epoch
) STRICT, WITHOUT ROWID;
