// Packs that are put directly into the bucket, and the messages that tell of them.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type R2, type System, assertProblem, start, TIMEOUT } from "./support/harness.ts";
import { REFUSED, packNamed, packOfSize, sha1, upload } from "./support/packs.ts";
import { TOKEN, run } from "./support/runtime.ts";
import * as uploads from "./support/uploads.ts";
import { LARGEST, abort, eventually, incoming } from "./support/uploads.ts";

let system: System;
let bucket: R2;
before(async () => {
  system = await start();
  bucket = (await system.env("pack")).PACKS;
});
after(() => system.close());

/** R2's times are told apart by whole seconds. */
const nextSecond = () => sleep(1005);

const MINUTES = 60_000;

/** Sends a message as R2 sends it. */
async function announce(key: string, action = "PutObject", object: object = { size: 65536, eTag: "c846ff7a18f28c2e262116d6e8719ef0" }) {
  const body = JSON.stringify({
    account: "3f4b7e3dcab231cbfdaa90a6a28bd548",
    action,
    bucket: "genkan-packs",
    object: { key, ...object },
    eventTime: "2026-05-24T19:36:44.379Z",
    ...(action === "CopyObject" && { copySource: { bucket: "other", object: "a.zip" } }),
  });
  const sent = await system.request("/api/packs/events", { method: "POST", token: system.tokens.operator, body });
  assert.deepEqual([sent.status, sent.json()], [202, { queued: true }]);
}

const current = async (pack: string, channel = "stable"): Promise<string | undefined> =>
  (await system.request(`/api/pack/latest?pack=${pack}&channel=${channel}`)).json().sha1;

const details = async (pack: string) => (await system.request(`/api/packs/${pack}`)).json();

/** Waits until these bytes are published and nothing is left to be taken in. */
async function published(pack: string, bytes: Uint8Array, channel = "stable"): Promise<void> {
  await eventually(`${pack} to be published`, async () => (await current(pack, channel)) === sha1(bytes));
  await eventually(`incoming/${pack}/ to be empty`, async () => (await objects(pack)).length === 0);
  assert.ok((await system.request(`/packs/${sha1(bytes)}.zip`)).body.equals(bytes));
}

const objects = async (pack: string) => (await incoming(system)).filter((key) => key.startsWith(`incoming/${pack}/`));

const listed = async (): Promise<any[]> =>
  (await system.request("/api/uploads", { token: system.tokens.operator })).json().uploads;

const about = (words: string) => system.logs().filter(({ message }) => message.includes(words));

/** Waits until all messages that were sent before have been handled. */
async function handled(): Promise<void> {
  const gone = `incoming/main/marker-${crypto.randomUUID()}.zip`;
  await announce(gone);
  await eventually("the queue", async () => about(`${gone} is gone`).length > 0);
}

for (const action of ["PutObject", "CopyObject", "CompleteMultipartUpload"]) {
  test(`an object that ${action} tells of becomes the release of its pack`, { timeout: TIMEOUT }, async () => {
    const pack = action.toLowerCase();
    const bytes = packOfSize(6_000_000, action.length);
    const key = `incoming/${pack}/x.zip`;
    if (action === "CompleteMultipartUpload") {
      const parts = await bucket.createMultipartUpload(key);
      const split = [bytes.subarray(0, 5_242_880), bytes.subarray(5_242_880)];
      const put = split.map((part, index) => parts.uploadPart(index + 1, part));
      await parts.complete(await Promise.all(put));
    } else await bucket.put(key, bytes);
    await announce(key, action);
    await published(pack, bytes);
    const { history, releases } = await details(pack);
    assert.deepEqual([history.length, history[0].by, releases[0].uploaded_by], [1, key, key]);
    const upload = (await listed()).find((one) => one.key === key);
    assert.deepEqual([upload.state, upload.pack, upload.size, upload.release.sha1], ["ready", pack, bytes.length, sha1(bytes)]);
  });
}

test("a message that comes ten times publishes once", { timeout: TIMEOUT }, async () => {
  const bytes = packNamed("ten times");
  const key = "incoming/ten/x.zip";
  await bucket.put(key, bytes);
  await Promise.all(Array.from({ length: 10 }, () => announce(key)));
  await published("ten", bytes);
  await announce(key);
  await handled();
  const { history, releases } = await details("ten");
  assert.deepEqual([history.length, releases.length], [1, 1]);
  assert.deepEqual((await listed()).filter((one) => one.key === key).map((one) => one.state), ["ready"]);
});

