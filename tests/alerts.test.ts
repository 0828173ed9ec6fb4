// The outbox: every kind of channel is told in its own words, once, however it answers.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, beforeEach, test } from "node:test";
import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { Webhook } from "standardwebhooks";
import { type D1, type System, start, TIMEOUT } from "./support/harness.ts";
import "./support/outbound.ts";
import { hang, type Receiver, receiver, reset, status } from "./support/receiver.ts";

const KEY = `whsec_${randomBytes(24).toString("base64")}`;
const TOKEN = `tk_${randomBytes(16).toString("hex")}`;
const SLUG = randomBytes(16).toString("hex");
const START = Date.parse("2026-11-21T10:00:00Z");

let peer: Receiver;
let system: System;
let db: D1;

const paths = { discord: `/discord/${SLUG}`, slack: `/slack/${SLUG}`, hook: `/hook/${SLUG}`, ntfy: `/ntfy/${SLUG}` };

before(async () => {
  peer = await receiver();
  const channels: Record<string, string>[] = [
    { name: "discord", kind: "discord", secret: "DISCORD" },
    { name: "slack", kind: "slack", secret: "SLACK" },
    { name: "hook", kind: "webhook", secret: "HOOK", template: "{name}/{reason}" },
    { name: "ntfy", kind: "ntfy", secret: "NTFY", url: `${peer.url}${paths.ntfy}` },
    { name: "mail", kind: "email", from: "genkan@example.com", to: "operator@example.com" },
    { name: "unset", kind: "slack", secret: "NOT_THERE" },
  ];
  const secrets = {
    DISCORD: `${peer.url}${paths.discord}`,
    SLACK: `${peer.url}${paths.slack}`,
    HOOK: { url: `${peer.url}${paths.hook}`, key: KEY },
    NTFY: { topic: `topic-${SLUG}`, token: TOKEN },
  };
  system = await start({ ddns: { hosts: [], alerts: channels }, ddnsSecrets: { ALERTS: JSON.stringify(secrets) } });
  db = (await system.env("ddns")).OPS_DB;
});
after(async () => {
  await system?.close();
  await peer?.close();
});
beforeEach(async () => {
  for (const table of ["alerts", "alert_channels"]) await db.prepare(`DELETE FROM ${table}`).run();
  peer.heard.length = 0;
  for (const path of Object.values(paths)) peer.answer(path);
});

/** One run of the cron, so many minutes after the first alert. */
async function cron(minutes = 0) {
  const { outcome } = await system.ddns.scheduled({ cron: "* * * * *", scheduledTime: new Date(START + minutes * 60_000) });
  assert.equal(outcome, "ok");
}

const ALERT = {
  v: 1,
  event: "down",
  service: "web",
  name: "Website <@everyone> *x*",
  group: "home",
  state: "down",
  previous: "up",
  reason: 'status: answered 503 "&"',
  since: "2026-11-21T09:59:00Z",
  at: "2026-11-21T10:00:00Z",
  incident: "7",
};

/** Puts an alert into the outbox as the round over services does. */
async function tell(channel: string, over: Partial<typeof ALERT> = {}, key = "one") {
  const alert = { ...ALERT, ...over };
  const sql = "INSERT INTO alerts (channel, key, at, alert, due_at) VALUES (?1, ?2, ?3, ?4, ?3) ON CONFLICT (channel, key) DO NOTHING";
  await db.prepare(sql).bind(channel, key, alert.at, JSON.stringify(alert)).run();
}

const rows = async () => (await db.prepare("SELECT * FROM alerts ORDER BY id").all<any>()).results;
const states = async () => (await db.prepare("SELECT * FROM alert_channels ORDER BY channel").all<any>()).results;
const settled = async () => (await rows()).map((row) => row.settled_at !== null);

test("Discord gets an embed in which nothing formats and nobody is mentioned", { timeout: TIMEOUT }, async () => {
  await tell("discord");
  await cron();
  const [sent, ...more] = peer.heard;
  assert.equal(more.length, 0);
  assert.deepEqual([sent?.method, sent?.path, sent?.headers["content-type"]], ["POST", paths.discord, "application/json"]);
  const body = JSON.parse(sent?.body ?? "");
  assert.deepEqual(body.allowed_mentions, { parse: [] });
  const [embed] = body.embeds;
  assert.equal(embed.title, "Website \\<\\@everyone\\> \\*x\\* is down");
  assert.match(embed.description, /^status\\: answered 503 "&"\nsince /);
  assert.equal(embed.timestamp, ALERT.at);
  assert.equal(typeof embed.color, "number");
  assert.deepEqual(await settled(), [true]);
});

