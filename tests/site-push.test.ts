// `cargo xtask site push`, and then the site as a browser reads it: the page, everything that it names, and again.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Gateway, run as serve } from "./support/gateway.ts";
import { TIMEOUT, request } from "./support/harness.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const HOST = "www.example.com";
const run = promisify(execFile);

const place = mkdtempSync(join(tmpdir(), "genkan-push-"));
const [folder, state] = [join(place, "dist"), join(place, "state")];
after(() => rmSync(place, { recursive: true, force: true }));

function write(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
}

const push = (...more: string[]) =>
  run("cargo", ["--quiet", "xtask", "site", "push", "www", folder, "--state", state, ...more], { cwd: ROOT });

/** What the folder says that it did, without the names of files. */
const outcome = (stdout: string) => /site www: (\d+) uploaded, (\d+) unchanged(?:, (\d+) (deleted|gone))?/.exec(stdout)?.slice(1);

/** The gateway over the very state that was pushed to, while it runs. */
async function serving(work: (gateway: Gateway) => Promise<void>): Promise<void> {
  const gateway = await serve({ vars: { routes: [{ host: HOST, path: "/", site: "www" }] }, sites: join(state, "v3") });
  try {
    await work(gateway);
  } finally {
    await gateway.stop();
  }
}

const ACCEPT: Record<string, string> = { document: "text/html,application/xhtml+xml,*/*;q=0.8", style: "text/css,*/*;q=0.1", script: "*/*" };

/** Reads a page and what it names, as a browser does with an empty cache, or with the tags that it has kept. */
async function visit(url: string, tags = new Map<string, string>()): Promise<Map<string, { status: number; type: string; cache: string }>> {
  const seen = new Map<string, { status: number; type: string; cache: string }>();
  const load = async (path: string, dest: string) => {
    const tag = tags.get(path);
    const answer = await request(new URL(path, url).href, {
      headers: { Host: HOST, Accept: ACCEPT[dest], "Sec-Fetch-Dest": dest, "Accept-Encoding": "identity", ...(tag !== undefined && { "If-None-Match": tag }) },
    });
    tags.set(path, answer.headers["etag"] ?? "");
    seen.set(path, { status: answer.status, type: answer.headers["content-type"] ?? "", cache: answer.headers["cache-control"] ?? "" });
    return answer.text;
  };
  const page = await load("/", "document");
  for (const [, attribute, path] of page.matchAll(/(href|src)="([^"]+)"/g)) {
    await load(path!, attribute === "src" ? "script" : path!.endsWith(".css") ? "style" : "document");
  }
  return seen;
}

before(() => {
  write("index.html", '<link rel=stylesheet href="/assets/app.8f3a2b1c.css"><script src="/assets/app-DiwrgT3a.js"></script><a href="/a%20b/%E7%8E%84%E9%96%A2.txt">');
  write("assets/app.8f3a2b1c.css", "body{}");
  write("assets/app-DiwrgT3a.js", "export {};");
  write("a b/玄関.txt", "entrance");
  write("docs/index.html", "docs");
  write("old.txt", "old");
  for (const number of [1, 2, 3, 4]) write(`old-${number}.txt`, "old");
  write("empty.txt", "");
  write(".env", "SECRET=1");
});

/** Each call of wrangler takes seconds on a busy machine. */
test("a folder that was pushed is a site", { timeout: 3 * TIMEOUT }, async () => {
  const first = await push();
  assert.deepEqual(outcome(first.stdout), ["11", "0", undefined, undefined], first.stdout);
  assert.match(first.stdout, /\.env begins with a dot and is left out/);
  const order = [...first.stdout.matchAll(/^  \+ (.+)$/gm)].map(([, path]) => path!);
  assert.equal(order.length, 11);
  assert.deepEqual(order.slice(-2).map((path) => path.endsWith(".html")), [true, true]);

  await serving(async ({ url }) => {
    const tags = new Map<string, string>();
    const seen = await visit(url, tags);
    assert.deepEqual(Object.fromEntries(seen), {
      "/": { status: 200, type: "text/html; charset=utf-8", cache: "no-cache" },
      "/assets/app.8f3a2b1c.css": { status: 200, type: "text/css; charset=utf-8", cache: "public, max-age=31536000, immutable" },
      "/assets/app-DiwrgT3a.js": { status: 200, type: "text/javascript; charset=utf-8", cache: "public, max-age=31536000, immutable" },
      "/a%20b/%E7%8E%84%E9%96%A2.txt": { status: 200, type: "text/plain; charset=utf-8", cache: "public, max-age=3600" },
    });
    const again = await visit(url, tags);
    assert.deepEqual([...again.values()].map(({ status }) => status), [304]);
    assert.equal((await request(`${url}/.env`, { headers: { Host: HOST } })).status, 404);
    const ask = async (path: string) => request(`${url}${path}`, { headers: { Host: HOST } });
    assert.equal((await ask("/empty.txt")).headers["content-length"], "0");

    // While it is served, as beside `cargo xtask dev`.
    rmSync(join(folder, "old.txt"));
    write("docs/index.html", "new docs");
    write("docs/more.html", "more");
    const second = await push("--delete");
    assert.deepEqual(outcome(second.stdout), ["2", "9", "1", "deleted"], second.stdout);
    assert.match(second.stdout, /~ docs\/index\.html\n {2}\+ docs\/more\.html\n {2}- old\.txt/);
    assert.equal((await ask("/docs/")).text, "new docs");
    assert.equal((await ask("/docs/more.html")).text, "more");
    assert.equal((await ask("/old.txt")).status, 404);
    assert.equal((await ask("/empty.txt")).status, 200);
  });

  // While nobody has what is stored open.
  for (const number of [1, 2, 3, 4]) rmSync(join(folder, `old-${number}.txt`));
  const third = await push("--delete");
  assert.deepEqual(outcome(third.stdout), ["0", "7", "4", "deleted"], third.stdout);
});

test("a folder that is no site is refused before anything is uploaded", { timeout: TIMEOUT }, async () => {
  const other = join(place, "other");
  mkdirSync(other);
  const refused = async (name: string, words: RegExp) => {
    const failed = await run("cargo", ["--quiet", "xtask", "site", "push", name, other, "--state", join(place, "nothing")], { cwd: ROOT }).then(
      () => assert.fail("it was pushed"),
      (error: { stderr: string }) => error,
    );
    assert.match(failed.stderr, words);
  };
  await refused("www", /no index\.html/);
  writeFileSync(join(other, "index.html"), "x");
  await refused("../www", /is not a name/);
  symlinkSync("/etc/hostname", join(other, "link.txt"));
  await refused("www", /link\.txt is a link that leads out/);
});
