// Uploads in parts that do not go as planned: broken off, late, changed while they are verified.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type System, assertProblem, start, TIMEOUT } from "./support/harness.ts";
import { packNamed, packOfSize, sha1 } from "./support/packs.ts";
import * as uploads from "./support/uploads.ts";
import { abort, begun, complete, eventually, incoming, putAll, putPart, rewrite, settled, show, slowPut } from "./support/uploads.ts";

let system: System;
before(async () => {
  system = await start();
});
after(() => system.close());

let variant = 0;
const faults = () => system.logs().filter(({ message }) => /"worker":"pack".*"status":5/.test(message));

/** What is left in R2 of an upload. */
async function left(id: string): Promise<string[]> {
  const keys = (await incoming(system)).filter((key) => key.includes(id));
  return keys.map((key) => key.slice(key.lastIndexOf("/") + 1));
}

test("after a part that broke off, GET says what is there, and the rest completes it", { timeout: TIMEOUT }, async () => {
  const bytes = packOfSize(25_000_000, ++variant);
  const { id, parts } = await begun(system, bytes, { pack: "broken" });
  await putPart(system, id, 1, parts[0]!);
  for (const sent of [0, 1_000_000, parts[1]!.length - 1]) {
    const slow = await slowPut(system, `/api/uploads/${id}/parts/2`, parts[1]!.length);
    await slow.send(parts[1]!.subarray(0, sent));
    await sleep(100); // so that the worker is in the middle of it
    await slow.breakOff();
  }
  await sleep(300);
  const received = (await show(system, id)).json().received.map((part: any) => part.part);
  assert.deepEqual(received, [1]);
  for (const number of [1, 2, 3].filter((number) => !received.includes(number))) {
    assert.equal((await putPart(system, id, number, parts[number - 1]!)).status, 200);
  }
  await complete(system, id);
  assert.equal((await settled(system, id)).release.sha1, sha1(bytes));
  assert.deepEqual(faults(), [], "a client that goes away is no fault of the worker");
});

test("a part that breaks off does not take away the one that was there", { timeout: TIMEOUT }, async () => {
  const bytes = packOfSize(2_000_000, ++variant);
  const { id } = await begun(system, bytes, { pack: "kept" });
  const { etag } = (await putPart(system, id, 1, bytes)).json();
  const slow = await slowPut(system, `/api/uploads/${id}/parts/1`, bytes.length);
  await slow.send(new Uint8Array(1_000_000));
  await sleep(100);
  await slow.breakOff();
  await sleep(300);
  assert.deepEqual((await show(system, id)).json().received, [{ part: 1, size: bytes.length, etag }]);
  assert.equal((await complete(system, id)).status, 201);
});

test("a part that ends after the upload was completed is refused and leaves nothing", { timeout: TIMEOUT }, async () => {
  const bytes = packOfSize(2_000_000, ++variant);
  const { id } = await begun(system, bytes, { pack: "late" });
  await putPart(system, id, 1, bytes);
  const slow = await slowPut(system, `/api/uploads/${id}/parts/1`, bytes.length);
  await slow.send(new Uint8Array(1_000_000));
  await sleep(100);
  assert.equal((await complete(system, id)).status, 201);
  await slow.send(new Uint8Array(1_000_000));
  assert.equal(await slow.answered(), 409);
  assert.deepEqual(await left(id), ["upload.json"]);
  assert.ok((await system.request(`/packs/${sha1(bytes)}.zip`)).body.equals(bytes));
});

test("a part that ends after the upload was given up is refused and leaves nothing", { timeout: TIMEOUT }, async () => {
  const bytes = packOfSize(2_000_000, ++variant);
  const { id } = await begun(system, bytes, { pack: "given-up" });
  const slow = await slowPut(system, `/api/uploads/${id}/parts/1`, bytes.length);
  await slow.send(bytes.subarray(0, 1_000_000));
  await sleep(100);
  assert.equal((await abort(system, id)).status, 204);
  await slow.send(bytes.subarray(1_000_000));
  assert.equal(await slow.answered(), 404);
  assert.deepEqual(await left(id), []);
});

