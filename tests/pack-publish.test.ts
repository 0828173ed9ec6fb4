// Publications and rollbacks by request, now or at a time: what is answered, what readers then get.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertProblem, start, TIMEOUT, type Answer, type System } from "./support/harness.ts";
import { announced, assertAgreed, details, eventually, history, latest, logged } from "./support/manage.ts";
import { operate, publish, store } from "./support/manage.ts";
import { packNamed, sha1, stored, upload } from "./support/packs.ts";

const DAY = 24 * 60 * 60 * 1000;
const UNKNOWN = "0123456789abcdef0123456789abcdef01234567";

let system: System;
before(async () => {
  system = await start();
});
after(() => system.close());

const rollBack = (pack: string, channel = "stable") =>
  operate(system, "POST", `/api/packs/${pack}/rollback`, { channel });

/** RFC 3339 without fractions. */
const inDays = (days: number) => new Date(Date.now() + days * DAY).toISOString().replace(/\.\d+Z$/, "Z");

test("a publication answers the record, what was before, and readers get it at once", { timeout: TIMEOUT }, async () => {
  const [one = "", two = ""] = await store(system, "plain", "one", "two");
  const first = await operate(system, "POST", "/api/packs/plain/publish", { sha1: one });
  assert.equal(first.status, 200, first.text);
  assert.equal(first.headers["cache-control"], "no-store");
  assert.equal(first.headers["access-control-allow-origin"], undefined);
  const { published, previous, warnings, ...record } = first.json();
  assert.deepEqual([published, previous, warnings], [true, null, []]);
  assert.deepEqual(await assertAgreed(system, "plain"), record);
  assert.deepEqual([record.sha1, record.release, record.channel], [one, 1, "stable"]);
  assert.ok(Math.abs(Date.parse(record.published_at) - Date.now()) < 60_000);

  const second = await publish(system, "plain", two.toUpperCase());
  assert.deepEqual([second.published, second.previous, second.sha1, second.release], [true, one, two, 2]);
  assert.equal((await assertAgreed(system, "plain")).sha1, two);
  const download = await system.request(`/packs/${two}.zip`);
  assert.equal(sha1(download.body), two);
  assert.deepEqual(await history(system, "plain"), [
    ["publish", "operator", "stable", null, one],
    ["publish", "operator", "stable", one, two],
  ]);
});

test("publishing what is published changes nothing and answers the same", { timeout: TIMEOUT }, async () => {
  const [one = ""] = await store(system, "again", "one");
  const first = await publish(system, "again", one);
  const before = await stored(system);
  assert.deepEqual(await publish(system, "again", one), { ...first, previous: one });
  assert.deepEqual(await stored(system), before);
});

test("a publication concerns its channel alone", { timeout: TIMEOUT }, async () => {
  const [one = "", two = ""] = await store(system, "apart", "one", "two");
  await publish(system, "apart", one);
  const stable = await announced(system, "apart");
  const beta = await publish(system, "apart", two, "beta");
  assert.deepEqual([beta.channel, beta.previous], ["beta", null]);
  assert.equal(await announced(system, "apart"), stable);
  assert.equal((await assertAgreed(system, "apart", "beta")).sha1, two);
});

test("a rollback goes back one release a time, then it is a conflict", { timeout: TIMEOUT }, async () => {
  const hashes = await store(system, "back", "one", "two", "three");
  for (const hash of hashes) await publish(system, "back", hash);
  const [one = "", two = "", three = ""] = hashes;
  for (const [from, to, release] of [[three, two, 2], [two, one, 1]] as const) {
    const answer = await rollBack("back");
    assert.equal(answer.status, 200, answer.text);
    const { published, previous, warnings, ...record } = answer.json();
    assert.deepEqual([published, previous, warnings], [true, from, []]);
    assert.deepEqual([record.sha1, record.release], [to, release]);
    assert.deepEqual(await assertAgreed(system, "back"), record);
  }
  const before = await stored(system);
  assertProblem(await rollBack("back"), 409, "conflict", /before/);
  assert.deepEqual(await stored(system), before);
  assert.deepEqual((await history(system, "back")).slice(3), [
    ["rollback", "operator", "stable", three, two],
    ["rollback", "operator", "stable", two, one],
  ]);

  // What was taken back is not gone: it can be published again, and taken back again.
  assert.equal((await publish(system, "back", three)).previous, one);
  assert.equal((await rollBack("back")).json().sha1, one);
  assert.equal((await assertAgreed(system, "back")).sha1, one);
});

