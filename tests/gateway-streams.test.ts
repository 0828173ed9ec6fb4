// What flows: WebSockets, and bodies far larger than the memory that they may take.

import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request as httpRequest } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Gateway, run } from "./support/gateway.ts";
import { TIMEOUT } from "./support/harness.ts";
import { type OriginServer, originServer } from "./support/origin.ts";
import { forgetPeak, memory } from "./support/runtime.ts";
import { closedPort } from "./support/tcp.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const { WebSocket: Client } = createRequire(join(ROOT, "node_modules", "wrangler", "package.json"))("ws");

const MEGABYTE = Buffer.alloc(1_000_000, "y");
const MEGABYTES = 200;
/** What may be in flight, in MiB, and what the runtime takes for itself meanwhile. */
const FLAT = 48;

let origin: OriginServer;
let gateway: Gateway;
before(async () => {
  origin = await originServer();
  gateway = await run({
    vars: {
      routes: [
        { path: "/", origin: origin.url },
        { path: "/app/", origin: origin.url, strip_prefix: true, timeout_seconds: 1 },
        { path: "/closed", origin: origin.url, auth: "bearer" },
        { path: "/guarded/", origin: origin.url, strip_prefix: true, access: true },
        { path: "/down", origin: `http://127.0.0.1:${await closedPort()}` },
      ],
    },
    secrets: { TOKENS: "[]", ACCESS_CLIENT_ID: "id.access", ACCESS_CLIENT_SECRET: "a-secret-value" },
  });
});
after(async () => {
  await gateway?.stop();
  await origin?.close();
});

describe("a WebSocket", () => {
  const open = async (path: string, protocols: string[] = []) => {
    const client = new Client(`${gateway.url.replace("http", "ws")}${path}`, protocols, { headers: { Cookie: "session=1" } });
    await once(client, "open");
    return client;
  };

  test("speaks both ways, in text and bytes, with its protocol, cookies and query", async () => {
    const client = await open("/app/socket?transport=websocket", ["soap", "chat"]);
    assert.equal(client.protocol, "chat");
    const { url, headers } = origin.last();
    assert.equal(url, "/socket?transport=websocket");
    assert.equal(headers["cookie"], "session=1");
    assert.equal(headers["x-forwarded-prefix"], "/app");
    for (const message of ["hello", "こんにちは", "x".repeat(100_000)]) {
      client.send(message);
      const [data, binary] = await once(client, "message");
      assert.deepEqual([String(data), binary], [`you said ${message}`, false]);
    }
    client.send(Buffer.from([0, 255, 1]));
    const [data, binary] = await once(client, "message");
    assert.deepEqual([[...data], binary], [[0, 255, 1], true]);
    client.close();
    await once(client, "close");
  });

  test("stays open for longer than the route's time-out, and closes as the origin says", async () => {
    const client = await open("/app/socket");
    await sleep(1500);
    client.send("still there?");
    assert.equal(String((await once(client, "message"))[0]), "you said still there?");
    client.send("bye");
    const [code, reason] = await once(client, "close");
    assert.deepEqual([code, String(reason)], [4001, "as you wish"]);
  });

  test("begins with the origin's cookies, without those of the session at Cloudflare Access", async () => {
    const cookies = ["a=1; Path=/", "CF_Authorization=jwt; Path=/; Secure"];
    const query = cookies.map((cookie) => `cookie=${encodeURIComponent(cookie)}`).join("&");
    for (const [path, expected] of [
      ["/socket", cookies],
      ["/app/socket", ["a=1; Path=/app", "CF_Authorization=jwt; Path=/app; Secure"]],
      ["/guarded/socket", ["a=1; Path=/guarded"]],
    ] as const) {
      const client = new Client(`${gateway.url.replace("http", "ws")}${path}?${query}`, ["chat"], { headers: { Cookie: "b=2; CF_Authorization=own" } });
      const [{ headers }] = await once(client, "upgrade");
      assert.deepEqual(headers["set-cookie"], expected, path);
      if (client.readyState === 0) await once(client, "open");
      assert.equal(client.protocol, "chat");
      client.send("hello");
      assert.equal(String((await once(client, "message"))[0]), "you said hello", path);
      client.send("bye");
      assert.equal((await once(client, "close"))[0], 4001);
      const sent = path.startsWith("/guarded") ? "b=2" : "b=2; CF_Authorization=own";
      assert.equal(origin.last().headers["cookie"], sent, path);
    }
  });

  test("that is refused is refused: by the origin, for want of a token, or because nobody is there", async () => {
    for (const [path, status] of [["/refuse", 403], ["/closed", 401], ["/down", 502]] as const) {
      const client = new Client(`${gateway.url.replace("http", "ws")}${path}`);
      client.on("error", () => {}); // it ends without having been opened
      const [, response] = await once(client, "unexpected-response");
      assert.equal(response.statusCode, status, path);
    }
  });

  test("to a folder without its slash is sent there", async () => {
    const client = new Client(`${gateway.url.replace("http", "ws")}/app`);
    client.on("error", () => {}); // it ends without having been opened
    const [, response] = await once(client, "unexpected-response");
    assert.deepEqual([response.statusCode, response.headers.location], [301, "/app/"]);
  });

  test("of many is each its own", async () => {
    const clients = await Promise.all(Array.from({ length: 20 }, () => open("/socket")));
    const answers = clients.map(async (client, index) => {
      client.send(String(index));
      return String((await once(client, "message"))[0]);
    });
    assert.deepEqual(await Promise.all(answers), clients.map((_, index) => `you said ${index}`));
    for (const client of clients) client.terminate();
  });
});

