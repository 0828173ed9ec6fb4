// The badge, read by an XML parser, whatever its label and the server say.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { type System, start } from "./support/harness.ts";
import { type MinecraftPeer, minecraft } from "./support/minecraft.ts";
import { type Peer, closedPort, closesAtOnce, listen, statusServer } from "./support/tcp.ts";

const sax: any = createRequire(import.meta.url)("sax");
const PATIENT = { timeout_ms: 5000, degraded_ms: 10_000 };

interface Badge {
  label: string;
  message: string;
  title: string;
  color: string;
  width: number;
  elements: string[];
}

/** Parses strictly: what is no XML throws. */
function parse(svg: string): Badge {
  const parser = sax.parser(true, { xmlns: true });
  const texts: { text: string; x: number; length: number }[] = [];
  const rects: { x: number; width: number; fill: string }[] = [];
  const elements: string[] = [];
  let title = "";
  let root: any;
  let inside = "";
  parser.onerror = (error: Error) => {
    throw error;
  };
  parser.onopentag = (node: any) => {
    const value = (name: string) => node.attributes[name]?.value;
    root ??= { width: Number(value("width")), label: value("aria-label"), uri: node.uri };
    inside = node.local;
    elements.push(node.local);
    for (const name of Object.keys(node.attributes)) assert.ok(!/^on|href/i.test(name), name);
    if (node.local === "rect") rects.push({ x: Number(value("x") ?? 0), width: Number(value("width")), fill: value("fill") });
    if (node.local === "text") texts.push({ text: "", x: Number(value("x")), length: Number(value("textLength")) });
  };
  parser.ontext = (text: string) => {
    if (inside === "text") texts.at(-1)!.text += text;
    if (inside === "title") title += text;
  };
  parser.onclosetag = () => {
    inside = "";
  };
  parser.write(svg).close();
  assert.equal(root.uri, "http://www.w3.org/2000/svg");
  assert.equal(root.label, title);
  // Each text is there with its shadow, and inside of its box.
  const shown = texts.filter((_, index) => index % 2 === 1);
  texts.forEach(({ text }, index) => assert.equal(text, texts[index - (index % 2)]!.text));
  for (const { x, length } of texts) assert.ok(x - length / 2 >= 0 && x + length / 2 <= root.width * 10, svg);
  const right = rects.find(({ fill }) => /^#(?!fff|555)/.test(fill))!;
  assert.equal(right.x + right.width, root.width);
  const message = shown.at(-1)!.text;
  return { label: shown.length > 1 ? shown[0]!.text : "", message, title, color: right.fill, width: root.width, elements };
}

const cron = async (system: System) => {
  const { outcome } = await system.status.scheduled({ cron: "* * * * *", scheduledTime: new Date() });
  assert.equal(outcome, "ok");
};

const badge = async (system: System, path: string): Promise<Badge> => {
  const response = await system.status.fetch(`http://status.test${path}`);
  assert.equal(response.status, 200, path);
  assert.equal(response.headers.get("content-type"), "image/svg+xml; charset=utf-8");
  assert.equal(response.headers.get("cache-control"), "no-cache");
  return parse(await response.text());
};

describe("a badge", () => {
  let server: MinecraftPeer;
  let starting: Peer;
  let system: System;
  before(async () => {
    server = await minecraft({ players: { online: 12, max: 100, sample: [] } });
    starting = await listen(closesAtOnce);
    const at = (id: string, port: number) => ({ id, address: `${id}.example.com`, connect: `127.0.0.1:${port}`, ...PATIENT });
    system = await start({
      status: { targets: [at("main", server.port), at("gone", await closedPort()), at("young", starting.port)] },
    });
    await cron(system);
  });
  after(async () => {
    await system?.close();
    await server?.close();
    await starting?.close();
  });

  test("counts players, or says what else the server is", async () => {
    const main = await badge(system, "/badge/status/main.svg");
    assert.deepEqual([main.label, main.message, main.title], ["main", "12/100", "main: 12/100"]);
    const gone = await badge(system, "/badge/status/gone.svg");
    assert.deepEqual([gone.label, gone.message], ["gone", "offline"]);
    assert.equal((await badge(system, "/badge/status/young.svg")).message, "starting");
    assert.equal(new Set([main.color, gone.color]).size, 2);
    starting.behave(statusServer());
    await cron(system);
    assert.equal((await badge(system, "/badge/status/young.svg")).message, "2/100");
    starting.behave(closesAtOnce);
    await cron(system);
    assert.equal((await badge(system, "/badge/status/young.svg")).message, "starting");
  });

  test("is stale when the cron has not run", async () => {
    const { STATUS_KV: kv } = await system.env("status");
    const kept = (await kv.get("status")) ?? "";
    const old = new Date(Date.now() - 400_000).toISOString().replace(/\.\d+Z$/, "Z");
    await kv.put("status", kept.replace(/"retrieved_at":"[^"]+"/g, `"retrieved_at":"${old}"`));
    assert.equal((await badge(system, "/badge/status/main.svg")).message, "stale");
    await cron(system);
    assert.equal((await badge(system, "/badge/status/main.svg")).message, "12/100");
  });

  test("has the label that is asked for, as wide as it is, or none", async () => {
    const width = async (label: string) => (await badge(system, `/badge/status/main.svg?label=${encodeURIComponent(label)}`)).width;
    assert.ok((await width("mmmm")) > (await width("iiii")));
    assert.ok((await width("players online")) > (await width("players")));
    const none = await badge(system, "/badge/status/main.svg?label=");
    assert.deepEqual([none.label, none.message, none.title], ["", "12/100", "12/100"]);
    const two = await badge(system, "/badge/status/main.svg?label=a&label=b");
    assert.equal(two.label, "b");
  });

  test("is one whatever the label holds", async () => {
    const plain = (await badge(system, "/badge/status/main.svg")).elements;
    const kept = ["</text><script>alert(1)</script>", '"><image href=x onerror=alert(1)>', "a & b < c > d ' \"", "&amp;#x3c;", "]]>", "玄関 🎮", "<!--"];
    for (const label of kept) {
      const one = await badge(system, `/badge/status/main.svg?label=${encodeURIComponent(label)}`);
      assert.equal(one.label, label);
      assert.deepEqual(one.elements, plain);
    }
    const changed: [string, string][] = [
      ["a\u0000b\u0008c\nd\u007f", "abcd"],
      ["\ufffe\uffffx", "x"],
      ["\u202egnp.x", "gnp.x"],
      ["x".repeat(100_000).slice(0, 8000), "x".repeat(64)],
    ];
    for (const [label, expected] of changed) {
      const one = await badge(system, `/badge/status/main.svg?label=${encodeURIComponent(label)}`);
      assert.equal(one.label, expected);
      assert.deepEqual(one.elements, plain);
    }
    for (const raw of ["%", "%ff%fe", "%ED%A0%80", "+", "%00", "&&==&label"]) {
      await badge(system, `/badge/status/main.svg?label=${raw}`);
    }
  });

  test("is of a configured target and an SVG, or not there", async () => {
    for (const path of ["/badge/status/nobody.svg", "/badge/status/main", "/badge/status/main.png", "/badge/status/.svg", "/badge/status/main.svg/x"]) {
      const response = await system.status.fetch(`http://status.test${path}`);
      assert.equal(response.status, 404, path);
      await response.arrayBuffer();
    }
  });
});
