// The front door: which worker gets a request, and that nothing from outside talks it into another.

import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, type OutgoingHttpHeaders, request as httpRequest } from "node:http";
import { after, before, describe, test } from "node:test";
import { type System, start } from "./support/harness.ts";
import { type Peer, listen, statusServer } from "./support/tcp.ts";

const HOME = "home.example.com";

let system: System;
let peer: Peer;
before(async () => {
  peer = await listen(statusServer());
  system = await start({
    status: { targets: [{ id: "main", address: "mc.example.com", connect: `127.0.0.1:${peer.port}` }] },
    ddns: { hosts: [{ host: HOME }] },
    pack: { PUBLIC_URL: "https://rp.example.com" },
  });
  await system.status.scheduled({ cron: "* * * * *", scheduledTime: new Date() });
});
after(async () => {
  await system?.close();
  await peer?.close();
});

/** The path goes out as it is written: nothing resolves its dots. */
async function raw(path: string, headers: OutgoingHttpHeaders = {}, method = "GET") {
  const { hostname, port } = new URL(system.url);
  const outgoing = httpRequest({ hostname, port, path, method, headers, agent: false });
  outgoing.end();
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  let text = "";
  for await (const chunk of incoming.setEncoding("utf8")) text += chunk;
  return { status: incoming.statusCode, headers: incoming.headers, text };
}

const basic = () => `Basic ${Buffer.from(`home:${system.tokens.ddnsUpdate}`).toString("base64")}`;

const isNotFound = (answer: Awaited<ReturnType<typeof raw>>, about: string) => {
  assert.equal(answer.status, 404, about);
  assert.match(answer.headers["content-type"] ?? "", /^application\/problem\+json/, about);
  assert.equal(JSON.parse(answer.text).code, "not-found", about);
};

describe("a path", () => {
  test("leads to its worker on every host that has no routes of its own", async () => {
    for (const host of [undefined, "localhost", "example.com", "mc.example.com:8443", "xrp.localhost"]) {
      const headers = host === undefined ? {} : { Host: host };
      assert.equal(JSON.parse((await raw("/api/status", headers)).text).target, "main");
      assert.equal((await raw("/health", headers)).text.trimEnd(), "healthy");
      assert.match((await raw("/api/health", headers)).headers["content-type"] ?? "", /^application\/health\+json/);
      assert.equal((await raw("/api/packs", headers)).status, 200);
      assert.match((await raw(`/packs/${"0".repeat(40)}.zip`, headers)).headers["content-type"] ?? "", /^text\/plain/);
      assert.equal((await raw("/nic/update", headers)).text.trimEnd(), "badauth");
      assert.equal((await raw("/v3/update", headers)).status, 401);
      assert.equal((await raw("/api/ddns/hosts", headers)).status, 401);
    }
  });

  test("that no route is for is a problem that names none of the others", async () => {
    for (const path of ["/", "/nothing", "/ipx", "/ip2", "/api", "/api/", "/api/packet", "/api/statusx", "/nic", "/nic/updates", "/packsx", "/healthz", "/.env", "/favicon.ico"]) {
      const answer = await raw(path);
      isNotFound(answer, path);
      const { status, ...words } = JSON.parse(answer.text);
      assert.equal(status, 404);
      const names = /nic|pack|ip\b|status|health|v3|ddns|motd|rp\.|localhost|binding|genkan/i;
      assert.doesNotMatch(Object.values(words).join(" "), names, path);
      assert.equal((await raw(path, {}, "POST")).status, 404);
      const head = await raw(path, {}, "HEAD");
      assert.deepEqual([head.status, head.text], [404, ""]);
    }
  });

  test("is not confused by case, doubled slashes, dots or escapes", async () => {
    const canonical = new Map<string, string>();
    for (const path of ["/ip", "/api/status", "/health"]) canonical.set(path, (await raw(path)).text);
    const confusing: [path: string, means: string | null][] = [
      ["/api/packs/../status", "/api/status"],
      ["/api/packs/%2e%2e/status", "/api/status"],
      ["/api/packs/%2E./status", "/api/status"],
      ["/./ip", "/ip"],
      ["/packs/../../../ip", "/ip"],
      ["//ip", null],
      ["//", null],
      ["///health", null],
      ["//example.com/ip", null],
      ["/api//status", null],
      ["/IP", null],
      ["/%69p", null],
      ["/ip%2f", null],
      ["/api%2fstatus", null],
      ["/api/packs%2f..%2fstatus", null],
      ["/health%00", null],
      ["/health;x=1", null],
    ];
    for (const [path, means] of confusing) {
      const answer = await raw(path);
      // Whoever resolves dots may; then it is that path to everybody.
      const same = means !== null && answer.status === 200;
      if (same) assert.equal(stable(answer.text), stable(canonical.get(means) ?? ""), path);
      else isNotFound(answer, path);
    }
  });

  test("to an operator's route stays one however it is written", async () => {
    for (const path of ["/api/ddns/log", "/ip/../api/ddns/log", "/api/status/%2e%2e/ddns/log", "/api/ddns/./log", "/api/ddns//log", "//api/ddns/log", "/api/ddns/log/", "/api/ddns/log%00"]) {
      const { status = 0, text } = await raw(path);
      assert.ok([401, 404].includes(status), `${path}: ${status}`);
      assert.doesNotMatch(text, /entries/);
    }
  });
});

/** Without what only tells the time. */
const stable = (text: string) => text.replace(/"age_seconds":\d+/, "");

