// How often a pack was downloaded, and by which versions of the game.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { assertProblem, start, TIMEOUT, type System } from "./support/harness.ts";
import { packNamed, packOfSize, sha1, upload } from "./support/packs.ts";

/** Downloads are written 20 seconds after the first. */
const WRITTEN = 22_000;
const [OLD, NEW, UNUSED] = [packNamed("old"), packOfSize(300_000), packNamed("unused")];
const UUID = "5b6f3f0e6d0e4d0c9d0e0d6c5c6f2a11";

let system: System;
before(async () => {
  system = await start();
  for (const body of [OLD, NEW, UNUSED]) assert.equal((await upload(system, body)).status, 201);
});
after(() => system.close());

function pathOf(body: Uint8Array): string {
  return `/packs/${sha1(body)}.zip`;
}

/** As the game asks: who plays is in the headers as well. */
function player(version: string, since1219 = true): Record<string, string> {
  const said: Record<string, string> = since1219 ? { "X-Minecraft-Version": version } : {};
  return { ...said, "User-Agent": `Minecraft Java/${version}`, "X-Minecraft-Username": "Notch", "X-Minecraft-UUID": UUID };
}

function today(ago = 0): string {
  return new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10);
}

test("whole downloads are counted by release, version and day, and nobody by name", { timeout: TIMEOUT }, async () => {
  const day = today();
  const get = async (body: Uint8Array, headers: Record<string, string>, method = "GET") =>
    (await system.request(pathOf(body), { method, headers })).status;
  for (let time = 0; time < 3; time++) assert.equal(await get(NEW, player("1.21.10")), 200);
  assert.equal(await get(NEW, player("1.21.4", false)), 200);
  assert.equal(await get(NEW, player("26.1-snapshot-3")), 200);
  assert.equal(await get(OLD, { "User-Agent": "curl/8" }), 200);
  assert.equal(await get(OLD, { "X-Minecraft-Version": "Notch" }), 200);
  // none of these is a download
  assert.equal(await get(NEW, { ...player("1.20.1"), Range: "bytes=0-9" }), 206);
  assert.equal(await get(NEW, { ...player("1.20.1"), Range: "bytes=99999999-" }), 416);
  assert.equal(await get(NEW, { ...player("1.20.1"), "If-None-Match": `"${sha1(NEW)}"` }), 304);
  assert.equal(await get(NEW, player("1.20.1"), "HEAD"), 200);
  assert.equal(await get(packNamed("nowhere"), player("1.20.1")), 404);

  await sleep(WRITTEN);
  const { PACK_DB } = await system.env("pack");
  const { results } = await PACK_DB.prepare("SELECT * FROM downloads").all();
  assert.equal(results.length, 4);
  assert.ok(!/notch|5b6f3f0e/i.test(JSON.stringify(results)));

  if (today() !== day) return; // midnight came in between
  const answer = await system.request("/api/packs/main/stats");
  assert.deepEqual([answer.status, answer.headers["content-type"]], [200, "application/json"]);
  const stats = answer.json();
  const at = stats.releases.map((release: any) => release.last_at);
  assert.deepEqual(stats, {
    pack: "main",
    days: 30,
    total: 7,
    releases: [
      { release: 3, sha1: sha1(UNUSED), downloads: 0, last_at: null, versions: {} },
      { release: 2, sha1: sha1(NEW), downloads: 5, last_at: at[1], versions: { "1.21.10": 3, "1.21.4": 1, snapshot: 1 } },
      { release: 1, sha1: sha1(OLD), downloads: 2, last_at: at[2], versions: { other: 2 } },
    ],
    daily: Array.from({ length: 30 }, (_, index) => ({ day: today(29 - index), downloads: index === 29 ? 7 : 0 })),
  });
  for (const time of [at[1], at[2]]) assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000, time);

  const tag = String(answer.headers.etag);
  const unchanged = await system.request("/api/packs/main/stats", { headers: { "If-None-Match": tag } });
  assert.deepEqual([unchanged.status, unchanged.body.length], [304, 0]);
  const head = await system.request("/api/packs/main/stats", { method: "HEAD" });
  assert.deepEqual([head.status, head.body.length, head.headers.etag], [200, 0, tag]);
  assert.equal(answer.headers["access-control-allow-origin"], "*");
  const one = (await system.request("/api/packs/main/stats?days=1")).json();
  assert.deepEqual([one.days, one.total, one.daily], [1, 7, [{ day: today(), downloads: 7 }]]);
});

test("later downloads are added to the same rows", { timeout: TIMEOUT }, async () => {
  const day = today();
  const { PACK_DB } = await system.env("pack");
  const counted = async () =>
    (await PACK_DB.prepare("SELECT sum(count) AS n FROM downloads WHERE sha1 = ? AND day = ?")
      .bind(sha1(OLD), day)
      .first<{ n: number | null }>())?.n ?? 0;
  const before = await counted();
  await Promise.all(Array.from({ length: 20 }, () => system.request(pathOf(OLD), { headers: player("1.21.4") })));
  await sleep(WRITTEN);
  if (today() === day) assert.equal(await counted(), before + 20);
});

test("many versions are written at once, and most of them as other", { timeout: TIMEOUT }, async () => {
  const fresh = await start();
  try {
    const packs = [OLD, NEW, UNUSED];
    for (const body of packs) await upload(fresh, body);
    for (let number = 0; number < 30; number++) {
      for (const body of packs) await fresh.request(pathOf(body), { headers: player(`1.${number}`) });
    }
    await sleep(1_000);
    const { PACK_DB } = await fresh.env("pack");
    const { results } = await PACK_DB.prepare("SELECT version, sum(count) AS n FROM downloads GROUP BY version").all();
    assert.ok(results.length >= 10, JSON.stringify(results));
  } finally {
    await fresh.close();
  }
});

test("a database that fails costs no download, and what was counted is written later", { timeout: TIMEOUT }, async () => {
  const fresh = await start();
  try {
    await upload(fresh, OLD);
    const { PACK_DB } = await fresh.env("pack");
    await PACK_DB.prepare("ALTER TABLE downloads RENAME TO elsewhere").run();
    assertProblem(await fresh.request("/api/packs/main/stats"), 503, "unavailable");
    assert.equal((await fresh.request(pathOf(OLD), { headers: player("1.21.4") })).status, 200);
    await sleep(WRITTEN);
    assert.ok(fresh.logs().some(({ message }) => /PACK_DB.*counted on/.test(message)));
    await PACK_DB.prepare("ALTER TABLE elsewhere RENAME TO downloads").run();
    assert.equal((await fresh.request(pathOf(OLD), { headers: player("1.21.4") })).status, 200);
    await sleep(WRITTEN);
    const { results } = await PACK_DB.prepare("SELECT version, count FROM downloads").all();
    assert.deepEqual(results, [{ version: "1.21.4", count: 2 }]);
    assert.equal((await fresh.request("/api/packs/main/stats")).json().total, 2);
  } finally {
    await fresh.close();
  }
});

test("what is asked wrongly is said", { timeout: TIMEOUT }, async () => {
  for (const days of ["0", "91", "-1", "x", "", "1.5"]) {
    assertProblem(await system.request(`/api/packs/main/stats?days=${days}`), 400, "bad-request", /^days/);
  }
  assertProblem(await system.request("/api/packs/none/stats"), 404, "not-found", /none/);
  assertProblem(await system.request("/api/packs/None/stats"), 400, "bad-request", /pack/);
  const answer = await system.request("/api/packs/main/stats", { method: "POST" });
  assertProblem(answer, 405, "method-not-allowed");
});