test("Slack gets blocks of plain text and an escaped fallback", { timeout: TIMEOUT }, async () => {
  await tell("slack");
  await cron();
  const body = JSON.parse(peer.at(paths.slack)[0]?.body ?? "");
  assert.ok(body.text.startsWith("Website &lt;@everyone&gt; *x* is down\nstatus: answered 503 \"&amp;\""), body.text);
  assert.deepEqual(
    body.blocks.map((block: any) => [block.type, block.text.type]),
    [["header", "plain_text"], ["section", "plain_text"]],
  );
  assert.equal(body.blocks[0].text.text, "Website <@everyone> *x* is down");
});

test("a webhook is signed as Standard Webhooks has it", { timeout: TIMEOUT }, async () => {
  await tell("hook");
  await cron();
  const [sent] = peer.at(paths.hook);
  assert.ok(sent);
  const verified = new Webhook(KEY).verify(sent.body, sent.headers as Record<string, string>) as any;
  assert.throws(() => new Webhook(KEY).verify(`${sent.body} `, sent.headers as Record<string, string>));
  assert.equal(verified.type, "service.down");
  assert.equal(verified.timestamp, ALERT.at);
  const { service, name, group, state, previous, reason, since, incident } = ALERT;
  assert.deepEqual(verified.data, { service, name, group, state, previous, reason, since, incident, text: `${name}/${reason}` });
});

test("ntfy gets its topic, its token and any character", { timeout: TIMEOUT }, async () => {
  await tell("ntfy", { name: "家のNAS", event: "up", state: "up", previous: "down" });
  await cron();
  const [sent] = peer.at(paths.ntfy);
  assert.equal(sent?.headers["authorization"], `Bearer ${TOKEN}`);
  const body = JSON.parse(sent?.body ?? "");
  assert.deepEqual(
    [body.topic, body.title, body.priority, body.tags],
    [`topic-${SLUG}`, "家のNAS is up again", 3, ["white_check_mark"]],
  );
});

/** What is written to the terminal meanwhile: there, and into a file, the local `send_email` leaves what it took. */
async function printed(work: () => Promise<void>, until: RegExp): Promise<string> {
  let text = "";
  const write = process.stdout.write;
  process.stdout.write = ((chunk: unknown, ...rest: unknown[]) => {
    text += String(chunk);
    return Reflect.apply(write, process.stdout, [chunk, ...rest]);
  }) as typeof write;
  try {
    await work();
    for (let tries = 0; tries < 100 && !until.test(text); tries += 1) await sleep(50);
  } finally {
    process.stdout.write = write;
  }
  return text;
}

test("mail is handed to the platform's binding", { timeout: TIMEOUT }, async () => {
  await tell("mail");
  const text = await printed(cron, /Text: .+\.txt/);
  assert.match(text, /From: genkan@example\.com\n.*To: operator@example\.com\n.*Subject: Website <@everyone> \*x\* is down\n/);
  const file = /Text: (.+\.txt)/.exec(text)?.[1] ?? "";
  assert.match(readFileSync(file, "utf8"), /^status: answered 503 "&"\nsince 2026-11-21T09:59:00Z \(before: up\)$/);
  assert.deepEqual(await settled(), [true]);
  const [state] = await states();
  assert.deepEqual([state.channel, state.error, state.sent], ["mail", null, 1]);
});

test("what fails is sent again, later each time, under the same id, and then never again", { timeout: TIMEOUT }, async () => {
  peer.answer(paths.hook, status(500), reset, status(307, { location: "/elsewhere" }), status(503));
  await tell("hook");
  const counts = [];
  for (const minute of [0, 0, 1, 2, 3, 5, 7, 10, 14, 15, 20, 60]) {
    await cron(minute);
    counts.push(peer.at(paths.hook).length);
  }
  // after 1, 2, 4 and 8 minutes
  assert.deepEqual(counts, [1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5]);
  assert.equal(new Set(peer.heard.map(({ headers }) => headers["webhook-id"])).size, 1);
  assert.equal(peer.at("/elsewhere").length, 0);
  assert.deepEqual(await settled(), [true]);
  const [state] = await states();
  assert.deepEqual([state.error, state.failing_since, state.sent], [null, null, 1]);
});

