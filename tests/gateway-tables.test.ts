// The worked tables of fixtures/gateway/ in the running gateway: each origin of a table is a server on this machine that
// tells what arrives, upgrades, ticks, or is late.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type IncomingMessage, get } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "smol-toml";
import { type Gateway, run } from "./support/gateway.ts";
import { type Answer, type RequestOptions, TIMEOUT } from "./support/harness.ts";
import { type OriginServer, type Seen, originServer } from "./support/origin.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const WebSocket = createRequire(join(ROOT, "node_modules", "wrangler", "package.json"))("ws");

/** One may do everything that a table asks for, one next to nothing. */
const [OPERATOR, READER] = [randomBytes(32).toString("base64url"), randomBytes(32).toString("base64url")];
const entry = (name: string, token: string, scopes: string[]) => ({ name, sha256: createHash("sha256").update(token).digest("hex"), scopes });
const TOKENS = JSON.stringify([entry("operator", OPERATOR, ["ops:write"]), entry("reader", READER, ["ops:read"])]);

/** A request as it arrived, and where. */
type Arrived = Seen & { origin: string };

/** The host without routes of its own, where the gateway's own answers are. */
const EDGE = "edge.example.com";

/** A worked table with its origins on this machine, running. */
class Home {
  readonly #origins = new Map<string, OriginServer>();
  #gateway: Gateway | undefined;
  /** Its routes as they are written. */
  #table: { host?: string; path: string }[] = [];

