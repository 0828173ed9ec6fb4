// Garbage collection: what is old and unused goes, releases first and blobs later, and nothing else.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { assertProblem, start, TIMEOUT, type System } from "./support/harness.ts";
import { cron, details, history, logged, operate, publish, store } from "./support/manage.ts";
import { packNamed, sha1, stored, upload } from "./support/packs.ts";

/** The newest releases that stay, and the days that anything stays. */
const [KEEP, GRACE] = [2, 30];

let system: System;
let number = 0;
/** A pack of its own for each test; what tests before it left is collected. */
let pack = "";
before(async () => {
  system = await start({ pack: { GC_KEEP_RELEASES: KEEP, GC_GRACE_DAYS: GRACE } });
});
beforeEach(() => {
  pack = `pack-${++number}`;
});
after(() => system.close());

async function collect(query = ""): Promise<any> {
  const answer = await operate(system, "POST", `/api/packs/gc${query}`);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers["cache-control"], "no-store");
  return answer.json();
}

const releases = async (of = pack): Promise<string[]> =>
  (await details(system, of)).releases.map((release: any) => release.sha1);

async function hasBlob(hash: string): Promise<boolean> {
  return (await (await system.env("pack")).PACKS.head(`packs/${hash}.zip`)) !== null;
}

/** A blob that no registry names. */
async function strayBlob(label: string): Promise<string> {
  const bytes = packNamed(label);
  await (await system.env("pack")).PACKS.put(`packs/${sha1(bytes)}.zip`, bytes);
  return sha1(bytes);
}

test("nothing that is young is collected, by request or by the cron", { timeout: TIMEOUT }, async () => {
  const hashes = await store(system, pack, "one", "two", "three", "four", "five");
  await strayBlob("young stray");
  await operate(system, "DELETE", `/api/packs/${pack}/releases/${hashes[4]}`);
  const before = await stored(system);
  assert.deepEqual(await collect("?dry_run=true"), { dry_run: true, releases: [], blobs: [] });
  assert.deepEqual(await collect(), { dry_run: false, releases: [], blobs: [] });
  await cron(system);
  await cron(system, GRACE - 1);
  assert.deepEqual(await stored(system), before);
});

test("an old release goes first, its blob a grace period later", { timeout: TIMEOUT }, async () => {
  const [one = "", two = "", three = "", four = ""] = await store(system, pack, "one", "two", "three", "four");
  await publish(system, pack, one);
  await publish(system, pack, two, "beta");
  await publish(system, pack, three, "beta");
  await cron(system, GRACE + 1);
  assert.deepEqual(await releases(), [one, three, four], "two is beyond the newest, and nothing points to it");
  assert.deepEqual((await history(system, pack)).at(-1), ["collect", "collection", null, two, null]);
  for (const hash of [one, two, three, four]) assert.ok(await hasBlob(hash), hash);
  assert.equal(sha1((await system.request(`/packs/${two}.zip`)).body), two);

  await cron(system, 2 * GRACE);
  assert.ok(await hasBlob(two), "the history named it less than the grace period ago");
  await cron(system, 2 * GRACE + 2);
  assert.deepEqual(await Promise.all([one, two, three, four].map(hasBlob)), [true, false, true, true]);
  // The cache of a data centre that was asked for it has it for a day.
  for (const method of ["GET", "HEAD"]) {
    assert.equal((await system.request(`/packs/${two}.zip`, { method })).status, 200, method);
  }
  const after = await stored(system);
  await cron(system, 10 * GRACE);
  assert.deepEqual(await stored(system), after, "what is left is used");
});

test("pins, schedules and channels keep what is old", { timeout: TIMEOUT }, async () => {
  const labels = ["channel", "pin", "schedule", "unused", "new", "newest"];
  const [channel = "", pin = "", schedule = "", unused = "", ...rest] = await store(system, pack, ...labels);
  await publish(system, pack, channel, "old");
  await operate(system, "PATCH", `/api/packs/${pack}`, { pins: [pin] });
  const at = "2100-01-01T00:00:00Z";
  const scheduled = await operate(system, "POST", `/api/packs/${pack}/publish`, { sha1: schedule, at });
  assert.equal(scheduled.status, 202, scheduled.text);
  for (const days of [GRACE + 1, 3 * GRACE, 5 * GRACE]) await cron(system, days);
  assert.deepEqual(await releases(), [channel, pin, schedule, ...rest]);
  for (const hash of [channel, pin, schedule, ...rest]) assert.ok(await hasBlob(hash), hash);
  assert.ok(!(await hasBlob(unused)));
  for (const method of ["GET", "HEAD"]) {
    assert.equal((await system.request(`/packs/${unused}.zip`, { method })).status, 404, method);
  }
});