test("a rollback without a body is that of the stable channel", { timeout: TIMEOUT }, async () => {
  const [one = "", two = ""] = await store(system, "bare", "one", "two");
  await publish(system, "bare", one);
  await publish(system, "bare", two);
  const answer = await operate(system, "POST", "/api/packs/bare/rollback");
  assert.deepEqual([answer.status, answer.json().sha1], [200, one]);
});

test("a rollback passes over a release that was deleted meanwhile", { timeout: TIMEOUT }, async () => {
  const [one = "", two = "", three = ""] = await store(system, "gap", "one", "two", "three");
  for (const hash of [one, two, three]) await publish(system, "gap", hash);
  assert.equal((await operate(system, "DELETE", `/api/packs/gap/releases/${two}`)).status, 204);
  assert.equal((await rollBack("gap")).json().sha1, one);
  assertProblem(await rollBack("gap"), 409, "conflict");
  assert.equal((await assertAgreed(system, "gap")).sha1, one);
});

test("unknown packs, releases and channels are 404, names that are none 400", { timeout: TIMEOUT }, async () => {
  const [one = ""] = await store(system, "known", "one");
  await publish(system, "known", one);
  const [foreign = ""] = await store(system, "other", "foreign");
  const before = await stored(system);
  const post = (path: string, body: unknown) => operate(system, "POST", path, body);
  assertProblem(await post("/api/packs/nowhere/publish", { sha1: one }), 404, "not-found", /pack/);
  assertProblem(await post("/api/packs/nowhere/rollback", {}), 404, "not-found", /pack/);
  assertProblem(await post("/api/packs/known/publish", { sha1: UNKNOWN }), 404, "not-found", /release/);
  assertProblem(await post("/api/packs/known/publish", { sha1: foreign }), 404, "not-found", /release/);
  assertProblem(await post("/api/packs/known/publish", { sha1: UNKNOWN, at: inDays(1) }), 404, "not-found", /release/);
  assertProblem(await rollBack("known", "nowhere"), 404, "not-found", /channel/);
  for (const channel of ["stable", "nowhere"]) {
    const answer = await operate(system, "DELETE", `/api/packs/known/scheduled/${channel}`);
    assertProblem(answer, 404, "not-found", /scheduled/);
  }
  assertProblem(await post("/api/packs/Known/publish", { sha1: one }), 400, "bad-request", /pack/);
  const bad = await operate(system, "DELETE", "/api/packs/known/scheduled/Stable");
  assertProblem(bad, 400, "bad-request", /channel/);
  assert.deepEqual(await stored(system), before);
});

const BAD_BODIES: [string, unknown, RegExp][] = [
  ["an empty body", "", /sha1/],
  ["an object without members", {}, /sha1/],
  ["no JSON", "sha1=0123", /body/],
  ["JSON that is cut off", `{"sha1":"${UNKNOWN}`, /body/],
  ["an array", [UNKNOWN, "stable", null], /object/],
  ["a string", JSON.stringify(UNKNOWN), /string/],
  ["null", "null", /null/],
  ["a hash that is too short", { sha1: "abc" }, /sha1.*40 hex/],
  ["a hash that is a number", { sha1: 5 }, /sha1/],
  ["an unknown member", { sha1: UNKNOWN, chanel: "beta" }, /chanel/],
  ["a channel that is no name", { sha1: UNKNOWN, channel: "Be ta" }, /channel.*name/],
  ["a channel that is null", { sha1: UNKNOWN, channel: null }, /channel/],
  ["a time that is none", { sha1: UNKNOWN, at: "tomorrow" }, /\bat: .*RFC 3339/],
  ["a time that is a number", { sha1: UNKNOWN, at: 1795255200 }, /\bat: /],
  ["a member twice", `{"sha1":"${UNKNOWN}","sha1":"${UNKNOWN}"}`, /sha1/],
];

