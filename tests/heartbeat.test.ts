// Beats of jobs: who may beat, what a good beat is, and what silence is.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { type Answer, type D1, type RequestOptions, type System, TIMEOUT, assertProblem, start } from "./support/harness.ts";
import { Clock, get, rows } from "./support/services.ts";

const KEY = randomBytes(24).toString("base64url");

let system: System;
let db: D1;
/** Behind the present, so that nothing is late; and, in the last tests, ahead of it. */
let clock: Clock;

before(async () => {
  const beating = (id: string, more: object = {}) => ({ id, kind: "heartbeat", period_minutes: 60, grace_minutes: 10, public: true, ...more });
  system = await start({
    ddns: {
      hosts: [],
      services: [
        beating("backup", { min_size_bytes: 1000, min_duration_ms: 500, max_duration_ms: 60_000, limits: ["memory_percent < 80"] }),
        beating("nightly", { key: "$NIGHTLY" }),
        beating("weak", { key: "$WEAK" }),
        beating("keyless", { key: "$MISSING", public: false }),
        beating("silent"),
        { id: "web", kind: "tcp", address: "nas.example.com:22" , paused: true },
      ],
    },
    ddnsSecrets: { CHECKS: JSON.stringify({ NIGHTLY: KEY, WEAK: "short" }) },
  });
  db = (await system.env("ddns")).OPS_DB;
  clock = new Clock(system, Date.now() - 3_600_000);
});
after(() => system?.close());

const beat = (path: string, options: RequestOptions & { json?: unknown } = {}): Promise<Answer> => {
  const { json, ...rest } = options;
  const body = json === undefined ? {} : { body: JSON.stringify(json), headers: { "Content-Type": "application/json" } };
  return system.request(`/api/heartbeat/${path}`, { method: "POST", token: system.tokens.operator, ...body, ...rest });
};
const good = { size_bytes: 5000, duration_ms: 1000, memory_percent: 12.5 };
const shown = async (id: string) => {
  const { state, reason } = await get(system, `/api/services/${id}`, { token: system.tokens.opsRead });
  return [state, reason];
};

