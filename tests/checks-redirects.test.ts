// Checks that are redirected: each step is a request of its own, and a run has so many of them.
//
// Straight in the runtime, as in checks.test.ts.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { built, Running } from "../bench/support/runtime.ts";
import { request, TIMEOUT } from "./support/harness.ts";

/** The most requests that checks make in one run of the cron. */
const A_RUN = 40;

/** Method, path and credentials of each request, in order. */
const asked: string[] = [];
let urls: string[] = [];

/** The minute of the first run: what was checked long ago is known no more. */
const START = Math.floor(Date.now() / 60_000) * 60_000;

const answer = async (request: IncomingMessage, response: ServerResponse) => {
  const path = request.url ?? "";
  asked.push(`${request.method} ${path} ${request.headers["authorization"] ?? "-"}`);
  const moved = (status: number, location: string) => response.writeHead(status, { location }).end("moved");
  if (path.startsWith("/old/")) moved(301, `/new${path.slice(4)}`);
  else if (path === "/loop") moved(302, "/loop");
  else if (path === "/slow") (await sleep(300), moved(302, "/new/slow"));
  else if (path === "/elsewhere") moved(302, `${urls[1]}/there`);
  else if (path === "/see-other") moved(303, "seen");
  else if (path === "/keep") moved(307, "/kept");
  else if (path === "/odd") response.writeHead(302, { location: "http://" }).end();
  else response.end("well");
};
const servers = [createServer(answer), createServer(answer)];

let running: Running;
let minute = 0;

/** One run of the cron: what was asked, and the services after it. */
async function run() {
  asked.length = 0;
  minute += 1;
  await running.scheduled(new Date(START + minute * 60_000));
  const { services } = (await request(new URL("/api/services", running.url).href)).json() as { services: any[] };
  return Object.fromEntries(services.map((service) => [service.id, service])) as Record<string, any>;
}

before(async () => {
  for (const server of servers) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  }
  urls = servers.map((server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const [url] = urls;
  const services = [
    ...Array.from({ length: 35 }, (_, n) => ({ id: `old-${n}`, url: `${url}/old/${n}`, keyword: "well", interval_minutes: 60 })),
    ...Array.from({ length: 45 }, (_, n) => ({ id: `quick-${n}`, url: `${url}/quick/${n}` })),
    { id: "slow", url: `${url}/slow` },
    { id: "loop", url: `${url}/loop`, interval_minutes: 60 },
    { id: "elsewhere", url: `${url}/elsewhere`, headers: { Authorization: "mine" }, interval_minutes: 60 },
    { id: "see-other", url: `${url}/see-other`, method: "POST", body: "x", headers: { Authorization: "mine" }, interval_minutes: 60 },
    { id: "keep", url: `${url}/keep`, method: "POST", body: "x", interval_minutes: 60 },
    { id: "odd", url: `${url}/odd`, status: [302], interval_minutes: 60 },
  ].map((service) => ({ kind: "http", failures: 1, public: true, ...service }));
  running = await Running.start(
    built("ddns"),
    {
      OPS_DB: { type: "d1", id: "ops" },
      hosts: { type: "json", value: [] },
      services: { type: "json", value: services },
    },
    () => {},
  );
  await running.migrate("OPS_DB", "ddns");
});
after(async () => {
  await running?.stop();
  for (const server of servers) server.close();
});

test("no run makes more requests than it has, and those that are left come next", { timeout: TIMEOUT }, async () => {
  const all: string[] = [];
  let services: Record<string, any> = {};
  for (let runs = 0; runs < 8; runs += 1) {
    services = await run();
    assert.ok(asked.length <= A_RUN, `${asked.length} requests`);
    all.push(...asked);
  }
  const states = Object.values(services).filter(({ state }) => state !== "up").map(({ id, state, reason }) => `${id} ${state} ${reason}`);
  assert.deepEqual(states, ["loop down redirects: redirected too often"]);
  // As the Fetch Standard says, and what was for one server is not told to another.
  for (const line of ["GET /elsewhere mine", "GET /there -", "POST /see-other mine", "GET /seen mine", "POST /keep -", "POST /kept -"]) {
    assert.ok(all.includes(line), `${line} in ${all.join("; ")}`);
  }
});

test("a slow one that is redirected has its turn among many quick ones", { timeout: TIMEOUT }, async () => {
  const checked = new Map<string, Set<string>>();
  for (let runs = 0; runs < 6; runs += 1) {
    for (const { id, state, last_checked_at } of Object.values(await run())) {
      if (id !== "loop") assert.equal(state, "up", id);
      checked.set(id, (checked.get(id) ?? new Set()).add(last_checked_at));
    }
    assert.ok(asked.length <= A_RUN, `${asked.length} requests`);
  }
  for (const id of ["slow", ...Array.from({ length: 45 }, (_, n) => `quick-${n}`)]) assert.ok(checked.get(id)!.size > 2, id);
});
