// A real Minecraft: Java Edition server (npm `minecraft-protocol`), and what it heard.

import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";
import mc from "minecraft-protocol";

/** What a client said it is and wants. */
export interface Heard {
  protocol: number;
  host: string;
  port: number;
}

export interface MinecraftPeer {
  readonly port: number;
  /** One a status request, in order. */
  readonly heard: Heard[];
  /** What the next status answers say, over what the server says of itself. */
  say(status: Record<string, unknown>): void;
  close(): Promise<void>;
}

/** The client as the server sees it; the package's own type does not tell. */
interface Shaken {
  protocolVersion: number;
  serverHost: string;
  serverPort: number;
}

/** Listens on 127.0.0.1; port 0 takes a free one. */
export async function minecraft(
  status: Record<string, unknown> = {},
  port = 0,
  version = VERSION,
): Promise<MinecraftPeer> {
  const heard: Heard[] = [];
  let said = status;
  const server = mc.createServer({
    host: "127.0.0.1",
    port,
    version,
    maxPlayers: 20,
    "online-mode": false,
    errorHandler: () => {}, // a client that breaks off is no event here
    beforePing: (response, client) => {
      const shaken = client as unknown as Shaken;
      heard.push({
        protocol: shaken.protocolVersion,
        host: shaken.serverHost,
        port: shaken.serverPort,
      });
      return { ...response, ...said };
    },
  });
  await once(server, "listening");
  const { socketServer } = server as unknown as { socketServer: Server };
  const { port: bound } = socketServer.address() as AddressInfo;
  return {
    port: bound,
    heard,
    say(next) {
      said = next;
    },
    async close() {
      if (!socketServer.listening) return;
      const closed = once(socketServer, "close");
      server.close();
      await closed;
    },
  };
}

/** The version that the server is of. */
export const VERSION = "1.21.11";
export const PROTOCOL = 774;

export const PLAYERS = [
  { id: "069a79f4-44e9-4726-a5be-fca90e38aaf5", name: "Notch" },
  { id: "853c80ef-3c37-49fd-aa49-938b674adae6", name: "jeb_" },
];

/** 64×64 pixels, as the game wants it. */
export const FAVICON =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAEAAAABAAQMAAACQp+OdAAAABlBMVEX38ePIOysT3NbVAAAAJklEQVR42mNgoBng/w8GH0hjMPAfYGBg/sBAMQNiIH4GtewauQwAiKGPF5Jtt58AAAAASUVORK5CYII=";
