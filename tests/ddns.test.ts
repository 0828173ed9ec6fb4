// dyndns2 updates: what is answered, what is then in D1, and what operators read of it.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type D1, type System, start } from "./support/harness.ts";

const V6 = "2001:4860:4860::8888";
const HOME = "home.example.com";
const HOSTS = [HOME, "b.example.com", "c.example.com"].map((host) => ({ host }));

interface Asked {
  /** The password; null sends no `Authorization`. */
  password?: string | null;
  method?: string;
  path?: string;
  headers?: Record<string, string>;
}

const basic = (password: string, user = "anyone") =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

let system: System;
let db: D1;

async function update(query: string, asked: Asked = {}) {
  const { password = system.tokens.ddnsUpdate, method = "GET", path = "/nic/update" } = asked;
  const headers: Record<string, string> = { "CF-Connecting-IP": "9.9.9.9", ...asked.headers };
  if (password !== null) headers["Authorization"] = basic(password);
  const response = await system.request(`${path}?${query}`, { method, headers });
  return { status: response.status, lines: response.text.trimEnd().split("\n"), headers: response.headers };
}

/** Status and body, of one line. */
async function line(query: string, asked?: Asked) {
  const { status, lines } = await update(query, asked);
  assert.equal(lines.length, 1);
  return [status, lines[0]];
}

const rows = async (sql: string) => (await db.prepare(sql).all<any>()).results;
const addresses = async (host = HOME) => {
  const row = await db.prepare("SELECT ipv4, ipv6 FROM hosts WHERE host = ?").bind(host).first<any>();
  return row && [row.ipv4, row.ipv6];
};
const logged = async () => rows("SELECT * FROM updates ORDER BY id");

/** Storage is empty before each test. */
function running(vars: { hosts: { host: string }[] } = { hosts: HOSTS }) {
  before(async () => {
    system = await start({ ddns: vars });
    db = (await system.env("ddns")).OPS_DB;
  });
  beforeEach(async () => {
    await db.prepare("DELETE FROM hosts").run();
    await db.prepare("DELETE FROM updates").run();
  });
  after(() => system?.close());
}

describe("an update", () => {
  running();

  test("is good when it changes the address and nochg when it does not, and is on record both times", async () => {
    assert.deepEqual(await line(`hostname=${HOME}&myip=8.8.8.8`, { headers: { "User-Agent": "router/1" } }), [200, "good 8.8.8.8"]);
    assert.deepEqual(await line(`hostname=${HOME}&myip=8.8.8.8`), [200, "nochg 8.8.8.8"]);
    assert.deepEqual(await line(`hostname=${HOME}&myip=8.8.4.4`, { path: "/v3/update" }), [200, "good 8.8.4.4"]);
    const hosts = await rows("SELECT * FROM hosts");
    assert.equal(hosts.length, 1);
    const { updated_at, ...host } = hosts[0];
    assert.deepEqual(host, { host: HOME, ipv4: "8.8.4.4", ipv6: null, updated_by: "ddnsUpdate" });
    assert.ok(Math.abs(Date.parse(updated_at) - Date.now()) < 10_000, updated_at);
    const entries = await logged();
    const facts = entries.map((row) => [row.host, row.decision, row.ipv4_before, row.ipv4_after, row.token]);
    assert.deepEqual(facts, [
      [HOME, "good", null, "8.8.8.8", "ddnsUpdate"],
      [HOME, "nochg", "8.8.8.8", "8.8.8.8", "ddnsUpdate"],
      [HOME, "good", "8.8.8.8", "8.8.4.4", "ddnsUpdate"],
    ]);
    assert.equal(entries[0].client, "router/1");
  });

  test("of one family leaves the other one, and both are echoed when both came", async () => {
    assert.deepEqual(await line(`hostname=${HOME}&myip=8.8.8.8&myipv6=${V6}`), [200, `good 8.8.8.8,${V6}`]);
    assert.deepEqual(await line(`hostname=${HOME}&myip=8.8.4.4`), [200, "good 8.8.4.4"]);
    assert.deepEqual(await addresses(), ["8.8.4.4", V6]);
    assert.deepEqual(await line(`hostname=${HOME}&myipv6=2001:200::1`), [200, "good 2001:200::1"]);
    assert.deepEqual(await addresses(), ["8.8.4.4", "2001:200::1"]);
    assert.deepEqual(await line(`hostname=${HOME}&myip=8.8.4.4,2001:200::1`), [200, "nochg 8.8.4.4,2001:200::1"]);
  });

  test("takes the address under every alias, in every spelling, and else the one that connects", async () => {
    const cases: [query: string, echoed: string][] = [
      ["ip=8.8.8.1", "8.8.8.1"],
      [`ip6=${V6}`, V6],
      ["ipv6=2001:200::2", "2001:200::2"],
      ["myip=2001:200::3", "2001:200::3"],
      ["myipv6=2001:0200:0:0:0:0:0:4", "2001:200::4"],
      ["myip=,8.8.8.2,&myipv6=", "8.8.8.2"],
      ["myip=&ip6lanprefix=", "9.9.9.9"],
      ["", "9.9.9.9"],
    ];
    for (const [query, echoed] of cases) {
      const [status, text] = await line(`hostname=${HOME}&${query}`);
      assert.equal(status, 200, query);
      assert.match(String(text), /^(good|nochg) /);
      assert.equal(String(text).split(" ")[1], echoed, query);
    }
  });

  test("with an address that is malformed or not public is dnserr and changes nothing", async () => {
    await line(`hostname=${HOME}&myip=8.8.8.8&myipv6=${V6}`);
    for (const address of ["10.0.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", "0.0.0.0", "::1", "fe80::1", "fd00::1", "8.8.8", "<ipaddr>", "104.16.0.1"]) {
      assert.deepEqual(await line(`hostname=${HOME}&myip=${encodeURIComponent(address)}`), [400, "dnserr"], address);
    }
    assert.deepEqual(await addresses(), ["8.8.8.8", V6]);
    const refused = (await logged()).filter((row) => row.decision === "dnserr");
    assert.equal(refused.length, 11);
    assert.match(refused[0].reported, /10\.0\.0\.1/);
  });

  test("with one family refused applies and echoes the other one, and the log names the refused one", async () => {
    assert.deepEqual(await line(`hostname=${HOME}&myip=10.0.0.1&myipv6=${V6}`), [200, `good ${V6}`]);
    assert.deepEqual(await addresses(), [null, V6]);
    assert.match((await logged())[0].reported, /10\.0\.0\.1/);
  });
});

