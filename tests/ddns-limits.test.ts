// How much is let through: wrong guesses of a client, updates of a token, a host that goes to and fro.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { type Ddns, basic, ddns } from "./support/ddns.ts";

const HOME = "home.example.com";
const HOSTS = [{ host: HOME }, { host: "b.example.com" }];

let d: Ddns;
before(async () => {
  d = await ddns({ hosts: HOSTS });
});
beforeEach(() => d.reset());
after(() => d?.close());

const asked = (token: string, from: string, path = `/nic/update?hostname=${HOME}&myip=8.8.8.8`) =>
  d.system.request(path, { headers: { "CF-Connecting-IP": from, Authorization: basic(token) } });

describe("a client that guesses", () => {
  test("is refused after 20 wrong ones, with the right password too, everywhere, and only it", async () => {
    for (let guess = 1; guess <= 20; guess += 1) {
      const answer = await asked(`guess-${guess}`, "8.8.1.1");
      assert.deepEqual([answer.status, answer.text], [401, "badauth\n"], String(guess));
    }
    for (const token of ["one-more", d.system.tokens.ddnsUpdate]) {
      const answer = await asked(token, "8.8.1.1");
      assert.deepEqual([answer.status, answer.text], [429, "abuse\n"]);
      assert.equal(Number(answer.headers["content-length"]), answer.body.length);
      const seconds = Number(answer.headers["retry-after"]);
      assert.ok(seconds > 0 && seconds <= 60, String(seconds));
    }
    for (const path of ["/api/ddns/log", "/api/ddns/hosts"]) {
      const headers = { "CF-Connecting-IP": "8.8.1.1" };
      const answer = await d.system.request(path, { token: d.system.tokens.opsRead, headers });
      assert.deepEqual([answer.status, answer.json().code], [429, "rate-limited"]);
    }
    const head = await d.system.request(`/nic/update?hostname=${HOME}`, { method: "HEAD", headers: { "CF-Connecting-IP": "8.8.1.1", Authorization: basic(d.system.tokens.ddnsUpdate) } });
    assert.equal(head.status, 429);
    assert.deepEqual(await d.addresses(HOME), null);
    assert.deepEqual((await asked(d.system.tokens.ddnsUpdate, "8.8.1.2")).text, "good 8.8.8.8\n");
    const [block] = await d.rows("SELECT * FROM blocks");
    assert.equal(block.client, "8.8.1.1");
  });

  test("is counted and refused wherever a token is looked at", async () => {
    const paths = [["GET", "/api/services"], ["GET", "/api/incidents"], ["GET", "/api/health"], ["POST", "/api/services/web/pause"], ["POST", "/api/incidents/1/ack"], ["POST", "/api/heartbeat/job"]] as const;
    for (const [index, [method, path]] of paths.entries()) {
      const headers = { "CF-Connecting-IP": `8.8.2.${index}` };
      for (let guess = 1; guess <= 20; guess += 1) {
        const answer = await d.system.request(path, { method, token: `guess-${guess}`, headers });
        assert.equal(answer.status, 401, `${path} ${answer.text}`);
      }
      for (const token of ["one-more", d.system.tokens.operator]) {
        const answer = await d.system.request(path, { method, token, headers });
        assert.deepEqual([answer.status, answer.json().code], [429, "rate-limited"], path);
        assert.ok(Number(answer.headers["retry-after"]) > 0);
      }
      assert.equal((await asked(d.system.tokens.ddnsUpdate, headers["CF-Connecting-IP"])).status, 429);
    }
    // Who shows no token guesses none.
    assert.equal((await d.system.request("/api/services", { headers: { "CF-Connecting-IP": "8.8.2.0" } })).status, 200);
  });

  test("is refused by an instance that knows it from the database alone", async () => {
    const until = Math.floor(Date.now() / 1000) + 30;
    await d.db.prepare("INSERT INTO blocks VALUES ('8.8.1.3', ?)").bind(until).run();
    const answer = await asked(d.system.tokens.ddnsUpdate, "8.8.1.3");
    assert.deepEqual([answer.status, answer.text], [429, "abuse\n"]);
    assert.ok(Number(answer.headers["retry-after"]) <= 30);
    assert.deepEqual(await d.addresses(HOME), null);
  });

  test("is one client whatever address of its network it takes", async () => {
    for (let guess = 1; guess <= 20; guess += 1) await asked("wrong", `2001:4860:1:2::${guess}`);
    assert.equal((await asked(d.system.tokens.ddnsUpdate, "2001:4860:1:2:ffff::1")).status, 429);
    assert.equal((await asked(d.system.tokens.ddnsUpdate, "2001:4860:1:3::1")).status, 200);
  });

  test("costs the database nothing but one row", async () => {
    for (let guess = 1; guess <= 60; guess += 1) await asked("wrong", "8.8.1.4");
    assert.equal((await d.rows("SELECT * FROM updates")).length, 0);
    assert.equal((await d.rows("SELECT * FROM blocks")).length, 1);
  });

  test("who sends nothing, or a token for other things, does not guess", async () => {
    for (let n = 1; n <= 25; n += 1) {
      await d.system.request(`/nic/update?hostname=${HOME}`, { headers: { "CF-Connecting-IP": "8.8.1.5" } });
      await asked(d.system.tokens.opsRead, "8.8.1.5");
    }
    assert.equal((await asked(d.system.tokens.ddnsUpdate, "8.8.1.5")).status, 200);
  });
});

