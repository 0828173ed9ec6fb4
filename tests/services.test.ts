// What is watched: states by the cron's minute, incidents, alerts, history, and who may see what.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type D1, type System, TIMEOUT, assertProblem, start } from "./support/harness.ts";
import { parse } from "./support/prometheus.ts";
import { type Receiver, hang, receiver, status } from "./support/receiver.ts";
import { Clock, get, post, rows } from "./support/services.ts";

const HOST = "home.example.com";
const SECRET = "a-very-secret-header-value";
const WEBHOOK_KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

let site: Receiver;
let system: System;
let db: D1;
let clock: Clock;
let broken = new Set<string>();

/** Paths that fail do so until they are mended. */
function arrange(...paths: string[]) {
  broken = new Set(paths);
}

async function tick(count = 1) {
  for (let n = 0; n < count; n += 1) {
    for (const path of broken) site.answer(path, status(503));
    await clock.tick();
  }
}

before(async () => {
  site = await receiver();
  const http = (id: string, more: object = {}) => ({ id, kind: "http", url: `${site.url}/${id}`, ...more });
  system = await start({
    ddns: {
      hosts: [{ host: HOST }],
      services: [
        http("web", { name: "Website <1>", group: "home", public: true, remind_minutes: 10, depends_on: ["line"] }),
        http("vault", { headers: { "X-Key": "$VAULT" }, depends_on: ["line"] }),
        http("shop", { public: true, depends_on: ["vault"] }),
        http("slow", { interval_minutes: 5, public: true, timeout_ms: 300 }),
        { id: "line", kind: "ddns", host: HOST, period_minutes: 5 },
      ],
      alerts: [{ name: "hook", kind: "webhook", secret: "HOOK", url: `${site.url}/hook` }],
    },
    ddnsSecrets: { CHECKS: JSON.stringify({ VAULT: SECRET }), ALERTS: JSON.stringify({ HOOK: WEBHOOK_KEY }) },
  });
  db = (await system.env("ddns")).OPS_DB;
  clock = new Clock(system);
});
after(async () => {
  await system?.close();
  await site?.close();
});

/** The home reports its address at the cron's minute. */
const report = () =>
  db.prepare("INSERT INTO reports (host, at) VALUES (?1, ?2) ON CONFLICT (host) DO UPDATE SET at = excluded.at").bind(HOST, clock.text).run();

const operator = () => ({ token: system.tokens.opsRead });
const states = async (options = operator()): Promise<Record<string, string>> => {
  const { services } = await get(system, "/api/services", options);
  return Object.fromEntries(services.map(({ id, state }: any) => [id, state]));
};
const alerts = () => site.at("/hook").map(({ body }) => JSON.parse(body));
const told = () => alerts().map((alert) => [alert.data?.event ?? alert.event ?? alert.type, alert.data?.service ?? alert.service]);

