// One run of the cron with all the targets that there may be, and what it leaves in KV.

import assert from "node:assert/strict";
import { test } from "node:test";
import { doh } from "./support/doh.ts";
import { start } from "./support/harness.ts";
import { PLAYERS, minecraft } from "./support/minecraft.ts";
import { ONLINE, PATIENT, cron, offline, outcome, read, stored } from "./support/status.ts";
import { type Behaviour, CAPTURED, closesAtOnce, listen, silent, statusServer } from "./support/tcp.ts";

/** Counts the connections that are open at once. One is counted when it has been open for a moment: a close and the next
 * connection do not always arrive in that order. */
function counting(counter: { now: number; most: number }, behaviour: Behaviour): Behaviour {
  return (socket) => {
    const timer = setTimeout(() => {
      counter.now += 1;
      counter.most = Math.max(counter.most, counter.now);
      socket.on("close", () => (counter.now -= 1));
    }, 50);
    socket.on("close", () => clearTimeout(timer));
    behaviour(socket);
  };
}

test("twenty targets that all hang are over in four times their time-out, six at once", async () => {
  const counter = { now: 0, most: 0 };
  const peer = await listen(counting(counter, silent));
  const targets = Array.from({ length: 20 }, (_, n) => ({
    id: `t${n}`,
    address: "mc.example.com",
    connect: `127.0.0.1:${peer.port}`,
    timeout_ms: 1000,
  }));
  const system = await start({ status: { targets } });
  try {
    const started = Date.now();
    await cron(system);
    const took = Date.now() - started;
    // 20 targets in 6 places: four rounds.
    assert.ok(took >= 3900 && took < 8000, `${took} ms`);
    assert.equal(peer.connections, 20);
    assert.ok(counter.most >= 4 && counter.most <= 6, String(counter.most));
    for (const { id } of targets) assert.deepEqual(await outcome(system, id), offline("timeout"));
  } finally {
    await system.close();
    await peer.close();
  }
});

test("questions to DNS and connections together are six at once, and 44 in one run", async () => {
  const names = await doh();
  const counter = { now: 0, most: 0 };
  const peer = await listen(counting(counter, closesAtOnce));
  const targets = Array.from({ length: 20 }, (_, n) => ({ id: `t${n}`, address: `t${n}.example.test`, timeout_ms: 2000 }));
  for (const { id } of targets) names.answer(`SRV _minecraft._tcp.${id}.example.test`, [{ data: `0 0 ${peer.port} localhost.` }]);
  const system = await start({ status: { targets, DOH_URL: names.url } });
  try {
    await cron(system);
    // Every SRV record and every first ping, and what is left goes to old pings.
    assert.equal(names.asked.length, 20);
    assert.equal(peer.connections, 24);
    assert.ok(names.mostAtOnce <= 6 && counter.most <= 6, `${names.mostAtOnce}, ${counter.most}`);
    for (const { id } of targets) assert.equal((await read(system, id)).state, "starting");
    await cron(system);
    assert.equal(names.asked.length, 20, "nothing is asked twice");
  } finally {
    await system.close();
    await peer.close();
    await names.close();
  }
});

test("a name server that hangs costs one time-out, not one for each target", async () => {
  const [names, server] = await Promise.all([doh(), minecraft()]);
  names.behave(() => {});
  const hanging = Array.from({ length: 12 }, (_, n) => ({ id: `t${n}`, address: `t${n}.example.test`, timeout_ms: 300 }));
  const targets = [...hanging, { id: "alive", address: "mc.example.com", connect: `127.0.0.1:${server.port}`, ...PATIENT }];
  const system = await start({ status: { targets, DOH_URL: names.url, DOH_TIMEOUT_MS: 1000 } });
  try {
    const started = Date.now();
    await cron(system);
    const took = Date.now() - started;
    assert.ok(took >= 950 && took < 5000, `${took} ms`);
    assert.ok(names.asked.length <= 6, String(names.asked.length));
    assert.deepEqual(await outcome(system, "alive"), ONLINE);
  } finally {
    await system.close();
    await names.close();
    await server.close();
  }
});

test("who did not answer last time comes last, and delays nobody", async () => {
  const quiet = await listen(silent);
  let reached = 0;
  const alive = await listen((socket) => {
    reached = Date.now();
    statusServer()(socket);
  });
  const hanging = Array.from({ length: 6 }, (_, n) => ({
    id: `quiet-${n}`,
    address: "mc.example.com",
    connect: `127.0.0.1:${quiet.port}`,
    timeout_ms: 1500,
  }));
  const targets = [...hanging, { id: "alive", address: "mc.example.com", connect: `127.0.0.1:${alive.port}`, ...PATIENT }];
  const system = await start({ status: { targets } });
  try {
    await cron(system);
    const started = Date.now();
    await cron(system);
    assert.ok(reached >= started && reached - started < 1000, `${reached - started} ms`);
    assert.deepEqual(await outcome(system, "alive"), ONLINE);
  } finally {
    await system.close();
    await quiet.close();
    await alive.close();
  }
});

