// Static sites from R2, as browsers, crawlers and download tools ask for them.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Gateway, run } from "./support/gateway.ts";
import { type RequestOptions, TIMEOUT, assertProblem } from "./support/harness.ts";

const HTML = "text/html; charset=utf-8";
const DIGITS = "0123456789";

/** What lies in the bucket: key, content, and what a push would have said about it. */
const OBJECTS: [key: string, content: string, metadata?: Record<string, string>][] = [
  ["www/index.html", "<h1>home</h1>", { contentType: HTML, cacheControl: "no-cache" }],
  ["www/404.html", "<h1>not here</h1>"],
  ["www/docs/index.html", "<h1>docs</h1>"],
  ["www/a b/日本.txt", "日本"],
  ["www/style.css", "b{}", { contentType: "text/css; charset=utf-8", cacheControl: "public, max-age=60" }],
  ["www/plain.svg", "<svg/>", { contentType: "application/octet-stream" }],
  ["www/assets/app-DiwrgT3a.js", "1"],
  ["www/digits.bin", DIGITS],
  ["www/empty.txt", ""],
  ["www/no-extension", "?"],
  ["www/.secret", "hidden"],
  ["www/.well-known/security.txt", "Contact: mailto:me@example.com"],
  ["wwwx/index.html", "<h1>another site</h1>"],
  ["app/index.html", "<div id=app></div>"],
  ["app/assets/app-DiwrgT3a.js", "1"],
  ["manual/index.html", "<h1>manual</h1>"],
  ["manual/chapter/index.html", "<h1>chapter</h1>"],
];

let gateway: Gateway;
let sites: Awaited<ReturnType<Gateway["sites"]>>;
before(async () => {
  const host = "www.example.com";
  const routes = [
    { host, path: "/", site: "www" },
    { host, path: "/manual/", site: "manual" },
    { host, path: "/book", site: "manual" },
    { host, path: "/empty", site: "none" },
    { host: "app.example.com", path: "/", site: "app", spa: true },
    { host: "app.example.com", path: "/inner", site: "app", spa: true },
    { host: "app.example.com", path: "/api", respond: "{}", content_type: "application/json" },
    { host: "none.example.com", path: "/", site: "none" },
  ];
  gateway = await run({ vars: { routes }, sites: "new" });
  sites = await gateway.sites();
  for (const [key, content, httpMetadata] of OBJECTS) await sites.put(`sites/${key}`, content, { httpMetadata });
});
after(() => gateway?.stop());

const ask = (path: string, { headers, ...options }: RequestOptions = {}, host = "www.example.com") =>
  gateway.request(path, { ...options, headers: { Host: host, ...headers } });

