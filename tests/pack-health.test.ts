// `/health`, `/api/health` and `/metrics` of the pack worker, by itself, and what becomes of old downloads.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Bindings, type System, TIMEOUT, start } from "./support/harness.ts";
import { healthOf } from "./support/health.ts";
import { cron, eventually } from "./support/manage.ts";
import { packNamed, sha1, upload } from "./support/packs.ts";
import { type Metric, parse } from "./support/prometheus.ts";

const DAY = 86_400_000;
const [ONE, TWO] = [packNamed("one"), packNamed("two")];

let system: System;
let bindings: Bindings;
before(async () => {
  system = await start();
  bindings = await system.env("pack");
});
after(() => system?.close());

const get = (path: string, init: { method?: string } = {}) => system.pack.fetch(`http://pack.test${path}`, init);
const day = (ago: number) => new Date(Date.now() - ago * DAY).toISOString().slice(0, 10);

const health = () => healthOf(system, "pack");

/** Waits until these checks are those that do not pass: an answer is given again for two seconds. */
async function wrong(expected: Record<string, RegExp>): Promise<any> {
  const names = Object.keys(expected).sort();
  let last: string[] = [];
  const found = await eventually(`${names}, not the last of ${last}`, async () => {
    const body = await health();
    last = Object.keys(body.checks).filter((name) => body.checks[name][0].status !== "pass");
    return JSON.stringify(last) === JSON.stringify(names) ? body : undefined;
  });
  assert.equal(found.status, names.length === 0 ? "pass" : "warn");
  for (const name of names) assert.match(found.checks[name][0].output, expected[name]!);
  return found;
}

/** A page that is read anew: one is given again for half a minute, unless the instance is new. */
async function scrape(): Promise<Map<string, Metric>> {
  const response = await get("/metrics");
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assert.deepEqual([response.headers.get("etag"), response.headers.get("cache-control")], [null, "no-store"]);
  return parse(await response.text());
}

