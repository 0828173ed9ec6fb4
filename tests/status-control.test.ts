// The control document as operators, proxies and readers use it, over a real Minecraft server.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type RequestOptions, type System, TIMEOUT, assertProblem, start } from "./support/harness.ts";
import { FAVICON, type MinecraftPeer, minecraft } from "./support/minecraft.ts";

const PATIENT = { timeout_ms: 5000, degraded_ms: 10_000 };
const HOUR = 3_600_000;

/** A moment as the API writes it, `ms` from now. */
const moment = (ms: number) => new Date(Date.now() + ms).toISOString().replace(/\.\d+Z$/, "Z");

const motd = (...lines: string[]) => ({ motd: { entries: [{ lines }] } });

let server: MinecraftPeer;
let system: System;

const cron = async () => {
  const { outcome } = await system.status.scheduled({ cron: "* * * * *", scheduledTime: new Date() });
  assert.equal(outcome, "ok");
};
const get = (path: string, options: RequestOptions = {}) => system.request(path, options);
const ask = (path: string) => get(path, { token: system.tokens.statusWrite });
const send = (method: string, path: string, body: unknown, options: RequestOptions = {}) =>
  system.request(path, {
    method,
    body: typeof body === "string" ? body : JSON.stringify(body),
    token: system.tokens.statusWrite,
    ...options,
  });
const put = async (body: unknown, options?: RequestOptions) => {
  const answer = await send("PUT", "/api/control", body, options);
  assert.equal(answer.status, 200, answer.text);
  return answer.json();
};
const patch = (body: unknown, options?: RequestOptions) => send("PATCH", "/api/control", body, options);
const inForce = async (query = "") => (await get(`/api/control${query}`)).json();
const document = async () => (await ask("/api/control/document")).json();
const history = async (query = "") => (await ask(`/api/control/history${query}`)).json();
const status = async (target = "") => (await get(`/api/status${target}`)).json();

before(async () => {
  server = await minecraft({ description: "Hello", players: { max: 20, online: 2, sample: [] } });
  system = await start({
    status: {
      targets: [
        { id: "main", address: "localhost", connect: `127.0.0.1:${server.port}`, ...PATIENT },
        { id: "lobby", address: "localhost", connect: `127.0.0.1:${server.port}`, ...PATIENT },
      ],
    },
  });
  await cron();
});
after(async () => {
  await system?.close();
  await server?.close();
});

describe("before the first change", { timeout: TIMEOUT }, () => {
  test("nothing is set, and the status is what the server says", async () => {
    const answer = await get("/api/control");
    assert.equal(answer.status, 200);
    assert.equal(answer.headers["access-control-allow-origin"], "*");
    assert.deepEqual(answer.json(), {
      revision: 0,
      target: "main",
      mode: "normal",
      motd: null,
      icon: null,
      maintenance: { active: false, message: null, reason: null, starts_at: null, ends_at: null, allow: [] },
      next_change_at: null,
    });
    const { motd, state, maintenance } = await status();
    assert.deepEqual([motd.clean, state, maintenance.active], ["Hello", "online", false]);
    assert.deepEqual((await document()).targets, {});
    assert.deepEqual(await history(), { entries: [], next_cursor: null });
    assertProblem(await send("POST", "/api/control/restore", { revision: 1 }), 404, "not-found", /revision 1/);
  });
});

