// `cargo xtask bench pack`: the pack worker beside bare JavaScript workers that do the same work
// natively, in one run, on the same runtime, in turn. Figures are medians of `--runs` (5);
// `--only` takes some of latest, download, upload, memory.
//
// The runtime keeps R2, KV, D1 and the queue in the same process: their work is in these figures, and is not billed to a worker
// in production. What it costs to hash, above all, shows in the rows beside the same calls in JavaScript.
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { drain, load, median, request } from "./support/measure.ts";
import { row, show } from "./support/table.ts";
import type { Row } from "./support/table.ts";
import { Running, built, javascript } from "./support/runtime.ts";
import type { Bindings } from "./support/runtime.ts";

const { values: options } = parseArgs({
  options: {
    runs: { type: "string", default: "5" },
    only: { type: "string", default: "latest,download,upload,memory" },
    json: { type: "boolean", default: false },
  },
});
const RUNS = Number(options.runs);
const UPLOAD = 99_000_000;
/** The largest pack that a client takes. */
const LARGE = 262_144_000;
/** How long one measurement of a rate lasts. */
const SECONDS = 4;
const TOKEN = "bench";
const AUTHORIZED = { authorization: `Bearer ${TOKEN}` };

const storage: Bindings = { PACKS: { type: "r2", name: "packs" }, PACK_KV: { type: "kv", id: "kv" } };
const tokens = [{ name: "bench", sha256: createHash("sha256").update(TOKEN).digest("hex"), scopes: ["pack:write"] }];
const ours: Bindings = {
  ...storage,
  PACK_DB: { type: "d1", id: "pack" },
  PACK_QUEUE: { type: "queue", name: "pack" },
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
 * The calls that an upload makes, in JavaScript. With a declared hash: stored with R2's check, looked
 * at, registered; without: stored and hashed in one pass, looked at, copied under its hash with R2's
 * check, registered. What R2's simulator, which runs in the same process, takes for them is so told
 * apart from what the worker takes.
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
async function register(env, place, length, key) {
  const tail = Math.min(length, 65557);
  await (await env.PACKS.get(place, { range: { offset: length - tail, length: tail } })).arrayBuffer();
  const registry = await env.PACKS.get("registry/main.json");
  await env.PACKS.put("registry/main.json", ((await registry?.text()) ?? "") + key);
  await env.PACK_KV.put("verify-hash", key);
  await (await env.PACKS.get("registry/main.json")).text();
}
const createOnly = { onlyIf: { etagDoesNotMatch: "*" } };
const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
export default {
  async fetch(request, env) {
    const length = Number(request.headers.get("content-length"));
    const declared = request.headers.get("x-pack-sha1");
    if (declared !== null) {
      const key = "packs/" + declared + ".zip";
      await env.PACKS.head(key);
      await env.PACKS.put(key, request.body, { ...createOnly, sha1: declared });
      await register(env, key, length, key);
      return new Response(null, { status: 201 });
    }
    const staged = "incoming/" + crypto.randomUUID();
    const pipe = new FixedLengthStream(length);
    const digest = new crypto.DigestStream("SHA-1");
    const stored = env.PACKS.put(staged, pipe.readable, createOnly);
    await Promise.all([stored, pump(request.body, [pipe.writable, digest], 256 * 1024)]);
    const sha1 = await digest.digest;
    const key = "packs/" + hex(sha1) + ".zip";
    await env.PACKS.head(key);
    await env.PACKS.put(key, (await env.PACKS.get(staged)).body, { ...createOnly, sha1 });
    await register(env, staged, length, key);
    await env.PACKS.delete(staged);
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
async function startOurs(): Promise<Running> {
  const running = await Running.start(built("pack"), ours);
  await running.migrate("PACK_DB", "pack");
  return running;
}
const toPack = () => "/api/packs/main";
const declared: Side = {
  name: "hash declared",
  start: startOurs,
  path: toPack,
  headers: (body) => ({ "x-pack-sha1": sha1(body) }),
};
const sides: Side[] = [
  { name: "bare", start: startBare, path: () => `/packs/${randomUUID()}`, headers: () => ({}) },
  declared,
  { ...declared, name: "same calls in JavaScript, hash declared", start: startSame },
  { name: "same calls in JavaScript", start: startSame, path: toPack, headers: () => ({}) },
  { name: "hash not declared", start: startOurs, path: toPack, headers: () => ({}) },
];

/** Sends a body and gives how long that took, in milliseconds; hashing it is not part of that. */
async function upload(running: Running, side: Side, body: Buffer): Promise<number> {
  const headers = { ...AUTHORIZED, ...side.headers(body) };
  const answer = await request(new URL(side.path(), running.url), "PUT", headers, body);
  if (answer.status !== 201) throw new Error(`${side.name}: ${answer.status} ${answer.body.toString()}`);
  return answer.ms;
}

/** MB/s and CPU of uploads, each side in turn, after one that is not counted. */
async function uploads(): Promise<Row[]> {
  const rates: number[][] = sides.map(() => []);
  const cpuMs: number[][] = sides.map(() => []);
  const running: Running[] = []; // one after another: that is how each one's process is told apart
  for (const side of sides) running.push(await side.start());
  for (let run = 0; run <= RUNS; run += 1) {
    for (const [index, side] of sides.entries()) {
      const body = fresh(UPLOAD);
      const cpu = running[index]!.cpuMs();
      const ms = await upload(running[index]!, side, body);
      if (run === 0) continue;
      rates[index]!.push(UPLOAD / 1000 / ms);
      cpuMs[index]!.push(running[index]!.cpuMs() - cpu);
    }
  }
  for (const one of running) await one.stop();
  const figures = sides.map((_, index) => ({ rate: median(rates[index]!), cpu: median(cpuMs[index]!) }));
  const [plain, known, sameKnown, same, unknown] = figures as [Figures, Figures, Figures, Figures, Figures];
  const beside = "  beside the same calls in JavaScript";
  const compared = (what: string, one: Figures, calls: Figures, atLeast: number) => [
    row(`upload of 99 MB, ${what}`, "MB/s", one.rate, plain.rate, { atLeast }),
    row(beside, "MB/s", one.rate, calls.rate, { atLeast: 0.95 }),
    row("  CPU of the runtime an upload", "ms", one.cpu, plain.cpu),
    row(`  ${beside}`, "ms", one.cpu, calls.cpu, { atMost: 1.05 }),
  ];
  return [...compared("hash declared", known, sameKnown, 0.95), ...compared("hash not declared", unknown, same, 0.45)];
}
type Figures = { rate: number; cpu: number };

/** Sends a small pack, so that a worker is compiled and the simulators have begun, and lets the peak begin anew. */
async function warm(running: Running, side: Side): Promise<number> {
  await upload(running, side, fresh(sample.length + 32));
  await setTimeout(3000);
  running.resetPeak();
  return running.peakMiB();
}

/** What the largest pack adds to the peak of memory, each in a fresh runtime: first and second upload, and downloads. */
async function memory(): Promise<Row[]> {
  const peaks = sides.map(() => ({ first: [] as number[], second: [] as number[] }));
  const down = { bare: [] as number[], ours: [] as number[] };
  for (let run = 0; run < RUNS; run += 1) {
    for (const [index, side] of sides.entries()) {
      const running = await side.start();
      const before = await warm(running, side);
      for (const list of [peaks[index]!.first, peaks[index]!.second]) {
        await upload(running, side, fresh(LARGE));
        list.push(running.peakMiB() - before);
      }
      await running.stop();
    }
    const body = fresh(LARGE);
    const path = `/packs/${sha1(body)}.zip`;
    for (const [list, start, side] of [
      [down.bare, startBare, { ...sides[0]!, path: () => path }],
      [down.ours, startOurs, declared],
    ] as const) {
      const running = await start();
      await upload(running, side, body);
      // The runtime compiles what is used often anew, once and beside: that is not what a body costs.
      for (let time = 0; time < 20; time += 1) await request(new URL(path, running.url), "HEAD", {});
      await setTimeout(3000);
      running.resetPeak();
      const before = running.peakMiB();
      for (let time = 0; time < 3; time += 1) await drain(new URL(path, running.url));
      list.push(running.peakMiB() - before);
      await running.stop();
    }
  }
  const [plain, known, sameKnown, same, unknown] = peaks.map((peak) => [median(peak.first), median(peak.second)] as const);
  const above = { above: 16 };
  return [
    row("memory that an upload of 250 MiB adds, hash declared", "MiB", known![0], plain![0], above),
    row("  after a second one", "MiB", known![1], plain![1], above),
    row("  beside the same calls in JavaScript", "MiB", known![0], sameKnown![0], above),
    row("  after a second one", "MiB", known![1], sameKnown![1], above),
    row("memory that an upload of 250 MiB adds, hash not declared", "MiB", unknown![0], plain![0], above),
    row("  after a second one", "MiB", unknown![1], plain![1], above),
    row("  beside the same calls in JavaScript", "MiB", unknown![0], same![0], above),
    row("  after a second one", "MiB", unknown![1], same![1], above),
    row("memory that downloads of 250 MiB add", "MiB", median(down.ours), median(down.bare), above),
  ];
}

/** Both workers with the same pack in them: what ours answers is what the bare one is given. */
async function filled(body: Buffer): Promise<{ plain: Running; own: Running }> {
  const [plain, own] = [await startBare(), await startOurs()];
  await upload(own, declared, body);
  const record = (await request(new URL(LATEST, own.url), "GET", {})).body;
  await request(new URL(LATEST, plain.url), "PUT", {}, record);
  await upload(plain, { ...sides[0]!, path: () => `/packs/${sha1(body)}.zip` }, body);
  return { plain, own };
}
const LATEST = "/api/pack/latest";

/** Requests a second and CPU a request; ours logs a line for each, as in production. */
async function latest(): Promise<Row[]> {
  const { plain, own } = await filled(fresh(sample.length + 32));
  const both = [plain, own];
  const figures = both.map(() => ({ rate: [] as number[], cpuMs: [] as number[] }));
  for (let run = 0; run <= RUNS; run += 1) {
    for (const [index, running] of both.entries()) {
      const cpu = running.cpuMs();
      const rate = await load(new URL(LATEST, running.url), SECONDS);
      if (run === 0) continue; // the first makes both warm
      figures[index]!.rate.push(rate);
      figures[index]!.cpuMs.push((running.cpuMs() - cpu) / (rate * SECONDS));
    }
  }
  for (const running of both) await running.stop();
  const [bareRate, ourRate] = figures.map(({ rate }) => median(rate)) as [number, number];
  const [bareCpu, ourCpu] = figures.map(({ cpuMs }) => median(cpuMs)) as [number, number];
  return [
    row("GET /api/pack/latest, beside a read of KV each time", "/s", ourRate, bareRate, { atLeast: 1 }),
    row("  CPU of the runtime a request", "ms", ourCpu, bareCpu, { atMost: 0.5 }),
  ];
}

/** MB/s and CPU of downloads, whole, three in each run; the bytes are compared. */
async function downloads(): Promise<Row[]> {
  const body = fresh(UPLOAD);
  const { plain, own } = await filled(body);
  const path = `/packs/${sha1(body)}.zip`;
  const [rates, cpuMs]: [number[][], number[][]] = [[[], []], [[], []]];
  for (let time = 0; time <= RUNS * 3; time += 1) {
    for (const [index, running] of [plain, own].entries()) {
      const cpu = running.cpuMs();
      const answer = await request(new URL(path, running.url), "GET", {});
      if (!answer.body.equals(body)) throw new Error("what was downloaded is not what was uploaded");
      // the first makes both warm, and ours copies it for the data centre meanwhile
      if (time === 0) continue;
      rates[index]!.push(UPLOAD / 1000 / answer.ms);
      cpuMs[index]!.push(running.cpuMs() - cpu);
    }
  }
  for (const running of [plain, own]) await running.stop();
  const [bareRate, ourRate] = rates.map(median) as [number, number];
  const [bareCpu, ourCpu] = cpuMs.map(median) as [number, number];
  return [
    row("download of 99 MB", "MB/s", ourRate, bareRate, { atLeast: 0.95 }),
    row("  CPU of the runtime a download", "ms", ourCpu, bareCpu),
  ];
}

const parts: Record<string, () => Promise<Row[]>> = { latest, download: downloads, upload: uploads, memory };
const rows: Row[] = [];
for (const name of options.only.split(",")) {
  const part = parts[name];
  if (part === undefined) throw new Error(`--only takes some of ${Object.keys(parts).join(", ")}`);
  rows.push(...(await part()));
}
console.log(options.json ? JSON.stringify(rows, null, 2) : `medians of ${RUNS}, beside a bare JavaScript worker\n\n${show(rows)}`);
