// Reports as JSON, rollbacks, prefixes, and the hosts from three sides.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { type Ddns, MYDNS, ZONE, ddns } from "./support/ddns.ts";
import { assertProblem } from "./support/harness.ts";
import { broken } from "./support/mydns.ts";

const HOME = "home.example.com";
const PLAIN = "plain.example.com";
const HOSTS = [
  { host: HOME, providers: [MYDNS, ZONE] },
  { host: PLAIN },
  { host: "nas.example.com", ipv6_suffix: "::1:2:3:4", providers: [ZONE] },
  { host: "lan.example.com", ipv6_suffix: "0:0:0:3::1", ipv6_prefix_length: 56 },
];
/** A machine behind the router, whose record is AAAA alone; nobody may make an A record. */
const SIX = "six.example.com";
const CONFIGURED = [...HOSTS, { host: SIX, families: ["ipv6"], ipv6_suffix: "::6", providers: [{ ...ZONE, create: false }] }];

let d: Ddns;
before(async () => {
  d = await ddns({ hosts: CONFIGURED });
});
beforeEach(() => d.reset());
after(() => d?.close());

const report = (body: unknown, sent = {}) => d.post("/api/ddns/report", body, sent);
const provided = (one: any) => one.providers.map(({ provider, result }: any) => `${provider} ${result}`);
const snapshot = async () => {
  const tables = ["hosts", "updates", "provider_states", "rates"];
  return JSON.stringify(await Promise.all(tables.map((table) => d.rows(`SELECT * FROM ${table}`))));
};

