// Downloads: bytes by their hash, whole and in ranges (RFC 9110, sections 13 to 15).

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { assertProblem, start, TIMEOUT, type Answer, type System } from "./support/harness.ts";
import { packOfSize, sha1, upload } from "./support/packs.ts";

const BYTES = packOfSize(1_000_000);
const SIZE = BYTES.length;
const HASH = sha1(BYTES);
const TAG = `"${HASH}"`;
const PATH = `/packs/${HASH}.zip`;

let system: System;
before(async () => {
  system = await start();
  assert.equal((await upload(system, BYTES)).status, 201);
});
after(() => system.close());

function get(headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  return system.request(PATH, { method, headers });
}

/** What every answer about these bytes says. */
function assertImmutable({ headers }: Answer): void {
  assert.equal(headers.etag, TAG);
  assert.equal(headers["cache-control"], "public, max-age=31536000, immutable");
  assert.equal(headers["accept-ranges"], "bytes");
  assert.equal(headers["access-control-allow-origin"], "*");
}

function assertWhole(answer: Answer): void {
  assert.equal(answer.status, 200);
  assertImmutable(answer);
  assert.equal(answer.headers["content-type"], "application/zip");
  assert.equal(answer.headers["content-length"], `${SIZE}`);
  assert.equal(answer.headers["content-range"], undefined);
  assert.equal(answer.body.length, SIZE);
  assert.ok(answer.body.equals(BYTES));
}

