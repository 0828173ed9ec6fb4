-- Every revision of the control document: who, when, before and after. A revision is claimed by its
-- row: the second one to insert it has lost.

CREATE TABLE control_history (
  revision INTEGER PRIMARY KEY, -- that of the document after the change
  at INTEGER NOT NULL, -- seconds since 1970
  by TEXT NOT NULL, -- the name of the token, 'kv' for an edit by hand, 'auto-end' for the schedule
  before TEXT, -- the document as JSON; NULL for the first one
  after TEXT NOT NULL, -- as KV holds it, byte for byte
  kv_sha1 TEXT -- of what was found in KV, where that was taken over
) STRICT;

-- Which proxy says that it runs which revision.
CREATE TABLE proxies (
  target TEXT NOT NULL,
  name TEXT NOT NULL,
  revision INTEGER NOT NULL,
  seen_at INTEGER NOT NULL, -- seconds since 1970
  window_at INTEGER NOT NULL, -- when the hour began in which `writes` were made
  writes INTEGER NOT NULL, -- so that nobody can make many
  PRIMARY KEY (target, name)
) STRICT, WITHOUT ROWID;
