// The control document when something is lost, broken, edited by hand, hostile or down.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { type D1, type Kv, type RequestOptions, type System, TIMEOUT, assertProblem, start } from "./support/harness.ts";
import { closedPort } from "./support/tcp.ts";

const motd = (...lines: string[]) => ({ motd: { entries: [{ lines }] } });

let system: System;
let kv: Kv;
let db: D1;

const cron = async () => {
  const { outcome } = await system.status.scheduled({ cron: "* * * * *", scheduledTime: new Date() });
  assert.equal(outcome, "ok");
};
const get = (path: string, options: RequestOptions = {}) => system.request(path, options);
const ask = (path: string) => get(path, { token: system.tokens.statusWrite });
const send = (method: string, path: string, body: string | Uint8Array, options: RequestOptions = {}) =>
  system.request(path, { method, body, token: system.tokens.statusWrite, ...options });
const put = async (body: unknown) => {
  const answer = await send("PUT", "/api/control", JSON.stringify(body));
  assert.equal(answer.status, 200, answer.text);
  return answer.json();
};
const clean = async () => (await get("/api/control")).json().motd?.clean;
const document = async () => (await ask("/api/control/document")).json();
const last = async () => (await ask("/api/control/history?limit=1")).json().entries[0];
/** As if the last change had been made so many seconds ago: KV had its time to show it. */
const age = (seconds: number) => db.prepare(`UPDATE control_history SET at = at - ${seconds}`).run();

before(async () => {
  const connect = `127.0.0.1:${await closedPort()}`;
  system = await start({ status: { targets: [{ id: "main", address: "localhost", connect, timeout_ms: 1000 }] } });
  ({ STATUS_KV: kv, STATUS_DB: db } = await system.env("status"));
  await cron();
});
after(() => system?.close());