describe("a file of a site", { timeout: TIMEOUT }, () => {
  test("has its type, length, tag and lifetime", async () => {
    for (const [path, type, cache, body] of [
      ["/", HTML, "no-cache", "<h1>home</h1>"],
      ["/index.html", HTML, "no-cache", "<h1>home</h1>"],
      ["/docs/", HTML, "no-cache", "<h1>docs</h1>"],
      ["/style.css", "text/css; charset=utf-8", "public, max-age=60", "b{}"],
      ["/plain.svg", "image/svg+xml", "public, max-age=3600", "<svg/>"],
      ["/assets/app-DiwrgT3a.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", "1"],
      ["/no-extension", "application/octet-stream", "public, max-age=3600", "?"],
      ["/empty.txt", "text/plain; charset=utf-8", "public, max-age=3600", ""],
      ["/.well-known/security.txt", "text/plain; charset=utf-8", "public, max-age=3600", "Contact: mailto:me@example.com"],
      ["/a%20b/%E6%97%A5%E6%9C%AC.txt", "text/plain; charset=utf-8", "public, max-age=3600", "日本"],
      ["/style.css?v=2", "text/css; charset=utf-8", "public, max-age=60", "b{}"],
    ] as const) {
      const answer = await ask(path);
      assert.equal(answer.status, 200, `${path}: ${answer.text}`);
      assert.equal(answer.text, body, path);
      assert.equal(answer.headers["content-type"], type, path);
      assert.equal(answer.headers["cache-control"], cache, path);
      const length = String(Buffer.byteLength(body));
      assert.equal(answer.headers["content-length"], length, path);
      assert.match(answer.headers["etag"] ?? "", /^"[0-9a-f]{32}"$/, path);
      assert.equal(answer.headers["accept-ranges"], "bytes", path);
      const head = await ask(path, { method: "HEAD" });
      assert.deepEqual([head.status, head.text, head.headers["etag"]], [200, "", answer.headers["etag"]], path);
      assert.equal(head.headers["content-length"], length, path);
    }
  });

  test("is not sent again to whom has it", async () => {
    const tag = (await ask("/digits.bin")).headers["etag"] ?? "";
    for (const condition of [tag, `W/${tag}`, `"x", ${tag}`, "*"]) {
      for (const method of ["GET", "HEAD"]) {
        const answer = await ask("/digits.bin", { method, headers: { "If-None-Match": condition } });
        assert.deepEqual([answer.status, answer.text, answer.headers["etag"]], [304, "", tag], condition);
        assert.equal(answer.headers["cache-control"], "public, max-age=3600");
      }
    }
    assert.equal((await ask("/digits.bin", { headers: { "If-None-Match": '"x"' } })).status, 200);
  });

  test("is sent in part when one part is asked for", async () => {
    const tag = (await ask("/digits.bin")).headers["etag"] ?? "";
    for (const [range, expected, said] of [
      ["bytes=0-3", "0123", "bytes 0-3/10"],
      ["bytes=7-", "789", "bytes 7-9/10"],
      ["bytes=-2", "89", "bytes 8-9/10"],
      ["bytes=-20", DIGITS, "bytes 0-9/10"],
      ["bytes=5-500", "56789", "bytes 5-9/10"],
    ] as const) {
      const part = await ask("/digits.bin", { headers: { Range: range } });
      assert.deepEqual([part.status, part.text, part.headers["content-range"]], [206, expected, said], range);
      assert.equal(part.headers["content-length"], String(expected.length));
      assert.equal(part.headers["etag"], tag);
      const same = await ask("/digits.bin", { headers: { Range: range, "If-Range": tag } });
      assert.deepEqual([same.status, same.text], [206, expected]);
      const old = await ask("/digits.bin", { headers: { Range: range, "If-Range": '"old"' } });
      assert.deepEqual([old.status, old.text], [200, DIGITS]);
    }
    for (const range of ["bytes=0-1,3-4", "bytes=x", "lines=1-2", "bytes=4-2"]) {
      const whole = await ask("/digits.bin", { headers: { Range: range } });
      assert.deepEqual([whole.status, whole.text], [200, DIGITS], range);
    }
    for (const range of ["bytes=10-", "bytes=-0", "bytes=99-100"]) {
      const answer = await ask("/digits.bin", { headers: { Range: range } });
      assertProblem(answer, 416, "range-not-satisfiable");
      assert.equal(answer.headers["content-range"], "bytes */10", range);
    }
  });

  test("is not to be changed", async () => {
    for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
      const answer = await ask("/index.html", { method, body: "x" });
      assertProblem(answer, 405, "method-not-allowed");
      assert.equal(answer.headers["allow"], "GET, HEAD", method);
    }
    assert.equal((await ask("/index.html")).text, "<h1>home</h1>");
  });
});

describe("a folder of a site", { timeout: TIMEOUT }, () => {
  test("is shown at its slash, and led to from without", async () => {
    for (const [path, location] of [
      ["/docs", "/docs/"],
      ["/docs?a=1&b", "/docs/?a=1&b"],
      ["/manual/chapter", "/manual/chapter/"],
    ] as const) {
      const answer = await ask(path);
      assert.deepEqual([answer.status, answer.headers["location"]], [301, location]);
      assert.equal((await ask(location)).status, 200);
    }
    assert.equal((await ask("/a%20b/")).status, 404);
    assert.equal((await ask("/a%20b")).status, 404);
  });

  test("below a path is the site's own root", async () => {
    assert.equal((await ask("/manual/")).text, "<h1>manual</h1>");
    assert.equal((await ask("/manual/chapter/")).text, "<h1>chapter</h1>");
    const bare = await ask("/manual");
    assert.ok([301, 302, 307, 308].includes(bare.status), String(bare.status));
    assert.match(bare.headers["location"] ?? "", /\/manual\/$/);
    // The same when the route's path was written without the slash.
    const book = await ask("/book?a=b");
    assert.deepEqual([book.status, book.headers["location"]], [301, "/book/?a=b"]);
    assert.equal((await ask("/book/")).text, "<h1>manual</h1>");
    assert.equal((await ask("/empty")).status, 404);
    // And of an application: what its page names by relative references lies below.
    const app = await ask("/inner?a=b", { headers: { Accept: "text/html" } }, "app.example.com");
    assert.deepEqual([app.status, app.headers["location"]], [301, "/inner/?a=b"]);
    for (const path of ["/inner/", "/inner/users/7"]) {
      assert.equal((await ask(path, { headers: { Accept: "text/html" } }, "app.example.com")).text, "<div id=app></div>", path);
    }
  });
});

