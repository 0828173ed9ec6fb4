// From a server that fails to the people who hear of it: checks, states, incidents and the outbox together, straight in the
// runtime and on a clock that the test moves.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Webhook } from "standardwebhooks";
import { built, Running } from "../bench/support/runtime.ts";
import { request, TIMEOUT } from "./support/harness.ts";
import { type Receiver, receiver, reset, status } from "./support/receiver.ts";
import { listen, type Peer, silent } from "./support/tcp.ts";

const KEY = `whsec_${randomBytes(24).toString("base64")}`;
/** The minute of the first run: what was checked long ago is known no more. */
const START = Math.floor(Date.now() / 60_000) * 60_000;
const well = (response: ServerResponse) => response.end("all is well");

interface Watching {
  running: Running;
  /** One run of the cron, so many minutes after the first. */
  cron(minute: number): Promise<void>;
  /** The states of all services. */
  states(): Promise<Record<string, any>>;
}

async function watch(services: Record<string, unknown>[], hook: string): Promise<Watching> {
  const running = await Running.start(built("ddns"), {
    OPS_DB: { type: "d1", id: "ops" },
    ALERTS: { type: "text", value: JSON.stringify({ HOOK: { url: hook, key: KEY } }) },
    hosts: { type: "json", value: [] },
    services: { type: "json", value: services.map((service) => ({ public: true, ...service })) },
    alerts: { type: "json", value: [{ name: "hook", kind: "webhook", secret: "HOOK" }] },
  });
  await running.migrate("OPS_DB", "ddns");
  return {
    running,
    cron: (minute) => running.scheduled(new Date(START + minute * 60_000)),
    states: async () => {
      const answer = await request(new URL("/api/services", running.url).href);
      assert.equal(answer.status, 200, answer.text);
      return Object.fromEntries(answer.json().services.map((service: any) => [service.id, service]));
    },
  };
}

/** What was told, verified as a receiver does: `service.down web up -> down`. */
function told(hook: Receiver): string[] {
  return hook.heard.map(({ body, headers }) => {
    const { type, data } = new Webhook(KEY).verify(body, headers as Record<string, string>) as any;
    return `${type} ${data.service} ${data.previous} -> ${data.state}`;
  });
}

describe("one service", () => {
  let hook: Receiver;
  let watching: Watching;
  let answer: (response: ServerResponse) => unknown = well;
  const server = createServer((_request, response) => answer(response));
  before(async () => {
    hook = await receiver();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    watching = await watch([{ id: "web", name: "Website", kind: "http", url, remind_minutes: 30 }], `${hook.url}/hook`);
  });
  after(async () => {
    await watching?.running.stop();
    await hook?.close();
    server.closeAllConnections();
    server.close();
  });

  test("is told once when it goes down and once when it is up again, however often and however differently it fails", { timeout: TIMEOUT }, async () => {
    await watching.cron(0);
    assert.deepEqual(told(hook), []);
    answer = status(503);
    await watching.cron(1);
    assert.deepEqual(told(hook), [], "one failure is none");
    answer = reset;
    await watching.cron(2);
    assert.equal(told(hook).length, 1);
    assert.match(told(hook)[0] ?? "", /^service\.down web .* -> down$/);
    answer = status(500);
    await Promise.all([watching.cron(2), watching.cron(3)]);
    answer = status(502);
    await watching.cron(4);
    assert.equal(told(hook).length, 1, "another error is no news, and a run twice none either");
    answer = well;
    await watching.cron(5);
    await watching.cron(6);
    assert.deepEqual(told(hook).slice(1).map((line) => line.split(" ").slice(0, 2).join(" ")), ["service.up web"]);
    assert.equal((await watching.states())["web"].state, "up");
  });

  test("is told of later when the receiver was down as well", { timeout: TIMEOUT }, async () => {
    hook.heard.length = 0;
    hook.answer("/hook", status(500), reset);
    answer = status(503);
    for (const minute of [10, 11, 12, 13, 14, 15]) await watching.cron(minute);
    const ids = new Set(hook.heard.map(({ headers }) => headers["webhook-id"]));
    assert.deepEqual([hook.heard.length, ids.size], [3, 1]);
    await watching.cron(45);
    assert.match(told(hook).at(-1) ?? "", /^service\.reminder web /);
    // Not delivered, and then no news any more.
    const reminders = () => told(hook).filter((line) => line.startsWith("service.reminder")).length;
    hook.answer("/hook", ...Array.from({ length: 20 }, () => status(500)));
    for (const minute of [75, 76, 105, 106, 107]) await watching.cron(minute);
    const { results } = await (await watching.running.database("OPS_DB"))
      .prepare("SELECT key FROM alerts WHERE settled_at IS NULL")
      .all<{ key: string }>();
    const newest = new Date(START + 105 * 60_000).toISOString().replace(".000Z", "Z");
    assert.deepEqual(results.map(({ key }) => key), [`reminder web ${newest}`], "the newest alone waits");
    const before = reminders();
    hook.answer("/hook");
    answer = well;
    await watching.cron(125);
    assert.match(told(hook).at(-1) ?? "", /^service\.up web /);
    for (const minute of [126, 160]) await watching.cron(minute);
    assert.equal(reminders(), before, "what is up is not said to be down");
  });
});

