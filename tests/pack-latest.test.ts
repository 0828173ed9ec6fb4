// What readers get: the current release from the instance's memory, from KV, and from R2 when KV does not serve.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { assertProblem, start, TIMEOUT, type Kv, type R2, type System } from "./support/harness.ts";
import { cron, eventually, logged, operate } from "./support/manage.ts";
import { packNamed, sha1, upload } from "./support/packs.ts";

let system: System;
let kv: Kv;
before(async () => {
  system = await start();
  kv = (await system.env("pack")).PACK_KV;
});
after(() => system.close());

test("before the first upload there is no release and no pack", { timeout: TIMEOUT }, async () => {
  for (const query of ["", "?pack=other", "?channel=beta"]) {
    const answer = await system.request(`/api/pack/latest${query}`);
    assertProblem(answer, 404, "not-found");
    assert.equal(answer.headers["access-control-allow-origin"], "*");
  }
  assert.deepEqual((await system.request("/api/packs")).json(), { packs: [] });
  assertProblem(await system.request("/api/packs/main"), 404, "not-found", /main/);
});

test("latest is 200 with an ETag, 304 for it, and open to any site", { timeout: TIMEOUT }, async () => {
  const bytes = packNamed("latest");
  const { published, previous, warnings, ...record } = (await upload(system, bytes)).json();
  assert.deepEqual([published, previous, warnings], [true, null, []]);
  const answer = await system.request("/api/pack/latest");
  assert.deepEqual([answer.status, answer.headers["content-type"]], [200, "application/json"]);
  assert.deepEqual(answer.json(), record);
  assert.deepEqual((await system.request("/api/pack/latest?pack=main&channel=stable")).json(), record);
  await assertConditional("/api/pack/latest");

  const tag = String(answer.headers.etag);
  await upload(system, packNamed("later"));
  const later = await system.request("/api/pack/latest", { headers: { "If-None-Match": tag } });
  assert.deepEqual([later.status, later.json().sha1], [200, sha1(packNamed("later"))]);
});

/** A public GET: HEAD, ETag, 304, CORS. */
async function assertConditional(path: string): Promise<void> {
  const answer = await system.request(path);
  const tag = String(answer.headers.etag);
  assert.match(tag, /^"[^"]+"$/);
  assert.equal(answer.headers["access-control-allow-origin"], "*");
  assert.equal(answer.headers["content-length"], `${answer.body.length}`);

  const head = await system.request(path, { method: "HEAD" });
  assert.deepEqual([head.status, head.body.length, head.headers.etag], [200, 0, tag]);
  assert.equal(head.headers["content-type"], answer.headers["content-type"]);

  for (const condition of [tag, `W/${tag}`, `"other", ${tag}`, "*"]) {
    for (const method of ["GET", "HEAD"]) {
      const unchanged = await system.request(path, { method, headers: { "If-None-Match": condition } });
      assert.deepEqual([unchanged.status, unchanged.body.length, unchanged.headers.etag], [304, 0, tag], condition);
      assert.equal(unchanged.headers["access-control-allow-origin"], "*");
    }
  }
  const other = await system.request(path, { headers: { "If-None-Match": '"other"' } });
  assert.deepEqual([other.status, other.text], [200, answer.text]);

  const headers = { Origin: "https://example.com", "Access-Control-Request-Method": "GET" };
  const preflight = await system.request(path, { method: "OPTIONS", headers });
  assert.ok(preflight.status < 300, `${preflight.status}`);
  assert.equal(preflight.headers["access-control-allow-origin"], "*");
}

test("a bad name is 400", { timeout: TIMEOUT }, async () => {
  for (const query of ["pack=Main", "pack=", "channel=a_b", `channel=${"a".repeat(33)}`]) {
    const answer = await system.request(`/api/pack/latest?${query}`);
    assertProblem(answer, 400, "bad-request", new RegExp(`^${query.split("=")[0]}`));
  }
  assertProblem(await system.request("/api/packs/Main"), 400, "bad-request", /pack/);
});