describe("a heartbeat", { timeout: TIMEOUT }, () => {
  test("needs a token for it, or its key", async () => {
    const anyone = await system.request("/api/heartbeat/nightly");
    assertProblem(anyone, 401, "unauthorized");
    assert.ok(anyone.headers["www-authenticate"]);
    assert.equal((await system.request("/api/heartbeat/nobody")).text, anyone.text, "who has no right learns nothing");
    assertProblem(await beat("nightly", { token: system.tokens.opsRead }), 403, "forbidden", /heartbeat:write:nightly/);
    assertProblem(await beat("nobody"), 404, "not-found");
    assertProblem(await beat("web"), 404, "not-found");
    for (const path of [KEY, `${KEY}/start`, `${KEY}/0`]) {
      const answer = await system.request(`/api/heartbeat/${path}`);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.json().id, "nightly");
      assert.equal(answer.headers["cache-control"], "no-store");
      assert.equal(answer.headers["access-control-allow-origin"], undefined);
    }
    for (const wrong of [KEY.slice(1), `${KEY}x`, KEY.toUpperCase(), "short", "undefined"]) {
      assertProblem(await system.request(`/api/heartbeat/${wrong}`), 401, "unauthorized");
    }
    for (const id of ["weak", "keyless"]) assert.equal((await beat(id)).status, 200, id);
  });

  test("is answered with the state and when the next one is due, by GET, POST and HEAD", async () => {
    const before = Date.now();
    const answer = await beat("nightly");
    assert.equal(answer.status, 200, answer.text);
    const { next_expected_at, ...rest } = answer.json();
    assert.deepEqual(rest, { id: "nightly", state: "up" });
    const due = Date.parse(next_expected_at) - before;
    assert.ok(due > 3_590_000 && due < 3_610_000, next_expected_at);
    assert.equal((await beat("nightly", { method: "GET" })).status, 200);
    const head = await beat("nightly/fail", { method: "HEAD" });
    assert.deepEqual([head.status, head.body.length], [200, 0]);
    assert.deepEqual(await shown("nightly"), ["down", "failed: it says that it failed"]);
    await beat("nightly");
    assert.deepEqual(await shown("nightly"), ["up", null]);
    for (const method of ["PUT", "DELETE", "PATCH"]) {
      const wrong = await beat("nightly", { method });
      assertProblem(wrong, 405, "method-not-allowed");
      assert.equal(wrong.headers["allow"], "GET, HEAD, POST");
    }
    for (const path of ["nightly/odd", "nightly/0/0", "nightly/", "nightly/1.5"]) {
      assertProblem(await beat(path), 404, "not-found");
    }
  });

  test("that is too small, too short, too long or beyond a limit is a failure", async () => {
    for (const [json, reason] of [
      [{ ...good, size_bytes: 0 }, /^size: .*fewer than 1000/],
      [{ ...good, size_bytes: undefined }, /^size: it does not say/],
      [{ ...good, duration_ms: 499 }, /^duration: .*less than 500/],
      [{ ...good, duration_ms: 60_001 }, /^duration: .*more than 60000/],
      [{ ...good, duration_ms: undefined }, /^duration: it does not say/],
      [{ ...good, memory_percent: 80 }, /^limit: 80 is not memory_percent < 80/],
      [{ ...good, memory_percent: "12" }, /^limit: it does not say/],
    ] as const) {
      assert.equal((await beat("backup", { json: good })).json().state, "up");
      const answer = await beat("backup", { json });
      assert.deepEqual([answer.status, answer.json().state], [200, "down"], JSON.stringify(json));
      assert.match((await shown("backup"))[1], reason);
    }
    assert.equal((await beat("backup/3", { json: good })).json().state, "down");
    assert.match((await shown("backup"))[1], /exit code 3/);
    assert.equal((await beat("backup/0", { json: good })).json().state, "up");
  });

  test("that fails opens an incident at the next run, at once and not after several", async () => {
    await beat("backup/fail");
    await clock.tick();
    const { incidents } = await get(system, "/api/incidents?service=backup&state=open");
    assert.deepEqual([incidents.length, incidents[0].reason], [1, "failed: it says that it failed"]);
    await beat("backup", { json: good });
    await clock.tick();
    assert.deepEqual((await get(system, "/api/incidents?service=backup&state=open")).incidents, []);
  });

  test("with a run id counts once, and its run lasts from its start", async () => {
    const metrics = { size_bytes: 5000, memory_percent: 1 };
    await beat("backup/start?rid=run-1");
    await new Promise((resolve) => setTimeout(resolve, 700));
    for (let n = 0; n < 3; n += 1) assert.equal((await beat("backup?rid=run-1", { json: metrics })).json().state, "up");
    const kept = await rows(db, "SELECT ended, duration_ms FROM heartbeats WHERE rid = 'run-1' ORDER BY ended");
    assert.equal(kept.length, 2);
    assert.ok(kept[1].duration_ms >= 700 && kept[1].duration_ms < 20_000, JSON.stringify(kept));
    const late = await beat("backup/fail?rid=run-1");
    assert.equal(late.json().state, "up", "this run has ended");
    const at_once = await Promise.all(Array.from({ length: 8 }, () => beat("backup?rid=run-2", { json: good })));
    assert.ok(at_once.every(({ status }) => status === 200));
    assert.equal((await rows(db, "SELECT * FROM heartbeats WHERE rid = 'run-2'")).length, 1);
    for (const rid of ["x".repeat(65), "a%20b", "%C3%A4"]) assertProblem(await beat(`backup?rid=${rid}`), 400, "bad-request");
  });

  test("keeps the end of a log, and says what was cut", async () => {
    const text = `${"x".repeat(30_000)}the end`;
    const answer = await beat("nightly", { body: text });
    assert.equal(answer.json().log_bytes_cut, 20_007);
    const long = `${"é".repeat(200_000)}the very end`;
    assert.ok((await beat("nightly", { body: long, chunked: true })).json().log_bytes_cut >= 390_000);
    await beat("nightly/1", { json: { log: "in JSON", exit: 1 } });
    const { beats, next_cursor } = await get(system, "/api/services/nightly/beats?limit=3", { token: system.tokens.opsRead });
    assert.deepEqual([beats[0].ending, beats[0].log, beats[0].metrics, beats[0].log_bytes_cut], ["exit 1", "in JSON", { exit: 1 }, 0]);
    assert.match(beats[1].log, /the very end$/);
    assert.equal(beats[2].log.length, 10_000);
    const more = await get(system, `/api/services/nightly/beats?cursor=${next_cursor}`, { token: system.tokens.opsRead });
    assert.ok(more.beats.length > 3 && more.beats[0].at <= beats[2].at);
    assertProblem(await system.request("/api/services/nightly/beats"), 401, "unauthorized");
    assertProblem(await system.request("/api/services/nightly/beats", { token: system.tokens.ddnsUpdate }), 403, "forbidden");
    await beat("nightly");
  });

  test("with a bad body is refused and changes nothing", async () => {
    const before = await rows(db, "SELECT count(*) AS n FROM heartbeats");
    const json = { "Content-Type": "application/json" };
    for (const body of ["{", "[1]", '"text"', '{"size_bytes":1}x']) {
      assertProblem(await beat("nightly", { body, headers: json }), 400, "bad-json");
    }
    assertProblem(await beat("nightly", { body: `{"log":"${"x".repeat(70_000)}"}`, headers: json }), 413, "too-large");
    assertProblem(await beat("nightly", { body: "", headers: { "content-length": "20000000" } }).catch(() => beat("nightly", { body: "x".repeat(10_000_001) })), 413, "too-large");
    const many = Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`m${n}`, n]));
    assertProblem(await beat("nightly", { json: many }), 400, "bad-request");
    assert.deepEqual(await rows(db, "SELECT count(*) AS n FROM heartbeats"), before);
    assert.equal((await beat("nightly", { body: '{"size_bytes":1}' })).status, 200);
  });

  test("whose run does not end in time is a failure", async () => {
    clock = new Clock(system);
    await beat("backup", { json: good });
    await beat("backup/start");
    await clock.tick();
    assert.deepEqual(await shown("backup"), ["up", null]);
    await clock.tick(2);
    const [state, reason] = await shown("backup");
    assert.equal(state, "down");
    assert.match(reason, /^duration: it has not ended/);
    await beat("backup", { json: good });
    assert.deepEqual(await shown("backup"), ["up", null]);
  });

  test("of runs that overlap has to end each in time, by its own id", async () => {
    for (const rid of ["first", "second"]) await beat(`backup/start?rid=${rid}`);
    await beat("backup?rid=first", { json: good });
    await clock.tick();
    assert.deepEqual(await shown("backup"), ["up", null]);
    await clock.tick(2);
    const [state, reason] = await shown("backup");
    assert.deepEqual([state, reason.split(":")[0]], ["down", "duration"], "the second one hangs");
    await beat("backup?rid=second", { json: good });
    assert.deepEqual(await shown("backup"), ["up", null]);
    for (const rid of ["third", "fourth"]) await beat(`backup/start?rid=${rid}`);
    await beat("backup?rid=fourth", { json: good });
    await clock.tick(3);
    assert.deepEqual(await shown("backup"), ["up", null], "the third one was cut off, and a later one went well");
    await beat("backup/start?rid=fifth");
    await beat("backup", { json: good });
    await clock.tick(3);
    assert.deepEqual(await shown("backup"), ["up", null], "an end without an id ends what began before");
  });

  test("that does not come is a failure after the grace, and one alert's worth of change", async () => {
    await beat("nightly");
    await beat("silent");
    await clock.tick(69);
    assert.equal((await shown("nightly"))[0], "up");
    await clock.tick(3);
    const [state, reason] = await shown("nightly");
    assert.equal(state, "down");
    assert.match(reason, /^late: nothing was heard for over 60 minutes/);
    await clock.ticks(2);
    const { incidents } = await get(system, "/api/incidents?service=nightly&state=open");
    assert.equal(incidents.length, 1);
    const back = await beat("nightly");
    assert.equal(back.json().state, "up");
    await clock.tick();
    assert.deepEqual(await shown("nightly"), ["up", null]);
    assert.equal((await shown("silent"))[0], "down");
  });

  test("shows its key and its logs to nobody else", async () => {
    const all = await Promise.all(
      ["/api/services", "/api/services/nightly", "/api/incidents", "/api/health"].flatMap((path) => [system.request(path), system.request(path, { token: system.tokens.opsRead })]),
    );
    await new Promise((resolve) => setTimeout(resolve, 100)); // logs come a moment later
    const tables = ["book", "heartbeats", "incidents", "audit", "checks"];
    const kept = JSON.stringify([all.map(({ text }) => text), system.logs(), await Promise.all(tables.map((table) => rows(db, `SELECT * FROM ${table}`)))]);
    assert.ok(!kept.includes(KEY), "the key is kept");
    assert.ok(!all.some(({ text }) => text.includes("the very end")));
    assert.match(kept, /heartbeat keyless/, "a key that is missing is told in the log");
  });
});
