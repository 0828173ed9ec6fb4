// Real servers and clients of the game (npm `minecraft-protocol`): the server tells its players of the
// current pack, each client downloads it as the game does, while others are published all the time.

import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, type Server as TcpServer } from "node:net";
import { type IncomingMessage, createServer, get, request as httpRequest } from "node:http";
import { after, before, test } from "node:test";
import mc from "minecraft-protocol";
import { type System, start, TIMEOUT } from "./support/harness.ts";
import { packNamed, packOfSize, sha1, upload } from "./support/packs.ts";

/** From 1.20.3 on a server names each pack by a uuid; before, there is one. */
const VERSIONS = [
  { version: "1.21.8", format: "64", packet: "add_resource_pack" },
  { version: "1.20.1", format: "15", packet: "resource_pack_send" },
];
type Version = (typeof VERSIONS)[number];

/** Of each version. */
const CLIENTS = 3;
const DOWNLOADS = 120;
const PROMPT = { text: "The pack of this server", color: "gold" };

/** What the server tells a client of a pack. */
interface Offer {
  uuid?: string;
  url: string;
  hash: string;
  forced: boolean;
  promptMessage?: unknown;
}

/** What a client answers (`resource_pack_receive`). */
const LOADED = 0;
const FAILED = 2;
const ACCEPTED = 3;

let system: System;
let proxy: { url: string; close(): Promise<void> };
before(async () => {
  proxy = await forward(() => system.url);
  system = await start({ pack: { PUBLIC_URL: proxy.url } });
  const body = JSON.stringify({ required: true, prompt: PROMPT });
  assert.equal((await upload(system, packNamed("first"))).status, 201);
  const patched = await system.request("/api/packs/main", { method: "PATCH", token: system.tokens.operator, body });
  assert.equal(patched.status, 200, patched.text);
});
after(async () => {
  await system?.close();
  await proxy?.close();
});

/** Passes requests on to where the system listens, on a port that is known before. */
async function forward(origin: () => string): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((incoming, outgoing) => {
    const { method, headers, url } = incoming;
    const passed = httpRequest(`${origin()}${url}`, { method, headers, agent: false }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    passed.on("error", () => outgoing.destroy());
    incoming.pipe(passed);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** A server whose plugin tells each player of the latest pack, and again once it was loaded. */
async function gameServer({ version, packet }: Version, told: (status: number) => void) {
  const server = mc.createServer({ host: "127.0.0.1", port: 0, version, "online-mode": false });
  await once(server, "listening");
  server.on("playerJoin", (player: any) => {
    let left = DOWNLOADS / CLIENTS;
    let offer: Offer;
    const offerLatest = async () => {
      const latest = (await system.request("/api/pack/latest")).json();
      const { uuid, url, sha1: hash, required: forced, prompt } = latest;
      // The prompt is NBT since 1.20.3.
      const nbt = { type: "compound", value: { text: { type: "string", value: prompt.text } } };
      if (packet === "add_resource_pack") offer = { uuid, url, hash, forced, promptMessage: nbt };
      else offer = { url, hash, forced, promptMessage: JSON.stringify(prompt) };
      player.write(packet, offer);
    };
    player.on("resource_pack_receive", ({ uuid, result }: { uuid?: string; result: number }) => {
      assert.equal(uuid, offer.uuid);
      told(result);
      if (result === ACCEPTED) return;
      left -= 1;
      if (left > 0) void offerLatest();
      else player.end("seen all");
    });
    void offerLatest();
  });
  const { socketServer } = server as unknown as { socketServer: TcpServer };
  const { port } = socketServer.address() as AddressInfo;
  const close = async () => {
    const closed = once(socketServer, "close");
    server.close();
    await closed;
  };
  return { port, close };
}

/** Downloads as the game does: a plain GET with its headers. */
async function download(offer: Offer, username: string, { version, format }: Version): Promise<Buffer> {
  const headers = {
    "X-Minecraft-Username": username,
    "X-Minecraft-UUID": "069a79f444e94726a5befca90e38aaf5",
    "X-Minecraft-Version": version,
    "X-Minecraft-Version-ID": version,
    "X-Minecraft-Pack-Format": format,
    "User-Agent": `Minecraft Java/${version}`,
    Accept: "text/html, image/gif, image/jpeg, */*; q=0.2",
    Connection: "keep-alive",
  };
  const [answer] = (await once(get(offer.url, { headers }), "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  assert.equal(answer.statusCode, 200, bytes.toString("latin1").slice(0, 200));
  assert.equal(Number(answer.headers["content-length"]), bytes.length);
  return bytes;
}

/** A player who accepts every pack, until the server says that it was enough. */
async function play(version: Version, port: number, username: string, seen: (offer: Offer) => void): Promise<void> {
  const client = mc.createClient({ host: "127.0.0.1", port, username, version: version.version, auth: "offline" });
  const left = once(client, "end");
  client.on(version.packet, async (offer: Offer) => {
    seen(offer);
    const named = offer.uuid === undefined ? {} : { uuid: offer.uuid };
    client.write("resource_pack_receive", { ...named, result: ACCEPTED });
    const bytes = await download(offer, username, version).catch(() => new Uint8Array(0));
    client.write("resource_pack_receive", { ...named, result: sha1(bytes) === offer.hash ? LOADED : FAILED });
  });
  await left;
}

test("players get the announced bytes while packs are published and rolled back", { timeout: 2 * TIMEOUT }, async () => {
  const counts = new Map<number, number>();
  const offers: Offer[] = [];
  const told = (status: number) => counts.set(status, (counts.get(status) ?? 0) + 1);
  const servers = await Promise.all(VERSIONS.map((version) => gameServer(version, told)));
  let playing = true;
  let changes = 0;
  const publish = async () => {
    for (; playing; changes++) {
      const bytes = packOfSize(50_000 + 1000 * (changes % 7), changes % 251);
      const headers = changes % 2 === 0 ? { "X-Pack-Sha1": sha1(bytes) } : {};
      const sent = await upload(system, bytes, { headers });
      assert.ok([200, 201].includes(sent.status), sent.text);
      if (changes % 3 !== 2) continue;
      const rollback = { method: "POST", token: system.tokens.operator, body: "{}" };
      const back = await system.request("/api/packs/main/rollback", rollback);
      assert.equal(back.status, 200, back.text);
    }
  };
  const names = Array.from({ length: CLIENTS }, (_, index) => `player${index}`);
  const see = (offer: Offer) => void offers.push(offer);
  const players = VERSIONS.flatMap((version, index) => names.map((name) => play(version, servers[index]!.port, name, see)));
  const played = Promise.all(players).finally(() => (playing = false));
  try {
    await Promise.all([played, publish()]);
  } finally {
    playing = false;
    await Promise.all(servers.map((server) => server.close()));
  }
  const total = DOWNLOADS * VERSIONS.length;
  assert.deepEqual(Object.fromEntries(counts), { [ACCEPTED]: total, [LOADED]: total });
  assert.equal(offers.length, total);
  // One pack under one uuid to the players, of many releases.
  const uuids = offers.flatMap(({ uuid }) => uuid ?? []);
  assert.deepEqual([uuids.length, new Set(uuids).size], [DOWNLOADS, 1]);
  const releases = new Set(offers.map(({ hash }) => hash)).size;
  assert.ok(releases > 5 && changes > 10);
  for (const { url, hash, forced } of offers) assert.deepEqual([url, forced], [`${proxy.url}/packs/${hash}.zip`, true]);
  console.log(`${total} downloads of ${releases} releases, ${changes} publications`);
});
