// `cargo xtask bench status`: what a run of the cron with twenty targets costs beside runs that do nothing or the bare
// necessities in JavaScript, reading `/api/status` beside a plain worker that reads the same KV, and the text of a status on the host.
// Medians of `--runs` (3), in turn.
//
// The runtime keeps KV and D1 in the same process: their work is in these figures, and is not billed to a worker in production.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { load, median, request } from "./support/measure.ts";
import { row, show } from "./support/table.ts";
import { Running, built, javascript } from "./support/runtime.ts";
import type { Bindings } from "./support/runtime.ts";

const { values: options } = parseArgs({
  options: { runs: { type: "string", default: "3" }, json: { type: "boolean", default: false } },
});
const RUNS = Number(options.runs);
/** Runs of the cron in one measurement, and how long one measurement of a rate lasts. */
const CRONS = 25;
const SECONDS = 3;
const TARGETS = 20;

const root = join(import.meta.dirname, "..");
const status = readFileSync(join(root, "fixtures", "ping", "status-response.bin"));

/** A server that answers each status request with the captured response, and each ping with its pong. */
const server = createServer((socket) => {
  let asked = false;
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    if (asked) socket.end(chunk);
    else socket.write(status);
    asked = true;
  });
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const { port } = server.address() as AddressInfo;

/** The host's part comes first: it may have to be compiled. */
const text = JSON.parse(
  execFileSync("cargo", ["run", "--release", "--quiet", "--package", "minecraft", "--example", "status_speed"], { cwd: root, encoding: "utf8" }),
);

const kv: Bindings = { STATUS_KV: { type: "kv", id: "status" }, STATUS_DB: { type: "d1", id: "status" } };
const targets = Array.from({ length: TARGETS }, (_, n) => ({ id: n === 0 ? "main" : `t${n}`, address: "mc.example.com", connect: `127.0.0.1:${port}` }));
const ours: Bindings = { ...kv, targets: { type: "json", value: targets } };

const idle = javascript(`export default {
  async scheduled() {},
  async fetch() { return new Response("idle"); },
};`);

/** Twenty connections, six at once, on which the same is asked and nothing is made of the answers. */
const bare = javascript(`import { connect } from "cloudflare:sockets";
const hello = new Uint8Array([21, 0, 134, 6, 14, ...new TextEncoder().encode("mc.example.com"), 99, 221, 1, 1, 0]);
const ping = new Uint8Array([9, 1, 0, 0, 0, 0, 0, 0, 0, 7]);
async function one(port) {
  const socket = connect({ hostname: "127.0.0.1", port });
  await socket.opened;
  const writer = socket.writable.getWriter();
  const reader = socket.readable.getReader();
  await writer.write(hello);
  await reader.read();
  await writer.write(ping);
  await reader.read();
  await socket.close();
}
export default {
  async scheduled(event, env) {
    await env.STATUS_KV.get("status");
    await env.STATUS_KV.get("control");
    let left = ${TARGETS};
    const worker = async () => { while (left-- > 0) await one(${port}); };
    await Promise.all(Array.from({ length: 6 }, worker));
    const samples = Array.from({ length: ${TARGETS} }, (_, n) => ({ target: "t" + n, at: event.scheduledTime / 1000 }));
    await env.STATUS_DB.prepare("INSERT INTO samples SELECT value ->> 'target', 1, value ->> 'at', 1, 1, 2, 1, 2, 9, 9 FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING").bind(JSON.stringify(samples)).run();
    await env.STATUS_DB.prepare("SELECT revision, at, after FROM control_history ORDER BY revision DESC LIMIT 1").all();
  },
  async fetch(request, env) {
    if (request.method === "PUT") {
      const one = await request.json();
      const targets = Object.fromEntries(Array.from({ length: ${TARGETS} }, (_, n) => ["t" + n, one]));
      await env.STATUS_KV.put("status", JSON.stringify({ v: 1, targets }));
      return new Response(null, { status: 201 });
    }
    const { targets } = await env.STATUS_KV.get("status", "json");
    return Response.json(targets.t0);
  },
};`);

/** What the worker logs as an error: a run that fails in part would be measured for less than it does. */
const errors: string[] = [];
const log = (line: string) => {
  if (line.includes('"level":"error"')) errors.push(line);
};
const sides = [
  { name: "nothing", running: await Running.start(idle, {}) },
  { name: "JavaScript, 20 pings", running: await Running.start(bare, kv) },
  { name: "status, 20 targets", running: await Running.start(built("status"), ours, log) },
];
for (const { running } of sides.slice(1)) await running.migrate("STATUS_DB", "status");

/** Milliseconds of CPU that one run of the cron takes, of each side; each run is a minute after the one before. */
async function crons(): Promise<number[]> {
  const figures: number[][] = sides.map(() => []);
  let minute = Math.floor(Date.now() / 60_000);
  for (let run = 0; run <= RUNS; run += 1) {
    for (const [index, { running }] of sides.entries()) {
      const cpu = running.cpuMs();
      for (let n = 0; n < CRONS; n += 1) await running.scheduled(new Date((minute + n) * 60_000));
      if (run > 0) figures[index]!.push((running.cpuMs() - cpu) / CRONS);
    }
    minute += CRONS;
  }
  return figures.map(median);
}

/** Requests a second and CPU a request of the plain worker and ours, which read the same: twenty targets in one value, of which one is answered. */
async function reads(): Promise<{ rate: number; cpuMs: number }[]> {
  const [, plain, own] = sides.map(({ running }) => running) as [Running, Running, Running];
  const path = "/api/status";
  const value = (await request(new URL(path, own.url), "GET", {})).body;
  await request(new URL(path, plain.url), "PUT", {}, value);
  const figures = [plain, own].map(() => ({ rate: [] as number[], cpuMs: [] as number[] }));
  for (let run = 0; run <= RUNS; run += 1) {
    for (const [index, running] of [plain, own].entries()) {
      const cpu = running.cpuMs();
      const rate = await load(new URL(path, running.url), SECONDS);
      if (run === 0) continue;
      figures[index]!.rate.push(rate);
      figures[index]!.cpuMs.push((running.cpuMs() - cpu) / (rate * SECONDS));
    }
  }
  return figures.map(({ rate, cpuMs }) => ({ rate: median(rate), cpuMs: median(cpuMs) }));
}

const [nothing, pings, cron] = (await crons()) as [number, number, number];
const [plain, own] = (await reads()) as [{ rate: number; cpuMs: number }, { rate: number; cpuMs: number }];
for (const { running } of sides) await running.stop();
server.close();
if (errors.length > 0) throw new Error(`the worker logged ${errors.length} errors, of which the first is ${errors[0]}`);
const rows = [
  row("CPU of a run of the cron with 20 targets, beside one that does nothing", "ms", cron, nothing, { above: 10 }),
  row("  beside the same pings, reads and writes in JavaScript", "ms", cron, pings),
  row("GET /api/status, beside a worker that reads KV each time", "/s", own.rate, plain.rate, { atLeast: 1 }),
  row("  CPU of the runtime a request", "ms", own.cpuMs, plain.cpuMs),
];
if (options.json) {
  console.log(JSON.stringify({ rows, text }, null, 2));
} else {
  console.log(`medians of ${RUNS}, beside bare JavaScript workers\n\n${show(rows)}`);
  console.log(`\na status of ${text.bytes} bytes on the host: read ${text.parse_mb_s} MB/s, read and rendered ${text.parse_and_render_mb_s} MB/s`);
}
