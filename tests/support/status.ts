// The status worker as its users have it: fire the cron, then read.

import assert from "node:assert/strict";
import type { System } from "./harness.ts";

/** Long enough that a busy machine does not make a server slow. */
export const PATIENT = { timeout_ms: 5000, degraded_ms: 10_000 };

export async function cron(system: System): Promise<void> {
  const { outcome } = await system.status.scheduled({ cron: "* * * * *", scheduledTime: new Date() });
  assert.equal(outcome, "ok");
}

/** The body of `GET /api/status/<id>`. */
export async function read(system: System, id = "main"): Promise<any> {
  const response = await system.status.fetch(`http://status.test/api/status/${id}`);
  assert.equal(response.status, 200, id);
  return response.json();
}

export async function outcome(system: System, id = "main") {
  const { state, reason, online } = await read(system, id);
  return { state, reason, online };
}

export const ONLINE = { state: "online", reason: null, online: true };
export const offline = (reason: string) => ({ state: "offline", reason, online: false });

/** What KV holds. */
export async function stored(system: System): Promise<any> {
  const { STATUS_KV: kv } = await system.env("status");
  return JSON.parse((await kv.get("status")) ?? "null");
}
