// A favicon that never ends, under a length that is legal: bounded in time and memory, with a reason.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Running, built } from "../bench/support/runtime.ts";
import { TIMEOUT } from "./support/harness.ts";
import { endlessFavicon, listen, statusServer } from "./support/tcp.ts";

const MIB = 1 << 20;
const TIMEOUT_MS = 3000;

test("a favicon without end is read to the length that was claimed, or for as long as a ping lasts", { timeout: TIMEOUT }, async () => {
  const sent = { fast: 0, dripping: 0 };
  const peers = {
    good: await listen(statusServer()),
    fast: await listen(endlessFavicon(1_000_000, (bytes) => { sent.fast += bytes; })),
    dripping: await listen(endlessFavicon(1_000_000, (bytes) => { sent.dripping += bytes; }, 20)),
  };
  const targets = (ids: (keyof typeof peers)[]) => ({
    type: "json" as const,
    value: ids.map((id) => ({ id, address: "mc.example.com", connect: `127.0.0.1:${peers[id].port}`, timeout_ms: TIMEOUT_MS, legacy: "never" })),
  });
  /** One run of the cron: how long it took, how much memory it had at most, and what readers see. */
  const round = async (ids: (keyof typeof peers)[]) => {
    const running = await Running.start(built("status"), {
      STATUS_KV: { type: "kv", id: "status" }, STATUS_DB: { type: "d1", id: "status" }, targets: targets(ids),
    });
    try {
      await running.migrate("STATUS_DB", "status");
      const started = Date.now();
      await running.scheduled();
      const took = Date.now() - started;
      const states = [];
      for (const id of ids) {
        const { state, reason } = (await (await fetch(new URL(`/api/status/${id}`, running.url))).json()) as any;
        states.push([state, reason]);
      }
      return { took, states, peakMiB: running.peakMiB() };
    } finally {
      await running.stop();
    }
  };
  try {
    const usual = await round(["good"]);
    assert.deepEqual(usual.states, [["online", null]]);
    const fast = await round(["fast"]);
    // All that was claimed has come, and is half a text.
    assert.deepEqual(fast.states, [["offline", "bad-json"]]);
    // What it took, and what lies in the buffers of both systems.
    assert.ok(sent.fast < 16 * MIB, `${sent.fast} bytes`);
    assert.ok(fast.peakMiB < usual.peakMiB + 32, `${fast.peakMiB} MiB beside ${usual.peakMiB}`);
    const dripping = await round(["dripping"]);
    assert.deepEqual(dripping.states, [["offline", "timeout"]]);
    assert.ok(dripping.took >= TIMEOUT_MS - 50 && dripping.took < TIMEOUT_MS + 5000, `${dripping.took} ms`);
    assert.ok(sent.dripping > 0 && dripping.peakMiB < usual.peakMiB + 32, `${dripping.peakMiB} MiB beside ${usual.peakMiB}`);
  } finally {
    await Promise.all(Object.values(peers).map((peer) => peer.close()));
  }
});