describe("KV", { timeout: TIMEOUT }, () => {
  test("that is lost is answered from D1, and written again by the cron", async () => {
    const made = await put(motd("kept"));
    await kv.delete("control");
    assert.equal(await clean(), "kept");
    assert.equal((await get("/api/status")).json().motd.clean, "kept");
    assert.deepEqual(await document(), made);
    await cron();
    assert.equal(await kv.get("control"), null, "a young change may not be seen here yet");
    await age(100);
    await cron();
    assert.deepEqual(JSON.parse((await kv.get("control")) ?? ""), made);
    assert.equal(await clean(), "kept");
  });

  test("that is behind, since a write was cut off after its claim, is brought up by the cron", async () => {
    await put(motd("old"));
    const old = (await kv.get("control")) ?? "";
    const made = await put(motd("new"));
    await kv.put("control", old);
    assert.deepEqual(await document(), made, "operators see what was claimed");
    await age(100);
    await cron();
    assert.deepEqual(JSON.parse((await kv.get("control")) ?? ""), made);
    assert.equal((await last()).revision, made.revision, "an old value is no edit");
  });

  test("that is edited by hand is in force at once, and becomes a revision", async () => {
    const { revision } = await put(motd("by token"));
    const edits = [
      ((await kv.get("control")) ?? "").replace("by token", "same revision"),
      JSON.stringify(motd("no revision")),
      JSON.stringify({ revision: 5000, ...motd("another revision") }),
    ];
    for (const [n, edit] of edits.entries()) {
      await kv.put("control", edit);
      const line = JSON.parse(edit).motd.entries[0].lines[0];
      assert.equal(await clean(), line);
      if (n % 2 === 0) await cron();
      const taken = await document();
      assert.deepEqual([taken.revision, taken.updated_by, taken.motd.entries[0].lines[0]], [revision + 1 + n, "kv", line]);
      assert.deepEqual(JSON.parse((await kv.get("control")) ?? ""), taken);
      const entry = await last();
      assert.deepEqual([entry.by, entry.after], ["kv", taken]);
      assert.equal(entry.before.revision, revision + n);
      await cron();
      assert.equal((await last()).revision, taken.revision, "once");
    }
    const entry = (await put(motd("by token again"))) && (await last());
    assert.deepEqual([entry.by, entry.before.updated_by], ["statusWrite", "kv"]);
  });

  test("that is broken by hand is told, and the last good document stays in force", async () => {
    const good = await put(motd("good"));
    const nested = JSON.stringify(motd("<b>".repeat(100_000)));
    const broken: [string, RegExp][] = [
      ["", /JSON/],
      ["{", /JSON/],
      ["\u0000", /JSON/],
      ["[]", /object/],
      ['{"v":2}', /version 2/],
      ['{"motds":{}}', /unknown field/],
      ['{"motd":{"entries":[{"lines":["\\ud800"]}]}}', /JSON/],
      ['{"motd":{"entries":[{"lines":["<script>alert(1)</script>"]}]}}', /unknown tag <script>/],
      [nested, /bytes/],
      ["[".repeat(50_000), /JSON/],
    ];
    for (const [text, why] of broken) {
      await kv.put("control", text);
      assert.equal(await clean(), "good", text.slice(0, 40));
      assert.equal((await get("/api/status")).json().motd.clean, "good");
      const { problem, ...shown } = await document();
      assert.match(problem.message, why);
      assert.deepEqual(shown, good);
      await cron();
      assert.equal(await kv.get("control"), text, "it is left for its author to see");
      assert.ok(system.logs().some(({ level, message }) => level === "error" && message.includes("stays in force")));
    }
    // Sending what is in force again is enough.
    assert.equal((await put({ ...good, problem: { at: "", message: "" } })).revision, good.revision);
    assert.deepEqual(JSON.parse((await kv.get("control")) ?? ""), good);
    assert.equal((await document()).problem, undefined);
  });

  test("that names a target which is not there by hand is in force, and that part of it is told", async () => {
    await put(motd("by token"));
    await kv.put("control", JSON.stringify({ ...motd("by hand"), targets: { loby: motd("never shown") } }));
    assert.equal(await clean(), "by hand");
    const { warnings, ...taken } = await document();
    const told = [{ at: "targets.loby", message: "there is no such target; there are main" }];
    assert.deepEqual([warnings, taken.updated_by], [told, "kv"]);
    const health = async () => {
      const response = await system.status.fetch("http://status.test/api/health");
      const { checks } = (await response.json()) as any;
      return checks["control:document"][0];
    };
    const check = await health();
    assert.equal(check.status, "warn");
    assert.match(check.output, /does nothing: targets\.loby: there is no such target/);
    // What was shown can be sent back; the part that does nothing goes by a null.
    const sent = await put({ ...taken, warnings });
    assert.deepEqual([sent.revision, sent.warnings], [taken.revision, told]);
    const mended = await send("PATCH", "/api/control", '{"targets":{"loby":null}}');
    assert.equal(mended.json().warnings, undefined);
    assert.equal((await health()).status, "pass");
    // A revision that names it is restored all the same.
    const restored = await send("POST", "/api/control/restore", JSON.stringify({ revision: taken.revision }));
    assert.equal(restored.status, 200, restored.text);
    assert.deepEqual([restored.json().warnings, restored.json().targets], [told, taken.targets]);
    await send("PATCH", "/api/control", '{"targets":null}');
  });
});

describe("D1 that fails", { timeout: TIMEOUT }, () => {
  test("refuses changes, which then change nothing, and readers do not notice", async () => {
    const made = await put(motd("safe"));
    await db.prepare("ALTER TABLE control_history RENAME TO away").run();
    try {
      const kept = await kv.get("control");
      for (const [method, path, body] of [
        ["PUT", "/api/control", "{}"],
        ["PATCH", "/api/control", "{}"],
        ["POST", "/api/control/restore", '{"revision":1}'],
      ] as const) {
        const refused = await send(method, path, body);
        assertProblem(refused, 503, "unavailable", /nothing was changed/);
        assert.ok(Number(refused.headers["retry-after"]) > 0);
      }
      for (const path of ["document", "history", "proxies"]) {
        assertProblem(await ask(`/api/control/${path}`), 503, "unavailable");
      }
      assert.equal(await clean(), "safe");
      assert.equal((await get("/api/status")).json().motd.clean, "safe");
      assert.equal(await kv.get("control"), kept);
      // Both at once: what is known here stays.
      await kv.delete("control");
      assert.equal(await clean(), "safe");
      assert.equal((await get("/api/status")).status, 200);
      await kv.put("control", kept ?? "");
      // Pings go on without it.
      const pinged = (await get("/api/status")).status;
      await system.status.scheduled({ cron: "* * * * *", scheduledTime: new Date() });
      assert.deepEqual([pinged, (await get("/api/status")).status], [200, 200]);
    } finally {
      await db.prepare("ALTER TABLE away RENAME TO control_history").run();
    }
    assert.deepEqual(await document(), made);
  });

  test("for reports alone costs a proxy nothing", async () => {
    await db.prepare("ALTER TABLE proxies RENAME TO away").run();
    try {
      const headers = { "X-Proxy-Name": "eu-1", "X-Applied-Revision": "1" };
      assert.equal((await get("/api/control", { headers })).status, 200);
    } finally {
      await db.prepare("ALTER TABLE away RENAME TO proxies").run();
    }
  });
});

