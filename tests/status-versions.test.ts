// Servers of every age, and what stands in front of them: real ones (npm `minecraft-protocol`, `flying-squid`), captures of them, and
// servers that know nothing but the pings from before 1.7.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type Socket, connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { flyingSquid } from "./support/flying-squid.ts";
import { type System, start } from "./support/harness.ts";
import { type MinecraftPeer, minecraft } from "./support/minecraft.ts";
import { type ProxyFront, proxyFront } from "./support/proxy-protocol.ts";
import { ONLINE, PATIENT, cron, outcome, read } from "./support/status.ts";
import { type Behaviour, type Peer, listen, sendsAndCloses } from "./support/tcp.ts";

const target = (id: string, port: number, more = {}) => ({
  id,
  address: "mc.example.com",
  connect: `127.0.0.1:${port}`,
  ...PATIENT,
  ...more,
});

const captured = (name: string) => readFileSync(new URL(`../fixtures/ping/servers/${name}.bin`, import.meta.url));

describe("real servers", () => {
  const VERSIONS: Record<string, number> = { "1.7": 5, "1.8.8": 47, "1.12.2": 340, "1.16.5": 754, "1.20.4": 765, "26.1": 775 };
  const id = (version: string) => `v${version.replaceAll(".", "-")}`;
  const servers: MinecraftPeer[] = [];
  let flying: Awaited<ReturnType<typeof flyingSquid>>;
  let system: System;
  before(async () => {
    const targets = [];
    for (const version of Object.keys(VERSIONS)) {
      const server = await minecraft({ description: `§6on ${version}` }, 0, version);
      servers.push(server);
      targets.push(target(id(version), server.port));
    }
    flying = await flyingSquid();
    targets.push(target("flying-squid", flying.port));
    system = await start({ status: { targets } });
    await cron(system);
  });
  after(async () => {
    await system?.close();
    await Promise.all(servers.map((server) => server.close()));
    await flying?.close();
  });

  test("of all versions are online and say which they are", async () => {
    for (const [version, protocol] of Object.entries(VERSIONS)) {
      const status = await read(system, id(version));
      assert.equal(status.state, "online", version);
      assert.equal(status.version.protocol, protocol);
      assert.equal(status.motd.clean, `on ${version}`);
      assert.equal(status.motd.html, `<span style="color:#ffaa00">on ${version}</span>`);
      assert.equal(status.motd.minimessage, `<gold>on ${version}</gold>`);
      assert.equal(status.version.name_html, status.version.name_clean);
      assert.ok(Number.isInteger(status.latency_ms.pong), version);
    }
  });

  test("of another make are online too", async () => {
    const status = await read(system, "flying-squid");
    assert.deepEqual([status.state, status.players.max], ["online", 10]);
    assert.equal(status.motd.raw, "§bgenkan§r on\n§lflying-squid");
  });
});

/** As before 1.7: a handshake of today is no packet, and what it knows of pings it answers in its own way. */
const old = (server: number, dialects: string[], toOthers: Behaviour): Behaviour => (socket) => {
  socket.once("data", (first: Buffer) => {
    const dialect = first[0] === 0xfe ? (first[2] === 0xfa ? "fe01fa" : first[1] === 0x01 ? "fe01" : "fe") : "modern";
    if (!dialects.includes(dialect)) {
      toOthers(socket);
      socket.emit("data", first);
      return;
    }
    pass(socket, server, Buffer.from(dialect === "fe" ? "fe" : "fe01", "hex"));
  });
};

function pass(socket: Socket, port: number, first: Buffer): void {
  const server = connect(port, "127.0.0.1");
  server.on("error", () => socket.destroy());
  server.write(first);
  server.pipe(socket);
}

