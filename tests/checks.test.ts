// What a check makes of real servers that are well, wrong, slow, silent or malicious.
//
// Straight in the runtime: wrangler's harness fetches in the worker's stead, and answers 500 for a connection that breaks.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { built, Running } from "../bench/support/runtime.ts";
import { doh, type DohPeer } from "./support/doh.ts";
import { request, TIMEOUT } from "./support/harness.ts";
import { minecraft, type MinecraftPeer } from "./support/minecraft.ts";
import { closedPort, closesAtOnce, HTTP, listen, type Peer, sends, sendsAndCloses, silent } from "./support/tcp.ts";

const SECRET = randomBytes(16).toString("hex");

/** The minute of the first run: what was checked long ago is known no more. */
const START = Math.floor(Date.now() / 60_000) * 60_000;

/** How many bodies without end are being sent. */
let endless = 0;
/** When each path was asked for last. */
const askedAt = new Map<string, number>();
/** And how fresh the answer was to be. */
const askedFor = new Map<string, string | undefined>();

function pour(response: ServerResponse) {
  const chunk = Buffer.alloc(64 * 1024, "x");
  endless += 1;
  response.on("close", () => (endless -= 1));
  const more = () => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once("drain", more);
  };
  more();
}

const json = (response: ServerResponse, value: unknown) =>
  response.setHeader("content-type", "application/json; charset=utf-8").end(JSON.stringify(value));

const PATHS: Record<string, (response: ServerResponse, request: IncomingMessage) => unknown> = {
  "/ok": (response) => response.end("<h1>all is well</h1>"),
  "/503": (response) => response.writeHead(503).end("down for today"),
  "/slow": async (response) => (await sleep(700), response.end("late")),
  "/hang": () => {},
  "/hang-body": (response) => response.write("begins"),
  "/endless": pour,
  "/loop": (response) => response.writeHead(302, { location: "/loop" }).end(),
  "/moved": (response) => response.writeHead(301, { location: "/ok" }).end(),
  "/reset": (response) => response.destroy(),
  "/cut": (response) => (response.writeHead(200, { "content-length": "100" }).write("all is well"), setTimeout(() => response.destroy(), 50)),
  "/json": (response) => json(response, { checks: [{ status: "ok", age: 3 }], "free space": null }),
  "/not-json": (response) => response.end("{"),
  "/gzip": (response) => response.setHeader("content-encoding", "gzip").end(gzipSync("all is well")),
  "/latin1": (response) => response.end(Buffer.from("caf\xe9 is well", "latin1")),
  "/secret": (response, request) => {
    const given = request.headers["authorization"] ?? "";
    if (given !== `Bearer ${SECRET}`) response.statusCode = 401;
    json(response, { you_sent: given });
  },
  "/post": async (response, request) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    json(response, { method: request.method, body: Buffer.concat(chunks).toString(), type: request.headers["content-type"] });
  },
};

const server = createServer((request, response) => {
  const path = request.url ?? "";
  askedAt.set(path, Date.now());
  askedFor.set(path, request.headers["cache-control"]);
  const answer = PATHS[path.split("?")[0] ?? ""] ?? ((response: ServerResponse) => response.writeHead(404).end());
  answer(response, request);
});

let running: Running;
const log: string[] = [];
let names: DohPeer;
let game: MinecraftPeer;
const ports: Record<string, Peer> = {};
let url = "";
let results: Record<string, any> = {};

type Keys = Record<string, string | number | boolean | string[] | Record<string, string> | (string | number)[]>;