test("health warns until the cron has run, and passes then", { timeout: TIMEOUT }, async () => {
  await wrong({ "cron:age": /has never run/ });
  for (const body of [ONE, TWO]) assert.equal((await upload(system, body)).status, 201);
  await cron(system);
  const { checks } = await wrong({});
  assert.deepEqual(Object.keys(checks), [
    "channels:unfetchable", "cron:age", "cron:failures", "kv:agrees", "pack-db:responseTime", "pack-kv:responseTime",
    "packs:responseTime", "registry:unreadable", "uploads:rejected", "uploads:waiting",
  ]);
  const stored = await (await bindings.PACKS.get("sweep.json"))!.text();
  assert.match(stored, /^\{"v":1,"at":"[^"]+","failed":\[\],"unreadable":0,"kv_put_right":0,/);
});

test("health answers HEAD and format=simple; /health is a line", { timeout: TIMEOUT }, async () => {
  const simple: any = await (await get("/api/health?format=simple")).json();
  assert.deepEqual([simple.status, Object.keys(simple)], ["ok", ["status", "timestamp"]]);
  const head = await get("/api/health", { method: "HEAD" });
  assert.deepEqual([head.status, await head.text()], [200, ""]);
  const alive = await get("/health");
  assert.deepEqual([alive.status, await alive.text(), alive.headers.get("cache-control")], [200, "healthy\n", "no-store"]);
  const bad = await get("/api/health?format=yaml");
  assert.deepEqual([bad.status, ((await bad.json()) as any).code], [400, "bad-request"]);
  for (const path of ["/health", "/api/health", "/metrics"]) {
    const posted = await get(path, { method: "POST" });
    assert.deepEqual([posted.status, posted.headers.get("allow")], [405, "GET, HEAD"], path);
    await posted.arrayBuffer();
  }
});

test("metrics tell of releases, channels, all downloads and the cron", { timeout: TIMEOUT }, async () => {
  const { PACK_DB } = bindings;
  const add = (ago: number, body: Uint8Array, version: string, count: number) =>
    PACK_DB.prepare("INSERT INTO downloads VALUES (?, ?, ?, ?, ?)").bind(day(ago), sha1(body), version, count, 1_700_000_000 - ago).run();
  await add(0, ONE, "1.21.4", 1);
  await add(1, ONE, "1.21.4", 2);
  await add(30, ONE, "other", 4);
  await add(399, TWO, "1.21.4", 8);
  await add(400, TWO, "1.21.4", 16);
  await add(500, TWO, "1.21", 32);
  await add(500, ONE, "1.21", 64);
  const expected = [
    { labels: { pack: "main", release: "1", sha1: sha1(ONE) }, value: 71 },
    { labels: { pack: "main", release: "2", sha1: sha1(TWO) }, value: 56 },
  ];
  const metrics = await scrape();
  const downloads = metrics.get("genkan_pack_downloads_total")!;
  assert.deepEqual([downloads.type, downloads.samples], ["counter", expected]);
  assert.deepEqual(metrics.get("genkan_pack_releases")!.samples, [{ labels: { pack: "main" }, value: 2 }]);
  const channel = { labels: { pack: "main", channel: "stable" }, value: 2 };
  assert.deepEqual(metrics.get("genkan_pack_channel_release")!.samples, [channel]);
  const age = metrics.get("genkan_pack_last_cron_age_seconds")!.samples[0]!.value;
  assert.ok(age >= 0 && age < 120, String(age));
  for (const name of ["uploads_waiting", "uploads_stuck", "uploads_rejected", "registries_unreadable", "channels_unfetchable"]) {
    assert.equal(metrics.get(`genkan_pack_${name}`)!.samples[0]!.value, 0, name);
  }

  // 400 days are kept; what is older is one row a release, and running it twice adds nothing.
  await cron(system);
  await cron(system);
  const { results } = await PACK_DB.prepare("SELECT day, sha1, version, count, last_at FROM downloads ORDER BY day, sha1").all();
  const old = [ONE, TWO].map((body) => {
    const [count, last_at] = body === ONE ? [64, 1_699_999_500] : [48, 1_699_999_600];
    return { day: "0000-00-00", sha1: sha1(body), version: "other", count, last_at };
  });
  old.sort((a, b) => (a.sha1 < b.sha1 ? -1 : 1));
  assert.deepEqual(results.slice(0, 2), old);
  assert.deepEqual(results.slice(2).map((row) => [row["day"], row["count"]]), [[day(399), 8], [day(30), 4], [day(1), 2], [day(0), 1]]);
  await PACK_DB.prepare("INSERT INTO downloads VALUES (?, ?, 'other', 5, 1)").bind(day(450), sha1(TWO)).run();
  await cron(system);
  const total = await PACK_DB.prepare("SELECT count, last_at FROM downloads WHERE day = '0000-00-00' AND sha1 = ?").bind(sha1(TWO)).first();
  assert.deepEqual(total, { count: 53, last_at: 1_699_999_600 });
});

test("health tells what the cron found, and forgets what was mended", { timeout: TIMEOUT }, async () => {
  const { PACKS, PACK_KV } = bindings;
  await PACKS.put("registry/torn.json", "{");
  await PACKS.put("incoming/main/bad.zip", "no zip at all");
  const rejected = () => eventually("the object is rejected", async () => {
    await cron(system, 0.01); // a quarter of an hour on: the object has waited long enough
    const { checks } = await health();
    return checks["uploads:rejected"][0].observedValue === 1 ? checks : undefined;
  });
  await rejected();
  await wrong({
    "cron:failures": /^failed in the last run: collection; /,
    "registry:unreadable": /registry cannot be read/,
    "uploads:rejected": /rejected and still lie there/,
  });
  await PACKS.delete("registry/torn.json");
  await PACKS.delete("incoming/main/bad.zip");
  await cron(system);
  const { checks } = await wrong({});
  assert.equal(checks["uploads:rejected"][0].observedValue, 1, "it can still be asked for");

  const kept = (await PACK_KV.get("verify-hash"))!;
  const differs: Record<string, RegExp> = { "kv:agrees": /two runs in a row/ };
  for (const expected of [{}, differs]) {
    await PACK_KV.put("verify-hash", "{}");
    await cron(system);
    await wrong(expected);
    assert.equal(await PACK_KV.get("verify-hash"), kept);
  }
  await cron(system);
  await wrong({});
});

test("a silent database is a warning, and a report that cannot be read no failure", { timeout: TIMEOUT }, async () => {
  const { PACKS, PACK_DB } = bindings;
  await PACK_DB.prepare("ALTER TABLE downloads RENAME TO away").run();
  await wrong({ "pack-db:responseTime": /^PACK_DB does not answer; the log says why$/ });
  await PACK_DB.prepare("ALTER TABLE away RENAME TO downloads").run();
  await PACKS.put("sweep.json", "{");
  await wrong({ "cron:age": /has never run/ });
  await cron(system);
  await wrong({});
});
