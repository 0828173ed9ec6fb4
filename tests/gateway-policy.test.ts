// What a route asks of a request and adds to an answer: tokens, rate limits, maintenance, security
// headers, HTTPS; and what the gateway answers by itself.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Gateway, exchange, run } from "./support/gateway.ts";
import { assertProblem } from "./support/harness.ts";
import { type OriginServer, originServer } from "./support/origin.ts";

const token = (scopes: string[]) => {
  const text = randomBytes(32).toString("base64url");
  return { text, entry: { name: "someone", sha256: createHash("sha256").update(text).digest("hex"), scopes } };
};
const reader = token(["ops:read"]);
const router = token(["ddns:update:home.example.com"]);
const TOKENS = JSON.stringify([reader.entry, router.entry]);

const BROWSER = { Accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8" };
const CSP = "default-src 'self'; frame-ancestors 'none'";

let origin: OriginServer;
let gateway: Gateway;
before(async () => {
  origin = await originServer();
  const to = origin.url;
  gateway = await run({
    vars: {
      routes: [
        { path: "/", origin: to },
        { path: "/any-token", origin: to, auth: "bearer" },
        { path: "/ops", origin: to, auth: "bearer", scope: "ops:read", forward_token: true },
        { path: "/limited", origin: to, rate_limit: "few", name: "the limited one" },
        { path: "/limited/too", origin: to, rate_limit: "few" },
        { path: "/guess", origin: to, rate_limit: "few", auth: "bearer" },
        { path: "/unbound", origin: to, rate_limit: "nothing" },
        { path: "/access", origin: to, access: true },
        { path: "/closed", origin: to, maintenance: true },
        { path: "/message", origin: to, maintenance: { en: "Back <at> six & later", ja: "六時<に>戻ります" }, retry_after_seconds: 3600, auth: "bearer" },
        { path: "/off", origin: to, headers: "off" },
        { path: "/strict", origin: to, csp: CSP, frame: "deny", permissions: "microphone=(self)" },
        { path: "/open", origin: to, frame: "any" },
        { path: "/text", respond: "Bye & <so>\n", status: 410 },
        { path: "/empty", respond: "", status: 204 },
        { path: "/page", respond: "<p>hi</p>", content_type: "text/html; charset=utf-8" },
        { path: "/moved/", redirect: "https://b.example.com/new/*", status: 308 },
        { path: "/short", redirect: "/text?x=1" },
        { host: "only.example.com", path: "/app", origin: to },
        { host: "own.example.com", path: "/health", respond: "of my own\n" },
        { host: "*.wild.example.com", path: "/", respond: "wild\n" },
      ],
    },
    limits: { FEW: 3 },
    secrets: { TOKENS },
  });
});
after(async () => {
  await gateway?.stop();
  await origin?.close();
});

const from = (address: string) => ({ "CF-Connecting-IP": address });
const bearer = (text: string) => ({ Authorization: `Bearer ${text}` });

describe("a token", () => {
  test("is asked for, and nothing reaches the origin without one", async () => {
    const count = origin.seen.length;
    for (const headers of [{}, bearer(""), bearer("wrong"), { Authorization: "Basic eDp5" }, { Authorization: reader.text }, bearer(`${reader.text}x`)]) {
      for (const method of ["GET", "POST", "OPTIONS", "PROPFIND"]) {
        const answer = await gateway.request("/any-token", { headers, method });
        assertProblem(answer, 401, "unauthorized", /token/);
        assert.match(answer.headers["www-authenticate"] ?? "", /^Bearer /);
      }
    }
    assert.equal(origin.seen.length, count);
  });

  test("of any scope passes where none is named, and stays here", async () => {
    for (const { text } of [reader, router]) {
      const answer = await gateway.request("/any-token", { headers: bearer(text) });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.json().headers.authorization, undefined);
    }
  });

  test("without the scope is told which; with it, it is passed on where the route says so", async () => {
    assertProblem(await gateway.request("/ops", { headers: bearer(router.text) }), 403, "forbidden", /ops:read/);
    const answer = await gateway.request("/ops", { headers: bearer(reader.text) });
    assert.equal(answer.json().headers.authorization, `Bearer ${reader.text}`);
  });

  test("of the application's own passes untouched where the route asks for none", async () => {
    const answer = await gateway.request("/x", { headers: bearer("of the application") });
    assert.equal(answer.json().headers.authorization, "Bearer of the application");
  });

  test("is in no log", async () => {
    await gateway.logged(/"route":"\*\/ops".*"status":200/);
    assert.doesNotMatch(gateway.log.join("\n"), new RegExp(`${reader.text}|${router.text}|of the application`));
  });
});

