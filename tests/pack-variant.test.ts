// The release that a client of some version can load.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertProblem, start, TIMEOUT, type Answer, type System } from "./support/harness.ts";
import { eventually } from "./support/manage.ts";
import { sha1, upload, zip } from "./support/packs.ts";

/** A pack for the formats from `min` to `max`, as the game writes them up to 64 and above. */
function packFor(min: number, max: number): Uint8Array {
  const formats =
    max > 64 ? { min_format: min, max_format: max } : { pack_format: min, supported_formats: [min, max] };
  const both = min <= 64 && max > 64 ? { pack_format: min, supported_formats: [min, 64] } : {};
  return zip({ "pack.mcmeta": JSON.stringify({ pack: { description: "x", ...formats, ...both } }) });
}

const OLD = packFor(15, 22); // 1.20 to 1.20.4
const MIDDLE = packFor(34, 64); // 1.21 to 1.21.8
const NEWER = packFor(46, 75); // 1.21.4 to 1.21.11, the current one

let system: System;
before(async () => {
  system = await start();
  for (const body of [OLD, MIDDLE, NEWER]) {
    const answer = await upload(system, body);
    assert.equal(answer.status, 201, answer.text);
  }
  await upload(system, packFor(9, 9), { query: "?channel=beta" });
  await upload(system, packFor(13, 13), { query: "?publish=false" });
});
after(() => system.close());

function latest(query: string): Promise<Answer> {
  return system.request(`/api/pack/latest?${query}`);
}

const CHOICES: [string, Uint8Array][] = [
  ["protocol=763", OLD],
  ["version=1.20.4", OLD],
  ["protocol=767", MIDDLE],
  ["version=1.21", MIDDLE],
  ["version=1.21.3", MIDDLE],
  ["version=1.21.4", NEWER],
  ["protocol=769", NEWER],
  ["version=1.21.8", NEWER],
  ["version=1.21.11&pack=main&channel=stable", NEWER],
];
for (const [query, body] of CHOICES) {
  test(`${query} gets the newest release for it`, { timeout: TIMEOUT }, async () => {
    for (let time = 0; time < 2; time++) {
      const answer = await latest(query);
      assert.equal(answer.status, 200, answer.text);
      const record = answer.json();
      assert.deepEqual([record.sha1, record.pack, record.channel], [sha1(body), "main", "stable"]);
      assert.match(record.published_at, /^\d{4}-/);
      const tag = String(answer.headers.etag);
      const unchanged = await system.request(`/api/pack/latest?${query}`, { headers: { "If-None-Match": tag } });
      assert.equal(unchanged.status, 304);
      const zipped = await system.request(new URL(record.url).pathname);
      assert.ok(zipped.body.equals(body));
    }
  });
}

test("a client that no release is for gets 404 with what there is, newest first", { timeout: TIMEOUT }, async () => {
  for (const query of ["version=1.16.5", "protocol=754", "version=1.19.2", "version=1.19.4", "version=26.1", "protocol=775"]) {
    const answer = await latest(query);
    assert.deepEqual([answer.status, answer.headers["content-type"]], [404, "application/problem+json"], query);
    assert.equal(answer.headers["access-control-allow-origin"], "*");
    const problem = answer.json();
    assert.equal(problem.code, "not-found");
    assert.deepEqual(problem.available, [
      { sha1: sha1(NEWER), formats: { min: "46", max: "75" }, minecraft: { min: "1.21.4", max: "1.21.11" } },
      { sha1: sha1(MIDDLE), formats: { min: "34", max: "64" }, minecraft: { min: "1.21", max: "1.21.8" } },
      { sha1: sha1(OLD), formats: { min: "15", max: "22" }, minecraft: { min: "1.20", max: "1.20.4" } },
    ]);
  }
});

test("a channel has its own releases", { timeout: TIMEOUT }, async () => {
  assert.equal((await latest("channel=beta&version=1.19")).json().sha1, sha1(packFor(9, 9)));
  assert.equal((await latest("channel=beta&version=1.21")).status, 404);
  assertProblem(await latest("channel=none&version=1.21"), 404, "not-found", /none/);
  assertProblem(await latest("pack=none&version=1.21"), 404, "not-found", /none/);
});

test("what is no version is 400 by name, and so are two", { timeout: TIMEOUT }, async () => {
  for (const [name, values] of [
    ["protocol", ["x", "", "48", "-1", "1073742092"]],
    ["version", ["x", "", "1.20.7", "25w31a", "1.21.11-rc1", "1.5.2"]],
  ] as const) {
    for (const value of values) {
      const detail = assertProblem(await latest(`${name}=${value}`), 400, "bad-request", new RegExp(`^${name}`));
      assert.ok(detail.includes(`"${value}"`), detail);
    }
  }
  assertProblem(await latest("protocol=767&version=1.21"), 400, "bad-request", /protocol.*version/);
});

test("a client newer than all that is known gets what reaches above", { timeout: TIMEOUT }, async () => {
  for (const query of ["protocol=9999", "version=99.1"]) assert.equal((await latest(query)).status, 404, query);
  const future = packFor(34, 9999);
  await upload(system, future, { pack: "future" });
  await upload(system, MIDDLE, { pack: "future" });
  for (const query of ["protocol=9999", "version=99.1"]) {
    assert.equal((await latest(`${query}&pack=future`)).json().sha1, sha1(future), query);
  }
  assert.equal((await latest("version=1.21&pack=future")).json().sha1, sha1(MIDDLE));
});

test("a release that was published again is the newest", { timeout: TIMEOUT }, async () => {
  const [one, two] = [packFor(34, 63), packFor(34, 64)];
  for (const body of [one, two, one]) await upload(system, body, { pack: "again" });
  assert.equal((await latest("version=1.21&pack=again")).json().sha1, sha1(one));
  const { available } = (await latest("version=1.20&pack=again")).json();
  assert.deepEqual(available.map((release: any) => release.sha1), [sha1(one), sha1(two)]);
});

test("the choice is right when KV has lost its value", { timeout: TIMEOUT }, async () => {
  const { PACK_KV } = await system.env("pack");
  await PACK_KV.delete("verify-hash");
  assert.equal((await latest("version=1.20.1&lost")).json().sha1, sha1(OLD));
  const healed = await eventually("KV is repaired", async () => (await PACK_KV.get("verify-hash")) ?? undefined);
  assert.equal(JSON.parse(healed).sha1, sha1(NEWER));
});
