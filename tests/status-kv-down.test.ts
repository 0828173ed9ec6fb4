// What readers get from an instance that has just begun while KV does not answer: here there is none.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Running, built } from "../bench/support/runtime.ts";
import { TIMEOUT } from "./support/harness.ts";

test("without KV statuses are 503 for now, and the control document comes from D1", { timeout: TIMEOUT }, async () => {
  const running = await Running.start(built("status"), {
    STATUS_DB: { type: "d1", id: "status" },
    targets: { type: "json", value: [{ id: "main", address: "play.example.com" }] },
  });
  try {
    await running.migrate("STATUS_DB", "status");
    const document = { v: 1, revision: 3, motd: { entries: [{ lines: ["from D1"] }] } };
    const after = JSON.stringify(document).replaceAll("'", "''");
    const database = await running.database("STATUS_DB");
    await database.exec(`INSERT INTO control_history (revision, at, by, after) VALUES (3, 0, 'ci', '${after}')`);
    const get = (path: string) => fetch(new URL(path, running.url));
    for (const path of ["/api/status", "/v2/status/java/play.example.com", "/3/play.example.com", "/icon", "/badge/status/main.svg", "/metrics"]) {
      const response = await get(path);
      assert.equal(response.status, 503, path);
      assert.ok(Number(response.headers.get("retry-after")) > 0, path);
      assert.equal(((await response.json()) as { code: string }).code, "unavailable", path);
    }
    const response = await get("/api/control");
    assert.equal(response.status, 200);
    const { revision, motd } = (await response.json()) as { revision: number; motd: { clean: string } };
    assert.deepEqual([revision, motd.clean], [3, "from D1"]);
  } finally {
    await running.stop();
  }
});