describe("a host", () => {
  test("of its own leads to its worker whatever the path, in any case and with any port", async () => {
    for (const host of ["motd.localhost", "MOTD.localhost", "motd.localhost:8787"]) {
      assert.equal(JSON.parse((await raw("/api/status", { Host: host })).text).target, "main");
    }
    const ddns = { Host: "ddns.localhost" };
    assert.equal((await raw("/health", ddns)).text.trimEnd(), "healthy");
    assert.equal((await raw("/nic/update", ddns)).text.trimEnd(), "badauth");
    assert.equal((await raw("/api/packs", { Host: "rp.localhost" })).status, 200);
  });

  test("of its own does not see the paths of the others", async () => {
    for (const [host, paths] of Object.entries({
      "motd.localhost": ["/ip", "/nic/update", "/api/packs", "/api/ddns/hosts"],
      "rp.localhost": ["/ip", "/api/status", "/nic/update", "/api/ddns/log"],
      "ddns.localhost": ["/api/status", "/api/packs", "/api/pack/latest"],
    })) {
      for (const path of paths) isNotFound(await raw(path, { Host: host }), `${host}${path}`);
    }
  });

  test("of any name is well, whatever its routes", async () => {
    for (const host of ["motd.localhost", "rp.localhost", "ddns.localhost", "unknown.example.com", "203.0.113.7"]) {
      const answer = await raw("/health", { Host: host });
      assert.deepEqual([answer.status, answer.text.trimEnd()], [200, "healthy"], host);
    }
  });

  test("that is only claimed in a header leads nowhere", async () => {
    for (const name of ["X-Forwarded-Host", "X-Host", "X-Original-Host", "Forwarded"]) {
      const value = name === "Forwarded" ? "host=ddns.localhost" : "ddns.localhost";
      const answer = await raw("/api/status", { [name]: value });
      assert.equal(JSON.parse(answer.text).target, "main", name);
    }
    for (const name of ["X-Original-URL", "X-Rewrite-URL"]) isNotFound(await raw("/nothing", { [name]: "/ip" }), name);
    assert.equal((await raw("/health", { "X-HTTP-Method-Override": "POST" })).status, 200);
  });
});

describe("what a client claims", () => {
  const CLAIMS = {
    "X-Forwarded-For": "8.8.8.8",
    "X-Real-IP": "8.8.8.8",
    "X-Client-IP": "8.8.8.8",
    "True-Client-IP": "8.8.8.8",
    Forwarded: "for=8.8.8.8;host=evil.example.com;proto=https",
    "X-Forwarded-Host": "evil.example.com",
    "X-Forwarded-Proto": "gopher",
  };

  test("to be its address is not believed", async () => {
    const plain = await raw("/ip");
    const claimed = await raw("/ip", CLAIMS);
    assert.deepEqual([claimed.status, claimed.text], [plain.status, plain.text]);
    assert.doesNotMatch(claimed.text, /8\.8\.8\.8/);
    const seen = await raw("/ip", { ...CLAIMS, "CF-Connecting-IP": "9.9.9.9" });
    assert.equal(seen.text.trimEnd(), "9.9.9.9");
  });

  test("to be its address is not what an update without an address takes", async () => {
    const path = `/nic/update?hostname=${HOME}`;
    const loopback = await raw(path, { ...CLAIMS, Authorization: basic() });
    assert.deepEqual([loopback.status, loopback.text.trimEnd()], [400, "dnserr"]);
    const edge = await raw(path, { ...CLAIMS, Authorization: basic(), "CF-Connecting-IP": "9.9.9.9" });
    assert.deepEqual([edge.status, edge.text.trimEnd()], [200, "good 9.9.9.9"]);
  });

  test("to be its host is in no answer", async () => {
    for (const path of ["/api/status", "/api/packs", "/api/pack/latest", "/ip", "/nothing"]) {
      const plain = await raw(path);
      const claimed = await raw(path, CLAIMS);
      assert.equal(claimed.status, plain.status, path);
      assert.doesNotMatch(claimed.text + JSON.stringify(claimed.headers), /evil|gopher/, path);
    }
  });
});

describe("an answer through the gateway", () => {
  test("is the worker's own: tag, conditions, HEAD and errors", async () => {
    const direct = await system.status.fetch("http://status.test/api/status");
    await direct.arrayBuffer();
    const tag = direct.headers.get("etag") ?? "";
    const through = await raw("/api/status");
    assert.equal(through.headers["etag"], tag);
    assert.equal(through.headers["access-control-allow-origin"], "*");
    const same = await raw("/api/status", { "If-None-Match": tag });
    assert.deepEqual([same.status, same.text, same.headers["etag"]], [304, "", tag]);
    const head = await raw("/api/status", {}, "HEAD");
    assert.deepEqual([head.status, head.text, head.headers["etag"]], [200, "", tag]);
    const wrong = await raw("/api/status", {}, "DELETE");
    assert.deepEqual([wrong.status, JSON.parse(wrong.text).code], [405, "method-not-allowed"]);
    assert.match(wrong.headers["allow"] ?? "", /GET/);
  });

  test("to a preflight of a public route lets every website read it, and of an operator's none", async () => {
    const preflight = { Origin: "https://www.example.com", "Access-Control-Request-Method": "GET" };
    const open = await raw("/api/status", preflight, "OPTIONS");
    assert.ok(open.status === 204 || open.status === 200, String(open.status));
    assert.equal(open.headers["access-control-allow-origin"], "*");
    const closed = await raw("/api/ddns/log", preflight, "OPTIONS");
    assert.equal(closed.headers["access-control-allow-origin"], undefined);
  });

  test("keeps the query as it was sent", async () => {
    const authorization = { Authorization: basic() };
    const answer = await raw(`/nic/update?hostname=${HOME}&myip=8.8.8.8%2C2001:4860:4860::8888&x=a+b%26c`, authorization);
    assert.equal(answer.text.trimEnd(), "good 8.8.8.8,2001:4860:4860::8888");
  });
});
