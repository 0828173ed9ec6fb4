// A Minecraft: Java Edition server (npm `minecraft-protocol`) as the stand-in for Velocity.
//
// As a program: `node tests/peers/minecraft.ts --port 25565`. It prints `{"port":…}` when it
// listens and ends on SIGTERM, or when its standard input closes.

import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import mc from "minecraft-protocol";

export interface MinecraftServer {
  port: number;
  close(): Promise<void>;
}

const PLAYERS = [
  { id: "069a79f4-44e9-4726-a5be-fca90e38aaf5", name: "Notch" },
  { id: "853c80ef-3c37-49fd-aa49-938b674adae6", name: "jeb_" },
  { id: "61699b2e-d327-4a01-9f1e-0ea8c3f06bc6", name: "Dinnerbone" },
];

const DESCRIPTION = {
  text: "",
  extra: [
    { text: "genkan ", color: "#f2a65a", bold: true },
    { text: "stand-in\n", color: "gray" },
    { text: "A Minecraft server, as far as a ping can tell", color: "yellow" },
  ],
};

/** Listens on 127.0.0.1; port 0 takes a free one. */
export function startMinecraft(port = 0): Promise<MinecraftServer> {
  const server = mc.createServer({
    host: "127.0.0.1",
    port,
    version: mc.supportedVersions.at(-1),
    maxPlayers: 20,
    "online-mode": false,
    errorHandler: () => {}, // a client that breaks off is no event here
    beforePing: (response) => ({
      ...response,
      description: DESCRIPTION,
      players: { max: 20, online: PLAYERS.length, sample: PLAYERS },
      favicon: FAVICON,
    }),
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      // Of its own type the package tells neither the socket nor that it says when it is closed.
      const { socketServer } = server as unknown as { socketServer: Server };
      const address = socketServer.address() as AddressInfo;
      const closed = once(socketServer, "close");
      resolve({
        port: address.port,
        close: async () => {
          server.close();
          await closed;
        },
      });
    });
  });
}

/** 64×64 pixels, as the game wants it. */
const FAVICON = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAEAAAABAAQMAAACQp+OdAAAABlBMVEX38ePIOysT3NbVAAAAJklEQVR42mNgoBng/w8GH0hjMPAfYGBg/sBAMQNiIH4GtewauQwAiKGPF5Jtt58AAAAASUVORK5CYII=";

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({ options: { port: { type: "string", default: "25565" } } });
  const server = await startMinecraft(Number(values.port));
  console.log(JSON.stringify({ port: server.port }));
  process.on("SIGTERM", () => process.exit(0));
  process.stdin.on("end", () => process.exit(0)).resume();
}
