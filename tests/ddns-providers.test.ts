// What an update does at the providers: servers that answer as MyDNS.jp and as Cloudflare's API, on good days and on
// bad ones.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type CloudflarePeer, cloudflare, limited, page, refuse } from "./support/cloudflare.ts";
import { type D1, type System, request, start } from "./support/harness.ts";
import { type Behaviour, type MydnsPeer, broken, cutOff, empty, hang, maintenance, mydns } from "./support/mydns.ts";
import "./support/outbound.ts";

const ID = "mydns314159";
const PASSWORD = "pass&w\"rd +1%";
const TOKEN = "cfToken-Abc_123";
const HOME = "home.example.com";
const V6 = "2001:4860:4860::8888";
const PROVIDERS = {
  home: { id: ID, password: PASSWORD },
  other: { id: "mydns271828", password: "other-pass" },
  zone: { token: TOKEN },
  stranger: { token: "cfToken-of-somebody" },
  odd: { id: "only-an-id-31415" },
};
const ZONE = { kind: "cloudflare", credentials: "zone" };
const HOSTS = [
  { host: HOME, providers: [{ kind: "mydns", credentials: "home" }, ZONE] },
  { host: "nas.example.com", providers: [ZONE] },
  { host: "new.example.com", providers: [{ ...ZONE, create: true, ttl: 120 }] },
  { host: "my.example.com", providers: [{ kind: "mydns", credentials: "home" }] },
  { host: "slow.example.com", providers: [{ kind: "mydns", credentials: "home" }, { kind: "mydns", credentials: "other" }, ZONE] },
  { host: "extra.example.com", providers: [ZONE, { kind: "cloudflare", credentials: "odd", required: false }] },
  { host: "odd.example.com", providers: [{ kind: "mydns", credentials: "odd" }] },
  { host: "stranger.example.com", providers: [{ kind: "cloudflare", credentials: "stranger" }] },
];

let system: System;
let db: D1;
let accounts: Record<string, string>;
let my: MydnsPeer;
let cf: CloudflarePeer;
/** All that was answered, to look for credentials in it at the end. */
const answered: string[] = [];

before(async () => {
  accounts = { [ID]: PASSWORD, mydns271828: "other-pass" };
  my = await mydns(accounts);
  cf = await cloudflare(TOKEN);
  system = await start({
    ddns: { hosts: HOSTS, MYDNS_URL: my.url, CLOUDFLARE_API: cf.url },
    ddnsSecrets: { PROVIDERS: JSON.stringify(PROVIDERS) },
  });
  db = (await system.env("ddns")).OPS_DB;
});
beforeEach(async () => {
  for (const { name } of await tables()) await db.prepare(`DELETE FROM "${name}"`).run();
  my.behave(null);
  my.notices.length = 0;
  accounts[ID] = PASSWORD;
  cf.clear();
  cf.zone("example.com");
});
after(async () => {
  await system?.close();
  await Promise.all([my?.close(), cf?.close()]);
});