describe("a rate limit", () => {
  /** The platform's minutes are the clock's: what follows within five seconds lies in one. */
  const sameMinute = async () => {
    const left = 60_000 - (Date.now() % 60_000);
    if (left < 5_000) await sleep(left);
  };

  test("counts a route and a client: more is a 429 that says when to come again", async () => {
    const statuses = async (path: string, address: string, times = 5) => {
      const all = [];
      for (let time = 0; time < times; time += 1) all.push((await gateway.request(path, { headers: from(address) })).status);
      return all;
    };
    await sameMinute();
    assert.deepEqual(await statuses("/limited", "192.0.2.1"), [200, 200, 200, 429, 429]);
    assert.deepEqual(await statuses("/limited", "192.0.2.2", 2), [200, 200]);
    assert.deepEqual(await statuses("/limited/too", "192.0.2.1", 2), [200, 200]);
    const answer = await gateway.request("/limited", { headers: from("192.0.2.1") });
    assertProblem(answer, 429, "rate-limited");
    assert.equal(answer.headers["retry-after"], "60");
    const page = await gateway.request("/limited", { headers: { ...from("192.0.2.1"), ...BROWSER } });
    assert.match(page.text, /<html lang="en">[\s\S]*Too many requests/);
    // One customer's network of IPv6 is one client.
    const network = [1, 2, 3, 4, 5, 6].map((host) => `2001:db8:1:2::${host}`);
    const all = [];
    for (const address of network) all.push((await gateway.request("/limited", { headers: from(address) })).status);
    assert.ok(all.includes(429), String(all));
  });

  test("stands before the guessing of tokens", async () => {
    await sameMinute();
    const all = [];
    for (let time = 0; time < 8; time += 1) all.push((await gateway.request("/guess", { headers: { ...from("192.0.2.9"), ...bearer(String(time)) } })).status);
    assert.deepEqual([all[0], all.at(-1)], [401, 429], String(all));
  });

  test("that is not bound closes the route", async () => {
    const answer = await gateway.request("/unbound");
    assertProblem(answer, 503, "unavailable", /rate limit/);
    await gateway.logged(/there is no binding NOTHING/);
  });
});

test("a service token that is not there closes the route", async () => {
  const count = origin.seen.length;
  assertProblem(await gateway.request("/access"), 503, "unavailable", /ACCESS_CLIENT_ID/);
  assert.equal(origin.seen.length, count);
});

describe("maintenance", () => {
  test("is a problem for a program, whatever the method, and reaches no origin", async () => {
    const count = origin.seen.length;
    for (const method of ["GET", "POST", "OPTIONS", "DELETE"]) {
      const answer = await gateway.request("/closed/x", { method });
      assertProblem(answer, 503, "unavailable");
      assert.equal(answer.headers["retry-after"], "300");
      assert.equal(answer.headers["cache-control"], "no-store");
    }
    const head = await gateway.request("/closed", { method: "HEAD" });
    assert.deepEqual([head.status, head.text, head.headers["retry-after"]], [503, "", "300"]);
    assert.equal(origin.seen.length, count);
  });

  test("is a page for a person, with the operator's message in their language and as text", async () => {
    for (const [language, lang, message] of [
      ["ja", "ja", "六時&lt;に&gt;戻ります"],
      ["en-GB, ja;q=0.5", "en", "Back &lt;at&gt; six &amp; later"],
      ["fr", "en", "Back &lt;at&gt; six &amp; later"],
    ] as const) {
      const answer = await gateway.request("/message", { headers: { ...BROWSER, "Accept-Language": language } });
      assert.equal(answer.status, 503);
      assert.equal(answer.headers["retry-after"], "3600");
      assert.equal(answer.headers["content-type"], "text/html; charset=utf-8");
      assert.match(String(answer.headers["content-security-policy"]), /default-src 'none'/);
      assert.ok(answer.text.includes(`<html lang="${lang}">`) && answer.text.includes(`<p>${message}</p>`), answer.text);
      assert.equal(Number(answer.headers["content-length"]), answer.body.length);
    }
    const program = await gateway.request("/message", { headers: { "Accept-Language": "ja" } });
    assert.equal(program.json().detail, "六時<に>戻ります");
  });
});

