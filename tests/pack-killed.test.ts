// The runtime is killed again and again in the middle of uploads and publications, and started again
// on what it left: whatever was acknowledged is there, and nothing points to what is not.
//
// `GENKAN_SEED=<number>` repeats the choices of a run; the moments at which things happen differ.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, TIMEOUT } from "./support/harness.ts";
import { packOfSize, sha1 } from "./support/packs.ts";
import { type Runtime, TOKEN, run } from "./support/runtime.ts";
import { eventually } from "./support/uploads.ts";

const KILLS = 26;
const SEED = Number(process.env["GENKAN_SEED"] ?? randomBytes(4).readUInt32LE());
/** One request takes this many bytes, so that few bytes come in several parts. */
const REQUEST = 400_000;
const MINUTES = 60_000;

let folder: string;
let runtime: Runtime;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "genkan-killed-"));
  runtime = await begin();
});
after(async () => {
  await runtime?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function begin(): Promise<Runtime> {
  return run({ folder, vars: { MAX_UPLOAD_BYTES: REQUEST } });
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomly(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const random = randomly(SEED);
const between = (low: number, high: number) => low + Math.floor(random() * (high - low));

const ask = (path: string, method = "GET", body?: string | Uint8Array, headers = {}): Promise<Answer> =>
  runtime.request(path, { method, token: TOKEN, headers, ...(body !== undefined && { body }) });

/** How the bytes of a pack come; each pack has one way, and one thing at a time is done to it. */
type Way = "declared" | "undeclared" | "parts" | "direct";
const WAYS: Way[] = ["declared", "undeclared", "parts", "direct"];

/** What is known of a pack from outside. */
class Known {
  readonly pack: Way;
  /** Acknowledged, in order. */
  releases: string[] = [];
  /** What the channel points to: one hash, or two after something was not answered. */
  current: (string | null)[] = [null];
  /** What was not answered when the runtime was killed. */
  open: { bytes: Uint8Array; id?: string } | null = null;
  variant = 0;

  constructor(pack: Way) {
    this.pack = pack;
  }

  bytes(): Uint8Array {
    const size = this.pack === "parts" ? between(REQUEST, 4 * REQUEST) : between(2000, REQUEST);
    this.variant += 1;
    const bytes = packOfSize(size, this.variant % 251);
    bytes.set(Buffer.from(`${this.pack} ${this.variant}`.padEnd(20)), 200); // in the filler of both
    return bytes;
  }

  acknowledged(hash: string): void {
    if (!this.releases.includes(hash)) this.releases.push(hash);
    this.current = [hash];
    this.open = null;
  }
}

const known = WAYS.map((way) => new Known(way));
const counts = { acknowledged: 0, interrupted: 0, resumed: 0 };

/** Sends bytes in the way of the pack; what is not acknowledged stays open. */
async function send(pack: Known, bytes: Uint8Array, id?: string): Promise<void> {
  const hash = sha1(bytes);
  pack.open = { bytes, ...(id !== undefined && { id }) };
  pack.current = [...pack.current, hash];
  const way = { declared: put, undeclared: put, parts: inParts, direct: putDirectly }[pack.pack];
  await way(pack, bytes, id);
  counts.acknowledged += 1;
  pack.acknowledged(hash);
}

async function put(pack: Known, bytes: Uint8Array): Promise<void> {
  const headers = pack.pack === "declared" ? { "X-Pack-Sha1": sha1(bytes) } : {};
  const answer = await ask(`/api/packs/${pack.pack}`, "PUT", bytes, headers);
  assert.ok([200, 201].includes(answer.status), answer.text);
}

/** Begins, or goes on with, an upload in parts. */
async function inParts(pack: Known, bytes: Uint8Array, id?: string): Promise<void> {
  if (id === undefined) {
    const fields = { pack: pack.pack, size: bytes.length, ...(random() < 0.5 && { sha1: sha1(bytes) }) };
    const begun = await ask("/api/uploads", "POST", JSON.stringify(fields));
    assert.equal(begun.status, 201, begun.text);
    id = begun.json().id as string;
    pack.open = { bytes, id };
  }
  const { state, received, part_size, parts } = (await ask(`/api/uploads/${id}`)).json();
  const has = (number: number) => received.some((part: any) => part.part === number);
  const missing = Array.from({ length: parts }, (_, index) => index + 1).filter((number) => !has(number));
  for (const number of state === "uploading" ? missing : []) {
    const part = bytes.subarray((number - 1) * part_size, number * part_size);
    const answer = await ask(`/api/uploads/${id}/parts/${number}`, "PUT", part);
    assert.equal(answer.status, 200, answer.text);
  }
  const completed = await ask(`/api/uploads/${id}/complete`, "POST");
  assert.ok([201, 202].includes(completed.status), completed.text);
  if (completed.status === 201) return;
  // Who was verifying it is dead: the cron takes it up.
  await runtime.cron(15 * MINUTES);
  await eventually(`upload ${id}`, async () => (await ask(`/api/uploads/${id}`)).json().state === "ready");
}

/** Puts an object, and tells of it now and then only. */
async function putDirectly(pack: Known, bytes: Uint8Array): Promise<void> {
  const key = `incoming/${pack.pack}/${sha1(bytes)}.zip`;
  await (await runtime.r2()).put(key, bytes);
  if (random() < 0.7) {
    const event = { action: "PutObject", object: { key, size: bytes.length, eTag: "0" } };
    assert.equal((await ask("/api/packs/events", "POST", JSON.stringify(event))).status, 202);
  }
  await sleep(1005); // the newest is told by whole seconds
}

/** Points the channel at something older. */
async function goBack(pack: Known): Promise<void> {
  if (pack.pack === "direct" || pack.releases.length === 0) return;
  const hash = pack.releases[between(0, pack.releases.length)]!;
  pack.current = [...pack.current, hash];
  const body = JSON.stringify({ sha1: hash });
  const answer = await ask(`/api/packs/${pack.pack}/publish`, "POST", body);
  assert.equal(answer.status, 200, answer.text);
  pack.acknowledged(hash);
}

/** Does one thing after another until the runtime dies. */
async function work(pack: Known, alive: () => boolean): Promise<void> {
  while (alive()) {
    try {
      if (random() < 0.75) await send(pack, pack.bytes());
      else await goBack(pack);
    } catch (error) {
      // While it lives, nothing fails.
      if (alive()) throw error;
      counts.interrupted += 1;
    }
  }
}

/** Downloads what a channel points to. */
async function downloadable(hash: string): Promise<void> {
  const download = await ask(`/packs/${hash}.zip`);
  assert.equal(download.status, 200, `${hash}: ${download.text.slice(0, 200)}`);
  assert.equal(sha1(download.body), hash);
}

/** What must hold of a pack whatever happened. `all`: also of what no channel points to. */
async function intact(pack: Known, all = false): Promise<void> {
  const answer = await ask(`/api/packs/${pack.pack}`);
  if (answer.status === 404) {
    if (pack.pack !== "direct") assert.deepEqual([pack.releases, pack.current[0]], [[], null]);
    return;
  }
  const { releases, channels, history } = answer.json();
  if (all) for (const { sha1: hash } of releases) await downloadable(hash);
  const current = channels.stable?.sha1 ?? null;
  if (current !== null) await downloadable(current);
  if (pack.pack === "direct") return; // looked at once the cron has run
  assert.ok(pack.current.includes(current), `${pack.pack}: ${current} instead of ${pack.current.join(" or ")}`);
  for (const hash of pack.releases) {
    assert.ok(releases.some((release: any) => release.sha1 === hash), `release ${hash} was lost`);
    assert.ok(history.some((change: any) => change.after === hash), `the history of ${hash} was lost`);
  }
  assert.equal(history.at(-1)?.after ?? null, current);
  pack.current = [current];
  // What is complete but not verified is not forgotten: the cron takes it up some time.
  const upload = pack.open?.id === undefined ? undefined : (await ask(`/api/uploads/${pack.open.id}`)).json();
  if (upload?.state === "verifying") pack.current.push(sha1(pack.open!.bytes));
}

/** After one rebuild KV says what the registries say, and a second one finds nothing. `all`: also byte for byte. */
async function readable(all = false): Promise<void> {
  const first = (await ask("/api/packs/rebuild", "POST")).json();
  assert.deepEqual(first.missing, []);
  const again = (await ask("/api/packs/rebuild", "POST")).json();
  assert.deepEqual([again.written, again.differences, again.missing], [0, [], []]);
  for (const { pack } of known) {
    const details = await ask(`/api/packs/${pack}`);
    if (details.status === 404 || details.json().channels.stable === undefined) continue;
    const latest = await ask(`/api/pack/latest?pack=${pack}`);
    assert.equal(latest.json().sha1, details.json().channels.stable.sha1);
    if (all) assert.equal(await (await runtime.kv()).get(`verify-hash:${pack}:stable`), latest.text);
  }
}

/** Every second time, what was interrupted is sent again or completed, and succeeds. */
async function resume(pack: Known): Promise<void> {
  const { open } = pack;
  if (open === null || random() < 0.5) return;
  const stillThere = open.id !== undefined && (await ask(`/api/uploads/${open.id}`)).status === 200;
  await send(pack, open.bytes, stillThere ? open.id : undefined);
  counts.resumed += 1;
}

test(`after ${KILLS} kills in the middle of everything nothing is lost or wrong`, { timeout: 4 * TIMEOUT }, async () => {
  console.log(`GENKAN_SEED=${SEED}`);
  const started = Date.now();
  for (let kill = 1; kill <= KILLS; kill++) {
    let alive = true;
    const working = Promise.all(known.map((pack) => work(pack, () => alive)));
    await Promise.race([working, sleep(between(20, 900))]);
    alive = false;
    await runtime.kill();
    await working;
    runtime = await begin();
    await Promise.all(known.map((pack) => intact(pack)));
    await readable();
    await Promise.all(known.map(resume));
  }
  // What was put directly and never told of, the cron finds; the newest is published.
  await runtime.cron(15 * MINUTES);
  const direct = known.find(({ pack }) => pack === "direct")!;
  await eventually("what was put directly to be taken in", async () => {
    await runtime.cron(15 * MINUTES);
    const { objects } = await (await runtime.r2()).list({ prefix: "incoming/direct/" });
    return objects.length === 0;
  });
  const { releases, channels } = (await ask("/api/packs/direct")).json();
  assert.ok(direct.current.includes(channels.stable.sha1), "not the newest");
  for (const hash of direct.releases) assert.ok(releases.some((release: any) => release.sha1 === hash), hash);
  for (const pack of known) await intact(pack, true);
  await readable(true);
  await runtime.cron(24 * 60 * MINUTES + 15 * MINUTES);
  const { objects } = await (await runtime.r2()).list({ prefix: "incoming/" });
  assert.deepEqual(objects.map(({ key }) => key), []);
  const seconds = Math.round((Date.now() - started) / 1000);
  console.log(`${KILLS} kills in ${seconds} s: ${JSON.stringify(counts)}`);
  assert.ok(counts.interrupted >= KILLS / 2 && counts.acknowledged >= KILLS / 2);
});