describe("a report", () => {
  test("says per host and provider what was done", async () => {
    const { status, body } = await report({ hostnames: [HOME, PLAIN], ipv4: "8.8.8.8" });
    assert.equal(status, 200);
    assert.equal(body.dry_run, false);
    assert.deepEqual(Object.keys(body.hosts[0]).sort(), ["after", "before", "host", "providers", "result", "why"]);
    const [home, plain] = body.hosts;
    assert.deepEqual([home.host, home.result, home.why], [HOME, "good", null]);
    assert.deepEqual([home.before, home.after], [{ ipv4: null, ipv6: null }, { ipv4: "8.8.8.8", ipv6: null }]);
    assert.deepEqual(provided(home), ["mydns/home done", "cloudflare/zone done"]);
    assert.deepEqual([plain.host, plain.result, plain.providers], [PLAIN, "good", []]);
    const again = await report({ hostnames: [HOME], ipv4: "8.8.8.8" });
    assert.deepEqual([again.body.hosts[0].result, provided(again.body.hosts[0])], ["nochg", ["mydns/home current", "cloudflare/zone current"]]);
    assert.match(again.body.hosts[0].why, /already/);
  });

  test("without hosts is for all that the token covers, and without an address for the connecting one", async () => {
    const all = await report("");
    assert.deepEqual(all.body.hosts.map((one: any) => `${one.host} ${one.result}`), [...HOSTS.map(({ host }) => `${host} good`), `${SIX} dnserr`]);
    assert.equal(all.body.hosts.at(-1).why, "9.9.9.9 is left out: the host has ipv6 alone");
    assert.deepEqual(await d.addresses(PLAIN), ["9.9.9.9", null]);
    const own = await report({ ipv4: "8.8.8.8" }, { token: d.system.tokens.ddnsHome });
    assert.deepEqual(own.body.hosts.map((one: any) => one.host), [HOME]);
  });

  test("that is dry explains everything, says why not, and changes nothing", async () => {
    await report({ hostnames: [HOME], ipv4: "8.8.8.8" });
    const [before, notices, asked] = [await snapshot(), d.mydns.notices.length, d.cloudflare.asked.length];
    const dry = async (body: object) => (await report({ dry_run: true, ...body })).body;
    const changed = await dry({ hostnames: [HOME, PLAIN, "x.example.com", "x"], ipv4: "8.8.4.4" });
    assert.equal(changed.dry_run, true);
    assert.deepEqual(changed.hosts.map((one: any) => one.result), ["good", "good", "nohost", "notfqdn"]);
    assert.deepEqual(provided(changed.hosts[0]), ["mydns/home would-send", "cloudflare/zone would-send"]);
    assert.deepEqual([changed.hosts[0].before.ipv4, changed.hosts[0].after.ipv4], ["8.8.8.8", "8.8.4.4"]);
    const same = await dry({ hostnames: [HOME], ipv4: "8.8.8.8" });
    assert.deepEqual([same.hosts[0].result, provided(same.hosts[0])], ["nochg", ["mydns/home current", "cloudflare/zone current"]]);
    const refused = await dry({ hostnames: [HOME], ipv4: "100.64.0.1" });
    assert.deepEqual([refused.hosts[0].result, refused.hosts[0].why], ["dnserr", "100.64.0.1 is cgnat"]);
    const half = await dry({ hostnames: [HOME], ipv4: "100.64.0.1", ipv6: "2001:4860::1" });
    assert.deepEqual([half.hosts[0].result, half.hosts[0].why], ["good", "100.64.0.1 is cgnat"]);
    assert.deepEqual([await snapshot(), d.mydns.notices.length, d.cloudflare.asked.length], [before, notices, asked]);
  });

  test("that is dry names a provider that would be told although the address is the same", async () => {
    d.mydns.behave(broken);
    await report({ hostnames: [HOME], ipv4: "8.8.8.8" });
    const { body } = await report({ hostnames: [HOME], ipv4: "8.8.8.8", dry_run: true });
    assert.deepEqual(provided(body.hosts[0]), ["mydns/home would-send", "cloudflare/zone current"]);
  });

  test("names the family that was refused beside the one that was taken", async () => {
    const body = { hostnames: [HOME], ipv4: "100.64.0.1", ipv6: "2001:4860::1" };
    const why = async () => (await report(body)).body.hosts.map((one: any) => [one.result, one.why]);
    assert.deepEqual(await why(), [["good", "100.64.0.1 is cgnat"]]);
    assert.deepEqual(await why(), [["nochg", "it has this address already; 100.64.0.1 is cgnat"]]);
  });

  test("has the status that dyndns2 has for it", async () => {
    const status = async (body: object, sent = {}) => {
      const answer = await report(body, sent);
      return [answer.status, answer.body.hosts?.[0]?.result];
    };
    assert.deepEqual(await status({ hostnames: [HOME], ipv4: "10.0.0.1" }), [400, "dnserr"]);
    assert.deepEqual(await status({ hostnames: ["x.example.com"], ipv4: "8.8.8.8" }), [404, "nohost"]);
    assert.deepEqual(await status({ hostnames: [PLAIN], ipv4: "8.8.8.8" }, { token: d.system.tokens.ddnsHome }), [403, "!yours"]);
    assert.deepEqual(await status({ hostnames: Array(21).fill(PLAIN), ipv4: "8.8.8.8" }), [400, "numhost"]);
    d.mydns.behave(broken);
    assert.deepEqual(await status({ hostnames: [HOME], ipv4: "8.8.8.8" }), [503, "911"]);
  });

  test("that is malformed is refused by name, and without a right altogether", async () => {
    const post = (body: string, token?: string) =>
      d.system.request("/api/ddns/report", { method: "POST", body, ...(token && { token }), headers: { "CF-Connecting-IP": "9.9.9.7" } });
    const { ddnsUpdate, opsRead, packWrite } = d.system.tokens;
    for (const [body, detail] of [
      ['{"hostname":["a"]}', /hostname: unknown field/],
      ['{"hostnames":"a"}', /hostnames: invalid type/],
      ['{"ipv4":8}', /ipv4: invalid type/],
      ['{"dry_run":"yes"}', /dry_run: invalid type/],
      ["[]", /must be a JSON object/],
      ['{"ipv4":"8.8', /EOF/],
    ] as const) {
      assertProblem(await post(body, ddnsUpdate), 400, "bad-json", detail);
    }
    assertProblem(await post('{"hostnames":[]}', ddnsUpdate), 400, "bad-request", /names no host/);
    assertProblem(await post("{}"), 401, "unauthorized");
    assertProblem(await post("{}", "wrong"), 401, "unauthorized");
    assertProblem(await post("{}", opsRead), 403, "forbidden", /ddns:update/);
    assertProblem(await post("{}", packWrite), 403, "forbidden", /ddns:update/);
    assertProblem(await post(`{"ipv4":"${"8".repeat(70_000)}"}`, ddnsUpdate), 413, "too-large");
    assert.equal((await d.system.request("/api/ddns/report", { token: ddnsUpdate })).status, 405);
    assert.deepEqual(await d.rows("SELECT * FROM hosts"), []);
  });

  test("refuses addresses of the wrong family and other odd ones, each by name", async () => {
    for (const [body, why] of [
      [{ ipv6: "8.8.8.8" }, "8.8.8.8 is ipv4-in-ipv6-field"],
      [{ ipv4: "2001:4860:4860::8888" }, "2001:4860:4860::8888 is ipv6-in-ipv4-field"],
      [{ ipv4: "203.0.113.9" }, "203.0.113.9 is documentation"],
      [{ ipv4: "224.0.0.9" }, "224.0.0.9 is multicast"],
      [{ ipv6: "fe80::1" }, "fe80::1 is link-local"],
      [{ ipv6: "fd00::1" }, "fd00::1 is unique-local"],
      [{ ipv4: "127.0.0.1" }, "127.0.0.1 is loopback"],
      [{ ipv4: "172.67.1.1" }, "172.67.1.1 is cloudflare"],
      [{ ipv4: "<!DOCTYPE html>" }, "<!DOCTYPE html> is malformed"],
    ] as const) {
      const { body: answer } = await report({ hostnames: [PLAIN], dry_run: true, ...body });
      assert.deepEqual([answer.hosts[0].result, answer.hosts[0].why], ["dnserr", why]);
    }
  });
});

