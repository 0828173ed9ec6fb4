// Uploads that are refused: the answer says why, and nothing that is stored changes.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertProblem, start, TIMEOUT, type Answer, type System } from "./support/harness.ts";
import { packNamed, packOfSize, REFUSED, reprDigest, sha1, stored, upload } from "./support/packs.ts";
import type { UploadOptions } from "./support/packs.ts";

const LIMIT = 10_000;
const CURRENT = packNamed("current");

let system: System;
before(async () => {
  system = await start({ pack: { MAX_UPLOAD_BYTES: LIMIT } });
  assert.equal((await upload(system, CURRENT)).status, 201);
});
after(() => system.close());

/** Uploads, and checks that nothing came of it. */
async function refused(body: Uint8Array, options: UploadOptions = {}): Promise<Answer> {
  const before = await stored(system);
  const answer = await upload(system, body, options);
  assert.deepEqual(await stored(system), before);
  const latest = await system.request("/api/pack/latest");
  assert.equal(latest.json().sha1, sha1(CURRENT));
  return answer;
}

const WRONG = sha1(new Uint8Array(0));
const WRONG_DIGEST = reprDigest(new Uint8Array(0));

for (const [how, headers] of [
  ["X-Pack-Sha1", { "X-Pack-Sha1": WRONG }],
  ["Repr-Digest", { "Repr-Digest": WRONG_DIGEST }],
] as const) {
  test(`a body that has not the hash of ${how} is 422`, { timeout: TIMEOUT }, async () => {
    const answer = await refused(packNamed("wrong"), { headers });
    assertProblem(answer, 422, "unprocessable", new RegExp(WRONG));
  });

  test(`a body of 1 MB that has not the hash of ${how} is 422`, { timeout: TIMEOUT }, async () => {
    const large = await start();
    try {
      assertProblem(await upload(large, packOfSize(1_000_000), { headers }), 422, "unprocessable");
      assert.deepEqual(await stored(large), {});
    } finally {
      await large.close();
    }
  });
}

test("a wrong body is 422 also when the declared blob is there already", { timeout: TIMEOUT }, async () => {
  for (const headers of [{ "X-Pack-Sha1": sha1(CURRENT) }, { "Repr-Digest": reprDigest(CURRENT) }]) {
    for (const body of [packNamed("other"), packNamed("another, and longer")]) {
      assertProblem(await refused(body, { headers }), 422, "unprocessable", new RegExp(sha1(CURRENT)));
      assertProblem(await refused(body, { headers, pack: "fresh" }), 422, "unprocessable");
    }
  }
  assert.equal((await system.request("/api/packs/fresh")).status, 404);
  const download = await system.request(`/packs/${sha1(CURRENT)}.zip`);
  assert.ok(download.body.equals(CURRENT));
});

test("a malformed hash is 400", { timeout: TIMEOUT }, async () => {
  const body = packNamed("malformed");
  const good = sha1(body);
  for (const hash of [good.slice(1), `${good}0`, `${good.slice(1)}g`, "sha1", ""]) {
    assertProblem(await refused(body, { headers: { "X-Pack-Sha1": hash } }), 400, "bad-request", /X-Pack-Sha1/);
  }
  const base64 = reprDigest(body).slice("sha=:".length, -1);
  for (const digest of [`sha=${base64}`, "sha=::", "sha=:AAAA:", "sha=:!:", `sha=:${good}:`]) {
    assertProblem(await refused(body, { headers: { "Repr-Digest": digest } }), 400, "bad-request", /Repr-Digest/);
  }
});

test("two hashes that differ are 400, even when one is right", { timeout: TIMEOUT }, async () => {
  const body = packNamed("two hashes");
  for (const headers of [
    { "X-Pack-Sha1": sha1(body), "Repr-Digest": WRONG_DIGEST },
    { "X-Pack-Sha1": WRONG, "Repr-Digest": reprDigest(body) },
  ]) {
    assertProblem(await refused(body, { headers }), 400, "bad-request", /differ/);
  }
});

test("no token, another scheme and an unknown token are 401 with a challenge", { timeout: TIMEOUT }, async () => {
  const basic = `Basic ${Buffer.from(`user:${system.tokens.operator}`).toString("base64")}`;
  const prefix = system.tokens.operator.slice(0, -1);
  for (const authorization of [undefined, "Bearer", "Bearer ", basic, "Bearer unknown", `Bearer ${prefix}`]) {
    const headers = authorization === undefined ? {} : { authorization };
    const answer = await refused(packNamed("unauthorized"), { headers, token: undefined });
    assertProblem(answer, 401, "unauthorized");
    assert.match(String(answer.headers["www-authenticate"]), /^Bearer\b/);
  }
});

