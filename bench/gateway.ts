// `cargo xtask bench gateway`: a request through the gateway to a local origin, beside a plain JavaScript worker that only does
// `fetch(request)` and beside nginx with the same routes; with 100 and 10,000 routes in the table; and the memory that 200 MB up and
// down take. Medians of `--runs` (3), in turn. nginx comes from Debian's package; without it, its figures are left out.
import { once } from "node:events";
import { type AddressInfo } from "node:net";
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { type Timed, drain, median, send, timedLoad } from "./support/measure.ts";
import { NGINX, Nginx } from "./support/nginx.ts";
import { type Bindings, Running, built, javascript } from "./support/runtime.ts";

const { values: options } = parseArgs({
  options: {
    runs: { type: "string", default: "3" },
    seconds: { type: "string", default: "4" },
    only: { type: "string", default: "small,memory" },
    json: { type: "boolean", default: false },
  },
});
const RUNS = Number(options.runs);
const SECONDS = Number(options.seconds);
const SIZES = [100, 10_000] as const;
const LARGE = 200_000_000;

/** What is asked for: the last of `count` routes. */
const HOST = "app.example.com";
const ANSWER = "x".repeat(1000);

/** An origin for large bodies, and for small ones where there is no nginx. */
const server = createServer((request, response) => {
  if (request.method === "PUT") {
    let length = 0;
    request.on("data", (chunk: Buffer) => (length += chunk.length));
    request.on("end", () => response.end(String(length)));
    return;
  }
  if (!request.url!.endsWith("/large")) {
    response.end(ANSWER);
    return;
  }
  response.writeHead(200, { "content-length": LARGE });
  const chunk = Buffer.alloc(1 << 16);
  let left = LARGE;
  const more = () => {
    while (left > 0) {
      const part = chunk.subarray(0, Math.min(left, chunk.length));
      left -= part.length;
      if (!response.write(part)) return void response.once("drain", more);
    }
    response.end();
  };
  more();
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const node = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

/** Half of the routes are hosts of their own, half are paths of one host; the last is the one that is asked for. */
function routes(count: number, origin: string) {
  const others = Array.from({ length: count - 1 }, (_, n) =>
    n % 2 === 0 ? { host: `h${n}.example.com`, path: "/", origin } : { host: HOST, path: `/p${n}/`, origin, strip_prefix: true },
  );
  return [...others, { host: HOST, path: "/app/", origin, strip_prefix: true }];
}

function gateway(count: number, origin: string): Promise<Running> {
  const env: Bindings = {
    LOCAL: { type: "json", value: true },
    routes: { type: "json", value: routes(count, origin) },
    TOKENS: { type: "text", value: "[]" },
  };
  return Running.start(built("gateway"), env);
}

function plain(origin: string): Promise<Running> {
  const source = `export default {
    fetch(request) {
      const url = new URL(request.url);
      url.host = "${new URL(origin).host}";
      return fetch(new Request(url, request));
    },
  };`;
  return Running.start(javascript(source), {});
}

/** The same routes, as nginx has them. */
function asNginx(count: number, origin: string): Promise<Nginx> {
  const upstream = `upstream origin { server ${new URL(origin).host}; keepalive 32; }`;
  const proxy = `proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host ${new URL(origin).host};
    proxy_set_header X-Forwarded-Host $http_host; proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;`;
  const hosts: string[] = [];
  const paths: string[] = [];
  for (const { host, path } of routes(count, origin)) {
    const location = `location ${path} { proxy_pass http://origin/; }`;
    if (host === HOST) paths.push(location);
    else hosts.push(`server { listen 127.0.0.1:$PORT; server_name ${host}; ${location} }`);
  }
  const own = `server { listen 127.0.0.1:$PORT; server_name ${HOST}; ${paths.join("\n")} }`;
  return Nginx.start(`server_names_hash_max_size 65536; server_names_hash_bucket_size 128; ${upstream} ${proxy} ${hosts.join("\n")} ${own}`);
}

interface Side {
  name: string;
  running: Running | Nginx;
  figures: (Timed & { cpuMs: number })[];
}

/** Rates, times and CPU of small requests, each side in turn; the first round makes all warm. */
async function small(): Promise<Side[]> {
  const origin = NGINX === undefined ? undefined : await Nginx.start(`server { listen 127.0.0.1:$PORT; location / { return 200 "${ANSWER}"; } }`);
  const to = origin?.url.origin ?? node;
  const sides: Side[] = [{ name: "fetch(request) in JavaScript", running: await plain(to), figures: [] }];
  for (const size of SIZES) sides.push({ name: `gateway, ${size} routes`, running: await gateway(size, to), figures: [] });
  if (NGINX !== undefined) for (const size of SIZES) sides.push({ name: `nginx, ${size} routes`, running: await asNginx(size, to), figures: [] });
  for (let run = 0; run <= RUNS; run += 1) {
    for (const { running, figures } of sides) {
      const cpu = running.cpuMs();
      const timed = await timedLoad(new URL("/app/x?y=1", running.url), { host: HOST }, SECONDS, ANSWER.length);
      if (run > 0) figures.push({ ...timed, cpuMs: (running.cpuMs() - cpu) / timed.count });
    }
  }
  for (const { running } of sides) await running.stop();
  await origin?.stop();
  return sides;
}

/** What 200 MB up and down add to the peak of memory, in MiB, in a fresh runtime each time. */
async function memory(): Promise<{ name: string; up: number; down: number }[]> {
  const kinds = [
    { name: "fetch(request) in JavaScript", start: () => plain(node) },
    { name: "gateway", start: () => gateway(100, node) },
  ];
  const added = kinds.map(() => ({ up: [] as number[], down: [] as number[] }));
  for (let run = 0; run < RUNS; run += 1) {
    for (const [index, { start }] of kinds.entries()) {
      const running = await start();
      await drain(new URL("/app/small", running.url), { host: HOST });
      for (const [list, work] of [
        [added[index]!.down, () => drain(new URL("/app/large", running.url), { host: HOST })],
        [added[index]!.up, () => send(new URL("/app/large", running.url), { host: HOST }, LARGE)],
      ] as const) {
        running.resetPeak();
        const before = running.peakMiB();
        await work();
        list.push(running.peakMiB() - before);
      }
      await running.stop();
    }
  }
  return kinds.map(({ name }, index) => ({ name, up: median(added[index]!.up), down: median(added[index]!.down) }));
}

const only = options.only.split(",");
const report: Record<string, unknown> = {};
if (only.includes("small")) {
  report["small"] = (await small()).map(({ name, figures }) => ({
    name,
    rate: median(figures.map(({ rate }) => rate)),
    p50_ms: median(figures.map(({ p50 }) => p50)),
    p99_ms: median(figures.map(({ p99 }) => p99)),
    cpu_ms: median(figures.map(({ cpuMs }) => cpuMs)),
  }));
}
if (only.includes("memory")) report["memory"] = await memory();
server.close();

if (options.json) {
  console.log(JSON.stringify(report, null, 2));
} else {
  if (NGINX === undefined) console.log("nginx is not here: its figures are left out, and the origin is Node, which is slower\n");
  const rows = (report["small"] ?? []) as { name: string; rate: number; p50_ms: number; p99_ms: number; cpu_ms: number }[];
  if (only.includes("small")) console.log(`small requests over 8 connections, medians of ${RUNS} × ${SECONDS} s\n`);
  for (const { name, rate, p50_ms, p99_ms, cpu_ms } of rows) {
    console.log(
      `  ${name.padEnd(30)} ${rate.toFixed(0).padStart(6)} /s   p50 ${p50_ms.toFixed(2)} ms   p99 ${p99_ms.toFixed(2)} ms   CPU ${cpu_ms.toFixed(3)} ms a request`,
    );
  }
  if (only.includes("memory")) console.log("\nwhat 200 MB add to the peak of memory\n");
  for (const { name, up, down } of (report["memory"] ?? []) as { name: string; up: number; down: number }[]) {
    console.log(`  ${name.padEnd(30)} up ${up.toFixed(0)} MiB   down ${down.toFixed(0)} MiB`);
  }
}