describe("a bad body", { timeout: TIMEOUT }, () => {
  test("is refused with its place, and nothing is changed", async () => {
    const made = await put(motd("untouched"));
    const lines = (...lines: unknown[]) => JSON.stringify({ motd: { entries: [{ lines }] } });
    const table: [string | Uint8Array, number, string, RegExp][] = [
      ["", 400, "bad-json", /empty/],
      ["  \n", 400, "bad-json", /empty/],
      ["{", 400, "bad-json", /EOF/],
      ["[]", 400, "bad-json", /object/],
      ["null", 400, "bad-json", /object/],
      ['{"motd":1}', 400, "bad-json", /motd/],
      ['{"maintenance":[true]}', 400, "bad-json", /maintenance: must be an object/],
      ['{"maintenance":{"enabled":"yes"}}', 400, "bad-json", /maintenance\.enabled/],
      ['{"maintenance":{"starts_at":"soon"}}', 400, "bad-json", /RFC 3339/],
      ['{"v":2}', 400, "bad-json", /version 2/],
      ['{"x":1}', 400, "bad-json", /unknown field/],
      [lines("\ud800").replace("\ud800", "\\ud800"), 400, "bad-json", /surrogate|hex escape/],
      [new Uint8Array([0x7b, 0xff, 0x7d]), 400, "bad-json", /./],
      ["[".repeat(60_000), 400, "bad-json", /object, not an array/],
      [`{"motd":${"[".repeat(60_000)}`, 400, "bad-json", /recursion/],
      [lines("a\u0000b"), 422, "unprocessable", /lines\[0\]: character 1 is the control character/],
      [lines("a", "<nope>"), 422, "unprocessable", /motd\.entries\[0\]\.lines\[1\]: character 0: unknown tag <nope>/],
      [lines("<script>alert(1)</script>"), 422, "unprocessable", /unknown tag <script>/],
      [lines("<red>§6x"), 422, "unprocessable", /§ codes/],
      [lines("a\nb"), 422, "unprocessable", /lines/],
      [lines("a", "b", "c"), 422, "unprocessable", /one line or two/],
      [lines("x".repeat(2000)), 422, "unprocessable", /1024/],
      [lines("<b>".repeat(20_000)), 422, "unprocessable", /bytes/],
      ['{"icon":"data:image/png;base64,AAAA"}', 422, "unprocessable", /icon: must be a PNG/],
      ['{"targets":{"nobody":{}}}', 422, "unprocessable", /targets\.nobody: there is no such target; there are main/],
      ['{"targets":{"main":{"motd":{"entries":[{"lines":["<x>"]}]}}}}', 422, "unprocessable", /targets\.main\.motd/],
      [lines("<b>".repeat(100_000)), 413, "too-large", /65536/],
    ];
    for (const method of ["PUT", "PATCH"]) {
      for (const [body, status, code, detail] of table) {
        assertProblem(await send(method, "/api/control", body), status, code, detail);
      }
    }
    assertProblem(await send("PUT", "/api/control", "{}", { chunked: true }), 411, "length-required");
    assert.deepEqual(await document(), made);
  });

  test("sent by somebody without the right is not even read", async () => {
    const { token, ...rest } = { token: system.tokens.packWrite, method: "PUT" };
    assertProblem(await get("/api/control", { ...rest, token, body: "{" }), 403, "forbidden");
    assertProblem(await get("/api/control", { ...rest, body: "x".repeat(100_000) }), 401, "unauthorized");
  });
});