  static of(name: string, prepare?: (gateway: Gateway) => Promise<unknown>): Home {
    const home = new Home();
    before(async () => {
      const { vars, ratelimits = [] } = parse(readFileSync(join(ROOT, "fixtures", "gateway", `${name}.toml`), "utf8")) as any;
      home.#table = vars.routes;
      for (const route of vars.routes) if (route.origin !== undefined) route.origin = await home.#origin(new URL(route.origin).host);
      const limits = Object.fromEntries(ratelimits.map(({ name, simple }: any) => [name, simple.limit]));
      const secrets = { TOKENS, ACCESS_CLIENT_ID: "id.access", ACCESS_CLIENT_SECRET: "a-secret-value" };
      home.#gateway = await run({ vars, limits, secrets, sites: "new" });
      await prepare?.(home.#gateway);
    });
    after(async () => {
      await home.#gateway?.stop();
      await Promise.all([...home.#origins.values()].map((origin) => origin.close()));
    });
    test("shows operators its table on a host of their own, and nobody else", () => home.#showsItsTable());
    return home;
  }

  async #showsItsTable(): Promise<void> {
    const PATH = "/api/gateway/routes";
    assert.equal((await this.ask(EDGE, PATH)).status, 401);
    const told = await this.ask(EDGE, PATH, { token: READER });
    assert.equal(told.status, 200, told.text);
    assert.deepEqual(told.json().routes.map(({ host, path }: any) => host + path), this.#table.map(({ host = "*", path }) => host + path));
    assert.equal((await this.ask(EDGE, "/metrics")).status, 200);
    for (const host of new Set(this.#table.flatMap(({ host }) => host ?? []))) {
      const answer = await this.ask(host, PATH, { token: READER });
      assert.doesNotMatch(answer.text, /"lookup"|"strip_prefix"/, host);
    }
  }

  /** How long each route waits, by its host and path, as the running gateway has understood it. */
  async timeouts(): Promise<Record<string, number>> {
    const { routes } = (await this.ask(EDGE, "/api/gateway/routes", { token: READER })).json();
    const waits = routes.filter(({ timeout_seconds }: any) => timeout_seconds !== undefined);
    return Object.fromEntries(waits.map(({ host, path, timeout_seconds }: any) => [host + path, timeout_seconds]));
  }

  async #origin(host: string): Promise<string> {
    let origin = this.#origins.get(host);
    if (origin === undefined) this.#origins.set(host, (origin = await originServer()));
    return origin.url;
  }

  get gateway(): Gateway {
    return this.#gateway!;
  }

  ask(host: string, path: string, { headers, ...options }: RequestOptions = {}): Promise<Answer> {
    return this.gateway.request(path, { ...options, headers: { Host: host, ...headers } });
  }

  /** What came to which origin. */
  async arrived(host: string, path: string, options?: RequestOptions): Promise<Arrived> {
    const before = this.#counts();
    const answer = await this.ask(host, path, options);
    assert.equal(answer.status, 200, `${host}${path}: ${answer.text}`);
    return this.#since(before, `${host}${path}`);
  }

  /** Says hello over a WebSocket; gives the answer, and what came to which origin. */
  async webSocket(host: string, path: string): Promise<{ said: string; arrived: Arrived }> {
    const before = this.#counts();
    const socket = new WebSocket(`ws://127.0.0.1:${this.gateway.port}${path}`, { headers: { Host: host } });
    await once(socket, "open");
    socket.send("hello");
    const [said] = await once(socket, "message");
    socket.close();
    return { said: String(said), arrived: this.#since(before, path) };
  }

  /** When each piece of an answer came, in milliseconds after the first. */
  async pieces(host: string, path: string): Promise<number[]> {
    const asked = get(`${this.gateway.url}${path}`, { headers: { Host: host, Accept: "text/event-stream" }, agent: false });
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    const times: number[] = [];
    for await (const _ of answer) times.push(performance.now());
    return times.map((time) => time - times[0]!);
  }

  #counts(): Map<string, number> {
    return new Map([...this.#origins].map(([host, { seen }]) => [host, seen.length]));
  }

  #since(before: Map<string, number>, about: string): Arrived {
    const fresh = [...this.#origins].flatMap(([origin, { seen }]) => seen.slice(before.get(origin)).map((one) => ({ ...one, origin })));
    assert.equal(fresh.length, 1, `${about}: ${fresh.map(({ origin, url }) => origin + url)}`);
    return fresh[0]!;
  }
}

describe("a Proxmox home", { timeout: TIMEOUT }, () => {
  const HOST = "www.example.com";
  const home = Home.of("proxmox-home");

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
    const redirected = await home.ask(HOST, "/proxtube/headers?location=/elsewhere");
    assert.deepEqual([redirected.status, redirected.headers["location"]], [302, "/proxtube/elsewhere"]);
  });

  test("lets nobody but operators knock at /admin/, and tells it nothing of the token", async () => {
    for (const path of ["/admin/", "/admin/users", "/admin/?x=1"]) {
      assert.equal((await home.ask(HOST, path)).status, 401, path);
      assert.equal((await home.ask(HOST, path, { token: READER })).status, 403, path);
    }
    const { origin, url, headers } = await home.arrived(HOST, "/admin/users", { token: OPERATOR, headers: { "CF-Connecting-IP": "192.0.2.1" } });
    assert.deepEqual([origin, url], ["admin.tunnel.example.net", "/users"]);
    assert.equal(headers["authorization"], undefined);
    assert.deepEqual([headers["cf-access-client-id"], headers["cf-access-client-secret"]], ["id.access", "a-secret-value"]);
    assert.equal((await home.arrived(HOST, "/")).headers["cf-access-client-id"], undefined);
  });

  test("is not talked into /admin/ by a confusing path", async () => {
    for (const path of ["//admin/", "/%61dmin/", "/admin%2fusers", "/proxtube/..%2fadmin/", "/proxtube/../admin/", "/./admin/", "/proxtube/%2e%2e/admin/", "/x/..;/admin/", "/admin;x=1/"]) {
      const answer = await home.ask(HOST, path);
      assert.ok([400, 401, 404].includes(answer.status), `${path}: ${answer.status} ${answer.text}`);
    }
    for (const path of ["/Admin/", "/administration"]) assert.equal((await home.arrived(HOST, path)).origin, "portal.tunnel.example.net");
  });

  test("passes WebSockets to a game and to a chat", async () => {
    for (const [path, origin, url] of [
      ["/dischat/socket?room=1", "dischat", "/socket?room=1"],
      ["/threefps/ws", "threefps", "/ws"],
    ] as const) {
      const { said, arrived } = await home.webSocket(HOST, path);
      assert.deepEqual([said, arrived.origin, arrived.url], ["you said hello", `${origin}.tunnel.example.net`, url]);
    }
  });

  test("shows a game in frames of others, and nothing else", async () => {
    const framed = async (path: string) => String((await home.ask(HOST, path)).headers["x-frame-options"]);
    assert.deepEqual([await framed("/threefps/"), await framed("/"), await framed("/proxtube/")], ["undefined", "SAMEORIGIN", "SAMEORIGIN"]);
  });

  test("answers a host that is not in the table with nothing", async () => {
    assert.equal((await home.ask("example.com", "/")).status, 404);
    assert.equal((await home.ask("www.example.com.evil.test", "/")).status, 404);
  });
});

describe("a VPS with two applications", { timeout: TIMEOUT }, () => {
  const HOST = "api.example.com";
  const vps = Home.of("two-apps-vps");

  test("strips their prefixes, and gives the token to the one that asks for it", async () => {
    const token = READER;
    const editor = await vps.arrived(HOST, "/api/editor/documents/7?draft=1", { token, method: "PUT", body: "text" });
    assert.deepEqual([editor.origin, editor.method, editor.url, editor.bytes], ["editor.tunnel.example.net", "PUT", "/documents/7?draft=1", 4]);
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
    assert.deepEqual(await vps.timeouts(), { "api.example.com/api/editor/": 60, "api.example.com/api/voice/": 30 });
    const answer = await vps.ask(HOST, "/api/voice/late?ms=1500", { token: READER });
    assert.deepEqual([answer.status, answer.text], [200, "late"]);
  });
});

describe("a small cluster", { timeout: TIMEOUT }, () => {
  const cluster = Home.of("small-cluster");

  test("has an application a host", async () => {
    for (const [host, origin] of [
      ["ha", "ha"],
      ["grafana", "grafana"],
      ["docs", "paperless"],
      ["s", "shlink"],
      ["registry", "registry"],
      ["cloud", "cloud"],
    ] as const) {
      const arrived = await cluster.arrived(`${host}.example.com`, "/a/b?c=d%2Fe");
      assert.deepEqual([arrived.origin, arrived.url], [`${origin}.cluster.example.net`, "/a/b?c=d%2Fe"]);
    }
    const unknown = await cluster.ask("nas.example.com", "/");
    assert.deepEqual([unknown.status, unknown.text], [404, "unknown host\n"]);
  });

  test("lets its file cloud be mounted, which only the gateway gets at", async () => {
    const path = "/remote.php/dav/files/jane/a%20b/";
    const body = "<d:propfind xmlns:d='DAV:'/>";
    const options = { method: "PROPFIND", body, headers: { Depth: "1", "CF-Access-Client-Id": "forged" } };
    const { origin, method, url, headers, bytes } = await cluster.arrived("cloud.example.com", path, options);
    assert.deepEqual([origin, method, url, bytes], ["cloud.cluster.example.net", "PROPFIND", path, body.length]);
    assert.equal(headers["depth"], "1");
    assert.deepEqual([headers["cf-access-client-id"], headers["cf-access-client-secret"]], ["id.access", "a-secret-value"]);
    const page = await cluster.ask("cloud.example.com", "/");
    assert.equal(page.headers["permissions-policy"], "camera=(self), microphone=(self)");
    assert.equal(page.headers["x-content-type-options"], "nosniff");
    // What Nextcloud says itself stays.
    const own = await cluster.ask("cloud.example.com", "/headers?permissions-policy=camera%3D()&referrer-policy=no-referrer");
    assert.deepEqual([own.headers["permissions-policy"], own.headers["referrer-policy"]], ["camera=()", "no-referrer"]);
  });

  test("waits as long as each of its applications needs", async () => {
    assert.deepEqual(await cluster.timeouts(), {
      "ha.example.com/": 60,
      "grafana.example.com/": 30,
      "docs.example.com/": 180,
      "s.example.com/": 30,
      "registry.example.com/": 600,
      "cloud.example.com/": 300,
    });
  });

  test("passes home automation its WebSocket", async () => {
    const { said, arrived } = await cluster.webSocket("ha.example.com", "/api/websocket");
    assert.deepEqual([said, arrived.origin, arrived.url], ["you said hello", "ha.cluster.example.net", "/api/websocket"]);
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
      assert.deepEqual([arrived.method, arrived.bytes], ["PATCH", layer.length]);
      assert.equal(arrived.sha256, createHash("sha256").update(layer).digest("hex"));
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
    assert.equal((await headers("docs"))["x-frame-options"], "DENY");
  });
});

describe("an application with its API", { timeout: TIMEOUT }, () => {
  const HOST = "app.example.com";
  const app = Home.of("spa-with-api", async (gateway) => {
    const sites = await gateway.sites();
    await sites.put("sites/app/index.html", "<div id=app></div>");
    await sites.put("sites/app/assets/index-DiwrgT3a.js", "1");
  });

  test("shows its page at every address of its own, and its files", async () => {
    for (const path of ["/", "/users/7", "/settings/"]) {
      const page = await app.ask(HOST, path, { headers: { Accept: "text/html" } });
      assert.deepEqual([page.status, page.text], [200, "<div id=app></div>"], path);
      assert.match(String(page.headers["content-security-policy"]), /^default-src 'self'; connect-src .*frame-ancestors 'none'$/);
    }
    const asset = await app.ask(HOST, "/assets/index-DiwrgT3a.js");
    assert.match(asset.headers["cache-control"] ?? "", /immutable/);
    assert.equal((await app.ask(HOST, "/assets/gone.js")).status, 404);
  });

  test("has its API, a WebSocket and an event stream beside it", async () => {
    assert.deepEqual(await app.timeouts(), { [`${HOST}/api`]: 30, [`${HOST}/api/socket.io/`]: 300, [`${HOST}/api/events`]: 300 });
    const users = await app.arrived(HOST, "/api/users?page=2", { method: "POST", body: "{}" });
    assert.deepEqual([users.origin, users.url], ["backend.tunnel.example.net", "/api/users?page=2"]);
    const path = "/api/socket.io/?EIO=4&transport=websocket";
    const { said, arrived } = await app.webSocket(HOST, path);
    assert.deepEqual([said, arrived.url], ["you said hello", path]);
    const times = await app.pieces(HOST, "/api/events/ticks");
    assert.ok(times.length >= 3 && times.at(-1)! > 500, `not as it came: ${times.join(", ")}`);
  });

  test("says over HTTPS, where it is deployed, that it is HTTPS for ever, and leads there", async () => {
    const { vars } = parse(readFileSync(join(ROOT, "fixtures", "gateway", "spa-with-api.toml"), "utf8")) as any;
    const deployed = await run({ vars: { ...vars, LOCAL: false }, sites: "new" });
    try {
      await (await deployed.sites()).put("sites/app/index.html", "page");
      const answer = await deployed.dispatch(`https://${HOST}/`);
      assert.deepEqual([answer.status, await answer.text()], [200, "page"]);
      assert.match(answer.headers.get("strict-transport-security") ?? "", /^max-age=63072000; includeSubDomains/);
      const plain = await deployed.request("/users/7?x=1", { headers: { Host: HOST } });
      assert.deepEqual([plain.status, plain.headers["location"]], [301, `https://${HOST}/users/7?x=1`]);
    } finally {
      await deployed.stop();
    }
  });
});
