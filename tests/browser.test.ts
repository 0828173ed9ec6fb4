// The front door as a browser meets it: sites, pages of the gateway's own, an application behind a
// prefix with its cookies, sockets and streams, and what other sites may do with all that.

/// <reference lib="dom" />

import assert from "node:assert/strict";
import { once } from "node:events";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { type Browsing, browse } from "./support/browser.ts";
import { type Gateway, run } from "./support/gateway.ts";
import { TIMEOUT } from "./support/harness.ts";
import { type OriginServer, originServer } from "./support/origin.ts";

const WWW = "http://www.example.com";
const ELSEWHERE = "http://elsewhere.example.net";

/** An application that knows nothing of a front door: it signs visitors in with a cookie for all of its host. */
async function application(): Promise<Server> {
  const server = createServer((request, response) => {
    const base = `http://${request.headers.host}`;
    const page = (text: string) => response.setHeader("content-type", "text/html").end(`<title>${text}</title>`);
    const user = /user=(\w+)/.exec(request.headers.cookie ?? "")?.[1];
    if (request.method === "POST") {
      const headers = { location: `${base}/home`, "set-cookie": "user=kai; Path=/; HttpOnly; SameSite=Lax" };
      response.writeHead(303, headers).end();
    } else if (request.url === "/home") page(`Welcome, ${user}`);
    else response.setHeader("content-type", "text/html").end(`<form method=post action=login><button>Sign in</button></form>`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

const SCRIPT = `
  const answer = await fetch("/api/pack/latest");
  document.querySelector("h1").textContent = (await answer.json()).sha1;
  document.title = "loaded";`;
const APP = `document.title = location.pathname;`;
const OBJECTS: [key: string, content: string][] = [
  ["www/index.html", '<link rel=stylesheet href=style.css><h1>…</h1><img src=mark.svg><script type=module src=assets/app-DiwrgT3a.js></script>'],
  ["www/inline.html", "<title>quiet</title><script>document.title = 'it ran'</script>"],
  ["www/style.css", "h1 { color: rgb(1, 2, 3) }"],
  ["www/mark.svg", '<svg xmlns="http://www.w3.org/2000/svg" width="30" height="20"><rect width="30" height="20"/></svg>'],
  ["www/assets/app-DiwrgT3a.js", SCRIPT],
  ["spa/index.html", "<script src=/app-DiwrgT3a.js></script>"],
  ["spa/app-DiwrgT3a.js", APP],
  ["elsewhere/index.html", "<title>elsewhere</title>"],
];
const PACK = `export default { fetch: () => Response.json({ sha1: "0123abc" }, { headers: { "access-control-allow-origin": "*" } }) };`;

let app: Server;
let origin: OriginServer;
let gateway: Gateway;
let browser: Browsing;
before(async () => {
  [app, origin] = await Promise.all([application(), originServer()]);
  const to = `http://127.0.0.1:${(app.address() as AddressInfo).port}`;
  const host = "www.example.com";
  gateway = await run({
    vars: {
      routes: [
        { host, path: "/", site: "www", csp: "default-src 'self'" },
        { host, path: "/api/pack", worker: "pack" },
        { host, path: "/app/", origin: to, strip_prefix: true },
        { host, path: "/origin/", origin: origin.url, strip_prefix: true },
        { host, path: "/down", origin: "http://127.0.0.1:1" },
        { host, path: "/closed", origin: to, maintenance: { en: "Back at <b>six</b>.\nSorry!", ja: "六時に戻ります。" } },
        { host, path: "/private", origin: to, auth: "bearer" },
        { host, path: "/framed", respond: "framed", frame: "any" },
        { host: "spa.example.com", path: "/", site: "spa", spa: true },
        { host: "elsewhere.example.net", path: "/", site: "elsewhere" },
      ],
    },
    secrets: { TOKENS: "[]" },
    workers: { PACK },
    sites: "new",
  });
  const sites = await gateway.sites();
  for (const [key, content] of OBJECTS) await sites.put(`sites/${key}`, content);
  browser = await browse({ "*.example.com": gateway.port, "elsewhere.example.net": gateway.port });
});
after(async () => {
  await browser?.close();
  await gateway?.stop();
  await origin?.close();
  app?.close();
});

describe("a static site", { timeout: TIMEOUT }, () => {
  test("comes with its style, picture and module, and reads the worker beside it", async () => {
    const { page, complaints } = await browser.visitor();
    await page.goto(`${WWW}/`);
    await page.waitForFunction(() => document.title === "loaded");
    assert.equal(await page.textContent("h1"), "0123abc");
    assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector("h1")!).color), "rgb(1, 2, 3)");
    assert.equal(await page.evaluate(() => document.querySelector("img")!.naturalWidth), 30);
    assert.deepEqual(complaints, []);
  });

  test("costs a returning visitor one question for its page, and none for what never changes", async () => {
    const { page } = await browser.visitor();
    await page.goto(`${WWW}/`);
    await page.waitForFunction(() => document.title === "loaded");
    await page.goto(`${WWW}/`);
    await page.waitForFunction(() => document.title === "loaded");
    // https://www.w3.org/TR/resource-timing/: 0 from the cache, 300 and no body when it was asked whether it is still the same.
    const transferred = await page.evaluate(() =>
      [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].map((entry) => {
        const { name, transferSize } = entry as PerformanceResourceTiming;
        return [new URL(name).pathname, transferSize];
      }),
    );
    const of = Object.fromEntries(transferred);
    assert.deepEqual([of["/"], of["/assets/app-DiwrgT3a.js"]], [300, 0], JSON.stringify(of));
  });

  test("with a content security policy runs no script but its own files", async () => {
    const { page, complaints } = await browser.visitor();
    await page.goto(`${WWW}/inline.html`);
    assert.equal(await page.title(), "quiet");
    assert.match(complaints.join(), /Content Security Policy/);
  });

  test("of one page answers every path of the application", async () => {
    const { page, complaints } = await browser.visitor();
    await page.goto("http://spa.example.com/players/7");
    assert.equal(await page.title(), "/players/7");
    await page.reload();
    assert.equal(await page.title(), "/players/7");
    assert.deepEqual(complaints, []);
  });
});

describe("a page of the gateway's own", { timeout: TIMEOUT }, () => {
  const PAGES: [path: string, status: number, en: RegExp, ja: RegExp][] = [
    ["/closed", 503, /^Back at <b>six<\/b>\.\nSorry!$/, /^六時に戻ります。$/],
    ["/down", 502, /cannot be reached/, /接続できませんでした/],
    ["/private", 401, /token/, /トークン/],
    ["/api/nothing", 404, /nothing/i, /何もありません/],
  ];

  for (const [locale, lang, index] of [["en-GB", "en", 2], ["ja-JP", "ja", 3], ["de-DE", "en", 2]] as const) {
    test(`is in ${lang} for a browser in ${locale}, and fits a telephone`, async () => {
      for (const colorScheme of ["light", "dark"] as const) {
        const { page } = await browser.visitor({ locale, colorScheme, viewport: { width: 320, height: 480 } });
        const asked: string[] = [];
        page.on("request", (request) => asked.push(request.url()));
        for (const expected of PAGES) {
          asked.length = 0;
          const [path, status] = expected;
          const answer = await page.goto(WWW + path);
          assert.equal(answer?.status(), status, path);
          assert.match((await page.innerText("main p")) ?? "", expected[index], path);
          assert.equal(await page.getAttribute("html", "lang"), lang);
          assert.equal(await page.locator("main b, script").count(), 0, "an operator's text is text");
          assert.equal(await page.textContent("h1"), await page.title());
          assert.deepEqual(asked, [WWW + path], "nothing else is loaded");
          const { width, overflow, colour } = await page.evaluate(() => ({
            width: document.documentElement.scrollWidth,
            overflow: document.documentElement.scrollHeight > innerHeight,
            colour: getComputedStyle(document.body).color,
          }));
          assert.deepEqual([width <= 320, overflow], [true, false], path);
          assert.equal(colour, colorScheme === "dark" ? "rgb(255, 255, 255)" : "rgb(0, 0, 0)");
        }
      }
    });
  }

  test("is a problem for the script of a page", async () => {
    const { page } = await browser.visitor();
    await page.goto(`${WWW}/`);
    const [status, type, problem] = await page.evaluate(async () => {
      const answer = await fetch("/closed");
      return [answer.status, answer.headers.get("content-type"), await answer.json()];
    });
    assert.deepEqual([status, type, problem.code], [503, "application/problem+json", "unavailable"]);
  });
});

describe("an application under a prefix", { timeout: TIMEOUT }, () => {
  test("signs a visitor in, who stays under the prefix with a cookie that goes nowhere else", async () => {
    const { page, complaints } = await browser.visitor();
    await page.goto(`${WWW}/app`);
    assert.equal(page.url(), `${WWW}/app/`);
    await page.click("button");
    await page.waitForURL("**/home");
    assert.deepEqual([page.url(), await page.title()], [`${WWW}/app/home`, "Welcome, kai"]);
    const [cookie] = await page.context().cookies();
    assert.deepEqual([cookie?.name, cookie?.path, cookie?.domain, cookie?.httpOnly], ["user", "/app", "www.example.com", true]);
    await page.goto(`${WWW}/origin/anything`);
    assert.equal(origin.last().headers["cookie"], undefined);
    assert.deepEqual(complaints, []);
  });

  test("has its socket and its stream of events", async () => {
    const { page, complaints } = await browser.visitor();
    await page.goto(`${WWW}/origin/anything`);
    const echoed = await page.evaluate(async () => {
      const socket = new WebSocket("ws://www.example.com/origin/socket");
      await new Promise((resolve, reject) => ((socket.onopen = resolve), (socket.onerror = reject)));
      const message = new Promise((resolve) => (socket.onmessage = ({ data }) => resolve(data)));
      socket.send("玄関");
      const data = await message;
      const closed = new Promise<CloseEvent>((resolve) => (socket.onclose = resolve));
      socket.close(4000, "done");
      return [data, (await closed).code];
    });
    assert.deepEqual(echoed, ["you said 玄関", 4000]);
    const ticks = await page.evaluate(async () => {
      const events = new EventSource("/origin/ticks");
      const came: [string, number][] = [];
      await new Promise<void>((resolve) => {
        events.onmessage = ({ data }) => {
          came.push([data, performance.now()]);
          if (came.length === 3) resolve();
        };
      });
      events.close();
      return came;
    });
    assert.deepEqual(ticks.map(([data]) => data), ["1", "2", "3"]);
    assert.ok(ticks[2]![1] - ticks[0]![1] > 400, "each comes when it is sent");
    assert.deepEqual(complaints, []);
  });
});

describe("another site", { timeout: TIMEOUT }, () => {
  test("cannot frame what is not open to it", async () => {
    const { page } = await browser.visitor();
    await page.goto(`${ELSEWHERE}/`);
    const framed = async (url: string) => {
      await page.setContent(`<iframe src="${url}"></iframe>`);
      await page.waitForLoadState("load");
      const frame = await (await page.$("iframe"))!.contentFrame();
      return frame!.url() === url;
    };
    assert.equal(await framed(`${WWW}/`), false);
    assert.equal(await framed(`${WWW}/closed`), false);
    assert.equal(await framed(`${WWW}/framed`), true);
  });

  test("reads what a worker opens to it and the gateway's own refusals, and nothing else", async () => {
    const { page } = await browser.visitor();
    await page.goto(`${ELSEWHERE}/`);
    const reads = (path: string) =>
      page.evaluate(async (url) => {
        try {
          return await (await fetch(url)).text();
        } catch {
          return null;
        }
      }, WWW + path);
    assert.equal(await reads("/api/pack/latest"), '{"sha1":"0123abc"}');
    for (const path of ["/closed", "/down"]) assert.match((await reads(path)) ?? "", /"code":/, path);
    for (const path of ["/", "/app/home", "/origin/anything", "/private"]) assert.equal(await reads(path), null, path);
  });
});