/** What is checked, and what is to come of it: the beginning of the reason, or none. */
const EXPECTED: [id: string, keys: () => Keys, state: string, reason: RegExp | null][] = [
  ["ok", () => ({ url: `${url}/ok` }), "up", null],
  ["keyword", () => ({ url: `${url}/ok`, keyword: "all is well" }), "up", null],
  ["keyword-missing", () => ({ url: `${url}/ok`, keyword: "all is ill" }), "down", /^keyword: /],
  ["keyword-present", () => ({ url: `${url}/ok`, keyword_absent: "well" }), "down", /^keyword: /],
  ["status-wrong", () => ({ url: `${url}/503` }), "down", /^status: answered 503$/],
  ["status-wanted", () => ({ url: `${url}/503`, status: ["4xx", 503] }), "up", null],
  ["head", () => ({ url: `${url}/ok`, method: "HEAD" }), "up", null],
  ["slow", () => ({ url: `${url}/slow`, max_latency_ms: 300 }), "degraded", /^slow: took longer than 300 ms$/],
  ["hang", () => ({ url: `${url}/hang`, timeout_ms: 500 }), "down", /^timeout: /],
  ["hang-body", () => ({ url: `${url}/hang-body`, keyword: "ends", timeout_ms: 500 }), "down", /^timeout: /],
  ["endless", () => ({ url: `${url}/endless`, keyword: "y" }), "down", /^oversize: /],
  ["endless-unread", () => ({ url: `${url}/endless` }), "up", null],
  ["loop", () => ({ url: `${url}/loop` }), "down", /^redirects: /],
  ["moved", () => ({ url: `${url}/moved`, keyword: "well" }), "up", null],
  ["moved-manual", () => ({ url: `${url}/moved`, redirect: "manual", status: [301] }), "up", null],
  ["reset", () => ({ url: `${url}/reset` }), "down", /^connection: /],
  ["cut", () => ({ url: `${url}/cut`, keyword: "missing" }), "down", /^connection: /],
  ["json", () => ({ url: `${url}/json`, json_path: "$.checks[0].status", json_equals: "ok", header: { "Content-Type": "application/json" } }), "up", null],
  ["json-other", () => ({ url: `${url}/json`, json_path: "/checks/0/age", json_equals: 4 }), "down", /^json: /],
  ["not-json", () => ({ url: `${url}/not-json`, json_path: "$" }), "down", /^json: the answer is not JSON$/],
  ["header-wrong", () => ({ url: `${url}/ok`, header: { "content-type": "json" } }), "down", /^header: /],
  ["gzip", () => ({ url: `${url}/gzip`, keyword: "all is well" }), "up", null],
  ["latin1", () => ({ url: `${url}/latin1`, keyword: "is well" }), "up", null],
  ["secret", () => ({ url: `${url}/secret`, headers: { Authorization: "$NAS" } }), "up", null],
  ["secret-missing", () => ({ url: `${url}/secret`, headers: { Authorization: "$OTHER" } }), "down", /^configuration: the secret CHECKS has nothing for the header authorization$/],
  ["secret-echoed", () => ({ url: `${url}/secret`, headers: { Authorization: "$NAS" }, json_path: "$.you_sent", json_equals: "x" }), "down", /^json: /],
  ["post", () => ({ url: `${url}/post`, method: "POST", body: '{"a":1}', headers: { "Content-Type": "application/json" }, json_path: "$.body", json_equals: '{"a":1}' }), "up", null],
  ["tcp", () => ({ kind: "tcp", address: `127.0.0.1:${ports.banner?.port}`, send: "hello\r\n", expect: "SSH-2.0" }), "up", null],
  ["tcp-open", () => ({ kind: "tcp", address: `127.0.0.1:${ports.silent?.port}` }), "up", null],
  ["tcp-silent", () => ({ kind: "tcp", address: `127.0.0.1:${ports.silent?.port}`, expect: "SSH", timeout_ms: 500 }), "down", /^timeout: /],
  ["tcp-other", () => ({ kind: "tcp", address: `127.0.0.1:${ports.web?.port}`, send: "x", expect: "SSH" }), "down", /^unexpected: /],
  ["tcp-closed", () => ({ kind: "tcp", address: `127.0.0.1:${ports.closed}` }), "down", /^connection: /],
  ["game", () => ({ kind: "minecraft", address: `127.0.0.1:${game.port}` }), "up", null],
  ["game-starting", () => ({ kind: "minecraft", address: `127.0.0.1:${ports.closing?.port}` }), "down", /^closed-before-status: /],
  ["game-web", () => ({ kind: "minecraft", address: `127.0.0.1:${ports.web?.port}` }), "down", /^protocol: it does not answer as a Minecraft server$/],
  ["name", () => ({ kind: "dns", host: "www.example.test", expect: "192.0.2.7" }), "up", null],
  ["name-moved", () => ({ kind: "dns", host: "www.example.test", expect: ["192.0.2.7", "192.0.2.9"] }), "down", /^unexpected: /],
  ["name-gone", () => ({ kind: "dns", host: "gone.example.test" }), "down", /^nxdomain: /],
  ["name-empty", () => ({ kind: "dns", host: "www.example.test", record: "AAAA" }), "down", /^no-records: it has no AAAA record$/],
];