test("of several objects the newest is published, in whatever order they are told of", { timeout: TIMEOUT }, async () => {
  const orders = [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1], [1, 0, 2]];
  const packs = [0, 1, 2].map((index) => packNamed(`put as number ${index}`));
  for (const bytes of packs) {
    for (const name of orders) await bucket.put(`incoming/order-${name.join("")}/${sha1(bytes)}.zip`, bytes);
    await nextSecond();
  }
  for (let step = 0; step < 3; step++) {
    for (const order of orders) await announce(`incoming/order-${order.join("")}/${sha1(packs[order[step]!]!)}.zip`);
    await handled();
  }
  for (const order of orders) {
    const pack = `order-${order.join("")}`;
    await published(pack, packs[2]!);
    assert.equal((await details(pack)).releases.length, 3);
  }
});

test("what the operator published after an object was put stays published", { timeout: TIMEOUT }, async () => {
  const [put, later] = [packNamed("put first"), packNamed("published later")];
  await bucket.put("incoming/later/x.zip", put);
  await nextSecond();
  await upload(system, later, { pack: "later" });
  await announce("incoming/later/x.zip");
  await eventually("it to be taken in", async () => (await details("later")).releases.length === 2);
  assert.equal(await current("later"), sha1(later));
  const kept = await eventually("its outcome", async () => (await listed()).find((one) => one.pack === "later" && one.release));
  assert.deepEqual([kept.release.published, kept.release.sha1], [false, sha1(put)]);
});

test("the same bytes put once more after others are published again", { timeout: TIMEOUT }, async () => {
  const [a, b] = [packNamed("A"), packNamed("B")];
  for (const bytes of [a, b, a]) {
    await bucket.put("incoming/aba/x.zip", bytes);
    await announce("incoming/aba/x.zip");
    await published("aba", bytes);
    await nextSecond();
  }
  const { history } = await details("aba");
  assert.deepEqual(history.map((change: any) => change.after), [sha1(a), sha1(b), sha1(a)]);
});

test("a message for an object that was replaced takes what is there now", { timeout: TIMEOUT }, async () => {
  const [first, second] = [packNamed("replaced"), packNamed("replacing")];
  const { etag } = await bucket.put("incoming/replaced/x.zip", first);
  const { etag: newer } = await bucket.put("incoming/replaced/x.zip", second);
  await announce("incoming/replaced/x.zip", "PutObject", { size: first.length, eTag: etag });
  await published("replaced", second);
  await announce("incoming/replaced/x.zip", "PutObject", { size: second.length, eTag: newer });
  await handled();
  assert.deepEqual((await details("replaced")).history.map((change: any) => change.after), [sha1(second)]);
});

test("an object that is replaced while it is verified is never mixed with the next", { timeout: TIMEOUT }, async () => {
  const packs = [1, 2, 3].map((variant) => packOfSize(12_000_000, 20 + variant));
  const key = "incoming/mixed/x.zip";
  for (const bytes of packs) {
    await bucket.put(key, bytes);
    await announce(key);
    await nextSecond(); // a batch begins after a second
  }
  await published("mixed", packs[2]!);
  const known = new Set(packs.map(sha1));
  for (const release of (await details("mixed")).releases) assert.ok(known.has(release.sha1));
});

test("messages of what went away, lies elsewhere or has an odd name do nothing", { timeout: TIMEOUT }, async () => {
  const bytes = packNamed("odd");
  const odd = [
    "incoming/x.zip", "incoming//x.zip", "incoming/No/x.zip", "incoming/odd/.zip", "incoming/odd/x.txt", "incoming/odd/",
    "incoming/_staging/x.zip", "incoming/_uploads/x.zip", "other/odd/x.zip", "packs/odd/x.zip", "INCOMING/odd/x.zip",
    "incoming/odd/x.zip/", "/incoming/odd/x.zip", "incoming/../odd/x.zip",
  ];
  for (const key of odd) {
    await bucket.put(key, bytes);
    await announce(key);
  }
  for (const action of ["DeleteObject", "LifecycleDeletion"]) await announce("incoming/odd/x.zip", action);
  await announce("incoming/odd/never-was.zip");
  await handled();
  assert.equal((await system.request("/api/packs/odd")).status, 404);
  for (const key of odd) {
    assert.ok(await bucket.head(key), key);
    await bucket.delete(key);
  }
});

