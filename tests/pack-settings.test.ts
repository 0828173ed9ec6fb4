// The settings of a pack, and the deletion of its releases.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertProblem, start, TIMEOUT, type Answer, type System } from "./support/harness.ts";
import { assertAgreed, cron, details, history, latest, operate, publish, store } from "./support/manage.ts";
import { packNamed, sha1, stored, upload } from "./support/packs.ts";

const UNKNOWN = "0123456789abcdef0123456789abcdef01234567";

let system: System;
before(async () => {
  system = await start({ pack: { LOCAL_EVENTS: true } });
});
after(() => system.close());

const patch = (pack: string, body: unknown): Promise<Answer> => operate(system, "PATCH", `/api/packs/${pack}`, body);

async function patched(pack: string, body: unknown): Promise<any> {
  const answer = await patch(pack, body);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers["cache-control"], "no-store");
  assert.equal(answer.headers["access-control-allow-origin"], undefined);
  assert.deepEqual(answer.json(), await details(system, pack));
  return answer.json();
}

const deleteRelease = (pack: string, hash: string) => operate(system, "DELETE", `/api/packs/${pack}/releases/${hash}`);

test("required and prompt reach the readers of every channel at once", { timeout: TIMEOUT }, async () => {
  const [one = "", two = ""] = await store(system, "main", "one", "two");
  await publish(system, "main", one);
  await publish(system, "main", two, "beta");
  const before = [await latest(system, "main"), await latest(system, "main", "beta")];
  assert.deepEqual([before[0].required, before[0].prompt], [false, null]);

  const pack = await patched("main", { required: true, prompt: "<gold>Please</gold> accept" });
  assert.equal(pack.required, true);
  for (const [index, channel] of ["stable", "beta"].entries()) {
    const record = await assertAgreed(system, "main", channel);
    assert.deepEqual(record, { ...before[index], required: true, prompt: pack.prompt });
  }
  assert.match(JSON.stringify(pack.prompt), /"color":"gold"/);
  assert.equal(typeof pack.prompt, "object");

  const later = await patched("main", { required: false });
  assert.deepEqual([later.required, later.prompt], [false, pack.prompt], "what is left out stays");
  assert.equal((await assertAgreed(system, "main", "beta")).required, false);
});

test("a prompt is MiniMessage, a component, or null", { timeout: TIMEOUT }, async () => {
  const [one = ""] = await store(system, "prompts", "one");
  await publish(system, "prompts", one);
  const component = { text: "Hi ", color: "#12ab34", extra: [{ text: "there", bold: true }], insertion: "kept" };
  assert.deepEqual((await patched("prompts", { prompt: component })).prompt, component);
  assert.deepEqual((await assertAgreed(system, "prompts")).prompt, component);

  const plain = (await patched("prompts", { prompt: "just text" })).prompt;
  assert.deepEqual(plain, { text: "just text" });
  const list = (await patched("prompts", { prompt: ["a", { text: "b", bold: true }] })).prompt;
  assert.ok(typeof list === "object" && !Array.isArray(list), JSON.stringify(list));
  assert.match(JSON.stringify(list), /"b"/);
  assert.equal((await patched("prompts", { prompt: null })).prompt, null);
  assert.equal((await assertAgreed(system, "prompts")).prompt, null);
});