test("the hash of a token is no token", { timeout: TIMEOUT }, async () => {
  const env = await system.env("pack");
  const [entry] = JSON.parse(String(env["TOKENS"]));
  assertProblem(await refused(packNamed("hash"), { token: entry.sha256 }), 401, "unauthorized");
});

test("a token without the scope is 403, and the scope is named", { timeout: TIMEOUT }, async () => {
  for (const token of [system.tokens.statusWrite, system.tokens.opsRead, system.tokens.ddnsUpdate]) {
    assertProblem(await refused(packNamed("forbidden"), { token }), 403, "forbidden", /pack:write/);
  }
});

test("a token narrowed to one pack writes that one, and 403 for others", { timeout: TIMEOUT }, async () => {
  const token = system.tokens.packMain;
  for (const pack of ["other", "main2", "mai"]) {
    const answer = await refused(packNamed("narrow"), { token, pack });
    assertProblem(answer, 403, "forbidden", new RegExp(`pack:write:${pack}`));
  }
  const own = await upload(system, packNamed("narrow"), { token, query: "?publish=false" });
  assert.equal(own.status, 201, own.text);
});

test("no Content-Length is 411", { timeout: TIMEOUT }, async () => {
  assertProblem(await refused(packNamed("chunked"), { chunked: true }), 411, "length-required", /Content-Length/);
});

test("a body above the limit is 413, one of exactly the limit is taken", { timeout: TIMEOUT }, async () => {
  const answer = await refused(packOfSize(LIMIT + 1));
  assertProblem(answer, 413, "too-large", new RegExp(`${LIMIT}`));
  const declared = { "X-Pack-Sha1": sha1(packOfSize(LIMIT + 1)) };
  assertProblem(await refused(packOfSize(LIMIT + 1), { headers: declared }), 413, "too-large");
  const largest = await upload(system, packOfSize(LIMIT), { query: "?publish=false" });
  assert.equal(largest.status, 201, largest.text);
});

for (const { why, body, says } of REFUSED) {
  test(`an archive ${why} is 422 and the answer says so`, { timeout: TIMEOUT }, async () => {
    for (const headers of [{}, { "X-Pack-Sha1": sha1(body) }, { "Repr-Digest": reprDigest(body) }]) {
      assertProblem(await refused(body, { headers }), 422, "unprocessable", says);
      assert.equal((await system.request(`/packs/${sha1(body)}.zip`)).status, 404);
    }
  });
}

test("an empty body is 422", { timeout: TIMEOUT }, async () => {
  const empty = new Uint8Array(0);
  for (const headers of [{}, { "X-Pack-Sha1": WRONG }, { "Repr-Digest": WRONG_DIGEST }]) {
    assertProblem(await refused(empty, { headers }), 422, "unprocessable", /empty/);
  }
});

test("a bad name of a pack or channel is 400", { timeout: TIMEOUT }, async () => {
  for (const name of ["Main", "-main", "main_1", "a".repeat(33), "a.b", "a%2Fb", "m%C3%A4in", "_staging"]) {
    assertProblem(await refused(packNamed("name"), { pack: name }), 400, "bad-request", /pack/);
    assertProblem(await refused(packNamed("name"), { query: `?channel=${name}` }), 400, "bad-request", /channel/);
  }
  assertProblem(await refused(packNamed("name"), { query: "?channel=" }), 400, "bad-request", /channel/);
});

test("a publish that is neither true nor false is 400", { timeout: TIMEOUT }, async () => {
  for (const value of ["maybe", "1", "TRUE", ""]) {
    assertProblem(await refused(packNamed("publish"), { query: `?publish=${value}` }), 400, "bad-request", /publish/);
  }
});

test("another method is 405 with Allow", { timeout: TIMEOUT }, async () => {
  for (const method of ["POST", "DELETE"]) {
    const answer = await refused(packNamed("method"), { method });
    assertProblem(answer, 405, "method-not-allowed");
    const allowed = String(answer.headers.allow).split(/,\s*/);
    assert.deepEqual(["GET", "HEAD", "PUT"].filter((wanted) => !allowed.includes(wanted)), []);
  }
});