describe("a change", { timeout: TIMEOUT }, () => {
  test("is what readers get, with its revision and its author", async () => {
    const made = await put(motd("<gold>genkan", "<gray><online>/<max>"));
    assert.equal(made.updated_by, "statusWrite");
    const { raw, clean, html, minimessage, component } = (await inForce()).motd;
    assert.equal(raw, "§6genkan§r\n§72/20");
    assert.equal(clean, "genkan\n2/20");
    assert.match(html, /<span style="color:#ffaa00">genkan<\/span><br>/);
    assert.equal(minimessage, "<gold>genkan</gold><newline><gray>2/20</gray>");
    assert.equal(component.extra[0].text, "genkan");
    assert.equal((await inForce()).revision, made.revision);
    const shown = await status();
    assert.equal(shown.motd.clean, "genkan\n2/20");
    assert.equal(shown.observed.motd.clean, "Hello");
    const [entry] = (await history()).entries;
    assert.deepEqual([entry.revision, entry.by, entry.after], [made.revision, "statusWrite", made]);
  });

  test("that says the same again is none", async () => {
    const { revision } = await put(motd("same"));
    assert.equal((await put(motd("same"))).revision, revision);
    assert.equal((await put(await document())).revision, revision);
    assert.equal((await patch({})).json().revision, revision);
  });

  test("by PATCH keeps what it does not name, and null takes away", async () => {
    await put({ ...motd("one"), icon: FAVICON, targets: { lobby: { icon: null, ...motd("lobby") } } });
    const merged = (await patch({ maintenance: { reason: "disk" }, icon: null })).json();
    assert.deepEqual([merged.icon, merged.maintenance.reason, merged.motd.entries[0].lines[0]], [null, "disk", "one"]);
    assert.equal((await inForce("?target=lobby")).motd.clean, "lobby");
    const inherited = (await patch({ targets: { lobby: { motd: null } } })).json();
    assert.deepEqual(inherited.targets, { lobby: { icon: null } });
    assert.equal((await inForce("?target=lobby")).motd.clean, "one");
    assert.deepEqual((await patch({ targets: { lobby: null }, maintenance: null })).json().targets, {});
  });

  test("with If-Match is made only to the document that it means", async () => {
    await put(motd("before"));
    const tag = (await ask("/api/control/document")).headers.etag as string;
    const same = await get("/api/control/document", { token: system.tokens.statusWrite, headers: { "If-None-Match": tag } });
    assert.equal(same.status, 304);
    const first = await patch(motd("first"), { headers: { "If-Match": tag } });
    assert.equal(first.status, 200);
    assert.notEqual(first.headers.etag, tag);
    for (const method of ["PUT", "PATCH"]) {
      const second = await send(method, "/api/control", motd("second"), { headers: { "If-Match": tag } });
      assertProblem(second, 412, "precondition-failed", /read it again/);
    }
    assert.equal((await inForce()).motd.clean, "first");
    const next = await patch(motd("third"), { headers: { "If-Match": first.headers.etag as string } });
    assert.equal(next.status, 200);
    assert.equal((await patch(motd("any"), { headers: { "If-Match": "*" } })).status, 200);
  });

  test("is undone by restore, as a change of its own", async () => {
    const one = await put(motd("one"));
    const two = await put(motd("two"));
    const restored = (await send("POST", "/api/control/restore", { revision: one.revision })).json();
    assert.equal(restored.revision, two.revision + 1);
    assert.deepEqual(restored.motd, one.motd);
    assert.equal((await inForce()).motd.clean, "one");
    const [entry] = (await history("?limit=1")).entries;
    assert.deepEqual([entry.before, entry.after], [two, restored]);
    const bodies: [unknown, number, string][] = [
      ["", 400, "bad-json"],
      [{}, 400, "bad-json"],
      [{ revision: -1 }, 400, "bad-json"],
      [{ revision: 1, x: 1 }, 400, "bad-json"],
      [{ revision: 4_000_000_000 }, 404, "not-found"],
    ];
    for (const [body, status, code] of bodies) {
      assertProblem(await send("POST", "/api/control/restore", body), status, code);
    }
  });

  test("twenty at once: one wins each revision, and all that won are in the audit", async () => {
    const { revision: start } = await put(motd("start"));
    const tag = (await ask("/api/control/document")).headers.etag as string;
    const conditional = await Promise.all(
      Array.from({ length: 20 }, (_, n) => put20(`a${n}`, { "If-Match": tag })),
    );
    const won = conditional.filter(({ status }) => status === 200);
    assert.equal(won.length, 1);
    for (const lost of conditional.filter(({ status }) => status !== 200)) {
      assertProblem(lost, 412, "precondition-failed");
    }
    const free = await Promise.all(Array.from({ length: 20 }, (_, n) => put20(`b${n}`, {})));
    const made = free.filter(({ status }) => status === 200).map((answer) => answer.json());
    assert.ok(made.length > 0);
    for (const lost of free.filter(({ status }) => status !== 200)) assertProblem(lost, 409, "conflict", /try again/);
    const expected = [won[0]?.json(), ...made].sort((a, b) => a.revision - b.revision);
    assert.deepEqual(
      expected.map(({ revision }) => revision),
      expected.map((_, n) => start + 1 + n),
    );
    const entries = (await history("?limit=50")).entries.slice(0, expected.length).reverse();
    assert.deepEqual(entries.map(({ after }: any) => after), expected);
    for (const [n, entry] of entries.slice(1).entries()) assert.deepEqual(entry.before, entries[n].after);
    const { STATUS_KV } = await system.env("status");
    assert.equal(JSON.parse((await STATUS_KV.get("control")) ?? "").revision, expected.at(-1).revision);
  });
  const put20 = (line: string, headers: Record<string, string>) =>
    send("PUT", "/api/control", motd(line), { headers });

  test("is found in the history page by page", async () => {
    const all = (await history("?limit=50")).entries.map(({ revision }: any) => revision);
    const seen: number[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const page: any = await history(`?limit=7${cursor && `&cursor=${cursor}`}`);
      seen.push(...page.entries.map(({ revision }: any) => revision));
      cursor = page.next_cursor;
    }
    assert.deepEqual(seen.slice(0, all.length), all);
    assert.deepEqual(seen, [...seen].sort((a, b) => b - a));
    assert.equal(seen.at(-1), 1);
    for (const query of ["?cursor=x", "?limit=-1", "?cursor=-1"]) {
      assertProblem(await ask(`/api/control/history${query}`), 400, "bad-request", /whole number/);
    }
  });
});