test("names that are only unusual are taken", { timeout: TIMEOUT }, async () => {
  const names = ["deep/er/x.zip", "x.ZIP", " .zip", "%2e%2e.zip", "日本語 🎮.zip", "a?b#c&d=e.zip", `${"long".repeat(200)}.zip`];
  for (const [index, name] of names.entries()) {
    const bytes = packNamed(name);
    await bucket.put(`incoming/unusual-${index}/${name}`, bytes);
    await announce(`incoming/unusual-${index}/${name}`);
  }
  for (const [index, name] of names.entries()) await published(`unusual-${index}`, packNamed(name));
});

test("an object goes to the channel of the pack's settings, or to none", { timeout: TIMEOUT }, async () => {
  const [first, beta, none] = [packNamed("settings"), packNamed("settings, beta"), packNamed("settings, none")];
  await upload(system, first, { pack: "settings" });
  for (const [channel, bytes] of [["beta", beta], [null, none]] as const) {
    await nextSecond();
    const body = JSON.stringify({ incoming_channel: channel });
    const patched = await system.request("/api/packs/settings", { method: "PATCH", token: system.tokens.operator, body });
    assert.equal(patched.status, 200, patched.text);
    await bucket.put("incoming/settings/x.zip", bytes);
    await announce("incoming/settings/x.zip");
    await eventually("it to be taken in", async () => (await objects("settings")).length === 0);
  }
  const { channels, releases } = await details("settings");
  assert.deepEqual([channels.stable.sha1, channels.beta.sha1], [sha1(first), sha1(beta)]);
  assert.deepEqual(releases.map((release: any) => release.sha1), [first, beta, none].map(sha1));
});

test("what is no pack is rejected with the reason, stays, and is looked at once", { timeout: TIMEOUT }, async () => {
  const bad = [...REFUSED, { why: "that is empty", body: new Uint8Array(0), says: /./ }];
  const keys = bad.map((_, index) => `incoming/bad/${index}.zip`);
  for (const [index, { body }] of bad.entries()) await bucket.put(keys[index]!, body);
  for (const key of [...keys, ...keys]) await announce(key);
  await handled();
  await uploads.cron(system, 10 * MINUTES);
  await uploads.cron(system, uploads.DAY + 10 * MINUTES);
  await handled();
  for (const [index, { why, says }] of bad.entries()) {
    const [upload, ...more] = (await listed()).filter((one) => one.key === keys[index]);
    assert.deepEqual([upload?.state, more.length], ["rejected", 0], why);
    assert.match(upload.reason, says);
    assert.ok(await bucket.head(keys[index]!), why);
    assert.equal(about(`${keys[index]} rejected`).length, 1, why);
    assert.equal((await uploads.show(system, upload.id)).json().reason, upload.reason);
  }
  assert.equal((await system.request("/api/packs/bad")).status, 404);
  // Its owner puts a good one there instead, and gives another one up.
  await nextSecond();
  await bucket.put(keys[0]!, packNamed("mended"));
  await announce(keys[0]!);
  await eventually("the mended one", async () => (await system.request("/api/pack/latest?pack=bad")).status === 200);
  const [second] = (await listed()).filter((one) => one.key === keys[1]);
  assert.equal((await abort(system, second.id)).status, 204);
  assert.equal(await bucket.head(keys[1]!), null);
  for (const key of keys) await bucket.delete(key);
});

