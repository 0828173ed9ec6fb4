// `/health` and `/api/health` of the status worker, by itself: the gateway's are those of `ddns`.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type D1, type Kv, type System, TIMEOUT, start } from "./support/harness.ts";
import { healthOf } from "./support/health.ts";
import { type MinecraftPeer, minecraft } from "./support/minecraft.ts";
import { PATIENT, cron, stored } from "./support/status.ts";

const BUDGET = 500;
const CHECKS = ["control:document", "cron:age", "kv:writes", "status-db:responseTime", "status-kv:responseTime"];

let server: MinecraftPeer;
let system: System;
let kv: Kv;
let db: D1;
before(async () => {
  server = await minecraft({ players: { max: 20, online: 2 } });
  system = await start({
    status: {
      KV_WRITES_PER_DAY: BUDGET,
      targets: [{ id: "main", address: "play.example.com", connect: `127.0.0.1:${server.port}`, ...PATIENT }],
    },
  });
  ({ STATUS_KV: kv, STATUS_DB: db } = await system.env("status"));
});
after(async () => {
  await system?.close();
  await server?.close();
});

const get = (path: string, init: { method?: string; headers?: Record<string, string>; body?: string } = {}) => system.status.fetch(`http://status.test${path}`, init);

const health = () => healthOf(system, "status");

/** The status, and of each check that does not pass its own and what it says. */
async function wrong(): Promise<[string, Record<string, [string, string]>]> {
  const { status, checks } = await health();
  const those = Object.entries<any>(checks).filter(([, [check]]) => check.status !== "pass");
  return [status, Object.fromEntries(those.map(([name, [check]]) => [name, [check.status, check.output]]))];
}

const WELL = ["pass", {}];

