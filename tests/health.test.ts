// The health of the whole, as the ddns worker tells it: its own, that of what it watches and tells, and
// what pack and status say of themselves.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type D1, type System, TIMEOUT, assertProblem, start } from "./support/harness.ts";
import { type Receiver, receiver, status } from "./support/receiver.ts";
import { Clock, get } from "./support/services.ts";

let site: Receiver;
let system: System;
let db: D1;
let clock: Clock;

before(async () => {
  site = await receiver();
  const http = (id: string, more: object = {}) => ({ id, kind: "http", url: `${site.url}/${id}`, failures: 1, public: true, ...more });
  system = await start({
    ddns: {
      hosts: [{ host: "home.example.com" }],
      services: [http("web"), http("extra", { critical: false }), http("hidden", { public: false })],
      alerts: [
        { name: "ops-chat", kind: "webhook", secret: "HOOK", url: `${site.url}/hook` },
        { name: "no-secret", kind: "slack", secret: "FORGOTTEN" },
        { name: "letters", kind: "email", from: "genkan@example.com", to: "me@example.com" },
      ],
    },
    ddnsSecrets: { ALERTS: JSON.stringify({ HOOK: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }) },
  });
  db = (await system.env("ddns")).OPS_DB;
  clock = new Clock(system, Date.now() - 60_000);
  for (const worker of [system.pack, system.status]) await worker.scheduled({ cron: "* * * * *" });
});
after(async () => {
  await system?.close();
  await site?.close();
});

const operator = () => ({ token: system.tokens.opsRead });

/** Status, and of each check that does not pass its own and what it says. */
async function wrong(options = {}): Promise<[number, string, Record<string, [string, string]>]> {
  await new Promise((resolve) => setTimeout(resolve, 3100)); // what the others said is kept for 3 seconds
  const answer = await system.request("/api/health", options);
  assert.match(answer.headers["content-type"] ?? "", /^application\/health\+json/);
  const { status, serviceId, checks } = answer.json();
  assert.equal(serviceId, "ddns");
  for (const [name, all] of Object.entries<any>(checks)) {
    for (const check of all) assert.equal(check.status === "pass", check.output === undefined, name);
  }
  const those = Object.entries<any>(checks).filter(([, [check]]) => check.status !== "pass");
  return [answer.status, status, Object.fromEntries(those.map(([name, [check]]) => [name, [check.status, check.output]]))];
}

