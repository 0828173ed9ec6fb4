// What watching writes to D1, as D1 counts it, beside what the budget says that it writes at most.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { built, type Modules, Running } from "../bench/support/runtime.ts";
import { request, TIMEOUT } from "./support/harness.ts";
import { parse } from "./support/prometheus.ts";
import { type Receiver, receiver } from "./support/receiver.ts";

const SERVICES = 5;
const START = Date.parse("2026-11-21T10:00:00Z");
const KEY = `whsec_${randomBytes(24).toString("base64")}`;

/** The worker, with a D1 that tells the log how many rows each statement has written. */
function counted(worker: string): Modules {
  const { mainModule, modules } = built(worker);
  const contents = `
import Worker from "./${mainModule}";
export * from "./${mainModule}";
let done = false;
function patch(database) {
  if (done) return;
  done = true;
  const tell = (results) => console.log("rows written: " + results.reduce((sum, { meta }) => sum + meta.rows_written, 0));
  const statement = Object.getPrototypeOf(database.prepare("SELECT 1"));
  const { run, all } = statement;
  statement.run = async function () { const result = await run.call(this); tell([result]); return result; };
  statement.all = async function () { const result = await all.call(this); tell([result]); return result; };
  statement.first = async function (column) {
    const [row] = (await this.all()).results;
    return row === undefined ? null : column === undefined ? row : row[column];
  };
  const { batch } = Object.getPrototypeOf(database);
  Object.getPrototypeOf(database).batch = async function (statements) {
    const results = await batch.call(this, statements);
    tell(results);
    return results;
  };
}
export default class extends Worker {
  constructor(context, env) { super(context, env); patch(env.OPS_DB); }
}`;
  return { mainModule: "counted.js", modules: { ...modules, "counted.js": { type: "esm", contents } } };
}

describe("watching", { timeout: TIMEOUT }, () => {
  let hooks: Receiver;
  let running: Running;
  let fails = false;
  let written = 0;
  const server = createServer((_request, response) => response.writeHead(fails ? 503 : 200).end());

  before(async () => {
    hooks = await receiver();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const services = Array.from({ length: SERVICES }, (_, n) => ({ id: `s${n}`, kind: "http", url, ...(n > 0 && { interval_minutes: 60 }) }));
    const channel = (name: string) => ({ name, kind: "webhook", secret: "HOOK", url: `${hooks.url}/${name}` });
    running = await Running.start(
      counted("ddns"),
      {
        OPS_DB: { type: "d1", id: "ops" },
        ALERTS: { type: "text", value: JSON.stringify({ HOOK: KEY }) },
        hosts: { type: "json", value: [] },
        services: { type: "json", value: services },
        alerts: { type: "json", value: [channel("one"), channel("two")] },
      },
      (message) => (written += Number(/rows written: (\d+)/.exec(message)?.[1] ?? 0)),
    );
    await running.migrate("OPS_DB", "ddns");
  });
  after(async () => {
    await running?.stop();
    await hooks?.close();
    server.closeAllConnections();
    server.close();
  });

  /** Rows that the runs of these minutes write. */
  async function rows(from: number, until: number): Promise<number> {
    written = 0;
    for (let minute = from; minute < until; minute += 1) await running.scheduled(new Date(START + minute * 60_000));
    return written;
  }

  test("writes no more than the budget says, and not much less", async () => {
    await rows(0, 2);
    // The book, and that the cron ran.
    assert.equal(await rows(2, 3), 2);
    // An hour: these, and the one service that is asked each minute every five minutes and when the hour is over.
    await rows(3, 60);
    const hour = await rows(60, 120);
    assert.ok(hour > 60 * 2 + 12 && hour <= 60 * 2 + 12 + 2 * SERVICES, String(hour));
    const page = parse((await request(new URL("/metrics", running.url).href)).text);
    const budget = page.get("genkan_services_rows_written_per_day")!.samples[0]!.value;
    const changes = 100 * (6 + 2 * 13);
    // A day's rows and hours are deleted after 400 days, and emptied after 30: not on the first.
    const later = SERVICES * (2 * 24 + 3);
    const day = budget - changes - later;
    assert.ok(24 * hour <= day + SERVICES * 24, `${24 * hour} of ${day}`);
    assert.ok(24 * hour > 0.9 * day, `${24 * hour} of ${day}`);
  });

  test("writes for a change and for who is told what the budget reckons with", async () => {
    const quiet = await rows(121, 125);
    fails = true;
    const down = (await rows(126, 130)) - quiet;
    fails = false;
    const up = (await rows(131, 135)) - quiet;
    assert.deepEqual([hooks.at("/one").length, hooks.at("/two").length], [2, 2]);
    // What is deleted one day is reckoned with, too: of the audit, of the incident, of two alerts.
    const each = 6 + 2 * 13;
    const deleted = 2 + 2 * 3;
    for (const measured of [down, up]) assert.ok(measured <= each && measured > each - deleted - 8, `${measured} of ${each}`);
  });
});
