// The status in the shapes of mcstatus.io's v2 and mcsrvstat.us' v3, and the favicon, over a real
// server that is up, that says odd things, and that is gone.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { inflateSync } from "node:zlib";
import { type System, start } from "./support/harness.ts";
import { FAVICON, type MinecraftPeer, PLAYERS, PROTOCOL, VERSION, minecraft } from "./support/minecraft.ts";
import { mismatches, schema, shapeOf } from "./support/shapes.ts";
import { closedPort } from "./support/tcp.ts";

const V2 = schema("mcstatus-v2.json");
const V3 = schema("mcsrvstat-v3.json");
const PATIENT = { timeout_ms: 5000, degraded_ms: 10_000 };

const STATUS = {
  description: { text: "Hello <b>", color: "gold", extra: [{ text: "\nworld", bold: true }] },
  players: { max: 20, online: 2, sample: [...PLAYERS, { name: "§aVote!", id: "00000000-0000-0000-0000-000000000000" }] },
  favicon: FAVICON,
};

const cron = async (system: System) => {
  const { outcome } = await system.status.scheduled({ cron: "* * * * *", scheduledTime: new Date() });
  assert.equal(outcome, "ok");
};

const get = (system: System, path: string, init?: { method?: string; headers?: Record<string, string> }) =>
  system.status.fetch(`http://status.test${path}`, init);

const read = async (system: System, path: string): Promise<any> => {
  const response = await get(system, path);
  assert.equal(response.status, 200, path);
  return response.json();
};

const fits = (body: unknown, schema: any) => assert.deepEqual(mismatches(body, schema), []);

/** All public paths of a target whose address is the named one. */
const paths = (id: string, address: string) => [
  `/api/status/${id}`,
  `/v2/status/java/${address}`,
  `/3/${address}`,
  `/icon/${id}`,
  `/badge/status/${id}.svg`,
  `/api/history/${id}`,
];

test("a schema tells a wrong type, a missing key and one too many", () => {
  const good = {
    online: false, host: "a", port: 1, ip_address: null, eula_blocked: false, retrieved_at: 1, expires_at: 1, srv_record: null,
  };
  const offline = V2["offline"]!;
  assert.deepEqual(mismatches(good, offline), []);
  assert.deepEqual(mismatches({ ...good, port: "1" }, offline), ["port: string is not integer"]);
  assert.deepEqual(mismatches({ ...good, retrieved_at: 1.5 }, offline), ["retrieved_at: number is not integer"]);
  assert.deepEqual(mismatches({ ...good, srv_record: { host: "b" } }, offline), ["srv_record.port: is missing"]);
  assert.deepEqual(mismatches({ ...good, motd: null }, offline), ["(the whole): has motd, which is not there"]);
  const { srv_record: _, ...short } = good;
  assert.deepEqual(mismatches(short, offline), ["srv_record: is missing"]);
  const lines = { raw: ["a", null], clean: [], html: [] };
  assert.deepEqual(mismatches(lines, (V3["online"] as any).motd), ["raw[1]: null is not string"]);
});