before(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  names = await doh();
  names.answer("A www.example.test", [{ data: "192.0.2.8" }, { data: "192.0.2.7" }]);
  names.answer("AAAA www.example.test", []);
  game = await minecraft();
  ports.banner = await listen(sends(Buffer.from("SSH-2.0-OpenSSH_9.9\r\n")));
  ports.silent = await listen(silent);
  ports.closing = await listen(closesAtOnce);
  ports.web = await listen(sendsAndCloses(HTTP));
  const closed = await closedPort();
  Object.assign(ports, { closed });
  const services = EXPECTED.map(([id, keys]) => ({ id, kind: "http", failures: 1, public: true, ...keys() }));
  running = await Running.start(
    built("ddns"),
    {
      OPS_DB: { type: "d1", id: "ops" },
      CHECKS: { type: "text", value: JSON.stringify({ NAS: `Bearer ${SECRET}` }) },
      DOH_URL: { type: "json", value: names.url },
      hosts: { type: "json", value: [] },
      services: { type: "json", value: services },
    },
    (message) => log.push(message),
  );
  await running.migrate("OPS_DB", "ddns");
  // More than a run may ask: two of them reach all.
  for (let minute = 0; minute < 2; minute += 1) {
    const scheduledTime = new Date(START + minute * 60_000);
    await running.scheduled(scheduledTime);
  }
  const answer = await request(new URL("/api/services", running.url).href);
  assert.equal(answer.status, 200, answer.text);
  const { services: found } = answer.json() as { services: any[] };
  results = Object.fromEntries(found.map((service) => [service.id, service]));
});
after(async () => {
  await running?.stop();
  server.closeAllConnections();
  server.close();
  await names?.close();
  await game?.close();
  for (const port of Object.values(ports)) if (typeof port === "object") await port.close();
});

for (const [id, , state, reason] of EXPECTED) {
  test(`${id} is ${state}`, { timeout: TIMEOUT }, () => {
    const found = results[id];
    assert.equal(found?.state, state, JSON.stringify(found));
    if (reason === null) assert.equal(found.reason, null);
    else assert.match(found.reason, reason);
  });
}

test("no cache on the way may answer", { timeout: TIMEOUT }, () => {
  for (const path of ["/ok", "/moved", "/json"]) assert.equal(askedFor.get(path), "no-cache", path);
});

test("a latency is what the server took", { timeout: TIMEOUT }, () => {
  assert.ok(results["slow"].latency_ms >= 650 && results["slow"].latency_ms < 5000, JSON.stringify(results["slow"]));
  assert.ok(results["ok"].latency_ms >= 0 && results["ok"].latency_ms < 5000);
});

test("bodies that nobody reads are let go of, and so are connections", { timeout: TIMEOUT }, async () => {
  for (let tries = 0; tries < 40 && endless > 0; tries += 1) await sleep(50);
  assert.equal(endless, 0);
});

test("no secret and no address is in an answer, and no secret in the log or D1", { timeout: TIMEOUT }, async () => {
  const shown = JSON.stringify(results);
  assert.ok(!shown.includes(SECRET) && !shown.includes("127.0.0.1") && !shown.includes("/ok"));
  assert.ok(log.some((line) => line.includes("you_sent is")), "operators see more");
  assert.ok(!JSON.stringify(log).includes(SECRET));
  const db = await running.database("OPS_DB");
  const tables = await db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'").all<{ name: string }>();
  assert.ok(tables.results.length > 5);
  for (const { name } of tables.results) {
    const rows = await db.prepare(`SELECT * FROM "${name}"`).all();
    assert.ok(!JSON.stringify(rows.results).includes(SECRET), name);
  }
});

test("the game server is asked as a client's list asks, and DNS for the records", { timeout: TIMEOUT }, () => {
  assert.equal(game.heard[0]?.port, game.port);
  assert.ok(names.asked.includes("AAAA www.example.test"));
});
