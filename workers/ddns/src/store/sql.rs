//! The statements of the book. Each has one parameter, `?1`: a JSON object. What they give is in the
//! column `found`, as JSON.

/// `WITH judged AS (…)`: every item of a request with what its host has, what it would have, and
/// the decision. The damping looks at the changes of the last hour, of the last 64 at the most.
macro_rules! judged {
    () => {
        "\
WITH items AS (
  SELECT key AS n, value->>'$.host' AS host, value->>'$.code' AS code, value->>'$.ipv4' AS new4,
         value->>'$.ipv6' AS new6, value->>'$.no_ipv4' AS no4, value->>'$.no_ipv6' AS no6,
         value->>'$.fresh' AS fresh
  FROM json_each(?1, '$.items')
), compared AS (
  SELECT items.*, hosts.ipv4 AS old4, hosts.ipv6 AS old6,
         iif(no4, NULL, coalesce(new4, hosts.ipv4)) AS after4,
         iif(no6, NULL, coalesce(new6, hosts.ipv6)) AS after6
  FROM items LEFT JOIN hosts ON items.code IS NULL AND hosts.host = items.host
), judged AS (
  SELECT *, CASE
    WHEN code IS NOT NULL THEN code
    WHEN after4 IS old4 AND after6 IS old6 THEN 'nochg'
    WHEN ?1->>'$.flaps' <= (
      SELECT count(*) FROM (
        SELECT at, ipv4_after, ipv6_after FROM updates
        WHERE updates.host = compared.host
          AND (ipv4_before IS NOT ipv4_after OR ipv6_before IS NOT ipv6_after)
        ORDER BY id DESC LIMIT 64
      ) WHERE at > ?1->>'$.flap_since' AND ipv4_after IS after4 AND ipv6_after IS after6
    ) THEN 'abuse'
    ELSE fresh END AS decision
  FROM compared
), shown AS (
  SELECT *, code IS NULL AND decision <> 'abuse' AS applied FROM judged
)
"
    };
}

/// One host as a [`crate::plan::Line`].
macro_rules! line {
    () => {
        "\
SELECT json_object('host', h.host, 'wanted', json_object('ipv4', h.ipv4, 'ipv6', h.ipv6),
  'updated_at', h.updated_at, 'holdings', json((
    SELECT json_group_array(json_object('provider', p.provider,
      'has', json_object('ipv4', p.ipv4, 'ipv6', p.ipv6), 'acknowledged_at', p.acknowledged_at,
      'expires_at', p.expires_at, 'warned_at', p.warned_at, 'attempts', p.attempts,
      'next_try_at', p.next_try_at, 'not_before', p.not_before, 'error', p.error,
      'leased_until', p.leased_until))
    FROM provider_states AS p WHERE p.host = h.host))) AS found
FROM hosts AS h"
    };
}

/// Lets a request through, unless its client is blocked or its token has used up its rate.
pub const ADMIT: &str = "\
INSERT INTO rates (token, times, mark)
SELECT ?1->>'$.token', json_array(?1->>'$.now'), ?1->>'$.mark'
WHERE NOT EXISTS (
  SELECT 1 FROM blocks WHERE client = ?1->>'$.guesser' AND until > ?1->>'$.now')
ON CONFLICT (token) DO UPDATE SET
  times = json_insert(
    CASE WHEN json_array_length(rates.times) < ?1->>'$.most' THEN rates.times
         ELSE json_remove(rates.times, '$[0]') END,
    '$[#]', ?1->>'$.now'),
  mark = excluded.mark
WHERE json_array_length(rates.times) < ?1->>'$.most'
   OR rates.times->>'$[0]' <= (?1->>'$.now') - (?1->>'$.window')";

/// Logs every item of a request that was let through. A row an item.
pub const RECORD: &str = concat!(
    judged!(),
    "\
INSERT INTO updates (at, token, client, seen, host, reported, decision,
                     ipv4_before, ipv6_before, ipv4_after, ipv6_after)
SELECT ?1->>'$.at', ?1->>'$.token', ?1->>'$.client', ?1->>'$.seen', host, ?1->>'$.reported', decision,
       iif(applied, old4, NULL), iif(applied, old6, NULL),
       iif(applied, after4, NULL), iif(applied, after6, NULL)
