// A worker in the real runtime, by itself: Miniflare without wrangler's proxy in front, whose cost
// would hide the worker's.
import { createRequire } from "node:module";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..");
const require = createRequire(join(root, "node_modules", "wrangler", "package.json"));
export const { Miniflare } = require("miniflare");

export const COMPATIBILITY_DATE = "2026-11-01";

export type Bindings = Record<string, { type: "r2" | "kv" | "d1" | "queue" | "json" | "text"; name?: string; id?: string; value?: unknown }>;

export type Modules = { mainModule: string; modules: Record<string, { type: "esm" | "wasm"; contents: string | Uint8Array }> };

/** A worker written in JavaScript, in one module. */
export function javascript(source: string): Modules {
  return { mainModule: "index.js", modules: { "index.js": { type: "esm", contents: source } } };
}

/** One of ours, as `cargo xtask build` left it. */
export function built(worker: string): Modules {
  const folder = join(root, "workers", worker, "build");
  const modules: Modules["modules"] = {};
  for (const file of readdirSync(folder)) {
    if (file.endsWith(".wasm")) modules[file] = { type: "wasm", contents: new Uint8Array(readFileSync(join(folder, file))) };
    if (file.endsWith(".js")) modules[file] = { type: "esm", contents: readFileSync(join(folder, file), "utf8") };
  }
  return { mainModule: "index.js", modules };
}

/** The parts that are used here. */
export type Database = {
  exec(sql: string): Promise<unknown>;
  prepare(sql: string): { all<Row>(): Promise<{ results: Row[] }> };
};
type Miniflare = {
  dispose(): Promise<void>;
  getWorker(): Promise<{ scheduled(options: { cron: string; scheduledTime?: Date }): Promise<{ outcome: string }> }>;
  getD1Database(binding: string): Promise<Database>;
};

/** A worker that runs, and the process that runs it. */
export class Running {
  readonly url: URL;
  readonly pid: number;
  readonly #miniflare: Miniflare;
  readonly #folder: string;

  private constructor(url: URL, pid: number, miniflare: Miniflare, folder: string) {
    this.url = url;
    this.pid = pid;
    this.#miniflare = miniflare;
    this.#folder = folder;
  }

  /** `log` gets what the worker logs. */
  static async start(modules: Modules, env: Bindings, log: (message: string) => void = () => {}): Promise<Running> {
    const folder = mkdtempSync(join(tmpdir(), "genkan-bench-"));
    const before = new Set(runtimes());
    const miniflare = new Miniflare({
      host: "127.0.0.1",
      port: 0,
      telemetry: { enabled: false },
      handleStructuredLogs: ({ message }: { message: string }) => log(message), // made and written all the same, but not printed here
      resourcePersistencePath: folder,
      logRequests: false,
      workers: [
        {
          config: { name: "bench", compatibilityDate: COMPATIBILITY_DATE, manifest: modules, env },
          // Straight to the worker: Miniflare's own, which stands before it, costs more than some of these.
          dev: { unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }] },
        },
      ],
    });
    await miniflare.ready;
    const url = await miniflare.unsafeGetDirectURL("bench");
    const pid = runtimes().find((candidate) => !before.has(candidate));
    if (pid === undefined) throw new Error("the runtime's process was not found");
    return new Running(url, pid, miniflare, folder);
  }

  /** The most memory it ever held, in MiB. */
  peakMiB(): number {
    const line = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, "utf8"));
    return Number(line?.[1]) / 1024;
  }

  /** Lets the peak begin anew at what is held now (proc(5), clear_refs). */
  resetPeak(): void {
    writeFileSync(`/proc/${this.pid}/clear_refs`, "5");
  }

  /** Processor time it has used, in milliseconds. */
  cpuMs(): number {
    const fields = readFileSync(`/proc/${this.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  /** One run of the cron, as if it were this time. */
  async scheduled(scheduledTime?: Date): Promise<void> {
    const worker = await this.#miniflare.getWorker();
    const { outcome } = await worker.scheduled({ cron: "* * * * *", ...(scheduledTime && { scheduledTime }) });
    if (outcome !== "ok") throw new Error(`the cron ended with ${outcome}`);
  }

  database(binding: string): Promise<Database> {
    return this.#miniflare.getD1Database(binding);
  }

  /** Gives a D1 database the tables of a worker. */
  async migrate(binding: string, worker: string): Promise<void> {
    const database = await this.database(binding);
    const folder = join(root, "workers", worker, "migrations");
    for (const file of readdirSync(folder).sort()) {
      const lines = readFileSync(join(folder, file), "utf8").split("\n");
      // A statement a line, without comments: that is what `exec` takes.
      const text = lines.map((line) => line.replace(/--.*$/, "").trim()).join(" ");
      await database.exec(text.replace(/;\s*/g, ";\n").trim());
    }
  }

  async stop(): Promise<void> {
    await this.#miniflare.dispose();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Children of this process that are the runtime. */
export function runtimes(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
        return stat.includes("(workerd)") && Number(stat.split(") ")[1]!.split(" ")[1]) === process.pid;
      } catch {
        return false; // it ended meanwhile
      }
    });
}