describe("a home line and what is behind it", () => {
  let hook: Receiver;
  let line: Peer;
  let watching: Watching;
  const server = createServer((_request, response) => well(response));
  let port = 0;
  before(async () => {
    hook = await receiver();
    line = await listen(silent);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as AddressInfo).port;
    const behind = Array.from({ length: 20 }, (_, n) => ({ id: `s${n}`, kind: "http", url: `http://127.0.0.1:${port}/`, depends_on: ["line"] }));
    watching = await watch([...behind, { id: "line", kind: "tcp", address: `127.0.0.1:${line.port}` }], `${hook.url}/hook`);
  });
  after(async () => {
    await watching?.running.stop();
    await hook?.close();
    await line?.close();
    server.closeAllConnections();
    server.close();
  });

  test("are one alert, not twenty", { timeout: TIMEOUT }, async () => {
    await watching.cron(0);
    assert.ok(Object.values(await watching.states()).every(({ state }) => state === "up"));
    const linePort = line.port;
    await line.close();
    server.closeAllConnections();
    server.close();
    for (const minute of [1, 2, 3, 4]) await watching.cron(minute);
    assert.equal(told(hook).length, 1, told(hook).join("\n"));
    assert.match(told(hook)[0] ?? "", /^service\.down line /);
    const states = await watching.states();
    assert.equal(states["line"].state, "down");
    for (let n = 0; n < 20; n += 1) assert.equal(states[`s${n}`].state, "unknown");

    line = await listen(silent, linePort);
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    for (const minute of [5, 6, 7]) await watching.cron(minute);
    assert.deepEqual(told(hook).slice(1).map((line) => line.split(" ").slice(0, 2).join(" ")), ["service.up line"]);
    assert.ok(Object.values(await watching.states()).every(({ state }) => state === "up"));
  });
});

describe("services that hang", () => {
  let hook: Receiver;
  let watching: Watching;
  const asked: { path: string; at: number }[] = [];
  const server = createServer((request, response) => {
    asked.push({ path: request.url ?? "", at: Date.now() });
    if (request.url?.startsWith("/ok")) response.end("all is well");
  });
  before(async () => {
    hook = await receiver();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const some = (count: number, id: string) =>
      Array.from({ length: count }, (_, n) => ({ id: `${id}${n}`, kind: "http", url: `${url}/${id}${n}`, timeout_ms: 3000, failures: 1 }));
    watching = await watch([...some(5, "hang"), ...some(20, "ok")], `${hook.url}/hook`);
  });
  after(async () => {
    await watching?.running.stop();
    await hook?.close();
    server.closeAllConnections();
    server.close();
  });

  test("delay none of the others", { timeout: TIMEOUT }, async () => {
    for (const minute of [0, 1]) {
      asked.length = 0;
      const begun = Date.now();
      await watching.cron(minute);
      const took = Date.now() - begun;
      const states = await watching.states();
      for (let n = 0; n < 20; n += 1) assert.equal(states[`ok${n}`].state, "up");
      for (let n = 0; n < 5; n += 1) assert.match(states[`hang${n}`].reason, /^timeout: /);
      const fast = asked.filter(({ path }) => path.startsWith("/ok")).map(({ at }) => at - begun);
      assert.equal(fast.length, 20);
      assert.ok(Math.max(...fast) < 2500, `the last one was asked after ${Math.max(...fast)} ms`);
      assert.ok(took < 12_000, `${took} ms`);
      await sleep(0);
    }
  });
});