test("an upload that has expired is gone for everybody before the cron comes", async () => {
  const bytes = packNamed("expired");
  const { id } = await begun(system, bytes, { pack: "expired" });
  await putPart(system, id, 1, bytes);
  await rewrite(system, id, { expires_at: uploads.timestamp(Date.now() - 2000) });
  for (const answer of [await show(system, id), await putPart(system, id, 1, bytes), await complete(system, id), await abort(system, id)]) {
    assertProblem(answer, 404, "not-found", /expired/);
  }
  const listed = (await system.request("/api/uploads", { token: system.tokens.operator })).json().uploads;
  assert.ok(!listed.some((one: any) => one.id === id));
  await uploads.cron(system);
  assert.deepEqual(await left(id), []);
});

test("an upload that is completed in its last minute has a day to be verified", { timeout: TIMEOUT }, async () => {
  const bytes = packOfSize(20_000_000, ++variant);
  const { id, parts } = await begun(system, bytes, { pack: "last-minute" });
  await putAll(system, id, parts);
  await rewrite(system, id, { expires_at: uploads.timestamp(Date.now() + 2000) });
  const completed = (await complete(system, id)).json();
  assert.equal(completed.state, "verifying");
  assert.ok(Date.parse(completed.expires_at) > Date.now() + uploads.DAY / 2, completed.expires_at);
  assert.equal((await settled(system, id)).state, "ready");
});

for (const size of [3000, 20_000_000]) {
  test(`a verification of ${size} bytes that broke off is taken up by the cron`, { timeout: TIMEOUT }, async () => {
    const bytes = packOfSize(size, ++variant);
    const { id, parts } = await begun(system, bytes, { pack: `stuck-${size}` });
    await putAll(system, id, parts);
    const begunAt = uploads.timestamp(Date.now() - 30_000);
    await rewrite(system, id, { state: "verifying", state_since: begunAt });
    // Somebody may be at it.
    await uploads.cron(system);
    assert.deepEqual([(await complete(system, id)).status, (await abort(system, id)).status], [202, 409]);
    // An answer before the body was read may get lost with much of a body.
    const small = Math.min(parts.at(-1)!.length, 3000);
    assertProblem(await putPart(system, id, 1, new Uint8Array(small)), 409, "conflict", /being verified/);
    assert.equal((await show(system, id)).json().state, "verifying");
    await uploads.cron(system, 15 * 60_000);
    const { state, release } = await settled(system, id);
    assert.deepEqual([state, release.sha1, release.published], ["ready", sha1(bytes), true]);
    assert.deepEqual(await left(id), ["upload.json"]);
  });
}

test("a verification that broke off does not wait for what was put directly, however much that is", { timeout: TIMEOUT }, async () => {
  const { PACKS } = await system.env("pack");
  // More than one run of the cron sends messages for, and nothing of it can be taken in.
  await PACKS.put("registry/full.json", "{");
  for (let index = 0; index < 25; index++) await PACKS.put(`incoming/full/${index}.zip`, packNamed(`full ${index}`));
  const bytes = packNamed("beside much");
  const { id, parts } = await begun(system, bytes, { pack: "beside" });
  await putAll(system, id, parts);
  await rewrite(system, id, { state: "verifying", state_since: uploads.timestamp(Date.now() - 2 * 60_000) });
  await uploads.cron(system, 15 * 60_000);
  assert.equal((await settled(system, id)).release?.sha1, sha1(bytes));
  // Nor does what was put directly for another pack, and comes last in the list: each gets its turn.
  await PACKS.put("incoming/last/x.zip", bytes);
  const taken = (prefix: string) =>
    eventually(`${prefix} to be taken in`, async () => {
      await uploads.cron(system, 15 * 60_000);
      await sleep(500);
      return (await incoming(system)).every((key) => !key.startsWith(prefix));
    });
  await taken("incoming/last/");
  await PACKS.delete("registry/full.json");
  await taken("incoming/full/");
});

test("a verification that broke off can be completed again by who waits for it", { timeout: TIMEOUT }, async () => {
  const bytes = packNamed("again");
  const { id } = await begun(system, bytes, { pack: "again" });
  await putPart(system, id, 1, bytes);
  await rewrite(system, id, { state: "verifying", state_since: uploads.timestamp(Date.now() - 2 * 60_000) });
  const completed = await complete(system, id);
  assert.deepEqual([completed.status, completed.json().sha1], [201, sha1(bytes)]);
});