test("a receiver that asks to be left alone is, and the others hear of it meanwhile", { timeout: TIMEOUT }, async () => {
  peer.answer(paths.discord, status(429, { "retry-after": "600" }));
  await tell("discord");
  await tell("discord", { event: "up" }, "two");
  await tell("ntfy");
  await cron();
  assert.deepEqual([peer.at(paths.discord).length, peer.at(paths.ntfy).length], [1, 1]);
  await cron(10);
  assert.equal(peer.at(paths.discord).length, 1);
  const [state] = await states();
  assert.deepEqual([state.error, state.failing_since], ["answered 429", "2026-11-21T10:00:00Z"]);
  await cron(11);
  assert.deepEqual(await settled(), [true, true, true]);
  const titles = peer.at(paths.discord).slice(1).map(({ body }) => JSON.parse(body).embeds[0].title);
  assert.deepEqual(titles.map((title: string) => title.split(" is ")[1]), ["down", "up again"], "in order");
});

test("a receiver that hangs delays nobody else and is told later", { timeout: TIMEOUT }, async () => {
  peer.answer(paths.slack, hang);
  for (const channel of ["slack", "discord", "ntfy", "hook"]) await tell(channel);
  const begun = Date.now();
  await cron();
  assert.ok(Date.now() - begun < 10_000);
  assert.deepEqual(await settled(), [false, true, true, true]);
  assert.equal((await states()).find(({ channel }) => channel === "slack").error, "no answer within 5000 ms");
  await cron(1);
  assert.deepEqual(await settled(), [true, true, true, true]);
});

test("an alert that is refused does not hold up the next one", { timeout: TIMEOUT }, async () => {
  peer.answer(paths.slack, status(400));
  await tell("slack");
  await tell("slack", { event: "up" }, "two");
  await cron();
  assert.deepEqual(await settled(), [false, true]);
});

test("crons at once, and an alert that is put in twice, send it once", { timeout: TIMEOUT }, async () => {
  await tell("ntfy");
  await Promise.all([cron(), cron(), cron(1)]);
  await tell("ntfy");
  await cron(2);
  assert.equal(peer.at(paths.ntfy).length, 1);
  assert.equal((await rows()).length, 1);
  assert.equal((await rows())[0].alert, null, "its text is gone");
  await tell("ntfy", {}, "much later");
  await cron(2 * 24 * 60 + 3);
  assert.deepEqual((await rows()).map(({ key }) => key), ["much later"], "and after two days its row");
});

test("a run sends six at most, and the rest comes next", { timeout: TIMEOUT }, async () => {
  for (let n = 0; n < 8; n += 1) await tell("ntfy", {}, `key-${n}`);
  await cron();
  assert.equal(peer.heard.length, 6);
  await cron(1);
  assert.equal(peer.heard.length, 8);
});

/** Puts so many rows into the outbox, that were due one minute after the other. */
async function backlog(channel: string, count: number, event = "down") {
  for (let n = 0; n < count; n += 1) {
    const at = new Date(START - (count - n) * 60_000).toISOString().replace(".000Z", "Z");
    await tell(channel, { event, at, service: `s${n}` }, `${event} s${n} ${at}`);
  }
}

test("a channel with much to hear takes no other's turn, and within one what happens comes before reminders", { timeout: TIMEOUT }, async () => {
  await backlog("ntfy", 20);
  await backlog("slack", 10, "reminder");
  for (const channel of ["discord", "hook", "slack"]) await tell(channel, {}, `down web ${ALERT.at}`);
  await cron();
  const counts = () => [paths.ntfy, paths.slack, paths.discord, paths.hook].map((path) => peer.at(path).length);
  assert.deepEqual(counts(), [2, 2, 1, 1]);
  assert.ok(peer.at(paths.slack).some(({ body }) => JSON.parse(body).text.includes("is down")), "the news");
  await cron(1);
  assert.deepEqual(counts(), [5, 5, 1, 1]);
});

test("with more channels than a run has places, who has heard nothing for longest is first", { timeout: TIMEOUT }, async () => {
  await backlog("gone", 30); // nobody to tell: it takes a place all the same
  for (const channel of ["ntfy", "slack", "discord", "mail", "unset", "hook"]) await backlog(channel, 12);
  const sql = "INSERT INTO alert_channels (channel, last_ok_at, day, sent) VALUES (?1, ?2, '2026-11-21', 1)";
  for (const channel of ["gone", "ntfy", "slack", "discord", "mail", "unset"]) await db.prepare(sql).bind(channel, "2026-11-21T09:59:00Z").run();
  await db.prepare(sql).bind("hook", "2026-11-20T10:00:00Z").run();
  await cron();
  assert.equal(peer.at(paths.hook).length, 1);
});