test("an object that is too large is rejected and stays", { timeout: TIMEOUT }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "genkan-large-"));
  const runtime = await run({ folder });
  try {
    const key = "incoming/large/x.zip";
    await runtime.putZeros(key, LARGEST + 1);
    const body = JSON.stringify({ action: "PutObject", object: { key } });
    assert.equal((await runtime.request("/api/packs/events", { method: "POST", token: TOKEN, body })).status, 202);
    const upload = await eventually("its outcome", async () => {
      const { uploads: listed } = (await runtime.request("/api/uploads", { token: TOKEN })).json();
      return listed.find((one: any) => one.key === key && one.reason);
    });
    assert.deepEqual([upload.state, upload.size], ["rejected", LARGEST + 1]);
    assert.match(upload.reason, /262144001 bytes.*262144000/);
    assert.ok(await (await runtime.r2()).head(key));
  } finally {
    await runtime.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

test("the cron finds what no message told of, once it is overdue", { timeout: TIMEOUT }, async () => {
  const bytes = packNamed("never told of");
  await bucket.put("incoming/silent/x.zip", bytes);
  await bucket.put("incoming/silent/notes.txt", "not a pack");
  await uploads.cron(system, 4 * MINUTES);
  await handled();
  assert.equal(await current("silent"), undefined);
  await uploads.cron(system, 6 * MINUTES);
  await eventually("it to be published", async () => (await current("silent")) === sha1(bytes));
  assert.deepEqual(await objects("silent"), ["incoming/silent/notes.txt"]);
  await bucket.delete("incoming/silent/notes.txt");
});

test("an object that was taken in but not taken away is taken away by the cron", { timeout: TIMEOUT }, async () => {
  const key = "incoming/behind/x.zip";
  await bucket.put(key, "not a pack");
  await announce(key);
  const { id } = await eventually("its outcome", async () => (await listed()).find((one) => one.key === key && one.reason));
  // So it looks when the worker ends between its last two steps.
  await uploads.rewrite(system, id, { state: "ready", reason: null });
  await uploads.cron(system, 6 * MINUTES);
  await eventually("it to be taken away", async () => (await objects("behind")).length === 0);
  assert.equal((await uploads.show(system, id)).json().state, "ready");
});

test("when all is done, nothing is left in incoming/", { timeout: TIMEOUT }, async () => {
  await uploads.cron(system, uploads.DAY + 10 * MINUTES);
  await handled();
  assert.deepEqual(await incoming(system), []);
});

test("what is no message is tried as often as the queue says, then given up; what came with it is done once", { timeout: TIMEOUT }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "genkan-poison-"));
  const runtime = await run({ folder });
  try {
    const send = async (message: unknown) => {
      const sent = { method: "POST", token: TOKEN, body: JSON.stringify(message) };
      assert.equal((await runtime.request("/api/packs/events", sent)).status, 202);
    };
    const poison = ["text", 42, null, [1, 2], {}, { action: "RenameObject", object: { key: "incoming/main/x.zip" } }, { verify: { upload: "x" } }];
    const bytes = packNamed("beside poison");
    await (await runtime.r2()).put("incoming/main/x.zip", bytes);
    const good = [{ action: "PutObject", object: { key: "incoming/main/x.zip" } }, { action: "PutObject", object: { key: "incoming/main/gone.zip" } }];
    for (const message of [...poison, ...good]) await send(message);
    const letters = await eventually("the dead letters", async () => {
      const letters = await runtime.deadLetters();
      return letters.length === poison.length && letters;
    });
    const texts = (messages: unknown[]) => messages.map((message) => JSON.stringify(message)).sort();
    assert.deepEqual(texts(letters), texts(poison));
    const logged = (words: string) => runtime.log.filter((line) => line.includes(words));
    assert.equal(logged("a message that is none").length, 9 * poison.length, "8 retries each");
    assert.equal(logged("unknown action").length, 9);
    assert.equal(logged("gone.zip is gone").length, 1);
    assert.equal(logged(`incoming/main/x.zip: ${sha1(bytes)}`).length, 1);
    assert.equal((await runtime.request("/api/pack/latest")).json().sha1, sha1(bytes));

    // What time can mend is not given up: here, a registry that cannot be read for a while.
    const bucket = await runtime.r2();
    await bucket.put("registry/mended.json", "{");
    await bucket.put("incoming/mended/x.zip", bytes);
    await send({ action: "PutObject", object: { key: "incoming/mended/x.zip" } });
    await eventually("an attempt", async () => logged("again in 5 s").length > 0);
    await bucket.delete("registry/mended.json");
    await eventually("the next", async () => (await runtime.request("/api/pack/latest?pack=mended")).status === 200);
    assert.equal((await runtime.deadLetters()).length, poison.length);
  } finally {
    await runtime.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

test("events are taken from operators alone, and only in local development", { timeout: TIMEOUT }, async () => {
  const send = (token?: string) =>
    system.request("/api/packs/events", { method: "POST", body: "{}", ...(token !== undefined && { token }) });
  assertProblem(await send(), 401, "unauthorized");
  assertProblem(await send("guessed"), 401, "unauthorized");
  assertProblem(await send(system.tokens.opsRead), 403, "forbidden", /pack:write/);
  assertProblem(await send(system.tokens.packMain), 403, "forbidden", /pack:write/);
  const deployed = await start({ pack: { LOCAL_EVENTS: false } });
  try {
    const options = { method: "POST", body: "{}", token: deployed.tokens.operator };
    assertProblem(await deployed.request("/api/packs/events", options), 404, "not-found");
  } finally {
    await deployed.close();
  }
});
