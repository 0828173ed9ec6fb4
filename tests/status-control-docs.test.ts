// The worked example for Velocity operators (`docs/velocity.md`): what it shows is what the worker
// answers, and what it runs parses.

import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { parse as parseYaml } from "yaml";
import { type System, TIMEOUT, start } from "./support/harness.ts";
import { FAVICON } from "./support/minecraft.ts";
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

  test("has a script that follows MOTD, icon and players, and tries again what failed", async (t) => {
    const home = mkdtempSync(join(tmpdir(), "genkan-"));
    t.after(() => rmSync(home, { recursive: true }));
    for (const folder of ["bin", "plugins"]) mkdirSync(join(home, folder));
    const command = (name: string, lines: string) =>
      writeFileSync(join(home, "bin", name), `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
    command("hostname", "echo proxy-1");
    const screen = (lines: string) => command("screen", lines);
    const script = (blocks("sh")[0] ?? "")
      .replace("https://motd.example.com", system.url)
      .replace("/opt/velocity/plugins", `${home}/plugins`)
      .replace("/var/lib/follow-control", `${home}/state`);
    const env = { ...process.env, LC_ALL: "C", PATH: `${home}/bin:${process.env["PATH"]}` };
    /** What the console was told; null when the script failed. */
    const follow = async () => {
      writeFileSync(`${home}/console`, "");
      const ran = await promisify(execFile)("sh", ["-c", script], { env }).catch((error) => error);
      if (ran.code === 127) t.skip("there is no curl or jq here");
      return ran.code === undefined ? readFileSync(`${home}/console`, "utf8").trim().split("\n") : null;
    };
    const shown = (file: string) => readFileSync(`${home}/plugins/minimotd-velocity/${file}`);

    screen("exit 1");
    await put({ motd: { entries: [{ lines: ["one"] }] } });
    assert.equal(await follow(), null);
    if (!existsSync(`${home}/state/main.conf`)) return;
    screen(`echo "$5" >> ${home}/console`);
    assert.deepEqual(await follow(), ["minimotd reload^M"]);
    assert.match(shown("main.conf").toString(), /"one"/);
    assert.deepEqual(await follow(), [""]);

    // The configuration names the icon and does not hold it.
    const png = Buffer.from(FAVICON.slice(FAVICON.indexOf(",") + 1), "base64");
    const other = Buffer.concat([png.subarray(0, -12), Buffer.from("\0\0\0\u0001tEXta\0\0\0\0", "latin1"), png.subarray(-12)]);
    for (const icon of [png, other]) {
      const uri = `data:image/png;base64,${icon.toString("base64")}`;
      await put({ motd: { entries: [{ lines: ["one"] }] }, icon: uri });
      assert.deepEqual(await follow(), ["minimotd reload^M"]);
      assert.deepEqual(shown("icons/genkan.png"), icon);
    }

    const closed = (...allow: string[]) => put({ maintenance: { enabled: true, allow } });
    await closed("jeb_", "*Steve");
    assert.deepEqual(await follow(), ["minimotd reload^M", "maintenance add *Steve^M", "maintenance add jeb_^M", "maintenance on^M"]);
    await closed("jeb_", "Notch");
    assert.deepEqual(await follow(), ["maintenance add Notch^M", "maintenance remove *Steve^M"]);
    await put({});
    assert.deepEqual(await follow(), ["maintenance off^M"]);
    await follow();
    const answer = await system.request("/api/control/proxies", { token: system.tokens.statusWrite });
    const { revision, proxies } = answer.json();
    assert.deepEqual(proxies.map(({ name, revision: applied }: any) => [name, applied]), [["proxy-1", revision]]);
  });
});
