// The drop-in for Oraxen's Polymath: forms as real clients send them, and forms that are wrong.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { assertProblem, start, TIMEOUT, type Answer, type System } from "./support/harness.ts";
import { packNamed, packOfSize, REFUSED, sha1, stored, upload } from "./support/packs.ts";

let system: System;
before(async () => {
  system = await start();
});
after(() => system.close());

type Part = { name: string; body: string | Uint8Array; header?: string };

const BOUNDARY = "OraxenBoundary0123456789abcdef";

/** A form of these parts; what comes after the last can be told. */
function form(parts: Part[], options: { boundary?: string; end?: string; preamble?: string } = {}): Buffer {
  const { boundary = BOUNDARY, preamble = "" } = options;
  const { end = `\r\n--${boundary}--\r\n` } = options;
  const chunks: (string | Uint8Array)[] = [preamble];
  for (const [index, { name, body, header = "" }] of parts.entries()) {
    const delimiter = `${index === 0 ? "" : "\r\n"}--${boundary}`;
    chunks.push(`${delimiter}\r\nContent-Disposition: form-data; name="${name}"${header}\r\n\r\n`, body);
  }
  return Buffer.concat([...chunks, end].map((chunk) => Buffer.from(chunk)));
}

const FILE = `; filename="pack.zip"\r\nContent-Type: application/octet-stream`;

function idAndPack(body: string | Uint8Array, id = system.tokens.packWrite): Part[] {
  return [{ name: "id", body: id }, { name: "pack", header: FILE, body }];
}

interface Sending {
  boundary?: string;
  contentType?: string;
  chunked?: boolean;
  method?: string;
}

/** `POST /upload`, without an Authorization header as all of its clients do. */
function send(body: Uint8Array, { boundary = BOUNDARY, contentType, chunked = false, method = "POST" }: Sending = {}): Promise<Answer> {
  const headers = { "content-type": contentType ?? `multipart/form-data; boundary=${boundary}` };
  return system.request("/upload", { method, headers, body, chunked });
}

/** Checks that it was taken and is what players get now. */
async function assertPublished(answer: { status: number; json(): any }, body: Uint8Array, pack = "main"): Promise<void> {
  assert.equal(answer.status, 200, JSON.stringify(answer.json()));
  const latest = (await system.request(`/api/pack/latest?pack=${pack}`)).json();
  assert.deepEqual(answer.json(), { url: latest.url, sha1: sha1(body) });
  assert.equal(latest.sha1, sha1(body));
  for (const path of [`/packs/${sha1(body)}.zip`, `/pack.zip?id=${sha1(body)}`]) {
    assert.ok((await system.request(path)).body.equals(body), path);
  }
  const staged = Object.keys(await stored(system)).filter((key) => key.startsWith("incoming/"));
  assert.deepEqual(staged, [], "nothing is left set aside");
}

/** Checks that it is refused as Polymath's clients read it, with nothing stored. */
async function assertRefused(answer: Promise<Answer>, status: number, says: RegExp, unchanged: object): Promise<void> {
  const { headers, text, ...refused } = await answer;
  assert.equal(refused.status, status, text);
  assert.equal(headers["content-type"], "application/json");
  assert.equal(headers["cache-control"], "no-store");
  const body = JSON.parse(text);
  assert.deepEqual(Object.keys(body), ["error"]);
  assert.match(body.error, says);
  assert.deepEqual(await stored(system), unchanged);
}

let variant = 0;
for (const size of [600, 70_000, 1_000_000, 20_000_000]) {
  for (const ends of ["\r\n", "", "\r\n\r\n"]) {
    const title = `a form with a pack of ${size} bytes that ends in ${JSON.stringify(`--boundary--${ends}`)} is published`;
    test(title, { timeout: TIMEOUT }, async () => {
      const body = packOfSize(size, ++variant);
      await assertPublished(await send(form(idAndPack(body), { end: `\r\n--${BOUNDARY}--${ends}` })), body);
    });
  }
}

