// The worked tables of fixtures/gateway/ in the running gateway: each origin is a server on this machine that tells what
// arrives, or upgrades, ticks, or is late.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type IncomingMessage, type Server, createServer, get as httpGet, request as httpRequest } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "smol-toml";
import { type Answer, type R2, type RequestOptions, type System, TIMEOUT, request, start } from "./support/harness.ts";

const FOLDER = fileURLToPath(new URL("../fixtures/gateway", import.meta.url));

/** What an origin got. */
interface Arrived {
  /** The host of the origin in the table. */
  origin: string;
  method: string;
  url: string;
  headers: Record<string, string>;
  length: number;
}

/** The origins of one table by their hosts there; each listens on a port of its own. */
class Origins {
  readonly #servers = new Map<string, Server>();
  readonly #sockets = new Set<Socket>();

  async url(host: string): Promise<string> {
    let server = this.#servers.get(host);
    if (server === undefined) {
      server = createServer((request, response) => void answer(host, request, response));
      server.on("upgrade", echo);
      server.on("connection", (socket) => this.#sockets.add(socket));
      this.#servers.set(host, server.listen(0, "127.0.0.1"));
      await once(server, "listening");
    }
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all([...this.#servers.values()].map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

async function answer(origin: string, request: IncomingMessage, response: import("node:http").ServerResponse): Promise<void> {
  const { method = "", url = "", headers } = request;
  if (url.includes("ticks")) {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (let tick = 0; tick < 3; tick += 1) {
      response.write(`data: ${tick}\n\n`);
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    response.end();
    return;
  }
  let length = 0;
  for await (const chunk of request) length += (chunk as Buffer).length;
  const late = /late=(\d+)/.exec(url);
  if (late !== null) await new Promise((resolve) => setTimeout(resolve, Number(late[1])));
  if (url.includes("redirects")) response.writeHead(302, { location: "/elsewhere" });
  else response.writeHead(200, { "content-type": "application/json", "x-origin": origin });
  response.end(JSON.stringify({ origin, method, url, headers, length }));
}

/** Takes a WebSocket (RFC 6455) and sends back the one short text that it gets, as it is. */
function echo(request: IncomingMessage, socket: Socket): void {
  const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash("sha1").update(key).digest("base64");
  socket.on("error", () => {});
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nX-Arrived: ${request.url}\r\n\r\n`);
  socket.once("data", (frame) => {
    const mask = frame.subarray(2, 6);
    const text = frame.subarray(6).map((byte, index) => byte ^ mask[index % 4]!);
    socket.write(Buffer.concat([Buffer.from([0x81, text.length]), text]));
  });
}

/** A table's variables, with its origins on this machine. */
async function table(name: string, origins: Origins): Promise<any> {
  const { vars } = parse(readFileSync(join(FOLDER, `${name}.toml`), "utf8")) as any;
  for (const route of vars.routes) {
    if (route.origin !== undefined) route.origin = await origins.url(new URL(route.origin).host);
    // The binding is not in the project's own configuration; tests/gateway*.test.ts look at rate limits.
    delete route.rate_limit;
  }
  return { ...vars, LOCAL: true };
}

interface Running {
  system: System;
  ask(host: string, path: string, options?: RequestOptions): Promise<Answer>;
  arrived(host: string, path: string, options?: RequestOptions): Promise<Arrived>;
}

/** One running gateway a table, for the tests of a suite. */
function running(name: string, prepare?: (system: System) => Promise<void>): Running {
  const origins = new Origins();
  const own = {} as Running;
  before(async () => {
    own.system = await start({ gateway: await table(name, origins) });
    await prepare?.(own.system);
  });
  after(async () => {
    await own.system?.close();
    await origins.close();
  });
  own.ask = (host, path, { headers, ...options } = {}) =>
    request(`${own.system.url}${path}`, { ...options, headers: { Host: host, ...headers } });
  own.arrived = async (host, path, options) => {
    const answer = await own.ask(host, path, options);
    assert.equal(answer.status, 200, `${host}${path}: ${answer.text}`);
    return answer.json();
  };
  return own;
}

/** Sends one text over a WebSocket; gives what comes back, and the path that the origin saw. */
async function webSocket(url: string, host: string, path: string): Promise<{ text: string; arrived: string }> {
  const headers = { Host: host, Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==" };
  const outgoing = httpRequest(`${url}${path}`, { headers, agent: false });
  outgoing.end();
  const [answer, socket] = (await Promise.race([
    once(outgoing, "upgrade"),
    once(outgoing, "response").then(([answer]) => assert.fail(`no WebSocket: ${answer.statusCode}`)),
  ])) as [IncomingMessage, Socket];
  const text = Buffer.from("genkan");
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]));
  const [frame] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  return { text: frame.subarray(2).toString(), arrived: String(answer.headers["x-arrived"]) };
}

/** When each piece of an answer came, in milliseconds after the first. */
async function pieces(url: string, host: string, path: string): Promise<number[]> {
  const [answer] = (await once(httpGet(`${url}${path}`, { headers: { Host: host, Accept: "text/event-stream" }, agent: false }), "response")) as [IncomingMessage];
  const times: number[] = [];
  for await (const _ of answer) times.push(performance.now());
  return times.map((time) => time - times[0]!);
}

describe("a Proxmox home", { timeout: TIMEOUT }, () => {
  const HOST = "www.example.com";
  const home = running("proxmox-home");

  test("has its containers below one name, each of which thinks it is at the root", async () => {
    for (const [path, origin, url] of [
      ["/", "portal", "/"],
      ["/favicon.ico", "portal", "/favicon.ico"],
      ["/proxtubex", "portal", "/proxtubex"],
      ["/proxtube/", "proxtube", "/"],
      ["/proxtube/watch?v=1&t=%20", "proxtube", "/watch?v=1&t=%20"],
      ["/threefps/a/b.js", "threefps", "/a/b.js"],
      ["/dischat/", "dischat", "/"],
      ["/cpu-ranking/?sort=score", "cpu-ranking", "/?sort=score"],
    ] as const) {
      const arrived = await home.arrived(HOST, path);
      assert.deepEqual([arrived.origin, arrived.url], [`${origin}.tunnel.example.net`, url], path);
      assert.equal(arrived.headers["x-forwarded-host"], HOST);
      assert.equal(arrived.headers["x-forwarded-proto"], "http");
    }
    assert.equal((await home.arrived("status.example.com", "/admin/")).origin, "uptime.tunnel.example.net");
  });

  test("leads from a container's bare path to its slash, and a container's redirects back below it", async () => {
    const bare = await home.ask(HOST, "/proxtube?v=1");
    assert.deepEqual([bare.status, bare.headers["location"]], [301, "/proxtube/?v=1"]);
    const redirected = await home.ask(HOST, "/proxtube/redirects");
    assert.deepEqual([redirected.status, redirected.headers["location"]], [302, "/proxtube/elsewhere"]);
  });

  test("lets nobody but operators knock at /admin/, and tells it nothing of the token", async () => {
    for (const path of ["/admin/", "/admin/users", "/admin/?x=1"]) {
      assert.equal((await home.ask(HOST, path)).status, 401, path);
      assert.equal((await home.ask(HOST, path, { token: home.system.tokens.opsRead })).status, 403, path);
    }
    const answer = await home.ask(HOST, "/admin/users", { token: home.system.tokens.operator });
    // The two secrets of Access are not set here: the route asks for them, so nothing is sent at all.
    assert.ok([200, 502, 503].includes(answer.status), answer.text);
    if (answer.status === 200) assert.equal(answer.json().headers["authorization"], undefined);
  });

  test("is not talked into /admin/ by a confusing path", async () => {
    for (const path of ["//admin/", "/%61dmin/", "/admin%2fusers", "/proxtube/..%2fadmin/", "/proxtube/../admin/", "/./admin/", "/proxtube/%2e%2e/admin/", "/x/..;/admin/", "/admin;x=1/"]) {
      const answer = await home.ask(HOST, path);
      assert.ok([400, 401, 404].includes(answer.status), `${path}: ${answer.status} ${answer.text}`);
    }
    for (const path of ["/Admin/", "/administration"]) assert.equal((await home.arrived(HOST, path)).origin, "portal.tunnel.example.net");
  });

  test("passes WebSockets to a game and to a chat", async () => {
    assert.deepEqual(await webSocket(home.system.url, HOST, "/dischat/socket?room=1"), { text: "genkan", arrived: "/socket?room=1" });
    assert.deepEqual(await webSocket(home.system.url, HOST, "/threefps/ws"), { text: "genkan", arrived: "/ws" });
  });

  test("shows a game in frames of others, and nothing else", async () => {
    const framed = async (path: string) => (await home.ask(HOST, path)).headers["x-frame-options"];
    assert.equal(await framed("/threefps/"), undefined);
    assert.match((await framed("/")) ?? "", /sameorigin/i);
    assert.match((await framed("/proxtube/")) ?? "", /sameorigin/i);
  });

  test("answers a host that is not in the table with nothing", async () => {
    assert.equal((await home.ask("example.com", "/")).status, 404);
    assert.equal((await home.ask("www.example.com.evil.test", "/")).status, 404);
  });
});

describe("a VPS with two applications", { timeout: TIMEOUT }, () => {
  const HOST = "api.example.com";
  const vps = running("two-apps-vps");

  test("strips their prefixes, and gives the token to the one that asks for it", async () => {
    const { opsRead: token } = vps.system.tokens;
    const editor = await vps.arrived(HOST, "/api/editor/documents/7?draft=1", { token, method: "PUT", body: "text" });
    assert.deepEqual([editor.origin, editor.method, editor.url, editor.length], ["editor.tunnel.example.net", "PUT", "/documents/7?draft=1", 4]);
    assert.equal(editor.headers["authorization"], undefined);
    const voice = await vps.arrived(HOST, "/api/voice/rooms", { token });
    assert.deepEqual([voice.origin, voice.url], ["voice.tunnel.example.net", "/rooms"]);
    assert.equal(voice.headers["authorization"], `Bearer ${token}`);
  });

  test("takes nobody without a token", async () => {
    for (const token of [undefined, "wrong"]) {
      for (const path of ["/api/editor/", "/api/voice/rooms"]) {
        const answer = await vps.ask(HOST, path, token === undefined ? {} : { token });
        assert.equal(answer.status, 401, path);
        assert.match(answer.headers["www-authenticate"] ?? "", /^Bearer/);
      }
    }
  });

  test("answers its health and everything else by itself, as text", async () => {
    const health = await vps.ask(HOST, "/health");
    assert.deepEqual([health.status, health.text, health.headers["content-type"]], [200, "ok\n", "text/plain; charset=utf-8"]);
    for (const path of ["/", "/api", "/api/editors", "/api//editor/x", "/robots.txt"]) {
      const answer = await vps.ask(HOST, path);
      assert.ok(answer.status === 404 || answer.status === 400, `${path}: ${answer.status}`);
      if (answer.status === 404) assert.equal(answer.text, "There is nothing here.\n", path);
    }
  });

  test("waits for an answer that comes within its time", async () => {
    const arrived = await vps.arrived(HOST, "/api/voice/x?late=1500", { token: vps.system.tokens.opsRead });
    assert.equal(arrived.url, "/x?late=1500");
  });
});

describe("a small cluster", { timeout: TIMEOUT }, () => {
  const cluster = running("small-cluster");

  test("has an application a host", async () => {
    for (const [host, origin] of [
      ["ha", "ha"],
      ["grafana", "grafana"],
      ["docs", "paperless"],
      ["s", "shlink"],
      ["registry", "registry"],
    ] as const) {
      const arrived = await cluster.arrived(`${host}.example.com`, "/a/b?c=d%2Fe");
      assert.deepEqual([arrived.origin, arrived.url], [`${origin}.cluster.example.net`, "/a/b?c=d%2Fe"]);
    }
    const unknown = await cluster.ask("nas.example.com", "/");
    assert.deepEqual([unknown.status, unknown.text], [404, "unknown host\n"]);
  });

  test("passes home automation its WebSocket", async () => {
    assert.deepEqual(await webSocket(cluster.system.url, "ha.example.com", "/api/websocket"), { text: "genkan", arrived: "/api/websocket" });
  });

  test("shortens links", async () => {
    for (const [path, status, location] of [
      ["/wiki/Page?x=1", 302, "https://wiki.example.org/Page?x=1"],
      ["/wiki", 302, "https://wiki.example.org/"],
      ["/map", 301, "https://map.example.org/?world=main"],
    ] as const) {
      const answer = await cluster.ask("s.example.com", path);
      assert.deepEqual([answer.status, answer.headers["location"]], [status, location], path);
    }
  });

  test("takes a layer of the registry as a stream, in chunks and with a length", async () => {
    const layer = Buffer.alloc(20_000_000, 7);
    for (const chunked of [false, true]) {
      const arrived = await cluster.arrived("registry.example.com", "/v2/home/app/blobs/uploads/1?digest=sha256:0", { method: "PATCH", body: layer, chunked });
      assert.deepEqual([arrived.method, arrived.length], ["PATCH", layer.length]);
      assert.equal(arrived.url, "/v2/home/app/blobs/uploads/1?digest=sha256:0");
    }
  });

  test("adds its security headers where they are wanted", async () => {
    const headers = async (host: string) => (await cluster.ask(`${host}.example.com`, "/")).headers;
    const registry = await headers("registry");
    for (const name of ["x-content-type-options", "referrer-policy", "permissions-policy", "x-frame-options"]) assert.equal(registry[name], undefined, name);
    const grafana = await headers("grafana");
    assert.equal(grafana["content-security-policy"], "frame-ancestors 'self' https://*.example.com");
    assert.equal(grafana["x-content-type-options"], "nosniff");
    assert.match((await headers("docs"))["x-frame-options"] ?? "", /deny/i);
  });
});

describe("an application with its API", { timeout: TIMEOUT }, () => {
  const HOST = "app.example.com";
  const app = running("spa-with-api", async (system) => {
    const sites = (await system.env("gateway"))["SITES"] as R2;
    await sites.put("sites/app/index.html", "<div id=app></div>");
    await sites.put("sites/app/assets/index-DiwrgT3a.js", "1");
  });

  test("shows its page at every address of its own, and its files", async () => {
    for (const path of ["/", "/users/7", "/settings/"]) {
      const page = await app.ask(HOST, path, { headers: { Accept: "text/html" } });
      assert.deepEqual([page.status, page.text], [200, "<div id=app></div>"], path);
      assert.match(page.headers["content-security-policy"] ?? "", /^default-src 'self'; connect-src/);
      assert.match(page.headers["x-frame-options"] ?? "", /deny/i);
    }
    const asset = await app.ask(HOST, "/assets/index-DiwrgT3a.js");
    assert.match(asset.headers["cache-control"] ?? "", /immutable/);
    assert.equal((await app.ask(HOST, "/assets/gone.js")).status, 404);
  });

  test("has its API, a WebSocket and an event stream beside it", async () => {
    const users = await app.arrived(HOST, "/api/users?page=2", { method: "POST", body: "{}" });
    assert.deepEqual([users.origin, users.url], ["backend.tunnel.example.net", "/api/users?page=2"]);
    const path = "/api/socket.io/?EIO=4&transport=websocket";
    assert.deepEqual(await webSocket(app.system.url, HOST, path), { text: "genkan", arrived: path });
    const times = await pieces(app.system.url, HOST, "/api/events?ticks");
    assert.ok(times.length >= 3 && times.at(-1)! > 200, `not as it came: ${times.join(", ")}`);
  });
});

describe("what is deployed", { timeout: TIMEOUT }, () => {
  test("says that it is HTTPS for ever, and leads there", async () => {
    const origins = new Origins();
    const vars = await table("spa-with-api", origins);
    vars.routes = vars.routes.filter((route: { origin?: string }) => route.origin === undefined);
    const system = await start({ gateway: { ...vars, LOCAL: false } });
    try {
      const sites = (await system.env("gateway"))["SITES"] as R2;
      await sites.put("sites/app/index.html", "page");
      const answer = await system.gateway.fetch("https://app.example.com/");
      assert.deepEqual([answer.status, await answer.text()], [200, "page"]);
      assert.match(answer.headers.get("strict-transport-security") ?? "", /^max-age=63072000; includeSubDomains/);
      const plain = await request(`${system.url}/users/7?x=1`, { headers: { Host: "app.example.com" } });
      assert.deepEqual([plain.status, plain.headers["location"]], [301, "https://app.example.com/users/7?x=1"]);
    } finally {
      await system.close();
    }
  });
});