describe("maintenance", { timeout: TIMEOUT }, () => {
  test("is announced, then active, then over, in the status too", async () => {
    const maintenance = { enabled: true, message: "<red>Back at 18:00", reason: "disk", allow: ["Notch"] };
    await put({ ...motd("open"), maintenance: { ...maintenance, starts_at: moment(HOUR), ends_at: moment(2 * HOUR) } });
    let now = await inForce();
    assert.deepEqual([now.mode, now.motd.clean, now.maintenance.active], ["normal", "open", false]);
    assert.equal(now.next_change_at, now.maintenance.starts_at);
    assert.deepEqual(now.maintenance.allow, ["Notch"]);
    let shown = await status();
    assert.deepEqual([shown.state, shown.maintenance.active, shown.maintenance.message], ["online", false, "Back at 18:00"]);

    const over = { starts_at: moment(-2 * HOUR), ends_at: moment(-HOUR) };
    await patch({ maintenance: { ...over, auto_end: "never" } });
    now = await inForce();
    assert.deepEqual([now.mode, now.motd.clean, now.maintenance.reason], ["maintenance", "Back at 18:00", "disk"]);
    shown = await status();
    assert.deepEqual([shown.state, shown.motd.clean, shown.observed.motd.clean], ["maintenance", "Back at 18:00", "Hello"]);
    assert.deepEqual(shown.maintenance, { active: true, message: "Back at 18:00", ...over });

    await patch({ maintenance: { auto_end: "at-end" } });
    assert.deepEqual([(await inForce()).mode, (await status()).state], ["normal", "online"]);
    assert.deepEqual((await status()).maintenance, { active: false, message: null, starts_at: null, ends_at: null });
  });

  test("of one target is not that of another", async () => {
    await put({ ...motd("open"), targets: { lobby: { maintenance: { enabled: true, message: "closed" } } } });
    assert.deepEqual([(await inForce()).mode, (await inForce("?target=lobby")).mode], ["normal", "maintenance"]);
    assert.deepEqual([(await status()).state, (await status("/lobby")).state], ["online", "maintenance"]);
  });

  test("when-healthy ends with a healthy ping, which is on record and stays so", async () => {
    // The last ping that KV holds is older than the end, and the server is down.
    await put(motd("open"));
    const port = server.port;
    await server.close();
    await cron();
    const maintenance = { enabled: true, message: "closed", ends_at: moment(-1000), auto_end: "when-healthy" };
    const { revision } = await put({ ...motd("open"), maintenance });
    await cron();
    const down = await status();
    assert.deepEqual([down.state, down.online, (await inForce()).mode], ["maintenance", false, "maintenance"]);
    assert.equal((await document()).revision, revision);

    server = await minecraft({ description: "Hello", players: { max: 20, online: 2, sample: [] } }, port);
    await cron();
    assert.deepEqual([(await status()).state, (await inForce()).mode], ["online", "normal"]);
    await cron();
    const [entry] = (await history("?limit=1")).entries;
    assert.deepEqual([entry.revision, entry.by], [revision + 1, "auto-end"]);
    assert.deepEqual(entry.after.ended, { main: maintenance.ends_at, lobby: maintenance.ends_at });

    await server.close();
    await cron();
    assert.equal((await inForce()).mode, "normal", "a later failure does not bring it back");
    assert.equal((await status()).state, "degraded");
    server = await minecraft({ description: "Hello", players: { max: 20, online: 2, sample: [] } }, port);
    await cron();
    assert.equal((await document()).revision, revision + 1);
  });

  test("when-healthy ends with the first ping after its end, though KV is not told that all is as before", async () => {
    await put(motd("open"));
    const before = await status();
    const end = Date.parse(before.retrieved_at) + 1000;
    const maintenance = { enabled: true, message: "closed", ends_at: moment(end - Date.now()), auto_end: "when-healthy" };
    const { revision } = await put({ ...motd("open"), maintenance });
    assert.equal((await inForce()).mode, "maintenance");
    while (Date.now() < end) await sleep(50);
    await cron();
    const { mode, revision: now } = await inForce();
    assert.deepEqual([mode, now, (await status()).retrieved_at], ["normal", revision + 1, before.retrieved_at]);
  });
});

