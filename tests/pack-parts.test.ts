// Uploads in parts: the whole way, and what is refused on it.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type System, assertProblem, start, TIMEOUT } from "./support/harness.ts";
import { REFUSED, packNamed, packOfSize, sha1, stored, upload } from "./support/packs.ts";
import { forgetPeak, memory, run } from "./support/runtime.ts";
import * as uploads from "./support/uploads.ts";
import { LARGEST, abort, begin, begun, complete, inParts, incoming, putAll, putPart, settled, show } from "./support/uploads.ts";

let system: System;
before(async () => {
  system = await start();
});
after(() => system.close());

const latest = async (pack: string, channel = "stable") =>
  (await system.request(`/api/pack/latest?pack=${pack}&channel=${channel}`)).json();

for (const [name, size] of [["one-part", 700], ["three-parts", 25_000_000]] as const) {
  for (const declared of [true, false]) {
    const how = declared ? "with a declared hash" : "without a hash";
    test(`${size} bytes in parts ${how} become a release like any other`, { timeout: TIMEOUT }, async () => {
      const bytes = packOfSize(size, declared ? 1 : 2);
      const pack = declared ? name : `${name}-undeclared`;
      const release = await inParts(system, bytes, { pack, ...(declared && { sha1: sha1(bytes) }) });
      assert.deepEqual([release.sha1, release.size, release.pack, release.release], [sha1(bytes), size, pack, 1]);
      assert.deepEqual([release.published, release.previous, release.warnings], [true, null, []]);
      const { published, previous, warnings, ...record } = release;
      assert.deepEqual(await latest(pack), record);
      const download = await system.request(`/packs/${sha1(bytes)}.zip`);
      assert.ok(download.body.equals(bytes));
      // The same bytes in one piece are no other release.
      const whole = await upload(system, bytes, { pack });
      assert.equal(whole.status, 200, whole.text);
    });
  }
}

test("the largest pack of all comes in parts, through a memory that does not grow with it", { timeout: 3 * TIMEOUT }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "genkan-largest-"));
  const runtime = await run({ folder });
  try {
    await inParts(runtime, packOfSize(25_000_000, 20), { pack: "warm" });
    forgetPeak(runtime.pid);
    const before = memory(runtime.pid).now;
    const bytes = packOfSize(LARGEST, 3);
    const { id, parts } = await begun(runtime, bytes, { pack: "largest" });
    assert.equal(parts.length, 25);
    await putAll(runtime, id, parts);
    const completed = await complete(runtime, id);
    assert.equal(completed.status, 202, completed.text);
    assert.deepEqual([completed.json().id, completed.json().state], [id, "verifying"]);
    const { state, release } = await settled(runtime, id);
    assert.deepEqual([state, release.sha1, release.size], ["ready", sha1(bytes), LARGEST]);
    // A worker that only passes the same bytes to R2 and back grows by 50 to 75 MiB: R2's simulator
    // runs in the same process.
    const grown = memory(runtime.pid).peak - before;
    assert.ok(grown < 160, `${grown} MiB`);
    assert.ok((await runtime.request(`/packs/${sha1(bytes)}.zip`)).body.equals(bytes));
  } finally {
    await runtime.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  assertProblem(await begin(system, { size: LARGEST + 1 }), 413, "too-large", /262144000/);
});

test("of an upload that ended nothing is left but what it said", { timeout: TIMEOUT }, async () => {
  const keys = await incoming(system);
  assert.deepEqual(keys.filter((key) => !key.endsWith("/upload.json")), []);
});

test("parts come in any order and at the same time, and GET says which are there", { timeout: TIMEOUT }, async () => {
  const bytes = packOfSize(45_000_000, 4);
  const { id, parts } = await begun(system, bytes, { pack: "any-order" });
  assert.equal(parts.length, 5);
  const fresh = (await show(system, id)).json();
  assert.deepEqual([fresh.id, fresh.state, fresh.received, fresh.parts], [id, "uploading", [], 5]);
  for (const number of [5, 2]) {
    const part = (await putPart(system, id, number, parts[number - 1]!)).json();
    assert.equal(part.part, number);
    const { received } = (await show(system, id)).json();
    assert.deepEqual(received.find((one: any) => one.part === number), { ...part, size: parts[number - 1]!.length });
  }
  await Promise.all([4, 1, 3].map((number) => putPart(system, id, number, parts[number - 1]!)));
  const { received } = (await show(system, id)).json();
  assert.deepEqual(received.map((part: any) => part.part), [1, 2, 3, 4, 5]);
  await complete(system, id);
  assert.equal((await settled(system, id)).release.sha1, sha1(bytes));
});

test("of a part that comes twice the second one holds", async () => {
  const [first, second] = [packOfSize(5000, 5), packOfSize(5000, 6)];
  const { id } = await begun(system, first, { pack: "twice" });
  const etags = [];
  for (const part of [first, second]) etags.push((await putPart(system, id, 1, part)).json().etag);
  assert.notEqual(etags[0], etags[1]);
  const { received } = (await show(system, id)).json();
  assert.deepEqual(received, [{ part: 1, size: 5000, etag: etags[1] }]);
  const completed = await complete(system, id);
  assert.deepEqual([completed.status, completed.json().sha1], [201, sha1(second)]);
});

