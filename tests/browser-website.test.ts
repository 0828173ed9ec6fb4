// A website elsewhere that shows what the four workers tell, in a browser: scripts of its pages read
// what is public and nothing else, pictures are pictures, and what a server says of itself stays text.

/// <reference lib="dom" />

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { once } from "node:events";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { type Browsing, browse } from "./support/browser.ts";
import { type System, TIMEOUT, start } from "./support/harness.ts";
import { FAVICON, type MinecraftPeer, PLAYERS, minecraft } from "./support/minecraft.ts";
import { packNamed, sha1, upload } from "./support/packs.ts";
import { PATIENT, cron } from "./support/status.ts";

const SITE = "http://www.example.net";
const EDGE = "http://edge.example.com";
const ATTACK = `"'><img src=x onerror="document.title='it ran'"><script>document.title='it ran'</script><a href="javascript:document.title='it ran'">x</a>`;
const BYTES = packNamed("for a browser");

let site: Server;
let server: MinecraftPeer;
let system: System;
let browser: Browsing;
before(async () => {
  site = createServer((_, response) => response.setHeader("content-type", "text/html").end("<title>website</title><main></main>"));
  site.listen(0, "127.0.0.1");
  await once(site, "listening");
  server = await minecraft({
    description: { text: ATTACK, color: "#ffaa00", extra: [{ text: "\nbold", bold: true, color: "aqua", clickEvent: { action: "run_command", value: ATTACK } }] },
    players: { max: 20, online: 2, sample: PLAYERS },
    favicon: FAVICON,
  });
  const targets = [{ id: "main", address: "play.example.com", connect: `127.0.0.1:${server.port}`, ...PATIENT }];
  system = await start({
    status: { targets },
    ddns: { services: [{ id: "backup", name: "Backup", kind: "heartbeat", period_minutes: 60, public: true }] },
  });
  assert.equal((await upload(system, BYTES)).status, 201);
  await cron(system);
  const beaten = await system.request("/api/heartbeat/backup", { method: "POST", token: system.tokens.operator });
  assert.equal(beaten.status, 200, beaten.text);
  browser = await browse({ "edge.example.com": Number(new URL(system.url).port), "www.example.net": (site.address() as AddressInfo).port });
});
after(async () => {
  await browser?.close();
  await system?.close();
  await server?.close();
  site?.close();
});

/** A page of the website. */
async function visit() {
  const { page, complaints } = await browser.visitor();
  await page.goto(`${SITE}/`);
  return { page, complaints };
}

type Init = { method?: string; headers?: Record<string, string> };

/** What the script of a page gets: the status and the body, or null where the browser does not let it. */
const reads = (page: Awaited<ReturnType<typeof visit>>["page"], path: string, init: Init = {}) =>
  page.evaluate(
    async ([url, init]) => {
      try {
        const answer = await fetch(url, init);
        return { status: answer.status, etag: answer.headers.get("etag"), text: await answer.text() };
      } catch {
        return null;
      }
    },
    [EDGE + path, init] as const,
  );

test("a page elsewhere reads what is public", { timeout: TIMEOUT }, async () => {
  const { page, complaints } = await visit();
  const paths = ["/api/status", "/api/pack/latest", "/api/health", "/v2/status/java/play.example.com", "/3/play.example.com", "/api/history/main"];
  for (const path of paths) {
    const answer = await reads(page, path);
    assert.equal(answer?.status, 200, path);
    assert.equal(typeof JSON.parse(answer.text), "object", path);
  }
  assert.equal((await reads(page, "/ip"))?.text.trim(), "127.0.0.1");
  assert.equal((await reads(page, "/health"))?.text, "healthy\n");
  assert.deepEqual(complaints, []);
});

test("a page asks again with the tag that it was told, and gets 304", { timeout: TIMEOUT }, async () => {
  const { page } = await visit();
  for (const path of ["/api/status", "/api/pack/latest", "/openapi.json"]) {
    const etag = (await reads(page, path))?.etag;
    assert.match(etag ?? "", /^(W\/)?".+"$/, path);
    // A header of its own is preflighted, and answered as it is.
    const again = await reads(page, path, { headers: { "If-None-Match": etag! } });
    assert.deepEqual(again, { status: 304, etag, text: "" }, path);
  }
});

