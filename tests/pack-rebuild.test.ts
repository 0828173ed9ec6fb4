// KV again from R2, by one request or by the cron: whatever KV lost, garbled or has too much.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertProblem, start, TIMEOUT, type System } from "./support/harness.ts";
import { announced, assertAgreed, cron, kvKey, logged, operate, publish, store } from "./support/manage.ts";
import { packNamed, sha1, stored, upload } from "./support/packs.ts";

const CHANNELS: [string, string][] = [["main", "beta"], ["main", "stable"], ["other", "dev"], ["other", "stable"]];

let system: System;
/** KV as it is when all is well, by key. */
const whole: Record<string, string> = {};
const hashes: Record<string, string> = {};
before(async () => {
  system = await start();
  for (const [pack, channel] of CHANNELS) {
    const [hash = ""] = await store(system, pack, channel);
    await publish(system, pack, hash, channel);
    hashes[`${pack} ${channel}`] = hash;
  }
  const settings = { required: true, prompt: "<gold>日本</gold> ☃ \"quoted\"" };
  assert.equal((await operate(system, "PATCH", "/api/packs/main", settings)).status, 200);
  for (const [pack, channel] of CHANNELS) whole[kvKey(pack, channel)] = (await announced(system, pack, channel)) ?? "";
});
after(() => system.close());

const SOUND = { checked: 4, written: 0, differences: [], unregistered: [], missing: [] };

async function rebuild(): Promise<any> {
  const answer = await operate(system, "POST", "/api/packs/rebuild");
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers["cache-control"], "no-store");
  assert.equal(answer.headers["access-control-allow-origin"], undefined);
  return answer.json();
}

async function kv(): Promise<Record<string, string>> {
  const { PACK_KV } = await system.env("pack");
  const found: Record<string, string> = {};
  for (const { name } of (await PACK_KV.list()).keys) found[name] = (await PACK_KV.get(name)) ?? "";
  return found;
}

async function damage(values: Record<string, string | null>): Promise<void> {
  const { PACK_KV } = await system.env("pack");
  for (const [key, value] of Object.entries(values)) {
    if (value === null) await PACK_KV.delete(key);
    else await PACK_KV.put(key, value);
  }
}

const difference = (pack: string, channel: string, was: unknown) => {
  const is = hashes[`${pack} ${channel}`] ?? null;
  return { pack, channel, was, is };
};

test("a rebuild of what is sound reports nothing and writes nothing", { timeout: TIMEOUT }, async () => {
  const before = await stored(system);
  assert.deepEqual(await rebuild(), SOUND);
  assert.deepEqual(await stored(system), before);
});

const lost = Object.fromEntries(CHANNELS.map(([pack, channel]) => [kvKey(pack, channel), null]));
const OTHER = packNamed("published nowhere");
const DAMAGE: [string, () => Record<string, string | null>, () => any[]][] = [
  ["all of KV was lost", () => lost, () => CHANNELS.map(([pack, channel]) => difference(pack, channel, "missing"))],
  ["one value was lost", () => ({ "verify-hash": null }), () => [difference("main", "stable", "missing")]],
  ["a value is no JSON", () => ({ "verify-hash:main:beta": "{" }), () => [difference("main", "beta", "corrupt")]],
  ["a value is empty", () => ({ "verify-hash": "" }), () => [difference("main", "stable", "corrupt")]],
  ["a value is JSON of something else", () => ({ "verify-hash": "[1]" }), () => [difference("main", "stable", "corrupt")]],
  [
    "a value is that of another channel",
    () => ({ "verify-hash": whole["verify-hash:main:beta"] ?? "" }),
    () => [difference("main", "stable", { other: hashes["main beta"] })],
  ],
  [
    "a value has the hash of one release and the address of another",
    () => ({ "verify-hash": (whole["verify-hash"] ?? "").replace(`"sha1":"${hashes["main stable"]}"`, `"sha1":"${sha1(OTHER)}"`) }),
    () => [difference("main", "stable", { other: sha1(OTHER) })],
  ],
  [
    "a value has another address",
    () => ({ "verify-hash": (whole["verify-hash"] ?? "").replace("http://127.0.0.1:8787", "https://old.example.com") }),
    () => [difference("main", "stable", { other: hashes["main stable"] })],
  ],
  [
    "a value says the same in other bytes",
    () => ({ "verify-hash": JSON.stringify(JSON.parse(whole["verify-hash"] ?? ""), null, 2) }),
    () => [difference("main", "stable", { other: hashes["main stable"] })],
  ],
  [
    "a value has a member too many",
    () => ({ "verify-hash": (whole["verify-hash"] ?? "").replace("{", `{"extra":1,`) }),
    () => [difference("main", "stable", { other: hashes["main stable"] })],
  ],
  [
    "there are values of channels and packs that there are not",
    () => ({ "verify-hash:main:gone": "{}", "verify-hash:nowhere:stable": whole["verify-hash"] ?? "" }),
    () => [difference("main", "gone", "unpublished"), difference("nowhere", "stable", "unpublished")],
  ],
];

for (const [what, values, differences] of DAMAGE) {
  test(`one rebuild restores every byte when ${what}`, { timeout: TIMEOUT }, async () => {
    await damage(values());
    const report = await rebuild();
    const expected = differences();
    assert.deepEqual(report, { ...SOUND, written: expected.length, differences: expected });
    assert.deepEqual(await kv(), whole);
    assert.deepEqual(await rebuild(), SOUND);
  });
}