test("sizes around the front that is read at once, and the chunks behind it", { timeout: TIMEOUT }, async () => {
  const before = form(idAndPack("")).length;
  for (const edge of [65_536, 65_536 + 262_144]) {
    for (let off = -40; off <= 80; off += 5) {
      const body = packOfSize(edge - before + off, ++variant);
      const answer = await send(form(idAndPack(body)));
      assert.deepEqual([answer.status, answer.json().sha1], [200, sha1(body)], `${edge} ${off}`);
    }
  }
});

test("Node's fetch with FormData, which says its length", { timeout: TIMEOUT }, async () => {
  const body = packOfSize(3_000_000, ++variant);
  const data = new FormData();
  data.set("id", system.tokens.packMain);
  data.set("pack", new File([body], "pack.zip", { type: "application/zip" }));
  const response = await fetch(`${system.url}/upload`, { method: "POST", body: data });
  const json = await response.json();
  await assertPublished({ status: response.status, json: () => json }, body);
});

test("Apache HttpClient's MultipartEntityBuilder", { timeout: TIMEOUT }, async () => {
  const body = packNamed("apache");
  const boundary = "mBvDaJv0YVnBDi8Rz_qLkU3-tkPVm5BaQlC0tW";
  const bytes = form([
    {
      name: "id",
      header: "\r\nContent-Type: text/plain; charset=ISO-8859-1\r\nContent-Transfer-Encoding: 8bit",
      body: system.tokens.packWrite,
    },
    { name: "pack", header: `${FILE}\r\nContent-Transfer-Encoding: binary`, body },
  ], { boundary });
  await assertPublished(await send(bytes, { boundary }), body);
});

test("curl -F", { timeout: TIMEOUT }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "genkan-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const [label, body] of [["small", packNamed("curl")], ["large", packOfSize(5_000_000, ++variant)]] as const) {
    const file = join(folder, `${label}.zip`);
    writeFileSync(file, body);
    const args = ["-sS", "-F", `id=${system.tokens.packWrite}`, "-F", `pack=@${file}`, `${system.url}/upload`];
    let out: string;
    try {
      out = (await promisify(execFile)("curl", args)).stdout;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return t.skip("there is no curl here");
      throw error;
    }
    await assertPublished({ status: 200, json: () => JSON.parse(out) }, body);
  }
});

test("other forms that are right: quoted boundary, preamble, further fields before the pack", { timeout: TIMEOUT }, async () => {
  const body = packNamed("quoted");
  const [id, pack] = idAndPack(body) as [Part, Part];
  const boundary = "a b;c=d";
  const bytes = form([{ name: "server", body: "survival" }, id, pack], { boundary, preamble: "ignored\r\n" });
  await assertPublished(await send(bytes, { contentType: `Multipart/Form-Data; BOUNDARY="${boundary}"` }), body);

  const long = "x".repeat(70);
  await assertPublished(await send(form(idAndPack(body), { boundary: long }), { boundary: long }), body);
});

test("what looks like the boundary and is not does not end the file", { timeout: TIMEOUT }, async () => {
  for (const filler of [`\r\n--${BOUNDARY.slice(0, -1)}x`, `x--${BOUNDARY}--`, `x\n--${BOUNDARY}`, `\r\r\n-\r\n--\r\n--O`]) {
    const body = packNamed(filler.repeat(9));
    const large = packOfSize(700_000, ++variant);
    for (let at = 1000; at < large.length - 2000; at += 997) large.set(Buffer.from(filler), at);
    for (const bytes of [body, large]) {
      const answer = await send(form(idAndPack(bytes)));
      assert.deepEqual([answer.status, answer.json().sha1], [200, sha1(bytes)], answer.text);
    }
  }
});

