// Origins behind the gateway: what reaches them and what comes back. `gateway-down.test.ts` has those that
// fail.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Gateway, exchange, received, run } from "./support/gateway.ts";
import { type RequestOptions } from "./support/harness.ts";
import { type OriginServer, originServer } from "./support/origin.ts";
import { type Peer, listen } from "./support/tcp.ts";

/** A worker that reads what it is sent, and tells the origin of a body that ended well. */
const reader = (to: string) => `export default { async fetch(request) {
  // R2 takes no stream whose length is not known to the runtime, nor does this declare one.
  if (request.url.endsWith("?on")) return fetch("${to}/on", { method: "PUT", body: request.body });
  const { byteLength } = await request.arrayBuffer();
  return fetch("${to}/whole?bytes=" + byteLength + "&length=" + request.headers.get("content-length"));
} }`;

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
        { path: "/app/", origin: to, strip_prefix: true },
        { path: "/based/", origin: `${to}/base`, strip_prefix: true },
        { path: "/quick", origin: to, timeout_seconds: 1 },
        { path: "/broken", origin: `http://127.0.0.1:${broken.port}` },
        { path: "/reader", worker: "reader" },
        { path: "/access", origin: to, access: true },
      ],
    },
    workers: { READER: reader(to) },
    secrets: { ACCESS_CLIENT_ID: "id.access", ACCESS_CLIENT_SECRET: "a-secret-value" },
  });
});
after(async () => {
  await gateway?.stop();
  await origin?.close();
  await broken?.close();
});

const told = (path: string, options?: RequestOptions) => received(gateway, path, options);