describe("a token", () => {
  test("updates 30 times in 10 minutes, whatever comes of it, and others go on", async () => {
    const { ddnsUpdate, operator } = d.system.tokens;
    for (let n = 1; n <= 30; n += 1) {
      const [status] = await d.update(n % 3 ? `hostname=${HOME}&myip=8.8.8.${n}` : "hostname=x.example.com&myip=8.8.8.8");
      assert.notEqual(status, 429, String(n));
    }
    const over = await asked(ddnsUpdate, "9.9.9.9");
    assert.deepEqual([over.status, over.text], [429, "abuse\n"]);
    const seconds = Number(over.headers["retry-after"]);
    assert.ok(seconds > 500 && seconds <= 600, String(seconds));
    const report = await d.post("/api/ddns/report", { ipv4: "8.8.8.8" });
    assert.deepEqual([report.status, report.body.code], [429, "rate-limited"]);
    assert.equal((await d.update(`hostname=${HOME}&myip=1.1.1.2`, { method: "HEAD" }))[0], 429);
    for (let n = 1; n <= 20; n += 1) await asked(ddnsUpdate, `9.9.9.${n + 10}`);
    assert.deepEqual(await d.addresses(HOME), ["8.8.8.29", null]);
    const refused = await d.rows("SELECT decision, host FROM updates WHERE decision = 'abuse'");
    assert.deepEqual(refused, [{ decision: "abuse", host: HOME }], "it is on record once");
    assert.deepEqual(await d.update(`hostname=${HOME}&myip=8.8.4.4`, { token: operator }), [200, "good 8.8.4.4"]);
  });

  test("that is held back names no host that it is not for: nobody reported it", async () => {
    const { ddnsHome, ddnsUpdate } = d.system.tokens;
    await d.update("hostname=b.example.com&myip=8.8.8.8", { token: ddnsUpdate, from: "8.8.8.8" });
    const now = Math.floor(Date.now() / 1000);
    await d.db.prepare("INSERT INTO rates VALUES ('ddnsHome', ?, 'x')").bind(JSON.stringify(Array(30).fill(now))).run();
    const held = await d.update("hostname=b.example.com&myip=6.6.6.6", { token: ddnsHome, from: "6.6.6.6" });
    assert.deepEqual(held, [429, "abuse"]);
    const log = await d.rows("SELECT host FROM updates WHERE decision = 'abuse'");
    assert.deepEqual(log, [{ host: null }]);
    const { hosts } = await d.read("/api/ddns/hosts");
    assert.equal(hosts.find((one: any) => one.host === "b.example.com").seen.ipv4, "8.8.8.8");
  });

  test("has its updates back when ten minutes are over", async () => {
    const { operator } = d.system.tokens;
    const old = Math.floor(Date.now() / 1000) - 601;
    const times = JSON.stringify([old, ...Array(29).fill(old + 600)]);
    await d.db.prepare("INSERT INTO rates VALUES ('operator', ?, 'x')").bind(times).run();
    assert.equal((await d.update(`hostname=${HOME}&myip=8.8.8.8`, { token: operator }))[0], 200);
    assert.equal((await d.update(`hostname=${HOME}&myip=8.8.8.8`, { token: operator }))[0], 429);
    const [{ length }] = await d.rows("SELECT json_array_length(times) AS length FROM rates");
    assert.equal(length, 30);
  });
});

describe("a host that goes to and fro", () => {
  test("is stopped after five rounds, keeps its address, and lets any other one through", async () => {
    const token = d.system.tokens.ddnsHome;
    const answers: unknown[] = [];
    for (let n = 0; n < 14; n += 1) answers.push((await d.update(`hostname=${HOME}&myip=8.8.8.${n % 2 ? 4 : 8}`, { token }))[1]);
    assert.deepEqual(answers.slice(0, 10).map((line) => String(line).split(" ")[0]), Array(10).fill("good"));
    assert.deepEqual(answers.slice(10), ["abuse", "nochg 8.8.8.4", "abuse", "nochg 8.8.8.4"]);
    const alone = await d.update(`hostname=${HOME}&myip=8.8.8.8`, { token });
    assert.deepEqual(alone, [429, "abuse"]);
    assert.deepEqual(await d.addresses(HOME), ["8.8.8.4", null]);
    const dry = await d.post("/api/ddns/report", { hostnames: [HOME], ipv4: "8.8.8.8", dry_run: true }, { token });
    assert.equal(dry.body.hosts[0].result, "abuse");
    assert.match(dry.body.hosts[0].why, /too often/);
    assert.deepEqual(await d.update(`hostname=${HOME}&myip=8.8.9.9`, { token }), [200, "good 8.8.9.9"]);
    const rolled = await d.post(`/api/ddns/hosts/${HOME}/rollback`, "", { token });
    assert.equal(rolled.body.after.ipv4, "8.8.8.4", "an operator is not stopped");
  });

  test("is let go on after an hour", async () => {
    const by = { token: d.system.tokens.ddnsHome };
    for (let n = 0; n < 10; n += 1) await d.update(`hostname=${HOME}&myip=8.8.8.${n % 2 ? 4 : 8}`, by);
    assert.deepEqual(await d.update(`hostname=${HOME}&myip=8.8.8.8`, by), [429, "abuse"]);
    await d.db.prepare("UPDATE updates SET at = '2026-01-01T00:00:00Z'").run();
    assert.deepEqual(await d.update(`hostname=${HOME}&myip=8.8.8.8`, by), [200, "good 8.8.8.8"]);
  });
});
