// Publications that wait for their time: late rather than never, and once.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertProblem, start, TIMEOUT, type System } from "./support/harness.ts";
import { assertAgreed, cron, details, history, latest, operate, publish, store } from "./support/manage.ts";
import { stored } from "./support/packs.ts";

const DAY = 24 * 60 * 60 * 1000;

let system: System;
before(async () => {
  system = await start();
});
after(() => system.close());

/** RFC 3339 without fractions. */
const inDays = (days: number) => new Date(Date.now() + days * DAY).toISOString().replace(/\.\d+Z$/, "Z");

async function schedule(pack: string, sha1: string, at: string, channel = "stable"): Promise<any> {
  const answer = await operate(system, "POST", `/api/packs/${pack}/publish`, { sha1, channel, at });
  assert.equal(answer.status, 202, answer.text);
  return answer.json();
}

test("a time that lies ahead is 202, and nothing is published before it", { timeout: TIMEOUT }, async () => {
  const [one = "", two = ""] = await store(system, "ahead", "one", "two");
  await publish(system, "ahead", one);
  const current = await latest(system, "ahead");
  const at = inDays(2);
  const answer = await operate(system, "POST", "/api/packs/ahead/publish", { sha1: two, at });
  assert.equal(answer.status, 202, answer.text);
  assert.equal(answer.headers["cache-control"], "no-store");
  const body = answer.json();
  assert.deepEqual([body.sha1, body.release, body.channel], [two, 2, "stable"]);
  assert.deepEqual([body.published, body.previous, body.published_at, body.scheduled_at], [false, one, null, at]);
  assert.deepEqual(body.warnings, []);
  await cron(system);
  await cron(system, 1.9);
  assert.deepEqual(await latest(system, "ahead"), current);
  assert.deepEqual((await details(system, "ahead")).scheduled, [{ channel: "stable", sha1: two, at, by: "operator" }]);
  assert.deepEqual((await history(system, "ahead")).at(-1), ["schedule", "operator", "stable", null, two]);

  await cron(system, 2.1);
  const record = await assertAgreed(system, "ahead");
  assert.equal(record.sha1, two);
  assert.ok(Date.parse(record.published_at) >= Date.parse(at));
  const pack = await details(system, "ahead");
  assert.deepEqual(pack.scheduled, []);
  assert.deepEqual((await history(system, "ahead")).at(-1), ["publish", "operator", "stable", one, two]);
  assert.equal((await operate(system, "POST", "/api/packs/ahead/rollback", {})).json().sha1, one);
});

test("what is long due is published late rather than never, and once", { timeout: TIMEOUT }, async () => {
  const [one = ""] = await store(system, "late", "one");
  await schedule("late", one, inDays(1));
  await Promise.all([cron(system, 20), cron(system, 20), cron(system, 21)]);
  assert.equal((await assertAgreed(system, "late")).sha1, one);
  const after = await stored(system);
  await cron(system, 22);
  assert.deepEqual(await stored(system), after);
  assert.deepEqual((await history(system, "late")).map(([action]) => action), ["schedule", "publish"]);
});

test("a time that has passed publishes now", { timeout: TIMEOUT }, async () => {
  const [one = "", two = ""] = await store(system, "past", "one", "two");
  for (const [sha1, at] of [[one, inDays(-1)], [two, "2020-02-29T23:59:59+09:00"]] as const) {
    const answer = await operate(system, "POST", "/api/packs/past/publish", { sha1, at });
    assert.equal(answer.status, 200, answer.text);
    assert.equal("scheduled_at" in answer.json(), false);
    assert.equal((await assertAgreed(system, "past")).sha1, sha1);
    assert.ok(Math.abs(Date.parse(answer.json().published_at) - Date.now()) < 60_000);
  }
  assert.deepEqual((await details(system, "past")).scheduled, []);
});

test("a second schedule for a channel replaces the first, other channels keep theirs", { timeout: TIMEOUT }, async () => {
  const [one = "", two = "", three = ""] = await store(system, "replaced", "one", "two", "three");
  await schedule("replaced", one, inDays(1));
  await schedule("replaced", three, inDays(3), "beta");
  await schedule("replaced", two, inDays(2));
  const again = await stored(system);
  await schedule("replaced", two, (await details(system, "replaced")).scheduled.at(-1).at);
  assert.deepEqual(await stored(system), again, "the same schedule again changes nothing");
  await cron(system, 1.5);
  assert.equal((await system.request("/api/pack/latest?pack=replaced")).status, 404);
  await cron(system, 4);
  assert.equal((await assertAgreed(system, "replaced")).sha1, two);
  assert.equal((await assertAgreed(system, "replaced", "beta")).sha1, three);
  assert.equal((await history(system, "replaced")).filter(([action]) => action === "publish").length, 2);
});

test("a schedule can be called off, once", { timeout: TIMEOUT }, async () => {
  const [one = "", two = ""] = await store(system, "off", "one", "two");
  await publish(system, "off", one);
  await schedule("off", two, inDays(1));
  const path = "/api/packs/off/scheduled/stable";
  const answer = await operate(system, "DELETE", path);
  assert.deepEqual([answer.status, answer.text], [204, ""]);
  assert.equal(answer.headers["cache-control"], "no-store");
  assertProblem(await operate(system, "DELETE", path), 404, "not-found", /scheduled/);
  assert.deepEqual((await history(system, "off")).at(-1), ["unschedule", "operator", "stable", two, null]);
  await cron(system, 2);
  assert.equal((await assertAgreed(system, "off")).sha1, one);
});

test("a scheduled release cannot be deleted until it is called off", { timeout: TIMEOUT }, async () => {
  const [one = ""] = await store(system, "held", "one");
  await schedule("held", one, inDays(1));
  const path = `/api/packs/held/releases/${one}`;
  assertProblem(await operate(system, "DELETE", path), 409, "conflict", /scheduled.*stable/);
  assert.equal((await operate(system, "DELETE", "/api/packs/held/scheduled/stable")).status, 204);
  assert.equal((await operate(system, "DELETE", path)).status, 204);
});

test("what is due for one pack is published although another pack's registry is broken", { timeout: TIMEOUT }, async () => {
  const [one = ""] = await store(system, "whole", "one");
  await store(system, "broken", "one");
  await schedule("whole", one, inDays(1));
  const { PACKS } = await system.env("pack");
  const registry = (await (await PACKS.get("registry/broken.json"))?.text()) ?? "";
  await PACKS.put("registry/broken.json", registry.slice(0, -10));
  await cron(system, 2);
  assert.equal((await assertAgreed(system, "whole")).sha1, one);
  assert.match(JSON.stringify(system.logs()), /registry\/broken\.json/);
  await PACKS.put("registry/broken.json", registry);
});