describe("health", { timeout: TIMEOUT }, () => {
  test("warns of runs that do not come to their end, and knows of no service any more that is not checked", async () => {
    const past = new Clock(system, Date.now() - 20 * 60_000);
    await past.tick();
    // The run that writes what it found breaks off; so does each one after it.
    await db.prepare("CREATE TRIGGER stuck BEFORE UPDATE ON book BEGIN SELECT RAISE(ABORT, 'stuck'); END").run();
    const since = past.text;
    await clock.tick();
    const [code, , said] = await wrong();
    assert.equal(code, 200);
    assert.deepEqual(said["cron:age"], ["warn", "the cron has not run to its end for over 3 minutes"]);
    assert.deepEqual(said["services:age"], ["warn", "no service was checked for over 3 minutes"]);
    assert.deepEqual(said["service.web:state"], ["warn", `unknown: not checked since ${since}`]);
    const one = await get(system, "/api/health?service=web");
    assert.equal(one.checks["web:state"][0].output, `unknown: not checked since ${since}`);
    assert.match((await system.request("/badge/service/web.svg")).text, /: unknown</);
    const { state, reason, last_checked_at } = await get(system, "/api/services/web");
    assert.deepEqual([state, reason, last_checked_at], ["unknown", `not checked since ${since}`, since]);
    const metrics = await (await system.ddns.fetch("http://ddns.test/metrics")).text();
    assert.doesNotMatch(metrics, /genkan_service_up\{service="web"/);
    assert.match(metrics, /genkan_service_last_check_age_seconds\{service="web"\} 1[01]\d\d\n/);
    await db.prepare("DROP TRIGGER stuck").run();
    await clock.tick();
    const [, , well] = await wrong();
    for (const name of ["cron:age", "services:age", "service.web:state"]) assert.ok(!(name in well), name);
  });

  test("warns of a channel that lacks its secret before there is an alert", async () => {
    assert.equal((await wrong())[2]["alerts:failing"]?.[1], "1 of 3 alert channels fail");
    const [, , operators] = await wrong(operator());
    assert.equal(operators["alerts:failing"]?.[1], "1 of 3 alert channels fail (no-secret: the secret ALERTS has no FORGOTTEN)");
  });

  test("joins what pack and status say of themselves", async () => {
    await clock.tick();
    const { checks } = await get(system, "/api/health");
    for (const name of ["ops-db:responseTime", "cron:age", "services:age", "ops-db:rowsWritten", "pack.packs:responseTime", "status.cron:age", "service.web:state"]) {
      assert.ok(name in checks, `${name} in ${Object.keys(checks)}`);
    }
    assert.ok(!("service.hidden:state" in checks));
    assert.ok("service.hidden:state" in (await get(system, "/api/health", operator())).checks);
  });

  test("warns of a broken control document that status has", async () => {
    const { STATUS_KV } = await system.env("status");
    await STATUS_KV.put("control", "{");
    const [code, status, said] = await wrong();
    assert.deepEqual([code, status], [200, "warn"]);
    assert.match(said["status.control:document"]?.[1] ?? "", /no control document/);
    await STATUS_KV.delete("control");
  });

  test("fails for what is critical, warns for what is not, and not for what the reader may not see", async () => {
    site.answer("/hidden", status(500));
    await clock.tick();
    const [code, , said] = await wrong();
    assert.equal(code, 200);
    assert.ok(!JSON.stringify(said).includes("hidden"));
    assert.equal((await wrong(operator()))[0], 503);
    site.answer("/extra", status(500));
    await clock.tick();
    const [, , extra] = await wrong();
    assert.equal(extra["service.extra:state"]?.[0], "warn");
    site.answer("/web", status(500));
    await clock.tick();
    const [failed, whole, web] = await wrong();
    assert.deepEqual([failed, whole, web["service.web:state"]?.[0]], [503, "fail", "fail"]);
    assert.equal((await system.request("/api/health?format=simple")).json().status, "error");
    await clock.tick();
    assert.equal((await wrong())[0], 200);
  });

  test("is told of one service", async () => {
    const web = await get(system, "/api/health?service=web");
    assert.deepEqual([web.status, web.serviceId, Object.keys(web.checks)], ["pass", "web", ["web:responseTime", "web:state"]]);
    site.answer("/extra", status(500));
    await clock.tick();
    const extra = await system.request("/api/health?service=extra");
    assert.deepEqual([extra.status, extra.json().status], [503, "fail"]);
    assert.equal((await system.request("/api/health?service=extra&format=simple")).status, 503);
    assertProblem(await system.request("/api/health?service=hidden"), 404, "not-found");
    assert.equal((await system.request("/api/health?service=hidden", operator())).status, 200);
    assertProblem(await system.request("/api/health", { token: "wrong" }), 401, "unauthorized");
    await clock.tick();
  });

  test("warns of a channel and of a provider that fail, and names them to operators alone", async () => {
    site.answer("/hook", ...Array.from({ length: 20 }, () => status(500)));
    site.answer("/extra", status(500));
    await clock.tick();
    await db.prepare("INSERT INTO provider_states (host, provider, error) VALUES ('home.example.com', 'mydns', 'login_status = 0')").run();
    await db.prepare("INSERT INTO provider_states (host, provider, expires_at) VALUES ('home.example.com', 'other', '2020-01-01T00:00:00Z')").run();
    const [, , anyone] = await wrong();
    assert.match(anyone["alerts:failing"]?.[1] ?? "", /^2 of 3 alert channels fail/);
    assert.equal(anyone["providers:failing"]?.[1], "1 of 2 DNS providers fail; 1 of 2 DNS providers forget a host within two days");
    for (const word of ["ops-chat", "no-secret", "mydns", "home.example.com", "login_status"]) assert.ok(!JSON.stringify(anyone).includes(word), word);
    const [, , operators] = await wrong(operator());
    assert.match(operators["alerts:failing"]?.[1] ?? "", /ops-chat: /);
    assert.match(operators["providers:failing"]?.[1] ?? "", /home\.example\.com mydns: login_status = 0/);
    // What nobody has tried for long says nothing more.
    await db.prepare("UPDATE alerts SET settled_at = at").run();
    await db.prepare("UPDATE alert_channels SET day = date('now', '-8 days')").run();
    assert.match((await wrong())[2]["alerts:failing"]?.[1] ?? "", /^1 of 3 alert channels fail$/);
  });

  test("fails without its database, and only that", async () => {
    for (const table of ["book", "ticks"]) await db.prepare(`DROP TABLE ${table}`).run();
    const [code, whole, said] = await wrong();
    assert.deepEqual([code, whole, said["ops-db:responseTime"]?.[0]], [503, "fail", "fail"]);
    const web = await system.request("/api/health?service=web");
    assert.match(web.headers["content-type"] ?? "", /^application\/health\+json/);
    assert.deepEqual([web.status, web.json().status, web.json().serviceId], [503, "fail", "web"]);
    assert.equal(web.json().checks["ops-db:responseTime"][0].status, "fail");
    const simple = await system.request("/api/health?service=web&format=simple");
    assert.deepEqual([simple.status, simple.json().status], [503, "error"]);
    assertProblem(await system.request("/api/health?service=hidden"), 404, "not-found");
    const { checks } = (await system.request("/api/health")).json();
    assert.ok("pack.packs:responseTime" in checks);
    const broken = await system.request("/api/services");
    assertProblem(broken, 503, "unavailable");
    assert.doesNotMatch(broken.text, /SELECT|no such table/i);
    assert.equal((await system.request("/health")).text.trimEnd(), "healthy");
  });
});