test("receivers that are slow hold up none of the others", { timeout: TIMEOUT }, async () => {
  const slow = (response: ServerResponse) => void globalThis.setTimeout(() => response.writeHead(204).end(), 4000);
  const heard: Record<string, number> = {};
  for (const channel of ["slack", "discord", "ntfy"] as const) {
    await backlog(channel, 10);
    peer.answer(paths[channel], slow, slow, slow, slow);
  }
  const begun = Date.now();
  peer.answer(paths.hook, (response) => ((heard["hook"] = Date.now() - begun), response.writeHead(204).end()));
  await tell("hook");
  await cron();
  assert.ok(heard["hook"]! < 3500, `after ${heard["hook"]} ms`);
});

test("reminders leave room for what happens", { timeout: TIMEOUT }, async () => {
  await db.prepare("INSERT INTO alert_channels (channel, day, sent) VALUES ('ntfy', '2026-11-21', 150)").run();
  await backlog("ntfy", 3, "reminder");
  await tell("ntfy", { event: "up", state: "up", previous: "down" }, `up web ${ALERT.at}`);
  await cron();
  assert.deepEqual(peer.heard.map(({ body }) => JSON.parse(body).title.split(" is ")[1]), ["up again"]);
  await cron(14 * 60);
  assert.equal(peer.heard.length, 4, "the next day they are told");
});

test("a channel that has had its share of the day waits for the next day", { timeout: TIMEOUT }, async () => {
  await db.prepare("INSERT INTO alert_channels (channel, day, sent) VALUES ('ntfy', '2026-11-21', 200)").run();
  await tell("ntfy");
  await cron();
  assert.equal(peer.heard.length, 0);
  await cron(14 * 60);
  assert.equal(peer.heard.length, 1);
  assert.equal((await states())[0].sent, 1);
});

test("after a day nobody is told any more, and the log says so", { timeout: TIMEOUT }, async () => {
  peer.answer(paths.slack, status(500));
  await tell("slack");
  await cron(24 * 60 + 1);
  assert.deepEqual(await settled(), [true]);
  assert.match(JSON.stringify(system.logs()), /1 alerts were not delivered within a day/);
});

test("what cannot be sent says why, and what has no channel is dropped", { timeout: TIMEOUT }, async () => {
  await tell("unset");
  await tell("gone");
  await cron();
  assert.deepEqual(await settled(), [false, true]);
  const [state, ...others] = await states();
  assert.equal(others.length, 0);
  assert.deepEqual([state.channel, state.error], ["unset", "the secret ALERTS has no NOT_THERE"]);
});

test("a channel that fails shows in the health, by name for operators alone, until it works again", { timeout: TIMEOUT }, async () => {
  const health = async (token?: string) => {
    const headers: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    const answer = await system.ddns.fetch("http://ddns.test/api/health", { headers });
    assert.equal(answer.status, 200);
    const { checks } = (await answer.json()) as any;
    const [check] = checks["alerts:failing"];
    return [check.status, check.output ?? ""];
  };
  // One lacks its secret all the time.
  const unset = "1 of 6 alert channels fail";
  assert.deepEqual(await health(), ["warn", unset]);
  assert.equal((await health(system.tokens.opsRead))[1], `${unset} (unset: the secret ALERTS has no NOT_THERE)`);
  peer.answer(paths.slack, status(403));
  await tell("slack");
  await cron();
  const [state, words] = await health();
  assert.equal(state, "warn");
  assert.match(words, /2 of 6 alert channels fail/);
  assert.ok(!words.includes("slack") && !words.includes("403"));
  assert.match((await health(system.tokens.opsRead))[1], /slack: answered 403/);
  await cron(1);
  assert.deepEqual(await health(), ["warn", unset]);
});

test("no secret is in the log, in D1 or in what others are told", { timeout: TIMEOUT }, async () => {
  peer.answer(paths.discord, status(500));
  peer.answer(paths.hook, reset);
  for (const channel of ["discord", "hook", "ntfy", "slack"]) await tell(channel);
  await cron();
  const everything = JSON.stringify([system.logs(), await rows(), await states()]);
  for (const secret of [KEY.slice(6), TOKEN, SLUG]) assert.ok(!everything.includes(secret));
  for (const { path, body } of peer.heard) {
    assert.ok(!body.includes(TOKEN) && !body.includes(KEY.slice(6)));
    if (path !== paths.ntfy) assert.ok(!body.includes(SLUG));
  }
});
