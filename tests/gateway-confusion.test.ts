// Requests that try to reach a route which their plain form would not reach: by path, by host, and by
// framing that two servers could read in two ways. All of them are written to the socket as they stand.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Gateway, exchange, run } from "./support/gateway.ts";
import { type OriginServer, originServer } from "./support/origin.ts";

let origin: OriginServer;
let gateway: Gateway;
before(async () => {
  origin = await originServer();
  const to = origin.url;
  gateway = await run({
    vars: {
      routes: [
        { host: "home.example.com", path: "/", origin: to, name: "web" },
        { host: "home.example.com", path: "/admin", origin: to, auth: "bearer", name: "admin" },
        { host: "home.example.com", path: "/app/", origin: `${to}/app-only`, strip_prefix: true, name: "app" },
        { host: "home.example.com", path: "/text", respond: "text\n", name: "text" },
        { host: "inside.example.com", path: "/", respond: "inside\n", name: "inside" },
        { host: "*.apps.example.com", path: "/", respond: "apps\n", name: "apps" },
      ],
    },
    secrets: { TOKENS: "[]" },
  });
});
after(async () => {
  await gateway?.stop();
  await origin?.close();
});

/** The statuses of all answers on one connection, and what the origin saw meanwhile. */
async function send(bytes: string) {
  const count = origin.seen.length;
  const received = await exchange(gateway.port, bytes, 250);
  const statuses = [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
  return { statuses, received, seen: origin.seen.slice(count) };
}

const get = (target: string, host = "home.example.com") => send(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);

/** How a server that decodes again and again understands a path. */
function understood(url: string): string {
  let path = url.split("?")[0] ?? "";
  for (let round = 0; round < 4; round += 1) path = path.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  path = path.split(/[?#]/)[0] ?? "";
  const kept: string[] = [];
  for (const segment of path.split(/[/\\]/)) {
    const name = segment.split(";")[0] ?? "";
    if (name === "..") kept.pop();
    else if (name !== "" && name !== ".") kept.push(name);
  }
  return `/${kept.join("/")}`;
}

describe("a path", () => {
  const HIDDEN = [
    "/%61dmin", "/%2561dmin", "/%252561dmin", "//admin", "///admin", "/.//admin", "/x/..//admin", "/;/admin", "/x;/..;/admin", "/admin;", "/admin;/x",
    "/x%2f..%2fadmin", "/x/..%2fadmin", "/x/..%5cadmin", "/%2fadmin", "/%5Cadmin", "/..%2fadmin", "/%2e%2e%2fadmin", "/.%2e/%2fadmin", "/admin%2fx", "/admin%2F",
    "/app/..%2fadmin", "/app/%2e%2e%2fadmin", "/app/..;/admin", "/app/..%00/x", "/app/%252e%252e/x", "/app/%252e%252e%252fx", "/app/..%252f..%252fx", "/app/x/..%2f..%2fx",
    "/app%2fx", "/%61pp/x", "/text%3bx", "/text%3fx", "/text%23", "/admin%3f", "/admin%3F/x", "/admin%23x", "/%61dmin%253fx", "/app/..%3fx", "/text%00", "/x%00", "/x%0d%0aX-Evil:%201",
  ];
  const RESOLVED: [path: string, status: number, name: string][] = [
    ["/x/../admin", 401, "admin"],
    ["/x/%2e%2e/admin", 401, "admin"],
    ["/x/.%2E/./admin", 401, "admin"],
    ["\\admin", 400, ""],
    ["/x\\..\\admin", 401, "admin"],
    ["/admin/../text", 200, "text"],
    ["/app/../text", 200, "text"],
    ["/../../text", 200, "text"],
    ["/text/.", 200, "text"],
    ["/ADMIN", 200, "web"],
    ["/adminx", 200, "web"],
    ["/admin%", 200, "web"],
    ["/text?/../admin", 200, "text"],
    ["/x?/../admin;%2f", 200, "web"],
  ];

  test("that hides another is refused", async () => {
    for (const path of HIDDEN) {
      const { statuses, seen } = await get(path);
      assert.deepEqual([statuses, seen.map(({ url }) => url)], [[400], []], path);
    }
  });

  test("with dots in sight is the path that it resolves to", async () => {
    for (const [path, status, name] of RESOLVED) {
      const { statuses, received, seen } = await get(path);
      if (path.startsWith("\\")) {
        assert.ok(statuses[0] === 400 || statuses[0] === 401, `${path}: ${statuses}`); // the runtime's own word
        continue;
      }
      assert.deepEqual(statuses, [status], `${path}: ${received}`);
      assert.equal(seen.length, name === "web" ? 1 : 0, path);
    }
  });

  test("whatever its spelling, is understood by an origin as a path of its own route", async () => {
    const pieces = ["x", "admin", "app", "text", "..", ".", "%2e%2e", ".%2E", "%252e%252e", "..;", ";a", "", "%61dmin", "ad%6din", "%00", "a%2fb", "..%2f", "admin%3f", "text%23x", "%253f"];
    const slashes = ["/", "/", "/", "//", "\\", "%2f", "%5c", "%252f"];
    let state = 42;
    const pick = <T>(from: T[]): T => {
      state = (state * 1103515245 + 12345) % 2147483648;
      return from[Math.floor((state / 2147483648) * from.length)]!;
    };
    let arrived = 0;
    for (let time = 0; time < 150; time += 1) {
      let path = "/";
      for (let piece = 0; piece < 1 + (time % 4); piece += 1) path += pick(pieces) + pick(slashes);
      const { statuses, seen } = await get(path);
      assert.equal(statuses.length, 1, path);
      assert.ok([200, 301, 400, 401].includes(statuses[0]!), `${path}: ${statuses}`);
      for (const { url } of seen) {
        arrived += 1;
        assert.doesNotMatch(understood(url), /^\/(admin|text)(\/|$)/, `${path} came as ${url}`);
        assert.ok(!url.startsWith("//"), url);
        if (understood(path).startsWith("/app/")) assert.match(understood(url), /^\/app-only(\/|$)/, `${path} came as ${url}`);
      }
    }
    assert.ok(arrived > 10, String(arrived));
  });

  test("that is empty, odd or very long is answered", async () => {
    assert.deepEqual((await get("/")).statuses, [200]);
    assert.deepEqual((await get("/?")).statuses, [200]);
    const long = await get(`/${"a/".repeat(6000)}`);
    assert.ok([200, 400, 414, 431].includes(long.statuses[0]!), long.received.slice(0, 100));
    const endless = await get(`/${"a".repeat(1_000_000)}`);
    assert.ok(endless.statuses.length <= 1 && endless.seen.length === 0);
    for (const target of ["", "*", "x", "?x", "#", "/a b"]) {
      const { statuses, seen } = await send(`GET ${target} HTTP/1.1\r\nHost: home.example.com\r\nConnection: close\r\n\r\n`);
      assert.ok([200, 400, 404].includes(statuses[0]!), `${target}: ${statuses}`);
      for (const { url } of seen) assert.equal(url, "/", target);
    }
  });
});

describe("a host", () => {
  test("is the same in any case, with a port and with a dot at its end", async () => {
    for (const host of ["INSIDE.Example.com", "inside.example.com:80", "inside.example.com:8443", "inside.example.com.", "inside.example.com.:80"]) {
      assert.match((await get("/x", host)).received, /inside\n$/, host);
    }
  });

  test("that is another, or none, reaches nothing", async () => {
    for (const host of [
      "inside.example.com..", ".inside.example.com", "inside.example.com:x", "inside.example.com:99999", "inside.example.com@evil.example.com",
      "evil@inside.example.com", "evil@x.apps.example.com", "x%2eapps.example.com", "x..apps.example.com", "inside.example.com, home.example.com", "inside.example.com home.example.com",
      "inside.example.com\t", "inside%2eexample.com", "inside.example.com#", "[inside.example.com]", "xn--inside.example.com", "apps.example.com", "ｉnside.example.com",
    ]) {
      const { statuses, received, seen } = await get("/x", host);
      if (host.trim() === "inside.example.com") continue; // blanks around a value are not part of it
      assert.ok([400, 404, 500].includes(statuses[0]!), `${host}: ${received}`);
      assert.doesNotMatch(received, /inside\n|apps\n/, host);
      assert.deepEqual(seen, [], host);
    }
  });

  test("given twice, or with a path in it, reaches nothing that it does not name", async () => {
    for (const [first, second] of [["home.example.com", "inside.example.com"], ["inside.example.com", "home.example.com"]]) {
      const { statuses, received, seen } = await send(`GET /x HTTP/1.1\r\nHost: ${first}\r\nHost: ${second}\r\nConnection: close\r\n\r\n`);
      assert.ok([400, 500].includes(statuses[0]!), received);
      assert.deepEqual(seen, []);
    }
    // The same as the path that it makes together with the target: to everybody.
    const { statuses } = await get("/x", "home.example.com/admin");
    assert.deepEqual(statuses, [401]);
  });

  test("of the target in absolute form is not believed over the header", async () => {
    const { received } = await send("GET http://inside.example.com/text HTTP/1.1\r\nHost: home.example.com\r\nConnection: close\r\n\r\n");
    assert.match(received, /text\n$/);
    const { received: other } = await send("GET http://inside.example.com/text HTTP/1.1\r\nHost: nowhere.example.com\r\nConnection: close\r\n\r\n");
    assert.match(other, /^HTTP\/1\.1 404 /);
  });
});

describe("a request within a request", () => {
  const SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: home.example.com\r\n\r\n";

  test("is never seen by an origin", async () => {
    const head = "POST /carrier HTTP/1.1\r\nHost: home.example.com\r\n";
    for (const [about, bytes] of Object.entries({
      "CL.TE": `${head}Content-Length: ${5 + SMUGGLED.length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
      "TE.CL": `${head}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`,
      "two lengths": `${head}Content-Length: 0\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
      "length list": `${head}Content-Length: 0, ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
      "signed length": `${head}Content-Length: +${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
      "TE twice": `${head}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${SMUGGLED}`,
      "TE odd": `${head}Transfer-Encoding: xchunked\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
      "TE tab": `${head}Transfer-Encoding:\tchunked\r\nContent-Length: ${5 + SMUGGLED.length}\r\n\r\n0\r\n\r\n${SMUGGLED}`,
      "TE blank": `${head}Transfer-Encoding : chunked\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
      "obs-fold": `${head}X: 1\r\n Content-Length: 3\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
      "chunk size": `${head}Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n${SMUGGLED}`,
      "header split": `GET /carrier HTTP/1.1\r\nHost: home.example.com\r\nX: 1\rGET /smuggled HTTP/1.1\r\n\r\n`,
      "GET with a body": `GET /carrier HTTP/1.1\r\nHost: home.example.com\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
      "upgrade": `GET /carrier HTTP/1.1\r\nHost: home.example.com\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
    })) {
      const { statuses, seen } = await send(bytes);
      assert.deepEqual(seen.filter(({ url }) => url !== "/carrier"), [], about);
      assert.ok(statuses.length <= 1, `${about}: ${statuses}`);
    }
  });

  test("after a whole one is a request of its own", async () => {
    const pipelined = `GET /one HTTP/1.1\r\nHost: home.example.com\r\n\r\nGET /admin HTTP/1.1\r\nHost: home.example.com\r\n\r\n`;
    const { statuses, seen } = await send(pipelined);
    assert.deepEqual([statuses, seen.map(({ url }) => url)], [[200, 401], ["/one"]]);
  });

  test("with line ends that only some servers take is the same to all", async () => {
    const { statuses, seen } = await send("GET /lines HTTP/1.1\nHost: home.example.com\nX-One: 1\nConnection: close\n\n");
    assert.ok(statuses[0] === 400 || (statuses[0] === 200 && seen[0]?.headers["x-one"] === "1"), String(statuses));
    assert.equal(statuses.length, 1);
  });
});
