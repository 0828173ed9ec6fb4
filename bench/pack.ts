// `cargo xtask bench pack`: the pack worker beside bare JavaScript workers that do the same work
// natively, in one run, on the same runtime, in turn. Ratios are medians of `--runs` (5).
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { load, median, request } from "./support/measure.ts";
import { Running, built, javascript } from "./support/runtime.ts";
import type { Bindings } from "./support/runtime.ts";

const { values: options } = parseArgs({
  options: { runs: { type: "string", default: "5" }, json: { type: "boolean", default: false } },
});
const RUNS = Number(options.runs);
const UPLOAD = 99_000_000;
const LARGE = 240_000_000;
/** How long one measurement of a rate lasts. */
const SECONDS = 4;
const TOKEN = "bench";
const AUTHORIZED = { authorization: `Bearer ${TOKEN}` };

const storage: Bindings = { PACKS: { type: "r2", name: "packs" }, PACK_KV: { type: "kv", id: "kv" } };
const tokens = [{ name: "bench", sha256: createHash("sha256").update(TOKEN).digest("hex"), scopes: ["pack:write"] }];
const ours: Bindings = {
  ...storage,
  PUBLIC_URL: { type: "json", value: "http://127.0.0.1" },
  MAX_UPLOAD_BYTES: { type: "json", value: 262_144_000 },
  TOKENS: { type: "text", value: JSON.stringify(tokens) },
};
/** The same by hand: a body to R2 under its path, a record to KV, and back. */
const bare = javascript(`export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/packs/")) {
      if (request.method === "PUT") {
        await env.PACKS.put(pathname.slice(1), request.body);
        return new Response(null, { status: 201 });
      }
      const object = await env.PACKS.get(pathname.slice(1));
      return new Response(object.body, { headers: { ETag: object.httpEtag } });
    }
    if (request.method === "PUT") {
      await env.PACK_KV.put("verify-hash", await request.text());
      return new Response(null, { status: 201 });
    }
    return new Response(await env.PACK_KV.get("verify-hash"), { headers: { "Content-Type": "application/json" } });
  },
};`);

/**
 * The calls that an upload without a declared hash makes, in JavaScript: stored and hashed in one
 * pass, looked at, copied under its hash with R2's check, registered. What R2's simulator, which
 * runs in the same process, takes for them is so told apart from what the worker takes.
 */
const sameCalls = javascript(`async function pump(body, sinks, size) {
  const source = body.getReader({ mode: "byob" });
  const writers = sinks.map((sink) => sink.getWriter());
  let buffer = new Uint8Array(size);
  for (;;) {
    const { value, done } = await source.readAtLeast(size, buffer);
    if (value?.byteLength) {
      await Promise.all(writers.map((writer) => writer.write(value)));
      buffer = new Uint8Array(value.buffer);
    }
    if (done) break;
  }
  await Promise.all(writers.map((writer) => writer.close()));
}
const createOnly = { onlyIf: { etagDoesNotMatch: "*" } };
const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
export default {
  async fetch(request, env) {
    const length = Number(request.headers.get("content-length"));
    const staged = "incoming/" + crypto.randomUUID();
    const pipe = new FixedLengthStream(length);
    const digest = new crypto.DigestStream("SHA-1");
    const stored = env.PACKS.put(staged, pipe.readable, createOnly);
    await Promise.all([stored, pump(request.body, [pipe.writable, digest], 256 * 1024)]);
    const sha1 = await digest.digest;
    const tail = Math.min(length, 65557);
    await (await env.PACKS.get(staged, { range: { offset: length - tail, length: tail } })).arrayBuffer();
    const key = "packs/" + hex(sha1) + ".zip";
    await env.PACKS.head(key);
    await env.PACKS.put(key, (await env.PACKS.get(staged)).body, { ...createOnly, sha1 });
    await env.PACKS.delete(staged);
    const registry = await env.PACKS.get("registry/main.json");
    await env.PACKS.put("registry/main.json", ((await registry?.text()) ?? "") + key);
    await env.PACK_KV.put("verify-hash", key);
    await (await env.PACKS.get("registry/main.json")).text();
    return new Response(null, { status: 201 });
  },
};`);

/** A pack of this size that nobody has sent before: bytes before an archive are allowed. */
const sample = readFileSync(join(import.meta.dirname, "..", "fixtures", "packs", "sample.zip"));
function fresh(size: number): Buffer {
  return Buffer.concat([randomBytes(32), Buffer.alloc(size - 32 - sample.length, 7), sample]);
}

function sha1(body: Buffer): string {
  return createHash("sha1").update(body).digest("hex");
}

type Side = {
  name: string;
  start: () => Promise<Running>;
  path: () => string;
  headers: (body: Buffer) => Record<string, string>;
};
const startBare = () => Running.start(bare, storage);
const startSame = () => Running.start(sameCalls, storage);
const startOurs = () => Running.start(built("pack"), ours);
const toPack = () => "/api/packs/main";
const sides: Side[] = [
  { name: "bare JavaScript", start: startBare, path: () => `/packs/${randomUUID()}`, headers: () => ({}) },
  { name: "pack, hash declared", start: startOurs, path: toPack, headers: (body) => ({ "x-pack-sha1": sha1(body) }) },
  { name: "JavaScript, same calls", start: startSame, path: toPack, headers: () => ({}) },
  { name: "pack, hash not declared", start: startOurs, path: toPack, headers: () => ({}) },
];