FROM shown
WHERE (SELECT mark FROM rates WHERE token = ?1->>'$.token') = ?1->>'$.mark'
ORDER BY n
RETURNING json_object('id', id, 'decision', decision,
  'before', json_object('ipv4', ipv4_before, 'ipv6', ipv6_before),
  'after', json_object('ipv4', ipv4_after, 'ipv6', ipv6_after)) AS found"
);

/// The same without writing anything.
pub const PREVIEW: &str = concat!(
    judged!(),
    "\
SELECT json_object('id', n, 'decision', decision,
  'before', json_object('ipv4', iif(applied, old4, NULL), 'ipv6', iif(applied, old6, NULL)),
  'after', json_object('ipv4', iif(applied, after4, NULL), 'ipv6', iif(applied, after6, NULL))) AS found
FROM shown ORDER BY n"
);

/// Gives the hosts what [`RECORD`], just before in the same transaction, says that they have.
pub const APPLY: &str = "\
INSERT INTO hosts (host, ipv4, ipv6, updated_at, updated_by)
SELECT host, ipv4_after, ipv6_after, at, token
FROM (SELECT * FROM updates ORDER BY id DESC LIMIT json_array_length(?1, '$.items'))
WHERE (SELECT mark FROM rates WHERE token = ?1->>'$.token') = ?1->>'$.mark'
  AND decision IN ('good', '911')
  AND (ipv4_after IS NOT ipv4_before OR ipv6_after IS NOT ipv6_before)
ON CONFLICT (host) DO UPDATE SET
  ipv4 = excluded.ipv4, ipv6 = excluded.ipv6,
  updated_at = excluded.updated_at, updated_by = excluded.updated_by";

/// Remembers that those hosts were reported, whatever came of it: the line is alive. A rollback was
/// seen nowhere and is no report.
pub const REPORTED: &str = "\
INSERT INTO reports (host, at, seen)
SELECT host, at, seen
FROM (SELECT * FROM updates ORDER BY id DESC LIMIT json_array_length(?1, '$.items'))
WHERE (SELECT mark FROM rates WHERE token = ?1->>'$.token') = ?1->>'$.mark'
  AND seen IS NOT NULL AND decision IN ('good', 'nochg', '911', 'dnserr', 'abuse')
ON CONFLICT (host) DO UPDATE SET at = excluded.at, seen = excluded.seen";

pub const LINES: &str = concat!(
    line!(),
    " WHERE h.host IN (SELECT value FROM json_each(?1, '$.hosts'))"
);

pub const ALL_LINES: &str = concat!(line!(), " WHERE ?1 IS NOT NULL");

/// What holds a token and a client back: the oldest of so many updates, the end of a block.
pub const LIMITS: &str = "\
SELECT json_object(
  'oldest', (SELECT times->>'$[0]' FROM rates
             WHERE token = ?1->>'$.token' AND json_array_length(times) >= ?1->>'$.most'),
  'blocked', (SELECT until FROM blocks
              WHERE client = ?1->>'$.guesser' AND until > ?1->>'$.now')) AS found";

/// Logs that a token was held back, once while it is. A host that the token is not for is not named:
/// it was not reported.
pub const HELD_BACK: &str = "\
INSERT INTO updates (at, token, client, seen, host, reported, decision)
SELECT ?1->>'$.at', ?1->>'$.token', ?1->>'$.client', ?1->>'$.seen',
       iif(coalesce(?1->>'$.items[0].code', 'dnserr') = 'dnserr', ?1->>'$.items[0].host', NULL),
       ?1->>'$.reported', 'abuse'
WHERE NOT EXISTS (
  SELECT 1 FROM (SELECT token, decision, at FROM updates ORDER BY id DESC LIMIT 40)
  WHERE token = ?1->>'$.token' AND decision = 'abuse' AND at > ?1->>'$.window_since')";

pub const BLOCK: &str = "\
INSERT INTO blocks (client, until) VALUES (?1->>'$.client', ?1->>'$.until')
ON CONFLICT (client) DO UPDATE SET until = excluded.until";

/// Leases providers, of an account for one request at a time. What one is told from now on is all that
/// it may have.
pub const CLAIM: &str = "\
INSERT INTO provider_states (host, provider, sending_ipv4, sending_ipv6, leased_by, leased_until)
SELECT h.host, j.value->>'$.provider', h.ipv4, h.ipv6, ?1->>'$.mark', ?1->>'$.until'
FROM json_each(?1, '$.duties') AS j JOIN hosts AS h ON h.host = j.value->>'$.host'
WHERE NOT (j.value->>'$.shared' AND EXISTS (
  SELECT 1 FROM provider_states AS o
  WHERE o.provider = j.value->>'$.provider' AND o.host <> h.host
    AND o.leased_until > ?1->>'$.now' AND o.leased_by <> ?1->>'$.mark'))