/** The day that many days from now, as the table has it. */
const dayIn = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);

/** Writes down a download of these bytes, so many days from now. */
async function downloaded(hash: string, days: number): Promise<void> {
  const { PACK_DB } = await system.env("pack");
  const add = "INSERT INTO downloads (day, sha1, version, count, last_at) VALUES (?1, ?2, '1.21.4', 1, unixepoch(?1))";
  await PACK_DB.prepare(add).bind(dayIn(days), hash).run();
}

test("what was downloaded within 7 days stays, a release and a blob alike", { timeout: TIMEOUT }, async () => {
  const [one = "", two = "", three = "", ...rest] = await store(system, pack, "one", "two", "three", "four", "five");
  const [stray, played] = [await strayBlob(`${pack} stray`), await strayBlob(`${pack} played`)];
  const late = GRACE + 10;
  await downloaded(one, late - 5);
  await downloaded(two, late - 9);
  await downloaded(played, late - 5);
  await cron(system, late);
  assert.deepEqual(await releases(), [one, ...rest], "nobody plays two and three any more");
  assert.deepEqual(await Promise.all([stray, played].map(hasBlob)), [false, true]);
  // Once nobody has downloaded it for 7 days it goes as well.
  await cron(system, late + 5);
  assert.deepEqual(await releases(), rest);
  assert.ok(!(await hasBlob(played)));
  assert.ok(await hasBlob(three), "named within the grace period");
});

test("while it cannot be known what was downloaded, nothing is collected, and the log says so", { timeout: TIMEOUT }, async () => {
  const { PACK_DB } = await system.env("pack");
  const hashes = await store(system, pack, "one", "two", "three");
  const stray = await strayBlob(`${pack} stray`);
  const before = await stored(system);
  const since = system.logs().length;
  await PACK_DB.prepare("ALTER TABLE downloads RENAME TO elsewhere").run();
  try {
    await cron(system, GRACE + 1);
    await cron(system, 9 * GRACE);
    assertProblem(await operate(system, "POST", "/api/packs/gc"), 500, "internal");
    assertProblem(await operate(system, "POST", "/api/packs/gc?dry_run=true"), 500, "internal");
  } finally {
    await PACK_DB.prepare("ALTER TABLE elsewhere RENAME TO downloads").run();
  }
  assert.deepEqual(await stored(system), before);
  assert.match(logged(system, "error", "sweep", since).join("\n"), /collection: .*PACK_DB|collection: .*downloads/);
  await cron(system, GRACE + 1);
  assert.deepEqual(await releases(), hashes.slice(1));
  assert.ok(!(await hasBlob(stray)));
});

test("a rollback passes over what was collected", { timeout: TIMEOUT }, async () => {
  const [one = "", two = "", ...rest] = await store(system, pack, "one", "two", "three", "four");
  for (const hash of [one, two, ...rest]) await publish(system, pack, hash);
  await operate(system, "PATCH", `/api/packs/${pack}`, { pins: [one] });
  await cron(system, GRACE + 1);
  assert.deepEqual(await releases(), [one, ...rest]);
  const back = () => operate(system, "POST", `/api/packs/${pack}/rollback`, {});
  assert.equal((await back()).json().sha1, rest[0]);
  assert.equal((await back()).json().sha1, one);
  assertProblem(await back(), 409, "conflict");
});

test("an unregistered blob goes when it is old, and what is no blob stays", { timeout: TIMEOUT }, async () => {
  const { PACKS } = await system.env("pack");
  const stray = await strayBlob("stray");
  for (const key of ["packs/readme.txt", "packs/abc.zip", "other/file.zip"]) await PACKS.put(key, "kept");
  await cron(system, GRACE - 1);
  assert.ok(await hasBlob(stray));
  await cron(system, GRACE + 1);
  assert.ok(!(await hasBlob(stray)));
  for (const key of ["packs/readme.txt", "packs/abc.zip", "other/file.zip"]) {
    assert.ok((await PACKS.head(key)) !== null, key);
    await PACKS.delete(key);
  }
});

test("bytes that another pack still uses stay", { timeout: TIMEOUT }, async () => {
  const shared = packNamed("shared by two packs");
  await upload(system, shared, { pack: `${pack}-user` });
  await upload(system, shared, { pack, query: "?publish=false" });
  await store(system, pack, "new", "newest");
  for (const days of [GRACE + 1, 3 * GRACE, 5 * GRACE]) await cron(system, days);
  assert.equal((await releases()).includes(sha1(shared)), false);
  assert.ok(await hasBlob(sha1(shared)));
  assert.deepEqual(await releases(`${pack}-user`), [sha1(shared)]);
});