const BAD: [string, unknown, string, RegExp][] = [
  ["a prompt with a tag that is none", { prompt: "Hello <nonsense:5>" }, "bad-request", /prompt: character \d+/],
  ["a prompt with a colour that is none", { prompt: "<color:mauvish>x" }, "bad-request", /prompt: character \d+/],
  ["a prompt that is a number", { prompt: 5 }, "bad-request", /prompt/],
  ["a prompt that is a truth value", { prompt: true }, "bad-request", /prompt/],
  ["a prompt that is too long", { prompt: { text: "x".repeat(9000) } }, "bad-request", /prompt.*8 KiB/],
  ["required that is a string", { required: "yes" }, "bad-json", /required/],
  ["a display name that is a number", { display_name: 5 }, "bad-json", /display_name/],
  ["a display name of 101 characters", { display_name: "あ".repeat(101) }, "bad-request", /display_name/],
  ["pins that are no list", { pins: UNKNOWN }, "bad-json", /pins/],
  ["a pin that is no hash", { pins: ["abc"] }, "bad-json", /pins\[0\]/],
  ["a channel that is no name", { incoming_channel: "Be ta" }, "bad-json", /incoming_channel/],
  ["an unknown member", { require: true }, "bad-json", /require/],
  ["a member that cannot be set", { uuid: "5b6f3f0e-6d0e-4d0c-9d0e-0d6c5c6f2a11" }, "bad-json", /uuid/],
  ["an array", [true, null], "bad-json", /object/],
  ["null", "null", "bad-json", /body/],
  ["no JSON", "required: true", "bad-json", /body/],
];

for (const [what, body, code, names] of BAD) {
  test(`${what} is 400, named, and changes nothing`, { timeout: TIMEOUT }, async () => {
    if ((await system.request("/api/packs/firm")).status === 404) await store(system, "firm", "one");
    const before = await stored(system);
    assertProblem(await patch("firm", body), 400, code, names);
    if (typeof body === "object" && !Array.isArray(body)) {
      assertProblem(await patch("firm", { display_name: "Firm", ...body }), 400, code, names);
    }
    assert.deepEqual(await stored(system), before);
  });
}

test("the place of a fault in MiniMessage is that of its character", { timeout: TIMEOUT }, async () => {
  await store(system, "places", "one");
  const detail = assertProblem(await patch("places", { prompt: "日本 <gold>x <nonsense>" }), 400, "bad-request");
  assert.match(detail, /character 1[12]\b/);
});

test("pins must be releases of the pack, and are kept once each", { timeout: TIMEOUT }, async () => {
  const [one = "", two = ""] = await store(system, "pinned", "one", "two");
  const [foreign = ""] = await store(system, "stranger", "one");
  for (const pins of [[UNKNOWN], [one, foreign]]) {
    const before = await stored(system);
    assertProblem(await patch("pinned", { required: true, pins }), 404, "not-found", /release/);
    assert.deepEqual(await stored(system), before);
  }
  assert.deepEqual((await patched("pinned", { pins: [two, one.toUpperCase(), two] })).pins, [two, one]);
  assert.deepEqual((await patched("pinned", { pins: [] })).pins, []);
});

test("null takes a setting back to what it was at first", { timeout: TIMEOUT }, async () => {
  const [one = ""] = await store(system, "reset", "one");
  await publish(system, "reset", one);
  await patched("reset", { required: true, prompt: "x", display_name: "Reset", pins: [one], incoming_channel: "beta" });
  const nulls = { required: null, prompt: null, display_name: null, pins: null, incoming_channel: null };
  const pack = await patched("reset", nulls);
  assert.deepEqual([pack.required, pack.prompt, pack.display_name, pack.pins, pack.incoming_channel], [false, null, null, [], null]);
  assert.equal((await assertAgreed(system, "reset")).required, false);
});

test("the history has each setting before and after, and only what changed it", { timeout: TIMEOUT }, async () => {
  const [one = ""] = await store(system, "record", "one");
  await patched("record", { display_name: "Récord ☃", incoming_channel: "beta", pins: [one] });
  const pack = await patched("record", { required: true });
  const [first, second] = pack.history;
  assert.deepEqual([first.action, first.by, first.channel], ["settings", "operator", null]);
  const initial = { required: false, prompt: null, display_name: null, pins: [], incoming_channel: "stable" };
  const named = { ...initial, display_name: "Récord ☃", pins: [one], incoming_channel: "beta" };
  assert.deepEqual(first.settings, { before: initial, after: named });
  assert.deepEqual(second.settings, { before: named, after: { ...named, required: true } });
  assert.ok(Math.abs(Date.parse(second.at) - Date.now()) < 60_000);

  const before = await stored(system);
  for (const body of [{}, "", { required: true, display_name: "Récord ☃" }]) await patched("record", body);
  assert.deepEqual(await stored(system), before);
});