describe("a proxy", { timeout: TIMEOUT }, () => {
  test("polls with its tag and gets the news", async () => {
    await put(motd("one"));
    const first = await get("/api/control");
    const tag = first.headers.etag as string;
    const poll = () => get("/api/control", { headers: { "If-None-Match": tag } });
    assert.equal((await poll()).status, 304);
    const website = (await get("/api/status")).headers.etag as string;
    await put(motd("two"));
    assert.equal((await get("/api/status", { headers: { "If-None-Match": website } })).status, 200);
    const news = await poll();
    assert.deepEqual([news.status, news.json().motd.clean], [200, "two"]);
    const head = await get("/api/control", { method: "HEAD" });
    assert.deepEqual([head.status, head.text, head.headers.etag], [200, "", news.headers.etag]);
  });

  test("gets every format, in the colours of its client", async () => {
    await put({ ...motd("<#ffaa11>genkan", "&7<online> on"), icon: FAVICON });
    const text = async (query: string) => (await get(`/api/control${query}`)).text;
    assert.equal(await text("?format=legacy"), "§x§f§f§a§a§1§1genkan§r\n§72 on");
    assert.equal(await text("?format=legacy&protocol=340"), "§6genkan§r\n§72 on");
    assert.equal(await text("?format=minimessage&protocol=734"), "<gold>genkan</gold><newline><gray>2 on</gray>");
    assert.equal(await text("?format=minimessage&protocol=735"), "<#ffaa11>genkan</#ffaa11><newline><gray>2 on</gray>");
    const conf = JSON.parse(await text("?format=minimotd"));
    assert.deepEqual(conf.motds, [
      { line1: "<#ffaa11>genkan</#ffaa11>", line2: "<gray><online_players> on</gray>", icon: "genkan" },
    ]);
    assert.deepEqual([conf["motd-enabled"], conf["icon-enabled"]], [true, true]);
    assert.equal(JSON.parse(await text("?format=maintenance"))["maintenance-enabled"], false);
    assert.equal((await inForce()).icon, FAVICON);
    assert.equal((await status()).icon, FAVICON);
    for (const query of ["?format=yaml", "?protocol=-1", "?protocol=x", "?protocol=99999999999"]) {
      assertProblem(await get(`/api/control${query}`), 400, "bad-request");
    }
    assertProblem(await get("/api/control?target=nobody"), 404, "not-found");
  });

  test("is told when to look again", async () => {
    await put({ motd: { rotate_seconds: 3600, entries: [{ lines: ["a"] }, { lines: ["b"] }] } });
    const { next_change_at } = await inForce();
    assert.equal(Date.parse(next_change_at) % HOUR, 0);
    assert.ok(Date.parse(next_change_at) > Date.now() - 1000 && Date.parse(next_change_at) <= Date.now() + HOUR);
  });

  test("reports what it runs, and the operator sees it beside what the server shows", async () => {
    const { revision } = await put(motd("Hello"));
    const report = (name: string, applied: number | string, query = "") =>
      get(`/api/control${query}`, { headers: { "X-Proxy-Name": name, "X-Applied-Revision": String(applied) } });
    assert.equal((await report("eu-1", revision - 1)).status, 200);
    assert.equal((await report("eu-2", revision, "?target=lobby")).status, 200);
    let seen = (await ask("/api/control/proxies")).json();
    assert.equal(seen.revision, revision);
    const shown = seen.proxies.map(({ seen_at, ...rest }: any) => rest);
    assert.deepEqual(shown, [
      { target: "lobby", name: "eu-2", revision, current: true },
      { target: "main", name: "eu-1", revision: revision - 1, current: false },
    ]);
    // The change is too young for the ping to have seen it.
    assert.deepEqual([seen.targets[0].set, seen.targets[0].observed, seen.targets[0].drift], ["Hello", "Hello", null]);

    // What is new is written, the same again is not.
    await report("eu-1", revision);
    const { STATUS_DB } = await system.env("status");
    const writes = async () =>
      (await STATUS_DB.prepare("SELECT writes FROM proxies WHERE name = 'eu-1'").first<{ writes: number }>())?.writes;
    assert.equal(await writes(), 2);
    await Promise.all(Array.from({ length: 30 }, () => report("eu-1", revision)));
    assert.equal(await writes(), 2);
    // Nobody can make many writes, nor many proxies.
    for (let n = 0; n < 60; n += 1) await report("eu-1", n);
    assert.equal(await writes(), 20);
    for (let n = 0; n < 40; n += 1) await report(`x${n}`, 1);
    seen = (await ask("/api/control/proxies")).json();
    assert.equal(seen.proxies.length, 20);
    // Once one of them was silent for a while, a new one takes its place; those that report stay.
    const names = async () => (await ask("/api/control/proxies")).json().proxies.map(({ name }: any) => name);
    await report("eu-9", revision);
    assert.ok(!(await names()).includes("eu-9"));
    await STATUS_DB.prepare("UPDATE proxies SET seen_at = seen_at - 901 WHERE name LIKE 'x%'").run();
    for (const name of ["eu-9", "eu-10"]) await report(name, revision);
    const now = await names();
    assert.equal(now.length, 20);
    for (const name of ["eu-1", "eu-2", "eu-9", "eu-10"]) assert.ok(now.includes(name), name);

    for (const headers of [
      { "X-Applied-Revision": "1" },
      { "X-Applied-Revision": "x", "X-Proxy-Name": "a" },
      { "X-Applied-Revision": "1", "X-Proxy-Name": "<script>" },
      { "X-Applied-Revision": "1", "X-Proxy-Name": "x".repeat(65) },
    ]) {
      assertProblem(await get("/api/control", { headers }), 400, "bad-request", /X-/);
    }
    assert.equal((await get("/api/control", { headers: { "X-Proxy-Name": "only a name" } })).status, 200);
  });
});