describe("a refused update", () => {
  running();

  test("has one line for the whole when no host, no full name or too many are named", async () => {
    assert.deepEqual(await line("myip=8.8.8.8"), [400, "notfqdn"]);
    assert.deepEqual(await line("hostname=&myip=8.8.8.8"), [400, "notfqdn"]);
    assert.deepEqual(await line("hostname=,&myip=8.8.8.8"), [400, "notfqdn"]);
    assert.deepEqual(await line("hostname=home&myip=8.8.8.8"), [400, "notfqdn"]);
    const many = Array.from({ length: 21 }, (_, n) => `h${n}.example.com`).join(",");
    assert.deepEqual(await line(`hostname=${many}&myip=8.8.8.8`), [400, "numhost"]);
    assert.deepEqual(await rows("SELECT * FROM hosts"), []);
  });

  test("is nohost for a host that is not configured and !yours for one that the token is not for", async () => {
    assert.deepEqual(await line("hostname=other.example.com&myip=8.8.8.8"), [404, "nohost"]);
    const password = system.tokens.ddnsHome;
    assert.deepEqual(await line("hostname=b.example.com&myip=8.8.8.8", { password }), [403, "!yours"]);
    assert.deepEqual(await line(`hostname=${HOME}&myip=8.8.8.8`, { password }), [200, "good 8.8.8.8"]);
    assert.equal(await addresses("b.example.com"), null);
  });

  test("is badauth with a challenge for a wrong password, none, or a token for other things", async () => {
    const { tokens } = system;
    for (const password of [null, "", "wrong", tokens.packWrite, tokens.opsRead, `${tokens.ddnsUpdate}x`]) {
      const { status, lines, headers } = await update(`hostname=${HOME}&myip=8.8.8.8`, { password });
      assert.deepEqual([status, lines], [401, ["badauth"]]);
      assert.match(headers["www-authenticate"] ?? "", /^Basic /);
    }
    for (const authorization of ["Basic", "Basic !!!", "Basic e30=", `Digest ${tokens.ddnsUpdate}`]) {
      const { status, lines } = await update(`hostname=${HOME}&myip=8.8.8.8`, { password: null, headers: { Authorization: authorization } });
      assert.deepEqual([status, lines], [401, ["badauth"]], authorization);
    }
    assert.deepEqual(await rows("SELECT * FROM hosts"), []);
  });

  test("has a line a host in the order of the request, and succeeds when one of them does", async () => {
    const mixed = await update(`hostname=c.example.com,other.example.com,${HOME},home,c.example.com&myip=8.8.8.8`);
    assert.equal(mixed.status, 200);
    assert.deepEqual(mixed.lines, ["good 8.8.8.8", "nohost", "good 8.8.8.8", "notfqdn", "nochg 8.8.8.8"]);
    assert.deepEqual((await logged()).map((row) => row.decision), ["good", "nohost", "good", "notfqdn", "nochg"]);
    const none = await update("hostname=x.example.com,home&myip=8.8.8.8");
    assert.ok(none.status >= 400 && none.status < 500, String(none.status));
    assert.deepEqual(none.lines, ["nohost", "notfqdn"]);
  });

  test("carries Content-Length, whatever it says, and is text that nobody caches", async () => {
    const asked: [string, Asked][] = [
      [`hostname=${HOME}&myip=8.8.8.8`, {}],
      [`hostname=${HOME},b.example.com&myip=8.8.8.8`, {}],
      ["hostname=x.example.com", {}],
      ["", {}],
      ["", { password: "wrong" }],
    ];
    for (const [query, with_] of asked) {
      const { status, lines, headers } = await update(query, with_);
      assert.ok(Number(headers["content-length"]) >= lines.join("\n").length, `${query}: ${status}`);
      assert.equal(headers["transfer-encoding"], undefined);
      assert.match(headers["content-type"] ?? "", /^text\/plain/);
      assert.equal(headers["cache-control"], "no-store");
      assert.equal(headers["access-control-allow-origin"], undefined);
      assert.equal(headers["etag"], undefined);
    }
  });

  test("HEAD tells the status and updates nothing, other methods are 405", async () => {
    const head = await update(`hostname=${HOME}&myip=8.8.8.8`, { method: "HEAD" });
    assert.deepEqual([head.status, head.lines], [200, [""]]);
    assert.equal((await update(`hostname=${HOME}`, { method: "HEAD", password: "wrong" })).status, 401);
    for (const method of ["POST", "PUT", "DELETE"]) {
      const refused = await update(`hostname=${HOME}&myip=8.8.8.8`, { method });
      assert.equal(refused.status, 405, method);
      assert.match(String(refused.headers["allow"]), /GET/);
    }
    assert.deepEqual(await rows("SELECT * FROM hosts"), []);
    assert.deepEqual(await logged(), []);
  });
});