describe("a prefix", () => {
  const lan = "ip6lanprefix=2001:4860:4860:ab00::/56";
  const names = `hostname=${PLAIN},nas.example.com,lan.example.com`;

  test("gives every host with a suffix its own address", async () => {
    assert.deepEqual(await d.update(`${names}&myip=8.8.8.8&${lan}`), [
      200,
      "good 8.8.8.8",
      "good 8.8.8.8,2001:4860:4860:ab00:1:2:3:4",
      "good 8.8.8.8,2001:4860:4860:ab03::1",
    ]);
    assert.deepEqual(d.cloudflare.contents("nas.example.com", "AAAA"), ["2001:4860:4860:ab00:1:2:3:4"]);
    assert.deepEqual(await d.addresses(PLAIN), ["8.8.8.8", null]);
    const moved = await d.update(`${names}&myip=8.8.8.8&ip6lanprefix=2001:4860:4861::/56`);
    assert.deepEqual(moved.slice(1).map((line) => String(line).split(" ")[0]), ["nochg", "good", "good"]);
    assert.deepEqual(d.cloudflare.contents("nas.example.com", "AAAA"), ["2001:4860:4861:0:1:2:3:4"]);
  });

  test("is taken of a reported address when there is none by itself", async () => {
    const { body } = await report({ hostnames: [PLAIN, "nas.example.com"], ipv6: "2001:4860:4860:7::99" });
    assert.deepEqual(body.hosts.map((one: any) => one.after.ipv6), ["2001:4860:4860:7::99", "2001:4860:4860:7:1:2:3:4"]);
  });

  test("that is refused leaves those hosts as they are, and is named", async () => {
    await d.update(`${names}&myip=8.8.8.8&${lan}`);
    const refused = await d.update(`${names}&myip=8.8.4.4&myipv6=2001:4860:4860:1::99&ip6lanprefix=fd00::/64`);
    assert.deepEqual(refused.slice(1), ["good 8.8.4.4,2001:4860:4860:1::99", "good 8.8.4.4", "good 8.8.4.4"]);
    assert.deepEqual(await d.addresses("nas.example.com"), ["8.8.4.4", "2001:4860:4860:ab00:1:2:3:4"]);
    const [entry] = (await d.read("/api/ddns/log")).entries;
    assert.deepEqual([entry.reported.prefix_refused, entry.reported.refused], [true, [{ address: "fd00::/64", reason: "unique-local" }]]);
  });

  test("that is not public changes nothing", async () => {
    for (const prefix of ["fd00::/64", "2001:db8::/56", "8.8.8.0/24", "nonsense", "2001:4860::/0"]) {
      const [status, line] = await d.update(`hostname=nas.example.com&ip6lanprefix=${prefix}`);
      assert.deepEqual([status, line], [400, "dnserr"], prefix);
    }
    assert.deepEqual(await d.rows("SELECT * FROM hosts"), []);
  });
});

