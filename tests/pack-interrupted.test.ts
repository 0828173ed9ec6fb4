// Uploads that are cut off, and uploads at the same time.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { start, TIMEOUT, type Answer, type System } from "./support/harness.ts";
import { packNamed, packOfSize, sha1, stored, upload } from "./support/packs.ts";

const CURRENT = packNamed("current");

let system: System;
before(async () => {
  system = await start();
  assert.equal((await upload(system, CURRENT)).status, 201);
});
after(() => system.close());

/** Sends the head of an upload and a part of its body, then breaks off. */
async function breakOff(whole: Uint8Array, sent: number, declared: boolean, how: "destroy" | "end"): Promise<void> {
  const { hostname, port } = new URL(system.url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {}); // that the other end resets is no surprise
  await once(socket, "connect");
  const lines = [
    "PUT /api/packs/main HTTP/1.1",
    `Host: ${hostname}:${port}`,
    `Authorization: Bearer ${system.tokens.operator}`,
    `Content-Length: ${whole.length}`,
    ...(declared ? [`X-Pack-Sha1: ${sha1(whole)}`] : []),
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  await new Promise((resolve) => socket.write(whole.subarray(0, sent), resolve));
  await sleep(200); // so that the worker is in the middle of it
  if (how === "destroy") socket.destroy();
  else {
    socket.end();
    socket.resume();
    await Promise.race([once(socket, "close"), sleep(2000)]);
    socket.destroy();
  }
  await sleep(500);
}

let variant = 0;
for (const declared of [false, true]) {
  for (const [much, share] of [["none", 0], ["half", 0.5], ["all but the last byte", 1]] as const) {
    for (const how of ["destroy", "end"] as const) {
      const hash = declared ? "with a declared hash" : "without a hash";
      const ended = how === "destroy" ? "is reset" : "is closed";
      const title = `an upload ${hash} whose connection ${ended} after ${much} of the body leaves nothing`;
      test(title, { timeout: TIMEOUT }, async () => {
        const whole = packOfSize(2_000_000, ++variant);
        const before = await stored(system);
        const logged = system.logs().length;
        await breakOff(whole, Math.min(whole.length * share, whole.length - 1), declared, how);
        assert.deepEqual(await stored(system), before);
        const faults = system.logs().slice(logged).filter(({ message }) => /"worker":"pack".*"status":5/.test(message));
        assert.deepEqual(faults, [], "a client that goes away is no fault of the worker");

        const latest = (await system.request("/api/pack/latest")).json();
        assert.equal(latest.sha1, sha1(CURRENT));
        const download = await system.request(`/packs/${sha1(CURRENT)}.zip`);
        assert.ok(download.body.equals(CURRENT));
        assert.equal((await system.request(`/packs/${sha1(whole)}.zip`)).status, 404);

        const again = await upload(system, whole, { query: "?publish=false" });
        assert.equal(again.status, 201, again.text);
      });
    }
  }
}

/** Checks that the registry, readers and KV say the same of a pack's stable channel; gives its pack. */
async function consistent(pack: string): Promise<any> {
  const details = (await system.request(`/api/packs/${pack}`)).json();
  const { text } = await system.request(`/api/pack/latest?pack=${pack}`);
  const { PACK_KV, PACKS } = await system.env("pack");
  assert.equal(JSON.parse(text).sha1, details.channels.stable.sha1);
  assert.equal(await PACK_KV.get(`verify-hash:${pack}:stable`), text);
  assert.equal(details.history.at(-1).after, details.channels.stable.sha1);
  assert.deepEqual((await PACKS.list({ prefix: "incoming/" })).objects, []);
  return details;
}

const HASHES: [string, boolean[]][] = [
  ["without a hash", [false, false]],
  ["with a hash", [true, true]],
  ["one of them with a hash", [true, false]],
];

/** Uploads all of them to one pack at the same time. */
function uploadAtOnce(pack: string, bodies: Uint8Array[], declared: boolean[]): Promise<Answer[]> {
  const uploads = bodies.map((bytes, index) => {
    const headers = declared[index] ? { "X-Pack-Sha1": sha1(bytes) } : {};
    return upload(system, bytes, { pack, headers });
  });
  return Promise.all(uploads);
}

for (const [sizes, size] of [["small", 600], ["5 MB", 5_000_000]] as const) {
  for (const [how, declared] of HASHES) {
    test(`two ${sizes} packs uploaded at once, ${how}, are both in the history`, { timeout: TIMEOUT }, async () => {
      for (let round = 0; round < 3; round++) {
        const name = `both-${++variant}`;
        const packs = [packOfSize(size, ++variant), packOfSize(size, ++variant)];
        const answers = await uploadAtOnce(name, packs, declared);
        for (const answer of answers) assert.equal(answer.status, 201, answer.text);
        const { history, releases } = await consistent(name);
        const hashes = packs.map(sha1).sort();
        assert.deepEqual(history.map((change: any) => change.after).sort(), hashes);
        assert.deepEqual(releases.map((release: any) => release.sha1).sort(), hashes);
        assert.deepEqual([history[0].before, history[1].before], [null, history[0].after]);
        assert.equal(answers[0]?.json().uuid, answers[1]?.json().uuid);
      }
    });

    test(`the same ${sizes} pack uploaded twice at once, ${how}, is one release`, { timeout: TIMEOUT }, async () => {
      for (let round = 0; round < 3; round++) {
        const name = `same-${++variant}`;
        const bytes = packOfSize(size, ++variant);
        const answers = await uploadAtOnce(name, [bytes, bytes], declared);
        const statuses = answers.map((answer) => answer.status).sort();
        assert.deepEqual(statuses, [200, 201], answers.map(({ text }) => text).join());
        const { history, releases } = await consistent(name);
        assert.deepEqual(releases.map((release: any) => release.sha1), [sha1(bytes)]);
        assert.deepEqual(history.map((change: any) => [change.before, change.after]), [[null, sha1(bytes)]]);
        assert.ok((await system.request(`/packs/${sha1(bytes)}.zip`)).body.equals(bytes));
      }
    });
  }
}

test("what is cut off or wrong does not disturb a whole upload of the same hash", { timeout: TIMEOUT }, async () => {
  for (let round = 0; round < 3; round++) {
    const name = `disturbed-${round}`;
    const bytes = packOfSize(2_000_000, ++variant);
    const headers = { "X-Pack-Sha1": sha1(bytes) };
    const [whole, wrong] = await Promise.all([
      upload(system, bytes, { pack: name, headers }),
      upload(system, packOfSize(2_000_000, ++variant), { pack: name, headers }),
      breakOff(bytes, 1_000_000, true, "destroy"),
    ]);
    assert.equal(whole.status, 201, whole.text);
    assert.equal(wrong.status, 422, wrong.text);
    const { history } = await consistent(name);
    assert.deepEqual(history.map((change: any) => change.after), [sha1(bytes)]);
    assert.ok((await system.request(`/packs/${sha1(bytes)}.zip`)).body.equals(bytes));
  }
});

test("readers during uploads always get a release that can be downloaded", { timeout: TIMEOUT }, async () => {
  const packs = Array.from({ length: 6 }, (_, index) => packNamed(`during ${index}`));
  await upload(system, packNamed("during"), { pack: "during" });
  let uploading = true;
  const read = async () => {
    let reads = 0;
    for (; uploading; reads++) {
      const latest = await system.request("/api/pack/latest?pack=during");
      assert.equal(latest.status, 200, latest.text);
      const download = await system.request(`/packs/${latest.json().sha1}.zip`);
      assert.equal(sha1(download.body), latest.json().sha1);
    }
    return reads;
  };
  const write = async () => {
    try {
      for (const bytes of packs) assert.equal((await upload(system, bytes, { pack: "during" })).status, 201);
    } finally {
      uploading = false;
    }
  };
  const [reads] = await Promise.all([read(), write()]);
  assert.ok(reads > 0);
  await consistent("during");
});
