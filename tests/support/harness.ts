// The four built workers in the real runtime, in this process: R2, KV, D1 and cron included.
//
// Takes what lies in `workers/*/build`; `cargo xtask test` builds it first. Every `start()` has
// storage of its own, and nothing of it is left behind.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import {
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createTestHarness } from "wrangler";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A generous limit for one test, in milliseconds. */
export const TIMEOUT = 120_000;

/** The D1 databases: who has each, and in its folder the migrations. */
const DATABASES = { pack: "PACK_DB", status: "STATUS_DB", ddns: "OPS_DB" } as const;
const WORKERS = ["gateway", "pack", "status", "ddns"] as const;
export type WorkerName = (typeof WORKERS)[number];

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
type Harness = ReturnType<typeof createTestHarness>;
export type Handle = ReturnType<typeof handleOf>;

/** What each worker gets on top of its `wrangler.toml`, and the secret `TOKENS`. */
export interface Options extends Partial<Record<WorkerName, Record<string, Json>>> {
  /** The secret as it is; `null` leaves it out. Without this key: the tokens of `Tokens`. */
  tokens?: string | null;
  /** More secrets of the worker `pack`. */
  packSecrets?: Record<string, string>;
  /** Without its KV namespace, whatever the worker `pack` does with KV fails. */
  packWithoutKv?: boolean;
  /** More secrets of the worker `ddns`: `PROVIDERS`. */
  ddnsSecrets?: Record<string, string>;
}

/** One bearer token each, as clients send it. */
export interface Tokens {
  /** Every scope. */
  operator: string;
  packWrite: string;
  /** Writes the pack `main` and no other. */
  packMain: string;
  statusWrite: string;
  ddnsUpdate: string;
  /** Updates `home.example.com` and no other host. */
  ddnsHome: string;
  opsRead: string;
}

const SCOPES: Record<keyof Tokens, string[]> = {
  operator: ["pack:write", "status:write", "ddns:update", "ops:read", "ops:write", "heartbeat:write"],
  packWrite: ["pack:write"],
  packMain: ["pack:write:main"],
  statusWrite: ["status:write"],
  ddnsUpdate: ["ddns:update"],
  ddnsHome: ["ddns:update:home.example.com"],
  opsRead: ["ops:read"],
};

export interface Log {
  timestamp: number;
  level: string;
  message: string;
}

export interface System {
  /** Of the gateway, on 127.0.0.1, without a slash at the end. */
  url: string;
  gateway: Handle;
  pack: Handle;
  status: Handle;
  ddns: Handle;
  tokens: Tokens;
  /** A worker's bindings: `(await system.env("pack")).PACKS.get("…")`. */
  env(worker: WorkerName): Promise<Bindings>;
  /** What the workers logged since the start. */
  logs(): Log[];
  /** One request to the gateway over a real connection. */
  request(path: string, options?: RequestOptions): Promise<Answer>;
  close(): Promise<void>;
}

/** The part of the bindings that tests look at. */
export interface Bindings {
  PACKS: R2;
  PACK_KV: Kv;
  STATUS_KV: Kv;
  STATUS_DB: D1;
  PACK_DB: D1;
  OPS_DB: D1;
  [name: string]: unknown;
}

export interface R2Object {
  key: string;
  size: number;
  etag: string;
  checksums: { sha1?: ArrayBuffer };
}

export interface R2 {
  head(key: string): Promise<R2Object | null>;
  get(key: string): Promise<(R2Object & { arrayBuffer(): Promise<ArrayBuffer>; text(): Promise<string> }) | null>;
  put(key: string, value: string | ArrayBuffer | Uint8Array): Promise<R2Object>;
  createMultipartUpload(key: string): Promise<R2Parts>;
  delete(key: string): Promise<void>;
  list(options?: { prefix?: string }): Promise<{ objects: R2Object[] }>;
}

export interface R2Parts {
  uploadPart(number: number, value: Uint8Array): Promise<unknown>;
  complete(parts: unknown[]): Promise<R2Object>;
}

export interface Kv {
  get(key: string): Promise<string | null>;
  put(key: string, value: string): Promise<void>;
  delete(key: string): Promise<void>;
  list(): Promise<{ keys: { name: string }[] }>;
}

export interface D1 {
  prepare(sql: string): D1Statement;
}

export interface D1Statement {
  bind(...values: unknown[]): D1Statement;
  all<Row = Record<string, unknown>>(): Promise<{ results: Row[] }>;
  first<Row = Record<string, unknown>>(): Promise<Row | null>;
  run(): Promise<unknown>;
}

