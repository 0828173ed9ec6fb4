// Requests as routers and update clients send them, byte for byte; health; and a worker that is not
// set up.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type System, start } from "./support/harness.ts";

const HOME = "home.example.com";
const V6 = "2001:4860:4860::8888";
const HOSTS = [HOME, "b.example.com"].map((host) => ({ host }));
const cron = { cron: "* * * * *", scheduledTime: new Date() };

const basic = (password: string, user = "anyone") =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

/** What comes back on a connection for these lines, until it is closed. */
async function wire(system: System, lines: string[]) {
  const socket = connect(Number(new URL(system.url).port), "127.0.0.1");
  socket.setTimeout(10_000, () => socket.destroy(new Error("the connection was not closed")));
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  await once(socket, "close");
  const [head = "", body = ""] = Buffer.concat(chunks).toString("latin1").split("\r\n\r\n", 2);
  const [first = "", ...rest] = head.split("\r\n");
  const headers = new Map(rest.map((field) => {
    const colon = field.indexOf(":");
    return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
  }));
  return { status: Number(first.split(" ")[1]), headers, body };
}

describe("a request of", () => {
  let system: System;
  let authorization: string;
  before(async () => {
    system = await start({ ddns: { hosts: HOSTS } });
    authorization = `Authorization: ${basic(system.tokens.ddnsUpdate, "home")}`;
  });
  after(() => system?.close());

  /** ddclient 3.10 takes the first line of the body as the code, and knows no chunks. */
  const answered = async (lines: string[], status: number, body: string) => {
    const answer = await wire(system, lines);
    assert.equal(answer.status, status, answer.body);
    assert.equal(answer.headers.get("transfer-encoding"), undefined);
    assert.equal(Number(answer.headers.get("content-length")), answer.body.length);
    assert.equal(answer.body.trimEnd(), body);
  };
  const stored = async (host = HOME) => {
    const { OPS_DB } = await system.env("ddns");
    const row = await OPS_DB.prepare("SELECT ipv4, ipv6 FROM hosts WHERE host = ?").bind(host).first<any>();
    return [row?.ipv4, row?.ipv6];
  };
  const client = async () => {
    const { OPS_DB } = await system.env("ddns");
    return (await OPS_DB.prepare("SELECT client FROM updates ORDER BY id DESC").first<any>())?.client;
  };

  test("ddclient 3.10 is answered with the code in the first line of an unchunked body", async () => {
    const request = [
      `GET /nic/update?system=dyndns&hostname=${HOME}&myip=8.8.1.1 HTTP/1.1`,
      "Host: 127.0.0.1",
      authorization,
      "User-Agent: ddclient/3.10.0",
      "Connection: close",
    ];
    await answered(request, 200, "good 8.8.1.1");
    await answered(request, 200, "nochg 8.8.1.1");
    assert.deepEqual(await stored(), ["8.8.1.1", null]);
    assert.equal(await client(), "ddclient/3.10.0");
    const wrong = request.with(2, `Authorization: ${basic("wrong")}`);
    await answered(wrong, 401, "badauth");
  });

  test("inadyn, HTTP/1.0 with a Host without port, is answered and the connection closed", async () => {
    await answered(
      [
        `GET /nic/update?hostname=${HOME}&myip=8.8.2.1 HTTP/1.0`,
        "Host: ddns.localhost",
        authorization,
        "User-Agent: inadyn/2.12.0 https://github.com/troglobit/inadyn/issues",
      ],
      200,
      "good 8.8.2.1",
    );
    assert.deepEqual(await stored(), ["8.8.2.1", null]);
    const v6 = [`GET /nic/update?hostname=${HOME}&myip=${V6} HTTP/1.0`, "Host: ddns.localhost", authorization];
    await answered(v6, 200, `good ${V6}`);
  });

  test("UniFi, with the address first and under another name, is answered", async () => {
    await answered(
      [
        `GET /nic/update?ip=8.8.3.1&hostname=${HOME} HTTP/1.0`,
        "Host: ddns.localhost",
        authorization,
        "User-Agent: inadyn/2.9.1 https://github.com/troglobit/inadyn/issues",
      ],
      200,
      "good 8.8.3.1",
    );
    assert.equal((await stored())[0], "8.8.3.1");
  });

  test("FritzBox, nothing escaped and some of it empty, is answered", async () => {
    const fritz = (query: string) => [
      `GET /nic/update?${query} HTTP/1.1`,
      "Host: ddns.localhost:80",
      "Connection: close",
      authorization,
      "User-Agent: Fritz!Box DDNS/1.0.2",
    ];
    const prefix = "ip6lanprefix=2001:4860:4860::/64";
    await answered(fritz(`hostname=${HOME}&myip=8.8.4.1&myipv6=2001:4860:4860::1&${prefix}`), 200, "good 8.8.4.1,2001:4860:4860::1");
    assert.deepEqual(await stored(), ["8.8.4.1", "2001:4860:4860::1"]);
    await answered(fritz(`hostname=${HOME}&myip=8.8.4.2&myipv6=&ip6lanprefix=`), 200, "good 8.8.4.2");
    await answered(fritz(`hostname=${HOME}&myip=&myipv6=2001:4860:4860::2&ip6lanprefix=`), 200, "good 2001:4860:4860::2");
    assert.deepEqual(await stored(), ["8.8.4.2", "2001:4860:4860::2"]);
  });

  test("OPNsense, with fields that mean nothing here, is answered", async () => {
    await answered(
      [
        `GET /nic/update?hostname=${HOME},b.example.com&myip=8.8.5.1&system=dyndns&wildcard=ON HTTP/1.1`,
        "Host: ddns.localhost",
        authorization,
        "User-Agent: OPNsense-dyndns",
        "Accept: */*",
        "Connection: close",
      ],
      200,
      "good 8.8.5.1\ngood 8.8.5.1",
    );
    assert.equal((await stored("b.example.com"))[0], "8.8.5.1");
    const none = `GET /nic/update?hostname=x.example.com&myip=8.8.5.1&system=dyndns&wildcard=NOCHG HTTP/1.1`;
    await answered([none, "Host: ddns.localhost", authorization, "Connection: close"], 404, "nohost");
  });

  test("a client whose user name is odd, or whose password is sent twice, is judged by the password", async () => {
    const token = system.tokens.ddnsUpdate;
    const asked = (value: string) => [`GET /nic/update?hostname=${HOME}&myip=8.8.6.1 HTTP/1.1`, "Host: ddns.localhost", `Authorization: ${value}`, "Connection: close"];
    assert.equal((await wire(system, asked(basic(token, "")))).status, 200);
    assert.equal((await wire(system, asked(basic(token, "ユーザ")))).status, 200);
    assert.equal((await wire(system, asked(basic(token).replace("Basic", "basic")))).status, 200);
    assert.equal((await wire(system, asked(basic(`${token}:${token}`)))).status, 401);
  });
});

