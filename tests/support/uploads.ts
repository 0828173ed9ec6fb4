// Uploads that take several requests: in parts, and put directly into the bucket.

import assert from "node:assert/strict";
import { once } from "node:events";
import { type Socket, connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Answer, RequestOptions, System } from "./harness.ts";

/** Where uploads in parts lie in R2. */
export const UPLOADS = "incoming/_uploads/";

/** The largest pack that the game downloads, in bytes. */
export const LARGEST = 262_144_000;

export const DAY = 24 * 60 * 60 * 1000;

/** What takes an operator's requests. */
export type Front = Pick<System, "request"> & { tokens: { operator: string } };

/** `POST /api/uploads` with these fields by the operator, unless another token is named. */
export function begin(system: Front, fields: Record<string, unknown>, options: RequestOptions = {}): Promise<Answer> {
  const body = JSON.stringify(fields);
  return system.request("/api/uploads", { method: "POST", token: system.tokens.operator, body, ...options });
}

/** Begins an upload of these bytes, which must be possible; gives its id and the bytes of each part. */
export async function begun(
  system: Front,
  bytes: Uint8Array,
  fields: Record<string, unknown> = {},
): Promise<{ id: string; parts: Uint8Array[] }> {
  const answer = await begin(system, { size: bytes.length, ...fields });
  assert.equal(answer.status, 201, answer.text);
  const { id, part_size, parts } = answer.json();
  const split = Array.from({ length: parts }, (_, index) => bytes.subarray(index * part_size, (index + 1) * part_size));
  assert.equal(split.reduce((sum, part) => sum + part.length, 0), bytes.length);
  return { id, parts: split };
}

export function putPart(
  system: Front,
  id: string,
  number: number | string,
  body: Uint8Array,
  options: RequestOptions = {},
): Promise<Answer> {
  const path = `/api/uploads/${id}/parts/${number}`;
  return system.request(path, { method: "PUT", token: system.tokens.operator, body, ...options });
}

/** Puts all parts, one after another. */
export async function putAll(system: Front, id: string, parts: Uint8Array[]): Promise<void> {
  for (const [index, part] of parts.entries()) {
    const answer = await putPart(system, id, index + 1, part);
    assert.equal(answer.status, 200, answer.text);
  }
}

export function complete(system: Front, id: string): Promise<Answer> {
  return system.request(`/api/uploads/${id}/complete`, { method: "POST", token: system.tokens.operator });
}

export function show(system: Front, id: string): Promise<Answer> {
  return system.request(`/api/uploads/${id}`, { token: system.tokens.operator });
}

export function abort(system: Front, id: string): Promise<Answer> {
  return system.request(`/api/uploads/${id}`, { method: "DELETE", token: system.tokens.operator });
}

/** Waits until something is there. */
export async function eventually<T>(what: string, look: () => Promise<T | undefined | null | false>, ms = 100_000): Promise<T> {
  const until = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) return found;
    assert.ok(Date.now() < until, `${what}: not within ${ms} ms`);
    await sleep(50);
  }
}

/** Waits until an upload is `ready` or `rejected`; gives what `GET` says of it then. */
export function settled(system: Front, id: string): Promise<any> {
  return eventually(`upload ${id}`, async () => {
    const shown = (await show(system, id)).json();
    return ["ready", "rejected"].includes(shown.state) && shown;
  });
}

/** The whole way; gives the release. */
export async function inParts(system: Front, bytes: Uint8Array, fields: Record<string, unknown> = {}): Promise<any> {
  const { id, parts } = await begun(system, bytes, fields);
  await putAll(system, id, parts);
  const completed = await complete(system, id);
  assert.ok([201, 202].includes(completed.status), completed.text);
  if (completed.status === 201) return completed.json();
  const { state, reason, release } = await settled(system, id);
  assert.equal(state, "ready", reason);
  return release;
}

/** The keys in `incoming/`, in order. */
export async function incoming(system: System): Promise<string[]> {
  const { PACKS } = await system.env("pack");
  return (await PACKS.list({ prefix: "incoming/" })).objects.map(({ key }) => key);
}

/** Changes the stored record of an upload. */
export async function rewrite(system: System, id: string, change: Record<string, unknown>): Promise<void> {
  const { PACKS } = await system.env("pack");
  const key = `${UPLOADS}${id}/upload.json`;
  const record = JSON.parse((await (await PACKS.get(key))?.text()) ?? "null");
  assert.ok(record, `there is no ${key}`);
  await PACKS.put(key, JSON.stringify({ ...record, ...change }));
}

/** As the registry has times. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

/** Fires the cron of `pack`, as if it were due so much later than now. */
export async function cron(system: System, laterMs = 0): Promise<void> {
  const scheduledTime = new Date(Date.now() + laterMs);
  assert.equal((await system.pack.scheduled({ cron: "*/5 * * * *", scheduledTime })).outcome, "ok");
}

/** A PUT whose body comes by and by. */
export interface Slow {
  send(bytes: Uint8Array): Promise<void>;
  /** What is answered once all has been sent: the status. */
  answered(): Promise<number>;
  breakOff(): Promise<void>;
}

/** Sends the head of a PUT by the operator. */
export async function slowPut(system: System, path: string, length: number): Promise<Slow> {
  const { hostname, port } = new URL(system.url);
  const socket: Socket = connect(Number(port), hostname);
  socket.on("error", () => {}); // that the other end resets is no surprise
  await once(socket, "connect");
  let answer = "";
  socket.on("data", (data: Buffer) => (answer += data.toString("latin1")));
  const head = [
    `PUT ${path} HTTP/1.1`,
    `Host: ${hostname}:${port}`,
    `Authorization: Bearer ${system.tokens.operator}`,
    `Content-Length: ${length}`,
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  return {
    send: (bytes) => new Promise((resolve) => socket.write(bytes, () => resolve())),
    answered: async () => {
      const status = () => Promise.resolve(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
      const found = await eventually(`the answer to PUT ${path}`, status);
      socket.destroy();
      return Number(found);
    },
    breakOff: async () => {
      const closed = once(socket, "close");
      socket.destroy();
      await closed;
    },
  };
}