describe("a request", () => {
  test("of any method arrives with its query, body and headers", async () => {
    for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "REPORT", "MKCOL"]) {
      const body = method === "HEAD" ? undefined : `a body for ${method}`;
      const answer = await gateway.request("/x/y?a=%20b&c&d=/../e", { method, headers: { "X-Own": "value" }, ...(body && { body }) });
      assert.equal(answer.status, 200, answer.text);
      const seen = origin.last();
      assert.deepEqual([seen.method, seen.url, seen.headers["x-own"]], [method, "/x/y?a=%20b&c&d=/../e", "value"]);
      assert.equal(seen.bytes, body?.length ?? 0, method);
      if (body) assert.equal(seen.headers["content-length"], String(body.length), method);
    }
  });

  test("without a body has none, and one in chunks stays in chunks", async () => {
    assert.equal((await told("/x", { method: "POST", body: "" })).headers["content-length"], "0");
    const { headers, bytes } = await told("/x", { method: "POST", body: "abc", chunked: true });
    assert.deepEqual([headers["transfer-encoding"], headers["content-length"], bytes], ["chunked", undefined, 3]);
    assert.equal((await told("/x")).headers["transfer-encoding"], undefined);
  });

  test("goes to the origin's own host and tells the public one", async () => {
    const { headers } = await told("/app/x", { headers: { Host: "Home.example.com:8443", "CF-Connecting-IP": "192.0.2.7" } });
    assert.equal(headers.host, `127.0.0.1:${origin.port}`);
    assert.equal(headers["x-forwarded-host"], "home.example.com:8443");
    assert.equal(headers["x-forwarded-proto"], "http");
    assert.equal(headers["x-forwarded-for"], "192.0.2.7");
    assert.equal(headers["x-real-ip"], "192.0.2.7");
    assert.equal(headers["x-forwarded-prefix"], "/app");
  });

  test("cannot claim to come from elsewhere, nor bring a service token", async () => {
    const claims = {
      "X-Forwarded-For": "8.8.8.8",
      "X-Forwarded-Host": "evil.example.com",
      "X-Forwarded-Proto": "evil",
      "X-Forwarded-Prefix": "/evil",
      "X-Forwarded-Anything": "evil",
      "X-Real-IP": "8.8.8.8",
      "True-Client-IP": "8.8.8.8",
      "X-Original-URL": "/evil",
      "X-Rewrite-URL": "/evil",
      Forwarded: "for=8.8.8.8;host=evil.example.com",
      Proxy: "http://evil.example.com",
      "CF-Access-Client-Id": "evil",
      "CF-Access-Client-Secret": "evil",
    };
    for (const path of ["/x", "/app/x", "/access"]) {
      const { headers } = await told(path, { headers: { ...claims, "CF-Connecting-IP": "192.0.2.7" } });
      assert.doesNotMatch(JSON.stringify(headers), /evil|8\.8\.8\.8/, path);
      assert.equal(headers["x-forwarded-for"], "192.0.2.7");
    }
    const { headers } = await told("/x", { headers: claims });
    assert.doesNotMatch(JSON.stringify(headers), /evil|8\.8\.8\.8/);
    // To many an application these are the same names.
    const spelt = Object.fromEntries([...Object.entries(claims), ["CF-Connecting-IP", "8.8.8.8"] as const].map(([name, value]) => [name.replaceAll("-", "_"), value]));
    delete spelt["Forwarded"];
    delete spelt["Proxy"];
    const other = await told("/access", { headers: { ...spelt, X_Own: "kept" } });
    assert.doesNotMatch(JSON.stringify(other.headers), /evil|8\.8\.8\.8/);
    assert.equal(other.headers["x_own"], "kept");
  });

  test("loses its hop-by-hop headers and those that Connection names", async () => {
    const sent = await exchange(
      gateway.port,
      "GET /x HTTP/1.1\r\nHost: a.example.com\r\nConnection: close, X-Hop, Upgrade, HTTP2-Settings\r\nX-Hop: 1\r\nUpgrade: h2c\r\n" +
        "HTTP2-Settings: AAA\r\nKeep-Alive: timeout=9\r\nProxy-Authorization: Basic x\r\nTE: trailers\r\nTrailer: x\r\nX-End: kept\r\n\r\n",
    );
    assert.match(sent, /^HTTP\/1\.1 200 /);
    const { headers, names } = origin.last();
    const hops = ["x-hop", "upgrade", "http2-settings", "keep-alive", "proxy-authorization", "te", "trailer"];
    assert.deepEqual(hops.filter((name) => names.includes(name)), []);
    assert.equal(headers["x-end"], "kept");
    assert.equal(names.filter((name) => name === "host").length, 1);
  });

  test("carries a trace: the client's when it is well formed, else one of the gateway's", async () => {
    const good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const passed = await told("/x", { headers: { traceparent: good, tracestate: "a=b" } });
    assert.deepEqual([passed.headers.traceparent, passed.headers.tracestate], [good, "a=b"]);
    const made = new Set<string>();
    for (const traceparent of ["", "00-0-0-01", good.toUpperCase(), `${good}-x`, `${good}, ${good}`]) {
      const { headers } = await told("/x", { headers: { ...(traceparent && { traceparent }), tracestate: "a=b" } });
      assert.match(headers.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
      assert.equal(headers.tracestate, undefined);
      made.add(headers.traceparent);
    }
    assert.equal(made.size, 5);
    assert.ok(!made.has(good));
  });

  test("loses the part of its path that is stripped, and gets the origin's base", async () => {
    for (const [path, arrives] of [
      ["/app/x/y?z=/app", "/x/y?z=/app"],
      ["/app/", "/"],
      ["/based/x", "/base/x"],
      ["/based/", "/base/"],
      ["/apple", "/apple"],
      ["/app//evil.example.com/x", "/evil.example.com/x"],
      ["//evil.example.com/x", "/evil.example.com/x"],
      ["/a%2Fb%20c;d/%E3%81%82", "/a%2Fb%20c;d/%E3%81%82"],
    ] as const) {
      assert.equal((await told(path)).url, arrives, path);
    }
  });

  test("to a folder without its slash is sent there, with its query", async () => {
    for (const [method, status] of [["GET", 301], ["HEAD", 301], ["POST", 308], ["PROPFIND", 308]] as const) {
      const count = origin.seen.length;
      const answer = await gateway.request("/app?a=b%2f&c", { method });
      assert.deepEqual([answer.status, answer.headers.location], [status, "/app/?a=b%2f&c"], method);
      assert.equal(origin.seen.length, count);
    }
  });

  test("that breaks off in its body never looks whole to the origin", async () => {
    for (const framing of ["Content-Length: 300000", "Transfer-Encoding: chunked"]) {
      const chunked = framing.includes("chunked");
      const part = "x".repeat(1000);
      const bytes = chunked ? `3e8\r\n${part}\r\n` : part;
      await exchange(gateway.port, `POST /cut HTTP/1.1\r\nHost: a.example.com\r\n${framing}\r\n\r\n${bytes}`, 300);
      await sleep(200);
      const { url, sha256, aborted } = origin.last();
      assert.deepEqual([url, sha256, aborted], ["/cut", null, true], framing);
    }
  });

  test("in chunks that breaks off never looks whole, wherever and however it does", async () => {
    const head = "POST /cut-chunked HTTP/1.1\r\nHost: a.example.com\r\nTransfer-Encoding: chunked\r\n\r\n";
    const chunk = `186a0\r\n${"x".repeat(100_000)}\r\n`;
    for (const [about, bytes] of Object.entries({
      "before the first": head,
      "in the first": head + chunk.slice(0, 70_000),
      "after the first": head + chunk,
      "after many": head + chunk.repeat(30),
      "in a later one": head + chunk.repeat(30) + chunk.slice(0, 10),
      "in the last": `${head}${chunk}0\r\n`,
    })) {
      for (const [how, path] of [["destroy", "/cut-chunked"], ["end", "/cut-chunked"], ["resetAndDestroy", "/cut-chunked"], ["destroy", "/reader"]] as const) {
        const before = origin.seen.length;
        const socket = connect(gateway.port, "127.0.0.1");
        socket.on("error", () => {}); // a reset is an end too
        socket.resume();
        await new Promise((resolve) => socket.write(bytes.replace("/cut-chunked", path), resolve));
        await sleep(150);
        socket[how]();
        await sleep(250);
        socket.destroy();
        for (const { url, sha256, bytes } of origin.seen.slice(before)) assert.deepEqual([url, sha256], [path, null], `${about}, ${how}: ${bytes} bytes`);
      }
    }
  });

  test("to a worker has its body whole, with its length when that is known, or none at all", async () => {
    const body = "x".repeat(300_000);
    for (const [chunked, length] of [[false, "300000"], [true, "null"]] as const) {
      const answer = await gateway.request("/reader", { method: "PUT", body, chunked });
      assert.deepEqual([answer.status, origin.last().url], [200, `/whole?bytes=300000&length=${length}`]);
      await gateway.request("/reader?on", { method: "PUT", body, chunked });
      const { url, bytes, headers } = origin.last();
      assert.deepEqual([url, bytes, headers["content-length"] ?? "null"], ["/on", 300_000, length]);
    }
    const count = origin.seen.length;
    await exchange(gateway.port, `PUT /reader HTTP/1.1\r\nHost: a.example.com\r\nContent-Length: 300000\r\n\r\n${body.slice(0, 200_000)}`, 300);
    await sleep(200);
    assert.equal(origin.seen.length, count);
  });
});

