// Origins that are down, late or broken: what a client gets, a person reads and the log says.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Gateway, exchange, run } from "./support/gateway.ts";
import { type Answer, assertProblem } from "./support/harness.ts";
import { type OriginServer, originServer } from "./support/origin.ts";
import { type Peer, closedPort, listen } from "./support/tcp.ts";

let origin: OriginServer;
let broken: Peer;
let gateway: Gateway;
before(async () => {
  origin = await originServer();
  broken = await listen((socket) => socket.destroy());
  const to = origin.url;
  gateway = await run({
    vars: {
      routes: [
        { path: "/", origin: to },
        { path: "/quick", origin: to, timeout_seconds: 1, retry_after_seconds: 7 },
        { path: "/worker", worker: "slow", timeout_seconds: 1, retry_after_seconds: 7 },
        { path: "/broken", origin: `http://127.0.0.1:${broken.port}`, timeout_seconds: 2 },
        { path: "/down", origin: `http://127.0.0.1:${await closedPort()}` },
      ],
    },
    workers: { SLOW: "export default { async fetch(request) { await request.text(); await new Promise((resolve) => setTimeout(resolve, 4000)); return new Response('late') } }" },
  });
});
after(async () => {
  await gateway?.stop();
  await origin?.close();
  await broken?.close();
});

