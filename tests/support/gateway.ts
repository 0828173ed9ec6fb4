// The built gateway in a runtime of its own, without wrangler's proxy in front, which would tidy up
// what a client sends and follow what an origin says: what is written to its socket is what it gets.

import assert from "node:assert/strict";
import { once } from "node:events";
import { type Socket, connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { COMPATIBILITY_DATE, Miniflare, built, javascript, runtimes } from "../../bench/support/runtime.ts";
import { type Answer, type R2, type RequestOptions, request } from "./harness.ts";

export interface Settings {
  /** The `[vars]`: `routes`, `LOCAL` (by default true) and so on. */
  vars: Record<string, unknown>;
  secrets?: Record<string, string>;
  /** Rate-limit bindings: how many requests in 60 seconds. */
  limits?: Record<string, number>;
  /** Workers behind service bindings, each the source of an ES module. */
  workers?: Record<string, string>;
  /** The bucket of static sites: "new", or the folder in which its state lies. */
  sites?: string;
}

export interface Gateway {
  url: string;
  port: number;
  /** Of the runtime's process. */
  pid: number;
  /** What the worker logged: one line of JSON each. They come a moment after the answer. */
  log: string[];
  /** The first line that is like this, once it has come. */
  logged(pattern: RegExp): Promise<string>;
  request(path: string, options?: RequestOptions): Promise<Answer>;
  /** A request as if it had come to this URL: with `https` as the scheme, too. */
  dispatch(url: string, init?: Record<string, unknown>): Promise<Response>;
  /** The bucket of static sites. */
  sites(): Promise<R2 & { put(key: string, value: string | Uint8Array, options?: object): Promise<unknown> }>;
  stop(): Promise<void>;
}

/** What the origin received of a request, as one that echoes says it. */
export async function received(gateway: Gateway, path: string, options: RequestOptions = {}): Promise<any> {
  const answer = await gateway.request(path, options);
  assert.equal(answer.status, 200, answer.text);
  return answer.json();
}

export async function run({ vars, secrets = {}, limits = {}, workers = {}, sites }: Settings): Promise<Gateway> {
  const each = <T>(of: Record<string, T>, make: (value: T, name: string) => unknown) =>
    Object.fromEntries(Object.entries(of).map(([name, value]) => [name, make(value, name)]));
  const env = {
    ...each({ LOCAL: true, ...vars }, (value) => ({ type: "json", value })),
    ...each(secrets, (value) => ({ type: "text", value })),
    ...each(limits, (limit, name) => ({ type: "rate-limit", namespace: name, simple: { limit, period: 60 } })),
    ...each(workers, (_, name) => ({ type: "worker", worker: name })),
    ...(sites !== undefined && { SITES: { type: "r2", name: "genkan-sites" } }),
  };
  const log: string[] = [];
  const before = new Set(runtimes());
  const miniflare = new Miniflare({
    host: "127.0.0.1",
    port: 0,
    cf: false,
    telemetry: { enabled: false },
    ...(sites !== undefined && sites !== "new" && { resourcePersistencePath: sites }),
    handleStructuredLogs: ({ message }: { message: string }) => log.push(message),
    workers: [
      {
        config: { name: "gateway", compatibilityDate: COMPATIBILITY_DATE, manifest: built("gateway"), env },
        dev: { unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }] },
      },
      ...Object.entries(workers).map(([name, contents]) => ({
        config: {
          name,
          compatibilityDate: COMPATIBILITY_DATE,
          manifest: javascript(contents),
          env: {},
        },
      })),
    ],
  });
  await miniflare.ready;
  const port = Number((await miniflare.unsafeGetDirectURL("gateway")).port);
  const [pid] = runtimes().filter((pid) => !before.has(pid));
  if (pid === undefined) throw new Error("the runtime's process was not found");
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    port,
    pid,
    log,
    logged: async (pattern) => {
      for (let tries = 0; tries < 100; tries += 1) {
        const line = log.find((line) => pattern.test(line));
        if (line !== undefined) return line;
        await sleep(50);
      }
      throw new Error(`no line of the log is like ${pattern}`);
    },
    request: (path, options) => request(`${url}${path}`, options),
    dispatch: (to, init) => miniflare.dispatchFetch(to, { redirect: "manual", ...init }),
    sites: () => miniflare.getR2Bucket("SITES", "gateway"),
    stop: () => miniflare.dispose(),
  };
}

/** Writes these bytes to the port and gives all that comes back until the other side closes or is silent. */
export async function exchange(port: number, bytes: string | Buffer, silence = 500): Promise<string> {
  const socket: Socket = connect(port, "127.0.0.1");
  let received = "";
  socket.setEncoding("latin1");
  socket.on("data", (chunk) => (received += chunk));
  socket.on("error", () => {}); // a reset is an end too
  socket.setTimeout(silence, () => socket.destroy());
  socket.write(bytes);
  await once(socket, "close");
  return received;
}
