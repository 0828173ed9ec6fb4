// Uploads that are accepted: what is answered, and what is stored where.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { samplePack } from "../fixtures/packs/make.ts";
import { start, TIMEOUT, type System } from "./support/harness.ts";
import { packNamed, packOfSize, packWithEmptyEntry, reprDigest, sha1, stored, upload } from "./support/packs.ts";

const PUBLIC_URL = "https://rp.example.com";
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

let system: System;
before(async () => {
  system = await start({ pack: { PUBLIC_URL } });
});
after(() => system.close());

/** The body of `GET /api/pack/latest`. */
async function latest(pack: string, channel = "stable"): Promise<any> {
  const answer = await system.request(`/api/pack/latest?pack=${pack}&channel=${channel}`);
  assert.equal(answer.status, 200, answer.text);
  return answer.json();
}

async function details(pack: string): Promise<any> {
  const answer = await system.request(`/api/packs/${pack}`);
  assert.equal(answer.status, 200, answer.text);
  return answer.json();
}

const SIZES: [string, (variant: number) => Uint8Array][] = [
  ["with a 0-byte entry", packWithEmptyEntry],
  ["of 1 KB", (variant) => packOfSize(1024, variant)],
  ["of 10 MB", (variant) => packOfSize(10_000_000, variant)],
  ["of 99 MB", (variant) => packOfSize(99_000_000, variant)],
];
const DECLARED: [string, (bytes: Uint8Array) => Record<string, string>][] = [
  ["without a declared hash", () => ({})],
  ["with X-Pack-Sha1", (bytes) => ({ "X-Pack-Sha1": sha1(bytes) })],
  ["with Repr-Digest", (bytes) => ({ "Repr-Digest": reprDigest(bytes) })],
];

for (const [size, make] of SIZES) {
  for (const [variant, [how, headers]] of DECLARED.entries()) {
    test(`a pack ${size} sent ${how} is stored whole under its SHA-1`, { timeout: TIMEOUT }, async () => {
      const bytes = make(variant);
      const hash = sha1(bytes);
      const answer = await upload(system, bytes, { pack: "sizes", headers: headers(bytes) });
      assert.equal(answer.status, 201, answer.text);
      assert.equal(answer.json().sha1, hash);
      assert.equal(answer.json().size, bytes.length);

      const { PACKS } = await system.env("pack");
      const object = await PACKS.get(`packs/${hash}.zip`);
      assert.ok(object?.checksums.sha1);
      assert.equal(Buffer.from(object.checksums.sha1).toString("hex"), hash);
      const kept = new Uint8Array(await object.arrayBuffer());
      assert.equal(kept.length, bytes.length);
      assert.equal(createHash("sha1").update(kept).digest("hex"), hash);
      assert.deepEqual((await PACKS.list({ prefix: "incoming/" })).objects, []);
    });
  }
}

test("the first upload answers 201 with the whole record, the same bytes again 200", { timeout: TIMEOUT }, async () => {
  const bytes = packNamed("first");
  const answer = await upload(system, bytes, { pack: "shape" });
  assert.equal(answer.status, 201, answer.text);
  assert.equal(answer.headers["content-type"], "application/json");
  assert.equal(answer.headers["cache-control"], "no-store");
  assert.equal(answer.headers["access-control-allow-origin"], undefined);
  const body = answer.json();
  assert.match(body.uuid, UUID);
  assert.match(body.published_at, TIME);
  assert.ok(Math.abs(Date.parse(body.published_at) - Date.now()) < 60_000);
  const expected = {
    pack: "shape",
    channel: "stable",
    release: 1,
    sha1: sha1(bytes),
    url: `${PUBLIC_URL}/packs/${sha1(bytes)}.zip`,
    uuid: body.uuid,
    size: bytes.length,
    formats: { min: "34", max: "64" },
    minecraft: { min: "1.21", max: "1.21.8" },
    required: false,
    prompt: null,
    published_at: body.published_at,
    published: true,
    previous: null,
    warnings: [],
  };
  assert.deepEqual(body, expected);

  for (const headers of [{}, { "X-Pack-Sha1": sha1(bytes) }, { "Repr-Digest": reprDigest(bytes) }]) {
    const before = await stored(system);
    const again = await upload(system, bytes, { pack: "shape", headers });
    assert.equal(again.status, 200, again.text);
    assert.deepEqual(again.json(), { ...expected, previous: sha1(bytes) });
    assert.deepEqual(await stored(system), before);
  }
});

test("a second release has the next number, the same uuid, and names the previous", { timeout: TIMEOUT }, async () => {
  const [first, second] = [packNamed("one"), packNamed("two")];
  const before = (await upload(system, first, { pack: "series" })).json();
  const after = (await upload(system, second, { pack: "series" })).json();
  assert.deepEqual([before.release, after.release], [1, 2]);
  assert.equal(after.uuid, before.uuid);
  assert.deepEqual([before.previous, after.previous], [null, sha1(first)]);

  const pack = await details("series");
  const earlier = [{ sha1: sha1(first), published_at: before.published_at }];
  const pointer = { release: 2, sha1: sha1(second), published_at: after.published_at, earlier };
  assert.deepEqual(pack.channels.stable, pointer);
  const history = pack.history.map((change: any) => [change.by, change.channel, change.before, change.after]);
  assert.deepEqual(history, [
    ["operator", "stable", null, sha1(first)],
    ["operator", "stable", sha1(first), sha1(second)],
  ]);
});