describe("an answer", () => {
  test("of any status comes back as the origin gave it", async () => {
    for (const code of [200, 201, 207, 299, 400, 401, 404, 418, 429, 500, 503, 599]) {
      const answer = await gateway.request(`/status?code=${code}`, { headers: { Accept: "text/html" } });
      assert.deepEqual([answer.status, answer.text, answer.headers["x-own"]], [code, "the origin's own words", "kept"]);
    }
    // A 502 or 504 that only a person could read is a proxy's, which found nobody: see `gateway-down.test.ts`.
    for (const code of [502, 504]) {
      for (const type of ["application/json", "application/problem+json; charset=utf-8", "application/grpc", "text/csv"]) {
        const answer = await gateway.request(`/status?code=${code}&type=${encodeURIComponent(type)}`, { headers: { Accept: "text/html" } });
        assert.deepEqual([answer.status, answer.text, answer.headers["content-type"]], [code, "the origin's own words", type]);
      }
    }
    for (const code of [204, 304]) {
      const answer = await gateway.request(`/status?code=${code}`);
      assert.deepEqual([answer.status, answer.text, answer.headers["x-own"]], [code, "", "kept"]);
    }
  });

  test("to a range or a condition is the origin's", async () => {
    const part = await gateway.request("/file", { headers: { Range: "bytes=2-4" } });
    assert.deepEqual([part.status, part.text, part.headers["content-range"]], [206, "234", "bytes 2-4/10"]);
    const same = await gateway.request("/file", { headers: { "If-None-Match": '"v1"' } });
    assert.deepEqual([same.status, same.text, same.headers.etag], [304, "", '"v1"']);
    const head = await gateway.request("/file", { method: "HEAD" });
    assert.deepEqual([head.status, head.text, head.headers["content-length"]], [200, "", "10"]);
  });

  test("that nothing has changed leaves the headers that a cache has of it", async () => {
    const lines = ["x-content-type-options", "referrer-policy", "permissions-policy", "x-frame-options", "content-security-policy"];
    const same = await gateway.request("/file", { headers: { "If-None-Match": '"v1"' } });
    assert.equal(same.status, 304);
    assert.deepEqual(lines.filter((name) => name in same.headers), []);
    // What the origin itself says in it passes.
    const said = await gateway.request("/headers?status=304&x-frame-options=DENY");
    assert.deepEqual([said.status, said.headers["x-frame-options"], said.headers["referrer-policy"]], [304, "DENY", undefined]);
    assert.equal((await gateway.request("/file")).headers["x-frame-options"], "SAMEORIGIN");
  });

  test("that is packed stays packed, byte for byte", async () => {
    for (const accept of ["gzip", "identity"]) {
      const answer = await gateway.request("/gzip", { headers: { "Accept-Encoding": accept } });
      assert.equal(answer.headers["content-encoding"], "gzip");
      assert.equal(answer.headers["content-length"], String(answer.body.length));
      assert.deepEqual([...answer.body.subarray(0, 2)], [0x1f, 0x8b]);
    }
  });

  test("that redirects leads to the public host and prefix", async () => {
    const own = origin.url;
    const at = async (path: string, location: string) => {
      const headers = { Host: "home.example.com" };
      const answer = await gateway.request(`${path}/headers?location=${encodeURIComponent(location)}`, { headers });
      assert.equal(answer.status, 302);
      return answer.headers.location;
    };
    assert.equal(await at("", "/login"), "/login");
    assert.equal(await at("", `${own}/login?a=b#c`), "http://home.example.com/login?a=b#c");
    assert.equal(await at("/app", "/login"), "/app/login");
    assert.equal(await at("/app", `${own}/login`), "http://home.example.com/app/login");
    assert.equal(await at("/app", "login"), "login");
    assert.equal(await at("/app", "https://elsewhere.example.com/x"), "https://elsewhere.example.com/x");
    assert.equal(await at("/based", "/base/login"), "/based/login");
    assert.equal(await at("/based", "/base//evil.example.com"), "/based/evil.example.com");
    const refresh = await gateway.request(`/app/headers?refresh=${encodeURIComponent("0; url=/x")}&content-location=/y`);
    assert.equal(refresh.headers["refresh"], "0; url=/app/x");
    assert.equal(refresh.headers["content-location"], "/app/y");
  });

  test("with cookies keeps each, at its application's path", async () => {
    const cookies = ["a=1; Path=/; HttpOnly", "b=2, and more", "__Host-c=3; Path=/; Secure", "d=4; Domain=127.0.0.1; Path=/x"];
    const query = cookies.map((cookie) => `cookie=${encodeURIComponent(cookie)}`).join("&");
    const plain = await gateway.request(`/headers?${query}`);
    assert.deepEqual(plain.headers["set-cookie"], [...cookies.slice(0, 3), "d=4; Path=/x"]);
    const stripped = await gateway.request(`/app/headers?${query}`);
    assert.deepEqual(stripped.headers["set-cookie"], ["a=1; Path=/app; HttpOnly", ...cookies.slice(1, 3), "d=4; Path=/app/x"]);
  });

  test("with an early hint, or of an old server, is the answer that it ends in", async () => {
    for (const [bytes, text] of [
      ["HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"],
      ["HTTP/1.0 200 OK\r\n\r\nold", "old"],
    ] as const) {
      broken.behave((socket) => socket.once("data", () => socket.end(bytes)));
      const answer = await gateway.request("/broken");
      assert.deepEqual([answer.status, answer.text], [200, text]);
    }
  });

  test("loses its hop-by-hop headers", async () => {
    const hops = "Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\nProxy-Authenticate: Basic realm=x\r\nProxy-Authentication-Info: x\r\n";
    broken.behave((socket) => socket.once("data", () => socket.end(`HTTP/1.1 200 OK\r\n${hops}X-End: kept\r\nContent-Length: 2\r\n\r\nok`)));
    const answer = await gateway.request("/broken");
    assert.deepEqual([answer.text, answer.headers["x-hop"], answer.headers["keep-alive"]], ["ok", undefined, undefined]);
    assert.equal(answer.headers["x-end"], "kept");
    assert.deepEqual(Object.keys(answer.headers).filter((name) => name.startsWith("proxy-")), []);
  });

  test("is logged in one line with its route, upstream, status, length and trace", async () => {
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    await gateway.request("/file?secret=1", { headers: { traceparent, Authorization: "Bearer secret" } });
    const line = JSON.parse(await gateway.logged(/"bytes":10,.*4bf92f3577b34da6a3ce929d0e0e4736/));
    assert.equal(typeof line.first_byte_ms, "number");
    const { first_byte_ms: _, ...rest } = line;
    assert.deepEqual(rest, {
      worker: "gateway",
      route: "*/",
      upstream: origin.url,
      method: "GET",
      status: 200,
      bytes: 10,
      trace: "4bf92f3577b34da6a3ce929d0e0e4736",
    });
  });

  test("is logged with the length that is sent: none to HEAD and of a 304, and not known of chunks", async () => {
    const trace = (digit: string) => digit.repeat(32);
    const ask = (digit: string, path: string, options: RequestOptions = {}) =>
      gateway.request(path, { ...options, headers: { traceparent: `00-${trace(digit)}-00f067aa0ba902b7-01`, ...options.headers } });
    await ask("a", "/file", { method: "HEAD" });
    await ask("b", "/file", { headers: { "If-None-Match": '"v1"' } });
    await ask("c", "/slow?ms=0");
    for (const [digit, bytes] of [["a", 0], ["b", 0], ["c", null]] as const) {
      assert.equal(JSON.parse(await gateway.logged(new RegExp(trace(digit)))).bytes, bytes, digit);
    }
  });
});

