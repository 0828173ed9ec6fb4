// What holds for every health that a worker tells of itself.

import assert from "node:assert/strict";
import type { System } from "./harness.ts";

/** The body of `/api/health` of a worker itself, after its headers and its status were checked. */
export async function healthOf(system: System, worker: "pack" | "status"): Promise<any> {
  const response = await system[worker].fetch(`http://${worker}.test/api/health`);
  const { headers } = response;
  const said = ["content-type", "cache-control", "etag", "access-control-allow-origin"].map((name) => headers.get(name));
  assert.deepEqual(said, ["application/health+json", "no-store", null, "*"]);
  const body: any = await response.json();
  assert.equal(body.serviceId, worker);
  assert.equal(response.status, body.status === "fail" ? 503 : 200);
  for (const [name, checks] of Object.entries<any>(body.checks)) {
    assert.equal(checks.length, 1, name);
    assert.equal(checks[0].status === "pass", checks[0].output === undefined, name);
  }
  return body;
}