describe("a request that fails", () => {
  let system: System;
  before(async () => {
    // Its provider is where nobody listens.
    const providers = [{ kind: "mydns", credentials: "home" }];
    const ddnsSecrets = { PROVIDERS: JSON.stringify({ home: { id: "mydns000001", password: "x" } }) };
    system = await start({ ddns: { hosts: [{ host: HOME, providers }, { host: "b.example.com" }] }, ddnsSecrets });
  });
  after(() => system?.close());

  const asked = (password: string, more: string[], query = `hostname=${HOME}&myip=8.8.1.1`) => [
    `GET /nic/update?${query} ${more[0]}`,
    `Authorization: ${basic(password)}`,
    ...more.slice(1),
  ];
  const CLIENTS = {
    "ddclient 3.10": ["HTTP/1.1", "Host: 127.0.0.1", "User-Agent: ddclient/3.10.0", "Connection: close"],
    inadyn: ["HTTP/1.0", "Host: ddns.localhost", "User-Agent: inadyn/2.12.0"],
    UniFi: ["HTTP/1.0", "Host: ddns.localhost", "User-Agent: inadyn/2.9.1"],
    FritzBox: ["HTTP/1.1", "Host: ddns.localhost:80", "Connection: close", "User-Agent: Fritz!Box DDNS/1.0.2"],
    OPNsense: ["HTTP/1.1", "Host: ddns.localhost", "Connection: close", "Accept: */*", "User-Agent: OPNsense-dyndns"],
  };
  // What one of them or another takes for success, wherever it stands.
  const SUCCESS = /ok|good|true|updated|success|nochg/i;

  for (const [name, more] of Object.entries(CLIENTS)) {
    test(`tells ${name} so by the status and by the first line`, async () => {
      for (const [password, query, status, line] of [
        [system.tokens.operator, `hostname=${HOME}&myip=8.8.1.1`, 503, "911"],
        ["wrong", `hostname=${HOME}&myip=8.8.1.1`, 401, "badauth"],
        [system.tokens.operator, "hostname=b.example.com&myip=10.0.0.1", 400, "dnserr"],
        [system.tokens.ddnsHome, "hostname=b.example.com&myip=8.8.1.1", 403, "!yours"],
        [system.tokens.operator, "hostname=x.example.com&myip=8.8.1.1", 404, "nohost"],
      ] as const) {
        const answer = await wire(system, asked(password, more, query));
        assert.deepEqual([answer.status, answer.body.trimEnd()], [status, line]);
        assert.equal(Number(answer.headers.get("content-length")), answer.body.length);
        assert.equal(answer.headers.get("transfer-encoding"), undefined);
        assert.doesNotMatch(answer.body, SUCCESS);
      }
      const mixed = await wire(system, asked(system.tokens.operator, more, `hostname=${HOME},b.example.com&myip=8.8.1.1`));
      assert.equal(mixed.status, 200);
      assert.match(mixed.body, /^911\n(good|nochg) 8\.8\.1\.1\n$/);
    });
  }

  test("tells one that asks too often when to come again", async () => {
    const lines = asked(system.tokens.ddnsUpdate, [...CLIENTS.inadyn, "CF-Connecting-IP: 8.8.7.7"], "hostname=x.example.com");
    for (let n = 1; n <= 30; n += 1) assert.equal((await wire(system, lines)).status, 404, String(n));
    const answer = await wire(system, lines);
    assert.deepEqual([answer.status, answer.body], [429, "abuse\n"]);
    assert.ok(Number(answer.headers.get("retry-after")) > 0);
    assert.equal(Number(answer.headers.get("content-length")), answer.body.length);
  });
});