const tables = async () =>
  (await db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'd1%'").all<{ name: string }>()).results;

/** Status and lines of an update. */
async function update(query: string): Promise<[number, string[]]> {
  const authorization = `Basic ${Buffer.from(`router:${system.tokens.ddnsUpdate}`).toString("base64")}`;
  const headers = { Authorization: authorization, "CF-Connecting-IP": "9.9.9.9" };
  const answer = await request(`${system.url}/nic/update?${query}`, { headers });
  answered.push(answer.text);
  return [answer.status, answer.text.trimEnd().split("\n")];
}

async function read(path: string): Promise<any> {
  const answer = await system.request(path, { token: system.tokens.opsRead });
  assert.equal(answer.status, 200, answer.text);
  answered.push(answer.text);
  return answer.json();
}

/** How each provider took the newest entry of the log: `mydns/home done took 8.8.8.8`. */
async function told(): Promise<string[]> {
  const { entries } = await read("/api/ddns/log?limit=1");
  return entries[0].providers.map(({ provider, result, detail }: any) => [provider, result, detail].filter(Boolean).join(" "));
}

async function states(host = HOME): Promise<any[]> {
  const { hosts } = await read("/api/ddns/hosts");
  return hosts.find((one: any) => one.host === host).providers;
}

/** Runs the cron as it is due so many seconds from now. */
async function cron(seconds: number): Promise<void> {
  const scheduledTime = new Date(Date.now() + seconds * 1000);
  assert.equal((await system.ddns.scheduled({ cron: "* * * * *", scheduledTime })).outcome, "ok");
}

const changes = () => cf.asked.map(({ request }) => request).filter((request) => !request.startsWith("GET "));

describe("a good update", () => {
  test("is in the book and at every provider, and keeps what is not its own", async () => {
    const a = cf.record("Home.example.com", "A", "8.8.4.4", { ttl: 300, proxied: true, comment: "the home" });
    const aaaa = cf.record(HOME, "AAAA", "2001:200::9");
    assert.deepEqual(await update(`hostname=${HOME}&myip=8.8.8.8,${V6}`), [200, [`good 8.8.8.8,${V6}`]]);
    assert.deepEqual(my.has(ID), { ipv4: "8.8.8.8", ipv6: V6 });
    assert.deepEqual([cf.contents(HOME), cf.contents(HOME, "AAAA")], [["8.8.8.8"], [V6]]);
    const host = await db.prepare("SELECT ipv4, ipv6 FROM hosts WHERE host = ?").bind(HOME).first();
    assert.deepEqual(host, { ipv4: "8.8.8.8", ipv6: V6 });
    const zone = cf.asked.find(({ request }) => request.startsWith("POST "))!;
    assert.match(zone.request, /^POST \/zones\/[0-9a-f]{32}\/dns_records\/batch$/);
    assert.deepEqual(zone.body, { patches: [{ id: a.id, content: "8.8.8.8" }, { id: aaaa.id, content: V6 }] });
    const kept = cf.kept(a.id)!;
    assert.deepEqual([kept.ttl, kept.proxied, kept.comment], [300, true, "the home"]);
    assert.deepEqual(await told(), [
      `mydns/home done took 8.8.8.8 and ${V6}`,
      `cloudflare/zone done A 8.8.8.8 instead of 8.8.4.4; AAAA ${V6} instead of 2001:200::9`,
    ]);
    const [mydns, zone_] = await states();
    assert.deepEqual([mydns.state, zone_.state, zone_.expires_at], ["current", "current", null]);
    assert.ok(Math.abs(Date.parse(mydns.expires_at) - Date.now() - 7 * 86_400_000) < 60_000, mydns.expires_at);
  });

  test("that changes nothing asks nobody", async () => {
    cf.record("nas.example.com", "A", "8.8.8.8");
    assert.deepEqual(await update("hostname=nas.example.com&myip=8.8.8.8"), [200, ["good 8.8.8.8"]]);
    assert.deepEqual(changes(), []);
    const before = cf.asked.length;
    assert.deepEqual(await update("hostname=nas.example.com&myip=8.8.8.8"), [200, ["nochg 8.8.8.8"]]);
    assert.equal(cf.asked.length, before);
  });

  test("of several hosts of a zone is one transaction", async () => {
    for (const name of [HOME, "nas.example.com"]) cf.record(name, "A", "8.8.4.4");
    const hosts = `${HOME},nas.example.com,new.example.com`;
    const lines = Array.from({ length: 3 }, () => "good 8.8.8.8");
    assert.deepEqual(await update(`hostname=${hosts}&myip=8.8.8.8`), [200, lines]);
    assert.equal(changes().length, 1, changes().join());
    assert.match(changes()[0]!, /batch$/);
    for (const name of hosts.split(",")) assert.deepEqual(cf.contents(name), ["8.8.8.8"], name);
    const zones = cf.asked.filter(({ request }) => request.startsWith("GET /zones?"));
    assert.equal(new Set(zones.map(({ request }) => request)).size, zones.length, "a zone is looked for once");
  });

  test("that comes with others at once leaves every provider with what the book has last", async () => {
    cf.record(HOME, "A", "8.8.4.4");
    const answers = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => update(`hostname=${HOME}&myip=8.8.8.${n}`)));
    assert.ok(answers.some(([, [line]]) => line!.startsWith("good ")), JSON.stringify(answers));
    await cron(90);
    const host = await db.prepare("SELECT ipv4 FROM hosts WHERE host = ?").bind(HOME).first<{ ipv4: string }>();
    assert.deepEqual([my.has(ID)?.ipv4, cf.contents(HOME)], [host!.ipv4, [host!.ipv4]]);
    assert.deepEqual((await states()).map(({ state }) => state), ["current", "current"]);
  });

  test("needs only the providers that matter", async () => {
    cf.record("extra.example.com", "A", "8.8.4.4");
    assert.deepEqual(await update("hostname=extra.example.com&myip=8.8.8.8"), [200, ["good 8.8.8.8"]]);
    const [, odd] = await told();
    assert.equal(odd, 'cloudflare/odd refused credentials "odd": is neither {"id","password"} nor {"token"}');
  });
});