describe("security headers", () => {
  const NAMES = ["x-content-type-options", "referrer-policy", "permissions-policy", "x-frame-options", "content-security-policy", "strict-transport-security"];
  const of = async (path: string) => {
    const { headers } = await gateway.request(path);
    return NAMES.map((name) => headers[name]);
  };
  const PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=()";
  const DEFAULT = ["nosniff", "strict-origin-when-cross-origin", PERMISSIONS, "SAMEORIGIN", undefined, undefined];

  test("are added by default, to what the gateway answers itself as well", async () => {
    for (const path of ["/x", "/text", "/moved/x", "/health", "/status?code=500"]) assert.deepEqual(await of(path), DEFAULT, path);
  });

  test("are the route's where it has its own, and none where they are off", async () => {
    assert.deepEqual(await of("/strict"), ["nosniff", "strict-origin-when-cross-origin", "microphone=(self)", undefined, CSP, undefined]);
    assert.deepEqual(await of("/open"), [...DEFAULT.slice(0, 3), undefined, undefined, undefined]);
    assert.deepEqual(await of("/off"), NAMES.map(() => undefined));
  });

  test("that the origin set stay", async () => {
    const own: Record<string, string> = {
      "x-content-type-options": "own",
      "referrer-policy": "no-referrer",
      "permissions-policy": "usb=(self)",
      "x-frame-options": "ALLOW-FROM https://a.example.com",
      "content-security-policy": "img-src *",
    };
    const answer = await gateway.request(`/strict/headers?${new URLSearchParams(own)}`);
    for (const [name, value] of Object.entries(own)) assert.equal(answer.headers[name], value);
    // Who names the ancestors in a policy means that, and not the older header.
    const framed = await gateway.request(`/headers?${new URLSearchParams({ "content-security-policy": "frame-ancestors https://a.example.com" })}`);
    assert.equal(framed.headers["x-frame-options"], undefined);
  });
});

describe("the gateway itself", () => {
  test("answers what a route says", async () => {
    for (const method of ["GET", "POST", "DELETE"]) {
      const text = await gateway.request("/text/below", { method });
      assert.deepEqual([text.status, text.text, text.headers["content-type"]], [410, "Bye & <so>\n", "text/plain; charset=utf-8"]);
    }
    const head = await gateway.request("/text", { method: "HEAD" });
    assert.deepEqual([head.status, head.text, head.headers["content-length"]], [410, "", "11"]);
    const empty = await gateway.request("/empty");
    assert.deepEqual([empty.status, empty.text, empty.headers["content-length"]], [204, "", undefined]);
    assert.equal((await gateway.request("/page")).headers["content-type"], "text/html; charset=utf-8");
  });

  test("redirects as a route says", async () => {
    const at = async (path: string) => {
      const answer = await gateway.request(path);
      return [answer.status, answer.headers.location];
    };
    assert.deepEqual(await at("/moved/a/b%20?c=d"), [308, "https://b.example.com/new/a/b%20?c=d"]);
    assert.deepEqual(await at("/moved"), [308, "https://b.example.com/new/"]);
    assert.deepEqual(await at("/moved//evil.example.com"), [308, "https://b.example.com/new/evil.example.com"]);
    assert.deepEqual(await at("/short/whatever"), [302, "/text?x=1"]);
    const bytes = Buffer.from("GET /moved/あ?ö HTTP/1.1\r\nHost: a.example.com\r\nConnection: close\r\n\r\n");
    assert.match(await exchange(gateway.port, bytes), /Location: https:\/\/b\.example\.com\/new\/%E3%81%82\?%C3%B6\r\n/i);
  });

  test("is well on every host, asks nobody, and leaves an application's own word to it", async () => {
    const count = origin.seen.length;
    for (const host of ["a.example.com", "only.example.com", "127.0.0.1", "[2001:db8::1]:8080", "unknown.example.org"]) {
      const answer = await gateway.request("/health?x", { headers: { Host: host } });
      assert.deepEqual([answer.status, answer.text, answer.headers["cache-control"]], [200, "healthy\n", "no-store"], host);
    }
    const head = await gateway.request("/health", { method: "HEAD" });
    assert.deepEqual([head.status, head.text], [200, ""]);
    assert.equal(origin.seen.length, count);
    assert.equal((await gateway.request("/health", { headers: { Host: "own.example.com" } })).text, "of my own\n");
    await gateway.request("/health", { method: "POST", body: "x" });
    assert.equal(origin.seen.length, count + 1);
  });

  test("has no word on its other routes when none is for a request", async () => {
    const headers = { Host: "only.example.com" };
    const answer = await gateway.request("/other", { headers });
    assertProblem(answer, 404, "not-found");
    assert.doesNotMatch(answer.text, /app|127\.0\.0\.1|origin|route/);
    const page = await gateway.request("/other", { headers: { ...headers, ...BROWSER, "Accept-Language": "ja" } });
    assert.deepEqual([page.status, page.headers["content-language"]], [404, "ja"]);
    assert.match(page.text, /見つかりません/);
  });

  test("knows a host below a suffix", async () => {
    for (const host of ["a.wild.example.com", "a.b.WILD.example.com:8443"]) {
      assert.equal((await gateway.request("/x", { headers: { Host: host } })).text, "wild\n");
    }
    const other = await gateway.request("/x", { headers: { Host: "awild.example.com" } });
    assert.notEqual(other.text, "wild\n");
  });
});