describe("a token narrowed to a target", { timeout: TIMEOUT }, () => {
  test("reads everything and changes that target's overrides alone", async () => {
    const sha256 = createHash("sha256").update("narrow").digest("hex");
    const tokens = JSON.stringify([{ name: "narrow", sha256, scopes: ["status:write:lobby"] }]);
    const target = (id: string) => ({ id, address: "localhost", connect: "127.0.0.1:9", timeout_ms: 1000 });
    const narrowed = await start({ tokens, status: { targets: [target("main"), target("lobby")] } });
    try {
      const as = (method: string, path: string, body?: unknown) =>
        narrowed.request(path, { method, token: "narrow", ...(body !== undefined && { body: JSON.stringify(body) }) });
      const own = await as("PATCH", "/api/control", { targets: { lobby: { maintenance: { enabled: true } } } });
      assert.equal(own.status, 200, own.text);
      const made = own.json();
      assert.deepEqual([made.revision, made.updated_by], [1, "narrow"]);
      for (const body of [motd("all"), { targets: { main: { icon: null } } }, { maintenance: { enabled: true } }]) {
        assertProblem(await as("PATCH", "/api/control", body), 403, "forbidden", /status:write/);
      }
      assertProblem(await as("PUT", "/api/control", { ...made, targets: { main: {} } }), 403, "forbidden", /status:write:main/);
      assert.deepEqual((await as("GET", "/api/control/document")).json(), made);
      assert.equal((await as("GET", "/api/control/history")).json().entries.length, 1);
      assert.equal((await as("PUT", "/api/control", { ...made, targets: {} })).json().revision, 2);
      assert.equal((await as("POST", "/api/control/restore", { revision: 1 })).json().revision, 3);
    } finally {
      await narrowed.close();
    }
  });
});

describe("a preview", { timeout: TIMEOUT }, () => {
  const preview = async (motd: string, query = "") => {
    const answer = await ask(`/api/control/preview?motd=${encodeURIComponent(motd)}${query}`);
    assert.equal(answer.status, 200, answer.text);
    return answer.json();
  };

  test("shows every form before anything is published", async () => {
    const before = await document();
    const { motd, errors } = await preview("<red>one & <bold>two\n&#00ff00<max>");
    assert.deepEqual(errors, []);
    assert.equal(motd.clean, "one & two\n?");
    assert.equal(motd.raw, "§cone & §ltwo§r\n§x§0§0§f§f§0§0?");
    assert.match(motd.html, /one &amp; /);
    assert.match(motd.ansi, /\u001b\[0;38;2;255;85;85mone & /);
    assert.equal(motd.minimessage.includes("<newline>"), true);
    assert.equal((await preview("<#ff0000>x", "&protocol=340")).motd.raw, "§4x");
    assert.deepEqual(await document(), before);
  });

  test("tells every error and where it is", async () => {
    const { motd, errors } = await preview("<gold>a<nope>b\nc</red>");
    assert.equal(motd.clean, "a<nope>b\nc</red>");
    assert.deepEqual(errors, [
      { at: 7, message: "unknown tag <nope>" },
      { at: 16, message: "</red> closes no tag" },
    ]);
    assert.match((await preview("a\nb\nc")).errors[0].message, /3 lines/);
  });

  test("of anything is safe to show", async () => {
    const hostile = ["<script>alert(1)</script>", "<click:open_url:'javascript:1'>x", "\u0000\u001b[31m", "§k§§", "<b>".repeat(1300), ""];
    for (const text of hostile) {
      const { motd } = await preview(text);
      assert.ok(!/<(?!\/?span|br)/.test(motd.html), motd.html);
      assert.ok(!motd.ansi.replace(/\u001b\[0[;\d]*m/g, "").includes("\u001b"), JSON.stringify(motd.ansi));
    }
    assertProblem(await ask(`/api/control/preview?motd=${"x".repeat(5000)}`), 413, "too-large");
    assertProblem(await ask("/api/control/preview"), 400, "bad-request", /motd/);
    // What is no Unicode in the query is replaced, as everywhere.
    assert.equal((await ask("/api/control/preview?motd=%FF%ED%A0%80")).status, 200);
  });
});