describe("health", () => {
  let system: System;
  before(async () => {
    system = await start({ ddns: { hosts: HOSTS } });
    // What these say of themselves is part of it.
    for (const worker of [system.pack, system.status]) await worker.scheduled(cron);
  });
  after(() => system?.close());

  const health = async (query = "") => {
    const answer = await system.request(`/api/health${query}`);
    return { answer, body: answer.json() };
  };

  test("of the machine is one word", async () => {
    const answer = await system.request("/health");
    assert.equal(answer.status, 200);
    assert.equal(answer.text.trimEnd(), "healthy");
    assert.match(answer.headers["content-type"] ?? "", /^text\/plain/);
    assert.equal(answer.headers["access-control-allow-origin"], "*");
    assert.equal((await system.request("/health", { method: "HEAD" })).status, 200);
  });

  test("warns until the cron has run, then passes, then warns when it stays away", async () => {
    const { answer, body } = await health();
    assert.equal(answer.status, 200);
    assert.match(answer.headers["content-type"] ?? "", /^application\/health\+json/);
    assert.equal(body.status, "warn");

    assert.equal((await system.ddns.scheduled(cron)).outcome, "ok");
    const after = await health();
    assert.equal(after.answer.status, 200);
    assert.equal(after.body.status, "pass");
    const own = Object.entries<any>(after.body.checks).filter(([name]) => !/^(pack|status)\./.test(name));
    const checks = own.flatMap(([, checks]) => checks);
    assert.ok(checks.length >= 2);
    for (const check of checks) {
      assert.equal(check.status, "pass");
      assert.ok(check.componentType);
      assert.ok(Math.abs(Date.parse(check.time) - Date.now()) < 10_000, check.time);
    }

    const { OPS_DB } = await system.env("ddns");
    const long = new Date(Date.now() - 600_000).toISOString().replace(/\.\d+Z$/, "Z");
    await OPS_DB.prepare("UPDATE ticks SET at = ?").bind(long).run();
    assert.equal((await health()).body.status, "warn");
    await system.ddns.scheduled(cron);
    assert.equal((await health()).body.status, "pass");
  });

  test("is simple when asked for that", async () => {
    await system.ddns.scheduled(cron);
    const { answer, body } = await health("?format=simple");
    assert.deepEqual(Object.keys(body).sort(), ["status", "timestamp"]);
    assert.equal(body.status, "ok");
    assert.ok(Math.abs(body.timestamp - Date.now()) < 10_000, String(body.timestamp));
    assert.equal(answer.headers["etag"], undefined);
    assert.equal((await system.request("/api/health?format=xml")).status, 400);
    assert.equal((await system.request("/api/health?service=nobody")).status, 404);
  });

  test("has a tag that time does not change, and answers HEAD", async () => {
    await system.ddns.scheduled(cron);
    const { answer } = await health();
    const tag = answer.headers["etag"] ?? "";
    assert.notEqual(tag, "");
    await sleep(1100);
    const same = await system.request("/api/health", { headers: { "If-None-Match": tag } });
    assert.equal(same.status, 304);
    const head = await system.request("/api/health", { method: "HEAD" });
    assert.deepEqual([head.status, head.headers["etag"], head.body.length], [200, tag, 0]);
    assert.equal(head.headers["access-control-allow-origin"], "*");
    const post = await system.request("/api/health", { method: "POST", body: "{}" });
    assert.deepEqual([post.status, post.json().code], [405, "method-not-allowed"]);
  });
});

