// What is in force, a MOTD of the operator's or maintenance, as websites and launchers see it: in every shape that the
// status is served in, over servers that are up and down.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type System, TIMEOUT, start } from "./support/harness.ts";
import { FAVICON, type MinecraftPeer, VERSION, minecraft } from "./support/minecraft.ts";
import { parse } from "./support/prometheus.ts";
import { type Schema, mismatches, schema } from "./support/shapes.ts";
import { PATIENT, cron } from "./support/status.ts";
import { closedPort } from "./support/tcp.ts";

const V2 = schema("mcstatus-v2.json");
const V3 = schema("mcsrvstat-v3.json");
const MAIN = { id: "main", address: "play.example.com" };
const GONE = { id: "gone", address: "gone.example.com" };

let server: MinecraftPeer;
let system: System;
before(async () => {
  server = await minecraft({ description: "Own words", players: { max: 20, online: 2 } });
  system = await start({
    status: {
      targets: [
        { ...MAIN, connect: `127.0.0.1:${server.port}`, ...PATIENT },
        { ...GONE, connect: `127.0.0.1:${await closedPort()}`, ...PATIENT },
      ],
    },
  });
  await cron(system);
});
after(async () => {
  await system?.close();
  await server?.close();
});

const get = (path: string, init: { method?: string; headers?: Record<string, string>; body?: string } = {}) =>
  system.status.fetch(`http://status.test${path}`, init);

/** Puts a document in force. */
async function control(document: object): Promise<void> {
  const headers = { authorization: `Bearer ${system.tokens.statusWrite}` };
  const response = await get("/api/control", { method: "PUT", headers, body: JSON.stringify(document) });
  assert.equal(response.status, 200, await response.text());
}

async function json(path: string, shape?: Schema): Promise<any> {
  const response = await get(path);
  assert.equal(response.status, 200, path);
  const body = await response.json();
  if (shape !== undefined) assert.deepEqual(mismatches(body, shape), [], path);
  return body;
}

const title = async (id: string) => /<title>([^<]*)<\/title>/.exec(await (await get(`/badge/status/${id}.svg`)).text())![1];

/** The one state of a target that Prometheus sees. */
async function state(id: string): Promise<string | undefined> {
  const { samples } = parse(await (await get("/metrics")).text()).get("minecraft_status_state")!;
  const those = samples.filter(({ labels, value }) => labels["target"] === id && value === 1);
  assert.equal(those.length, 1);
  return those[0]!.labels["state"];
}

const tags = () =>
  Promise.all(
    ["/api/status", "/v2/status/java/play.example.com", "/3/play.example.com", "/icon", "/badge/status/main.svg"].map(
      async (path) => (await get(path)).headers.get("etag"),
    ),
  );