describe("an origin", () => {
  const isDown = (answer: Answer, status: number, code: string, retry: string) => {
    assertProblem(answer, status, code, /^the service behind this address did not answer/);
    assert.equal(answer.headers["retry-after"], retry);
    assert.equal(answer.headers["cache-control"], "no-store");
    assert.doesNotMatch(answer.text, /127\.0\.0\.1|Error|connect/);
  };

  test("that is down, resets or hangs up is a 502", async () => {
    isDown(await gateway.request("/down"), 502, "bad-gateway", "30");
    broken.behave((socket) => socket.destroy());
    isDown(await gateway.request("/broken"), 502, "bad-gateway", "30");
    broken.behave((socket) => socket.once("data", () => socket.resetAndDestroy()));
    isDown(await gateway.request("/broken"), 502, "bad-gateway", "30");
    isDown(await gateway.request("/broken", { method: "POST", body: "x".repeat(200_000) }), 502, "bad-gateway", "30");
  });

  test("in whose place the platform answers is down or late as well", async () => {
    // What Cloudflare says when a Tunnel, or what is behind it, does not answer.
    for (const code of [520, 521, 523, 525, 526, 530]) isDown(await gateway.request(`/status?code=${code}`), 502, "bad-gateway", "30");
    for (const code of [522, 524]) isDown(await gateway.request(`/status?code=${code}`), 504, "gateway-timeout", "30");
  });

  test("before which a proxy says that nobody is there is down or late as well", async () => {
    for (const type of ["", "&type=text/html", "&type=TEXT/HTML;charset=utf-8", "&type=text/plain"]) {
      isDown(await gateway.request(`/status?code=502${type}`), 502, "bad-gateway", "30");
      isDown(await gateway.request(`/status?code=504${type}`), 504, "gateway-timeout", "30");
      const head = await gateway.request(`/status?code=502${type}`, { method: "HEAD" });
      assert.deepEqual([head.status, head.headers["retry-after"]], [502, "30"], type);
      for (const code of [500, 503]) assert.equal((await gateway.request(`/status?code=${code}${type}`)).text, "the origin's own words");
    }
    const headers = { Accept: "text/html", "Accept-Language": "ja" };
    const page = await gateway.request("/status?code=502&type=text/html", { headers });
    assert.deepEqual([page.status, page.headers["retry-after"]], [502, "30"]);
    assert.match(page.text, /<html lang="ja">[\s\S]*接続できません/);
  });

  test("that the platform waited for is not said to have had the route's time", async () => {
    for (const path of ["/status?code=524", "/status?code=504"]) {
      const answer = await gateway.request(path);
      assert.doesNotMatch(answer.json().detail, /30 s/);
      assert.match(answer.json().detail, /did not answer before Cloudflare or a proxy gave up waiting/);
    }
    const own = await gateway.request("/quick/hang");
    assert.match(own.json().detail, /did not answer within 1 s/);
  });

  test("that is down or late tells a program in its language too", async () => {
    for (const [path, detail] of [
      ["/down", "サービスに接続できませんでした。しばらくしてからもう一度お試しください。"],
      ["/status?code=522", "サービスが時間内に応答しませんでした。しばらくしてからもう一度お試しください。"],
    ] as const) {
      const answer = await gateway.request(path, { headers: { Accept: "application/json", "Accept-Language": "ja" } });
      assert.deepEqual([answer.json().detail, answer.headers["content-type"]], [detail, "application/problem+json"]);
    }
  });

  test("that is down is one line in the log, which says why", async () => {
    await gateway.request("/down/where", { headers: { traceparent: "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01" } });
    const line = JSON.parse(await gateway.logged(/0af7651916cd43dd8448eb211c80319c/));
    assert.deepEqual([line.route, line.status], ["*/down", 502]);
    assert.match(line.error, /./);
    assert.ok(!gateway.log.some((line) => line.includes(`"about":"route"`)));
  });

  test("is not asked to TRACE, which would show what is added on the way", async () => {
    const count = origin.seen.length;
    const sent = await exchange(gateway.port, "TRACE /x HTTP/1.1\r\nHost: a.example.com\r\nConnection: close\r\n\r\n");
    assert.match(sent, /^HTTP\/1\.1 405 /);
    assert.match(sent, /^Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r$/im);
    assert.equal(origin.seen.length, count);
  });

  test("that does not speak HTTP is a 502", async () => {
    for (const bytes of [
      "SSH-2.0-OpenSSH\r\n",
      "HTTP/1.1 OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
      "HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nX: ",
      "HTTP/1.1 600 Strange\r\nContent-Length: 2\r\n\r\nok",
      "HTTP/1.1 199 Strange\r\nContent-Length: 2\r\n\r\nok",
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk",
      "\0\0\0\0",
    ]) {
      broken.behave((socket) => socket.once("data", () => socket.end(bytes)));
      isDown(await gateway.request("/broken"), 502, "bad-gateway", "30");
    }
  });

  test("that hangs or is late is a 504, in its route's time and with its word on when to come again", async () => {
    for (const path of ["/quick/hang", "/quick/late?ms=3000"]) {
      for (const method of ["GET", "POST"]) {
        const started = performance.now();
        const answer = await gateway.request(path, { method, ...(method === "POST" && { body: "x".repeat(100_000) }) });
        isDown(answer, 504, "gateway-timeout", "7");
        const took = performance.now() - started;
        assert.ok(took > 900 && took < 2500, `${path}: ${took} ms`);
      }
    }
    // After a body of unknown length, and after one to a worker, too.
    for (const [path, options] of [
      ["/quick/hang", { chunked: true }],
      ["/worker/hang", { chunked: true }],
      ["/worker/hang", {}],
    ] as const) {
      for (const method of ["POST", "PATCH"]) {
        const started = performance.now();
        const answer = await gateway.request(path, { method, body: "x".repeat(100_000), ...options });
        isDown(answer, 504, "gateway-timeout", "7");
        const took = performance.now() - started;
        assert.ok(took > 900 && took < 2500, `${path}: ${took} ms`);
      }
    }
    assert.equal((await gateway.request("/quick/late?ms=300")).text, "late");
  });

  test("that takes no body and says nothing is a 504 as well", async () => {
    broken.behave(() => {});
    isDown(await gateway.request("/broken", { method: "POST", body: "short" }), 504, "gateway-timeout", "30");
  });

  test("that breaks off in the middle breaks off for the client too", async () => {
    for (const half of [
      "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ]) {
      broken.behave((socket) => socket.once("data", () => socket.end(half)));
      await assert.rejects(gateway.request("/broken"), half);
    }
  });

  test("that is down shows a person a page in their language", async () => {
    const browser = { Accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
    const page = await gateway.request("/down", { headers: { ...browser, "Accept-Language": "ja-JP,ja;q=0.9,en;q=0.8" } });
    assert.equal(page.status, 502);
    assert.equal(page.headers["content-type"], "text/html; charset=utf-8");
    assert.equal(page.headers["content-language"], "ja");
    assert.equal(page.headers["retry-after"], "30");
    assert.match(page.headers.vary ?? "", /Accept-Language/);
    assert.match(page.text, /<html lang="ja">[\s\S]*接続できません/);
    const english = await gateway.request("/quick/hang", { headers: { ...browser, "Accept-Language": "ja;q=0.1,en;q=0.2" } });
    assert.equal(english.status, 504);
    assert.match(english.text, /<html lang="en">[\s\S]*did not answer in time/);
    const head = await gateway.request("/down", { method: "HEAD", headers: browser });
    assert.deepEqual([head.status, head.text, head.headers["content-type"]], [502, "", "text/html; charset=utf-8"]);
  });
});