/** One line of readable text: the game prints it to the player's log. */
function assertLine(answer: Answer, status: number): void {
  assert.equal(answer.status, status, answer.text);
  assert.match(String(answer.headers["content-type"]), /^text\/plain\b/);
  assert.match(answer.text, /^[^\n<{]{5,200}\n?$/);
}

test("a download has the bytes, and the headers to keep them for ever", { timeout: TIMEOUT }, async () => {
  const answer = await get();
  assertWhole(answer);
  const disposition = String(answer.headers["content-disposition"]);
  assert.match(disposition, /^attachment; filename="main-[0-9a-f]{8}\.zip"$/);
  assert.ok(disposition.includes(HASH.slice(0, 8)));
});

test("a client that accepts gzip gets the same bytes and length", { timeout: TIMEOUT }, async () => {
  const answer = await get({ "Accept-Encoding": "gzip, deflate, br" });
  assertWhole(answer);
  assert.equal(answer.headers["content-encoding"], undefined);
});

test("HEAD has the headers of GET and no body", { timeout: TIMEOUT }, async () => {
  const [whole, head] = [await get(), await get({}, "HEAD")];
  assert.equal(head.status, 200);
  assert.equal(head.body.length, 0);
  for (const name of ["content-type", "content-length", "content-disposition"]) {
    assert.equal(head.headers[name], whole.headers[name], name);
  }
  assertImmutable(head);
});

const RANGES: [string, string, number, number][] = [
  ["the first byte", "bytes=0-0", 0, 0],
  ["the first part", "bytes=0-99999", 0, 99_999],
  ["the middle", "bytes=400000-600000", 400_000, 600_000],
  ["a suffix", "bytes=-1000", SIZE - 1000, SIZE - 1],
  ["the last byte", "bytes=-1", SIZE - 1, SIZE - 1],
  ["a longer suffix than there is", `bytes=-${SIZE * 2}`, 0, SIZE - 1],
  ["an open range", "bytes=999000-", 999_000, SIZE - 1],
  ["a range that goes past the end", `bytes=999000-${SIZE + 5000}`, 999_000, SIZE - 1],
  ["the whole as a range", "bytes=0-", 0, SIZE - 1],
  ["a unit in another case", "BYTES=0-4", 0, 4],
];
for (const [what, range, first, last] of RANGES) {
  test(`${what} is 206 with these bytes alone: ${range}`, { timeout: TIMEOUT }, async () => {
    const answer = await get({ Range: range });
    assert.equal(answer.status, 206, answer.text);
    assertImmutable(answer);
    assert.equal(answer.headers["content-range"], `bytes ${first}-${last}/${SIZE}`);
    assert.equal(answer.headers["content-length"], `${last - first + 1}`);
    assert.equal(answer.headers["content-type"], "application/zip");
    assert.ok(answer.body.equals(BYTES.subarray(first, last + 1)));
  });
}

test("a range past the end is 416 with the size", { timeout: TIMEOUT }, async () => {
  for (const range of [`bytes=${SIZE}-`, `bytes=${SIZE}-${SIZE + 10}`, "bytes=99999999-", "bytes=-0"]) {
    const answer = await get({ Range: range });
    assertLine(answer, 416);
    assert.equal(answer.headers["content-range"], `bytes */${SIZE}`);
  }
});

test("several ranges are answered with the whole", { timeout: TIMEOUT }, async () => {
  for (const range of ["bytes=0-1,4-5", "bytes=0-1, -1", "bytes=0-1,99999999-"]) {
    assertWhole(await get({ Range: range }));
  }
});

test("a malformed range counts as none", { timeout: TIMEOUT }, async () => {
  for (const range of ["bytes=", "bytes=-", "bytes=b-a", "bytes=5-2", "lines=0-1", "0-1", "bytes 0-1"]) {
    assertWhole(await get({ Range: range }));
  }
});

test("HEAD with a range is about the whole", { timeout: TIMEOUT }, async () => {
  const answer = await get({ Range: "bytes=0-9" }, "HEAD");
  assert.deepEqual([answer.status, answer.headers["content-length"]], [200, `${SIZE}`]);
});

test("If-Range with the tag gives the range, with anything else the whole", { timeout: TIMEOUT }, async () => {
  const match = await get({ Range: "bytes=10-19", "If-Range": TAG });
  assert.equal(match.status, 206);
  assert.ok(match.body.equals(BYTES.subarray(10, 20)));
  for (const other of [`"${sha1(new Uint8Array(0))}"`, `W/${TAG}`, HASH, "Sat, 21 Nov 2026 10:00:00 GMT"]) {
    assertWhole(await get({ Range: "bytes=10-19", "If-Range": other }));
  }
  assertWhole(await get({ Range: `bytes=${SIZE}-`, "If-Range": '"other"' }));
});

test("If-None-Match with the tag is 304 without a body", { timeout: TIMEOUT }, async () => {
  for (const tag of [TAG, `W/${TAG}`, `"other", ${TAG}`, "*"]) {
    const condition = { "If-None-Match": tag };
    for (const headers of [condition, { ...condition, Range: "bytes=0-9" }]) {
      for (const method of ["GET", "HEAD"]) {
        const answer = await get(headers, method);
        assert.equal(answer.status, 304, tag);
        assert.equal(answer.body.length, 0);
        assertImmutable(answer);
      }
    }
  }
  assertWhole(await get({ "If-None-Match": '"other"' }));
});

test("a hash that is not stored is 404 with one line of text", { timeout: TIMEOUT }, async () => {
  const path = `/packs/${sha1(new Uint8Array(0))}.zip`;
  for (const headers of [{}, { Range: "bytes=0-9" }, { "If-None-Match": "*" }]) {
    assertLine(await system.request(path, { headers }), 404);
  }
  const head = await system.request(path, { method: "HEAD" });
  assert.deepEqual([head.status, head.body.length], [404, 0]);
});

test("a name that is no hash is 404 with one line of text", { timeout: TIMEOUT }, async () => {
  const altered = [HASH, `${HASH}.jar`, `${HASH}0.zip`, `${HASH.slice(1)}.zip`];
  for (const name of [...altered, "x.zip", "%0A%0Dx.zip"]) {
    const answer = await system.request(`/packs/${name}`);
    assertLine(answer, 404);
    assert.ok(!String(answer.headers["cache-control"]).includes("immutable"));
  }
  // The gateway does not let through what a server might read as another path; the worker has no such pack.
  const climbing = "/packs/..%2Fregistry%2Fmain.json";
  assertProblem(await system.request(climbing), 400, "bad-request");
  const direct = await system.pack.fetch(`http://pack.test${climbing}`);
  assert.equal(direct.status, 404);
  assert.match(await direct.text(), /^there is no resource pack [^\n<{]+\n?$/);
});

test("whatever else is below /packs is 404 with one line of text", { timeout: TIMEOUT }, async () => {
  for (const path of ["/packs", "/packs/", `/packs/a/${HASH}.zip`, `/packs/${HASH}.zip/`, "/packs/a/b/c"]) {
    assertLine(await system.request(path), 404);
    const head = await system.request(path, { method: "HEAD" });
    assert.deepEqual([head.status, head.body.length], [404, 0]);
  }
});

test("another method is 405 with Allow", { timeout: TIMEOUT }, async () => {
  for (const method of ["POST", "PUT", "DELETE"]) {
    const answer = await system.request(PATH, { method, body: "x", token: system.tokens.operator });
    assert.equal(answer.status, 405, answer.text);
    assert.deepEqual(String(answer.headers.allow).split(/,\s*/).sort(), ["GET", "HEAD"]);
  }
  assertWhole(await get());
});

test("a browser may read it from any site", { timeout: TIMEOUT }, async () => {
  const preflight = await get({ Origin: "https://example.com", "Access-Control-Request-Method": "GET" }, "OPTIONS");
  assert.ok(preflight.status === 204 || preflight.status === 200, `${preflight.status}`);
  assert.equal(preflight.headers["access-control-allow-origin"], "*");
});

test("twenty downloads at once all have the bytes", { timeout: TIMEOUT }, async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => get()));
  for (const answer of answers) assertWhole(answer);
});