test("the same again is taken again, and changes nothing", { timeout: TIMEOUT }, async () => {
  const body = packNamed("again");
  const bytes = form(idAndPack(body));
  await assertPublished(await send(bytes), body);
  const before = await stored(system);
  await assertPublished(await send(bytes), body);
  assert.deepEqual(await stored(system), before);
});

test("who uploaded is on record by the token's name", { timeout: TIMEOUT }, async () => {
  const body = packNamed("recorded");
  await assertPublished(await send(form(idAndPack(body, system.tokens.packMain))), body);
  const { releases } = (await system.request("/api/packs/main")).json();
  assert.equal(releases.find((release: any) => release.sha1 === sha1(body)).uploaded_by, "packMain");
});

test("a wrong token, and one without the right, store nothing", { timeout: TIMEOUT }, async () => {
  const before = await stored(system);
  for (const size of [600, 20_000_000]) {
    const body = packOfSize(size, ++variant);
    const refused = (id: string, status: number, says: RegExp) =>
      assertRefused(send(form(idAndPack(body, id))), status, says, before);
    await refused("oraxen", 401, /token is not known/);
    await refused("", 401, /token is not known/);
    await refused(`${system.tokens.packWrite} `, 401, /token is not known/);
    await refused(system.tokens.statusWrite, 403, /lacks the scope pack:write:main/);
  }
});

test("forms that are wrong are told why, and nothing is stored", { timeout: TIMEOUT }, async () => {
  const body = packOfSize(300_000, ++variant);
  const parts = idAndPack(body);
  const [id, pack] = parts as [Part, Part];
  const good = form(parts);
  const before = await stored(system);
  const refused = (bytes: Uint8Array, status: number, says: RegExp, how: Sending = {}) =>
    assertRefused(send(bytes, how), status, says, before);

  await refused(good, 400, /multipart\/form-data/, { contentType: "application/zip" });
  await refused(good, 400, /without a boundary/, { contentType: "multipart/form-data" });
  const long = "x".repeat(71);
  await refused(form(parts, { boundary: long }), 400, /71 characters/, { boundary: long });
  await refused(good, 400, /does not begin with the boundary/, { boundary: "another" });
  await refused(Buffer.alloc(0), 400, /form/);
  await refused(body, 400, /does not begin with the boundary/);
  await refused(good, 411, /Content-Length/, { chunked: true });
  await refused(form([id]), 400, /no field "pack"/);
  await refused(form([pack]), 400, /"id".*is missing/);
  await refused(form([pack, id]), 400, /"id".*must come before/);
  await refused(form([id, id, pack]), 400, /"id" twice/);
  await refused(form([id, pack, pack]), 400, /follows the field "pack"/);
  await refused(form([id, pack, { name: "x", body: "y" }]), 400, /follows the field "pack"/);
  await refused(form([{ name: "x", body: "y".repeat(70_000) }, id, pack]), 400, /first 64 KiB/);
  await refused(form(parts, { end: "" }), 400, /no end/);
  await refused(form(parts, { end: `\r\n--${BOUNDARY}` }), 400, /no end/);
  await refused(form(parts, { end: `\r\n--${BOUNDARY}-` }), 400, /no end/);
  await refused(form(parts, { end: `\n--${BOUNDARY}--\n` }), 400, /no end/);
  await refused(form(parts, { end: `\r\n--${BOUNDARY}--\r\nmore` }), 400, /follows/);
  await refused(form(parts, { end: `\r\n--${BOUNDARY}--${" ".repeat(400_000)}` }), 400, /follows/);
  await refused(form(idAndPack("")), 422, /empty|no bytes/i);
});

for (const { why, body, says } of REFUSED) {
  test(`a pack ${why} is refused`, { timeout: TIMEOUT }, async () => {
    const before = await stored(system);
    await assertRefused(send(form(idAndPack(body))), 422, says, before);
  });
}

