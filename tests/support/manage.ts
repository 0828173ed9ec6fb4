// What an operator asks of packs that are there, and what is then to be seen.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Answer, RequestOptions, System } from "./harness.ts";
import { packNamed, sha1, upload } from "./packs.ts";

const DAY = 24 * 60 * 60 * 1000;

/** A request of the operator, unless another token is named, with a JSON body if there is one. */
export function operate(
  system: System,
  method: string,
  path: string,
  body?: unknown,
  options: RequestOptions = {},
): Promise<Answer> {
  const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  const sent = text === undefined ? {} : { body: text };
  return system.request(path, { method, token: system.tokens.operator, ...sent, ...options });
}

/** Stores small packs that are not published; gives their hashes. */
export async function store(system: System, pack: string, ...labels: string[]): Promise<string[]> {
  const hashes: string[] = [];
  for (const label of labels) {
    const bytes = packNamed(`${pack} ${label}`);
    const answer = await upload(system, bytes, { pack, query: "?publish=false" });
    assert.equal(answer.status, 201, answer.text);
    hashes.push(sha1(bytes));
  }
  return hashes;
}

/** `POST /api/packs/<pack>/publish`, which must succeed. */
export async function publish(system: System, pack: string, sha1: string, channel = "stable"): Promise<any> {
  const answer = await operate(system, "POST", `/api/packs/${pack}/publish`, { sha1, channel });
  assert.equal(answer.status, 200, answer.text);
  return answer.json();
}

/** The body of `GET /api/packs/<pack>`. */
export async function details(system: System, pack: string): Promise<any> {
  const answer = await system.request(`/api/packs/${pack}`);
  assert.equal(answer.status, 200, answer.text);
  return answer.json();
}

/** The body of `GET /api/pack/latest`. */
export async function latest(system: System, pack: string, channel = "stable"): Promise<any> {
  const answer = await system.request(`/api/pack/latest?pack=${pack}&channel=${channel}`);
  assert.equal(answer.status, 200, answer.text);
  return answer.json();
}

export function kvKey(pack: string, channel = "stable"): string {
  return pack === "main" && channel === "stable" ? "verify-hash" : `verify-hash:${pack}:${channel}`;
}

/** What KV holds of a channel, as text. */
export async function announced(system: System, pack: string, channel = "stable"): Promise<string | null> {
  return (await system.env("pack")).PACK_KV.get(kvKey(pack, channel));
}

/** Checks that the registry, `latest` and KV agree on a channel; gives the record. */
export async function assertAgreed(system: System, pack: string, channel = "stable"): Promise<any> {
  const pointer = (await details(system, pack)).channels[channel];
  const record = await latest(system, pack, channel);
  assert.deepEqual([record.sha1, record.release], [pointer.sha1, pointer.release]);
  assert.equal(record.published_at, pointer.published_at);
  assert.ok(record.url.endsWith(`/packs/${record.sha1}.zip`), record.url);
  const held = await announced(system, pack, channel);
  assert.deepEqual(JSON.parse(held ?? "null"), record);
  return record;
}

/** The last changes of a pack, newest last: action, who, channel, before, after. */
export async function history(system: System, pack: string): Promise<unknown[][]> {
  const changes = (await details(system, pack)).history;
  return changes.map((change: any) => [change.action, change.by, change.channel, change.before, change.after]);
}

/** Fires the cron of `pack` as on that day from now. */
export async function cron(system: System, days = 0): Promise<void> {
  const fired = { cron: "*/5 * * * *", scheduledTime: new Date(Date.now() + days * DAY) };
  assert.equal((await system.pack.scheduled(fired)).outcome, "ok");
}

/** Asks again and again until there is an answer; fails after a while with what was awaited. */
export async function eventually<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const end = Date.now() + 60_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    assert.ok(Date.now() < end, `not within a minute: ${what}`);
    await sleep(50);
  }
}

/** The messages that were logged since then, of this level and about this. */
export function logged(system: System, level: string, about: string, since = 0): string[] {
  const lines = system.logs().slice(since).map(({ message }) => {
    const json = message.slice(message.indexOf("{"), message.lastIndexOf("}") + 1);
    try {
      return JSON.parse(json);
    } catch {
      return {};
    }
  });
  return lines.filter((line) => line.level === level && line.about === about).map((line) => line.message);
}