describe("a server that is up", () => {
  let server: MinecraftPeer;
  let system: System;
  before(async () => {
    server = await minecraft(STATUS);
    const connect = `127.0.0.1:${server.port}`;
    system = await start({
      status: {
        targets: [
          { id: "main", address: "Play.Example.com", connect, ...PATIENT },
          { id: "other", address: "play.example.com:25570", connect, ...PATIENT },
          { id: "secret", address: "secret.example.com", connect, privacy: true, ...PATIENT },
          { id: "gone", address: "127.0.0.1:25999", connect: `127.0.0.1:${await closedPort()}`, ...PATIENT },
        ],
      },
    });
    await cron(system);
  });
  after(async () => {
    await system?.close();
    await server?.close();
  });

  test("has those shapes in openapi.json, too", async () => {
    const { paths, components } = await read(system, "/openapi.json");
    for (const [path, { online, offline }] of [["/v2/status/java/{address}", V2], ["/3/{address}", V3]] as const) {
      const { $ref } = paths[path].get.responses["200"].content["application/json"].schema;
      const said = components.schemas[$ref.split("/").at(-1)];
      assert.deepEqual(shapeOf(said), [online, offline], path);
      assert.deepEqual(said.oneOf.map((one: any) => one.properties.online.const), [true, false], path);
    }
  });

  test("has mcstatus.io's shape", async () => {
    const before = Date.now();
    const body = await read(system, "/v2/status/java/play.example.com");
    fits(body, V2["online"]);
    const { retrieved_at, expires_at, ...rest } = body;
    assert.ok(retrieved_at > before - 60_000 && retrieved_at <= Date.now(), retrieved_at);
    assert.equal(retrieved_at % 1000, 0);
    assert.ok(expires_at > before && expires_at <= retrieved_at + 60_000, expires_at);
    assert.deepEqual(rest, {
      online: true,
      host: "play.example.com",
      port: 25565,
      ip_address: null,
      eula_blocked: false,
      srv_record: null,
      version: { name_raw: VERSION, name_clean: VERSION, name_html: VERSION, protocol: PROTOCOL },
      players: {
        online: 2,
        max: 20,
        list: [
          ...PLAYERS.map(({ id, name }) => ({ uuid: id, name_raw: name, name_clean: name, name_html: name })),
          {
            uuid: "00000000-0000-0000-0000-000000000000",
            name_raw: "§aVote!",
            name_clean: "Vote!",
            name_html: '<span style="color:#55ff55">Vote!</span>',
          },
        ],
      },
      motd: {
        raw: "§6Hello <b>§l\nworld",
        clean: "Hello <b>\nworld",
        html: '<span style="color:#ffaa00">Hello &lt;b&gt;</span><span style="color:#ffaa00;font-weight:bold"><br>world</span>',
      },
      icon: FAVICON,
      mods: [],
      software: null,
      plugins: [],
    });
  });

  test("has mcsrvstat.us' shape", async () => {
    const body = await read(system, "/3/play.example.com");
    fits(body, V3["online"]);
    const { debug, ...rest } = body;
    const { cachetime, cacheexpire, ...flags } = debug;
    assert.ok(Math.abs(cachetime - Date.now() / 1000) < 60, cachetime);
    assert.ok(cacheexpire > cachetime && cacheexpire <= cachetime + 61, cacheexpire);
    assert.deepEqual(flags, {
      ping: true, query: false, bedrock: false, srv: false, querymismatch: false, ipinsrv: false, cnameinsrv: false,
      animatedmotd: false, cachehit: true, apiversion: 3,
    });
    assert.deepEqual(rest, {
      online: true,
      ip: "",
      port: 25565,
      hostname: "play.example.com",
      version: VERSION,
      protocol: { version: PROTOCOL, name: VERSION },
      icon: FAVICON,
      eula_blocked: false,
      motd: {
        raw: ["§6Hello <b>", "§6§lworld"],
        clean: ["Hello <b>", "world"],
        html: [
          '<span style="color:#ffaa00">Hello &lt;b&gt;</span>',
          '<span style="color:#ffaa00;font-weight:bold">world</span>',
        ],
      },
      players: { online: 2, max: 20, list: PLAYERS.map(({ id, name }) => ({ name, uuid: id })) },
      info: { raw: ["§aVote!"], clean: ["Vote!"], html: ['<span style="color:#55ff55">Vote!</span>'] },
    });
  });

  test("is found by its address in any case, with and without port, and no other address is", async () => {
    for (const prefix of ["/v2/status/java", "/3"]) {
      const port = async (address: string) => (await read(system, `${prefix}/${address}`)).port;
      for (const address of ["play.example.com", "PLAY.example.COM", "play.example.com:25565", "play.example.com%3A25565", "Play.Example.com."]) {
        assert.equal(await port(address), 25565, address);
      }
      assert.equal(await port("play.example.com:25570"), 25570);
      const others = [
        "example.com", "play.example.com:25571", "play.example.com:0", "play.example.com:99999", "play.example.com:", "main",
        "127.0.0.1", "localhost", "a".repeat(5000), "%00", "..%2f", "play.example.com/x", "", "%F0%9F%92%A9", "<script>",
      ];
      server.heard.length = 0;
      for (const address of others) {
        const response = await get(system, `${prefix}/${address}`);
        assert.equal(response.status, 404, address);
        assert.equal(((await response.json()) as any).code, "not-found");
      }
      assert.equal(server.heard.length, 0);
    }
  });

  test("that is gone has the shapes of an offline server", async () => {
    const v2 = await read(system, "/v2/status/java/127.0.0.1:25999");
    fits(v2, V2["offline"]);
    assert.deepEqual([v2.online, v2.host, v2.port], [false, "127.0.0.1", 25999]);
    const v3 = await read(system, "/3/127.0.0.1:25999");
    fits(v3, V3["offline"]);
    assert.deepEqual([v3.online, v3.ip, v3.port, v3.debug.ping], [false, "127.0.0.1", 25999, false]);
    assert.ok(!("hostname" in v3));
    assert.match(v3.debug.error.ping, /connect/);
  });

  test("keeps who plays to itself where it is told to", async () => {
    const history = await get(system, "/api/history/secret");
    assert.equal(history.status, 200, await history.text());
    for (const path of [...paths("secret", "secret.example.com"), "/metrics"]) {
      const text = await (await get(system, path)).text();
      for (const { id, name } of PLAYERS) {
        assert.ok(!text.includes(name) && !text.includes(id) && !text.includes(id.replaceAll("-", "")), `${path}: ${text}`);
      }
    }
    const v2 = await read(system, "/v2/status/java/secret.example.com");
    fits(v2, V2["online"]);
    assert.deepEqual(v2.players, { online: 2, max: 20, list: [] });
    const v3 = await read(system, "/3/secret.example.com");
    fits(v3, V3["online"]);
    assert.deepEqual(v3.players, { online: 2, max: 20 });
    assert.ok(!("info" in v3));
    assert.deepEqual((await read(system, "/api/status/secret")).players, { online: 2, max: 20, list: [] });
  });

  test("that says odd things has the shapes all the same", async () => {
    const odd: Record<string, unknown>[] = [
      { version: { name: "§cVelocity 3.4.0", protocol: -1 }, description: "", favicon: undefined },
      { version: null, players: null, description: null, favicon: null },
      { players: { max: null, online: -5, sample: "none" }, description: ["a", { text: "b\n\n\nc" }], favicon: "data:image/gif;base64,AAAA" },
      { players: { max: 0, online: 2 ** 31, sample: [{ name: "x" }, { id: "y" }, 7] }, description: { text: "<script>alert(1)</script>\ud800" } },
    ];
    for (const status of odd) {
      server.say(status);
      await cron(system);
      fits(await read(system, "/v2/status/java/play.example.com"), V2["online"]);
      fits(await read(system, "/3/play.example.com"), V3["online"]);
      const text = await (await get(system, "/3/play.example.com")).text();
      assert.ok(!JSON.stringify(JSON.parse(text).motd?.html ?? "").includes("<script>"), text);
    }
    server.say(STATUS);
    await cron(system);
  });

  test("has public answers with a tag that time does not change, for GET and HEAD alone", async () => {
    const all = [...paths("main", "play.example.com"), "/api/status", "/icon"];
    const first = new Map<string, string>();
    for (const path of all) {
      const whole = await get(system, path);
      assert.equal(whole.status, 200, path);
      assert.equal(whole.headers.get("access-control-allow-origin"), "*", path);
      assert.equal(whole.headers.get("x-content-type-options"), "nosniff", path);
      const tag = whole.headers.get("etag") ?? "";
      assert.match(tag, /^"[^"]+"$/, path);
      first.set(path, tag);
      await whole.arrayBuffer();
    }
    // Different bodies have different tags, so that a cache that confuses them is told.
    const distinct = new Set(all.filter((path) => path !== "/api/status" && path !== "/icon").map((path) => first.get(path)));
    assert.equal(distinct.size, 6);
    await sleep(1100);
    for (const path of all) {
      const tag = first.get(path)!;
      const same = await get(system, path, { headers: { "If-None-Match": tag } });
      assert.equal(same.status, 304, path);
      assert.equal(same.headers.get("etag"), tag, path);
      assert.equal(await same.text(), "");
      const head = await get(system, path, { method: "HEAD" });
      assert.deepEqual([head.status, head.headers.get("etag"), await head.text()], [200, tag, ""], path);
      for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
        const refused = await get(system, path, { method });
        assert.equal(refused.status, 405, `${method} ${path}`);
        assert.match(refused.headers.get("allow") ?? "", /GET/);
        await refused.arrayBuffer();
      }
      const preflight = await get(system, path, {
        method: "OPTIONS",
        headers: { Origin: "https://example.com", "Access-Control-Request-Method": "GET" },
      });
      assert.equal(preflight.status, 204, path);
    }
    server.say({ ...STATUS, description: "News" });
    await cron(system);
    for (const path of ["/api/status/main", "/v2/status/java/play.example.com", "/3/play.example.com"]) {
      assert.equal((await get(system, path, { headers: { "If-None-Match": first.get(path)! } })).status, 200, path);
    }
    server.say(STATUS);
    await cron(system);
  });

  test("shows its favicon as a PNG, and the default one when it has none that is whole", async () => {
    const png = Buffer.from(FAVICON.slice(FAVICON.indexOf(",") + 1), "base64");
    for (const path of ["/icon", "/icon/main"]) {
      const response = await get(system, path);
      assert.equal(response.headers.get("content-type"), "image/png");
      assert.equal(response.headers.get("cache-control"), "public, max-age=300");
      assert.deepEqual(Buffer.from(await response.arrayBuffer()), png);
    }
    const icon = async (favicon: unknown) => {
      server.say({ ...STATUS, favicon });
      await cron(system);
      const response = await get(system, "/icon/main");
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("content-type"), "image/png");
      return Buffer.from(await response.arrayBuffer());
    };
    const made = await icon(undefined);
    assertPng(made);
    assert.notDeepEqual(made, png);
    const uri = (bytes: Buffer) => `data:image/png;base64,${bytes.toString("base64")}`;
    for (const favicon of ["", 7, "https://example.com/i.png", uri(Buffer.from("<svg onload=alert(1)>")), uri(png.subarray(0, -4))]) {
      assert.deepEqual(await icon(favicon), made, JSON.stringify(favicon));
    }
    assert.deepEqual(await icon(FAVICON), png);
    // What comes behind the image is no part of it, here and in the status.
    assert.deepEqual(await icon(uri(Buffer.concat([png, Buffer.from("<script>")]))), png);
    assert.equal(((await (await get(system, "/api/status/main")).json()) as any).icon, FAVICON);
    assert.deepEqual(Buffer.from(await (await get(system, "/icon/gone")).arrayBuffer()), made);
    assert.equal((await get(system, "/icon/nobody")).status, 404);
    server.say(STATUS);
    await cron(system);
  });

  test("is reached through the gateway", async () => {
    for (const path of paths("main", "play.example.com")) {
      const direct = await get(system, path);
      const { status, headers, body } = await system.request(path);
      assert.equal(status, 200, path);
      assert.equal(headers["etag"], direct.headers.get("etag"), path);
      if (!path.startsWith("/api/status") && !path.startsWith("/v2") && !path.startsWith("/3")) {
        const sha1 = (bytes: Buffer) => createHash("sha1").update(bytes).digest("hex");
        assert.equal(sha1(body), sha1(Buffer.from(await direct.arrayBuffer())), path);
      } else {
        await direct.arrayBuffer();
      }
    }
  });
});