describe("health of status", { timeout: TIMEOUT }, () => {
  test("warns before the cron has ever run", async () => {
    assert.deepEqual(await wrong(), ["warn", { "cron:age": ["warn", "the cron has never run"] }]);
  });

  test("passes once it has, and says how it measured", async () => {
    await cron(system);
    assert.deepEqual(await wrong(), WELL);
    const { checks } = await health();
    assert.deepEqual(Object.keys(checks), CHECKS);
    const [age] = checks["cron:age"];
    assert.ok(age.observedValue >= 0 && age.observedValue < 120, String(age.observedValue));
    assert.equal(age.observedUnit, "s");
    assert.deepEqual([checks["kv:writes"][0].observedValue, checks["kv:writes"][0].observedUnit], [1, "writes"]);
  });

  test("is a word with format=simple, a head for HEAD, and nothing else", async () => {
    const simple = await get("/api/health?format=simple");
    const body: any = await simple.json();
    assert.deepEqual([simple.status, body.status, Object.keys(body)], [200, "ok", ["status", "timestamp"]]);
    assert.ok(Math.abs(body.timestamp - Date.now()) < 60_000);
    const head = await get("/api/health", { method: "HEAD" });
    assert.deepEqual([head.status, await head.text()], [200, ""]);
    assert.equal((await get("/api/health", { headers: { "If-None-Match": "*" } })).status, 200);
    const bad = await get("/api/health?format=xml");
    assert.deepEqual([bad.status, ((await bad.json()) as any).code], [400, "bad-request"]);
    const posted = await get("/api/health", { method: "POST", body: "{}" });
    assert.deepEqual([posted.status, posted.headers.get("allow")], [405, "GET, HEAD"]);
  });

  test("/health is a line of text that touches nothing", async () => {
    const alive = await get("/health");
    assert.deepEqual([alive.status, await alive.text()], [200, "healthy\n"]);
    assert.deepEqual([alive.headers.get("etag"), alive.headers.get("cache-control")], [null, "no-store"]);
  });

  test("warns of a control document that was broken by hand, and passes when it is mended", async () => {
    const token = { authorization: `Bearer ${system.tokens.operator}` };
    const body = JSON.stringify({ motd: { entries: [{ lines: ["good"] }] } });
    assert.equal((await get("/api/control", { method: "PUT", headers: token, body })).status, 200);
    const good = (await kv.get("control"))!;
    for (const [broken, says] of [
      ["{", /line 1/], ["[]", /./], ['{"v":2}', /v/], [good.replace('"rotate_seconds":60', '"rotate_seconds":"x"'), /rotate_seconds/],
      [`{"v":1,"${"x".repeat(5000)}":1}`, /stays in force/],
    ] as const) {
      await kv.put("control", broken);
      const [status, { "control:document": document, ...others }] = await wrong();
      assert.deepEqual([status, others], ["warn", {}], broken);
      assert.match(document![1], says);
      assert.match(document![1], /^what KV holds is no control document, and the last good one stays in force: /);
      assert.ok(document![1].length < 400);
      assert.equal(await kv.get("control"), broken, "asking repairs nothing");
      const shown: any = await (await get("/api/control")).json();
      assert.equal(shown.motd.clean, "good");
    }
    await kv.put("control", good);
    assert.deepEqual(await wrong(), WELL);
  });

  test("warns when the day's writes are nearly used, whatever they were yesterday", async () => {
    const before = (await kv.get("status"))!;
    const { writes } = JSON.parse(before);
    const wrote = async (change: object) => {
      await kv.put("status", JSON.stringify({ ...JSON.parse(before), writes: { ...writes, ...change } }));
      return (await wrong())[0];
    };
    const yesterday = new Date(Date.parse(writes.day) - 86_400_000).toISOString().replace(".000Z", "Z");
    assert.deepEqual(
      [await wrote({ count: 449 }), await wrote({ count: 450 }), await wrote({ count: 500, day: yesterday })],
      ["pass", "warn", "pass"],
    );
    await kv.put("status", before);
  });

  test("warns when neither KV nor D1 has seen the cron for long", async () => {
    const before = (await kv.get("status"))!;
    const old = new Date(Date.now() - 600_000).toISOString().replace(/\.\d+Z$/, "Z");
    await kv.put("status", before.replace(/"retrieved_at":"[^"]*"/, `"retrieved_at":"${old}"`));
    assert.deepEqual(await wrong(), WELL, "D1 has");
    await db.prepare("UPDATE samples SET at = at - 600").run();
    assert.deepEqual(await wrong(), ["warn", { "cron:age": ["warn", "the cron has not run for over 5 minutes"] }]);
    await cron(system);
    assert.deepEqual(await wrong(), WELL);
  });

  test("warns while the database is silent, and the cron's age is that of KV", async () => {
    await db.prepare("ALTER TABLE samples RENAME TO away").run();
    try {
      const [status, checks] = await wrong();
      assert.equal(status, "warn");
      assert.deepEqual(checks, { "status-db:responseTime": ["warn", "the database does not answer; the log says why"] });
      assert.ok(system.logs().some(({ message }) => message.includes("no such table: samples")));
    } finally {
      await db.prepare("ALTER TABLE away RENAME TO samples").run();
    }
    assert.deepEqual(await wrong(), WELL);
  });

  test("takes a value in KV that cannot be read for none", async () => {
    const before = (await kv.get("status"))!;
    await kv.put("status", "{");
    assert.deepEqual(await wrong(), WELL, "D1 knows when the cron ran");
    await kv.put("status", before);
    assert.notEqual(await stored(system), null);
  });

  test("revisions are kept for 400 days, and the last fifty for ever", async () => {
    const row = "INSERT INTO control_history (revision, at, by, before, after) SELECT max(revision) + 1, 0, 'ci', NULL, max(after) FROM control_history";
    const last = (await db.prepare("SELECT max(revision) AS n FROM control_history").first<{ n: number }>())!.n;
    for (let n = last; n < 70; n += 1) await db.prepare(row).run();
    const now = Math.floor(Date.now() / 1000);
    // Those up to 10 are old, and so are all from 20 on.
    await db.prepare("UPDATE control_history SET at = ? WHERE revision > 10 AND revision < 20").bind(now).run();
    await db.prepare("UPDATE control_history SET at = ? WHERE revision <= 10").bind(now - 401 * 86_400).run();
    const hour = new Date(Math.ceil(Date.now() / 3_600_000) * 3_600_000);
    await system.status.scheduled({ cron: "* * * * *", scheduledTime: hour });
    const { results } = await db.prepare("SELECT revision FROM control_history ORDER BY revision").all<{ revision: number }>();
    const kept = results.map(({ revision }) => revision);
    assert.deepEqual(kept, [...Array.from({ length: 9 }, (_, n) => n + 11), ...Array.from({ length: 50 }, (_, n) => n + 21)]);
  });
});
