// `GET /api/status` over a real server and over one whose port comes and goes.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type System, start } from "./support/harness.ts";
import {
  FAVICON,
  type MinecraftPeer,
  PLAYERS,
  PROTOCOL,
  VERSION,
  minecraft,
} from "./support/minecraft.ts";
import { type Peer, closedPort, closesAtOnce, listen, silent, statusServer } from "./support/tcp.ts";

/** Long enough that a busy machine does not make a server slow. */
const PATIENT = { timeout_ms: 5000, degraded_ms: 10_000 };

const cron = async (system: System) => {
  const { outcome } = await system.status.scheduled({ cron: "* * * * *", scheduledTime: new Date() });
  assert.equal(outcome, "ok");
};

const get = (system: System, path = "/api/status", init?: { method?: string; headers?: Record<string, string> }) =>
  system.status.fetch(`http://status.test${path}`, init);

const read = async (system: System, path = "/api/status"): Promise<any> => {
  const response = await get(system, path);
  assert.equal(response.status, 200);
  return response.json();
};

const seen = async (system: System, path?: string) => {
  await cron(system);
  const { state, reason, online } = await read(system, path);
  return { state, reason, online };
};

const STATUS = {
  description: { text: "Hello", color: "gold", extra: [{ text: "\nworld", bold: true }] },
  players: { max: 20, online: 2, sample: PLAYERS },
  favicon: FAVICON,
};