test("before the first ping shapes are 503, the icon is the default and the badge says unknown", async () => {
  const system = await start({ status: { targets: [{ id: "main", address: "play.example.com", connect: "127.0.0.1:1" }] } });
  try {
    for (const path of ["/api/status", "/v2/status/java/play.example.com", "/3/play.example.com"]) {
      const response = await get(system, path);
      assert.equal(response.status, 503, path);
      assert.ok(Number(response.headers.get("retry-after")) > 0);
      assert.equal(((await response.json()) as any).code, "unavailable");
    }
    assertPng(Buffer.from(await (await get(system, "/icon")).arrayBuffer()));
    assert.match(await (await get(system, "/badge/status/main.svg")).text(), />unknown</);
  } finally {
    await system.close();
  }
});

test("readers get what was read of KV for some seconds, with its true age, and the cron's news at once", async () => {
  const server = await minecraft(STATUS);
  const targets = [{ id: "main", address: "play.example.com", connect: `127.0.0.1:${server.port}`, ...PATIENT }];
  const system = await start({ status: { targets, CACHE_SECONDS: 12 } });
  try {
    const { STATUS_KV: kv } = await system.env("status");
    await cron(system);
    const first = await read(system, "/api/status");
    assert.equal((await read(system, "/api/control")).icon, null);
    // Somebody else wrote: this instance does not see it until its copy is too old.
    const kept = (await kv.get("status")) ?? "";
    await kv.put("status", kept.replaceAll("Hello", "Other"));
    await kv.put("control", JSON.stringify({ icon: FAVICON }));
    await sleep(1100);
    assert.equal((await read(system, "/api/control")).icon, null);
    for (const body of await Promise.all(Array.from({ length: 20 }, () => read(system, "/api/status")))) {
      assert.equal(body.motd.clean, first.motd.clean);
      assert.ok(body.age_seconds >= first.age_seconds + 1, `${body.age_seconds}`);
    }
    const until = Date.now() + 30_000;
    let late = first;
    while (late.motd.clean === first.motd.clean && Date.now() < until) {
      await sleep(500);
      late = await read(system, "/api/status");
    }
    assert.match(late.motd.clean, /^Other/);
    await sleep(500);
    assert.equal((await read(system, "/api/control")).icon, FAVICON);
    // The cron of this very instance drops the copy.
    server.say({ ...STATUS, description: "News" });
    await cron(system);
    assert.equal((await read(system, "/api/status")).motd.clean, "News");
    assert.equal((await read(system, "/3/play.example.com")).motd.clean[0], "News");
  } finally {
    await system.close();
    await server.close();
  }
});

/** Reads the chunks, and the pixels as far as there must be enough of them. */
function assertPng(png: Buffer): void {
  assert.equal(png.subarray(0, 8).toString("latin1"), "\x89PNG\r\n\x1a\n");
  const data: Buffer[] = [];
  let offset = 8;
  let last = "";
  while (offset < png.length) {
    const length = png.readUInt32BE(offset);
    last = png.toString("latin1", offset + 4, offset + 8);
    if (last === "IHDR") assert.deepEqual([png.readUInt32BE(offset + 8), png.readUInt32BE(offset + 12)], [64, 64]);
    if (last === "IDAT") data.push(png.subarray(offset + 8, offset + 8 + length));
    offset += 12 + length;
  }
  assert.equal(last, "IEND");
  assert.equal(offset, png.length);
  assert.ok(inflateSync(Buffer.concat(data)).length >= 64);
}
