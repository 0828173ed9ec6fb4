// What the gateway answers by itself: its table for operators, and what all workers say of themselves, joined.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { type Gateway, run } from "./support/gateway.ts";
import { type RequestOptions, TIMEOUT, assertProblem, start } from "./support/harness.ts";
import { parse } from "./support/prometheus.ts";

const [OPERATOR, WRITER] = [randomBytes(32).toString("base64url"), randomBytes(32).toString("base64url")];
const entry = (name: string, token: string, scopes: string[]) => ({ name, sha256: createHash("sha256").update(token).digest("hex"), scopes });
const SECRET = "a-secret-of-access";
const secrets = {
  TOKENS: JSON.stringify([entry("operator", OPERATOR, ["ops:read"]), entry("writer", WRITER, ["pack:write"])]),
  ACCESS_CLIENT_ID: "id.access",
  ACCESS_CLIENT_SECRET: SECRET,
};
const routes = [
  { host: "own.example.com", path: "/", respond: "own" },
  { path: "/", respond: "everybody" },
  { path: "/api/", origin: "https://api.example.net/base", strip_prefix: true, access: true, auth: "bearer", scope: "ops:write" },
  { path: "/api/events", worker: "pack", timeout_seconds: 300 },
  { host: "*.apps.example.com", path: "/", site: "www", spa: true },
];

/** A worker that answers these paths, each with a text or a status, or not at all. */
const worker = (answers: Record<string, string | number | null>) => `export default {
  async fetch(request) {
    const answer = (${JSON.stringify(answers)})[new URL(request.url).pathname];
    if (answer === null) await new Promise((resolve) => setTimeout(resolve, 60000));
    return typeof answer === "string" ? new Response(answer) : new Response("no", { status: answer ?? 404 });
  },
};`;

const metric = (name: string, labels: string, value: number) => `# HELP ${name} About ${name}.\n# TYPE ${name} gauge\n${name}${labels} ${value}\n`;
const described = (path: string, schema: string) =>
  JSON.stringify({ openapi: "3.1.0", info: { title: path, version: "1" }, paths: { [path]: { get: {} } }, components: { schemas: { [schema]: {}, Problem: { type: "object" } } } });

let gateway: Gateway;
before(async () => {
  gateway = await run({
    vars: { routes },
    secrets,
    sites: "new",
    workers: {
      PACK: worker({ "/metrics": metric("shared", '{of="pack"}', 1) + metric("pack_only", "", 2), "/openapi.json": described("/api/packs", "Pack") }),
      STATUS: worker({ "/metrics": metric("shared", '{of="status"}', 3) + "nonsense {\n", "/openapi.json": 503 }),
      DDNS: worker({ "/metrics": null, "/openapi.json": "<html>" }),
    },
  });
});
after(() => gateway?.stop());

const table = (query = "", options: RequestOptions = { token: OPERATOR }) => gateway.request(`/api/gateway/routes${query}`, options);

describe("the table", { timeout: TIMEOUT }, () => {
  test("is for operators alone, whole and without secrets", async () => {
    const refused = await table("", {});
    assertProblem(refused, 401, "unauthorized");
    assert.equal(refused.headers["access-control-allow-origin"], undefined);
    assertProblem(await table("", { token: WRITER }), 403, "forbidden");
    const answer = await table();
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers["cache-control"], "no-store");
    assert.equal(answer.headers["access-control-allow-origin"], undefined);
    assert.doesNotMatch(answer.text, new RegExp(`${SECRET}|id\\.access|sha256|${OPERATOR}`));
    const { routes: shown, lookup } = answer.json();
    assert.equal(lookup, undefined);
    assert.deepEqual(shown.map(({ host, path, kind, to }: any) => [host, path, kind, to]), [
      ["own.example.com", "/", "respond", "200"],
      ["*", "/", "respond", "200"],
      ["*", "/api/", "origin", "https://api.example.net/base"],
      ["*", "/api/events", "worker", "pack"],
      ["*.apps.example.com", "/", "site", "www"],
    ]);
    assert.deepEqual([shown[2].auth, shown[2].scope, shown[2].access, shown[2].strip_prefix, shown[2].timeout_seconds], ["bearer", "ops:write", true, true, 30]);
    const head = await table("", { token: OPERATOR, method: "HEAD" });
    assert.deepEqual([head.status, head.text], [200, ""]);
    assertProblem(await table("", { token: OPERATOR, method: "POST" }), 405, "method-not-allowed");
  });

  test("is no website's to ask for, as what all workers say is", async () => {
    const ask = { Origin: "https://www.example.com", "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "if-none-match" };
    for (const [path, origin] of [["/api/gateway/routes", undefined], ["/metrics", "*"], ["/openapi.json", "*"]] as const) {
      const { status, headers } = await gateway.request(path, { method: "OPTIONS", headers: ask });
      assert.deepEqual([status, headers["access-control-allow-origin"]], [204, origin], path);
      assert.equal(/if-none-match/i.test(headers["access-control-allow-headers"] ?? ""), origin === "*", path);
      assertProblem(await gateway.request(path, { method: "OPTIONS" }), 405, "method-not-allowed");
    }
  });

  test("says which route a URL takes, and why", async () => {
    for (const [url, takes, others] of [
      ["https://own.example.com/api/events", 0, [3, 2, 1]],
      ["https://www.example.com/api/events/7?x=1", 3, [2, 1]],
      ["www.example.com/api", 2, [1]],
      ["http://WWW.example.com:8080/x/../apix", 1, []],
      ["https://a.b.apps.example.com/", 4, [1]],
    ] as const) {
      const { lookup } = (await table(`?url=${encodeURIComponent(url)}`)).json();
      assert.equal(lookup.takes, takes, url);
      assert.deepEqual(lookup.candidates.map(({ index }: any) => index), [takes, ...others], url);
      assert.ok(lookup.why.length > 10 && lookup.candidates.every(({ why }: any) => why.length > 5));
      assert.equal(lookup.url, url);
    }
    const { lookup } = (await table(`?url=${encodeURIComponent("https://x.apps.example.com/a/./b")}`)).json();
    assert.deepEqual([lookup.host, lookup.path], ["x.apps.example.com", "/a/b"]);
  });

  test("says of a URL that it refuses or answers itself that no route takes it", async () => {
    for (const [url, why] of [
      ["https://www.example.com//api/events", /^it is refused \(400\)/],
      ["https://www.example.com/x/..;/api", /^it is refused \(400\)/],
      ["https://www.example.com/health", /the gateway itself/],
      ["https://own.example.com/health", /the gateway itself/],
      ["https://www.example.com/metrics", /the gateway itself answers GET \/metrics/],
    ] as const) {
      const { lookup } = (await table(`?url=${encodeURIComponent(url)}`)).json();
      assert.equal(lookup.takes, null, url);
      assert.match(lookup.why, why, url);
      assert.ok(lookup.candidates.every(({ why }: any) => why !== "takes it"), url);
    }
  });

  test("takes no other question", async () => {
    for (const query of ["?uri=x", "?url=a.example.com&url=b.example.com", "?url=", "?url=https%3A%2F%2F", "?url=https%3A%2F%2Fa%20b%2F", "?url=a.example.com&x=1"]) {
      assertProblem(await table(query), 400, "bad-request");
    }
  });

  test("is not told on a host that has routes, where all is that host's own", async () => {
    for (const path of ["/api/gateway/routes", "/metrics", "/openapi.json"]) {
      const answer = await gateway.request(path, { headers: { Host: "own.example.com" }, token: OPERATOR });
      assert.deepEqual([answer.status, answer.text], [200, "own"], path);
    }
  });
});

