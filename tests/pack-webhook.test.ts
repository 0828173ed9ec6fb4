// The webhook: who is told of publications and refusals, signed as Standard Webhooks has it.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { Webhook } from "standardwebhooks";
import { start, TIMEOUT, type System } from "./support/harness.ts";
import { cron, eventually, logged, operate, publish, store } from "./support/manage.ts";
import "./support/outbound.ts";
import { packNamed, packOfSize, sha1, upload } from "./support/packs.ts";

const KEY = randomBytes(24).toString("base64");
const SECRET = `whsec_${KEY}`;

interface Delivery {
  path: string;
  id: string;
  headers: IncomingHttpHeaders;
  body: string;
  at: number;
}

let deliveries: Delivery[] = [];
/** What the next requests are answered, in order; then 204. */
let answers: ((response: ServerResponse) => unknown)[] = [];
const receiver = createServer(async (incoming, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const { headers, url = "" } = incoming;
  const body = Buffer.concat(chunks).toString("utf8");
  deliveries.push({ path: `${incoming.method} ${url}`, id: String(headers["webhook-id"]), headers, body, at: Date.now() });
  const answer = answers.shift();
  if (answer === undefined) response.writeHead(204).end();
  else answer(response);
});
let url = "";
let system: System;
before(async () => {
  receiver.listen(0, "127.0.0.1");
  await once(receiver, "listening");
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook?from=genkan`;
  system = await start({ pack: { WEBHOOK_URL: url }, packSecrets: { WEBHOOK_SECRET: SECRET } });
});
after(async () => {
  await system.close();
  receiver.closeAllConnections();
  receiver.close();
});

/** The deliveries about a pack, once there are as many; each verified as a receiver does. */
async function told(pack: string, count = 1): Promise<any[]> {
  const about = () => deliveries.filter(({ body }) => JSON.parse(body).data.pack === pack);
  await eventually(`${count} deliveries about ${pack}`, () => (about().length >= count ? true : undefined));
  const found = about();
  assert.equal(found.length, count, JSON.stringify(found));
  return found.map(({ path, headers, body, id }) => {
    assert.equal(path, "POST /hook?from=genkan");
    assert.equal(headers["content-type"], "application/json");
    assert.match(id, /^msg_[0-9a-f]{32}$/);
    const sent = headers as Record<string, string>;
    const verified = new Webhook(SECRET).verify(body, sent);
    assert.throws(() => new Webhook(SECRET).verify(`${body} `, sent));
    assert.throws(() => new Webhook(`whsec_${randomBytes(24).toString("base64")}`).verify(body, sent));
    assert.ok(!body.includes(KEY) && !JSON.stringify(headers).includes(KEY));
    return verified;
  });
}

/** Until all that is in the queue was delivered: publishes elsewhere and waits for word of it. */
let fences = 0;
async function drained(): Promise<void> {
  const [one = ""] = await store(system, `fence-${++fences}`, "one");
  await publish(system, `fence-${fences}`, one);
  await told(`fence-${fences}`);
}

test("a publication is told with all that the receiver may want to know", { timeout: TIMEOUT }, async () => {
  const [one = "", two = ""] = await store(system, "told", "one", "two");
  await publish(system, "told", one);
  const record = await publish(system, "told", two, "stable");
  const [first, second] = await told("told", 2);
  assert.deepEqual(Object.keys(first).sort(), ["data", "timestamp", "type"]);
  assert.deepEqual([first.type, first.data.action, first.data.previous], ["pack.published", "publish", null]);
  assert.equal(second.timestamp, record.published_at);
  const { pack, channel, release, sha1, url, uuid, size, minecraft } = record;
  const expected = { pack, channel, release, sha1, url, uuid, size, minecraft, previous: one, warnings: [] };
  assert.deepEqual(second.data, { action: "publish", by: "operator", ...expected });
});

test("uploads and rollbacks are told, what publishes nothing is not", { timeout: TIMEOUT }, async () => {
  const [one, two] = [packNamed("up one"), packNamed("up two")];
  for (const bytes of [one, two]) assert.equal((await upload(system, bytes, { pack: "up" })).status, 201);
  await told("up", 2);
  assert.equal((await upload(system, two, { pack: "up" })).status, 200, "the same bytes again");
  await publish(system, "up", sha1(two));
  await store(system, "up", "a draft");
  await operate(system, "PATCH", "/api/packs/up", { required: true });
  const token = system.tokens.packWrite;
  assert.equal((await operate(system, "POST", "/api/packs/up/rollback", {}, { token })).status, 200);
  await drained();
  const [, , back] = await told("up", 3);
  assert.deepEqual([back.type, back.data.action, back.data.by], ["pack.published", "rollback", "packWrite"]);
  assert.deepEqual([back.data.sha1, back.data.previous], [sha1(one), sha1(two)]);
});

test("a scheduled publication is told when it takes place, once", { timeout: TIMEOUT }, async () => {
  const [one = ""] = await store(system, "timed", "one");
  const at = new Date(Date.now() + 86_400_000).toISOString();
  const answer = await operate(system, "POST", "/api/packs/timed/publish", { sha1: one, at });
  assert.equal(answer.status, 202, answer.text);
  await drained();
  assert.ok(!deliveries.some(({ body }) => body.includes(`"timed"`)));
  await Promise.all([cron(system, 2), cron(system, 2)]);
  await cron(system, 3);
  await drained();
  const [notice] = await told("timed");
  assert.deepEqual([notice.data.sha1, notice.data.by, notice.data.action], [one, "operator", "publish"]);
});

test("refusals are told, with who sent it and why", { timeout: TIMEOUT }, async () => {
  const { PACKS } = await system.env("pack");
  const bad = new TextEncoder().encode("this is no archive at all");
  assert.equal((await upload(system, bad, { pack: "refused" })).status, 422);
  const wrong = await upload(system, packNamed("x"), { pack: "refused", headers: { "X-Pack-Sha1": "0".repeat(40) } });
  assert.equal(wrong.status, 422);
  const [zip, hash] = await told("refused", 2);
  assert.deepEqual([zip.type, zip.data.by], ["pack.refused", "operator"]);
  assert.match(zip.data.reason, /not a zip/);
  assert.match(hash.data.reason, /SHA-1/);

  await PACKS.put("incoming/direct/bad.zip", bad);
  const event = { action: "PutObject", bucket: "b", object: { key: "incoming/direct/bad.zip", size: bad.length, eTag: "x" } };
  for (let count = 0; count < 2; count++) await operate(system, "POST", "/api/packs/events", event);
  const [direct] = await told("direct");
  assert.deepEqual([direct.type, direct.data.by], ["pack.refused", "incoming/direct/bad.zip"]);
  assert.match(direct.data.reason, /not a zip/);
  await drained();
  await told("direct");
});

test("a pack that is too large is told whichever way it came, and not in the name of just anybody", { timeout: TIMEOUT }, async () => {
  const [limit, most] = [5000, 262_144_000];
  const small = await start({
    pack: { WEBHOOK_URL: url, MAX_UPLOAD_BYTES: limit, POLYMATH_PACK: "long-form" },
    packSecrets: { WEBHOOK_SECRET: SECRET },
  });
  const form = (id: string) => {
    const head = `--x\r\nContent-Disposition: form-data; name="id"\r\n\r\n${id}\r\n`;
    const file = `--x\r\nContent-Disposition: form-data; name="pack"; filename="pack.zip"\r\n\r\n`;
    const body = Buffer.concat([Buffer.from(head + file), packOfSize(limit + 1000), Buffer.from("\r\n--x--\r\n")]);
    return small.request("/upload", { method: "POST", headers: { "Content-Type": "multipart/form-data; boundary=x" }, body });
  };
  try {
    // Who may not write causes no message.
    const token = small.tokens.statusWrite;
    assert.equal((await upload(small, packOfSize(limit + 1), { pack: "long-put", token })).status, 403);
    assert.equal((await operate(small, "POST", "/api/uploads", { pack: "long-parts", size: most + 1 }, { token })).status, 403);
    assert.ok([401, 403].includes((await form("guessed")).status));
    assert.equal((await upload(small, packOfSize(limit + 1), { pack: "long-put" })).status, 413);
    assert.equal((await operate(small, "POST", "/api/uploads", { pack: "long-parts", size: most + 1 })).status, 413);
    assert.equal((await form(small.tokens.packWrite)).status, 413);
    for (const [pack, by, reason] of [
      ["long-put", "operator", /5001 bytes.*5000/],
      ["long-parts", "operator", /262144001 bytes.*262144000/],
      ["long-form", "packWrite", /5000/],
    ] as const) {
      const [notice] = await told(pack);
      assert.deepEqual([notice.type, notice.data.by], ["pack.refused", by]);
      assert.match(notice.data.reason, reason);
    }
  } finally {
    await small.close();
  }
});

test("a direct upload is told as published by its key", { timeout: TIMEOUT }, async () => {
  const { PACKS } = await system.env("pack");
  await PACKS.put("incoming/dropped/my pack.zip", packNamed("dropped"));
  await operate(system, "POST", "/api/packs/events", { action: "PutObject", object: { key: "incoming/dropped/my pack.zip" } });
  const [notice] = await told("dropped");
  assert.deepEqual([notice.data.by, notice.data.sha1], ["incoming/dropped/my pack.zip", sha1(packNamed("dropped"))]);
});

test("what no message told of a publication the cron tells, under the same id", { timeout: TIMEOUT }, async () => {
  const [one = ""] = await store(system, "owed", "one");
  await publish(system, "owed", one);
  const [first] = await told("owed");
  const { PACKS } = await system.env("pack");
  const stored = async () => JSON.parse((await (await PACKS.get("registry/owed.json"))?.text()) ?? "");
  const settled = () => eventually("nothing is owed", async () => ("owed" in (await stored()) ? undefined : true));
  await settled();
  // As it is left by a worker that dies between the change and the queue.
  const dead = { ...(await stored()), owed: [1] };
  await PACKS.put("registry/owed.json", JSON.stringify(dead));
  await cron(system); // its message may still be on the way
  await drained();
  await told("owed");
  // The same six minutes ago: what was delivered before was not about that.
  dead.registry.history[0].at = new Date(Date.now() - 360_000).toISOString().replace(/\.\d+Z$/, "Z");
  const id = deliveries.find(({ body }) => body.includes(`"owed"`))?.id;
  deliveries = deliveries.filter(({ body }) => !body.includes(`"owed"`));
  await PACKS.put("registry/owed.json", JSON.stringify(dead));
  await cron(system);
  const [again] = await told("owed");
  assert.deepEqual([again.type, again.data], [first.type, first.data]);
  assert.equal(again.timestamp, dead.registry.history[0].at);
  assert.equal(deliveries.find(({ body }) => body.includes(`"owed"`))?.id, id);
  await settled();
  await cron(system);
  await drained();
  await told("owed");
});

test("a publication is told also when readers are not", { timeout: TIMEOUT }, async () => {
  const other = await start({ packWithoutKv: true, pack: { WEBHOOK_URL: url }, packSecrets: { WEBHOOK_SECRET: SECRET } });
  try {
    const [one = "", two = ""] = await store(other, "unread", "one", "two");
    for (const hash of [one, two]) await publish(other, "unread", hash);
    assert.equal((await operate(other, "POST", "/api/packs/unread/rollback", {})).status, 200);
    assert.equal((await upload(other, packNamed("unread three"), { pack: "unread" })).status, 201);
    const notices = await told("unread", 4);
    const hashes = notices.map(({ data }) => data.sha1).sort();
    assert.deepEqual(hashes, [one, two, one, sha1(packNamed("unread three"))].sort());
    for (const { data } of notices) assert.deepEqual(data.warnings, []);
  } finally {
    await other.close();
  }
});

const FAILURES: [string, (response: ServerResponse) => unknown, RegExp][] = [
  ["answers 500", (response) => response.writeHead(500).end("no"), /webhook: answered 500/],
  ["answers 404", (response) => response.writeHead(404).end(), /webhook: answered 404/],
  ["redirects", (response) => response.writeHead(307, { location: "/elsewhere" }).end(), /webhook: answered 307/],
  ["closes the connection", (response) => response.destroy(), /./],
  ["hangs", () => {}, /no answer within 15 s/],
];

for (const [index, [what, failure, says]] of FAILURES.entries()) {
  test(`a receiver that ${what} is told again, under the same id`, { timeout: TIMEOUT }, async () => {
    const pack = `retried-${index}`;
    const [one = ""] = await store(system, pack, "one");
    const since = system.logs().length;
    answers = [failure];
    await publish(system, pack, one);
    const [first, second] = await told(pack, 2);
    assert.deepEqual(first, second);
    const [before, later] = deliveries.filter(({ body }) => body.includes(`"${pack}"`));
    assert.equal(later?.id, before?.id);
    assert.ok((later?.at ?? 0) - (before?.at ?? 0) >= 4000, "not at once");
    assert.match(logged(system, "error", "queue", since).join("\n"), says);
    assert.ok(!deliveries.some(({ path }) => path.includes("elsewhere")));
  });
}

test("different notices have different ids", { timeout: TIMEOUT }, async () => {
  const ids = new Map<string, string>();
  for (const { id, body } of deliveries) assert.equal(ids.get(id) ?? body, (ids.set(id, body), body));
  assert.ok(ids.size > 8);
});

test("the secret is in no line of the log", { timeout: TIMEOUT }, () => {
  assert.ok(!JSON.stringify(system.logs()).includes(KEY));
});

const SECRETS: [string, Record<string, string>][] = [
  ["is missing", {}],
  ["is empty", { WEBHOOK_SECRET: "" }],
  ["is no base64", { WEBHOOK_SECRET: "whsec_correct horse battery staple" }],
  ["is too short", { WEBHOOK_SECRET: "whsec_c2hvcnQ=" }],
];

for (const [what, packSecrets] of SECRETS) {
  test(`nothing is sent when the secret ${what}, and the log says so`, { timeout: TIMEOUT }, async () => {
    const other = await start({ pack: { WEBHOOK_URL: url }, packSecrets });
    try {
      const sent = deliveries.length;
      const [one = ""] = await store(other, "main", "one");
      await publish(other, "main", one);
      const line = await eventually("a line in the log", () => logged(other, "error", "queue")[0]);
      assert.match(line, /webhook: the secret WEBHOOK_SECRET/);
      assert.equal(deliveries.length, sent);
      const log = JSON.stringify(other.logs());
      assert.ok(!log.includes("correct horse") && !log.includes("c2hvcnQ="));
    } finally {
      await other.close();
    }
  });
}