ON CONFLICT (host, provider) DO UPDATE SET
  ipv4 = iif(provider_states.ipv4 IS excluded.sending_ipv4, provider_states.ipv4, NULL),
  ipv6 = iif(provider_states.ipv6 IS excluded.sending_ipv6, provider_states.ipv6, NULL),
  sending_ipv4 = excluded.sending_ipv4, sending_ipv6 = excluded.sending_ipv6,
  leased_by = excluded.leased_by, leased_until = excluded.leased_until
WHERE provider_states.leased_until IS NULL OR provider_states.leased_until <= ?1->>'$.now'
RETURNING json_object('host', host, 'provider', provider, 'attempts', attempts,
  'addresses', json_object('ipv4', sending_ipv4, 'ipv6', sending_ipv6)) AS found";

/// What an account that [`CLAIM`] leased is told is all that it may have of its other hosts, too.
pub const FORGET: &str = "\
UPDATE provider_states SET
  ipv4 = iif(a.low4 IS NULL OR (ipv4 IS a.low4 AND ipv4 IS a.high4), ipv4, NULL),
  ipv6 = iif(a.low6 IS NULL OR (ipv6 IS a.low6 AND ipv6 IS a.high6), ipv6, NULL)
FROM (
  SELECT p.provider AS account, min(p.sending_ipv4) AS low4, max(p.sending_ipv4) AS high4,
         min(p.sending_ipv6) AS low6, max(p.sending_ipv6) AS high6
  FROM json_each(?1, '$.accounts') AS j JOIN provider_states AS p
    ON p.host = j.value->>'$.host' AND p.provider = j.value->>'$.provider'
  WHERE p.leased_by = ?1->>'$.mark' GROUP BY p.provider) AS a
WHERE provider_states.provider = a.account
  AND ((a.low4 IS NOT NULL AND ipv4 IS NOT NULL AND (ipv4 <> a.low4 OR ipv4 <> a.high4))
    OR (a.low6 IS NOT NULL AND ipv6 IS NOT NULL AND (ipv6 <> a.low6 OR ipv6 <> a.high6)))";

/// What came of it, unless the lease is somebody else's by now.
pub const SETTLE: &str = "\
UPDATE provider_states SET
  ipv4 = iif(s.done, sending_ipv4, ipv4), ipv6 = iif(s.done, sending_ipv6, ipv6),
  acknowledged_at = iif(s.done, s.acknowledged_at, provider_states.acknowledged_at),
  expires_at = iif(s.done, s.expires_at, provider_states.expires_at),
  warned_at = iif(s.done, NULL, warned_at),
  attempts = s.attempts, next_try_at = s.next_try_at, not_before = s.not_before, error = s.error,
  leased_by = NULL, leased_until = NULL
FROM (
  SELECT value->>'$.host' AS host, value->>'$.provider' AS provider, value->>'$.done' AS done,
         value->>'$.acknowledged_at' AS acknowledged_at, value->>'$.expires_at' AS expires_at,
         value->>'$.attempts' AS attempts, value->>'$.next_try_at' AS next_try_at,
         value->>'$.not_before' AS not_before, value->>'$.error' AS error
  FROM json_each(?1, '$.settled')) AS s
WHERE provider_states.host = s.host AND provider_states.provider = s.provider
  AND leased_by = ?1->>'$.mark'";

/// What asked to be left alone is, for all hosts: it counts requests by token.
pub const REST: &str = "\
UPDATE provider_states SET not_before = r.until
FROM (
  SELECT value->>'$.provider' AS rests, max(value->>'$.not_before') AS until
  FROM json_each(?1, '$.settled') WHERE value->>'$.not_before' IS NOT NULL GROUP BY 1) AS r
WHERE provider_states.provider = r.rests
  AND (provider_states.not_before IS NULL OR provider_states.not_before < r.until)";

pub const FINISH: &str = "\
UPDATE updates SET decision = f.decision, providers = f.providers
FROM (
  SELECT value->>'$.id' AS id, value->>'$.decision' AS decision, value->'$.providers' AS providers
  FROM json_each(?1, '$.finished')) AS f
