// The look at what was published: once, at the public address, as a player would.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { request, start, TIMEOUT, type System } from "./support/harness.ts";
import { cron, details, eventually, logged, operate, publish, store } from "./support/manage.ts";
import "./support/outbound.ts";
import { packNamed, packOfSize, sha1, upload } from "./support/packs.ts";

/** What stands between the system and the players: passes on, unless told otherwise. */
type Serve = (response: ServerResponse, path: string, agent: string) => unknown;
let serve: Serve;
const asked: string[] = [];
const proxy = createServer((incoming, response) => {
  asked.push(`${incoming.method} ${incoming.url}`);
  response.on("error", () => {});
  // The system may be gone before what it asked for has been passed on.
  const agent = incoming.headers["user-agent"] ?? "";
  Promise.resolve(serve(response, incoming.url ?? "", agent)).catch(() => response.destroy());
});

const passOn: Serve = async (response, path, agent) => {
  const { status, headers, body } = await request(`${system.url}${path}`, { headers: { "user-agent": agent } });
  response.writeHead(status, { "content-type": headers["content-type"] ?? "", "content-length": body.length });
  response.end(body);
};

let system: System;
before(async () => {
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const { port } = proxy.address() as AddressInfo;
  system = await start({ pack: { PUBLIC_URL: `http://127.0.0.1:${port}`, CHECK_PUBLISHED: true } });
  serve = passOn;
});
after(async () => {
  await system.close();
  proxy.closeAllConnections();
  proxy.close();
});

async function checkOf(pack: string, hash: string): Promise<any> {
  return (await details(system, pack)).releases.find((release: any) => release.sha1 === hash).check;
}

const seen = (pack: string, hash: string, state: string) =>
  eventually(`${pack} is ${state}`, async () => {
    const check = await checkOf(pack, hash);
    return check.state === state ? check : undefined;
  });

const fetches = (hash: string) => asked.filter((line) => line === `GET /packs/${hash}.zip`).length;

test("a release is verified shortly after it was published, by one fetch", { timeout: TIMEOUT }, async () => {
  const [one = ""] = await store(system, "good", "one");
  assert.deepEqual(await checkOf("good", one), { state: "pending" });
  await publish(system, "good", one);
  const check = await seen("good", one, "verified");
  assert.deepEqual(Object.keys(check).sort(), ["at", "state"]);
  assert.ok(Math.abs(Date.parse(check.at) - Date.now()) < 60_000);
  assert.equal(fetches(one), 1);
  assert.deepEqual(logged(system, "error", "check"), []);

  await publish(system, "good", one);
  await cron(system, 1);
  await cron(system, 2);
  const large = packOfSize(20_000_000);
  assert.equal((await upload(system, large, { pack: "good" })).status, 201);
  await seen("good", sha1(large), "verified");
  assert.deepEqual([fetches(one), fetches(sha1(large))], [1, 1]);
});

test("a look is no player's download", { timeout: TIMEOUT }, async () => {
  const [one = "", two = ""] = await store(system, "counted", "looked at", "played");
  for (const hash of [one, two]) {
    await publish(system, "counted", hash);
    await seen("counted", hash, "verified");
  }
  await system.request(`/packs/${two}.zip`, { headers: { "X-Minecraft-Version": "1.21.4" } });
  await sleep(22_000); // downloads are written 20 seconds after the first
  const stats = (await system.request("/api/packs/counted/stats")).json();
  const counts = stats.releases.map(({ sha1, downloads, versions }: any) => [sha1, downloads, versions]);
  assert.deepEqual(counts, [[two, 1, { "1.21.4": 1 }], [one, 0, {}]]);
  assert.equal(stats.total, 1);
});

test("a release that is not published is not fetched", { timeout: TIMEOUT }, async () => {
  const [draft = "", later = ""] = await store(system, "drafts", "draft", "later");
  await publish(system, "drafts", later);
  await seen("drafts", later, "verified");
  await cron(system, 1);
  assert.deepEqual([await checkOf("drafts", draft), fetches(draft)], [{ state: "pending" }, 0]);
});