test("what is in KV for others is left alone", { timeout: TIMEOUT }, async () => {
  const others = { "verify-hashes": "x", "verify-hash:Bad Name:x": "x", "something:else": "x" };
  await damage(others);
  assert.deepEqual(await rebuild(), SOUND);
  assert.deepEqual(await kv(), { ...whole, ...others });
  await damage(Object.fromEntries(Object.keys(others).map((key) => [key, null])));
});

test("what is in KV of channels that there are not goes, however many keys there are", { timeout: TIMEOUT }, async () => {
  // More than KV lists at once, before it.
  const others = Array.from({ length: 1001 }, (_, number) => `verify-hash-${number}`);
  await Promise.all(others.map((key) => damage({ [key]: "x" })));
  await damage({ "verify-hash:nowhere:stable": "x" });
  const gone = { pack: "nowhere", channel: "stable", was: "unpublished", is: null };
  assert.deepEqual(await rebuild(), { ...SOUND, written: 1, differences: [gone] });
  await Promise.all(others.map((key) => damage({ [key]: null })));
  assert.deepEqual(await kv(), whole);
});

test("the cron puts KV right too, and says so in the log", { timeout: TIMEOUT }, async () => {
  await damage({ "verify-hash": null, "verify-hash:main:beta": "{", "verify-hash:other:dev": whole["verify-hash"] ?? "" });
  const since = system.logs().length;
  await cron(system);
  assert.deepEqual(await kv(), whole);
  assert.deepEqual(logged(system, "warn", "kv", since), ["main: 2 channels put right", "other: 1 channels put right"]);
  const again = system.logs().length;
  await cron(system);
  assert.deepEqual(logged(system, "warn", "kv", again), []);
});

test("blobs without a release are named, and so are releases without a blob", { timeout: TIMEOUT }, async () => {
  const { PACKS } = await system.env("pack");
  const strays = [packNamed("stray one"), packNamed("stray two")];
  for (const stray of strays) await PACKS.put(`packs/${sha1(stray)}.zip`, stray);
  const hash = hashes["main beta"] ?? "";
  const blob = await (await PACKS.get(`packs/${hash}.zip`))?.arrayBuffer();
  assert.ok(blob);
  await PACKS.delete(`packs/${hash}.zip`);
  const since = system.logs().length;
  const report = await rebuild();
  assert.deepEqual(report.unregistered, strays.map(sha1).sort());
  assert.deepEqual(report.missing, [{ pack: "main", release: 1, sha1: hash }]);
  assert.deepEqual([report.checked, report.written, report.differences], [4, 0, []]);
  assert.match(logged(system, "error", "rebuild", since).join(), new RegExp(`release 1 of main: ${hash}`));
  // The same bytes again heal it.
  const again = await upload(system, new Uint8Array(blob), { query: "?channel=beta" });
  assert.equal(again.status, 200, again.text);
  for (const stray of strays) await PACKS.delete(`packs/${sha1(stray)}.zip`);
  assert.deepEqual(await rebuild(), SOUND);
});

test("a registry that cannot be read is named, the others are rebuilt, and its values stay", { timeout: TIMEOUT }, async () => {
  const { PACKS } = await system.env("pack");
  const registry = (await (await PACKS.get("registry/other.json"))?.text()) ?? "";
  await PACKS.put("registry/other.json", registry.slice(0, -30));
  await damage({ "verify-hash": null });
  const report = await rebuild();
  assert.deepEqual(report.unreadable.map((unreadable: any) => unreadable.pack), ["other"]);
  assert.match(report.unreadable[0].error, /registry\/other\.json/);
  assert.deepEqual([report.checked, report.written, report.unregistered, report.missing], [2, 1, [], []]);
  assert.deepEqual(await kv(), whole);
  await PACKS.put("registry/other.json", registry);
  assert.deepEqual(await rebuild(), SOUND);
});

test("readers are served while KV is empty, and a rebuild follows at any time", { timeout: TIMEOUT }, async () => {
  await damage(lost);
  const readers = CHANNELS.map(([pack, channel]) => system.request(`/api/pack/latest?pack=${pack}&channel=${channel}`));
  const [answers] = await Promise.all([Promise.all(readers), rebuild(), rebuild(), cron(system)]);
  for (const [index, [pack, channel]] of CHANNELS.entries()) {
    assert.equal(answers[index]?.text, whole[kvKey(pack, channel)]);
  }
  assert.deepEqual(await kv(), whole);
});

test("rebuilds do not undo what is published at the same time", { timeout: TIMEOUT }, async () => {
  const labels = Array.from({ length: 12 }, (_, index) => `round ${index}`);
  const rounds = await store(system, "busy", ...labels);
  for (const [index, hash] of rounds.entries()) {
    const channel = index % 3 === 0 ? `new-${index}` : "stable"; // some come to be at this moment
    const [, , , report] = await Promise.all([publish(system, "busy", hash, channel), cron(system), rebuild(), rebuild()]);
    assert.ok(!JSON.stringify(report).includes("unpublished"), JSON.stringify(report));
    assert.equal((await assertAgreed(system, "busy", channel)).sha1, hash);
  }
  assert.deepEqual((await rebuild()).differences, []);
});

test("a rebuild needs a token for all packs", { timeout: TIMEOUT }, async () => {
  const { packMain, opsRead } = system.tokens;
  for (const token of [packMain, opsRead]) {
    const answer = await system.request("/api/packs/rebuild", { method: "POST", token });
    assertProblem(answer, 403, "forbidden", /pack:write/);
  }
});
