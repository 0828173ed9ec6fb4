-- Every change of the control document: who, when, before and after.

CREATE TABLE control_history (
  revision INTEGER PRIMARY KEY, -- that of the document after the change
  at INTEGER NOT NULL, -- seconds since 1970
  by TEXT NOT NULL, -- the name of the token
  before TEXT, -- the document as JSON; NULL for the first one
  after TEXT NOT NULL
) STRICT;

-- Which proxy says that it runs which revision.
CREATE TABLE proxies (
  target TEXT NOT NULL,
  name TEXT NOT NULL,
  revision INTEGER NOT NULL,
  seen_at INTEGER NOT NULL, -- seconds since 1970
  PRIMARY KEY (target, name)
) STRICT, WITHOUT ROWID;