describe("a server from before 1.7", () => {
  let real: MinecraftPeer;
  let peer: Peer;
  let system: System;
  const closes: Behaviour = (socket) => socket.end();
  // "Protocol error", as such servers say.
  const kicks = sendsAndCloses(Buffer.from("ff000e00500072006f0074006f0063006f006c0020006500720072006f0072", "hex"));
  before(async () => {
    real = await minecraft({}, 0, "1.7");
    peer = await listen(closes);
    system = await start({ status: { targets: [target("main", peer.port), target("never", peer.port, { legacy: "never" })] } });
  });
  after(async () => {
    await system?.close();
    await Promise.all([real, peer].map((one) => one?.close()));
  });

  test("is online with what its kick tells, whichever ping it knows", async () => {
    for (const toOthers of [closes, kicks]) {
      for (const dialects of [["fe01fa", "fe01", "fe"], ["fe01", "fe"], ["fe"]]) {
        peer.behave(old(real.port, dialects, toOthers));
        await cron(system);
        const status = await read(system);
        assert.equal(status.state, "online", dialects.join());
        assert.equal(status.motd.clean, "A Minecraft server");
        assert.deepEqual([status.players.online, status.players.max], [0, 20]);
        assert.deepEqual(status.players.list, []);
        assert.equal(status.version?.protocol ?? null, dialects.length > 1 ? 5 : null);
        assert.equal(status.latency_ms.pong, null);
        assert.equal((await read(system, "never")).online, false);
      }
    }
  });

  test("is asked on a new connection each time, and not at all in old ways when told so", async () => {
    const before = peer.connections;
    peer.behave(closes);
    await cron(system);
    assert.equal(peer.connections - before, 4 + 1);
    assert.equal((await read(system)).reason, "closed-before-status");
    assert.equal((await read(system, "never")).reason, "closed-before-status");
  });

  test("is as captured, whole and byte by byte", async () => {
    for (const name of ["legacy-1.4", "legacy-beta"]) {
      for (const piece of [1, 1000]) {
        peer.behave((socket) => {
          socket.setNoDelay(true);
          socket.once("data", async (first: Buffer) => {
            if (first[0] !== 0xfe) return void socket.end();
            const bytes = captured(name);
            for (let at = 0; at < bytes.length && !socket.destroyed; at += piece) {
              socket.write(bytes.subarray(at, at + piece));
              await new Promise(setImmediate);
            }
          });
        });
        await cron(system);
        assert.equal((await read(system)).motd.clean, "genkan on 1.7", name);
      }
    }
  });

  test("that sends no status in its kick is offline for what it did first", async () => {
    const hostile = [
      Buffer.from("ffffff", "hex"),
      Buffer.concat([Buffer.from("ff1000", "hex"), Buffer.alloc(100)]),
      Buffer.from("ff0002d800d800", "hex"),
      Buffer.from("<html></html>"),
      Buffer.from("ff", "hex"),
    ];
    for (const bytes of hostile) {
      peer.behave((socket) => {
        socket.once("data", (first: Buffer) => (first[0] === 0xfe ? socket.end(bytes) : socket.end()));
      });
      await cron(system);
      assert.equal((await read(system)).reason, "closed-before-status", bytes.toString("hex"));
    }
  });
});

describe("a server behind the PROXY protocol", () => {
  let server: MinecraftPeer;
  let fronts: ProxyFront[] = [];
  let system: System;
  before(async () => {
    server = await minecraft({ description: "behind" });
    const over6 = [proxyFront(server.port, 1, "::1"), proxyFront(server.port, 2, "::1")];
    fronts = await Promise.all([proxyFront(server.port, 1), proxyFront(server.port, 2), ...over6]);
    const [v1, v2, v1Over6, v2Over6] = fronts as [ProxyFront, ProxyFront, ProxyFront, ProxyFront];
    const targets = [
      target("v1", v1.port, { proxy_protocol: "v1" }),
      target("v2", v2.port, { proxy_protocol: "v2" }),
      target("named", v2.port, { proxy_protocol: "v2", connect: `localhost:${v2.port}` }),
      target("v1-over6", v1Over6.port, { proxy_protocol: "v1", connect: `[::1]:${v1Over6.port}` }),
      target("v2-over6", v2Over6.port, { proxy_protocol: "v2", connect: `[::1]:${v2Over6.port}` }),
      target("off", v2.port, { proxy_protocol: "off", legacy: "never" }),
    ];
    system = await start({ status: { targets } });
    await cron(system);
  });
  after(async () => {
    await system?.close();
    await Promise.all([server, ...fronts].map((one) => one?.close()));
  });

  test("is online when it gets the header that it expects", async () => {
    for (const id of ["v1", "v2", "named", "v1-over6", "v2-over6"]) {
      assert.deepEqual(await outcome(system, id), ONLINE, id);
      assert.equal((await read(system, id)).motd.clean, "behind");
    }
    assert.equal((await read(system, "off")).online, false);
    assert.equal(fronts[1]!.refused, 1);
  });

  test("is told addresses that are real: of the edge, and its own", async () => {
    for (const { heard, port } of fronts.slice(0, 2)) {
      const [first] = heard;
      assert.deepEqual([first?.family, first?.source, first?.sourcePort], [4, "162.158.0.1", 49152]);
      assert.equal(first?.destinationPort, port);
      assert.ok(heard.some(({ destination }) => destination === "127.0.0.1"));
    }
  });

  test("is told addresses of its own family over IPv6", async () => {
    for (const [index, { heard, port, refused }] of fronts.slice(2).entries()) {
      const source = index === 0 ? "2a06:98c0:3600::103" : "2a06:98c0:3600:0:0:0:0:103";
      const destination = index === 0 ? "::1" : "0:0:0:0:0:0:0:1";
      assert.deepEqual(heard, [{ version: index + 1, family: 6, source, sourcePort: 49152, destination, destinationPort: port }]);
      assert.equal(refused, 0);
    }
  });
});