describe("what is not there", { timeout: TIMEOUT }, () => {
  test("is the site's own page, with 404", async () => {
    for (const path of ["/gone", "/gone/", "/docs/gone.css", "/.secret", "/style.css/", "/INDEX.HTML"]) {
      const answer = await ask(path, { headers: { Accept: "text/html" } });
      assert.deepEqual([answer.status, answer.text], [404, "<h1>not here</h1>"], path);
      assert.equal(answer.headers["content-type"], HTML);
      assert.equal(answer.headers["etag"], undefined);
      const part = await ask(path, { headers: { Range: "bytes=0-3", "If-None-Match": "*" } });
      assert.deepEqual([part.status, part.text], [404, "<h1>not here</h1>"], path);
      const head = await ask(path, { method: "HEAD" });
      assert.deepEqual([head.status, head.text], [404, ""], path);
    }
  });

  test("of a site without such a page is a problem", async () => {
    assertProblem(await ask("/x", {}, "none.example.com"), 404, "not-found");
    assertProblem(await ask("/manual/gone"), 404, "not-found");
  });

  test("of an application is its own page, unless it is a file or not asked for as a page", async () => {
    const app = (path: string, headers = {}) => ask(path, { headers }, "app.example.com");
    for (const path of ["/", "/users/7", "/users/", "/users/john.doe", "/users/jane.md", "/files/report.pdf", "/a/b/c?x=1"]) {
      const answer = await app(path, { Accept: "text/html,application/xhtml+xml,*/*;q=0.8" });
      assert.deepEqual([answer.status, answer.text], [200, "<div id=app></div>"], path);
      assert.equal(answer.headers["cache-control"], "no-cache");
    }
    const tag = (await app("/users/7")).headers["etag"] ?? "";
    assert.equal((await app("/users/8", { "If-None-Match": tag })).status, 304);
    for (const path of ["/assets/app-00000000.js", "/logo.png", "/old.html"]) assertProblem(await app(path), 404, "not-found");
    // A browser that is led to an address takes HTML; one that wants a file for a page says so.
    for (const path of ["/assets/app-00000000.js", "/logo.png", "/old.html", "/app.js.map", "/robots.txt"]) {
      assert.equal((await app(path, { Accept: "text/html,*/*;q=0.8" })).status, 404, path);
    }
    assertProblem(await app("/users/jane.md", { Accept: "*/*" }), 404, "not-found");
    assertProblem(await app("/users/7", { Accept: "application/json" }), 404, "not-found");
    assert.equal((await app("/api/users")).text, "{}");
  });
});

describe("a confusing path", { timeout: TIMEOUT }, () => {
  test("leads out of no site", async () => {
    const secret = /another site|hidden/;
    for (const path of [
      "/../wwwx/index.html",
      "/%2e%2e/wwwx/index.html",
      "/..%2fwwwx/index.html",
      "/docs/..%2f..%2fwwwx/index.html",
      "/%252e%252e/wwwx/index.html",
      "//wwwx/index.html",
      "/..\\wwwx/index.html",
      "/%5c..%5cwwwx/index.html",
      "/%2esecret",
      "/./.secret",
      "/docs//index.html",
      "/index.html%00",
      "/index.html%0a",
      "/%ff",
      "/%",
      `/${"a".repeat(2000)}`,
      `/${"a/".repeat(2000)}`,
    ]) {
      const answer = await ask(path);
      assert.doesNotMatch(answer.text, secret, path);
      assert.ok([400, 404].includes(answer.status), `${path}: ${answer.status}`);
    }
    assert.equal((await ask("/docs/../style.css")).text, "b{}");
  });

  test("is led to no other host", async () => {
    for (const path of ["//evil.test", "//evil.test/..", "/\\evil.test", "/docs//evil.test", "/%2fevil.test"]) {
      const { headers } = await ask(path);
      assert.doesNotMatch(headers["location"] ?? "", /^(\/\/|\/\\|https?:\/\/evil)/, path);
    }
  });
});

describe("a large file", { timeout: TIMEOUT }, () => {
  test("passes whole and in parts, at once from many", async () => {
    const bytes = Buffer.alloc(8_000_000, "genkan ");
    await sites.put("sites/www/large.bin", bytes);
    const answers = await Promise.all([
      ask("/large.bin"),
      ask("/large.bin", { headers: { Range: "bytes=7000000-" } }),
      ask("/large.bin", { headers: { Range: "bytes=-1" } }),
      ask("/large.bin"),
    ]);
    const [whole, tail, last, again] = answers.map(({ body }) => body);
    assert.ok(whole!.equals(bytes) && again!.equals(bytes));
    assert.ok(tail!.equals(bytes.subarray(7_000_000)));
    assert.ok(last!.equals(bytes.subarray(-1)));
  });

  test("that is replaced is never a mix of two", async () => {
    const [a, b] = [Buffer.alloc(100_000, "a"), Buffer.alloc(100_000, "b")];
    await sites.put("sites/www/turn.bin", a);
    let done = false;
    const turning = (async () => {
      for (let turn = 0; turn < 20; turn += 1) await sites.put("sites/www/turn.bin", turn % 2 === 0 ? b : a);
      done = true;
    })();
    let asked = 0;
    while (!done || asked < 10) {
      const { status, body, headers } = await ask("/turn.bin", { headers: { Range: "bytes=1000-1999" } });
      asked += 1;
      const one = body[0];
      assert.ok(body.every((byte) => byte === one), `${status} ${headers["content-range"]}`);
      assert.equal(body.length, status === 206 ? 1000 : 100_000);
    }
    await turning;
  });
});