describe("a stream", () => {
  test("of events passes as it ticks", async () => {
    const started = performance.now();
    const response = await fetch(`${gateway.url}/app/ticks`);
    assert.equal(response.headers.get("content-type"), "text/event-stream");
    const at: number[] = [];
    const texts: string[] = [];
    for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
      at.push(performance.now() - started);
      texts.push(text);
    }
    assert.deepEqual(texts, ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"]);
    assert.ok(at[0]! < 350 && at[2]! - at[0]! > 600, String(at));
  });

  test("goes both ways at once", async () => {
    const chunks = ["one ", "two ", "three"];
    const upload = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const next = chunks.shift();
        if (next === undefined) return controller.close();
        controller.enqueue(new TextEncoder().encode(next));
        await sleep(300);
      },
    });
    const started = performance.now();
    const options = { method: "POST", body: upload, duplex: "half" } as RequestInit;
    const response = await fetch(`${gateway.url}/duplex`, options);
    const first = performance.now() - started;
    assert.equal(await response.text(), "one two three");
    assert.ok(first < 600, `${first} ms`);
  });

  test("that an origin begins in time may go on for longer than the time-out", async () => {
    const answer = await gateway.request("/quick/slow?ms=1500");
    assert.deepEqual([answer.status, answer.text], [200, "first last"]);
  });

  test("of a client may take longer than the time-out", async () => {
    const body = Buffer.alloc(300_000, "x");
    for (const framing of [{ "Content-Length": body.length }, { "Transfer-Encoding": "chunked" }]) {
      const outgoing = httpRequest(`${gateway.url}/quick/upload`, { method: "POST", headers: framing, agent: false });
      const answered = once(outgoing, "response");
      for (let part = 0; part < 3; part += 1) {
        outgoing.write(body.subarray(part * 100_000, (part + 1) * 100_000));
        await sleep(500);
      }
      outgoing.end();
      const [incoming] = await answered;
      assert.equal(incoming.statusCode, 200);
      const { bytes, sha256 } = JSON.parse(await text(incoming));
      assert.deepEqual([bytes, sha256], [300_000, createHash("sha256").update(body).digest("hex")]);
    }
  });

  test("that is refused on its headers is answered so", async () => {
    const answer = await gateway.request("/early", { method: "POST", body: "x".repeat(100_000) });
    assert.equal(answer.status, 413);
  });

  test("that an origin stops reading, and answers, is answered whole", async () => {
    for (const chunked of [false, true]) {
      for (const end of [false, true]) {
        // It reads no further, or has gone.
        broken.behave((socket) => {
          socket.once("data", () => {
            socket.pause();
            socket.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 10\r\n\r\nlarge", () => {
              void sleep(300).then(() => (end ? socket.end("large") : socket.write("large")));
            });
          });
        });
        const answer = await gateway.request("/broken", { method: "POST", body: "x".repeat(5_000_000), chunked });
        assert.deepEqual([answer.status, answer.text], [413, "largelarge"], `${chunked} ${end}`);
      }
    }
  });
});
