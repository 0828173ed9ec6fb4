// The DNS part of Cloudflare's API (https://developers.cloudflare.com/api/): zones and records behind a token,
// lists in pages, batches that happen as a whole or not at all, and errors in the usual envelope.

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, isIPv4, isIPv6 } from "node:net";

export interface DnsRecord {
  id: string;
  type: string;
  name: string;
  content: string;
  ttl: number;
  proxied: boolean;
  comment: string | null;
}

export interface Asked {
  /** `GET /zones?name=example.com`, after the base. */
  request: string;
  body: any;
  /** Whether the token was right. */
  allowed: boolean;
}

/** Whether it answered; otherwise the API does. */
export type Behaviour = (response: ServerResponse, asked: Asked) => boolean;

export interface CloudflarePeer {
  /** The base of the API. */
  readonly url: string;
  readonly asked: Asked[];
  /** Every content that a record was ever given, in order: `home.example.com A 8.8.8.8`. */
  readonly written: string[];
  /** How many items a page has. */
  perPage: number;
  /** A zone that the token sees. */
  zone(name: string, more?: { status?: string }): string;
  /** A record of a zone; gives it as the API keeps it. */
  record(name: string, type: string, content: string, more?: Partial<DnsRecord>): DnsRecord;
  /** The contents of all records of this name and type. */
  contents(name: string, type?: string): string[];
  /** A record by its id. */
  kept(id: string): DnsRecord | undefined;
  /** Takes everything away but what was ever written. */
  clear(): void;
  behave(behaviour: Behaviour | null): void;
  close(): Promise<void>;
}

interface Failed {
  status: number;
  code: number;
  message: string;
  chain?: { code: number; message: string };
}

const failed = (status: number, code: number, message: string, chain?: Failed["chain"]): Failed => ({
  status,
  code,
  message,
  ...(chain && { chain }),
});

const isFailed = (value: unknown): value is Failed => typeof value === "object" && value !== null && "status" in value && "code" in value;

/** The answer of the API to what it refuses. */
export function refuse(response: ServerResponse, status: number, code: number, message: string, headers = {}): true {
  response.writeHead(status, { "Content-Type": "application/json", ...headers });
  response.end(JSON.stringify({ success: false, errors: [{ code, message }], messages: [], result: null }));
  return true;
}

/** Too many requests. */
export const limited =
  (seconds: number): Behaviour =>
  (response) =>
    refuse(response, 429, 971, "Please wait and consider throttling your request speed", { "Retry-After": seconds });

/** Something in between answers. */
export const page =
  (status: number): Behaviour =>
  (response) => {
    response.writeHead(status, { "Content-Type": "text/html" });
    response.end("<html><head><title>Bad gateway</title></head><body>error code: 502</body></html>");
    return true;
  };