for (const [what, body, names] of BAD_BODIES) {
  test(`${what} in place of a publication is 400, and the fault is named`, { timeout: TIMEOUT }, async () => {
    if ((await system.request("/api/packs/bad")).status === 404) await store(system, "bad", "one");
    const before = await stored(system);
    const answer = await operate(system, "POST", "/api/packs/bad/publish", body);
    assertProblem(answer, 400, "bad-json", names);
    assert.equal(answer.headers["cache-control"], "no-store");
    assert.deepEqual(await stored(system), before);
  });
}

test("a body that is far too large is 413", { timeout: TIMEOUT }, async () => {
  const huge = JSON.stringify({ sha1: UNKNOWN, channel: "x".repeat(200_000) });
  for (const path of ["/api/packs/bad/publish", "/api/packs/bad/rollback"]) {
    assertProblem(await operate(system, "POST", path, huge), 413, "too-large", /\d+/);
  }
  assertProblem(await operate(system, "PATCH", "/api/packs/bad", huge), 413, "too-large", /\d+/);
});

const WRITES: [string, string, string][] = [
  ["POST", "/api/packs/guarded/publish", "POST"],
  ["POST", "/api/packs/guarded/rollback", "POST"],
  ["DELETE", "/api/packs/guarded/scheduled/stable", "DELETE"],
  ["DELETE", `/api/packs/guarded/releases/${UNKNOWN}`, "DELETE"],
  ["PATCH", "/api/packs/guarded", "GET, HEAD, PUT, PATCH"],
  ["POST", "/api/packs/rebuild", "POST"],
  ["POST", "/api/packs/gc", "POST"],
];

for (const [method, path, allow] of WRITES) {
  test(`${method} ${path} needs a token with the scope for that pack`, { timeout: TIMEOUT }, async () => {
    const body = "{}";
    const none = await system.request(path, { method, body });
    assertProblem(none, 401, "unauthorized", /token/);
    assert.match(none.headers["www-authenticate"] ?? "", /^Bearer/);
    const wrong = await system.request(path, { method, body, token: "A".repeat(43) });
    assertProblem(wrong, 401, "unauthorized");
    const { packMain, statusWrite, ddnsUpdate } = system.tokens;
    for (const token of [packMain, statusWrite, ddnsUpdate]) {
      const answer = await system.request(path, { method, body, token });
      assertProblem(answer, 403, "forbidden", /pack:write/);
      assert.equal(answer.headers["cache-control"], "no-store");
      assert.equal(answer.headers["access-control-allow-origin"], undefined);
    }
    const answer = await operate(system, allow === "DELETE" ? "POST" : "DELETE", path, body);
    assertProblem(answer, 405, "method-not-allowed");
    assert.equal(answer.headers["allow"], allow);
  });
}

test("a token narrowed to one pack publishes there", { timeout: TIMEOUT }, async () => {
  const [one = "", two = ""] = await store(system, "main", "one", "two");
  await publish(system, "main", one);
  const token = { token: system.tokens.packMain };
  const answer = await operate(system, "POST", "/api/packs/main/publish", { sha1: two }, token);
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual((await history(system, "main")).at(-1), ["publish", "packMain", "stable", one, two]);
  assert.equal((await assertAgreed(system, "main")).sha1, two);
  assert.equal((await operate(system, "POST", "/api/packs/main/rollback", {}, token)).status, 200);
  assert.equal((await assertAgreed(system, "main")).sha1, one);
});

for (const count of [2, 10]) {
  test(`${count} publications at once all end in the history, and KV says what R2 says`, { timeout: TIMEOUT }, async () => {
    const pack = `crowd-${count}`;
    const labels = Array.from({ length: count }, (_, index) => `${index}`);
    const hashes = await store(system, pack, ...labels);
    const answers = await Promise.all(
      hashes.map((sha1) => operate(system, "POST", `/api/packs/${pack}/publish`, { sha1 })),
    );
    assert.deepEqual(answers.map(({ status }) => status), hashes.map(() => 200), answers.map(({ text }) => text).join("\n"));
    const changes = (await details(system, pack)).history;
    assert.deepEqual(changes.map((change: any) => change.after).sort(), [...hashes].sort());
    for (const [index, change] of changes.entries()) {
      assert.equal(change.before, index === 0 ? null : changes[index - 1].after);
    }
    const record = await assertAgreed(system, pack);
    assert.equal(record.sha1, changes.at(-1).after);
  });
}