WHERE updates.id = f.id";

pub const NOTE: &str = "\
INSERT INTO updates (at, token, client, host, reported, decision, providers,
                     ipv4_before, ipv6_before, ipv4_after, ipv6_after)
SELECT value->>'$.at', 'cron', value->>'$.client', value->>'$.host',
       json_set(value->'$.addresses', '$.refused', json('[]')), value->>'$.decision',
       value->'$.providers',
       value->>'$.addresses.ipv4', value->>'$.addresses.ipv6',
       value->>'$.addresses.ipv4', value->>'$.addresses.ipv6'
FROM json_each(?1, '$.notes') WHERE true";

/// Remembers whom the notes warn of.
pub const WARNED: &str = "\
UPDATE provider_states SET warned_at = w.at
FROM (
  SELECT n.value->>'$.at' AS at, n.value->>'$.host' AS host, p.value->>'$.provider' AS provider
  FROM json_each(?1, '$.notes') AS n, json_each(n.value, '$.providers') AS p
  WHERE n.value->>'$.decision' = 'expiring') AS w
WHERE provider_states.host = w.host AND provider_states.provider = w.provider";

/// The change that gave a host what it has: what it had before.
pub const PREVIOUS: &str = "\
SELECT json_object('ipv4', ipv4_before, 'ipv6', ipv6_before) AS found FROM updates
WHERE host = ?1->>'$.host'
  AND (ipv4_before IS NOT ipv4_after OR ipv6_before IS NOT ipv6_after)
ORDER BY id DESC LIMIT 1";

/// The last report of each host by a token that is for it, taken or not, that came over IPv4, and the
/// last one that came over IPv6, newest first: those of the cron and rollbacks were seen nowhere. Of
/// the last 20 reports, for a home may have one family alone, and each row that is looked at costs.
pub const LAST_REPORTS: &str = "\
SELECT json_object('host', u.host, 'seen', u.seen, 'reported', json(u.reported)) AS found
FROM json_each(?1, '$.hosts') AS j JOIN updates AS u ON u.id IN (
  SELECT max(id) FROM (
    SELECT id, seen FROM updates WHERE host = j.value AND seen IS NOT NULL AND decision <> '!yours'
    ORDER BY id DESC LIMIT 20)
  GROUP BY instr(seen, ':') > 0)
ORDER BY u.id DESC";

/// A page of the log, each entry a [`types::ddns::LogEntry`]; conditions come between [`LOG`] and [`LOG_ORDER`].
pub const LOG: &str = "\
SELECT json_object('id', id, 'at', at, 'token', token, 'client', client, 'host', host,
  'reported', json(reported), 'decision', decision, 'providers', json(providers),
  'before', json(iif(ipv4_after IS NULL AND ipv6_after IS NULL, NULL,
                     json_object('ipv4', ipv4_before, 'ipv6', ipv6_before))),
  'after', json(iif(ipv4_after IS NULL AND ipv6_after IS NULL, NULL,
                    json_object('ipv4', ipv4_after, 'ipv6', ipv6_after)))) AS found
FROM updates WHERE id < ?1->>'$.before'";

pub const LOG_ORDER: &str = " ORDER BY id DESC LIMIT ?1->>'$.limit'";

/// Takes the oldest entries away, a thousand at the most.
pub const PRUNE_LOG: &str = "\
DELETE FROM updates WHERE id IN (
  SELECT id FROM (SELECT id, at FROM updates ORDER BY id LIMIT 1000) WHERE at < ?1->>'$.log')";

pub const PRUNE_BLOCKS: &str = "DELETE FROM blocks WHERE until < ?1->>'$.now'";

/// Forgets what providers have that are configured no more. Their records stay as they are.
pub const PRUNE_PROVIDERS: &str = "\
DELETE FROM provider_states WHERE host || ' ' || provider NOT IN (
  SELECT value->>'$.host' || ' ' || (value->>'$.provider') FROM json_each(?1, '$.duties'))";

pub const TICK: &str = "\
INSERT INTO ticks (worker, at) VALUES ('ddns', ?1)
ON CONFLICT (worker) DO UPDATE SET at = excluded.at";

pub const LAST_TICK: &str = "SELECT at AS found FROM ticks WHERE worker = ?1";