test("a part of another length, number or kind is refused and leaves nothing", async () => {
  const bytes = packOfSize(10_485_760 + 2000, 7);
  const { id, parts } = await begun(system, bytes, { pack: "odd-parts" });
  assert.deepEqual(parts.map((part) => part.length), [10_485_760, 2000]);
  for (const [number, length] of [[1, 2000], [1, 0], [2, 1999], [2, 2001], [2, 0]] as const) {
    const detail = new RegExp(`this part has ${parts[number - 1]!.length} bytes`);
    assertProblem(await putPart(system, id, number, new Uint8Array(length)), 400, "bad-request", detail);
  }
  for (const number of [0, 3, 4_294_967_295]) {
    assertProblem(await putPart(system, id, number, parts[1]!), 404, "not-found", /from 1 to 2/);
  }
  for (const number of ["x", "-1", "1.0", "%2B1", "4294967296", "1e0", "%20"]) {
    assertProblem(await putPart(system, id, number, parts[1]!), 400, "bad-request", /number of a part/);
  }
  assertProblem(await putPart(system, id, 2, parts[1]!, { chunked: true }), 411, "length-required");
  assert.deepEqual((await show(system, id)).json().received, []);
  assertProblem(await complete(system, id), 409, "conflict", /: 1, 2$/);
  await putPart(system, id, 1, parts[0]!);
  assertProblem(await complete(system, id), 409, "conflict", /: 2$/);
  assert.equal((await show(system, id)).json().state, "uploading");
  await putPart(system, id, 2, parts[1]!);
  assert.equal((await complete(system, id)).status, 201);
  assertProblem(await putPart(system, id, 2, parts[1]!), 409, "conflict", /complete/);
});

test("an upload is completed once, however often and at once it is asked for", { timeout: TIMEOUT }, async () => {
  for (const size of [3000, 20_000_000]) {
    const bytes = packOfSize(size, 8);
    const pack = `once-${size}`;
    const { id, parts } = await begun(system, bytes, { pack });
    await putAll(system, id, parts);
    const answers = await Promise.all(Array.from({ length: 6 }, () => complete(system, id)));
    for (const { status, text } of answers) assert.ok(status === 201 || status === 202, text);
    assert.equal((await settled(system, id)).state, "ready");
    const again = await complete(system, id);
    assert.deepEqual([again.status, again.json().sha1, again.json().previous], [201, sha1(bytes), null]);
    const { history, releases } = (await system.request(`/api/packs/${pack}`)).json();
    assert.deepEqual([history.length, releases.length], [1, 1]);
  }
});

test("bytes that are not those declared are rejected, and GET tells why", async () => {
  const [declared, sent] = [packOfSize(4000, 9), packOfSize(4000, 10)];
  await upload(system, packNamed("known"), { pack: "wrong" });
  for (const known of [false, true]) {
    if (known) await upload(system, declared, { pack: "wrong", query: "?publish=false" });
    const { id } = await begun(system, sent, { pack: "wrong", sha1: sha1(declared) });
    await putPart(system, id, 1, sent);
    const reason = assertProblem(await complete(system, id), 422, "unprocessable", new RegExp(sha1(declared)));
    const shown = (await show(system, id)).json();
    assert.deepEqual([shown.state, shown.reason, shown.received], ["rejected", reason, []]);
    assertProblem(await complete(system, id), 422, "unprocessable", /declared/);
    assertProblem(await putPart(system, id, 1, declared), 409, "conflict", /rejected/);
    assert.equal((await system.request(`/packs/${sha1(sent)}.zip`)).status, 404);
  }
  assert.equal((await latest("wrong")).sha1, sha1(packNamed("known")));
});

test("a large upload that is not what was declared is rejected by the queue", { timeout: TIMEOUT }, async () => {
  const bytes = packOfSize(17_000_000, 13);
  const { id, parts } = await begun(system, bytes, { pack: "wrong", sha1: "0".repeat(40) });
  await putAll(system, id, parts);
  assert.equal((await complete(system, id)).status, 202);
  const { state, reason } = await settled(system, id);
  assert.equal(state, "rejected");
  assert.match(reason, /declared SHA-1 0{40}/);
  assertProblem(await complete(system, id), 422, "unprocessable", /declared/);
});

for (const { why, body, says } of REFUSED) {
  for (const declared of [false, true]) {
    test(`a file ${why}${declared ? ", declared," : ""} is rejected in parts for the same reason`, async () => {
      const { id, parts } = await begun(system, body, { pack: "refused", ...(declared && { sha1: sha1(body) }) });
      await putAll(system, id, parts);
      assertProblem(await complete(system, id), 422, "unprocessable", says);
      const shown = (await show(system, id)).json();
      assert.equal(shown.state, "rejected");
      assert.match(shown.reason, says);
      assert.equal((await system.request(`/packs/${sha1(body)}.zip`)).status, 404);
      assert.equal((await system.request("/api/packs/refused")).status, 404);
    });
  }
}