test("other methods are told which one it takes", { timeout: TIMEOUT }, async () => {
  const before = await stored(system);
  for (const method of ["GET", "PUT", "DELETE"]) {
    await assertRefused(system.request("/upload", { method }), 405, /POST/, before);
    assert.equal((await system.request("/upload", { method })).headers["allow"], "POST");
  }
});

test("a form that is cut off stores nothing and is no fault of the worker", { timeout: TIMEOUT }, async () => {
  const bytes = form(idAndPack(packOfSize(2_000_000, ++variant)));
  const before = await stored(system);
  const { hostname, port } = new URL(system.url);
  const logged = system.logs().length;
  for (const sent of [0, 100, 70_000, 1_000_000, bytes.length - 1]) {
    const socket = connect(Number(port), hostname);
    socket.on("error", () => {}); // that the other end resets is no surprise
    await once(socket, "connect");
    const lines = [
      "POST /upload HTTP/1.1",
      `Host: ${hostname}:${port}`,
      `Content-Type: multipart/form-data; boundary=${BOUNDARY}`,
      `Content-Length: ${bytes.length}`,
    ];
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    await new Promise((resolve) => socket.write(bytes.subarray(0, sent), resolve));
    await sleep(200); // so that the worker is in the middle of it
    socket.destroy();
    await sleep(500);
    assert.deepEqual(await stored(system), before, `${sent} bytes`);
  }
  const faults = system.logs().slice(logged).filter(({ message }) => /"worker":"pack".*"status":5/.test(message));
  assert.deepEqual(faults, []);
});

test("GET /pack.zip?id= is the same as /packs/<sha1>.zip", { timeout: TIMEOUT }, async () => {
  const body = packOfSize(100_000, ++variant);
  assert.equal((await upload(system, body)).status, 201);
  const hash = sha1(body);
  const both = (options = {}) =>
    Promise.all([`/pack.zip?id=${hash}`, `/packs/${hash}.zip`].map((path) => system.request(path, options)));
  for (const options of [
    {},
    { method: "HEAD" },
    { headers: { range: "bytes=10-99" } },
    { headers: { range: "bytes=100000-" } },
    { headers: { "if-none-match": `"${hash}"` } },
  ]) {
    const [one, other] = (await both(options)) as [Answer, Answer];
    const { date: _, ...headers } = one.headers;
    const { date: __, ...others } = other.headers;
    assert.deepEqual([one.status, headers, one.body], [other.status, others, other.body], JSON.stringify(options));
  }
  for (const path of ["/pack.zip", "/pack.zip?id=", "/pack.zip?id=x", `/pack.zip?id=${"0".repeat(40)}`]) {
    const answer = await system.request(path);
    assert.equal(answer.status, 404);
    assert.equal(answer.headers["content-type"], "text/plain; charset=utf-8");
    assert.match(answer.text, /^[^\n]+\n$/);
  }
  assertProblem(await system.request("/pack.zip", { method: "POST" }), 405, "method-not-allowed");
});

test("POLYMATH_PACK names the pack, and the upload limit is kept", { timeout: TIMEOUT }, async (t) => {
  const main = system;
  t.after(() => {
    system = main;
  });
  system = await start({ pack: { POLYMATH_PACK: "oraxen", MAX_UPLOAD_BYTES: 10_000 } });
  t.after(system.close);
  const fits = packOfSize(10_000, ++variant);
  await assertPublished(await send(form(idAndPack(fits))), fits, "oraxen");
  const before = await stored(system);
  const refuse = (body: Uint8Array, id: string, status: number, says: RegExp) =>
    assertRefused(send(form(idAndPack(body, id))), status, says, before);
  await refuse(packNamed("other"), system.tokens.packMain, 403, /lacks the scope pack:write:oraxen/);
  for (const size of [10_001, 12_000, 70_000, 3_000_000]) {
    await refuse(packOfSize(size, ++variant), system.tokens.packWrite, 413, /10000/);
  }
});
