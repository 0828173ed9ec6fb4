// `cargo xtask bench ddns`: what a run of the cron with forty HTTP services costs beside runs that do nothing and forty bare
// fetches in JavaScript, and what one `/nic/update` costs that changes nothing, of a host that MyDNS and Cloudflare have already,
// beside JavaScript workers that look once into the same database, and that read and write there what an update does. Medians of
// `--runs` (5), in turn.
//
// The runtime keeps D1 in the same process: its work is in these figures, and is not billed to a worker in production. What an
// update costs over the same statements in JavaScript is the worker's own.
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import { cloudflare } from "../tests/support/cloudflare.ts";
import { mydns } from "../tests/support/mydns.ts";
import { median, request } from "./support/measure.ts";
import { Running, built, javascript } from "./support/runtime.ts";
import type { Bindings } from "./support/runtime.ts";

const { values: options } = parseArgs({
  options: { runs: { type: "string", default: "5" }, json: { type: "boolean", default: false } },
});
const RUNS = Number(options.runs);
/** Runs of the cron in one measurement, and updates. */
const CRONS = 25;
const UPDATES = 400;
const SERVICES = 40;
/** How many updates one token may send in ten minutes. */
const A_TOKEN = 25;
/** The most CPU that an update which changes nothing is to take, in milliseconds. */
const AIM = 2;