describe("a real server", () => {
  let server: MinecraftPeer;
  let system: System;
  before(async () => {
    server = await minecraft(STATUS);
    system = await start({
      status: {
        targets: [
          { id: "main", address: "play.example.com:25570", connect: `127.0.0.1:${server.port}`, ...PATIENT },
          { id: "lobby", address: "Lobby.Example.com", connect: `127.0.0.1:${server.port}`, ...PATIENT },
        ],
      },
    });
  });
  after(async () => {
    await system?.close();
    await server?.close();
  });

  test("is online with its players, MOTD, version, icon and latency", async () => {
    const before = Date.now();
    await cron(system);
    const status = await read(system);
    const { retrieved_at, age_seconds, latency_ms, players, version, motd, ...rest } = status;
    const at = Date.parse(retrieved_at);
    assert.match(retrieved_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.ok(at >= before - 1000 && at <= Date.now(), retrieved_at);
    assert.ok(Number.isInteger(age_seconds) && age_seconds >= 0 && age_seconds < 10, age_seconds);
    for (const part of ["connect", "status", "pong"]) {
      const ms = latency_ms[part];
      assert.ok(Number.isInteger(ms) && ms >= 0 && ms < 5000, `${part}: ${ms}`);
    }
    assert.equal(players.online, 2);
    assert.equal(players.max, 20);
    const listed = players.list.map(({ uuid, name_raw, name_clean }: any) => ({ uuid, name_raw, name_clean }));
    assert.deepEqual(
      listed,
      PLAYERS.map(({ id, name }) => ({ uuid: id, name_raw: name, name_clean: name })),
    );
    assert.equal(version.name_raw, VERSION);
    assert.equal(version.name_clean, VERSION);
    assert.equal(version.protocol, PROTOCOL);
    assert.equal(motd.raw, "§6Hello§l\nworld");
    assert.equal(motd.clean, "Hello\nworld");
    assert.deepEqual(rest, {
      target: "main",
      state: "online",
      reason: null,
      online: true,
      host: "play.example.com",
      port: 25570,
      ip_address: null,
      srv_record: null,
      stale: false,
      icon: FAVICON,
      software: null,
      maintenance: { active: false, message: null, starts_at: null, ends_at: null },
      observed: { motd: { clean: "Hello\nworld" } },
    });
  });

  test("is told a current protocol and the address that players type, not the one that is dialled", async () => {
    server.heard.length = 0;
    await cron(system);
    assert.equal(server.heard.length, 2);
    for (const { protocol } of server.heard) assert.ok(protocol >= 770, String(protocol));
    const heard = server.heard.map(({ host, port }) => `${host.toLowerCase()}:${port}`).sort();
    assert.deepEqual(heard, ["lobby.example.com:25565", "play.example.com:25570"]);
  });

  test("is found by its name, and no other is", async () => {
    await cron(system);
    assert.equal((await read(system, "/api/status/main")).target, "main");
    assert.equal((await read(system, "/api/status/lobby")).target, "lobby");
    for (const path of ["/api/status/nobody", "/api/status/main/x", "/api/status/", "/api/status/MAIN"]) {
      const response = await get(system, path);
      assert.equal(response.status, 404, path);
      assert.match(response.headers.get("content-type") ?? "", /^application\/problem\+json/);
      assert.equal(((await response.json()) as any).code, "not-found");
    }
  });

  test("tells its software from the version's name", async () => {
    server.say({ ...STATUS, version: { name: "§cVelocity 3.4.0", protocol: PROTOCOL } });
    await cron(system);
    const { software, version } = await read(system);
    assert.equal(software, "Velocity");
    assert.equal(version.name_raw, "§cVelocity 3.4.0");
    assert.equal(version.name_clean, "Velocity 3.4.0");
    server.say(STATUS);
  });

  test("is not pinged by readers, whatever they ask for", async () => {
    await cron(system);
    const pings = server.heard.length;
    const paths = ["/api/status", "/api/status/main", "/api/status/lobby", "/api/status/nobody", "/api/status?refresh=1"];
    const reads = Array.from({ length: 60 }, (_, n) => get(system, paths[n % paths.length]));
    await Promise.all(reads.map(async (response) => (await response).arrayBuffer()));
    await sleep(200);
    assert.equal(server.heard.length, pings);
  });

  test("that says the same again is not written again, and is when it says something new", async () => {
    await cron(system);
    const { retrieved_at } = await read(system);
    const kept = await (await system.env("status")).STATUS_KV.get("status");
    await sleep(1100);
    await cron(system);
    assert.equal((await read(system)).retrieved_at, retrieved_at);
    assert.equal(await (await system.env("status")).STATUS_KV.get("status"), kept);
    server.say({ ...STATUS, players: { max: 20, online: 0, sample: [] } });
    await cron(system);
    const news = await read(system);
    assert.notEqual(news.retrieved_at, retrieved_at);
    assert.equal(news.players.online, 0);
    assert.deepEqual(news.players.list, []);
    server.say(STATUS);
  });

  test("has an entity tag that time does not change and news does", async () => {
    await cron(system);
    const first = await get(system);
    const tag = first.headers.get("etag") ?? "";
    assert.match(tag, /^(W\/)?"[^"]+"$/);
    assert.equal(first.headers.get("access-control-allow-origin"), "*");
    assert.match(first.headers.get("content-type") ?? "", /^application\/json/);
    await first.arrayBuffer();
    await sleep(1100);
    for (const condition of [tag, `W/${tag}`, `"other", ${tag}`, "*"]) {
      const same = await get(system, "/api/status", { headers: { "If-None-Match": condition } });
      assert.equal(same.status, 304, condition);
      assert.equal(same.headers.get("etag"), tag);
      assert.equal(same.headers.get("access-control-allow-origin"), "*");
      assert.equal(await same.text(), "");
    }
    server.say({ ...STATUS, description: "News" });
    await cron(system);
    const news = await get(system, "/api/status", { headers: { "If-None-Match": tag } });
    assert.equal(news.status, 200);
    assert.notEqual(news.headers.get("etag"), tag);
    assert.equal(((await news.json()) as any).motd.clean, "News");
    server.say(STATUS);
  });

  test("is answered to HEAD as to GET without the body, and to no other method", async () => {
    await cron(system);
    const whole = await get(system);
    await whole.arrayBuffer();
    const head = await get(system, "/api/status", { method: "HEAD" });
    assert.equal(head.status, 200);
    assert.equal(head.headers.get("etag"), whole.headers.get("etag"));
    assert.equal(head.headers.get("access-control-allow-origin"), "*");
    assert.equal(await head.text(), "");
    assert.equal((await get(system, "/api/status/nobody", { method: "HEAD" })).status, 404);
    for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
      const refused = await get(system, "/api/status", { method });
      assert.equal(refused.status, 405, method);
      assert.match(refused.headers.get("allow") ?? "", /GET/);
      assert.equal(((await refused.json()) as any).code, "method-not-allowed");
    }
  });

  test("is unknown for a while when KV holds something else, and known after the next ping", async () => {
    const { STATUS_KV: kv } = await system.env("status");
    await cron(system);
    const good = JSON.parse((await kv.get("status")) ?? "");
    for (const corrupt of ["", "{", "null", "[]", "{}", '"x"', '{"v":2,"targets":{}}', '{"v":1,"targets":[]}', "\u0000"]) {
      await kv.put("status", corrupt);
      for (const path of ["/api/status", "/api/status/lobby"]) {
        const response = await get(system, path);
        assert.equal(response.status, 503, `${JSON.stringify(corrupt)} ${path}`);
        assert.ok(Number(response.headers.get("retry-after")) > 0);
        await response.arrayBuffer();
      }
      await cron(system);
      assert.equal((await read(system)).state, "online", corrupt);
    }
    // One target's part alone: the other one does not suffer.
    const half = { ...good, targets: { ...good.targets, main: { state: 7 } } };
    await kv.put("status", JSON.stringify(half));
    assert.equal((await get(system, "/api/status/main")).status, 503);
    assert.equal((await read(system, "/api/status/lobby")).state, "online");
    await cron(system);
    assert.equal((await read(system, "/api/status/main")).state, "online");
  });

  test("that was seen over five minutes ago is stale, with its values and another tag", async () => {
    const { STATUS_KV: kv } = await system.env("status");
    await cron(system);
    const fresh = await get(system);
    await fresh.arrayBuffer();
    const kept = (await kv.get("status")) ?? "";
    const old = new Date(Date.now() - 400_000).toISOString().replace(/\.\d+Z$/, "Z");
    await kv.put("status", kept.replace(/"retrieved_at":"[^"]+"/g, `"retrieved_at":"${old}"`));
    const response = await get(system);
    const status = (await response.json()) as any;
    assert.equal(status.state, "stale");
    assert.equal(status.stale, true);
    assert.ok(status.age_seconds >= 400 && status.age_seconds < 430, status.age_seconds);
    assert.equal(status.motd.clean, "Hello\nworld");
    assert.notEqual(response.headers.get("etag"), fresh.headers.get("etag"));
    assert.deepEqual(await seen(system), { state: "online", reason: null, online: true });
    assert.equal((await read(system)).stale, false);
  });
});

describe("a port that comes and goes", () => {
  let port: number;
  let system: System;
  before(async () => {
    port = await closedPort();
    system = await start({
      status: { targets: [{ id: "main", address: "localhost", connect: `127.0.0.1:${port}`, ...PATIENT }] },
    });
  });
  after(() => system?.close());

  const values = async () => {
    const { latency_ms, version, players, motd, icon, software } = await read(system);
    return { latency_ms, version, players, motd, icon, software };
  };

  test("is 503 with Retry-After before the first ping", async () => {
    const response = await get(system);
    assert.equal(response.status, 503);
    assert.ok(Number(response.headers.get("retry-after")) > 0);
    assert.match(response.headers.get("content-type") ?? "", /^application\/problem\+json/);
    assert.equal(((await response.json()) as any).code, "unavailable");
  });

  test("is offline at once when it was never open, degraded at first and offline next when it was", async () => {
    assert.deepEqual(await seen(system), { state: "offline", reason: "refused", online: false });
    const nothing = { latency_ms: null, version: null, players: null, motd: null, icon: null, software: null };
    assert.deepEqual(await values(), nothing);

    const online = { state: "online", reason: null, online: true };
    let server = await minecraft(STATUS, port);
    try {
      assert.deepEqual(await seen(system), online);
      const known = await values();
      assert.equal(known.motd.clean, "Hello\nworld");
      await server.close();

      assert.deepEqual(await seen(system), { state: "degraded", reason: "refused", online: false });
      assert.deepEqual(await values(), known);
      for (let n = 0; n < 3; n += 1) {
        assert.deepEqual(await seen(system), { state: "offline", reason: "refused", online: false });
        assert.deepEqual(await values(), known);
      }

      server = await minecraft({ ...STATUS, description: "Back" }, port);
      assert.deepEqual(await seen(system), online);
      assert.equal((await values()).motd.clean, "Back");
      await server.close();
      assert.deepEqual(await seen(system), { state: "degraded", reason: "refused", online: false });
    } finally {
      await server.close();
    }
  });
});

describe("a server that closes before it answers", () => {
  let peer: Peer;
  let system: System;
  before(async () => {
    peer = await listen(statusServer());
    const connect = `127.0.0.1:${peer.port}`;
    system = await start({
      status: {
        targets: [
          { id: "main", address: "localhost", connect, ...PATIENT },
          { id: "slow", address: "localhost", connect, timeout_ms: 5000, degraded_ms: 150 },
        ],
      },
    });
  });
  after(async () => {
    await system?.close();
    await peer?.close();
  });

  test("is starting each time once something is known of it", async () => {
    peer.behave(statusServer());
    assert.equal((await seen(system)).state, "online");
    const { motd } = await read(system);
    peer.behave(closesAtOnce);
    for (let n = 0; n < 3; n += 1) {
      assert.deepEqual(await seen(system), { state: "starting", reason: "closed-before-status", online: false });
      assert.deepEqual((await read(system)).motd, motd);
    }
    peer.behave(statusServer());
    assert.deepEqual(await seen(system), { state: "online", reason: null, online: true });
  });

  test("is starting when nothing is known yet, too", async () => {
    await (await system.env("status")).STATUS_KV.delete("status");
    peer.behave(closesAtOnce);
    assert.deepEqual(await seen(system), { state: "starting", reason: "closed-before-status", online: false });
  });

  test("and one that answers later than degraded_ms is degraded for being slow, and online", async () => {
    peer.behave(statusServer({ delayMs: 400 }));
    assert.deepEqual(await seen(system, "/api/status/slow"), { state: "degraded", reason: "slow", online: true });
    assert.equal((await read(system)).state, "online");
    const { latency_ms } = await read(system, "/api/status/slow");
    assert.ok(latency_ms.status >= 390 && latency_ms.status < 4000, latency_ms.status);
  });
});

test("silent servers end with their time-outs and delay neither each other nor the rest", async () => {
  const peers = await Promise.all([silent, silent, silent].map((behaviour) => listen(behaviour)));
  let reached = 0;
  const alive = await listen((socket) => {
    reached = Date.now();
    statusServer()(socket);
  });
  const quiet = peers.map((peer, n) => ({
    id: `quiet-${n}`,
    address: "localhost",
    connect: `127.0.0.1:${peer.port}`,
    timeout_ms: 1500,
  }));
  const targets = [...quiet, { id: "alive", address: "localhost", connect: `127.0.0.1:${alive.port}`, ...PATIENT }];
  const system = await start({ status: { targets } });
  try {
    const started = Date.now();
    await cron(system);
    const took = Date.now() - started;
    assert.ok(took >= 1450 && took < 2900, `${took} ms`);
    assert.ok(reached - started < 1000, `${reached - started} ms`);
    for (const { id } of quiet) {
      const { state, reason } = await read(system, `/api/status/${id}`);
      assert.deepEqual({ state, reason }, { state: "offline", reason: "timeout" });
    }
    const status = await read(system, "/api/status/alive");
    assert.equal(status.state, "online");
    assert.ok(status.latency_ms.status < 1000, status.latency_ms.status);
  } finally {
    await system.close();
    await Promise.all([...peers, alive].map((peer) => peer.close()));
  }
});
