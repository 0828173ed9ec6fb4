// The log of updates, as it is searched.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { type Ddns, MYDNS, ZONE, ddns } from "./support/ddns.ts";
import { assertProblem } from "./support/harness.ts";

const HOME = "home.example.com";
const PLAIN = "plain.example.com";

let d: Ddns;
before(async () => {
  d = await ddns({ hosts: [{ host: HOME, providers: [MYDNS, ZONE] }, { host: PLAIN }] });
});
beforeEach(() => d.reset());
after(() => d?.close());

describe("the log", () => {
  test("is searched by host, token, decision and time, page by page", async () => {
    await d.update(`hostname=${HOME},${PLAIN}&myip=8.8.8.8`);
    await d.update(`hostname=${HOME}&myip=8.8.8.8`, { token: d.system.tokens.ddnsHome });
    await d.update(`hostname=${PLAIN}&myip=10.0.0.1`);
    await d.cron(7300);
    const found = async (query: string) => {
      const { entries } = await d.read(`/api/ddns/log?${query}`);
      return entries.map((one: any) => `${one.host} ${one.token} ${one.decision}`);
    };
    const [refreshed, refused, same, plain, home] = [
      `${HOME} cron good`,
      `${PLAIN} ddnsUpdate dnserr`,
      `${HOME} ddnsHome nochg`,
      `${PLAIN} ddnsUpdate good`,
      `${HOME} ddnsUpdate good`,
    ];
    assert.deepEqual(await found(""), [refreshed, refused, same, plain, home]);
    assert.deepEqual(await found(`host=${HOME}`), [refreshed, same, home]);
    assert.deepEqual(await found(`host=${PLAIN.toUpperCase()}&decision=dnserr`), [refused]);
    assert.deepEqual(await found("token=ddnsHome"), [same]);
    assert.deepEqual(await found("decision=good&token=ddnsUpdate"), [plain, home]);
    const hour = new Date(Date.now() + 3_600_000).toISOString();
    assert.deepEqual(await found(`since=${hour}`), [refreshed]);
    assert.deepEqual(await found(`until=${hour}&host=${HOME}`), [same, home]);
    assert.deepEqual(await found(`until=${encodeURIComponent("2020-01-01T00:00:00+09:00")}`), []);
    const first = await d.read(`/api/ddns/log?host=${HOME}&limit=2`);
    const second = await d.read(`/api/ddns/log?host=${HOME}&limit=2&cursor=${first.next_cursor}`);
    assert.deepEqual([first.entries.length, second.entries.length, second.next_cursor], [2, 1, null]);
  });

  test("has entries of one shape, whoever wrote them", async () => {
    await d.update(`hostname=${HOME},x.example.com&myip=8.8.8.8,10.0.0.1`);
    await d.cron(7300);
    const { entries } = await d.read("/api/ddns/log");
    assert.equal(entries.length, 3);
    for (const entry of entries) {
      const { id, at, providers, reported, ...rest } = entry;
      assert.deepEqual(Object.keys(entry), ["id", "at", "token", "client", "host", "reported", "decision", "providers", "before", "after"]);
      assert.deepEqual(Object.keys(reported), ["ipv4", "ipv6", "refused"]);
      assert.deepEqual([typeof id, Array.isArray(providers), typeof rest.token], ["number", true, "string"]);
      assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      for (const one of providers) assert.deepEqual(Object.keys(one), ["provider", "result", "detail"]);
    }
    assert.deepEqual(entries[2].reported.refused, [{ address: "10.0.0.1", reason: "private" }]);
  });

  test("is searched by what is no host as it was named", async () => {
    await d.update(`hostname=Home,${PLAIN}&myip=8.8.8.8`);
    const found = async (host: string) => (await d.read(`/api/ddns/log?host=${host}`)).entries.map((one: any) => `${one.host} ${one.decision}`);
    assert.deepEqual(await found("Home"), ["Home notfqdn"]);
    assert.deepEqual(await found("home"), []);
    assert.deepEqual(await found(`${PLAIN.toUpperCase()}.`), [`${PLAIN} good`]);
  });

  test("refuses a search that means nothing", async () => {
    for (const [query, detail] of [
      ["since=yesterday", /since is not a time/],
      ["until=2026-11-21", /until is not a time/],
      ["hosts=a", /"hosts" is not known; known are cursor, limit, host/],
      ["cursor=x", /cursor is not a number/],
    ] as const) {
      const answer = await d.system.request(`/api/ddns/log?${query}`, { token: d.system.tokens.opsRead });
      assertProblem(answer, 400, "bad-request", detail);
    }
    const injected = await d.read("/api/ddns/log?host=%27%20OR%201=1--");
    assert.deepEqual(injected.entries, []);
  });

  test("forgets after 400 days, and only then", async () => {
    await d.update(`hostname=${PLAIN}&myip=8.8.8.8`);
    const at = (days: number) => {
      const moment = new Date(Date.now() + days * 86_400_000);
      moment.setUTCMinutes(17, 30, 0);
      return (moment.getTime() - Date.now()) / 1000;
    };
    await d.db.prepare("INSERT INTO provider_states (host, provider) VALUES (?, 'mydns/gone')").bind(HOME).run();
    await d.cron(at(399));
    assert.equal((await d.read("/api/ddns/log")).entries.length, 1);
    assert.deepEqual(await d.rows("SELECT * FROM provider_states"), [], "nor what is configured no more");
    await d.cron(at(401));
    assert.deepEqual((await d.read("/api/ddns/log")).entries, []);
    assert.deepEqual(await d.addresses(PLAIN), ["8.8.8.8", null]);
  });
});