test("latest is the published record, and KV holds the same bytes", { timeout: TIMEOUT }, async () => {
  const { published, previous, warnings, ...record } = (await upload(system, packNamed("kv"))).json();
  assert.deepEqual([published, previous, warnings], [true, null, []]);
  const { PACK_KV } = await system.env("pack");
  const answer = await system.request("/api/pack/latest");
  assert.deepEqual(answer.json(), record);
  assert.equal(await PACK_KV.get("verify-hash"), answer.text);

  const beta = (await upload(system, packNamed("kv beta"), { query: "?channel=beta" })).json();
  const announced = JSON.parse((await PACK_KV.get("verify-hash:main:beta")) ?? "");
  assert.deepEqual(announced, await latest("main", "beta"));
  assert.equal(announced.sha1, beta.sha1);
  assert.equal(await PACK_KV.get("verify-hash"), answer.text);
});

test("an upload with publish=false is stored, and the channel stays", { timeout: TIMEOUT }, async () => {
  const [current, draft] = [packNamed("current"), packNamed("draft")];
  const alone = await upload(system, draft, { pack: "unpublished", query: "?publish=false" });
  assert.equal(alone.status, 201, alone.text);
  assert.deepEqual([alone.json().published, alone.json().published_at, alone.json().previous], [false, null, null]);
  assert.equal((await system.request("/api/pack/latest?pack=unpublished")).status, 404);

  await upload(system, current, { pack: "drafts" });
  const published = await latest("drafts");
  const before = await stored(system);
  const answer = await upload(system, draft, { pack: "drafts", query: "?publish=false" });
  assert.equal(answer.status, 201, answer.text);
  const body = answer.json();
  assert.deepEqual([body.published, body.published_at, body.previous], [false, null, sha1(current)]);
  assert.deepEqual(await latest("drafts"), published);
  assert.equal((await stored(system))["kv:verify-hash:drafts:stable"], before["kv:verify-hash:drafts:stable"]);

  const pack = await details("drafts");
  assert.deepEqual(pack.releases.map((release: any) => release.sha1), [sha1(current), sha1(draft)]);
  assert.equal(pack.history.length, 1);
  assert.equal((await system.request(`/packs/${sha1(draft)}.zip`)).status, 200);

  const later = await upload(system, draft, { pack: "drafts", query: "?publish=true" });
  assert.equal(later.status, 200, later.text);
  assert.deepEqual([later.json().published, later.json().release], [true, 2]);
  assert.equal((await latest("drafts")).sha1, sha1(draft));
});

test("channels are apart: beta moves, stable stays", { timeout: TIMEOUT }, async () => {
  const [stable, beta] = [packNamed("stable"), packNamed("beta")];
  await upload(system, stable, { pack: "channels" });
  const answer = await upload(system, beta, { pack: "channels", query: "?channel=beta" });
  assert.deepEqual([answer.status, answer.json().channel, answer.json().previous], [201, "beta", null]);
  assert.equal((await latest("channels")).sha1, sha1(stable));
  assert.equal((await latest("channels", "beta")).sha1, sha1(beta));
  assert.equal((await latest("channels", "beta")).uuid, (await latest("channels")).uuid);
});

test("two packs may have the same bytes, each with its own uuid and numbers", { timeout: TIMEOUT }, async () => {
  const bytes = packNamed("shared");
  const [one, two] = [await upload(system, bytes, { pack: "twin-1" }), await upload(system, bytes, { pack: "twin-2" })];
  assert.deepEqual([one.status, two.status], [201, 201]);
  assert.deepEqual([one.json().release, two.json().release], [1, 1]);
  assert.equal(one.json().sha1, two.json().sha1);
  assert.notEqual(one.json().uuid, two.json().uuid);
});

test("both ways to declare the hash may be used together, among other digests", { timeout: TIMEOUT }, async () => {
  const bytes = packNamed("both");
  const sha256 = createHash("sha256").update(bytes).digest("base64");
  const digests = `sha-256=:${sha256}:, ${reprDigest(bytes)}`;
  const headers = { "X-Pack-Sha1": sha1(bytes), "Repr-Digest": digests };
  const answer = await upload(system, bytes, { pack: "both", headers });
  assert.equal(answer.status, 201, answer.text);
  assert.equal(answer.json().sha1, sha1(bytes));
});

test("a pack above 50 MiB is accepted with a warning for older clients", { timeout: TIMEOUT }, async () => {
  const answer = await upload(system, packOfSize(52_428_801), { pack: "large" });
  assert.equal(answer.status, 201, answer.text);
  assert.deepEqual(answer.json().warnings.map((warning: any) => warning.code), ["too-large-for-older-clients"]);
});

test("the sample pack is what its script makes, and is accepted", { timeout: TIMEOUT }, async () => {
  const sample = readFileSync(new URL("../fixtures/packs/sample.zip", import.meta.url));
  assert.ok(sample.equals(samplePack()));
  const answer = await upload(system, sample, { pack: "sample" });
  assert.equal(answer.status, 201, answer.text);
  assert.deepEqual(answer.json().warnings, []);
});
