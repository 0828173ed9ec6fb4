-- How often the key `status` of KV was written on the day that is written now, in one row. KV holds the
-- count as well, but shows a write a minute late.

CREATE TABLE kv_writes (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  day INTEGER NOT NULL, -- the start of the day in UTC, in seconds since 1970
  count INTEGER NOT NULL
) STRICT;
