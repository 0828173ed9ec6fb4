// More hosts than one run has requests for: each run of the cron brings some further, and nobody is said to fail
// who only waits.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { type Ddns, ZONE, ddns } from "./support/ddns.ts";

const NAMES = Array.from({ length: 15 }, (_, n) => `h${n}.example.com`);
const [V4, V6] = ["8.8.8.8", "2001:4860:4860::8888"];
/** The most requests that providers are sent by one run of the cron. */
const A_RUN = 16;

let d: Ddns;
before(async () => {
  d = await ddns({ hosts: NAMES.map((host) => ({ host, providers: [ZONE] })) });
});
beforeEach(() => d.reset());
after(() => d?.close());

const has = (host: string) => d.cloudflare.contents(host)[0] === V4 && d.cloudflare.contents(host, "AAAA")[0] === V6;
const hosts = async (): Promise<any[]> => (await d.read("/api/ddns/hosts")).hosts;
const states = async () => new Set((await hosts()).map((host) => host.providers[0].state));

/** The cron, in so many minutes from the start; gives how often Cloudflare was asked. */
async function cron(minute: number) {
  const asked = d.cloudflare.asked.length;
  await d.cron(minute * 60);
  return d.cloudflare.asked.length - asked;
}

describe("more hosts than one run has requests for", () => {
  test("have their addresses after a few runs, and again what a provider was never told", async () => {
    const [status, ...lines] = await d.update(`hostname=${NAMES}&myip=${V4},${V6}`);
    assert.equal(status, 200);
    assert.deepEqual(lines, NAMES.map((host) => (has(host) ? `good ${V4},${V6}` : "911")));
    assert.deepEqual(await states(), new Set(["current", "pending"]));
    for (let minute = 1; minute <= 4; minute++) assert.ok((await cron(minute)) <= A_RUN);
    assert.deepEqual(NAMES.filter((host) => !has(host)), []);
    assert.deepEqual(await states(), new Set(["current"]));
    const { entries } = await d.read("/api/ddns/log?token=cron");
    assert.deepEqual(new Set(entries.map((entry: any) => entry.decision)), new Set(["good"]));
  });

  test("are all told again in time, although nothing changed", async () => {
    await d.update(`hostname=${NAMES}&myip=${V4},${V6}`);
    for (let minute = 1; minute <= 4; minute++) await cron(minute);
    for (let minute = 125; minute <= 130; minute++) {
      assert.ok((await cron(minute)) <= A_RUN);
      assert.deepEqual(await states(), new Set(["current"]));
    }
    const overdue = (await hosts()).filter((host) => Date.parse(host.next_refresh_at) < Date.now() + 130 * 60_000);
    assert.deepEqual(overdue.map(({ host }) => host), []);
  });
});
