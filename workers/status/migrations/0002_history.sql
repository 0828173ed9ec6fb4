-- What the pings saw: a row a target and minute, rolled up to five minutes and to hours as it ages.
--
-- Without a rowid and without another index, so that D1 counts one row written for one row.

CREATE TABLE samples (
  target TEXT NOT NULL,
  step INTEGER NOT NULL, -- minutes that the row stands for: 1, 5, 60
  at INTEGER NOT NULL, -- the start of those minutes, in seconds since 1970
  pings INTEGER NOT NULL, -- how many there were
  up INTEGER NOT NULL, -- how many were answered
  players_sum INTEGER NOT NULL, -- over those that were answered and told a number
  players_counted INTEGER NOT NULL,
  players_max INTEGER, -- the most at once
  latency_sum INTEGER NOT NULL, -- milliseconds from dialling to the status, over those answered
  latency_max INTEGER,
  PRIMARY KEY (target, step, at)
) STRICT, WITHOUT ROWID;