/** How often the peer was asked. */
let asked = 0;
const server = createServer((_incoming, response) => {
  asked += 1;
  response.end("all is well");
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;

const count = Math.ceil((UPDATES * (RUNS + 1)) / A_TOKEN);
const tokens = Array.from({ length: count }, () => randomBytes(32).toString("base64url"));
const secret = tokens.map((token, n) => ({
  name: `router-${n}`,
  sha256: createHash("sha256").update(token).digest("hex"),
  scopes: ["ddns:update"],
}));
const services = Array.from({ length: SERVICES }, (_, n) => ({ id: `s${n}`, kind: "http", url }));
const d1: Bindings = { OPS_DB: { type: "d1", id: "ops" } };
const ours: Bindings = {
  ...d1,
  TOKENS: { type: "text", value: JSON.stringify(secret) },
  hosts: { type: "json", value: [{ host: "home.example.com" }] },
};

/** The same with a host whose addresses are kept at two providers, which have them since the first update. */
const peers = { mydns: await mydns({ mydns000001: "a-password" }), cloudflare: await cloudflare("a-token") };
peers.cloudflare.zone("example.com");
const providers = [
  { kind: "mydns", credentials: "home" },
  { kind: "cloudflare", credentials: "zone", create: true },
];
const provided: Bindings = {
  ...ours,
  hosts: { type: "json", value: [{ host: "home.example.com", providers }] },
  MYDNS_URL: { type: "text", value: peers.mydns.url },
  CLOUDFLARE_API: { type: "text", value: peers.cloudflare.url },
  PROVIDERS: { type: "text", value: JSON.stringify({ home: { id: "mydns000001", password: "a-password" }, zone: { token: "a-token" } }) },
};

const idle = javascript(`export default {
  async scheduled() {},
  async fetch() { return new Response("idle"); },
};`);

/** Forty fetches, six at once, of which nothing is made; and one look into D1 for a request. */
const bare = javascript(`export default {
  async scheduled() {
    let left = ${SERVICES};
    const worker = async () => {
      while (left-- > 0) {
        const response = await fetch(${JSON.stringify(url)});
        await response.body?.cancel();
      }
    };
    await Promise.all(Array.from({ length: 6 }, worker));
  },
  async fetch(request, env) {
    const host = new URL(request.url).searchParams.get("hostname");
    await env.OPS_DB.prepare("SELECT * FROM hosts WHERE host = ?").bind(host).first();
    return new Response("nochg 8.8.8.8");
  },
};`);

/** What an update that changes nothing does in D1, in one batch as ours is: its rate, the log, no address, the report, and a look
 * at the host and at what its providers have. */
const writes = javascript(`export default {
  async fetch(request, { OPS_DB }) {
    const host = new URL(request.url).searchParams.get("hostname");
    const at = new Date().toISOString();
    const run = (sql) => OPS_DB.prepare(sql).bind(at, host);
    await OPS_DB.batch([
      run("INSERT INTO rates (token, times, mark) VALUES ('router', json_array(?1, ?2), ?1) ON CONFLICT (token) DO UPDATE SET times = excluded.times, mark = excluded.mark"),
      run("INSERT INTO updates (at, token, host, reported, decision, ipv4_before, ipv4_after) VALUES (?1, 'router', ?2, '{}', 'nochg', '8.8.8.8', '8.8.8.8') RETURNING id, decision"),
      run("UPDATE hosts SET updated_at = ?1 WHERE host = ?2 AND ipv4 IS NOT '8.8.8.8'"),
      run("INSERT INTO reports (host, at, seen) VALUES (?2, ?1, '8.8.8.8') ON CONFLICT (host) DO UPDATE SET at = excluded.at"),
      run("SELECT *, (SELECT json_group_array(json_object('provider', provider, 'ipv4', ipv4)) FROM provider_states WHERE host = ?2) AS providers FROM hosts WHERE host = ?2 AND ?1 IS NOT NULL"),
    ]);
    return new Response("nochg 8.8.8.8");
  },
};`);

const sides = [
  { name: "nothing", asks: 0, running: await Running.start(idle, {}) },
  { name: "JavaScript, 40 fetches", asks: SERVICES, running: await Running.start(bare, d1) },
  { name: "ddns, no services", asks: 0, running: await Running.start(built("ddns"), ours) },
  {
    name: "ddns, 40 services",
    asks: SERVICES,
    running: await Running.start(built("ddns"), { ...ours, services: { type: "json", value: services } }),
  },
];
const writing = await Running.start(writes, d1);
const updating = await Running.start(built("ddns"), provided);
for (const running of [...sides.slice(1).map((side) => side.running), writing, updating]) await running.migrate("OPS_DB", "ddns");

/** Milliseconds of CPU that one run of the cron takes, of each side; each run is a minute after the one before, and asks all. */
async function crons(): Promise<number[]> {
  const figures: number[][] = sides.map(() => []);
  let minute = Math.floor(Date.now() / 60_000);
  for (let run = 0; run <= RUNS; run += 1) {
    for (const [index, { name, asks, running }] of sides.entries()) {
      const cpu = running.cpuMs();
      asked = 0;
      for (let n = 0; n < CRONS; n += 1) await running.scheduled(new Date((minute + n) * 60_000));
      if (asked < asks * CRONS) throw new Error(`${name}: ${CRONS} runs made ${asked} requests and not ${asks} each`);
      if (run > 0) figures[index]!.push((running.cpuMs() - cpu) / CRONS);
    }
    minute += CRONS;
  }
  return figures.map(median);
}

/** Milliseconds of CPU of one update that changes nothing, of the plain workers and of ours. */
async function updates(): Promise<number[]> {
  const all = [sides[1]!.running, writing, updating];
  const figures: number[][] = all.map(() => []);
  let sent = 0;
  for (let run = 0; run <= RUNS; run += 1) {
    for (const [index, running] of all.entries()) {
      const asked = new URL("/nic/update?hostname=home.example.com&myip=8.8.8.8", running.url);
      const cpu = running.cpuMs();
      for (let n = 0; n < UPDATES; n += 1) {
        const token = tokens[Math.floor((sent + n) / A_TOKEN)]!;
        const authorization = `Basic ${Buffer.from(`router:${token}`).toString("base64")}`;
        const answer = await request(asked, "GET", { authorization, "cf-connecting-ip": "8.8.8.8" });
        const text = answer.body.toString().trim();
        if (text !== "nochg 8.8.8.8" && !(run === 0 && n === 0)) throw new Error(`answered ${answer.status} ${text}`);
      }
      if (run > 0) figures[index]!.push((running.cpuMs() - cpu) / UPDATES);
    }
    sent += UPDATES;
  }
  if (peers.mydns.notices.length !== 1) throw new Error(`MyDNS was told ${peers.mydns.notices.length} times`);
  return figures.map(median);
}

const cron = await crons();
const [plain, written, own] = await updates();
for (const running of [...sides.map((side) => side.running), writing, updating]) await running.stop();
await Promise.all(Object.values(peers).map((peer) => peer.close()));
server.close();
const report = {
  cron_cpu_ms: Object.fromEntries(sides.map(({ name }, index) => [name, cron[index]!])),
  update_cpu_ms: { look: plain!, writes: written!, ddns: own! },
};
if (options.json) {
  console.log(JSON.stringify(report, null, 2));
} else {
  console.log(`CPU of one run of the cron, medians of ${RUNS} × ${CRONS} runs\n`);
  for (const [index, { name }] of sides.entries()) {
    console.log(`  ${name.padEnd(23)} ${cron[index]!.toFixed(2)} ms   over nothing ${(cron[index]! - cron[0]!).toFixed(2)} ms`);
  }
  const fetches = cron[1]! - cron[0]!;
  console.log(`\n  forty services beside forty bare fetches: ratio ${((cron[3]! - cron[0]!) / fetches).toFixed(2)}`);
  console.log(`\nCPU of one GET /nic/update that changes nothing, medians of ${RUNS} × ${UPDATES}\n`);
  console.log(`  ddns, the database in it               ${own!.toFixed(2)} ms   aim ${AIM} ms: ${own! <= AIM ? "kept" : "missed"}`);
  console.log(`  JavaScript with the same in D1         ${written!.toFixed(2)} ms   ratio ${(own! / written!).toFixed(2)}; ddns over it ${(own! - written!).toFixed(2)} ms`);
  console.log(`  JavaScript with one look into D1       ${plain!.toFixed(2)} ms   ratio ${(own! / plain!).toFixed(2)}`);
}
