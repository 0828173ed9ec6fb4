-- How often each pack was downloaded, by day and by the client's Minecraft version. Nothing in it
-- says who: no name, no UUID, no address.

CREATE TABLE downloads (
  day     TEXT NOT NULL,                 -- UTC: 2026-11-21
  sha1    TEXT NOT NULL,
  version TEXT NOT NULL,                 -- 1.21.4, "snapshot" or "other"
  count   INTEGER NOT NULL,
  last_at INTEGER NOT NULL,              -- seconds since 1970, UTC
  PRIMARY KEY (day, sha1, version)
) STRICT, WITHOUT ROWID;