test("the time-outs for a first byte and for the whole are two, and a trickle ends with the whole", async () => {
  const trickle: Behaviour = (socket) => {
    let at = 0;
    const timer = setInterval(() => socket.write(CAPTURED.subarray(at, ++at)), 50);
    socket.on("close", () => clearInterval(timer));
  };
  // How long a connection lived, as the peer saw it: the rest of a run takes a while on a busy machine.
  const lived: number[] = [];
  const timed = (behaviour: Behaviour): Behaviour => (socket) => {
    const opened = Date.now();
    socket.on("end", () => lived.push(Date.now() - opened));
    behaviour(socket);
  };
  const peers = await Promise.all([silent, trickle].map((behaviour) => listen(timed(behaviour))));
  const [first, rest] = peers.map(({ port }) => ({
    address: "mc.example.com",
    connect: `127.0.0.1:${port}`,
    timeout_ms: 2500,
    first_byte_timeout_ms: 600,
  }));
  const system = await start({ status: { targets: [{ id: "first", ...first! }] } });
  const slow = await start({ status: { targets: [{ id: "rest", ...rest! }] } });
  try {
    await cron(system);
    await cron(slow);
    assert.deepEqual(await outcome(system, "first"), offline("timeout"));
    assert.deepEqual(await outcome(slow, "rest"), offline("timeout"));
    const [silence, trickled] = lived as [number, number];
    assert.ok(silence >= 550 && silence < 2300, `${silence} ms`);
    assert.ok(trickled >= 2400 && trickled < 4500, `${trickled} ms`);
    const said = [system, slow].map((one) => one.logs().map(({ message }) => message).join("\n"));
    assert.match(said[0]!, /no answer within 600 ms/);
    assert.match(said[1]!, /no whole answer within 2500 ms/);
  } finally {
    await Promise.all([system.close(), slow.close()]);
    await Promise.all(peers.map((peer) => peer.close()));
  }
});

test("a target with privacy has no names, neither shown nor stored", async () => {
  const server = await minecraft({ players: { max: 20, online: 2, sample: PLAYERS } });
  const target = { address: "mc.example.com", connect: `127.0.0.1:${server.port}`, ...PATIENT };
  const targets = [
    { id: "main", ...target, privacy: true },
    { id: "open", ...target },
  ];
  const system = await start({ status: { targets } });
  try {
    const { STATUS_KV: kv } = await system.env("status");
    await cron(system);
    assert.deepEqual((await read(system)).players, { online: 2, max: 20, list: [] });
    assert.equal((await read(system, "open")).players.list.length, 2);
    // As it was stored before privacy was wanted: not shown even before the next ping.
    const kept = await stored(system);
    kept.targets.main.answer = kept.targets.open.answer;
    await kv.put("status", JSON.stringify(kept));
    assert.deepEqual((await read(system)).players, { online: 2, max: 20, list: [] });
    await server.close();
    await cron(system);
    const { main } = (await stored(system)).targets;
    assert.equal(main.state, "degraded");
    assert.deepEqual(main.answer.players, { online: 2, max: 20, list: [] });
    assert.doesNotMatch(JSON.stringify(main), /Notch|069a79f4/);
  } finally {
    await system.close();
    await server.close();
  }
});

test("how many failures mean offline is configured, and counted where nothing is written", async () => {
  const server = await minecraft();
  const target = { address: "mc.example.com", connect: `127.0.0.1:${server.port}`, ...PATIENT };
  const targets = [
    { id: "once", ...target, offline_after: 1 },
    { id: "thrice", ...target, offline_after: 3 },
  ];
  const system = await start({ status: { targets, KV_WRITES_PER_DAY: 500 } });
  try {
    const { STATUS_KV: kv, STATUS_DB: db } = await system.env("status");
    const states = async (id: string) => (await read(system, id)).state;
    await cron(system);
    await server.close();
    const seen = [];
    for (let n = 0; n < 3; n += 1) {
      await cron(system);
      seen.push([await states("once"), await states("thrice")]);
    }
    assert.deepEqual(seen, [
      ["offline", "degraded"],
      ["offline", "degraded"],
      ["offline", "offline"],
    ]);
    // The day's budget is used up: what is stored stays. The database knows it, for KV shows a write late.
    const kept = await stored(system);
    assert.equal(kept.writes.count, 4);
    assert.match(kept.writes.day, /T00:00:00Z$/);
    assert.deepEqual(await db.prepare("SELECT count FROM kv_writes").first<{ count: number }>(), { count: 4 });
    await db.prepare("UPDATE kv_writes SET count = 500").run();
    const again = await minecraft({}, server.port);
    await cron(system);
    assert.deepEqual(await stored(system), kept);
    assert.equal(await states("once"), "offline");
    // Without the database what KV says is enough, and it says itself how often it was written.
    await db.prepare("ALTER TABLE kv_writes RENAME TO away").run();
    await cron(system);
    const after = await stored(system);
    assert.deepEqual([after.writes.count, await states("once")], [5, "online"]);
    after.writes.count = 500;
    await kv.put("status", JSON.stringify(after));
    await again.close();
    await cron(system);
    assert.deepEqual(await stored(system), after);
    assert.equal(await states("once"), "online");
  } finally {
    await system.close();
    await server.close();
  }
});
