// The history in D1: a row a minute, rolled up as it ages, and what a chart gets of it. The cron is
// told at which moment it was due, so that days of it pass in seconds.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { type D1, type System, start } from "./support/harness.ts";
import { type MinecraftPeer, PLAYERS, minecraft } from "./support/minecraft.ts";
import { type Peer, closesAtOnce, listen, statusServer } from "./support/tcp.ts";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const PATIENT = { timeout_ms: 5000, degraded_ms: 10_000 };

interface Row {
  target: string;
  step: number;
  at: number;
  pings: number;
  up: number;
  players_sum: number;
  players_counted: number;
  players_max: number | null;
  latency_sum: number;
  latency_max: number | null;
}

/** A run of the cron that was due at this second. */
const cron = async (system: System, at: number) => {
  const { outcome } = await system.status.scheduled({ cron: "* * * * *", scheduledTime: new Date(at * 1000) });
  assert.equal(outcome, "ok");
};

const rows = async (db: D1, where = "true"): Promise<Row[]> =>
  (await db.prepare(`SELECT * FROM samples WHERE ${where} ORDER BY target, step, at`).all<Row>()).results;

const read = async (system: System, target: string, range: string): Promise<any> => {
  const response = await system.status.fetch(`http://status.test/api/history/${target}?range=${range}`);
  assert.equal(response.status, 200, await response.clone().text());
  return response.json();
};

/** Writes rows as the cron would have: `make` says what a minute was, or that it was not. */
async function fill(db: D1, target: string, from: number, minutes: number, make: (minute: number) => Partial<Row> | null) {
  const made = Array.from({ length: minutes }, (_, index) => ({ index, row: make(index) }))
    .filter(({ row }) => row !== null)
    .map(({ index, row }) => ({
      target, step: 1, at: from + index * MINUTE, pings: 1, up: 1, players_sum: 3, players_counted: 1, players_max: 3,
      latency_sum: 20, latency_max: 20, ...row,
    }));
  const columns = ["target", "step", "at", "pings", "up", "players_sum", "players_counted", "players_max", "latency_sum", "latency_max"];
  const values = columns.map((name) => `value ->> '${name}'`).join(", ");
  for (let index = 0; index < made.length; index += 5000) {
    const json = JSON.stringify(made.slice(index, index + 5000));
    await db.prepare(`INSERT INTO samples (${columns}) SELECT ${values} FROM json_each(?1)`).bind(json).run();
  }
}

const sum = (rows: Row[]) =>
  rows.reduce(
    (total, row) => ({
      pings: total.pings + row.pings, up: total.up + row.up, players: total.players + row.players_sum,
      counted: total.counted + row.players_counted, latency: total.latency + row.latency_sum,
      most: Math.max(total.most, row.players_max ?? 0), slowest: Math.max(total.slowest, row.latency_max ?? 0),
    }),
    { pings: 0, up: 0, players: 0, counted: 0, latency: 0, most: 0, slowest: 0 },
  );

const floor = (at: number, step: number) => Math.floor(at / step) * step;
const now = () => Math.floor(Date.now() / 1000);

/** The first minute at or after `at` in which the cron has this to do. */
const due = (at: number, every: number, phase: number) => {
  const minute = Math.ceil(at / MINUTE);
  return (minute + ((((phase - minute) % every) + every) % every)) * MINUTE;
};
const FIVE = [4, 0] as const;
const HOURS = [48, 1] as const;
const PURGE = [48, 2] as const;

