// `/metrics` of the status worker, read by a strict parser of Prometheus' format.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type System, start } from "./support/harness.ts";
import { type MinecraftPeer, PLAYERS, VERSION, minecraft } from "./support/minecraft.ts";
import { type Metric, parse } from "./support/prometheus.ts";
import { closedPort } from "./support/tcp.ts";

const PATIENT = { timeout_ms: 5000, degraded_ms: 10_000 };
/** Those of itzg/mc-monitor. */
const MONITOR = [
  "minecraft_status_healthy",
  "minecraft_status_response_time_seconds",
  "minecraft_status_players_online_count",
  "minecraft_status_players_max_count",
];

test("the parser takes what is right and nothing else", () => {
  const head = "# HELP a b\n# TYPE a gauge\n";
  const samples = parse(`${head}a{x="q\\"\\\\\\n"} 1.5e-3\na 2\n`).get("a")!.samples;
  assert.deepEqual(samples, [{ labels: { x: 'q"\\\n' }, value: 0.0015 }, { labels: {}, value: 2 }]);
  const wrong = [
    `${head}a 1`, "a 1\n", `${head}a{x="1",x="2"} 1\n`, `${head}a{x="a"b"} 1\n`, `${head}a one\n`, `${head}a 1\na 2\n`, `${head}a{x=1} 1\n`,
    `${head}a 1\n# TYPE a gauge\n`, "# HELP a b\na 1\n", `${head}\na 1\n`, `${head}a{x="\\q"} 1\n`, `${head}a{x="1"}\n`,
  ];
  for (const page of wrong) assert.throws(() => parse(page), JSON.stringify(page));
});

describe("metrics", () => {
  let server: MinecraftPeer;
  let system: System;
  before(async () => {
    server = await minecraft({ players: { max: 20, online: 2, sample: PLAYERS } });
    const at = (id: string, address: string, port: number) => ({ id, address, connect: `127.0.0.1:${port}`, ...PATIENT });
    system = await start({
      status: {
        targets: [at("main", "play.example.com", server.port), at("gone", "gone.example.com:25570", await closedPort())],
      },
    });
  });
  after(async () => {
    await system?.close();
    await server?.close();
  });

  const cron = async () => {
    const { outcome } = await system.status.scheduled({ cron: "* * * * *", scheduledTime: new Date() });
    assert.equal(outcome, "ok");
  };
  const scrape = async (): Promise<Map<string, Metric>> => {
    const response = await system.status.fetch("http://status.test/metrics");
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert.equal(response.headers.get("etag"), null);
    return parse(await response.text());
  };
  const of = (metrics: Map<string, Metric>, name: string, target: string) =>
    metrics.get(name)!.samples.filter(({ labels }) => labels["target"] === target);

  test("are well formed before the first ping, and say nothing of a server then", async () => {
    const metrics = await scrape();
    for (const name of MONITOR) assert.deepEqual(metrics.get(name)!.samples, [], name);
    const [written] = metrics.get("genkan_status_history_rows_written_per_day")!.samples;
    assert.deepEqual(written, { labels: {}, value: 2 * 4020 });
    assert.equal(metrics.get("genkan_status_history_rows_written_per_day_limit")!.samples[0]!.value, 100_000);
  });

  test("are those of mc-monitor for a server that answers, and its state and age", async () => {
    await cron();
    const metrics = await scrape();
    const server = { server_host: "play.example.com", server_port: "25565", server_edition: "java", target: "main" };
    const labels = { ...server, server_version: VERSION };
    const values = MONITOR.map((name) => {
      assert.equal(metrics.get(name)!.type, "gauge");
      const [sample, ...more] = of(metrics, name, "main");
      assert.deepEqual(more, []);
      assert.deepEqual(sample!.labels, labels, name);
      return sample!.value;
    });
    const [healthy, seconds, online, max] = values;
    assert.deepEqual([healthy, online, max], [1, 2, 20]);
    assert.ok(seconds! >= 0 && seconds! < 5, String(seconds));
    const [age] = of(metrics, "minecraft_status_last_ping_age_seconds", "main");
    assert.ok(age!.value >= 0 && age!.value < 30, String(age!.value));
    const states = of(metrics, "minecraft_status_state", "main");
    assert.equal(states.length, 6);
    assert.deepEqual(states.filter(({ value }) => value === 1).map(({ labels }) => labels), [{ ...server, state: "online" }]);
  });

  test("say that a server is gone, and nothing else of it", async () => {
    const metrics = await scrape();
    const labels = {
      server_host: "gone.example.com", server_port: "25570", server_edition: "java", target: "gone", server_version: "",
    };
    assert.deepEqual(of(metrics, MONITOR[0]!, "gone"), [{ labels, value: 0 }]);
    for (const name of MONITOR.slice(1)) assert.deepEqual(of(metrics, name, "gone"), [], name);
    const state = of(metrics, "minecraft_status_state", "gone").find(({ value }) => value === 1);
    assert.equal(state!.labels["state"], "offline");
  });

  test("hold whatever a server calls itself", async () => {
    for (const name of ['a"} 1\nup{x="', "\\", "\\n", "a\\\"", "{}", "\u0000\r\n", "玄関", "# HELP"]) {
      server.say({ version: { name, protocol: 774 } });
      await cron();
      const [sample] = of(await scrape(), MONITOR[0]!, "main");
      assert.equal(sample!.value, 1);
      assert.equal(sample!.labels["server_version"], name);
    }
  });

  test("are for GET and HEAD alone", async () => {
    const get = (init: { method: string }) => system.status.fetch("http://status.test/metrics", init);
    const head = await get({ method: "HEAD" });
    assert.deepEqual([head.status, await head.text()], [200, ""]);
    const refused = await get({ method: "POST" });
    assert.equal(refused.status, 405);
    await refused.arrayBuffer();
  });
});