describe("MyDNS.jp", () => {
  const bad: [what: string, behaviour: Behaviour, words: RegExp][] = [
    ["a maintenance page", maintenance, /answered 200 without a login_status: "MyDNS\.JP Sorry, the service is under maintenance/],
    ["nothing", empty, /answered 200 without a login_status: nothing/],
    ["503", broken, /answered 503/],
    ];
  for (const [what, behaviour, words] of bad) {
    test(`that answers ${what} is 911, and the cron tells it again`, async () => {
      my.behave(behaviour);
      assert.deepEqual(await update("hostname=my.example.com&myip=8.8.8.8"), [503, ["911"]]);
      assert.match((await told())[0]!, /^mydns\/home failed /);
      assert.match((await told())[0]!, words);
      assert.equal((await states("my.example.com"))[0].state, "failing");
      my.behave(null);
      await cron(1);
      assert.equal(my.notices.length, 1, "not at once");
      await cron(90);
      assert.equal(my.has(ID)?.ipv4, "8.8.8.8");
      assert.equal((await states("my.example.com"))[0].state, "current");
      assert.deepEqual(await update("hostname=my.example.com&myip=8.8.8.8"), [200, ["nochg 8.8.8.8"]]);
    });
  }

  test("that says 200 to a wrong password has taken nothing, and its page is quoted without credentials", async () => {
    accounts[ID] = "another";
    assert.deepEqual(await update("hostname=my.example.com&myip=8.8.8.8"), [503, ["911"]]);
    const [line] = await told();
    const page = "MyDNS.JP MASTERID : [hidden] PASSWORD : [hidden] login_status = 0.";
    assert.equal(line, `mydns/home refused refused the id or the password (login_status = 0): "${page}"`);
    accounts[ID] = PASSWORD;
    await cron(3600);
    assert.equal(my.has(ID)?.ipv4, "8.8.8.8");
    assert.ok(my.notices.every(({ request }) => request === "POST /directip.html"), "a password is in no URL");
  });

  test("that hangs, or breaks off, as Cloudflare does, is left after eight seconds, side by side", async () => {
    my.behave((response, id) => (id === ID ? hang : cutOff)(response, id));
    cf.behave(() => true);
    const begun = Date.now();
    assert.deepEqual(await update("hostname=slow.example.com&myip=8.8.8.8"), [503, ["911"]]);
    const seconds = (Date.now() - begun) / 1000;
    assert.ok(seconds > 7 && seconds < 13, `${seconds} s`);
    const [hung, cut, cloudflare] = await told();
    assert.equal(hung, "mydns/home failed no answer within 8000 ms");
    // Whoever relays for the worker here may notice at once, or not at all.
    assert.match(cut!, /^mydns\/other failed (the answer broke off|no answer within 8000 ms|no connection)/);
    assert.equal(cloudflare, "cloudflare/zone failed no answer within 8000 ms");
  });

  test("that fails does not keep Cloudflare from having the address", async () => {
    cf.record(HOME, "A", "8.8.4.4");
    my.behave(broken);
    assert.deepEqual(await update(`hostname=${HOME}&myip=8.8.8.8`), [503, ["911"]]);
    assert.deepEqual(cf.contents(HOME), ["8.8.8.8"]);
    my.behave(null);
    const before = cf.asked.length;
    await cron(90);
    assert.equal(my.has(ID)?.ipv4, "8.8.8.8");
    assert.equal(cf.asked.length, before, "who has it is not told again");
    assert.deepEqual((await states()).map(({ state }) => state), ["current", "current"]);
  });

  test("is told again after two hours, although nothing changed", async () => {
    assert.deepEqual(await update("hostname=my.example.com&myip=8.8.8.8"), [200, ["good 8.8.8.8"]]);
    await cron(3600);
    assert.equal(my.notices.length, 1);
    await cron(7300);
    assert.equal(my.notices.length, 2);
    const expires = Date.parse((await states("my.example.com"))[0].expires_at);
    assert.ok(expires > Date.now() + 7 * 86_400_000 + 7_000_000);
  });
});

describe("Cloudflare", () => {
  const NAS = "nas.example.com";
  const no = (status: number, code: number, message: string) => (response: any) => refuse(response, status, code, message);

  test("that asks to wait is left alone that long", async () => {
    cf.record(NAS, "A", "8.8.4.4");
    cf.behave(limited(600));
    assert.deepEqual(await update(`hostname=${NAS}&myip=8.8.8.8`), [503, ["911"]]);
    assert.equal(cf.asked.length, 1);
    assert.match((await told())[0]!, /^cloudflare\/zone failed has too many requests, and asks to wait 600 s: 971 /);
    cf.behave(null);
    await cron(300);
    assert.deepEqual(await update(`hostname=${NAS}&myip=8.8.8.8`), [503, ["911"]]);
    assert.equal(cf.asked.length, 1, "neither the cron nor a report asks");
    await cron(660);
    assert.deepEqual(cf.contents(NAS), ["8.8.8.8"]);
  });

  const bad: [what: string, behaviour: Parameters<CloudflarePeer["behave"]>[0], result: string, words: RegExp][] = [
    ["502 with a page", page(502), "failed", /answered 502: "Bad gateway error code: 502"/],
    ["200 with a page", page(200), "failed", /answered 200 without a result/],
    ["500 in its envelope", no(500, 1, "Internal"), "failed", /answered 500: 1 Internal/],
    ["success:false in a 200", no(200, 10000, "Authentication error"), "refused", /answered 200: 10000 Authentication error/],
    ["a 200 that is too long", (response) => (response.end("x".repeat(400_000)), true), "failed", /more than 262144 bytes/],
    ["nothing and breaks off", (response) => (response.destroy(), true), "failed", /broke off|no connection|fetch failed/],
  ];
  for (const [what, behaviour, result, words] of bad) {
    test(`that answers ${what} when a record is changed, leaves it as it was, and the cron changes it`, async () => {
      cf.record(NAS, "A", "8.8.4.4");
      cf.behave((response, asked) => asked.request.startsWith("PATCH ") && behaviour!(response, asked));
      assert.deepEqual(await update(`hostname=${NAS}&myip=8.8.8.8`), [503, ["911"]]);
      const [line] = await told();
      assert.ok(line!.startsWith(`cloudflare/zone ${result} `), line);
      assert.match(line!, words);
      assert.deepEqual(cf.contents(NAS), ["8.8.4.4"]);
      cf.behave(null);
      await cron(3600);
      assert.deepEqual(cf.contents(NAS), ["8.8.8.8"]);
    });
  }

  test("with a wrong token is refused, and its words are quoted without the token", async () => {
    assert.deepEqual(await update("hostname=stranger.example.com&myip=8.8.8.8"), [503, ["911"]]);
    const line = "refused the token or lacks a right of it: answered 403: 9109 Invalid access token Bearer [hidden]";
    assert.deepEqual(await told(), [`cloudflare/stranger refused ${line}`]);
    assert.equal(cf.asked.length, 1);
  });

  test("with several records of one name is refused by name and count, found on all pages", async () => {
    for (const content of ["8.8.4.4", "8.8.8.8", "9.9.9.9"]) cf.record(NAS, "A", content);
    cf.perPage = 2;
    assert.deepEqual(await update(`hostname=${NAS}&myip=8.8.8.8`), [503, ["911"]]);
    assert.deepEqual(await told(), [`cloudflare/zone refused ${NAS} has 3 A records in example.com: nobody knows which is the home's`]);
    assert.deepEqual(cf.contents(NAS), ["8.8.4.4", "8.8.8.8", "9.9.9.9"]);
  });

  test("creates a record only where that is said, with the settings for it", async () => {
    assert.deepEqual(await update(`hostname=${NAS}&myip=8.8.8.8`), [503, ["911"]]);
    assert.deepEqual(await told(), [`cloudflare/zone refused ${NAS} has no A record in example.com, and create is not set`]);
    assert.deepEqual(await update("hostname=new.example.com&myip=8.8.8.8"), [200, ["good 8.8.8.8"]]);
    const { ttl, proxied, content } = cf.asked.at(-1)!.body;
    assert.deepEqual([ttl, proxied, content], [120, false, "8.8.8.8"]);
  });

  test("that refuses one record of a batch changes the others all the same", async () => {
    for (const name of [HOME, NAS]) cf.record(name, "A", "8.8.4.4");
    cf.record("new.example.com", "CNAME", NAS);
    const [status, lines] = await update(`hostname=${HOME},new.example.com,${NAS}&myip=8.8.8.8`);
    assert.deepEqual([status, lines], [200, ["good 8.8.8.8", "911", "good 8.8.8.8"]]);
    assert.match(changes()[0]!, /batch$/);
    assert.equal(changes().length, 4);
    assert.deepEqual([cf.contents(HOME), cf.contents(NAS)], [["8.8.8.8"], ["8.8.8.8"]]);
    assert.deepEqual(cf.contents("new.example.com", "CNAME"), [NAS]);
  });
});

describe("after any single fault", () => {
  const faults: [string, NonNullable<Parameters<CloudflarePeer["behave"]>[0]>][] = [
    ["429", limited(30)],
    ["503", page(503)],
    ["an odd 200", page(200)],
    ["nothing", (response) => (response.destroy(), true)],
  ];
  for (const [what, fault] of faults) {
    test(`(${what}) an update that was answered good is in the book and at every provider, and another one soon is`, async () => {
      cf.record(HOME, "A", "8.8.4.1");
      cf.record(HOME, "AAAA", "2001:200::1");
      for (let nth = 1; nth <= 6; nth += 1) {
        const address = `8.8.8.${nth}`;
        const v6 = `2001:4860::${nth}`;
        const first = cf.asked.length;
        cf.behave((response, asked) => cf.asked.length - first === nth && fault(response, asked));
        const [, [line]] = await update(`hostname=${HOME}&myip=${address},${v6}`);
        const everywhere = () => [my.has(ID), { ipv4: cf.contents(HOME)[0], ipv6: cf.contents(HOME, "AAAA")[0] }];
        const all = [{ ipv4: address, ipv6: v6 }, { ipv4: address, ipv6: v6 }];
        const host = await db.prepare("SELECT ipv4, ipv6 FROM hosts WHERE host = ?").bind(HOME).first();
        assert.deepEqual(host, all[0]);
        assert.equal(line, nth <= 5 ? "911" : `good ${address},${v6}`, `request ${nth}`);
        if (line !== "911") assert.deepEqual(everywhere(), all);
        cf.behave(null);
        await cron(70);
        assert.deepEqual(everywhere(), all, `request ${nth}`);
        assert.ok((await states()).every(({ state }) => state === "current"));
      }
    });
  }
});

describe("credentials", () => {
  test("that are malformed are named, and nobody is asked", async () => {
    assert.deepEqual(await update("hostname=odd.example.com&myip=8.8.8.8"), [503, ["911"]]);
    assert.deepEqual(await told(), ['mydns/odd refused credentials "odd": is neither {"id","password"} nor {"token"}']);
    assert.equal(my.notices.length, 0);
  });

  test("are in no answer, no log line and no row, whatever went wrong, and nothing was ever blanked", async () => {
    accounts[ID] = "another";
    cf.record(HOME, "A", "8.8.4.4");
    cf.behave((response, asked) => asked.request.startsWith("PATCH ") && refuse(response, 400, 9109, `Bearer ${TOKEN}`));
    await update(`hostname=${HOME},odd.example.com,stranger.example.com&myip=8.8.8.8`);
    await cron(90);
    await read("/api/ddns/log");
    await states();
    const rows = await Promise.all((await tables()).map(async ({ name }) => (await db.prepare(`SELECT * FROM "${name}"`).all()).results));
    await sleep(100); // logs come a moment later
    const kept = JSON.stringify([rows, answered, system.logs()]);
    assert.match(kept, /\[hidden\]/);
    const json = JSON.stringify(PASSWORD).slice(1, -1);
    const secrets = [ID, PASSWORD, "mydns271828", "other-pass", json, JSON.stringify(json).slice(1, -1), encodeURIComponent(PASSWORD), TOKEN, "cfToken-of-somebody", "only-an-id-31415"];
    for (const secret of secrets) assert.ok(!kept.includes(secret), `${secret} is kept`);
    assert.ok(my.notices.every(({ ipv4, ipv6 }) => ipv4 !== "" && ipv6 !== ""));
    assert.ok(cf.written.length > 0);
    for (const line of cf.written) assert.match(line, / (A \d+(\.\d+){3}|AAAA [0-9a-f:]+)$/);
  });
});