describe("services", { timeout: TIMEOUT }, () => {
  test("are unknown before the first look, and up after it", async () => {
    const before = await get(system, "/api/services/web");
    assert.deepEqual(
      { ...before, since: null },
      {
        id: "web", name: "Website <1>", group: "home", kind: "http", state: "unknown", since: null, latency_ms: null,
        last_checked_at: null, uptime: { "24h": null, "7d": null, "30d": null, "90d": null }, reason: "not measured yet", depends_on: [],
      },
    );
    await report();
    await tick();
    const { latency_ms, ...web } = await get(system, "/api/services/web");
    assert.ok(latency_ms >= 0 && latency_ms < 5000);
    assert.deepEqual(web, {
      id: "web", name: "Website <1>", group: "home", kind: "http", state: "up", since: clock.text,
      last_checked_at: clock.text, uptime: { "24h": 1, "7d": 1, "30d": 1, "90d": 1 }, reason: null, depends_on: [],
    });
    assert.deepEqual(await states(), { web: "up", vault: "up", shop: "up", slow: "up", line: "up" });
    assert.equal(site.at("/vault").at(-1)?.headers["x-key"], SECRET);
  });

  test("are checked at their interval, and the same minute once", async () => {
    const count = (id: string) => site.at(`/${id}`).length;
    const before = { web: count("web"), slow: count("slow") };
    await clock.again();
    assert.equal(count("web"), before.web);
    await report();
    await tick(4);
    assert.deepEqual([count("web") - before.web, count("slow") - before.slow], [4, 0]);
    await report();
    await tick();
    assert.deepEqual([count("web") - before.web, count("slow") - before.slow], [5, 1]);
  });

  test("that fail twice are down with an incident and one alert, whatever the words, and recover", async () => {
    arrange("/web");
    await report();
    await tick();
    assert.equal((await states()).web, "up");
    await report();
    await tick();
    await report();
    const web = await get(system, "/api/services/web");
    assert.deepEqual([web.state, web.since, web.latency_ms], ["down", clock.text, null]);
    assert.match(web.reason, /503/);
    const { incidents } = await get(system, "/api/incidents?state=open");
    assert.equal(incidents.length, 1);
    const { id, ...incident } = incidents[0];
    assert.deepEqual(incident, { service: "web", opened_at: clock.text, closed_at: null, acknowledged_by: null, reason: web.reason, updates: [] });
    assert.equal(alerts().length, 1);
    site.answer("/web", status(500), status(404), status(418));
    broken = new Set();
    for (let n = 0; n < 3; n += 1) await clock.tick();
    assert.equal((await get(system, "/api/services/web")).reason.includes("418"), true);
    assert.equal(alerts().length, 1);
    await report();
    await tick();
    assert.equal((await states()).web, "up");
    assert.equal(alerts().length, 2);
    const closed = (await get(system, "/api/incidents?service=web")).incidents[0];
    assert.deepEqual([closed.id, closed.closed_at, closed.updates], [id, clock.text, [{ at: clock.text, by: null, text: "recovered" }]]);
    assert.ok((await get(system, "/api/services/web")).uptime["24h"] < 1);
  });

  test("are reminded of until somebody acknowledges", async () => {
    arrange("/web");
    const before = alerts().length;
    for (let n = 0; n < 13; n += 1) {
      await report();
      await tick();
    }
    assert.equal(alerts().length - before, 2, "down and one reminder");
    const { incidents } = await get(system, "/api/incidents?state=open");
    const path = `/api/incidents/${incidents[0].id}/ack`;
    assertProblem(await post(system, path, system.tokens.opsRead), 403, "forbidden", /ops:write/);
    assertProblem(await post(system, "/api/incidents/999999/ack", system.tokens.operator), 404, "not-found");
    assertProblem(await post(system, "/api/incidents/x/ack", system.tokens.operator), 404, "not-found");
    assertProblem(await post(system, path, system.tokens.operator, { note: 1 }), 400, "bad-json");
    const acknowledged = await post(system, path, system.tokens.operator, { note: "the disk is full" });
    assert.equal(acknowledged.status, 200, acknowledged.text);
    assert.equal(acknowledged.json().acknowledged_by, "operator");
    assert.equal(acknowledged.json().updates[0].text, "the disk is full");
    const again = await post(system, path, system.tokens.operator);
    assert.equal(again.json().updates.length, 1);
    const then = alerts().length;
    for (let n = 0; n < 12; n += 1) {
      await report();
      await tick();
    }
    assert.equal(alerts().length, then + 1, "that it was acknowledged, and no reminder");
    arrange();
    await report();
    await tick();
    assertProblem(await post(system, path, system.tokens.operator), 409, "conflict");
  });

  test("behind a dead line are unknown, and one alert is sent", async () => {
    await report();
    await tick(2);
    const before = alerts().length;
    arrange("/web", "/vault");
    await tick(14);
    assert.deepEqual(await states(), { web: "unknown", vault: "unknown", shop: "unknown", slow: "up", line: "down" });
    assert.equal(alerts().length, before + 1, JSON.stringify(told().slice(before)));
    arrange();
    await report();
    await tick(2);
    assert.deepEqual(await states(), { web: "up", vault: "up", shop: "up", slow: "up", line: "up" });
    assert.equal(alerts().length, before + 2);
  });

  test("in maintenance are silent and say so at once, until it ends", async () => {
    const { operator: token, opsRead } = system.tokens;
    const path = "/api/services/web/maintenance";
    for (const [body, status, code] of [
      ["", 400, "bad-json"],
      ["{", 400, "bad-json"],
      [{}, 400, "bad-request"],
      [{ minutes: 5, until: "2030-01-01T00:00:00Z" }, 400, "bad-request"],
      [{ until: "2020-01-01T00:00:00Z" }, 400, "bad-request"],
      [{ until: "tomorrow" }, 400, "bad-json"],
      [{ minutes: -1 }, 400, "bad-json"],
      [{ minutes: 5, reason: "x".repeat(201) }, 400, "bad-request"],
      [{ minutes: 5, reason: "a\nb" }, 400, "bad-request"],
      [{ minutes: 5, forever: true }, 400, "bad-json"],
    ] as const) {
      assertProblem(await post(system, path, token, body), status, code);
    }
    assertProblem(await post(system, path, opsRead, { minutes: 5 }), 403, "forbidden", /ops:write/);
    assertProblem(await post(system, "/api/services/nobody/maintenance", token, { minutes: 5 }), 404, "not-found");
    assert.equal((await system.request(path, { method: "POST", body: "{}" })).status, 401);

    const minutes = Math.ceil((clock.at - Date.now()) / 60_000) + 5;
    const begun = await post(system, path, token, { minutes, reason: "new disk" });
    assert.equal(begun.status, 200, begun.text);
    assert.deepEqual([begun.json().state, begun.json().reason], ["maintenance", "new disk"]);
    assert.equal((await get(system, "/api/services/web")).state, "maintenance");
    const before = alerts().length;
    arrange("/web");
    await report();
    await tick(3);
    assert.equal((await states()).web, "maintenance");
    assert.equal(alerts().length, before);
    arrange();
    const ended = await post(system, path, token, { minutes: 0 });
    assert.deepEqual([ended.json().until, ended.status], [null, 200]);
    await report();
    await tick();
    assert.equal((await states()).web, "up");
    assert.equal(alerts().length, before);
  });

  test("that are paused are not asked", async () => {
    const { operator: token } = system.tokens;
    const paused = await post(system, "/api/services/shop/pause", token);
    assert.deepEqual([paused.status, paused.json().state], [200, "paused"]);
    const asked = site.at("/shop").length;
    await report();
    await tick(2);
    assert.equal(site.at("/shop").length, asked);
    assert.equal((await states()).shop, "paused");
    await post(system, "/api/services/shop/resume", token);
    assert.equal((await states()).shop, "unknown");
    await tick();
    assert.equal((await states()).shop, "up");
    const audit = await rows(db, "SELECT what, by FROM audit WHERE subject = 'shop' AND by IS NOT NULL ORDER BY id");
    assert.deepEqual(audit, [{ what: "pause", by: "operator" }, { what: "resume", by: "operator" }]);
  });

  test("that hang delay no others and are down by their own time-out", async () => {
    site.answer("/slow", hang, hang, hang);
    for (let n = 0; n < 10; n += 1) {
      await report();
      await clock.tick();
    }
    const { services } = await get(system, "/api/services");
    const slow = services.find(({ id }: any) => id === "slow");
    assert.equal(slow.state, "down");
    assert.match(slow.reason, /^timeout/);
    assert.equal(services.find(({ id }: any) => id === "web").last_checked_at, clock.text);
    for (let n = 0; n < 10; n += 1) {
      await report();
      await clock.tick();
    }
  });

  test("that are private are seen by ops:read alone, and leak by no public route", async () => {
    arrange("/vault");
    for (let n = 0; n < 3; n += 1) {
      await report();
      await tick();
    }
    assert.equal((await states()).vault, "down");
    const paths = ["/api/services", "/api/services/shop", "/api/services/web", "/api/incidents", "/api/incidents?limit=200", "/api/health", "/badge/service/shop.svg", "/api/services/shop/history"];
    const all = await Promise.all(paths.map(async (path) => (await system.request(path)).text));
    all.push(await (await system.ddns.fetch("http://ddns.test/metrics")).text());
    for (const [index, text] of all.entries()) {
      for (const word of ["vault", '"line"', HOST, SECRET, WEBHOOK_KEY, "hook", site.url, system.tokens.operator]) {
        assert.ok(!text.includes(word), `${paths[index] ?? "/metrics"} says ${word}: ${text}`);
      }
    }
    for (const path of ["/api/services/vault", "/api/services/vault/history", "/badge/service/vault.svg", "/api/health?service=vault", "/api/incidents?service=vault"]) {
      const nobody = path.replaceAll("vault", "nobody");
      const [hidden, missing] = [await system.request(path), await system.request(nobody)];
      assertProblem(hidden, 404, "not-found");
      assert.equal(hidden.text, missing.text);
      assert.notEqual((await system.request(path, operator())).status, 404, path);
    }
    const shop = await get(system, "/api/services/shop");
    assert.deepEqual([shop.state, shop.depends_on, shop.reason], ["unknown", [], "what it depends on is down"]);
    assert.deepEqual((await get(system, "/api/services/shop", operator())).depends_on, ["vault"]);
    const everything = await Promise.all(["/api/services", "/api/incidents", "/api/health"].map((path) => system.request(path, operator())));
    for (const { text, headers } of everything) {
      assert.match(text, /vault/);
      assert.equal(headers["cache-control"], "no-store");
      for (const word of [SECRET, WEBHOOK_KEY, site.url]) assert.ok(!text.includes(word), text);
    }
    assertProblem(await system.request("/api/services", { token: system.tokens.ddnsUpdate }), 403, "forbidden", /ops:read/);
    assert.equal((await system.request("/api/services", { token: "wrong" })).status, 401);
    const acks = (await get(system, "/api/incidents?service=web")).incidents.filter(({ acknowledged_by }: any) => acknowledged_by !== null);
    assert.ok(acks.length > 0 && acks.every(({ acknowledged_by }: any) => acknowledged_by === "operator"));
    arrange();
    for (let n = 0; n < 2; n += 1) {
      await report();
      await tick();
    }
  });

  test("have tags, HEAD and CORS, and refuse other methods and odd queries", async () => {
    for (const path of ["/api/services", "/api/services/web", "/api/services/web/history", "/api/incidents", "/badge/service/web.svg"]) {
      const answer = await system.request(path);
      const tag = answer.headers["etag"] ?? "";
      assert.match(tag, /^"[0-9a-f]{40}"$/, path);
      assert.equal(answer.headers["access-control-allow-origin"], "*");
      assert.equal((await system.request(path, { headers: { "If-None-Match": tag } })).status, 304, path);
      const head = await system.request(path, { method: "HEAD" });
      assert.deepEqual([head.status, head.headers["etag"], head.body.length], [200, tag, 0], path);
      const wrong = await system.request(path, { method: "DELETE" });
      assertProblem(wrong, 405, "method-not-allowed");
      assert.equal(wrong.headers["allow"], "GET, HEAD");
    }
    for (const path of ["/api/services/web/history?range=1y", "/api/incidents?cursor=x", "/api/incidents?limit=-1", "/api/incidents?state=odd"]) {
      assertProblem(await system.request(path), 400, "bad-request");
    }
    assertProblem(await system.request("/api/services/Web%00"), 404, "not-found");
    assertProblem(await system.request("/badge/service/web.png"), 404, "not-found");
    assertProblem(await system.request("/api/services/web/maintenance"), 405, "method-not-allowed");
  });

  test("that were taken out of the configuration leave their incidents to operators", async () => {
    await db.prepare("INSERT INTO incidents VALUES (100000, 'gone', ?1, ?1, NULL, NULL, '[]')").bind(clock.text).run();
    const [newest] = (await get(system, "/api/incidents", operator())).incidents;
    assert.deepEqual([newest.id, newest.service], [100_000, "gone"]);
    assert.equal((await get(system, "/api/incidents?service=gone", operator())).incidents.length, 1);
    assert.deepEqual((await get(system, "/api/incidents?service=gone&state=open", operator())).incidents, []);
    assert.ok(!(await system.request("/api/incidents")).text.includes("gone"));
    assertProblem(await system.request("/api/incidents?service=gone"), 404, "not-found");
    assertProblem(await system.request("/api/incidents?service=nobody", operator()), 404, "not-found");
  });

  test("have incidents that are paged", async () => {
    const seen: number[] = [];
    let cursor = "";
    do {
      const page = await get(system, `/api/incidents?limit=1&cursor=${cursor}`, operator());
      assert.equal(page.incidents.length, 1);
      seen.push(page.incidents[0].id);
      cursor = page.next_cursor ?? "";
    } while (cursor !== "");
    const { incidents } = await get(system, "/api/incidents", operator());
    assert.deepEqual(seen, incidents.map(({ id }: any) => id));
    assert.deepEqual(seen, seen.toSorted((a, b) => b - a));
    assert.ok(seen.length >= 4);
    const open = await rows(db, "SELECT service FROM incidents WHERE closed_at IS NULL GROUP BY service HAVING count(*) > 1");
    assert.deepEqual(open, []);
  });

  test("have a history whose points and percentiles are those of the checks", async () => {
    const day = await get(system, "/api/services/web/history");
    assert.deepEqual([day.service, day.range, day.step_seconds, day.points.length], ["web", "24h", 300, 288]);
    const measured = day.points.filter(({ up }: any) => up !== null);
    assert.ok(measured.length > 10, String(measured.length));
    assert.ok(measured.some(({ up }: any) => up < 1) && measured.some(({ up }: any) => up === 1));
    const { mean, p50, p95, p99, max } = day.latency_ms;
    assert.ok(p50 <= p95 && p95 <= p99 && p99 <= max && mean <= max && max < 5000);
    const shown = await get(system, "/api/services/web");
    assert.equal(day.uptime, shown.uptime["24h"]);
    for (const [range, points] of [["7d", 168], ["30d", 360], ["90d", 360]] as const) {
      const chart = await get(system, `/api/services/web/history?range=${range}`);
      assert.deepEqual([chart.range, chart.points.length, chart.uptime], [range, points, day.uptime], range);
    }
    const written = await rows(db, "SELECT service, sum(checks) AS checks, sum(json_array_length(samples)) AS samples FROM checks WHERE step = 60 GROUP BY service");
    for (const { checks, samples } of written) assert.equal(checks, samples);
  });

  test("are added up by the day, thinned and forgotten when they are old", async () => {
    const hour = 3600_000;
    const dayOf = (at: number) => Math.floor(at / (24 * hour)) * 24 * 3600;
    const today = dayOf(clock.at);
    const insert = (at: number, checks: number, up: number) =>
      db.prepare("INSERT INTO checks VALUES ('web', 60, ?1, ?2, ?3, 0, 0, '[]', '[]')").bind(at, checks, up).run();
    await insert(today - 30 * 86_400 + 7200, 60, 30); // to be thinned when today is over
    await insert(today - 401 * 86_400, 60, 30); // to be deleted
    await db.prepare("INSERT INTO checks VALUES ('gone', 60, ?1, 9, 9, 0, 0, '[]', '[]')").bind(today - 410 * 86_400).run();
    const ago = (days: number) => new Date((today - days * 86_400) * 1000).toISOString().replace(".000Z", "Z");
    await db.prepare("UPDATE incidents SET opened_at = ?1, closed_at = ?1 WHERE service = 'gone'").bind(ago(401)).run();
    const incident = (id: number, closed_at: string | null) =>
      db.prepare("INSERT INTO incidents VALUES (?1, ?2, ?3, ?4, NULL, NULL, '[]')").bind(id, `gone-${id}`, ago(402), closed_at).run();
    await incident(100_001, null);
    await incident(100_002, ago(399));
    await incident(100_003, ago(401)); // the newest stays, so that no id is given twice
    const counted = (await rows(db, `SELECT sum(checks) AS checks, sum(up) AS up FROM checks WHERE service = 'web' AND step = 60 AND at >= ${today}`))[0];
    clock.at = (today + 86_400) * 1000;
    for (let minute = 1; minute <= 3; minute += 1) {
      await report();
      await clock.tick();
    }
    const rolled = (await rows(db, `SELECT checks, up, samples, buckets FROM checks WHERE service = 'web' AND step = 1440 AND at = ${today}`))[0];
    assert.deepEqual({ ...rolled, enough: rolled.checks >= counted.checks }, { checks: rolled.checks, up: rolled.up, samples: null, buckets: null, enough: true });
    const thinned = (await rows(db, `SELECT samples FROM checks WHERE service = 'web' AND at = ${today - 30 * 86_400 + 7200}`))[0];
    assert.equal(thinned.samples, null);
    assert.deepEqual(await rows(db, `SELECT * FROM checks WHERE at < ${today - 400 * 86_400}`), []);
    const kept = await rows(db, "SELECT id FROM incidents WHERE service LIKE 'gone%' ORDER BY id");
    assert.deepEqual(kept.map(({ id }) => id), [100_001, 100_002, 100_003]);
    // At three minutes past the hour the uptimes are taken from the history.
    const { uptime } = await get(system, "/api/services/web");
    const week = (await rows(db, `SELECT sum(checks) AS checks, sum(up) AS up FROM checks WHERE service = 'web' AND (step = 1440 AND at >= ${today - 6 * 86_400} OR step = 60 AND at >= ${today + 86_400})`))[0];
    assert.ok(Math.abs(uptime["7d"] - (week.up + 3) / (week.checks + 3)) < 1e-5, `${uptime["7d"]} of ${JSON.stringify(week)}`);
    await report();
    await clock.tick();
  });

  test("have badges", async () => {
    const badge = await system.request("/badge/service/web.svg?label=<b>");
    assert.match(badge.headers["content-type"] ?? "", /^image\/svg\+xml/);
    assert.match(badge.text, /&lt;b&gt;: up</);
    assert.match((await system.request("/badge/service/web.svg")).text, /Website &lt;1&gt;/);
  });

  test("are on the page for Prometheus, with what they cost", async () => {
    const page = async (headers: Record<string, string> = {}) => parse(await (await system.ddns.fetch("http://ddns.test/metrics", { headers })).text());
    const anyone = await page();
    const labels = (metrics: Awaited<ReturnType<typeof page>>, name: string) => metrics.get(name)?.samples.map(({ labels }) => labels["service"] ?? labels["host"]);
    assert.deepEqual(labels(anyone, "genkan_service_up"), ["web", "shop", "slow"]);
    assert.deepEqual(labels(anyone, "genkan_ddns_report_age_seconds"), []);
    const cost = anyone.get("genkan_services_rows_written_per_day")!.samples[0]!.value;
    assert.ok(cost > 3000 && cost < 100_000, String(cost));
    const operators = await page({ Authorization: `Bearer ${system.tokens.opsRead}` });
    assert.deepEqual(labels(operators, "genkan_service_up"), ["web", "vault", "shop", "slow", "line"]);
    const state = operators.get("genkan_service_state")!.samples.filter(({ labels, value }) => labels["service"] === "web" && value === 1);
    assert.deepEqual(state.map(({ labels }) => labels["state"]), ["up"]);
    assert.ok(operators.get("genkan_service_latency_seconds")!.samples[0]!.value < 5);
    assert.equal(operators.get("genkan_service_last_check_age_seconds")!.samples[0]!.value, 0);
  });

  test("survive a run that was overtaken", async () => {
    const [{ revision }] = await rows(db, "SELECT revision FROM book");
    await Promise.all([clock.tick(), report()]);
    const at = clock.at;
    const twice = await Promise.allSettled([1, 1, 1].map(() => system.ddns.scheduled({ cron: "* * * * *", scheduledTime: new Date(at + 60_000) })));
    clock.at = at + 60_000;
    assert.equal(twice.length, 3);
    const [after] = await rows(db, "SELECT revision FROM book");
    assert.equal(after.revision, revision + 2);
  });
});
