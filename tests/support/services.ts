// A house whose services are watched: the cron's clock is moved a minute at a time, from the present on.

import assert from "node:assert/strict";
import { type Answer, type D1, type RequestOptions, type System } from "./harness.ts";

const MINUTE = 60_000;

export class Clock {
  /** The minute that was run last, in milliseconds since the epoch. */
  at: number;
  readonly system: System;

  constructor(system: System, at = Date.now()) {
    this.system = system;
    this.at = Math.floor(at / MINUTE) * MINUTE;
  }

  /** Fires the cron of ddns for the next minute, or for the one after so many. */
  async tick(minutes = 1): Promise<void> {
    this.at += minutes * MINUTE;
    await this.again();
  }

  /** Fires it for the same minute. */
  async again(): Promise<void> {
    const { outcome } = await this.system.ddns.scheduled({ cron: "* * * * *", scheduledTime: new Date(this.at) });
    assert.equal(outcome, "ok");
  }

  async ticks(count: number): Promise<void> {
    for (let n = 0; n < count; n += 1) await this.tick();
  }

  /** As the API writes it. */
  get text(): string {
    return new Date(this.at).toISOString().replace(".000Z", "Z");
  }
}

/** A 200 as JSON. */
export async function get(system: System, path: string, options: RequestOptions = {}): Promise<any> {
  const answer = await system.request(path, options);
  assert.equal(answer.status, 200, `${path}: ${answer.text}`);
  return answer.json();
}

export function post(system: System, path: string, token: string, body?: unknown): Promise<Answer> {
  const options = body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) };
  return system.request(path, { method: "POST", token, ...options });
}

export async function rows(db: D1, sql: string): Promise<any[]> {
  return (await db.prepare(sql).all<any>()).results;
}