test("settings of a pack that there is not are 404", { timeout: TIMEOUT }, async () => {
  assertProblem(await patch("nowhere", { required: true }), 404, "not-found", /pack/);
  assertProblem(await patch("No Where", { required: true }), 400, "bad-request");
  assertProblem(await deleteRelease("nowhere", UNKNOWN), 404, "not-found", /pack/);
});

test("settings of several at once all hold", { timeout: TIMEOUT }, async () => {
  const [one = ""] = await store(system, "several", "one");
  await publish(system, "several", one);
  const bodies = [{ required: true }, { display_name: "Several" }, { prompt: "<red>x" }, { pins: [one] }];
  const answers = await Promise.all(bodies.map((body) => patch("several", body)));
  assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200, 200]);
  const pack = await details(system, "several");
  assert.deepEqual([pack.required, pack.display_name, pack.pins], [true, "Several", [one]]);
  assert.equal((await history(system, "several")).length, 5);
  const record = await assertAgreed(system, "several");
  assert.deepEqual([record.required, record.prompt], [true, pack.prompt]);
});

test("a release that a channel, a pin or a schedule points to is not deleted", { timeout: TIMEOUT }, async () => {
  const [one = "", two = ""] = await store(system, "referred", "one", "two");
  await publish(system, "referred", one);
  await publish(system, "referred", one, "beta");
  await patched("referred", { pins: [one] });
  assertProblem(await deleteRelease("referred", one), 409, "conflict", /"beta".*"stable".*pin/);
  await publish(system, "referred", two);
  assertProblem(await deleteRelease("referred", one), 409, "conflict", /"beta".*pin/);
  await publish(system, "referred", two, "beta");
  const before = await stored(system);
  assertProblem(await deleteRelease("referred", one), 409, "conflict", /pin/);
  assert.deepEqual(await stored(system), before);
  await patched("referred", { pins: [] });
  assert.equal((await deleteRelease("referred", one)).status, 204);
});

test("a deleted release is gone at once, its blob later, its number never comes again", { timeout: TIMEOUT }, async () => {
  const [one = "", two = ""] = await store(system, "deleted", "one", "two");
  await publish(system, "deleted", one);
  const answer = await deleteRelease("deleted", two);
  assert.deepEqual([answer.status, answer.text], [204, ""]);
  assert.equal(answer.headers["cache-control"], "no-store");
  assertProblem(await deleteRelease("deleted", two), 404, "not-found", /release/);
  assert.deepEqual((await history(system, "deleted")).at(-1), ["delete", "operator", null, two, null]);
  const releases = async () =>
    (await details(system, "deleted")).releases.map((release: any) => [release.release, release.sha1]);
  assert.deepEqual(await releases(), [[1, one]]);
  const publication = await operate(system, "POST", "/api/packs/deleted/publish", { sha1: two });
  assertProblem(publication, 404, "not-found", /release/);

  await cron(system);
  const download = await system.request(`/packs/${two}.zip`);
  assert.deepEqual([download.status, sha1(download.body)], [200, two]);

  const again = await upload(system, packNamed("deleted two"), { pack: "deleted", query: "?publish=false" });
  assert.deepEqual([again.status, again.json().release], [201, 3]);
  assert.deepEqual(await releases(), [[1, one], [3, two]]);
});

test("a hash in a path may be of either case, and what is none is 400", { timeout: TIMEOUT }, async () => {
  const [one = ""] = await store(system, "cases", "one");
  assertProblem(await deleteRelease("cases", "abc"), 400, "bad-request", /sha1/);
  assertProblem(await deleteRelease("cases", UNKNOWN), 404, "not-found", /release/);
  assert.equal((await deleteRelease("cases", one.toUpperCase())).status, 204);
});
