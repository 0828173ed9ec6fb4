// The whole, as its users meet it: through the gateway's port alone, from nothing to a running home.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { type System, start } from "./support/harness.ts";
import { type MinecraftPeer, PLAYERS, minecraft } from "./support/minecraft.ts";
import { eventually } from "./support/uploads.ts";

const HOME = "home.example.com";
const PACK = readFileSync(new URL("../fixtures/packs/sample.zip", import.meta.url));
const SHA1 = createHash("sha1").update(PACK).digest("hex");
const cron = { cron: "* * * * *", scheduledTime: new Date() };

let server: MinecraftPeer;
let system: System;
before(async () => {
  server = await minecraft({
    description: { text: "Welcome home", color: "gold" },
    players: { max: 100, online: 2, sample: PLAYERS },
  });
  const target = { id: "main", address: "mc.example.com", connect: `127.0.0.1:${server.port}`, degraded_ms: 10_000 };
  system = await start({
    status: { targets: [target] },
    ddns: { hosts: [{ host: HOME }] },
    pack: { PUBLIC_URL: "https://rp.example.com" },
  });
});
after(async () => {
  await system?.close();
  await server?.close();
});

// In order: each test goes on where the one before it ended.

test("before anything has happened every interface says so, and health answers", async () => {
  assert.equal((await system.request("/api/pack/latest")).status, 404);
  assert.equal((await system.request(`/packs/${SHA1}.zip`)).status, 404);
  assert.equal((await system.request("/api/status")).status, 503);
  const hosts = await system.request("/api/ddns/hosts", { token: system.tokens.opsRead });
  assert.deepEqual([hosts.json().hosts[0].host, hosts.json().hosts[0].ipv4], [HOME, null]);
  assert.equal((await system.request("/health")).text.trimEnd(), "healthy");
  assert.equal((await system.request("/api/health")).json().status, "warn");
});

test("a pack that CI uploads is the latest one, and players get its bytes", async () => {
  const put = { method: "PUT", body: PACK, headers: { "X-Pack-Sha1": SHA1, "Content-Type": "application/zip" } };
  assert.equal((await system.request("/api/packs/main", put)).status, 401);
  assert.equal((await system.request("/api/packs/main", { ...put, token: system.tokens.opsRead })).status, 403);
  const uploaded = await system.request("/api/packs/main", { ...put, token: system.tokens.packWrite });
  assert.equal(uploaded.status, 201, uploaded.text);
  assert.equal(uploaded.json().published, true);

  const latest = (await system.request("/api/pack/latest")).json();
  assert.deepEqual([latest.sha1, latest.size, latest.pack, latest.channel], [SHA1, PACK.length, "main", "stable"]);
  assert.equal(latest.url, `https://rp.example.com/packs/${SHA1}.zip`);

  for (const Host of ["127.0.0.1", "rp.localhost"]) {
    const download = await system.request(new URL(latest.url).pathname, {
      headers: { Host, "User-Agent": "Minecraft Java/1.21.8", "X-Minecraft-Username": "Notch" },
    });
    assert.equal(download.status, 200);
    assert.equal(Number(download.headers["content-length"]), PACK.length);
    assert.equal(download.headers["content-type"], "application/zip");
    assert.equal(download.headers["etag"], `"${SHA1}"`);
    assert.ok(download.body.equals(PACK), "other bytes");
  }

  const again = await system.request("/api/packs/main", { ...put, token: system.tokens.packWrite });
  assert.equal(again.status, 200);
  assert.equal((await system.request("/api/pack/latest")).json().uuid, latest.uuid);
});

test("the server that the cron pinged is online on the website", async () => {
  assert.equal((await system.status.scheduled(cron)).outcome, "ok");
  for (const Host of ["127.0.0.1", "motd.localhost"]) {
    const status = (await system.request("/api/status", { headers: { Host } })).json();
    assert.deepEqual([status.state, status.online, status.reason], ["online", true, null]);
    assert.equal(status.motd.clean, "Welcome home");
    assert.deepEqual([status.players.online, status.players.max], [2, 100]);
    assert.deepEqual([status.host, status.port], ["mc.example.com", 25565]);
  }
  assert.equal(server.heard.length, 1);
});

test("the home's new address is good, the same one nochg, and operators see both", async () => {
  const headers = { Authorization: `Basic ${Buffer.from(`home:${system.tokens.ddnsHome}`).toString("base64")}` };
  const said = [];
  for (const myip of ["8.8.8.8", "8.8.8.8"]) {
    const answer = await system.request(`/nic/update?hostname=${HOME}&myip=${myip}`, { headers });
    said.push([answer.status, answer.text.trimEnd()]);
  }
  assert.deepEqual(said, [[200, "good 8.8.8.8"], [200, "nochg 8.8.8.8"]]);
  const { hosts } = (await system.request("/api/ddns/hosts", { token: system.tokens.opsRead })).json();
  assert.equal(hosts[0].ipv4, "8.8.8.8");
  const { entries } = (await system.request("/api/ddns/log", { token: system.tokens.opsRead })).json();
  assert.deepEqual(entries.map(({ decision, token }: any) => [decision, token]), [["nochg", "ddnsHome"], ["good", "ddnsHome"]]);
});

test("health passes once every cron has run", async () => {
  assert.equal((await system.pack.scheduled(cron)).outcome, "ok");
  assert.equal((await system.ddns.scheduled(cron)).outcome, "ok");
  assert.equal((await system.request("/health")).text.trimEnd(), "healthy");
  // What a worker says of itself is kept for some seconds.
  const passes = async () => (await system.request("/api/health")).json().status === "pass";
  await eventually("a health that passes", passes, 15_000);
  assert.equal((await system.request("/api/health?format=simple")).json().status, "ok");
});

test("the server going down takes nothing else with it", async () => {
  await server.close();
  await system.status.scheduled(cron);
  await system.status.scheduled(cron);
  const status = (await system.request("/api/status")).json();
  assert.deepEqual([status.state, status.reason, status.motd.clean], ["offline", "refused", "Welcome home"]);
  assert.equal((await system.request(`/packs/${SHA1}.zip`)).status, 200);
  assert.equal((await system.request("/api/health")).json().status, "pass");
});

test("nothing but the status asked for too early was an error in the log, and no token is in it", () => {
  const log = system.logs();
  const errors = log.filter(({ level }) => level === "error").map(({ message }) => JSON.parse(message));
  const told = errors.map(({ worker, route, status }) => `${worker}: ${route} ${status}`);
  assert.deepEqual(told.sort(), ["gateway: */api/status 503", "status: GET /api/status 503"]);
  const text = JSON.stringify(log);
  for (const [name, token] of Object.entries(system.tokens)) assert.ok(!text.includes(token), name);
});