describe("history", () => {
  let server: MinecraftPeer;
  let other: Peer;
  let system: System;
  let db: D1;
  before(async () => {
    server = await minecraft({ players: { max: 20, online: 2, sample: PLAYERS } });
    other = await listen(statusServer());
    const at = (id: string, port: number) => ({ id, address: `${id}.example.com`, connect: `127.0.0.1:${port}`, ...PATIENT });
    system = await start({ status: { targets: [at("main", server.port), at("lobby", other.port)] } });
    db = (await system.env("status")).STATUS_DB;
  });
  beforeEach(() => db.prepare("DELETE FROM samples").run());
  after(async () => {
    await system?.close();
    await server?.close();
    await other?.close();
  });

  test("has one row a target and minute, however often the event comes", async () => {
    const at = floor(now(), HOUR) + MINUTE;
    await cron(system, at + 17);
    const first = await rows(db);
    assert.deepEqual(
      first.map(({ latency_sum, latency_max, ...row }) => row),
      [
        { target: "lobby", step: 1, at, pings: 1, up: 1, players_sum: 2, players_counted: 1, players_max: 2 },
        { target: "main", step: 1, at, pings: 1, up: 1, players_sum: 2, players_counted: 1, players_max: 2 },
      ],
    );
    for (const { latency_sum, latency_max } of first) {
      assert.equal(latency_sum, latency_max);
      assert.ok(latency_sum >= 0 && latency_sum < 5000, String(latency_sum));
    }
    server.say({ players: { max: 20, online: 7 } });
    await Promise.all([cron(system, at + 17), cron(system, at + 17), cron(system, at + 59)]);
    assert.deepEqual(await rows(db), first);
    await cron(system, at + 60);
    assert.deepEqual((await rows(db, "target = 'main'")).map(({ players_max }) => players_max), [2, 7]);
    server.say({ players: { max: 20, online: 2, sample: PLAYERS } });
  });

  test("does not count what was known before a failure, or a number that is hidden", async () => {
    const at = floor(now(), HOUR) + MINUTE;
    other.behave(closesAtOnce);
    server.say({ players: { max: null, online: null } });
    await cron(system, at);
    const zero = { step: 1, at, pings: 1, players_sum: 0, players_counted: 0, players_max: null };
    const [lobby, main] = await rows(db);
    assert.deepEqual(lobby, { target: "lobby", ...zero, up: 0, latency_sum: 0, latency_max: null });
    assert.deepEqual({ ...main, latency_sum: 0, latency_max: null }, { target: "main", ...zero, up: 1, latency_sum: 0, latency_max: null });
    assert.notEqual(main!.latency_max, null);
    other.behave(statusServer());
    server.say({ players: { max: 20, online: 2, sample: PLAYERS } });
  });

  test("becomes a chart in which a gap is a gap, and uptime is over what was measured", async () => {
    const end = floor(now(), 5 * MINUTE);
    const from = end - 2 * HOUR;
    // Ten minutes up, ten down, an hour not measured at all, and the rest up.
    await fill(db, "main", from, 120, (minute) => {
      if (minute < 10) return { players_sum: minute, players_max: minute };
      if (minute < 20) return { up: 0, players_sum: 0, players_counted: 0, players_max: null, latency_sum: 0, latency_max: null };
      return minute < 80 ? null : {};
    });
    const chart = await read(system, "main", "24h");
    const { points, ...head } = chart;
    assert.deepEqual(head, { target: "main", range: "24h", step_seconds: 300, uptime: 50 / 60 > 0.833333 ? 0.833333 : NaN });
    assert.equal(points.length, 288);
    points.forEach(({ at }: any, index: number) => {
      assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:00Z$/);
      if (index > 0) assert.equal(Date.parse(at) - Date.parse(points[index - 1].at), 300_000);
    });
    const point = (at: number) => points.find((point: any) => Date.parse(point.at) === at * 1000);
    const iso = (at: number) => new Date(at * 1000).toISOString().replace(".000Z", "Z");
    const nothing = { players: null, players_max: null, latency_ms: null, latency_ms_max: null };
    assert.deepEqual(point(from), { at: iso(from), players: 2, players_max: 4, latency_ms: 20, latency_ms_max: 20, up: 1 });
    assert.deepEqual(point(from + 600), { at: iso(from + 600), ...nothing, up: 0 });
    for (const at of [from - 300, from + 1200, from + 79 * MINUTE - 240]) assert.deepEqual(point(at), { at: iso(at), ...nothing, up: null });
    assert.equal(point(from + 80 * MINUTE).up, 1);
    assert.equal((await read(system, "lobby", "24h")).uptime, null);
  });

  test("is at most 500 points of whatever range, made of rows of whatever age", async () => {
    const end = floor(now(), 6 * HOUR);
    await fill(db, "main", end - 2 * DAY, 2 * 1440, (minute) => (minute % 10 === 0 ? { up: 0, latency_sum: 0 } : {}));
    for (const [step, from, until] of [[5, 30, 2], [60, 95, 30]] as const) {
      const each = { step, pings: step, up: step === 5 ? 4 : 60, players_sum: step * 3, players_counted: step, latency_sum: (step === 5 ? 4 : 60) * 20 };
      const count = ((from - until) * DAY) / (step * MINUTE);
      await fill(db, "main", end - from * DAY, count, () => ({}));
      // The rows just made stand for more than a minute, and are that far apart.
      await db.prepare("DELETE FROM samples WHERE step = 1 AND at < ?1").bind(end - 2 * DAY).run();
      const json = JSON.stringify(Array.from({ length: count }, (_, index) => end - from * DAY + index * step * MINUTE));
      await db
        .prepare(`INSERT INTO samples SELECT 'main', ${step}, value, ${each.pings}, ${each.up}, ${each.players_sum}, ${each.players_counted}, 3, ${each.latency_sum}, 20 FROM json_each(?1)`)
        .bind(json)
        .run();
    }
    for (const [range, days, step] of [["24h", 1, 300], ["7d", 7, 1800], ["30d", 30, 7200], ["90d", 90, 21_600]] as const) {
      const { points, step_seconds, uptime } = await read(system, "main", range);
      assert.equal(step_seconds, step);
      assert.equal(points.length, (days * DAY) / step);
      assert.ok(points.length <= 500);
      const last = Date.parse(points.at(-1).at) / 1000;
      assert.ok(last <= now() && last + step > now() - 5, range);
      assert.ok(Date.parse(points[0].at) / 1000 >= now() - days * DAY, range);
      const measured = points.filter(({ up }: any) => up !== null);
      // All but what lies after the last full six hours is measured.
      assert.ok(measured.length >= points.length - (6 * HOUR) / step - 1, `${range}: ${measured.length} of ${points.length}`);
      for (const { players, latency_ms } of measured) assert.deepEqual([players, latency_ms], [3, 20]);
      assert.ok(uptime > 0.79 && uptime < 1, `${range}: ${uptime}`);
    }
    const [day, month, quarter] = await Promise.all(["24h", "30d", "90d"].map((range) => read(system, "main", range)));
    assert.ok(Math.abs(day.uptime - 0.9) < 0.002, day.uptime);
    assert.ok(Math.abs(month.uptime - (2 * 0.9 + 28 * 0.8) / 30) < 0.01, month.uptime);
    assert.ok(Math.abs(quarter.uptime - (2 * 0.9 + 28 * 0.8 + 60) / 90) < 0.01, quarter.uptime);
  });

  test("is rolled up to five minutes after two days, and nothing is lost or counted twice", async () => {
    const end = floor(now(), HOUR);
    const from = end - 2 * DAY - HOUR;
    const noise = (minute: number) => (minute % 7 === 3 ? null : { players_sum: minute % 5, players_max: minute % 5, up: minute % 11 === 0 ? 0 : 1 });
    await fill(db, "main", from, 90, noise);
    await fill(db, "lobby", from + 17 * MINUTE, 20, noise);
    await fill(db, "removed", from, 10, noise); // no longer configured
    const before = { main: sum(await rows(db, "target = 'main'")), lobby: sum(await rows(db, "target = 'lobby'")) };

    let at = due(end, ...FIVE);
    await cron(system, at);
    assert.equal((await rows(db, `target = 'main' AND step = 5`)).length, 1);
    for (let n = 0; n < 15; n += 1) await cron(system, (at += 4 * MINUTE));
    await cron(system, at); // twice
    const old = `at < ${end - 2 * DAY}`;
    assert.deepEqual(await rows(db, `step = 1 AND ${old}`), []);
    const rolled = await rows(db, `step = 5 AND ${old}`);
    for (const { at } of rolled) assert.equal(at % (5 * MINUTE), 0);
    assert.equal(rolled.filter(({ target }) => target === "main").length, 12);
    assert.equal(rolled.filter(({ target }) => target === "removed").length, 2);
    const written = `at < ${end}`; // without the minutes that these runs wrote
    assert.deepEqual(sum(await rows(db, `target = 'main' AND ${written}`)), before.main);
    assert.deepEqual(sum(await rows(db, `target = 'lobby' AND ${written}`)), before.lobby);
  });

  test("is not rolled up before all of a window is old", async () => {
    const at = due(now(), ...FIVE);
    const from = floor(at - 2 * DAY, 5 * MINUTE) + (at % (5 * MINUTE) === 0 ? 0 : 5 * MINUTE);
    await fill(db, "main", from, 5, () => ({}));
    await cron(system, at);
    assert.equal((await rows(db, `step = 1 AND at < ${at}`)).length, 5);
    await cron(system, due(from + 2 * DAY + 5 * MINUTE, ...FIVE));
    assert.equal((await rows(db, `step = 1 AND at < ${at}`)).length, 0);
    assert.equal((await rows(db, `step = 5 AND at = ${from}`)).length, 1);
  });

  test("is rolled up to hours after thirty days and gone after 400", async () => {
    const end = floor(now(), HOUR);
    const month = end - 30 * DAY - 3 * HOUR;
    const each = { pings: 5, up: 4, players_sum: 15, players_counted: 5, players_max: 9, latency_sum: 80, latency_max: 30 };
    const insert = (step: number, at: number) =>
      db.prepare(`INSERT INTO samples VALUES ('main', ?1, ?2, 5, 4, 15, 5, 9, 80, 30)`).bind(step, at).run();
    for (let index = 0; index < 36; index += 1) await insert(5, month + index * 5 * MINUTE);
    // Something of the second hour came late, after it had been rolled up.
    await insert(60, month + HOUR);
    for (const days of [400.5, 400.1, 399.5]) await insert(60, floor(end - days * DAY, HOUR));
    let at = due(end, ...HOURS);
    for (let n = 0; n < 3; n += 1, at += 48 * MINUTE) await cron(system, at);
    const hours = await rows(db, `target = 'main' AND step = 60 AND at >= ${month}`);
    assert.deepEqual(
      hours.map(({ at, pings, up, players_sum, latency_max }) => [at - month, pings, up, players_sum, latency_max]),
      [
        [0, 60, 48, 180, 30],
        [HOUR, 65, 52, 195, 30],
        [2 * HOUR, 60, 48, 180, 30],
      ],
    );
    assert.deepEqual(await rows(db, "step = 5"), []);
    assert.equal(hours[0]!.players_max, each.players_max);
    at = due(at, ...PURGE);
    for (let n = 0; n < 4; n += 1, at += 48 * MINUTE) await cron(system, at);
    const kept = await rows(db, `target = 'main' AND step = 60 AND at < ${month}`);
    assert.deepEqual(kept.map(({ at }) => at), [floor(end - 399.5 * DAY, HOUR)]);
  });

  test("that breaks off in the middle of a roll-up is as it was, and is rolled up the next time", async () => {
    const end = floor(now(), HOUR);
    await fill(db, "main", end - 3 * DAY, 5, () => ({}));
    const before = await rows(db);
    await db.prepare("CREATE TRIGGER broken BEFORE DELETE ON samples BEGIN SELECT RAISE(ABORT, 'broken off'); END").run();
    const at = due(end, ...FIVE);
    await cron(system, at);
    assert.deepEqual(await rows(db, `at < ${end - DAY}`), before);
    // The minute itself is written all the same, and somebody is told.
    assert.equal((await rows(db, `step = 1 AND at = ${at}`)).length, 2);
    assert.ok(system.logs().some(({ message }) => message.includes("history roll-up") && message.includes("broken off")));
    await db.prepare("DROP TRIGGER broken").run();
    await cron(system, at + 4 * MINUTE);
    const [rolled, ...more] = await rows(db, `at < ${end - DAY}`);
    assert.deepEqual(more, []);
    assert.deepEqual([rolled!.step, rolled!.pings, rolled!.players_sum], [5, 5, 15]);
  });

  test("that came days late is added to what was rolled up", async () => {
    const old = floor(now() - 4 * DAY, 5 * MINUTE);
    await db.prepare("INSERT INTO samples VALUES ('main', 5, ?1, 4, 4, 8, 4, 2, 80, 20)").bind(old).run();
    await cron(system, old + 2 * MINUTE);
    await cron(system, due(now(), ...FIVE));
    const [row, ...more] = await rows(db, `target = 'main' AND at < ${now() - DAY}`);
    assert.deepEqual(more, []);
    assert.deepEqual([row!.step, row!.at, row!.pings, row!.up, row!.players_sum, row!.players_max], [5, old, 5, 5, 10, 2]);
  });

  test("costs D1 one row written for one row", async () => {
    const written = async (sql: string) => ((await db.prepare(sql).run()) as any).meta.rows_written;
    assert.equal(await written("INSERT INTO samples VALUES ('x', 1, 0, 1, 1, 1, 1, 1, 1, 1), ('x', 1, 60, 1, 1, 1, 1, 1, 1, 1)"), 2);
    assert.equal(await written("UPDATE samples SET pings = 2 WHERE target = 'x' AND at = 0"), 1);
    assert.ok((await written("DELETE FROM samples WHERE target = 'x'")) <= 2);
  });

  test("is asked for by target and range, and by nothing else", async () => {
    const get = (path: string) => system.status.fetch(`http://status.test/api/history/${path}`);
    for (const range of ["", "1d", "24H", "90", "-7d", "7d ", "%00", "1' OR 1=1", "x".repeat(10_000)]) {
      const response = await get(`main?range=${encodeURIComponent(range)}`);
      assert.equal(response.status, 400, range);
      const problem = (await response.json()) as any;
      assert.equal(problem.code, "bad-request");
      assert.match(problem.detail, /24h, 7d, 30d and 90d/);
    }
    assert.equal(((await (await get("main")).json()) as any).range, "24h");
    for (const target of ["nobody", "removed", "MAIN", "'; DROP TABLE samples; --", ""]) {
      const response = await get(encodeURIComponent(target));
      assert.equal(response.status, 404, target);
      await response.arrayBuffer();
    }
  });
});

test("what D1 refuses keeps the cron neither from pinging nor from writing KV", async () => {
  const server = await minecraft({ description: "Hello" });
  const targets = [{ id: "main", address: "play.example.com", connect: `127.0.0.1:${server.port}`, ...PATIENT }];
  const system = await start({ status: { targets } });
  try {
    const { STATUS_DB: db } = await system.env("status");
    await db.prepare("DROP TABLE samples").run();
    await cron(system, due(now(), ...FIVE));
    const get = (path: string) => system.status.fetch(`http://status.test${path}`);
    const status = (await (await get("/api/status")).json()) as any;
    assert.deepEqual([status.state, status.motd.clean], ["online", "Hello"]);
    const failed = await get("/api/history/main");
    assert.equal(failed.status, 500);
    assert.equal(((await failed.json()) as any).code, "internal");
    assert.ok(system.logs().some(({ level, message }) => level === "error" && message.includes("d1 migrations apply")));
    server.say({ description: "News" });
    await cron(system, now());
    assert.equal(((await (await get("/api/status")).json()) as any).motd.clean, "News");
  } finally {
    await system.close();
    await server.close();
  }
});