describe("without its secret", () => {
  for (const [secret, tokens] of [["missing", undefined], ["malformed", "[{]"], ["empty", "[]"]] as const) {
    test(`(${secret}) a route that asks for a token refuses everybody, and the others answer`, async () => {
      const alone = await run({
        vars: { routes: [{ path: "/", origin: origin.url }, { path: "/t", origin: origin.url, auth: "bearer" }] },
        secrets: tokens === undefined ? {} : { TOKENS: tokens },
      });
      try {
        const answer = await alone.request("/t", { headers: bearer(reader.text) });
        assertProblem(answer, secret === "empty" ? 401 : 503, secret === "empty" ? "unauthorized" : "unavailable");
        assert.equal((await alone.request("/x")).status, 200);
      } finally {
        await alone.stop();
      }
    });
  }
});

describe("outside local development", () => {
  let deployed: Gateway;
  before(async () => {
    deployed = await run({
      vars: {
        LOCAL: false,
        routes: [
          { path: "/", worker: "behind" },
          { path: "/text/", respond: "text\n" },
          { path: "/off", respond: "off\n", headers: "off" },
        ],
      },
      workers: { BEHIND: `export default { fetch: () => new Response("behind", { headers: { "strict-transport-security": "max-age=1" } }) }` },
    });
  });
  after(() => deployed?.stop());

  test("plain HTTP is sent to HTTPS with path and query, but for the health of the gateway", async () => {
    for (const [path, method, status] of [["/a/b%20?c=d%2f", "GET", 301], ["/text", "HEAD", 301], ["/x", "POST", 308], ["//evil.example.com", "GET", 301]] as const) {
      const answer = await deployed.request(path, { method, headers: { Host: "home.example.com:8080" } });
      assert.deepEqual([answer.status, answer.headers.location], [status, `https://home.example.com${path}`]);
      assert.equal(answer.headers["strict-transport-security"], undefined);
    }
    assert.equal((await deployed.request("/health")).text, "healthy\n");
  });

  test("HTTPS says that it stays", async () => {
    const over = async (path: string) => {
      const answer = await deployed.dispatch(`https://home.example.com${path}`);
      await answer.arrayBuffer();
      return answer.headers.get("strict-transport-security");
    };
    assert.equal(await over("/text/"), "max-age=31536000");
    assert.equal(await over("/health"), "max-age=31536000");
    assert.equal(await over("/x"), "max-age=1");
    assert.equal(await over("/off"), null);
  });
});

test("a wrong configuration is said on every path, health included", async () => {
  const wrong = await run({ vars: { LOCAL: false, routes: [{ path: "/", origin: "http://nas.example.com" }] } });
  try {
    for (const path of ["/", "/health"]) {
      const answer = await wrong.request(path);
      assertProblem(answer, 503, "unavailable", /routes\[0\]\.origin: \*\/ -> http:\/\/nas\.example\.com: an origin is https/);
    }
  } finally {
    await wrong.stop();
  }
});
