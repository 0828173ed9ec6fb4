// A system whose `ddns` worker has providers: local servers that answer as MyDNS.jp, Cloudflare and a
// name server do.

import assert from "node:assert/strict";
import { type CloudflarePeer, cloudflare } from "./cloudflare.ts";
import { type DohPeer, doh } from "./doh.ts";
import { type D1, type System, start } from "./harness.ts";
import { type MydnsPeer, mydns } from "./mydns.ts";

export const MID = "mydns000001";
const PASSWORD = "a-password-of-mydns";
const TOKEN = "a-token-of-cloudflare";
/** What must be shown and kept nowhere. */
export const SECRETS = [PASSWORD, TOKEN];

export const basic = (password: string, user = "anyone") =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

/** In `host`: these providers, for use in `providers`. */
export const MYDNS = { kind: "mydns", credentials: "home" };
export const ZONE = { kind: "cloudflare", credentials: "zone", create: true };

export interface Sent {
  token?: string;
  from?: string;
  method?: string;
}

export interface Ddns {
  system: System;
  db: D1;
  mydns: MydnsPeer;
  cloudflare: CloudflarePeer;
  doh: DohPeer;
  /** One dyndns2 update: its status and its lines. */
  update(query: string, sent?: Sent): Promise<[status: number, ...lines: string[]]>;
  /** `POST` with a JSON body. */
  post(path: string, body: unknown, sent?: Sent): Promise<{ status: number; body: any }>;
  /** As `ops:read`. */
  read(path: string): Promise<any>;
  /** The cron, this many seconds from the start of the test. */
  cron(seconds: number): Promise<void>;
  rows(sql: string): Promise<any[]>;
  addresses(host: string): Promise<[string | null, string | null] | null>;
  /** Nothing is stored, and all providers answer. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

export async function ddns(vars: Record<string, any>): Promise<Ddns> {
  const peers = { mydns: await mydns({ [MID]: PASSWORD }), cloudflare: await cloudflare(TOKEN), doh: await doh() };
  const providers = { home: { id: MID, password: PASSWORD }, zone: { token: TOKEN } };
  const system = await start({
    ddns: { MYDNS_URL: peers.mydns.url, CLOUDFLARE_API: peers.cloudflare.url, DOH_URL: peers.doh.url, ...vars },
    ddnsSecrets: { PROVIDERS: JSON.stringify(providers) },
  });
  const db = (await system.env("ddns")).OPS_DB;
  let began = Date.now();
  const headersOf = ({ from = "9.9.9.9" }: Sent) => ({ "CF-Connecting-IP": from });
  const rows = async (sql: string) => (await db.prepare(sql).all<any>()).results;
  return {
    system,
    db,
    ...peers,
    rows,
    async update(query, sent = {}) {
      const { token = system.tokens.ddnsUpdate, method = "GET" } = sent;
      const headers = { ...headersOf(sent), Authorization: basic(token) };
      const answer = await system.request(`/nic/update?${query}`, { method, headers });
      return [answer.status, ...answer.text.trimEnd().split("\n")];
    },
    async post(path, body, sent = {}) {
      const { token = system.tokens.ddnsUpdate } = sent;
      const text = typeof body === "string" ? body : JSON.stringify(body);
      const answer = await system.request(path, { method: "POST", token, body: text, headers: headersOf(sent) });
      return { status: answer.status, body: answer.json() };
    },
    async read(path) {
      const answer = await system.request(path, { token: system.tokens.opsRead });
      assert.equal(answer.status, 200, answer.text);
      return answer.json();
    },
    async cron(seconds) {
      const scheduledTime = new Date(began + seconds * 1000);
      assert.equal((await system.ddns.scheduled({ cron: "* * * * *", scheduledTime })).outcome, "ok");
    },
    async addresses(host) {
      const row = await db.prepare("SELECT ipv4, ipv6 FROM hosts WHERE host = ?").bind(host).first<any>();
      return row && [row.ipv4, row.ipv6];
    },
    async reset() {
      for (const table of ["hosts", "updates", "reports", "provider_states", "rates", "blocks"]) await db.prepare(`DELETE FROM ${table}`).run();
      peers.mydns.behave(null);
      peers.mydns.notices.length = 0;
      peers.cloudflare.clear();
      peers.cloudflare.written.length = 0;
      peers.cloudflare.zone("example.com");
      peers.doh.behave(null);
      began = Date.now();
    },
    async close() {
      await system.close();
      await Promise.all(Object.values(peers).map((peer) => peer.close()));
    },
  };
}