describe("a host of one family", () => {
  const both = "myip=8.8.8.8,2001:4860:4860:7::99";
  const has = () => [d.cloudflare.contents(SIX), d.cloudflare.contents(SIX, "AAAA")];

  test("gets no address of the other one, and its record needs none", async () => {
    d.cloudflare.record(SIX, "AAAA", "2001:4860:4860:7::5");
    const dry = await report({ hostnames: [SIX], ipv4: "8.8.8.8", ipv6: "2001:4860:4860:7::99", dry_run: true });
    const left = "8.8.8.8 is left out: the host has ipv6 alone";
    assert.deepEqual([dry.body.hosts[0].result, dry.body.hosts[0].why, dry.body.hosts[0].after.ipv4], ["good", left, null]);
    assert.deepEqual(await d.update(`hostname=${SIX}&${both}`), [200, "good 2001:4860:4860:7::6"]);
    assert.deepEqual(has(), [[], ["2001:4860:4860:7::6"]]);
    assert.deepEqual(await d.update(`hostname=${SIX}&myip=8.8.8.8`), [400, "dnserr"]);
    assert.deepEqual(await d.update(`hostname=${SIX}&${both}`), [200, "nochg 2001:4860:4860:7::6"]);
  });

  test("loses the address that it had of the other one in the book, and no record", async () => {
    d.cloudflare.record(SIX, "A", "8.8.4.4");
    d.cloudflare.record(SIX, "AAAA", "2001:4860:4860:7::5");
    await d.db.prepare("INSERT INTO hosts VALUES (?, '8.8.8.8', NULL, '2026-01-01T00:00:00Z', 'router')").bind(SIX).run();
    assert.deepEqual(await d.update(`hostname=${SIX}&${both}`), [200, "good 2001:4860:4860:7::6"]);
    assert.deepEqual(await d.addresses(SIX), [null, "2001:4860:4860:7::6"]);
    assert.deepEqual(has(), [["8.8.4.4"], ["2001:4860:4860:7::6"]]);
    const back = await d.post(`/api/ddns/hosts/${SIX}/rollback`, "");
    assert.equal(back.status, 409, "what it had before is not its own");
  });
});

describe("a rollback", () => {
  const rollback = (host: string, token?: string) => d.post(`/api/ddns/hosts/${host}/rollback`, "", token ? { token } : {});

  test("sets a host back to what it had, everywhere, and is on record", async () => {
    await d.update(`hostname=${HOME}&myip=8.8.8.8`);
    await d.update(`hostname=${HOME}&myip=8.8.4.4`);
    await d.update(`hostname=${HOME}&myip=8.8.4.4`);
    const { status, body } = await rollback(HOME, d.system.tokens.ddnsHome);
    assert.equal(status, 200);
    assert.deepEqual([body.host, body.result, body.before.ipv4, body.after.ipv4], [HOME, "good", "8.8.4.4", "8.8.8.8"]);
    assert.deepEqual(d.cloudflare.contents(HOME), ["8.8.8.8"]);
    assert.deepEqual(await d.addresses(HOME), ["8.8.8.8", null]);
    const [entry] = (await d.read("/api/ddns/log")).entries;
    assert.deepEqual([entry.token, entry.client, entry.decision], ["ddnsHome", "rollback", "good"]);
    assert.equal((await rollback(HOME)).body.after.ipv4, "8.8.4.4", "and back again");
  });

  test("never blanks a family", async () => {
    await d.update(`hostname=${PLAIN}&myip=8.8.8.8`);
    await d.update(`hostname=${PLAIN}&myipv6=2001:4860:4860::8888`);
    assert.deepEqual((await rollback(PLAIN)).body.after, { ipv4: "8.8.8.8", ipv6: "2001:4860:4860::8888" });
  });

  test("needs a host, another address, and the right", async () => {
    const { ddnsHome, opsRead } = d.system.tokens;
    const code = async (host: string, token?: string) => {
      const { status, body } = await rollback(host, token);
      return [status, body.code];
    };
    assert.deepEqual(await code(HOME), [409, "conflict"]);
    await d.update(`hostname=${HOME}&myip=8.8.8.8`);
    assert.deepEqual(await code(HOME), [409, "conflict"]);
    assert.deepEqual(await code("x.example.com"), [404, "not-found"]);
    assert.deepEqual(await code("%00"), [404, "not-found"]);
    assert.deepEqual(await code(PLAIN, ddnsHome), [403, "forbidden"]);
    assert.deepEqual(await code(HOME, opsRead), [403, "forbidden"]);
    assert.deepEqual(await code(HOME, "wrong"), [401, "unauthorized"]);
    assert.deepEqual(await d.addresses(HOME), ["8.8.8.8", null]);
  });
});

