// Secrets and variables that are missing or wrong: said with 503, and readers served where possible.

import assert from "node:assert/strict";
import { test } from "node:test";
import { assertProblem, start, TIMEOUT } from "./support/harness.ts";
import { packNamed, sha1, stored, upload } from "./support/packs.ts";

/** A token where its hash belongs, as happens by mistake: it must not come out again. */
const SECRET = "WbGs2vV0mKfJ7pXyTq4LzR9dNc1hUe5aOiB8wSgH3tE";
const SHA256 = "0123456789abcdef".repeat(4);
const BAD_TOKENS: [string, string | null][] = [
  ["is missing", null],
  ["is empty", ""],
  ["is not JSON", SECRET],
  ["is not an array", `{"name":"ci","sha256":"${SHA256}","scopes":["pack:write"]}`],
  ["has a hash that is none", `[{"name":"ci","sha256":"${SECRET}","scopes":["pack:write"]}]`],
  ["has an unknown scope", `[{"name":"ci","sha256":"${SHA256}","scopes":["pack:everything"]}]`],
];

for (const [what, tokens] of BAD_TOKENS) {
  test(`writes are 503 and reads work when TOKENS ${what}`, { timeout: TIMEOUT }, async () => {
    const system = await start({ tokens });
    try {
      const { PACKS } = await system.env("pack");
      const bytes = packNamed("there before");
      await PACKS.put(`packs/${sha1(bytes)}.zip`, bytes);
      const before = await stored(system);

      const answer = await upload(system, packNamed("refused"));
      assertProblem(answer, 503, "unavailable", /token/i);
      assert.deepEqual(await stored(system), before);
      for (const secret of [SECRET, SHA256]) {
        assert.ok(!answer.text.includes(secret), answer.text);
        assert.ok(!JSON.stringify(system.logs()).includes(secret));
      }

      const download = await system.request(`/packs/${sha1(bytes)}.zip`);
      assert.equal(download.status, 200);
      assert.ok(download.body.equals(bytes));
      assert.equal((await system.request("/api/packs")).status, 200);
      assertProblem(await system.request("/api/pack/latest"), 404, "not-found");
    } finally {
      await system.close();
    }
  });
}

for (const [what, vars, key] of [
  ["an unknown key", { MAX_UPLOAD_BYTE: 5 }, /MAX_UPLOAD_BYTE\b/],
  ["a limit that is no number", { MAX_UPLOAD_BYTES: "much" }, /MAX_UPLOAD_BYTES/],
  ["an address that is none", { PUBLIC_URL: "rp.example.com" }, /PUBLIC_URL/],
] as const) {
  test(`${what} in [vars] is 503, and the key is named`, { timeout: TIMEOUT }, async () => {
    const system = await start({ pack: vars });
    try {
      assertProblem(await system.request("/api/pack/latest"), 503, "unavailable", key);
      assertProblem(await upload(system, packNamed("misconfigured")), 503, "unavailable", key);
      assert.deepEqual(await stored(system), {});
    } finally {
      await system.close();
    }
  });
}