/** Listens on 127.0.0.1; one token opens everything. */
export async function cloudflare(token: string): Promise<CloudflarePeer> {
  const zones: { id: string; name: string; status: string; records: DnsRecord[] }[] = [];
  const asked: Asked[] = [];
  const written: string[] = [];
  let behaviour: Behaviour | null = null;
  const id = () => randomBytes(16).toString("hex");
  const zoneOf = (name: string) =>
    zones.filter((zone) => name === zone.name || name.endsWith(`.${zone.name}`)).sort((a, b) => b.name.length - a.name.length)[0];

  const wrong = (record: DnsRecord, records: DnsRecord[]): Failed | null => {
    const invalid = (code: number, message: string) => failed(400, 1004, "DNS Validation Error", { code, message });
    if (record.type === "A" && !isIPv4(record.content)) return invalid(9005, "Content for A record is invalid. Must be a valid IPv4 address");
    if (record.type === "AAAA" && !isIPv6(record.content)) return invalid(9006, "Content for AAAA record is invalid. Must be a valid IPv6 address");
    if (record.content === "") return invalid(9020, "Invalid content for record");
    const others = records.filter((other) => other.id !== record.id && other.name === record.name);
    if (others.some((other) => other.type === record.type && other.content === record.content)) return failed(400, 81058, "An identical record already exists.");
    const exclusive = others.some((other) => (other.type === "CNAME") !== (record.type === "CNAME"));
    if (exclusive) return failed(400, 81053, "An A, AAAA, or CNAME record with that host already exists.");
    return null;
  };
  const post = (records: DnsRecord[], body: any): DnsRecord | Failed => {
    const { type, name, content, ttl = 1, proxied = false, comment = null } = body ?? {};
    if (typeof type !== "string" || typeof name !== "string" || typeof content !== "string") return failed(400, 1004, "DNS Validation Error");
    const record = { id: id(), type, name: name.toLowerCase(), content, ttl, proxied, comment };
    const problem = wrong(record, records);
    if (problem) return problem;
    records.push(record);
    return record;
  };
  const patch = (records: DnsRecord[], which: string, body: any): DnsRecord | Failed => {
    const index = records.findIndex((record) => record.id === which);
    if (index < 0) return failed(404, 81044, "Record does not exist.");
    const { id: _, ...changes } = body ?? {};
    const record = { ...records[index]!, ...changes };
    const problem = wrong(record, records);
    if (problem) return problem;
    records[index] = record;
    return record;
  };
  const batch = (records: DnsRecord[], body: any): unknown => {
    const result: Record<string, DnsRecord[]> = { deletes: [], patches: [], puts: [], posts: [] };
    for (const one of body?.deletes ?? []) {
      const index = records.findIndex((record) => record.id === one.id);
      if (index < 0) return failed(404, 81044, "Record does not exist.");
      result["deletes"]!.push(...records.splice(index, 1));
    }
    const steps: [string, (one: any) => DnsRecord | Failed][] = [
      ["patches", (one) => patch(records, one.id, one)],
      ["posts", (one) => post(records, one)],
    ];
    for (const [key, step] of steps) {
      for (const one of body?.[key] ?? []) {
        const done = step(one);
        if (isFailed(done)) return done;
        result[key]!.push(done);
      }
    }
    return result;
  };

  /** What the API does; a change of records counts only as a whole. */
  const act = (method: string, url: URL, body: any): unknown => {
    const [, kind, zoneId, what, which] = url.pathname.replace("/client/v4", "").split("/");
    if (kind !== "zones") return failed(400, 7000, "No route for that URI");
    if (zoneId === undefined) {
      const name = url.searchParams.get("name");
      return list(url, zones.filter((zone) => name === null || zone.name === name.toLowerCase()).map(({ id, name, status }) => ({ id, name, status })));
    }
    const zone = zones.find((zone) => zone.id === zoneId);
    if (!zone || what !== "dns_records") return failed(404, 7003, "Could not route to this path, perhaps your object identifier is invalid?");
    if (method === "GET" && which === undefined) {
      const [type, name] = [url.searchParams.get("type"), url.searchParams.get("name")?.toLowerCase()];
      return list(url, zone.records.filter((record) => (type === null || record.type === type) && (name === undefined || record.name.toLowerCase() === name)));
    }
    const records = zone.records.map((record) => ({ ...record }));
    let done: unknown = failed(405, 10405, "Method not allowed");
    if (method === "POST" && which === "batch") done = batch(records, body);
    else if (method === "POST" && which === undefined) done = post(records, body);
    else if (method === "PATCH" && which !== undefined) done = patch(records, which, body);
    if (isFailed(done)) return done;
    for (const record of records) {
      const before = zone.records.find(({ id }) => id === record.id);
      if (before?.content !== record.content) written.push(`${record.name} ${record.type} ${record.content}`);
    }
    zone.records = records;
    return { result: done };
  };
  const list = (url: URL, all: unknown[]) => {
    const number = Number(url.searchParams.get("page") ?? 1);
    const size = Math.min(Number(url.searchParams.get("per_page") ?? peer.perPage), peer.perPage);
    const result = all.slice((number - 1) * size, number * size);
    const info = { page: number, per_page: size, count: result.length, total_count: all.length, total_pages: Math.ceil(all.length / size) };
    return { result, result_info: info };
  };

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString("utf8");
    const path = (request.url ?? "").replace("/client/v4", "");
    const allowed = request.headers.authorization === `Bearer ${token}`;
    const one: Asked = { request: `${request.method} ${path}`, body: text === "" ? undefined : JSON.parse(text), allowed };
    asked.push(one);
    if (behaviour?.(response, one)) return;
    if (!allowed) return void refuse(response, 403, 9109, `Invalid access token ${request.headers.authorization}`);
    const done = act(request.method ?? "", new URL(request.url ?? "", "http://api.test"), one.body);
    const failure = isFailed(done) ? done : null;
    const errors = failure ? [{ code: failure.code, message: failure.message, ...(failure.chain && { error_chain: [failure.chain] }) }] : [];
    response.writeHead(failure ? failure.status : 200, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ success: !failure, errors, messages: [], ...(failure ? { result: null } : (done as object)) }));
  };
  const server = createServer((request, response) => void answer(request, response).catch(() => response.destroy()));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const peer: CloudflarePeer = {
    url: `http://127.0.0.1:${port}/client/v4`,
    asked,
    written,
    perPage: 100,
    zone(name, { status = "active" } = {}) {
      const zone = { id: id(), name, status, records: [] };
      zones.push(zone);
      return zone.id;
    },
    record(name, type, content, more = {}) {
      const record = { id: id(), type, name, content, ttl: 300, proxied: false, comment: null, ...more };
      const zone = zoneOf(name.toLowerCase());
      if (!zone) throw new Error(`no zone of ${name}`);
      zone.records.push(record);
      return record;
    },
    contents(name, type = "A") {
      const all = zones.flatMap((zone) => zone.records);
      return all.filter((record) => record.name.toLowerCase() === name && record.type === type).map(({ content }) => content);
    },
    kept: (id) => zones.flatMap((zone) => zone.records).find((record) => record.id === id),
    clear() {
      zones.length = 0;
      asked.length = 0;
      peer.perPage = 100;
      behaviour = null;
    },
    behave: (next) => void (behaviour = next),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return peer;
}