test("a page elsewhere neither reads nor changes what is an operator's, even with a token", { timeout: TIMEOUT }, async () => {
  const { page } = await visit();
  const before = (await system.request("/api/control")).text;
  const headers = { Authorization: `Bearer ${system.tokens.operator}` };
  for (const path of ["/api/control/history", "/api/uploads", "/api/ddns/hosts", "/api/ddns/log", "/api/gateway/routes"]) {
    assert.equal(await reads(page, path), null, path);
    assert.equal(await reads(page, path, { headers }), null, path);
  }
  for (const method of ["PUT", "PATCH", "DELETE"]) assert.equal(await reads(page, "/api/control", { method, headers }), null, method);
  assert.equal((await system.request("/api/control")).text, before);
});

test("badges and the server's picture are pictures", { timeout: TIMEOUT }, async () => {
  const { page, complaints } = await visit();
  for (const [path, width, height] of [
    ["/icon/main", 64, 64],
    ["/badge/status/main.svg", null, 20],
    ["/badge/service/backup.svg", null, 20],
  ] as const) {
    const size = await page.evaluate(async (url) => {
      const image = new Image();
      image.src = url;
      await image.decode().catch((error) => { throw new Error(`${url}: ${error}`); });
      return [image.naturalWidth, image.naturalHeight] as const;
    }, EDGE + path);
    assert.ok(size[0] === width || (width === null && size[0] > 40), `${path}: ${size}`);
    assert.equal(size[1], height, path);
  }
  assert.deepEqual(complaints, []);
});

test("what a server says of itself stays text in its colours, in every shape", { timeout: TIMEOUT }, async () => {
  const { page, complaints } = await visit();
  const shapes: [path: string, html: (body: any) => string][] = [
    ["/api/status", (body) => (body.motd ?? body.targets?.[0]?.motd).html],
    ["/v2/status/java/play.example.com", (body) => body.motd.html],
    ["/3/play.example.com", (body) => body.motd.html.join("\n")],
  ];
  for (const [path, html] of shapes) {
    const shown = html(JSON.parse((await reads(page, path))!.text));
    const seen = await page.evaluate(async (html) => {
      const main = document.querySelector("main")!;
      main.innerHTML = html;
      await new Promise((resolve) => setTimeout(resolve, 50)); // a picture that fails says so later
      const span = [...main.querySelectorAll("*")].find((element) => element.textContent === "bold")!;
      const { color, fontWeight } = getComputedStyle(span);
      return {
        text: main.textContent ?? "",
        elements: [...new Set([...main.querySelectorAll("*")].map((element) => element.localName))],
        first: getComputedStyle(main.querySelector("span[style]")!).color,
        bold: [color, Number(fontWeight)],
      };
    }, shown);
    assert.ok(seen.text.includes(ATTACK), `${path}: ${seen.text}`);
    assert.deepEqual(seen.elements.filter((name) => name !== "span" && name !== "br"), [], path);
    assert.deepEqual([seen.first, seen.bold], ["rgb(255, 170, 0)", ["rgb(85, 255, 255)", 700]], path);
    assert.equal(await page.title(), "website", path);
  }
  assert.deepEqual(complaints, []);
});

test("a click on a pack's address is a download with a name, byte for byte", { timeout: TIMEOUT }, async () => {
  const { page } = await visit();
  const url = JSON.parse((await reads(page, "/api/pack/latest"))!.text).url as string;
  await page.setContent(`<a href="${EDGE}${new URL(url).pathname}">the pack</a>`);
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("a")]);
  assert.equal(download.suggestedFilename(), `main-${sha1(BYTES).slice(0, 8)}.zip`);
  assert.equal(sha1(readFileSync(await download.path())), sha1(BYTES));
});