test("several crons at once collect what one would", { timeout: TIMEOUT }, async () => {
  const hashes = await store(system, pack, "one", "two", "three", "four");
  const since = system.logs().length;
  await Promise.all([cron(system, GRACE + 1), cron(system, GRACE + 1), cron(system, GRACE + 1)]);
  assert.deepEqual(await releases(), hashes.slice(2));
  assert.equal((await history(system, pack)).length, 2, "each was taken out once");
  await Promise.all([cron(system, 3 * GRACE), cron(system, 3 * GRACE), cron(system, 3 * GRACE)]);
  assert.deepEqual(await Promise.all(hashes.map(hasBlob)), [false, false, true, true]);
  assert.equal(await (await system.env("pack")).PACKS.head("collection.json"), null);
  assert.deepEqual(logged(system, "error", "sweep", since), []);
});

test("what a dry run lists is what is collected then", { timeout: TIMEOUT }, async () => {
  const other = await start({ pack: { GC_KEEP_RELEASES: 1, GC_GRACE_DAYS: 1 } });
  try {
    const [one = "", two = ""] = await store(other, "main", "one", "two");
    const { PACKS } = await other.env("pack");
    // As if all of it had been uploaded long ago.
    const registry = (await (await PACKS.get("registry/main.json"))?.text()) ?? "";
    await PACKS.put("registry/main.json", registry.replace(/"uploaded_at":"[^"]*"/g, `"uploaded_at":"2020-01-01T00:00:00Z"`));
    const before = await stored(other);
    const gc = async (query: string) => (await operate(other, "POST", `/api/packs/gc${query}`)).json();
    const dry = await gc("?dry_run=true");
    const size = (await details(other, "main")).releases[0].size;
    assert.deepEqual(dry, { dry_run: true, releases: [{ pack: "main", release: 1, sha1: one, size }], blobs: [] });
    assert.deepEqual(await gc("?dry_run=true"), dry);
    assert.deepEqual(await stored(other), before);
    for (const query of ["?dry_run=yes", "?dry_run", "?dry_run=1"]) {
      assertProblem(await operate(other, "POST", `/api/packs/gc${query}`), 400, "bad-request", /dry_run/);
    }
    assert.deepEqual(await stored(other), before);
    assert.deepEqual(await gc(""), { ...dry, dry_run: false });
    assert.deepEqual((await details(other, "main")).releases.map((release: any) => release.sha1), [two]);
    assert.deepEqual((await history(other, "main")).at(-1), ["collect", "operator", null, one, null]);
  } finally {
    await other.close();
  }
});

test("while a registry cannot be read, nothing at all is collected, and the log says so", { timeout: TIMEOUT }, async () => {
  const { PACKS } = await system.env("pack");
  await store(system, pack, "one", "two", "three");
  await store(system, `${pack}-broken`, "one");
  await strayBlob("stray beside a broken registry");
  const key = `registry/${pack}-broken.json`;
  const whole = (await (await PACKS.get(key))?.text()) ?? "";
  for (const broken of ["", "{}", whole.slice(0, -20), whole.replace(`"v":1`, `"v":2`)]) {
    await PACKS.put(key, broken);
    const since = system.logs().length;
    const before = await stored(system);
    await cron(system, 9 * GRACE);
    assertProblem(await operate(system, "POST", "/api/packs/gc"), 500, "internal");
    assert.deepEqual(await stored(system), before);
    assert.match(logged(system, "error", "sweep", since).join("\n"), /collection: registry\/.*-broken\.json/);
  }
  await PACKS.put(key, whole);
  await cron(system, 9 * GRACE);
  assert.equal((await releases()).length, 2);
});

test("a collection that was broken off long ago blocks nothing", { timeout: TIMEOUT }, async () => {
  const { PACKS } = await system.env("pack");
  for (const [index, marker] of [
    `{"v":1,"at":"2020-01-01T00:00:00Z","blobs":[]}`,
    `{"v":1,"at":"2099-01-01T00:00:00Z","blobs":[]}`,
    "",
    "not JSON",
  ].entries()) {
    const bytes = packNamed(`${pack} stale ${index}`);
    await upload(system, bytes, { pack });
    await PACKS.put("collection.json", marker.replace("[]", JSON.stringify([sha1(bytes)])));
    const again = await upload(system, bytes, { pack });
    assert.equal(again.status, 200, again.text);
    const stray = await strayBlob(`${pack} stray ${index}`);
    await cron(system, GRACE + 1);
    assert.ok(!(await hasBlob(stray)), marker);
    assert.equal(await PACKS.head("collection.json"), null);
  }
});

test("a collection that runs at this moment is not joined by another", { timeout: TIMEOUT }, async () => {
  const { PACKS } = await system.env("pack");
  const stray = await strayBlob(`${pack} stray`);
  const now = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  await PACKS.put("collection.json", `{"v":1,"at":"${now}","blobs":["${stray}"]}`);
  await cron(system, GRACE + 1);
  assert.ok(await hasBlob(stray));
  await PACKS.delete("collection.json");
  await cron(system, GRACE + 1);
  assert.ok(!(await hasBlob(stray)));
});

/** A collection that runs at this moment and is about to delete this blob, which is old. */
async function beingCollected(label: string): Promise<{ bytes: Uint8Array; hash: string; ends: () => Promise<void> }> {
  const { PACKS } = await system.env("pack");
  const bytes = packNamed(label);
  const hash = await strayBlob(label);
  const now = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  await PACKS.put("collection.json", `{"v":1,"at":"${now}","blobs":["${hash}"]}`);
  return { bytes, hash, ends: () => PACKS.delete("collection.json") };
}

for (const declared of [false, true]) {
  const how = declared ? "with" : "without";
  test(`an upload ${how} its hash waits for a collection that deletes its bytes, and then stores them`, { timeout: TIMEOUT }, async () => {
    const { PACKS } = await system.env("pack");
    const { bytes, hash, ends } = await beingCollected(`${pack} doomed`);
    const headers = declared ? { "X-Pack-Sha1": hash } : {};
    let answered = false;
    const uploading = upload(system, bytes, { pack, headers }).finally(() => (answered = true));
    await sleep(1500);
    assert.equal(answered, false);
    assert.equal((await system.request(`/api/packs/${pack}`)).status, 404, "nothing points to it yet");
    await PACKS.delete(`packs/${hash}.zip`);
    await ends();
    const answer = await uploading;
    assert.equal(answer.status, 201, answer.text);
    assert.equal(sha1((await system.request(`/packs/${hash}.zip`)).body), hash);
  });
}

test("an upload of bytes whose collection does not end is 503, and nothing points to them", { timeout: TIMEOUT }, async () => {
  const { bytes, ends } = await beingCollected(`${pack} stuck`);
  const before = await stored(system);
  const answer = await upload(system, bytes, { pack });
  assertProblem(answer, 503, "unavailable");
  assert.match(answer.headers["retry-after"] ?? "", /^\d+$/);
  assert.deepEqual(await stored(system), before);
  const other = await upload(system, packNamed(`${pack} other`), { pack });
  assert.equal(other.status, 201, "other bytes are not concerned");
  await ends();
  assert.equal((await upload(system, bytes, { pack })).status, 201);
});

test("an upload of bytes that are being collected keeps its blob", { timeout: TIMEOUT }, async () => {
  const [kept = ""] = await store(system, pack, "kept");
  await publish(system, pack, kept);
  const { PACKS } = await system.env("pack");
  for (let round = 0; round < 12; round++) {
    // Unregistered and old as the cron has it; every other one is declared, and goes another way.
    const bytes = packNamed(`${pack} raced ${round}`);
    const hash = sha1(bytes);
    await PACKS.put(`packs/${hash}.zip`, bytes);
    const declared = round % 2 !== 0;
    const headers = declared ? { "X-Pack-Sha1": hash } : {};
    const [raced] = await Promise.all([
      upload(system, bytes, { pack, headers }),
      cron(system, GRACE + 1 + round),
      cron(system, GRACE + 1 + round),
    ]);
    // To a cron of a month later what is being staged now was abandoned a month ago: the client is
    // told so, and sends it again.
    const abandoned = !declared && raced.status === 409;
    if (abandoned) assertProblem(raced, 409, "conflict", /again/);
    const answer = abandoned ? await upload(system, bytes, { pack, headers }) : raced;
    assert.equal(answer.status, 201, answer.text);
    assert.ok(await hasBlob(hash), `round ${round}: a release without its blob`);
    assert.equal(sha1((await system.request(`/packs/${hash}.zip`)).body), hash);
  }
});

for (const [key, value] of [["GC_GRACE_DAYS", 0], ["GC_GRACE_DAYS", -1], ["GC_KEEP_RELEASES", 0]] as const) {
  test(`${key} = ${value} is an error of the configuration, and collects nothing`, { timeout: TIMEOUT }, async () => {
    const wrong = await start({ pack: { [key]: value } });
    try {
      const bytes = packNamed("stray");
      await (await wrong.env("pack")).PACKS.put(`packs/${sha1(bytes)}.zip`, bytes);
      const before = await stored(wrong);
      assertProblem(await operate(wrong, "POST", "/api/packs/gc"), 503, "unavailable", new RegExp(key));
      await wrong.pack.scheduled({ cron: "*/5 * * * *", scheduledTime: new Date(Date.now() + 1e10) });
      assert.deepEqual(await stored(wrong), before);
      assert.match(JSON.stringify(wrong.logs()), new RegExp(`cron.*${key}`));
    } finally {
      await wrong.close();
    }
  });
}
