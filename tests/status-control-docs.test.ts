// The worked example for Velocity operators (`docs/velocity.md`): what it shows is what the worker
// answers, and what it runs parses.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { parse as parseYaml } from "yaml";
import { type System, TIMEOUT, start } from "./support/harness.ts";
import { closedPort } from "./support/tcp.ts";

const text = readFileSync(new URL("../docs/velocity.md", import.meta.url), "utf8");
const blocks = (language: string) =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, "gms"))].map(([, block]) => block ?? "");

describe("docs/velocity.md", { timeout: TIMEOUT }, () => {
  let system: System;
  before(async () => {
    const connect = `127.0.0.1:${await closedPort()}`;
    system = await start({ status: { targets: [{ id: "main", address: "localhost", connect, timeout_ms: 1000 }] } });
  });
  after(() => system?.close());

  const put = async (document: unknown) => {
    const body = JSON.stringify(document);
    const answer = await system.request("/api/control", { method: "PUT", body, token: system.tokens.statusWrite });
    assert.equal(answer.status, 200, answer.text);
  };
  const ask = async (format: string) => (await system.request(`/api/control?format=${format}`)).text;

  test("shows MiniMOTD's configuration as it is answered, in JSON and so in HOCON", async () => {
    const [document = ""] = blocks("json");
    const [hocon = ""] = blocks("hocon");
    await put(JSON.parse(document));
    assert.equal(`${await ask("minimotd")}\n`, hocon);
    const config = JSON.parse(hocon);
    assert.deepEqual(Object.keys(config).sort(), ["icon-enabled", "motd-enabled", "motds", "player-count-settings"]);
  });

  test("shows the keys of the plugin Maintenance as they are answered, in JSON and so in YAML", async () => {
    const [, keys = ""] = blocks("json");
    await put({ maintenance: { enabled: true, message: "<red>Back at 18:00" } });
    const answered = await ask("maintenance");
    assert.equal(`${answered}\n`, keys);
    assert.deepEqual(parseYaml(answered), JSON.parse(keys));
  });

  test("has scripts that a shell can read", () => {
    const scripts = blocks("sh");
    assert.equal(scripts.length, 2);
    for (const script of scripts) execFileSync("sh", ["-n"], { input: script });
  });
});
