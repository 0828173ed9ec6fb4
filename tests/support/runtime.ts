// The built pack worker in a runtime of its own, without wrangler: its state lies in a folder that
// outlives it, its queue has a dead-letter queue that somebody reads, and it can be killed.

import { createHash, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "smol-toml";
import { Miniflare, built, runtimes } from "../../bench/support/runtime.ts";
import { type Answer, type R2, type Kv, type RequestOptions, request } from "./harness.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Writes down each dead letter in KV, and puts objects of any size into the bucket from within. */
const BESIDE = `export default {
  async queue(batch, env) {
    for (const message of batch.messages) {
      await env.LETTERS.put(message.id, JSON.stringify(message.body));
      message.ack();
    }
  },
  async fetch(request, env) {
    const { key, size } = await request.json();
    const { readable, writable } = new FixedLengthStream(size);
    const put = env.PACKS.put(key, readable);
    const writer = writable.getWriter();
    const zeros = new Uint8Array(1 << 20);
    for (let left = size; left > 0; left -= zeros.length) await writer.write(zeros.subarray(0, Math.min(left, zeros.length)));
    await Promise.all([writer.close(), put]);
    return new Response("done");
  },
};`;

export interface Settings {
  /** The folder of its state. */
  folder: string;
  vars?: Record<string, unknown>;
}

/** Of an operator who may write every pack. */
export const TOKEN = randomBytes(32).toString("base64url");
const SHA256 = createHash("sha256").update(TOKEN).digest("hex");
const TOKENS = JSON.stringify([{ name: "ci", sha256: SHA256, scopes: ["pack:write"] }]);

export interface Runtime {
  url: string;
  /** Of the runtime's process. */
  pid: number;
  /** What the worker logged. */
  log: string[];
  r2(): Promise<R2>;
  kv(): Promise<Kv>;
  /** Puts an object of zeros. */
  putZeros(key: string, size: number): Promise<void>;
  /** The bodies of what was given up, as JSON. */
  deadLetters(): Promise<unknown[]>;
  tokens: { operator: string };
  request(path: string, options?: RequestOptions): Promise<Answer>;
  cron(laterMs?: number): Promise<void>;
  /** SIGKILL, in the middle of whatever it does. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export async function run(settings: Settings): Promise<Runtime> {
  const config = parse(readFileSync(join(ROOT, "workers/pack/wrangler.toml"), "utf8")) as any;
  const [consumer] = config.queues.consumers;
  const log: string[] = [];
  const before = new Set(runtimes());
  const vars = { ...config.vars, CHECK_PUBLISHED: false, ...settings.vars };
  const miniflare = new Miniflare({
    host: "127.0.0.1",
    port: 0,
    cf: false,
    telemetry: { enabled: false },
    unsafeTriggerHandlers: true,
    resourcePersistencePath: settings.folder,
    handleStructuredLogs: ({ message }: { message: string }) => log.push(message),
    workers: [
      {
        config: {
          name: "pack",
          compatibilityDate: config.compatibility_date,
          manifest: built("pack"),
          env: {
            PACKS: { type: "r2", name: "packs" },
            PACK_KV: { type: "kv", id: "pack" },
            PACK_QUEUE: { type: "queue", name: consumer.queue },
            TOKENS: { type: "text", value: TOKENS },
            ...Object.fromEntries(Object.entries(vars).map(([name, value]) => [name, { type: "json", value }])),
          },
          triggers: [
            {
              type: "queue",
              name: consumer.queue,
              maxBatchSize: consumer.max_batch_size,
              maxBatchTimeout: consumer.max_batch_timeout,
              maxRetries: consumer.max_retries,
              deadLetterQueue: consumer.dead_letter_queue,
            },
          ],
        },
      },
      {
        config: {
          name: "beside",
          compatibilityDate: config.compatibility_date,
          manifest: { mainModule: "index.js", modules: { "index.js": { type: "esm", contents: BESIDE } } },
          env: { LETTERS: { type: "kv", id: "letters" }, PACKS: { type: "r2", name: "packs" } },
          triggers: [{ type: "queue", name: consumer.dead_letter_queue, maxBatchTimeout: 0 }],
        },
      },
    ],
  });
  const url = `http://127.0.0.1:${(await miniflare.ready).port}`;
  const pids = runtimes().filter((pid) => !before.has(pid));
  if (pids.length !== 1) throw new Error(`${pids.length} runtimes started`);
  const [pid] = pids as [number];
  return {
    url,
    pid,
    log,
    r2: () => miniflare.getR2Bucket("PACKS", "pack"),
    kv: () => miniflare.getKVNamespace("PACK_KV", "pack"),
    putZeros: async (key, size) => {
      const beside = await miniflare.getWorker("beside");
      const done = await beside.fetch("http://beside/", { method: "POST", body: JSON.stringify({ key, size }) });
      if (done.status !== 200) throw new Error(`${done.status} ${await done.text()}`);
    },
    deadLetters: async () => {
      const letters: Kv = await miniflare.getKVNamespace("LETTERS", "beside");
      const { keys } = await letters.list();
      return Promise.all(keys.map(async ({ name }) => JSON.parse((await letters.get(name)) ?? "null")));
    },
    tokens: { operator: TOKEN },
    request: (path, options) => request(`${url}${path}`, options),
    cron: async (laterMs = 0) => {
      const time = Date.now() + laterMs;
      const fired = await request(`${url}/cdn-cgi/local/scheduled?time=${time}&cron=*/5+*+*+*+*`);
      if (fired.status !== 200) throw new Error(`the cron: ${fired.status} ${fired.text}`);
    },
    kill: async () => {
      process.kill(pid, "SIGKILL");
      await miniflare.dispose();
    },
    stop: () => miniflare.dispose(),
  };
}

/** What a process holds in memory, and the most that it held since `forgetPeak`, in MiB. */
export function memory(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
  return { now: field("VmRSS"), peak: field("VmHWM") };
}

export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}