test("an upload that cannot be registered for a while is verified without its sender", { timeout: TIMEOUT }, async () => {
  const { PACKS } = await system.env("pack");
  const bytes = packNamed("for a while");
  const { id } = await begun(system, bytes, { pack: "while" });
  await putPart(system, id, 1, bytes);
  await PACKS.put("registry/while.json", "{");
  const completed = await complete(system, id);
  assert.deepEqual([completed.status, completed.json().state], [202, "verifying"], completed.text);
  await PACKS.delete("registry/while.json");
  assert.equal((await settled(system, id)).release.sha1, sha1(bytes));
});

test("an upload whose part is gone when it is verified takes it again", { timeout: TIMEOUT }, async () => {
  const bytes = packOfSize(12_000_000, ++variant);
  const { PACKS } = await system.env("pack");
  for (const byCron of [false, true]) {
    const { id, parts } = await begun(system, bytes, { pack: "gone" });
    await putAll(system, id, parts);
    await PACKS.delete(`${uploads.UPLOADS}${id}/part-00002`);
    await rewrite(system, id, { state: "verifying", state_since: uploads.timestamp(Date.now() - 60 * 60_000) });
    if (byCron) await uploads.cron(system);
    else assertProblem(await complete(system, id), 409, "conflict");
    await eventually("the upload to be open again", async () => (await show(system, id)).json().state === "uploading");
    assertProblem(await complete(system, id), 409, "conflict", /: 2$/);
    await putPart(system, id, 2, parts[1]!);
    assert.equal((await complete(system, id)).status, 201);
  }
});

test("one part that is replaced while it is verified never makes another release of it", { timeout: TIMEOUT }, async () => {
  const { PACKS } = await system.env("pack");
  const good = packOfSize(12_000_000, ++variant);
  for (let delay = 0; delay < 160; delay += 20) {
    const pack = `changed-${delay}`;
    const { id, parts } = await begun(system, good, { pack });
    await putAll(system, id, parts);
    // As a part that comes late does, before its sender is refused.
    const replace = async () => {
      await sleep(delay);
      await PACKS.put(`${uploads.UPLOADS}${id}/part-00002`, new Uint8Array(parts[1]!.length).fill(delay + 1));
    };
    const [completed] = await Promise.all([complete(system, id), replace()]);
    assert.ok([201, 409, 422].includes(completed.status), completed.text);
    const details = await system.request(`/api/packs/${pack}`);
    if (completed.status !== 201) {
      assert.equal(details.status, 404);
      if (completed.status === 409) {
        assert.equal((await show(system, id)).json().state, "uploading");
        await putPart(system, id, 2, parts[1]!);
        assert.equal((await complete(system, id)).status, 201);
      }
      continue;
    }
    assert.deepEqual(details.json().releases.map((release: any) => release.sha1), [sha1(good)]);
  }
  const { objects } = await PACKS.list({ prefix: "packs/" });
  for (const { key } of objects) {
    const bytes = (await system.request(`/${key}`)).body;
    assert.equal(`packs/${sha1(bytes)}.zip`, key);
  }
});

test("a record that cannot be read keeps neither the list nor the cron from the others", async () => {
  const { PACKS } = await system.env("pack");
  const unreadable = `${uploads.UPLOADS}00000000-0000-4000-8000-000000000000/upload.json`;
  await PACKS.put(unreadable, "{");
  const { id } = await begun(system, packNamed("beside"), { pack: "beside" });
  const listed = await system.request("/api/uploads", { token: system.tokens.operator });
  assert.equal(listed.status, 200, listed.text);
  assert.equal(listed.json().uploads[0].id, id);
  await uploads.cron(system, uploads.DAY + 10 * 60_000);
  assert.deepEqual(await incoming(system), [unreadable]);
});

test("the list has the uploads that changed last, newest first", { timeout: TIMEOUT }, async () => {
  const { PACKS } = await system.env("pack");
  const { id: old } = await begun(system, packNamed("old"), { pack: "listed" });
  const record = JSON.parse((await (await PACKS.get(`${uploads.UPLOADS}${old}/upload.json`))!.text()));
  for (let count = 0; count < 120; count++) {
    const id = crypto.randomUUID();
    await PACKS.put(`${uploads.UPLOADS}${id}/upload.json`, JSON.stringify({ ...record, id }));
  }
  await sleep(1100); // times are whole seconds
  const { id: last } = await begun(system, packNamed("last"), { pack: "listed" });
  const listed = (await system.request("/api/uploads", { token: system.tokens.operator })).json().uploads;
  assert.deepEqual([listed.length, listed[0].id], [100, last]);
});