test("what only other routes take is ignored", { timeout: TIMEOUT }, async () => {
  const { text } = await system.request("/api/pack/latest");
  const strange = await system.request("/api/pack/latest?publish=x&dry_run=x&days=x&name=a%20b");
  assert.deepEqual([strange.status, strange.text], [200, text]);
  const stored = await upload(system, packNamed("ignored"), { query: "?publish=false&format=x&dry_run=x&pack=A%20B" });
  assert.equal(stored.status, 201, stored.text);
  assertProblem(await upload(system, packNamed("ignored"), { query: "?publish=x" }), 400, "bad-request", /^publish/);
});

test("another method is 405, an unknown path 404, both as problems", { timeout: TIMEOUT }, async () => {
  for (const path of ["/api/pack/latest", "/api/packs"]) {
    const answer = await system.request(path, { method: "DELETE", token: system.tokens.operator });
    assertProblem(answer, 405, "method-not-allowed");
    assert.deepEqual(String(answer.headers.allow).split(/,\s*/).sort(), ["GET", "HEAD"]);
  }
  for (const path of ["/api/pack", "/api/pack/latest/", "/api/packs/main/nothing", "/api/pack/newest"]) {
    assertProblem(await system.request(path), 404, "not-found");
  }
});

test("the list names every pack, in order", { timeout: TIMEOUT }, async () => {
  await upload(system, packNamed("list b"), { pack: "b-pack" });
  await upload(system, packNamed("list a"), { pack: "a-pack", query: "?publish=false" });
  const { packs } = (await system.request("/api/packs")).json();
  assert.deepEqual(packs.map((entry: any) => entry.pack), ["a-pack", "b-pack", "main"]);
  await assertConditional("/api/packs");
});

test("a pack shows its channels, releases and history", { timeout: TIMEOUT }, async () => {
  const [one, two] = [packNamed("shown 1"), packNamed("shown 2")];
  const first = (await upload(system, one, { pack: "shown" })).json();
  const options = { pack: "shown", query: "?channel=beta", token: system.tokens.packWrite };
  const second = (await upload(system, two, options)).json();
  const shown = (await system.request("/api/packs/shown")).json();
  const { formats, minecraft } = first;
  const common = { formats, minecraft, warnings: [], check: { state: "pending" } };
  const at = shown.releases.map((release: any) => release.uploaded_at);
  assert.deepEqual(shown, {
    pack: "shown",
    uuid: first.uuid,
    required: false,
    prompt: null,
    display_name: null,
    pins: [],
    incoming_channel: "stable",
    scheduled: [],
    channels: {
      stable: { release: 1, sha1: sha1(one), published_at: first.published_at },
      beta: { release: 2, sha1: sha1(two), published_at: second.published_at },
    },
    releases: [
      { release: 1, sha1: sha1(one), size: one.length, ...common, uploaded_at: at[0], uploaded_by: "operator" },
      { release: 2, sha1: sha1(two), size: two.length, ...common, uploaded_at: at[1], uploaded_by: "packWrite" },
    ],
    history: [
      { at: first.published_at, by: "operator", action: "publish", channel: "stable", before: null, after: sha1(one) },
      { at: second.published_at, by: "packWrite", action: "publish", channel: "beta", before: null, after: sha1(two) },
    ],
  });
  for (const time of at) assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  await assertConditional("/api/packs/shown");
});

/** What there is to damage: the value, that of another pack, and the value before the last publication. */
interface Held {
  text: string;
  other: string;
  older: string;
}