describe("the metrics of all workers", { timeout: TIMEOUT }, () => {
  test("are one page, in which one that does not answer leaves the others", async () => {
    const began = performance.now();
    const answer = await gateway.request("/metrics");
    assert.ok(performance.now() - began < 8000, "it waits for all at once, and not for ever");
    assert.equal(answer.status, 200);
    assert.match(answer.headers["content-type"] ?? "", /^text\/plain; version=0\.0\.4/);
    assert.equal(answer.headers["cache-control"], "no-store");
    const families = parse(answer.text);
    assert.deepEqual(families.get("shared")?.samples, [
      { labels: { of: "pack" }, value: 1 },
      { labels: { of: "status" }, value: 3 },
    ]);
    assert.equal(families.get("pack_only")?.samples[0]?.value, 2);
    const up = families.get("genkan_worker_up")?.samples.map(({ labels, value }) => [labels["worker"], value]);
    assert.deepEqual(up, [["pack", 1], ["status", 1], ["ddns", 0]]);
    assert.ok(gateway.log.some((line) => /ddns/.test(line) && /metrics/.test(line)));
    assertProblem(await gateway.request("/metrics", { method: "DELETE" }), 405, "method-not-allowed");
  });
});

describe("the description of all workers", { timeout: TIMEOUT }, () => {
  test("is one document, in which one that does not answer is named", async () => {
    const answer = await gateway.request("/openapi.json");
    assert.deepEqual([answer.status, answer.headers["content-type"], answer.headers["access-control-allow-origin"]], [200, "application/json", "*"]);
    assert.match(answer.headers["access-control-expose-headers"] ?? "", /\bETag\b/);
    const { openapi, info, paths, components } = answer.json();
    assert.equal(openapi, "3.1.0");
    assert.deepEqual(info["x-missing"], ["status", "ddns"]);
    assert.ok("/api/packs" in paths && "Pack" in components.schemas && "Problem" in components.schemas);
    const same = await gateway.request("/openapi.json", { headers: { "If-None-Match": answer.headers["etag"] ?? "" } });
    assert.deepEqual([same.status, same.text], [304, ""]);
  });
});

test("the whole system's are those of its workers", { timeout: TIMEOUT }, async () => {
  const home = { id: "home", kind: "heartbeat", period_minutes: 60, grace_minutes: 10 };
  const system = await start({ ddns: { services: [home] }, status: { targets: [{ id: "main", address: "mc.example.com", connect: "127.0.0.1:1" }] } });
  try {
    await system.status.scheduled({ cron: "* * * * *", scheduledTime: new Date() });
    const families = parse((await system.request("/metrics")).text);
    const up = families.get("genkan_worker_up")!.samples;
    for (const name of ["pack", "status"]) assert.equal(up.find(({ labels }) => labels["worker"] === name)?.value, 1, name);
    assert.ok([...families.keys()].some((name) => name.startsWith("minecraft_status_")));
    const home_ = /service="home"/;
    assert.doesNotMatch((await system.request("/metrics")).text, home_);
    assert.match((await system.request("/metrics", { token: system.tokens.opsRead })).text, home_);
    const { paths, info } = (await system.request("/openapi.json")).json();
    assert.equal(info["x-missing"], undefined);
    for (const path of ["/api/pack/latest", "/api/status", "/nic/update"]) assert.ok(path in paths, path);
    const answer = await system.request("/api/gateway/routes?url=http://rp.localhost/api/status", { token: system.tokens.opsRead });
    assert.match(answer.json().lookup.candidates[0].route, /^rp\.localhost/);
  } finally {
    await system.close();
  }
});