test("publications and rollbacks at once leave KV as R2 says", { timeout: TIMEOUT }, async () => {
  const [one = "", two = "", three = ""] = await store(system, "mixed", "one", "two", "three");
  await publish(system, "mixed", one);
  for (let round = 0; round < 5; round++) {
    await Promise.all([
      operate(system, "POST", "/api/packs/mixed/publish", { sha1: two }),
      rollBack("mixed"),
      operate(system, "POST", "/api/packs/mixed/publish", { sha1: three }),
      operate(system, "PATCH", "/api/packs/mixed", { required: round % 2 === 0 }),
    ]);
    await assertAgreed(system, "mixed");
    assert.equal((await latest(system, "mixed")).required, round % 2 === 0);
  }
});

test("a client that does what it is told does nothing twice while KV fails", { timeout: TIMEOUT }, async () => {
  const withoutKv = await start({ packWithoutKv: true });
  try {
    const [one = "", two = ""] = await store(withoutKv, "untold", "one", "two");
    const third = packNamed("untold three");
    const [code, message] = ["readers-later", /need not be sent again.*5 minutes.*\/api\/packs\/rebuild/];
    const assertLater = (answer: Answer, status: number) => {
      assert.equal(answer.status, status, answer.text);
      assert.equal(answer.headers["retry-after"], undefined);
      const warnings = answer.json().warnings;
      assert.equal(warnings.length, 1, answer.text);
      assert.equal(warnings[0].code, code);
      assert.match(warnings[0].message, message);
    };
    for (const hash of [one, two]) {
      assertLater(await operate(withoutKv, "POST", "/api/packs/untold/publish", { sha1: hash }), 200);
    }
    assertLater(await upload(withoutKv, third, { pack: "untold" }), 201);
    const back = await operate(withoutKv, "POST", "/api/packs/untold/rollback", {});
    assertLater(back, 200);
    assert.deepEqual([back.json().sha1, back.json().previous, back.json().published], [two, sha1(third), true]);
    assert.equal((await details(withoutKv, "untold")).channels.stable.sha1, two);
    assert.equal((await latest(withoutKv, "untold")).sha1, two, "R2 answers");
    assert.ok(logged(withoutKv, "error", "readers").length >= 4);
    // What can be sent again without harm says so.
    const patch = await operate(withoutKv, "PATCH", "/api/packs/untold", { required: true });
    assertProblem(patch, 503, "unavailable", /it is done.*send it again/);
    assert.equal(patch.headers["retry-after"], "2");
  } finally {
    await withoutKv.close();
  }
});

test("every change is a line of the log, with who, what, before and after, and no token", { timeout: TIMEOUT }, async () => {
  const token = system.tokens.packWrite;
  const [one = "", two = ""] = await store(system, "logged", "one", "two");
  const steps: [string, string, unknown][] = [
    ["POST", "/publish", { sha1: one }],
    ["POST", "/publish", { sha1: two }],
    ["POST", "/publish", { sha1: two }], // changes nothing
    ["POST", "/rollback", {}],
    ["POST", "/publish", { sha1: two, at: inDays(1) }],
    ["DELETE", "/scheduled/stable", undefined],
    ["PATCH", "", { required: true }],
    ["DELETE", `/releases/${two}`, undefined],
  ];
  for (const [method, path, body] of steps) {
    const answer = await operate(system, method, `/api/packs/logged${path}`, body, { token });
    assert.ok(answer.status < 300, answer.text);
  }
  const three = packNamed("logged three");
  assert.equal((await upload(system, three, { pack: "logged", token })).status, 201);
  const changes = (await details(system, "logged")).history;
  assert.equal(changes.length, 8);
  const logLines = await eventually("the lines", () => {
    const lines = system.logs().map(({ message }) => JSON.parse(message));
    const about = lines.filter((line) => line.about === "change" && line.message === "logged");
    return about.length >= 8 ? about : undefined;
  });
  assert.deepEqual(logLines.map((line) => line.data), changes);
  const all = JSON.stringify(system.logs());
  for (const secret of Object.values(system.tokens)) assert.ok(!all.includes(secret));
});