describe("what is in force", { timeout: TIMEOUT }, () => {
  test("a MOTD of the operator's stands in every shape for the server's own", async () => {
    const before = await tags();
    await control({ motd: { entries: [{ lines: ["<gold><b>genkan</b>", "<#112233><online>/<max> <i>on</i> <version> & \\<script>"] }] }, icon: FAVICON });
    const line = `2/20 on ${VERSION} & <script>`;
    const own = await json("/api/status");
    assert.deepEqual([own.state, own.motd.clean, own.observed.motd.clean], ["online", `genkan\n${line}`, "Own words"]);

    const v2 = await json("/v2/status/java/play.example.com", V2["online"]!);
    assert.equal(v2.motd.clean, `genkan\n${line}`);
    assert.match(v2.motd.raw, /^§6§lgenkan(§r)?\n/);
    assert.match(v2.motd.html, /<span style="color:#112233">2\/20 /);
    assert.ok(!v2.motd.html.includes("<script>") && v2.motd.html.includes("&lt;script&gt;"), v2.motd.html);
    assert.deepEqual([v2.online, v2.icon, v2.players.online], [true, FAVICON, 2]);

    const v3 = await json("/3/play.example.com", V3["online"]!);
    assert.deepEqual(v3.motd.clean, ["genkan", line]);
    assert.equal(v3.motd.raw.length, 2);
    assert.match(v3.motd.raw[0], /^§6§lgenkan/);
    assert.ok(!v3.motd.html.join("").includes("<script>"));
    assert.deepEqual([v3.online, v3.icon], [true, FAVICON]);

    const png = Buffer.from(await (await get("/icon")).arrayBuffer());
    assert.equal(png.toString("base64"), FAVICON.split(",")[1]);
    assert.deepEqual([await title("main"), await state("main")], ["main: 2/20", "online"]);
    // A badge does not show a MOTD; all else has changed, and says so to those who keep it.
    const after = await tags();
    assert.deepEqual(after.map((tag, index) => tag === before[index]), [false, false, false, false, true]);
  });

  test("maintenance has its message in place of the MOTD, and the server is as online as it is", async () => {
    const ends_at = new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+Z$/, "Z");
    await control({
      motd: { entries: [{ lines: ["not shown"] }] },
      maintenance: { enabled: true, message: "<yellow>Back <b>soon</b>", reason: "disk", ends_at },
    });
    const own = await json("/api/status");
    assert.deepEqual([own.state, own.online, own.motd.clean], ["maintenance", true, "Back soon"]);
    assert.deepEqual(own.maintenance, { active: true, message: "Back soon", starts_at: null, ends_at });
    const v2 = await json("/v2/status/java/play.example.com", V2["online"]!);
    assert.deepEqual([v2.online, v2.motd.raw, v2.motd.clean], [true, "§eBack §lsoon", "Back soon"]);
    const v3 = await json("/3/play.example.com", V3["online"]!);
    assert.deepEqual([v3.online, v3.motd.clean], [true, ["Back soon"]]);
    assert.deepEqual([await title("main"), await state("main")], ["main: maintenance", "maintenance"]);
  });

  test("a server that is down in maintenance is offline in the shapes of others, and no incident here", async () => {
    const own = await json("/api/status/gone");
    assert.deepEqual([own.state, own.online, own.motd.clean, own.observed.motd], ["maintenance", false, "Back soon", null]);
    const v2 = await json("/v2/status/java/gone.example.com", V2["offline"]!);
    assert.deepEqual([v2.online, v2.host], [false, "gone.example.com"]);
    assert.equal((await json("/3/gone.example.com", V3["offline"]!)).online, false);
    assert.deepEqual([await title("gone"), await state("gone")], ["gone: maintenance", "maintenance"]);
  });

  test("an override of one target is that target's alone", async () => {
    await control({ targets: { gone: { maintenance: { enabled: true, message: "gone" } }, main: { motd: { entries: [{ lines: ["main's"] }] } } } });
    assert.deepEqual((await json("/3/play.example.com", V3["online"]!)).motd.clean, ["main's"]);
    assert.deepEqual([await title("main"), await title("gone")], ["main: 2/20", "gone: maintenance"]);
  });

  test("announced maintenance changes nothing but what is announced", async () => {
    const [starts_at, ends_at] = [3_600_000, 7_200_000].map((ms) => new Date(Date.now() + ms).toISOString().replace(/\.\d+Z$/, "Z"));
    await control({ maintenance: { enabled: true, message: "soon", starts_at, ends_at } });
    const own = await json("/api/status");
    assert.deepEqual([own.state, own.motd.clean, own.maintenance], ["online", "Own words", { active: false, message: "soon", starts_at, ends_at }]);
    assert.equal((await json("/v2/status/java/play.example.com", V2["online"]!)).motd.clean, "Own words");
    assert.deepEqual([await title("main"), await title("gone")], ["main: 2/20", "gone: offline"]);
  });

  test("when nothing is, the server's own words are back", async () => {
    await control({});
    assert.equal((await json("/api/status")).motd.clean, "Own words");
    assert.deepEqual((await json("/3/play.example.com", V3["online"]!)).motd.clean, ["Own words"]);
    assert.deepEqual([await title("gone"), await state("gone")], ["gone: offline", "offline"]);
  });
});