test("a message that comes twice fetches once", { timeout: TIMEOUT }, async () => {
  const [one = "", two = ""] = await store(system, "twice", "one", "two");
  await publish(system, "twice", one);
  await seen("twice", one, "verified");
  const again = { check: { pack: "twice", sha1: one } };
  for (let count = 0; count < 3; count++) {
    assert.equal((await operate(system, "POST", "/api/packs/events", again)).status, 202);
  }
  await publish(system, "twice", two); // in the queue behind them
  await seen("twice", two, "verified");
  assert.equal(fetches(one), 1);
});

const elsewhere = packNamed("elsewhere");
const FAULTS: [string, Serve, RegExp][] = [
  ["serves other bytes", (response) => response.end(elsewhere), new RegExp(`SHA-1 is ${sha1(elsewhere)}`)],
  ["serves nothing", (response) => response.end(), /SHA-1 is da39a3ee5e6b4b0d3255bfef95601890afd80709/],
  ["answers 404", (response) => response.writeHead(404).end("no such thing"), /answers 404/],
  ["answers 503", (response) => response.writeHead(503).end(), /answers 503/],
  [
    "redirects, even to the right bytes",
    (response, path) => response.writeHead(302, { location: `${system.url}${path}` }).end(),
    /answers 302/,
  ],
  ["shows a login page", (response) => response.end("<html>Log in</html>"), /SHA-1 is/],
  [
    "ends in the middle of the body",
    async (response, path) => {
      const { body } = await request(`${system.url}${path}`);
      response.useChunkedEncodingByDefault = false; // so that only its end tells the length
      response.writeHead(200, { connection: "close" }).end(body.subarray(0, body.length / 2));
    },
    /SHA-1 is/,
  ],
  ["closes the connection", (response) => response.destroy(), /cannot be fetched|answers 5\d\d/],
  ["hangs", () => {}, /within 20 s/],
];

for (const [index, [what, fault, reason]] of FAULTS.entries()) {
  test(`a public address that ${what} is on record and in the log`, { timeout: TIMEOUT }, async () => {
    const [one = ""] = await store(system, `fault-${index}`, "one");
    const since = system.logs().length;
    serve = fault;
    try {
      await publish(system, `fault-${index}`, one);
      const check = await seen(`fault-${index}`, one, "failed");
      assert.match(check.reason, reason);
      const line = logged(system, "error", "check", since).join("\n");
      assert.match(line, reason);
      assert.match(line, new RegExp(`/packs/${one}\\.zip .* release of fault-${index}`));
      assert.equal(fetches(one), 1);
    } finally {
      serve = passOn;
    }
    assert.equal((await system.request(`/api/pack/latest?pack=fault-${index}`)).json().sha1, one, "it stays published");
  });
}

test("what failed is looked at again by the cron, until it is mended", { timeout: TIMEOUT }, async () => {
  const [one = ""] = await store(system, "mended", "one");
  serve = (response) => response.writeHead(500).end();
  await publish(system, "mended", one);
  await seen("mended", one, "failed");
  serve = passOn;
  await cron(system, 1);
  const check = await seen("mended", one, "verified");
  assert.equal(check.reason, undefined);
  assert.equal(fetches(one), 2);
});

test("a look whose message was lost is made up for by the cron", { timeout: TIMEOUT }, async () => {
  const [one = ""] = await store(system, "lost", "one");
  await publish(system, "lost", one);
  await seen("lost", one, "verified");
  const { PACKS } = await system.env("pack");
  const text = (await (await PACKS.get("registry/lost.json"))?.text()) ?? "";
  const lost = text.replace(/"check":\{[^}]*\}/, `"check":{"state":"pending"}`);
  assert.notEqual(lost, text);
  await PACKS.put("registry/lost.json", lost);
  await cron(system, 1);
  await seen("lost", one, "verified");
  assert.equal(fetches(one), 2);
});

test("a rollback has its release looked at again", { timeout: TIMEOUT }, async () => {
  const [one = "", two = ""] = await store(system, "back", "one", "two");
  await publish(system, "back", one);
  const first = await seen("back", one, "verified");
  await eventually("another second", () => (Date.now() - Date.parse(first.at) > 2000 ? true : undefined));
  await publish(system, "back", two);
  await seen("back", two, "verified");
  assert.equal((await operate(system, "POST", "/api/packs/back/rollback", {})).status, 200);
  await eventually("a second fetch", () => (fetches(one) === 2 ? true : undefined));
});