describe("a worker that is not set up", () => {
  const asked = (system: System, method = "GET") =>
    system.request(`/nic/update?hostname=${HOME}&myip=8.8.8.8`, {
      method,
      headers: { Authorization: basic(system.tokens.ddnsUpdate) },
    });

  for (const [what, tokens] of [
    ["no TOKENS", null],
    ["TOKENS that are not JSON", "secret-words"],
  ] as const) {
    test(`with ${what} says 911 to updates, lets no operator in, and is healthy`, async () => {
      const system = await start({ ddns: { hosts: HOSTS }, tokens });
      try {
        const answer = await asked(system);
        assert.deepEqual([answer.status, answer.text.trimEnd()], [503, "911"]);
        assert.equal(Number(answer.headers["content-length"]), answer.body.length);
        assert.equal((await asked(system, "HEAD")).status, 503);
        const operator = await system.request("/api/ddns/log", { token: system.tokens.opsRead });
        assert.ok(operator.status >= 500, String(operator.status));
        assert.doesNotMatch(operator.text, /secret-words/);
        assert.equal((await system.request("/health")).status, 200);
      } finally {
        await system.close();
      }
    });
  }

  test("without tables says 911 to updates and fails its health check, and only that", async () => {
    const system = await start({ ddns: { hosts: HOSTS } });
    try {
      const { OPS_DB } = await system.env("ddns");
      for (const table of ["hosts", "updates", "ticks"]) await OPS_DB.prepare(`DROP TABLE ${table}`).run();
      const answer = await asked(system);
      assert.deepEqual([answer.status, answer.text.trimEnd()], [503, "911"]);
      const health = await system.request("/api/health");
      assert.equal(health.status, 503);
      assert.match(health.headers["content-type"] ?? "", /^application\/health\+json/);
      assert.equal(health.json().status, "fail");
      assert.equal((await system.request("/api/health?format=simple")).status, 503);
      for (const path of ["/api/ddns/hosts", "/api/ddns/log"]) {
        const operator = await system.request(path, { token: system.tokens.opsRead });
        assert.deepEqual([operator.status, operator.json().code], [503, "unavailable"]);
        assert.doesNotMatch(operator.text, /SELECT|no such table/i);
      }
      await system.ddns.scheduled(cron); // fails, and says so in the log alone
      assert.equal((await system.request("/health")).text.trimEnd(), "healthy");
    } finally {
      await system.close();
    }
  });
});