/** Small enough that R2 is read once, and large enough that the first player does not wait for the copy. */
for (const size of [1_000_000, 12_000_000]) {
  test(`the copy of the data centre answers like R2: ${size} bytes`, { timeout: TIMEOUT }, async () => {
    const bytes = packOfSize(size, 7);
    const [hash, path] = [sha1(bytes), `/packs/${sha1(bytes)}.zip`];
    await upload(system, bytes, { pack: "copied" });
    const made: Answer[] = [];
    // Ranges first: they fill nothing, so these come from R2.
    const ranges = ["bytes=0-0", "bytes=400000-600000", "bytes=-1000", "bytes=999000-", `bytes=999000-${size * 2}`];
    for (const range of ranges) made.push(await system.request(path, { headers: { Range: range } }));
    made.push(await system.request(path));
    const asked = [{ method: "HEAD" }, { headers: { "If-None-Match": `"${hash}"` } }];
    const heads = await Promise.all(asked.map((options) => system.request(path, options)));
    assert.deepEqual(heads.map(({ status }) => status), [200, 304]);
    await sleep(1_000); // the copy is made beside the answer
    const { PACKS } = await system.env("pack");
    await PACKS.delete(`packs/${hash}.zip`);
    for (const [index, options] of asked.entries()) {
      const [{ status, headers }, { status: was, headers: said }] = [await system.request(path, options), heads[index]!];
      delete headers.date;
      delete said.date;
      assert.deepEqual([status, headers], [was, said]);
    }
    const copied: Answer[] = [];
    for (const range of ranges) copied.push(await system.request(path, { headers: { Range: range } }));
    copied.push(await system.request(path, { headers: { "Accept-Encoding": "gzip", "User-Agent": "x", Cookie: "a=b" } }));
    copied.push(await system.request(`${path}?query=1`), await system.request(path, { headers: { Range: "bytes=5-2" } }));
    const whole = made.at(-1)!;
    for (const [index, answer] of copied.entries()) {
      const { status, headers, body } = made[index] ?? whole;
      delete headers.date;
      delete answer.headers.date;
      assert.deepEqual([answer.status, answer.headers], [status, headers]);
      assert.ok(answer.body.equals(body), `${index}`);
    }
    assert.equal(whole.status, 200);
    assert.ok(whole.body.equals(bytes));
    assert.deepEqual(made.map(({ status }) => status), [206, 206, 206, 206, 206, 200]);
  });
}

test("a burst for a pack that nobody has asked for yet gets all its bytes", { timeout: TIMEOUT }, async () => {
  for (const size of [200_000, 10_000_000]) {
    const bytes = packOfSize(size, 9);
    await upload(system, bytes, { pack: "burst" });
    const path = `/packs/${sha1(bytes)}.zip`;
    const answers = await Promise.all(Array.from({ length: 30 }, () => system.request(path)));
    for (const { status, body, headers } of answers) {
      assert.deepEqual([status, headers["content-length"]], [200, `${size}`]);
      assert.ok(body.equals(bytes));
    }
  }
});

/** Sends a request for it and gives the answer as soon as its first byte is here. */
async function firstByte(path: string): Promise<{ rest: () => Promise<Buffer> }> {
  const answer = await fetch(`${system.url}${path}`);
  assert.equal(answer.status, 200);
  const reader = answer.body!.getReader();
  const chunks: Uint8Array[] = [];
  const read = async () => {
    const { value } = await reader.read();
    if (value !== undefined) chunks.push(value);
    return value !== undefined;
  };
  await read();
  return {
    rest: async () => {
      while (await read());
      return Buffer.concat(chunks);
    },
  };
}

test("of a burst for a cold pack the first alone reads R2", { timeout: TIMEOUT }, async () => {
  const { PACKS } = await system.env("pack");
  for (const size of [1_000_000, 10_000_000]) {
    const bytes = packOfSize(size, 10);
    assert.equal((await upload(system, bytes, { pack: "cold" })).status, 201);
    const path = `/packs/${sha1(bytes)}.zip`;
    const first = await firstByte(path);
    // Whoever asks R2 from here on finds nothing.
    await PACKS.delete(path.slice(1));
    const answers = await Promise.all(Array.from({ length: 20 }, () => system.request(path)));
    for (const { status, body } of answers) assert.ok(status === 200 && body.equals(bytes), `${size}: ${status}`);
    assert.ok((await first.rest()).equals(bytes));
  }
});

test("who goes away in the middle takes nothing from those who come after", { timeout: TIMEOUT }, async () => {
  const bytes = packOfSize(20_000_000, 11);
  await upload(system, bytes, { pack: "gone" });
  const url = `${system.url}/packs/${sha1(bytes)}.zip`;
  const leaving = new AbortController();
  const first = await fetch(url, { signal: leaving.signal });
  await first.body!.getReader().read();
  leaving.abort();
  for (let time = 0; time < 3; time++) {
    const answer = await system.request(new URL(url).pathname);
    assert.equal(answer.status, 200);
    assert.ok(answer.body.equals(bytes));
  }
});