describe("who may", { timeout: TIMEOUT }, () => {
  test("change: status:write alone; read: everybody what is in force", async () => {
    const operators: [string, string][] = [
      ["PUT", "/api/control"],
      ["PATCH", "/api/control"],
      ["POST", "/api/control/restore"],
      ["GET", "/api/control/document"],
      ["GET", "/api/control/history"],
      ["GET", "/api/control/preview?motd=x"],
      ["GET", "/api/control/proxies"],
    ];
    const before = await document();
    for (const [method, path] of operators) {
      const body = method === "GET" ? {} : { body: '{"revision":1}' };
      const none = await get(path, { method, ...body });
      assertProblem(none, 401, "unauthorized");
      assert.match(String(none.headers["www-authenticate"]), /^Bearer/);
      assert.equal(none.headers["access-control-allow-origin"], undefined);
      assert.equal(none.headers["cache-control"], "no-store");
      assertProblem(await get(path, { method, ...body, token: "wrong" }), 401, "unauthorized");
      assertProblem(await get(path, { method, ...body, token: system.tokens.packWrite }), 403, "forbidden", /status:write/);
    }
    assert.deepEqual(await document(), before);
    assert.equal((await get("/api/control/document", { token: system.tokens.operator })).status, 200);
    for (const [path, method, allow] of [
      ["/api/control", "DELETE", "GET, HEAD, PUT, PATCH"],
      ["/api/control/restore", "GET", "POST"],
      ["/api/control/document", "PUT", "GET, HEAD"],
    ] as const) {
      const refused = await send(method, path, "{}");
      assertProblem(refused, 405, "method-not-allowed");
      assert.equal(refused.headers.allow, allow);
    }
    assertProblem(await get("/api/control/nothing"), 404, "not-found");
  });
});