test("what cannot become an upload is refused at once", async () => {
  const before = await stored(system);
  assertProblem(await begin(system, { size: 0 }), 400, "bad-request", /size/);
  for (const fields of [{}, { size: -1 }, { size: "5" }, { size: 1.5 }, { size: 5, name: "x" }, { size: 5, sha1: "abc" }]) {
    assertProblem(await begin(system, fields), 400, "bad-json");
  }
  for (const fields of [{ pack: "No" }, { pack: "_uploads" }, { channel: "" }]) {
    assertProblem(await begin(system, { size: 5, ...fields }), 400, "bad-json");
  }
  assertProblem(await begin(system, {}, { body: "{" }), 400, "bad-json");
  assertProblem(await begin(system, {}, { chunked: true }), 411, "length-required");
  assert.deepEqual(await stored(system), before);
});

test("an upload is its pack's: other tokens are refused, and none at all", async () => {
  const { packMain, opsRead, operator } = system.tokens;
  const bytes = packNamed("theirs");
  const { id } = await begun(system, bytes, { pack: "theirs" });
  const requests: [string, string, Uint8Array | undefined][] = [
    ["PUT", `/api/uploads/${id}/parts/1`, bytes],
    ["GET", `/api/uploads/${id}`, undefined],
    ["POST", `/api/uploads/${id}/complete`, undefined],
    ["DELETE", `/api/uploads/${id}`, undefined],
  ];
  for (const [method, path, body] of requests) {
    const sent = { method, ...(body && { body }) };
    assertProblem(await system.request(path, sent), 401, "unauthorized");
    assertProblem(await system.request(path, { ...sent, token: "guessed" }), 401, "unauthorized");
    for (const token of [packMain, opsRead]) {
      assertProblem(await system.request(path, { ...sent, token }), 403, "forbidden", /pack:write/);
    }
    const unknown = path.replace(id, crypto.randomUUID());
    assertProblem(await system.request(unknown, { ...sent, token: operator }), 404, "not-found");
    assertProblem(await system.request(path.replace(id, "1"), { ...sent, token: operator }), 400, "bad-request", /uuid/);
  }
  assertProblem(await begin(system, { size: 5, pack: "theirs" }, { token: packMain }), 403, "forbidden", /pack:write:theirs/);
  assertProblem(await system.request("/api/uploads"), 401, "unauthorized");

  const { id: own } = (await begin(system, { size: 5 }, { token: packMain })).json();
  const listed = (await system.request("/api/uploads", { token: packMain })).json().uploads;
  assert.deepEqual(listed.map((one: any) => [one.id, one.pack, one.state]), [[own, "main", "uploading"]]);
  const all = (await system.request("/api/uploads", { token: operator })).json().uploads;
  for (const wanted of [id, own]) assert.ok(all.some((one: any) => one.id === wanted));
  assert.deepEqual((await system.request("/api/uploads", { token: opsRead })).json().uploads, []);
});

test("an upload that is given up is gone with all its parts", async () => {
  const bytes = packOfSize(10_485_760 + 2000, 11);
  const { id, parts } = await begun(system, bytes, { pack: "given-up" });
  await putAll(system, id, parts);
  assert.equal((await abort(system, id)).status, 204);
  for (const answer of [await show(system, id), await abort(system, id), await complete(system, id)]) {
    assertProblem(answer, 404, "not-found");
  }
  assertProblem(await putPart(system, id, 2, parts[1]!), 404, "not-found");
  assert.deepEqual((await incoming(system)).filter((key) => key.includes(id)), []);
});

test("an upload goes to the channel it names, and nowhere if it is not to be published", async () => {
  const [beta, stored] = [packNamed("to beta"), packNamed("to nowhere")];
  const published = await inParts(system, beta, { pack: "channels", channel: "beta" });
  assert.deepEqual([published.channel, published.published], ["beta", true]);
  assert.equal((await latest("channels", "beta")).sha1, sha1(beta));
  const kept = await inParts(system, stored, { pack: "channels", channel: "beta", publish: false });
  assert.deepEqual([kept.published, kept.previous, kept.published_at], [false, sha1(beta), null]);
  assert.equal((await latest("channels", "beta")).sha1, sha1(beta));
  assert.equal((await system.request("/api/pack/latest?pack=channels")).status, 404);
  assert.ok((await system.request(`/packs/${sha1(stored)}.zip`)).body.equals(stored));
});

test("a day later the uploads that ended are forgotten, and those given up on collected", { timeout: TIMEOUT }, async () => {
  const bytes = packOfSize(12_000_000, 12);
  const { id, parts } = await begun(system, bytes, { pack: "abandoned" });
  await putPart(system, id, 1, parts[0]!);
  await uploads.cron(system, uploads.DAY - 10 * 60_000);
  assert.equal((await show(system, id)).json().received.length, 1);
  await uploads.cron(system, uploads.DAY + 10 * 60_000);
  assert.equal((await show(system, id)).status, 404);
  assert.deepEqual(await incoming(system), []);
});