/** Starts all four workers. */
export async function start(options: Options = {}): Promise<System> {
  // Nothing is asked of the internet.
  process.env["WRANGLER_SEND_METRICS"] = "false";
  process.env["CLOUDFLARE_CF_FETCH_ENABLED"] = "false";
  const { tokens, secret } = makeTokens();
  const wanted = options.tokens === undefined ? secret : options.tokens;
  const secrets: Record<string, string> = wanted === null ? {} : { TOKENS: wanted };
  const root = copyConfigs();
  if (options.packWithoutKv === true) takeAwayKv(join(root, configOf("pack")));
  const harness = createTestHarness({
    root,
    workers: WORKERS.map((name) => ({
      configPath: configOf(name),
      prebuiltWorkerDir: join(ROOT, "workers", name, "build"),
      // No test looks at a public address or asks a public name server, unless it has one.
      vars: {
        ...(name === "pack" && { CHECK_PUBLISHED: false }),
        // Nor does a reader remember what KV held, since tests write there themselves.
        ...(name === "status" && { DOH_URL: "http://127.0.0.1:1/dns-query", CACHE_SECONDS: 0 }),
        ...(name === "ddns" && {
          DOH_URL: "http://127.0.0.1:1/dns-query",
          MYDNS_URL: "http://127.0.0.1:1/directip.html",
          CLOUDFLARE_API: "http://127.0.0.1:1/client/v4",
        }),
        ...options[name],
      },
      secrets: {
        ...secrets,
        ...(name === "pack" && options.packSecrets),
        ...(name === "ddns" && options.ddnsSecrets),
      },
    })),
  });
  const close = async () => {
    await harness.close();
    rmSync(root, { recursive: true, force: true });
  };
  try {
    const { url } = await harness.listen();
    const handle = (name: WorkerName) => handleOf(harness, name);
    for (const [name, binding] of Object.entries(DATABASES)) {
      await handle(name as keyof typeof DATABASES).applyD1Migrations(binding);
    }
    const origin = `http://127.0.0.1:${url.port}`;
    return {
      url: origin,
      gateway: handle("gateway"),
      pack: handle("pack"),
      status: handle("status"),
      ddns: handle("ddns"),
      tokens,
      env: (worker) => handle(worker).getEnv(),
      logs: () => harness.getLogs(),
      request: (path, options) => request(`${origin}${path}`, options),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function configOf(name: WorkerName): string {
  return name === "gateway" ? "wrangler.toml" : `workers/${name}/wrangler.toml`;
}

/** The configurations without the `.dev.vars` beside them: a test has the secrets that it names. */
function copyConfigs(): string {
  const root = mkdtempSync(join(tmpdir(), "genkan-"));
  for (const name of WORKERS) {
    mkdirSync(dirname(join(root, configOf(name))), { recursive: true });
    copyFileSync(join(ROOT, configOf(name)), join(root, configOf(name)));
  }
  for (const name of Object.keys(DATABASES)) {
    const migrations = `workers/${name}/migrations`;
    cpSync(join(ROOT, migrations), join(root, migrations), { recursive: true });
  }
  return root;
}

/** Takes the KV namespaces out of a configuration. */
function takeAwayKv(path: string): void {
  const text = readFileSync(path, "utf8");
  const without = text.replace(/^\[\[kv_namespaces\]\]\n(?:.+\n)+/m, "");
  assert.notEqual(without, text);
  writeFileSync(path, without);
}

function handleOf(harness: Harness, name: WorkerName) {
  return harness.getWorker<Bindings>(`genkan-${name}`);
}

function makeTokens(): { tokens: Tokens; secret: string } {
  const made = Object.entries(SCOPES).map(([name, scopes]) => {
    const token = randomBytes(32).toString("base64url");
    const sha256 = createHash("sha256").update(token).digest("hex");
    return { name, token, entry: { name, sha256, scopes } };
  });
  const tokens = Object.fromEntries(made.map(({ name, token }) => [name, token]));
  return { tokens: tokens as unknown as Tokens, secret: JSON.stringify(made.map(({ entry }) => entry)) };
}

export interface RequestOptions {
  method?: string;
  headers?: OutgoingHttpHeaders;
  /** Sent as `Authorization: Bearer …`. */
  token?: string;
  /** Has a `Content-Length`, unless `chunked`. */
  body?: string | Uint8Array;
  chunked?: boolean;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  text: string;
  /** The body as JSON; throws when it is none. */
  json(): any;
}

/** One request on a connection of its own: nothing is added, unpacked or followed. */
export async function request(url: string, options: RequestOptions = {}): Promise<Answer> {
  const { method = "GET", token, body, chunked = false } = options;
  const headers: OutgoingHttpHeaders = { ...options.headers };
  if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
  if (chunked) headers["transfer-encoding"] = "chunked";
  else if (body !== undefined) headers["content-length"] ??= Buffer.byteLength(body);
  const outgoing = httpRequest(url, { method, headers, agent: false });
  outgoing.end(body);
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  outgoing.on("error", () => {}); // the answer is here: what becomes of the rest of the body is not asked
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  const text = bytes.length > 1_000_000 ? "" : bytes.toString("utf8");
  return {
    status: incoming.statusCode ?? 0,
    headers: incoming.headers,
    body: bytes,
    text,
    json: () => JSON.parse(text),
  };
}

/** Checks that an answer is a problem (RFC 9457) of this kind; gives its `detail`. */
export function assertProblem(answer: Answer, status: number, code: string, detail = /./): string {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.headers["content-type"], "application/problem+json");
  const body = answer.json();
  assert.deepEqual(Object.keys(body).sort(), ["code", "detail", "status", "title", "type"]);
  assert.deepEqual([body.status, body.code], [status, code], answer.text);
  assert.match(body.detail, detail);
  return body.detail;
}