/** Sends a body and gives how long that took, in milliseconds; hashing it is not part of that. */
async function upload(running: Running, side: Side, body: Buffer): Promise<number> {
  const headers = { ...AUTHORIZED, ...side.headers(body) };
  const answer = await request(new URL(side.path(), running.url), "PUT", headers, body);
  if (answer.status !== 201) throw new Error(`${side.name}: ${answer.status} ${answer.body.toString()}`);
  return answer.ms;
}

/** Seconds of an upload, each side in turn, after one that is not counted. */
async function uploadTimes(): Promise<number[]> {
  const times: number[][] = sides.map(() => []);
  const running = await Promise.all(sides.map((side) => side.start()));
  for (let run = 0; run <= RUNS; run += 1) {
    for (const [index, side] of sides.entries()) {
      const ms = await upload(running[index]!, side, fresh(UPLOAD));
      if (run > 0) times[index]!.push(ms / 1000);
    }
  }
  for (const one of running) await one.stop();
  return times.map(median);
}

/** The peak of memory, in MiB, after a first upload in a fresh runtime and after a second one. */
async function uploadPeaks(size: number): Promise<{ first: number[]; second: number[] }> {
  const first: number[][] = sides.map(() => []);
  const second: number[][] = sides.map(() => []);
  for (let run = 0; run < RUNS; run += 1) {
    for (const [index, side] of sides.entries()) {
      const running = await side.start();
      for (const peaks of [first, second]) {
        await upload(running, side, fresh(size));
        peaks[index]!.push(running.peakMiB());
      }
      await running.stop();
    }
  }
  return { first: first.map(median), second: second.map(median) };
}

/** Requests a second, CPU a request (ms) and download throughput (MB/s) of both workers. */
async function reads(): Promise<{ rate: number; cpuMs: number; megabytes: number }[]> {
  const body = fresh(UPLOAD);
  const [latest, zip] = ["/api/pack/latest", `/packs/${sha1(body)}.zip`];
  const both = [await startBare(), await startOurs()];
  const [plain, own] = both as [Running, Running];
  // Both serve the same: what ours answers is what the bare one is given.
  await upload(own, sides[1]!, body);
  const record = (await request(new URL(latest, own.url), "GET", {})).body;
  await request(new URL(latest, plain.url), "PUT", {}, record);
  await request(new URL(zip, plain.url), "PUT", {}, body);
  const figures = both.map(() => ({ rate: [] as number[], cpuMs: [] as number[], megabytes: [] as number[] }));
  for (let run = 0; run < RUNS; run += 1) {
    for (const [index, running] of both.entries()) {
      const cpu = running.cpuMs();
      const rate = await load(new URL(latest, running.url), SECONDS);
      figures[index]!.rate.push(rate);
      figures[index]!.cpuMs.push((running.cpuMs() - cpu) / (rate * SECONDS));
      const answer = await request(new URL(zip, running.url), "GET", {});
      if (!answer.body.equals(body)) throw new Error("what was downloaded is not what was uploaded");
      figures[index]!.megabytes.push(UPLOAD / 1000 / answer.ms);
    }
  }
  for (const running of both) await running.stop();
  return figures.map(({ rate, cpuMs, megabytes }) => ({
    rate: median(rate),
    cpuMs: median(cpuMs),
    megabytes: median(megabytes),
  }));
}

const seconds = await uploadTimes();
const peaks = await uploadPeaks(UPLOAD);
const largePeaks = await uploadPeaks(LARGE);
const [plain, own] = await reads();
const report = {
  upload_99_mb: sides.map(({ name }, index) => ({
    name,
    seconds: seconds[index]!,
    ratio: seconds[index]! / seconds[0]!,
    peak_mib: { first: peaks.first[index]!, second: peaks.second[index]! },
    peak_240_mb_mib: { first: largePeaks.first[index]!, second: largePeaks.second[index]! },
  })),
  reads: { bare: plain!, pack: own! },
};

if (options.json) {
  console.log(JSON.stringify(report, null, 2));
} else {
  console.log(`upload of 99 MB, medians of ${RUNS}; memory: the runtime's peak after a first upload and a second one\n`);
  for (const [index, row] of report.upload_99_mb.entries()) {
    const memory = `99 MB ${above(peaks, index)}   240 MB ${above(largePeaks, index)}`;
    console.log(`  ${row.name.padEnd(24)} ${row.seconds.toFixed(2)} s  ratio ${row.ratio.toFixed(2)}   ${memory}`);
  }
  console.log("\nreads: bare JavaScript beside pack\n");
  console.log(`  GET /api/pack/latest  ${plain!.rate.toFixed(0)} /s beside ${own!.rate.toFixed(0)} /s  ratio ${(own!.rate / plain!.rate).toFixed(2)}`);
  console.log(`  CPU a request         ${plain!.cpuMs.toFixed(3)} ms beside ${own!.cpuMs.toFixed(3)} ms  ratio ${(own!.cpuMs / plain!.cpuMs).toFixed(2)}`);
  console.log(`  download              ${plain!.megabytes.toFixed(0)} MB/s beside ${own!.megabytes.toFixed(0)} MB/s  ratio ${(own!.megabytes / plain!.megabytes).toFixed(2)}`);
}

/** Both peaks in MiB, with what they are above the bare worker's. */
function above({ first, second }: { first: number[]; second: number[] }, index: number): string {
  const one = (peaks: number[]) => `${peaks[index]!.toFixed(0)} (${signed(peaks[index]! - peaks[0]!)})`;
  return `${one(first)}, ${one(second)} MiB`;
}

function signed(value: number): string {
  return `${value >= 0 ? "+" : ""}${value.toFixed(0)}`;
}
