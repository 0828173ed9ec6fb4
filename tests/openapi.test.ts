// `/openapi.json` of each worker: its part of the contract, kept by clients with its tag.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type System, TIMEOUT, start } from "./support/harness.ts";

const OWN = { pack: "/api/pack/latest", status: "/api/status", ddns: "/nic/update" } as const;
const NAMES = ["pack", "status", "ddns"] as const;

let system: System;
before(async () => {
  system = await start();
});
after(() => system?.close());

describe("openapi.json", { timeout: TIMEOUT }, () => {
  for (const name of NAMES) {
    const get = (init: { method?: string; headers?: Record<string, string> } = {}) => system[name].fetch(`http://${name}.test/openapi.json`, init);

    test(`of ${name} is its part alone, and whole`, async () => {
      const response = await get();
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("content-type"), "application/json");
      assert.equal(response.headers.get("access-control-allow-origin"), "*");
      const text = await response.text();
      const document: any = JSON.parse(text);
      assert.deepEqual([document.openapi, document.info.title], ["3.1.0", `genkan: ${name}`]);
      for (const other of NAMES) assert.equal(OWN[other] in document.paths, other === name, other);
      for (const shared of ["/health", "/api/health", "/openapi.json"]) assert.ok(document.paths[shared].get, shared);
      const references = [...text.matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path!);
      assert.ok(references.length > 10);
      for (const path of references) {
        const found = path.split("/").reduce((value, key) => value?.[key], document);
        assert.ok(found, path);
      }
    });

    test(`of ${name} is read again only when it has changed`, async () => {
      const first = await get();
      const tag = first.headers.get("etag")!;
      assert.match(tag, /^"[0-9a-f]{40}"$/);
      await first.arrayBuffer();
      const again = await get({ headers: { "If-None-Match": tag } });
      assert.deepEqual([again.status, await again.text(), again.headers.get("etag")], [304, "", tag]);
      const head = await get({ method: "HEAD" });
      assert.deepEqual([head.status, await head.text(), head.headers.get("etag")], [200, "", tag]);
      const posted = await get({ method: "POST" });
      assert.deepEqual([posted.status, posted.headers.get("allow")], [405, "GET, HEAD"]);
      await posted.arrayBuffer();
    });
  }
});
