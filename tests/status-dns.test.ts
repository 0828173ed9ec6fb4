// Where a target is found: SRV records and addresses from a DNS-over-HTTPS server of ours, which counts.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { type DohPeer, doh } from "./support/doh.ts";
import { type System, start } from "./support/harness.ts";
import { type MinecraftPeer, minecraft } from "./support/minecraft.ts";
import { ONLINE, PATIENT, cron, offline, outcome, read, stored } from "./support/status.ts";
import { closedPort } from "./support/tcp.ts";

const SRV = "SRV _minecraft._tcp.mc.example.test";

describe("a target without a port", () => {
  let [one, two]: MinecraftPeer[] = [];
  let names: DohPeer;
  let system: System;
  const target = { id: "main", address: "mc.example.test", ...PATIENT };
  before(async () => {
    [one, two] = await Promise.all([minecraft({ description: "one" }), minecraft({ description: "two" })]);
    names = await doh();
  });
  beforeEach(async () => {
    await system?.close();
    names.behave(null);
    names.asked.length = 0;
    system = await start({ status: { targets: [target], DOH_URL: names.url } });
  });
  after(async () => {
    await system?.close();
    await Promise.all([one, two, names].map((peer) => peer?.close()));
  });

  test("is found by its SRV record, which is asked for once as long as it holds", async () => {
    names.answer(SRV, [{ data: `5 0 ${one!.port} localhost.` }]);
    one!.heard.length = 0;
    for (let n = 0; n < 3; n += 1) await cron(system);
    const status = await read(system);
    assert.equal(status.motd.clean, "one");
    assert.deepEqual(status.srv_record, { host: "localhost", port: one!.port });
    assert.deepEqual([status.host, status.port, status.ip_address], ["mc.example.test", 25565, null]);
    assert.deepEqual(names.asked, [SRV]);
    // As a player's client: the address that was typed, not the one that DNS gave.
    for (const { host, port } of one!.heard) assert.deepEqual([host, port], ["mc.example.test", 25565]);
  });

  test("goes where the lowest priority and then the largest weight says", async () => {
    names.answer(SRV, [
      { data: `10 100 ${two!.port} localhost.` },
      { data: `5 1 ${two!.port} localhost.` },
      { data: `5 60 ${one!.port} localhost.` },
      { data: "0 0 1 ." },
    ]);
    await cron(system);
    assert.equal((await read(system)).motd.clean, "one");
  });

  test("is asked about again when the record no longer holds", async () => {
    names.answer(SRV, [{ data: `5 0 ${one!.port} localhost.`, ttl: 0 }]);
    await cron(system);
    names.answer(SRV, [{ data: `5 0 ${two!.port} localhost.`, ttl: 0 }]);
    await cron(system);
    assert.equal((await read(system)).motd.clean, "two");
    assert.deepEqual(names.asked, [SRV, SRV]);
  });

  test("keeps the last record when the name server fails, in whatever way", async () => {
    names.answer(SRV, [{ data: `5 0 ${one!.port} localhost.`, ttl: 0 }]);
    await cron(system);
    const failures: Parameters<DohPeer["behave"]>[0][] = [
      (response) => response.writeHead(500).end(),
      (response) => response.writeHead(302, { location: "http://127.0.0.1:1/" }).end(),
      (response) => response.end("<html>"),
      (response) => response.end(JSON.stringify({ Status: 2 })),
      (response) => response.destroy(),
      (response) => {
        response.write("{");
        const more = () => !response.destroyed && response.write(" ".repeat(65_536), () => setImmediate(more));
        more();
      },
      () => {},
    ];
    for (const failure of failures) {
      names.behave(failure);
      const started = Date.now();
      await cron(system);
      assert.ok(Date.now() - started < 4000, `${Date.now() - started} ms`);
      const status = await read(system);
      assert.deepEqual([status.state, status.motd.clean], ["online", "one"]);
      assert.equal(status.srv_record.port, one!.port);
    }
  });

  test("is dialled itself when there is no record, which is remembered too", async () => {
    names.answer(SRV, []);
    names.answer("A mc.example.test", [{ data: "203.0.113.7" }]);
    await cron(system);
    await cron(system);
    const status = await read(system);
    // Nobody is there: this machine does not know the name.
    assert.equal(status.online, false);
    assert.deepEqual([status.srv_record, status.ip_address], [null, "203.0.113.7"]);
    assert.deepEqual(names.asked, [SRV, "A mc.example.test"]);
  });

  test("is offline for the reason dns when its name does not exist", async () => {
    names.answer(SRV, null);
    names.answer("A mc.example.test", null);
    await cron(system);
    assert.deepEqual(await outcome(system), offline("dns"));
  });

  test("is known to a new instance from what is stored", async () => {
    names.answer(SRV, [{ data: `5 0 ${one!.port} localhost.` }]);
    await cron(system);
    const { dns } = await stored(system);
    assert.deepEqual(Object.keys(dns), ["srv mc.example.test"]);
    assert.deepEqual(dns["srv mc.example.test"].records, [`5 0 ${one!.port} localhost`]);
    const kept = JSON.stringify(await stored(system));
    await system.close();
    names.asked.length = 0;
    system = await start({ status: { targets: [target], DOH_URL: names.url } });
    await (await system.env("status")).STATUS_KV.put("status", kept);
    await cron(system);
    assert.deepEqual(names.asked, []);
    assert.deepEqual(await outcome(system), ONLINE);
  });
});

test("a port, an address or a place to connect to is dialled without asking anybody", async () => {
  const [server, names] = await Promise.all([minecraft(), doh()]);
  const targets = [
    { id: "address", address: `127.0.0.1:${server.port}`, ...PATIENT },
    { id: "local", address: `localhost:${server.port}`, ...PATIENT },
    { id: "connect", address: "mc.example.test", connect: `127.0.0.1:${server.port}`, ...PATIENT },
  ];
  const system = await start({ status: { targets, DOH_URL: names.url } });
  try {
    await cron(system);
    for (const { id } of targets) assert.deepEqual(await outcome(system, id), ONLINE, id);
    assert.equal((await read(system, "address")).ip_address, "127.0.0.1");
    // Where the server really is stays between the operator and the worker.
    assert.equal((await read(system, "connect")).ip_address, null);
    assert.deepEqual(names.asked, []);
  } finally {
    await system.close();
    await Promise.all([server, names].map((peer) => peer.close()));
  }
});

test("a closed port of a name that exists is refused, one of a name that does not is dns", async () => {
  const names = await doh();
  const port = await closedPort();
  names.answer("SRV _minecraft._tcp.there.example.test", [{ data: `0 0 ${port} localhost.` }]);
  const targets = [
    { id: "there", address: "there.example.test", ...PATIENT },
    { id: "nowhere", address: `nowhere.example.test:${port}`, ...PATIENT },
    { id: "hidden", address: "mc.example.test:1", connect: `nowhere.example.test:${port}`, ...PATIENT },
  ];
  const system = await start({ status: { targets, DOH_URL: names.url } });
  try {
    await cron(system);
    assert.deepEqual(await outcome(system, "there"), offline("refused"));
    assert.deepEqual(await outcome(system, "nowhere"), offline("dns"));
    assert.deepEqual(await outcome(system, "hidden"), offline("dns"));
  } finally {
    await system.close();
    await names.close();
  }
});