describe("the log", () => {
  running();

  const operator = async (path: string, token: string | undefined = system.tokens.opsRead) =>
    system.request(path, token === undefined ? {} : { token });

  test("and the hosts are for ops:read alone", async () => {
    for (const path of ["/api/ddns/log", "/api/ddns/hosts"]) {
      const anyone = await system.request(path);
      assert.equal(anyone.status, 401);
      assert.ok(anyone.headers["www-authenticate"]);
      assert.equal(anyone.json().code, "unauthorized");
      assert.equal((await operator(path, "wrong")).status, 401);
      const router = await operator(path, system.tokens.ddnsUpdate);
      assert.equal(router.status, 403);
      assert.equal(router.json().code, "forbidden");
      assert.match(router.json().detail, /ops:read/);
      for (const answer of [anyone, router, await operator(path)]) {
        assert.equal(answer.headers["access-control-allow-origin"], undefined);
        assert.equal(answer.headers["cache-control"], "no-store");
      }
      assert.equal((await system.request(path, { method: "POST", token: system.tokens.opsRead })).status, 405);
    }
  });

  test("lists the configured hosts with their addresses", async () => {
    await line(`hostname=${HOME}&myip=8.8.8.8&myipv6=${V6}`);
    const { hosts } = (await operator("/api/ddns/hosts")).json();
    assert.deepEqual(hosts.map((host: any) => host.host), HOSTS.map(({ host }) => host));
    const { updated_at, ...home } = hosts[0];
    assert.ok(Math.abs(Date.parse(updated_at) - Date.now()) < 10_000);
    assert.deepEqual(home, { host: HOME, ipv4: "8.8.8.8", ipv6: V6, seen: { ipv4: "9.9.9.9", ipv6: null }, dns: null, agree: false, difference: "vpn-or-proxy", next_refresh_at: null, providers: [] });
    assert.deepEqual([hosts[1].ipv4, hosts[1].ipv6, hosts[1].updated_at], [null, null, null]);
  });

  test("is newest first with what was before and after", async () => {
    await line(`hostname=${HOME}&myip=8.8.8.8`, { headers: { "User-Agent": "router/1" } });
    await line(`hostname=${HOME}&myip=10.0.0.1,${V6}`);
    await line("hostname=x.example.com&myip=8.8.8.8");
    const { entries, next_cursor } = (await operator("/api/ddns/log")).json();
    assert.equal(next_cursor, null);
    const told = entries.map(({ host, decision, token, before, after }: any) => ({ host, decision, token, before, after }));
    const old = { ipv4: "8.8.8.8", ipv6: null };
    assert.deepEqual(told, [
      { host: "x.example.com", decision: "nohost", token: "ddnsUpdate", before: null, after: null },
      { host: HOME, decision: "good", token: "ddnsUpdate", before: old, after: { ipv4: "8.8.8.8", ipv6: V6 } },
      { host: HOME, decision: "good", token: "ddnsUpdate", before: { ipv4: null, ipv6: null }, after: old },
    ]);
    assert.equal(entries[2].client, "router/1");
    assert.deepEqual(entries[2].providers, []);
    assert.ok(Math.abs(Date.parse(entries[2].at) - Date.now()) < 10_000);
    assert.match(JSON.stringify(entries[1].reported), /10\.0\.0\.1/);
    assert.ok(entries[0].id > entries[1].id && entries[1].id > entries[2].id);
  });

  test("is paged by a cursor that entries which come later do not shift", async () => {
    for (let n = 1; n <= 5; n += 1) await line(`hostname=${HOME}&myip=8.8.8.${n}`);
    const last = (entries: any[]) => entries.map((entry) => Number(entry.after.ipv4.split(".")[3]));
    const first = (await operator("/api/ddns/log?limit=2")).json();
    assert.deepEqual(last(first.entries), [5, 4]);
    await line(`hostname=${HOME}&myip=8.8.8.6`);
    const second = (await operator(`/api/ddns/log?limit=2&cursor=${first.next_cursor}`)).json();
    assert.deepEqual(last(second.entries), [3, 2]);
    const third = (await operator(`/api/ddns/log?limit=2&cursor=${second.next_cursor}`)).json();
    assert.deepEqual(last(third.entries), [1]);
    assert.equal(third.next_cursor, null);
    for (const query of ["cursor=x", "limit=x", "limit=-1", "cursor=1%20OR%201=1"]) {
      const wrong = await operator(`/api/ddns/log?${query}`);
      assert.equal(wrong.status, 400, query);
      assert.equal(wrong.json().code, "bad-request");
    }
  });

  test("is a chain without a gap after 20 updates at once", async () => {
    const password = system.tokens.operator;
    const asked = Array.from({ length: 20 }, (_, n) => line(`hostname=${HOME}&myip=8.8.8.${100 + n}`, { password }));
    for (const [status, text] of await Promise.all(asked)) {
      assert.equal(status, 200);
      assert.match(String(text), /^good 8\.8\.8\.1\d\d$/);
    }
    const entries = await logged();
    assert.equal(entries.length, 20);
    assert.equal(new Set(entries.map((row) => row.ipv4_after)).size, 20);
    let before: string | null = null;
    for (const row of entries) {
      assert.equal(row.ipv4_before, before);
      before = row.ipv4_after;
    }
    assert.deepEqual(await addresses(), [before, null]);
  });

  test("and all else that is kept never holds a password", async () => {
    const { ddnsUpdate, ddnsHome } = system.tokens;
    const guess = "a-wrong-guess-of-a-password";
    await line(`hostname=${HOME}&myip=8.8.8.8`);
    await line(`hostname=b.example.com&myip=8.8.8.8`, { password: ddnsHome });
    await line(`hostname=${HOME}&myip=8.8.8.8`, { password: guess });
    const tables = await rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'");
    const contents = await Promise.all(tables.map(({ name }) => rows(`SELECT * FROM "${name}"`)));
    await sleep(100); // logs come a moment later
    const kept = JSON.stringify([contents, system.logs()]);
    assert.match(kept, /ddnsUpdate/);
    for (const secret of [ddnsUpdate, ddnsHome, guess]) {
      assert.ok(!kept.includes(secret), "a password is kept");
      assert.ok(!kept.includes(basic(secret).slice(6, -4)), "a header is kept");
    }
  });
});
