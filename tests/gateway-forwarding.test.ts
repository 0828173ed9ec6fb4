// What the gateway passes on, seen from behind it: workers that tell what they were sent.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createTestHarness } from "wrangler";
import { request } from "./support/harness.ts";

const BEHIND = `
export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/ip/throw") throw new Error("a secret of the inside");
    if (pathname === "/ip/socket") {
      const [client, server] = Object.values(new WebSocketPair());
      server.accept();
      server.addEventListener("message", ({ data }) => server.send("you said " + data));
      return new Response(null, { status: 101, webSocket: client });
    }
    if (pathname === "/ip/stream") {
      const { readable, writable } = new TransformStream();
      const writer = writable.getWriter();
      const write = (text) => writer.write(new TextEncoder().encode(text));
      (async () => {
        await write("data: one\\n\\n");
        await new Promise((resolve) => setTimeout(resolve, 1500));
        await write("data: two\\n\\n");
        await writer.close();
      })();
      return new Response(readable, { headers: { "content-type": "text/event-stream" } });
    }
    if (pathname === "/ip/redirect") return Response.redirect("https://elsewhere.example.com/x", 302);
    const told = { url: request.url, method: request.method, headers: Object.fromEntries(request.headers), body: await request.text() };
    const answer = new Response(JSON.stringify(told), { status: 299, headers: { "x-own": "kept" } });
    answer.headers.append("set-cookie", "a=1");
    answer.headers.append("set-cookie", "b=2");
    return answer;
  },
};
`;

let directory: string;
let harness: ReturnType<typeof createTestHarness>;
let url: string;
before(async () => {
  process.env["WRANGLER_SEND_METRICS"] = "false";
  directory = await mkdtemp(join(tmpdir(), "genkan-test-"));
  const main = join(directory, "behind.mjs");
  await writeFile(main, BEHIND);
  const root = fileURLToPath(new URL("..", import.meta.url));
  // As it is: a bundled worker would catch what it throws, to show it to its developer.
  const behind = ["pack", "status", "ddns"].map((name) => ({
    config: { name: `genkan-${name}`, main, compatibility_date: "2026-11-01", no_bundle: true },
  }));
  const gateway = { configPath: "wrangler.toml", prebuiltWorkerDir: "workers/gateway/build" };
  harness = createTestHarness({ root, workers: [gateway, ...behind] });
  url = `http://127.0.0.1:${(await harness.listen()).url.port}`;
});
after(async () => {
  await harness?.close();
  await rm(directory, { recursive: true });
});

const echo = async (headers: Record<string, string>, options: { method?: string; body?: string } = {}) => {
  const answer = await request(`${url}/ip/echo?a=%20b&c`, { headers, ...options });
  assert.equal(answer.status, 299, answer.text);
  return { answer, told: answer.json() };
};

test("method, query, body and own headers arrive, and the answer comes back whole", async () => {
  const { answer, told } = await echo({ "X-Own": "value", Authorization: "Bearer x" }, { method: "PATCH", body: "{}" });
  assert.equal(told.method, "PATCH");
  assert.equal(told.body, "{}");
  assert.match(told.url, /\/ip\/echo\?a=%20b&c$/);
  assert.equal(told.headers["x-own"], "value");
  assert.equal(told.headers["authorization"], "Bearer x");
  assert.equal(answer.headers["x-own"], "kept");
  assert.deepEqual(answer.headers["set-cookie"], ["a=1", "b=2"]);
});

test("the headers that say where a request came from are the gateway's, not the client's", async () => {
  const claims = {
    "X-Forwarded-For": "8.8.8.8",
    "X-Real-IP": "8.8.8.8",
    "X-Forwarded-Host": "evil.example.com",
    "X-Forwarded-Proto": "gopher",
    Forwarded: "for=8.8.8.8;host=evil.example.com",
  };
  const known = { Host: "front.example.com:8443", "CF-Connecting-IP": "9.9.9.9" };
  for (const headers of [{ ...claims, ...known }, known]) {
    const { told } = await echo(headers);
    assert.equal(told.headers["x-forwarded-for"], "9.9.9.9");
    assert.equal(told.headers["x-real-ip"], "9.9.9.9");
    assert.equal(told.headers["x-forwarded-host"], "front.example.com:8443");
    assert.match(told.headers["x-forwarded-proto"], /^https?$/);
    assert.doesNotMatch(JSON.stringify(told.headers), /8\.8\.8\.8|evil|gopher/);
  }
  const { told } = await echo(claims);
  assert.doesNotMatch(JSON.stringify(told.headers), /8\.8\.8\.8|evil|gopher/);
});

// Which headers `Connection` names beyond these, the runtime shows to no worker.
test("hop-by-hop headers are dropped", async () => {
  const { told } = await echo({
    Connection: "close",
    "Keep-Alive": "timeout=5",
    "Proxy-Authorization": "Basic x",
    "Proxy-Connection": "keep-alive",
    TE: "trailers",
  });
  const hops = ["connection", "keep-alive", "proxy-authorization", "proxy-connection", "te"];
  assert.deepEqual(hops.filter((name) => name in told.headers), []);
});

test("a redirect is passed on and not followed", async () => {
  const answer = await request(`${url}/ip/redirect`);
  assert.equal(answer.status, 302);
  assert.equal(answer.headers["location"], "https://elsewhere.example.com/x");
});

test("an event stream passes unbuffered", async () => {
  const started = performance.now();
  const response = await fetch(`${url}/ip/stream`);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  assert.equal((await reader.read()).value, "data: one\n\n");
  const first = performance.now() - started;
  assert.ok(first < 1300, `${first} ms`);
  assert.equal((await reader.read()).value, "data: two\n\n");
});

test("a WebSocket passes in both directions", async () => {
  const socket = new WebSocket(`${url.replace("http", "ws")}/ip/socket`);
  const said = new Promise((resolve, reject) => {
    socket.onopen = () => socket.send("hello");
    socket.onmessage = ({ data }) => resolve(data);
    socket.onerror = () => reject(new Error("the connection failed"));
  });
  try {
    const late = sleep(5000, "nothing", { ref: false });
    assert.equal(await Promise.race([said, late]), "you said hello");
  } finally {
    socket.close();
  }
});

test("a worker that fails is a 502 problem that tells nothing of the inside", async () => {
  const answer = await request(`${url}/ip/throw`);
  assert.equal(answer.status, 502, answer.text);
  assert.match(answer.headers["content-type"] ?? "", /^application\/problem\+json/);
  assert.equal(answer.json().code, "bad-gateway");
  assert.doesNotMatch(answer.text, /secret|DDNS|genkan-ddns|Error/);
});
