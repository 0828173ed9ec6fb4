// CHECKS_A_RUN: how many services one run of the cron asks; the others have their turn in the runs after it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type System, TIMEOUT, start } from "./support/harness.ts";
import { type Receiver, receiver } from "./support/receiver.ts";
import { Clock, get } from "./support/services.ts";

const SERVICES = ["a", "b", "c", "d", "e"];

let site: Receiver;
let system: System;
before(async () => {
  site = await receiver();
  const services = SERVICES.map((id) => ({ id, kind: "http", url: `${site.url}/${id}`, public: true }));
  system = await start({ ddns: { hosts: [], services, CHECKS_A_RUN: 2 } });
});
after(async () => {
  await system?.close();
  await site?.close();
});

test("a run asks no more services than it may, and all have their turn", { timeout: TIMEOUT }, async () => {
  const clock = new Clock(system);
  const asked = () => SERVICES.map((id) => site.at(`/${id}`).length);
  const sum = () => asked().reduce((all, count) => all + count, 0);
  for (let run = 1; run <= 6; run += 1) {
    await clock.tick();
    assert.equal(sum(), 2 * run);
    if (run === 3) assert.ok(Math.min(...asked()) >= 1, `${asked()}`);
  }
  assert.ok(Math.min(...asked()) >= 2, `${asked()}`);
  const { services } = await get(system, "/api/services");
  assert.ok(services.every(({ state }: { state: string }) => state === "up"));
});