describe(`${MEGABYTES} MB`, { timeout: TIMEOUT }, () => {
  /** How much the runtime grew at most while this ran, in MiB. */
  async function growth(work: () => Promise<void>): Promise<number> {
    forgetPeak(gateway.pid);
    const { now } = memory(gateway.pid);
    await work();
    return memory(gateway.pid).peak - now;
  }

  /** Sends that much; `chunked` says nothing of its length. */
  async function upload(path: string, chunked: boolean, megabytes = MEGABYTES): Promise<IncomingMessage> {
    const framing = chunked ? { "Transfer-Encoding": "chunked" } : { "Content-Length": megabytes * MEGABYTE.length };
    const outgoing = httpRequest(`${gateway.url}${path}`, { method: "PUT", headers: framing, agent: false });
    const answered = once(outgoing, "response");
    for (let sent = 0; sent < megabytes; sent += 1) if (!outgoing.write(MEGABYTE)) await once(outgoing, "drain");
    outgoing.end();
    return (await answered)[0];
  }

  // What the runtime takes for its first body is not of the body.
  before(async () => {
    await text(await upload("/first", false, 2));
  });

  for (const chunked of [false, true]) {
    test(`go up in flat memory (${chunked ? "in chunks" : "of known length"})`, async (t) => {
      let told: any;
      const grown = await growth(async () => {
        told = JSON.parse(await text(await upload("/upload", chunked)));
      });
      assert.equal(told.bytes, MEGABYTES * MEGABYTE.length);
      t.diagnostic(`${grown.toFixed(1)} MiB`);
      assert.ok(grown < FLAT, `${grown} MiB`);
    });
  }

  test("come down in flat memory, also to a client that reads slowly", async (t) => {
    let bytes = 0;
    const grown = await growth(async () => {
      const response = await fetch(`${gateway.url}/app/large?megabytes=${MEGABYTES}`);
      assert.equal(response.headers.get("content-length"), String(MEGABYTES * MEGABYTE.length));
      let pauses = 0;
      for await (const chunk of response.body!) {
        bytes += chunk.byteLength;
        if (bytes / 50_000_000 > pauses) {
          pauses += 1;
          await sleep(300);
        }
      }
    });
    assert.equal(bytes, MEGABYTES * MEGABYTE.length);
    t.diagnostic(`${grown.toFixed(1)} MiB`);
    assert.ok(grown < FLAT, `${grown} MiB`);
  });

  test("that nobody reads are not fetched", async () => {
    const grown = await growth(async () => {
      const outgoing = httpRequest(`${gateway.url}/large?megabytes=${MEGABYTES}`, { agent: false });
      outgoing.end();
      const [incoming] = await once(outgoing, "response");
      incoming.pause();
      await sleep(1000);
      incoming.destroy();
    });
    assert.ok(grown < FLAT, `${grown} MiB`);
  });
});