const DAMAGES: [string, (held: Held) => string | null][] = [
  ["is gone", () => null],
  ["is not JSON", () => "{"],
  ["is empty", () => ""],
  ["is JSON of another shape", () => `{"sha1":"x"}`],
  ["is cut short", ({ text }) => text.slice(0, -20)],
  ["is the record of another pack", ({ other }) => other],
  ["is the record of another channel", ({ text }) => text.replace(`"channel":"stable"`, `"channel":"beta"`)],
  ["names another address", ({ text }) => text.replace(/"url":"[^"]*"/, `"url":"https://elsewhere.example.com/x.zip"`)],
  ["is an older release", ({ older }) => older],
  ["has another member", ({ text }) => text.replace("{", `{"extra":1,`)],
  ["has another member's value", ({ text }) => text.replace(`"required":false`, `"required":true`)],
];
/** KV may hold what was true a minute ago: only the cron, or a reader after a while, puts that right. */
const MAY_LAG = /older|member/;
for (const [what, damage] of DAMAGES) {
  test(`latest is right when its KV value ${what}, and KV is repaired`, { timeout: TIMEOUT }, async () => {
    const fresh = await start(); // an instance repairs no more than once in a few seconds
    try {
      const { PACK_KV } = await fresh.env("pack");
      await upload(fresh, packNamed("healed older"));
      const older = await PACK_KV.get("verify-hash");
      await upload(fresh, packNamed("healed"));
      await upload(fresh, packNamed("healed other"), { pack: "other" });
      // not asked for: what is answered is kept in memory for a while
      const text = await PACK_KV.get("verify-hash");
      const other = await PACK_KV.get("verify-hash:other:stable");
      assert.ok(text && other && older && older !== text);

      const damaged = damage({ text, other, older });
      assert.notEqual(damaged, text);
      if (damaged === null) await PACK_KV.delete("verify-hash");
      else await PACK_KV.put("verify-hash", damaged);
      const answer = await fresh.request("/api/pack/latest");
      assert.deepEqual([answer.status, answer.text], [200, text]);
      if (MAY_LAG.test(what)) {
        assert.equal(await PACK_KV.get("verify-hash"), damaged, "no write for what KV itself puts right");
        await cron(fresh);
        assert.equal(await PACK_KV.get("verify-hash"), text);
      } else {
        await eventually("KV is repaired", async () => (await PACK_KV.get("verify-hash")) === text || undefined);
      }
      assert.equal(JSON.parse((await PACK_KV.get("verify-hash:other:stable")) ?? "").pack, "other");
    } finally {
      await fresh.close();
    }
  });
}

const WITHOUT: [string, (packs: R2) => Promise<unknown>][] = [
  ["cannot be read", (packs) => packs.put("registry/main.json", "{")],
  ["is gone", (packs) => packs.delete("registry/main.json")],
];
for (const [what, damage] of WITHOUT) {
  test(`the value in KV answers when the registry ${what}`, { timeout: TIMEOUT }, async () => {
    const fresh = await start();
    try {
      await upload(fresh, packNamed("kept by KV"));
      const { PACK_KV, PACKS } = await fresh.env("pack");
      const text = await PACK_KV.get("verify-hash");
      await damage(PACKS);
      const answer = await fresh.request("/api/pack/latest");
      assert.deepEqual([answer.status, answer.text], [200, text]);
      assert.equal(await PACK_KV.get("verify-hash"), text);
    } finally {
      await fresh.close();
    }
  });
}

test("a registry that was stored without what readers are told answers itself, and KV is left alone", { timeout: TIMEOUT }, async () => {
  const fresh = await start();
  try {
    await upload(fresh, packNamed("without"));
    const { PACK_KV, PACKS } = await fresh.env("pack");
    const text = await PACK_KV.get("verify-hash");
    await PACKS.put("registry/main.json", (await (await PACKS.get("registry/main.json"))?.text()) ?? "");
    assert.equal((await fresh.request("/api/pack/latest")).text, text);
    await cron(fresh);
    const rebuilt = await operate(fresh, "POST", "/api/packs/rebuild");
    assert.deepEqual([rebuilt.json().written, rebuilt.json().differences], [0, []]);
    assert.deepEqual(logged(fresh, "warn", "kv"), []);
  } finally {
    await fresh.close();
  }
});

test("answers stay right while repairs are held back", { timeout: TIMEOUT }, async () => {
  const { text } = await system.request("/api/pack/latest");
  for (let round = 0; round < 5; round++) {
    await kv.put("verify-hash", `{"broken":${round}}`);
    // an address that was not asked for before: memory does not serve it
    const answer = await system.request(`/api/pack/latest?pack=main&round=${round}`);
    assert.deepEqual([answer.status, answer.text], [200, text]);
  }
});

test("an answer from memory has the same headers, and is kept for seconds", { timeout: TIMEOUT }, async () => {
  const fresh = await start();
  try {
    await upload(fresh, packNamed("kept"));
    const { PACK_KV, PACKS } = await fresh.env("pack");
    const tag = String((await fresh.request("/api/pack/latest")).headers.etag);
    // The first of each pair is made, the second comes from memory.
    for (const options of [{}, { method: "HEAD" }, { headers: { "If-None-Match": tag } }]) {
      const path = `/api/pack/latest?${JSON.stringify(options).length}`;
      const [made, kept] = [await fresh.request(path, options), await fresh.request(path, options)];
      for (const answer of [made, kept]) delete answer.headers.date;
      assert.deepEqual([kept.status, kept.headers, kept.text], [made.status, made.headers, made.text]);
    }
    const before = (await fresh.request("/api/pack/latest")).text;
    // As another instance would: the registry says what is true, KV alone does not.
    const change = (text = "") => text.replace('"required":false', '"required":true');
    const elsewhere = change(before);
    assert.notEqual(elsewhere, before);
    await PACKS.put("registry/main.json", change(await (await PACKS.get("registry/main.json"))?.text()));
    await PACK_KV.put("verify-hash", elsewhere);
    assert.equal((await fresh.request("/api/pack/latest")).text, before);
    await sleep(5_100);
    assert.equal((await fresh.request("/api/pack/latest")).text, elsewhere);
    for (const method of ["POST", "DELETE"]) {
      assertProblem(await fresh.request("/api/pack/latest", { method }), 405, "method-not-allowed");
    }
    const headers = { "Access-Control-Request-Method": "GET" };
    assert.equal((await fresh.request("/api/pack/latest", { method: "OPTIONS", headers })).status, 204);
  } finally {
    await fresh.close();
  }
});

test("what this instance publishes is answered at once, by every address", { timeout: TIMEOUT }, async () => {
  const addresses = ["", "?pack=main", "?channel=stable", "?pack=main&channel=stable"];
  for (const label of ["at once 1", "at once 2", "at once 3"]) {
    await upload(system, packNamed(label));
    for (const address of addresses) {
      const answer = await system.request(`/api/pack/latest${address}`);
      assert.equal(answer.json().sha1, sha1(packNamed(label)), address);
    }
  }
});

test("any number of addresses is answered", { timeout: TIMEOUT }, async () => {
  const { text } = await system.request("/api/pack/latest");
  for (let number = 0; number < 200; number++) {
    const answer = await system.request(`/api/pack/latest?number=${number}&${"x".repeat(number)}`);
    assert.deepEqual([answer.status, answer.text], [200, text]);
  }
});

test("the log has a line of JSON for each request, and no token", { timeout: TIMEOUT }, async () => {
  await upload(system, packNamed("logged"), { token: "a-token-nobody-knows" });
  await upload(system, packNamed("logged"), { pack: "logged", query: `?token=${system.tokens.packWrite}` });
  await system.request(`/packs/${sha1(packNamed("logged"))}.zip`);
  await sleep(200);
  const lines = system.logs().map(({ message }) => JSON.parse(message));
  const requests = lines.filter((line) => line.worker === "pack");
  for (const line of requests) {
    assert.deepEqual(Object.keys(line).sort(), ["duration_ms", "method", "route", "status", "worker"]);
    assert.ok(Number.isInteger(line.status) && line.duration_ms >= 0, JSON.stringify(line));
  }
  const seen = new Set(requests.map(({ route, status }) => `${route} ${status}`));
  for (const wanted of [
    "PUT /api/packs/<pack> 201",
    "PUT /api/packs/<pack> 401",
    "GET /api/pack/latest 200",
    "GET /api/pack/latest 304",
    "GET /packs/<sha1>.zip 200",
  ]) {
    assert.ok(seen.has(wanted), `${wanted} is not among ${[...seen].join(", ")}`);
  }
  const all = JSON.stringify(system.logs());
  for (const token of [...Object.values(system.tokens), "a-token-nobody-knows"]) assert.ok(!all.includes(token));
});
