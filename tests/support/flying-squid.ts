// A server of another make (npm `flying-squid`), in a process of its own: its timers never end.

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const OPTIONS = {
  motd: "§bgenkan§r on\n§lflying-squid",
  host: "127.0.0.1",
  port: 0,
  "max-players": 10,
  "online-mode": false,
  logging: false,
  gameMode: 1,
  difficulty: 1,
  generation: { name: "superflat", options: { worldHeight: 16 } },
  kickTimeout: 10_000,
  plugins: {},
  "view-distance": 1,
  "player-list-text": { header: { text: "" }, footer: { text: "" } },
  "everybody-op": false,
  "max-entities": 1,
  version: "1.16.5",
};

/** Listens on a free port of 127.0.0.1. */
export async function flyingSquid(): Promise<{ port: number; close(): Promise<void> }> {
  const child = fork(fileURLToPath(import.meta.url), ["serve"], { silent: true });
  const [port] = (await once(child, "message")) as [number];
  return {
    port,
    async close() {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

if (process.send && process.argv[2] === "serve") {
  const { default: squid } = await import("flying-squid");
  const server = squid.createMCServer(OPTIONS as any);
  server.on("listening", (port: number) => process.send?.(port));
  process.on("disconnect", () => process.exit());
}