describe("the hosts", () => {
  const host = async (name = PLAIN) => (await d.read("/api/ddns/hosts")).hosts.find((one: any) => one.host === name);
  const answers = (a: string[], aaaa: string[] = []) => {
    d.doh.answer(`A ${PLAIN}`, a.map((data) => ({ data })));
    d.doh.answer(`AAAA ${PLAIN}`, aaaa.map((data) => ({ data })));
  };

  test("agree when home, edge and DNS say the same", async () => {
    answers(["8.8.8.8"]);
    await d.update(`hostname=${PLAIN}&myip=8.8.8.8`, { from: "8.8.8.8" });
    const plain = await host();
    assert.deepEqual([plain.ipv4, plain.seen, plain.dns], ["8.8.8.8", { ipv4: "8.8.8.8", ipv6: null }, { ipv4: "8.8.8.8", ipv6: null }]);
    assert.equal(plain.agree, true);
    assert.ok(!("difference" in plain));
  });

  test("do not when DNS answers another address, none, or one more", async () => {
    await d.update(`hostname=${PLAIN}&myip=8.8.8.8`, { from: "8.8.8.8" });
    for (const [a, shown] of [[["8.8.4.4"], "8.8.4.4"], [[], null], [["8.8.8.8", "8.8.4.4"], "8.8.4.4"]] as const) {
      answers([...a]);
      const plain = await host();
      assert.deepEqual([plain.dns.ipv4, plain.agree], [shown, false]);
    }
  });

  test("leave DNS open when it cannot be asked, and answer all the same", async () => {
    await d.update(`hostname=${PLAIN}&myip=8.8.8.8`, { from: "8.8.8.8" });
    for (const behaviour of [
      (response: any) => response.writeHead(503).end(),
      (response: any) => response.end("no JSON"),
      (response: any) => response.end('{"Status":2}'),
      () => {},
    ]) {
      d.doh.behave(behaviour);
      const plain = await host();
      assert.deepEqual([plain.dns, plain.agree, plain.ipv4], [null, null, "8.8.8.8"]);
    }
  });

  test("name what is between the home and the edge", async () => {
    answers(["8.8.8.8"]);
    await d.update(`hostname=${PLAIN}&myip=8.8.8.8`, { from: "9.9.9.9" });
    assert.deepEqual([(await host()).difference, (await host()).agree], ["vpn-or-proxy", false]);
    await d.update(`hostname=${PLAIN}&myip=100.64.7.7`, { from: "8.8.8.8" });
    assert.equal((await host()).difference, "cgnat");
    await d.update(`hostname=${PLAIN}&myip=192.168.1.5`, { from: "8.8.8.8" });
    assert.equal((await host()).difference, "double-nat");
    await d.update(`hostname=${PLAIN}&myip=8.8.8.8`, { from: "8.8.8.8" });
    assert.equal((await host()).difference, undefined);
  });

  test("are seen by the last report that came over each family", async () => {
    const V6 = "2001:4860:4860:1::8888";
    answers(["8.8.8.8"], [V6]);
    await d.update(`hostname=${PLAIN}`, { from: "8.8.8.8" });
    await d.update(`hostname=${PLAIN}`, { from: V6 });
    const plain = await host();
    assert.deepEqual([plain.seen, plain.agree, plain.difference], [{ ipv4: "8.8.8.8", ipv6: V6 }, true, undefined]);
    await d.update(`hostname=${PLAIN}&myip=8.8.8.8`, { from: "9.9.9.9" });
    await d.update(`hostname=${PLAIN}&myip=${V6}`, { from: "2001:4860:4860:1:aaaa:bbbb:cccc:dddd" });
    const through = await host();
    assert.deepEqual([through.seen.ipv4, through.agree, through.difference], ["9.9.9.9", false, "vpn-or-proxy"]);
    await d.update(`hostname=${PLAIN}&myip=8.8.8.8`, { from: "8.8.8.8" });
    const privately = await host();
    assert.deepEqual([privately.seen.ipv6, privately.agree, privately.difference], ["2001:4860:4860:1:aaaa:bbbb:cccc:dddd", true, undefined]);
    await d.update(`hostname=${PLAIN}&myip=${V6}`, { from: "2001:4860:4860:2::1" });
    assert.equal((await host()).difference, "vpn-or-proxy");
  });

  test("behind Cloudflare leave open whether DNS agrees", async () => {
    await d.update(`hostname=${HOME}&myip=8.8.8.8`, { from: "8.8.8.8" });
    d.doh.answer(`A ${HOME}`, [{ data: "104.16.1.1" }, { data: "172.67.1.1" }]);
    d.doh.answer(`AAAA ${HOME}`, [{ data: "2606:4700::1" }]);
    const home = await host(HOME);
    assert.deepEqual([home.dns.ipv4, home.agree], ["104.16.1.1", null]);
    d.doh.answer(`A ${HOME}`, [{ data: "104.16.1.1" }, { data: "8.8.4.4" }]);
    assert.equal((await host(HOME)).agree, false);
    await d.update(`hostname=${PLAIN}&myip=8.8.8.8`, { from: "8.8.8.8" });
    answers(["104.16.1.1"]);
    assert.equal((await host()).agree, false, "it is not kept there");
  });

  test("say when they are refreshed next and when MyDNS forgets them", async () => {
    await d.update(`hostname=${HOME}&myip=8.8.8.8`);
    const home = await host(HOME);
    assert.ok(Math.abs(Date.parse(home.next_refresh_at) - Date.now() - 7200_000) < 60_000, home.next_refresh_at);
    const [mydns, zone] = home.providers;
    assert.ok(Math.abs(Date.parse(mydns.expires_at) - Date.now() - 7 * 86_400_000) < 60_000, mydns.expires_at);
    assert.deepEqual(zone, { provider: "cloudflare/zone", state: "current", expires_at: null, error: null });
    const nas = await host("nas.example.com");
    assert.deepEqual([nas.next_refresh_at, nas.providers[0].state], [null, "pending"]);
  });

  test("are reported by whatever came from home, and by nothing else", async () => {
    const reported = async () => (await d.rows("SELECT host, seen FROM reports ORDER BY host")).map(({ host, seen }) => `${host} ${seen}`);
    await d.update(`hostname=${PLAIN}&myip=8.8.8.8`, { from: "8.8.8.8" });
    await d.update(`hostname=${PLAIN}&myip=10.0.0.1`, { from: "8.8.8.7" });
    await d.update(`hostname=${HOME}&myip=10.0.0.1`, { from: "8.8.8.6" });
    await d.update(`hostname=x.example.com,home&myip=8.8.8.8`, { from: "8.8.8.5" });
    await d.update(`hostname=${PLAIN}&myip=8.8.8.8`, { from: "8.8.8.4", token: d.system.tokens.ddnsHome });
    await d.cron(7300);
    assert.deepEqual(await reported(), [`${HOME} 8.8.8.6`, `${PLAIN} 8.8.8.7`]);
  });

  test("take no query", async () => {
    const answer = await d.system.request("/api/ddns/hosts?host=x", { token: d.system.tokens.opsRead });
    assertProblem(answer, 400, "bad-request", /"host" is not known/);
  });
});
