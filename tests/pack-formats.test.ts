// `?format=` of `GET /api/pack/latest`: each read back by a parser of that format.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { parseEnv } from "node:util";
import { getProperties } from "properties-file";
import { parse as parseToml } from "smol-toml";
import { parse as parseYaml } from "yaml";
import { assertProblem, start, TIMEOUT, type Answer, type System } from "./support/harness.ts";
import { packNamed, sha1, upload } from "./support/packs.ts";

const BODY = packNamed("formats");
const SHA1 = sha1(BODY);
const FORMATS = ["json", "text", "properties", "env", "resourcepacksplugins", "forcepack"] as const;
type Format = (typeof FORMATS)[number];

/** Texts that have broken one format or another. */
const HOSTILE = [
  `plain`,
  `"double" 'single' \`back\` '''triple''' """triple"""`,
  `back\\slash \\u0041 \\\\u0041 \\n and at the end \\`,
  `two\nlines\r\nand a\ttab`,
  `key: value # comment`,
  `# comment ! comment = : `,
  `  leading and trailing  `,
  `emoji 😀, ŭnicode, 日本語`,
  `\u0000\u0001\u0007\b\f\u001b\u007f\u0080\u0085\u009f`,
  `\u2028\u2029\ufeff\ufffe`,
  `<red>tag</red>`,
  `\${HOME} $(id) %PATH%`,
  `---\n...\n- [a]: {b}`,
  ``,
];

let system: System;
before(async () => {
  system = await start();
  assert.equal((await upload(system, BODY)).status, 201);
});
after(() => system.close());

function latest(format: string, pack = "main", headers = {}): Promise<Answer> {
  return system.request(`/api/pack/latest?pack=${pack}&format=${format}`, { headers });
}

/** Publishes a pack with this prompt; gives its name and its record. */
let made = 0;
async function withPrompt(prompt: unknown, required = false): Promise<{ pack: string; record: any }> {
  const pack = `prompt-${++made}`;
  assert.equal((await upload(system, BODY, { pack })).status, 201);
  const { PACK_KV, PACKS } = await system.env("pack");
  const record = JSON.parse((await PACK_KV.get(`verify-hash:${pack}:stable`)) ?? "");
  const key = `registry/${pack}.json`;
  const stored = JSON.parse((await (await PACKS.get(key))?.text()) ?? "");
  Object.assign(stored.registry, { prompt, required });
  await PACKS.put(key, JSON.stringify(stored));
  return { pack, record: { ...record, prompt, required } };
}

/** What MiniMessage shows of a text in one colour. */
function shown(miniMessage: string): string {
  const inside = miniMessage.replace(/^<#ff8800>|<\/#ff8800>$/g, "");
  return inside.replaceAll("<newline>", "\n").replace(/\\([\\<])/g, "$1");
}

test("json is what the route answers without a format", { timeout: TIMEOUT }, async () => {
  const plain = await system.request("/api/pack/latest");
  const json = await latest("json");
  assert.equal(json.text, plain.text);
  assert.equal(json.headers["content-type"], "application/json");
  assert.equal(json.headers["etag"], plain.headers["etag"]);
});

test("text is sha1, url and uuid, a line each", { timeout: TIMEOUT }, async () => {
  const record = (await latest("json")).json();
  const { headers, text } = await latest("text");
  assert.equal(headers["content-type"], "text/plain; charset=utf-8");
  assert.equal(text, `${SHA1}\n${record.url}\n${record.uuid}\n`);
});

for (const prompt of HOSTILE) {
  test(`the prompt ${JSON.stringify(prompt)} is read back from every format`, { timeout: TIMEOUT }, async () => {
    const component = { text: prompt, color: "#ff8800" };
    const { pack, record } = await withPrompt(component, true);

    const properties = await latest("properties", pack);
    assert.equal(properties.headers["content-type"], "text/plain; charset=utf-8");
    assert.match(properties.text, /^[\n -~]*$/, "ISO-8859-1 and UTF-8 read it alike");
    const { "resource-pack-prompt": inProperties, ...others } = getProperties(properties.text);
    assert.deepEqual(others, {
      "resource-pack": record.url,
      "resource-pack-sha1": SHA1,
      "resource-pack-id": record.uuid,
      "require-resource-pack": "true",
    });
    assert.deepEqual(JSON.parse(inProperties ?? ""), component);

    const env = await latest("env", pack);
    assert.equal(env.headers["content-type"], "text/plain; charset=utf-8");
    const literal = env.text.split("\n").map((line) => [line.split("=", 1)[0], line.slice(line.indexOf("=") + 1)]);
    assert.deepEqual(literal.pop(), ["", ""]);
    for (const variables of [Object.fromEntries(literal), parseEnv(env.text)]) {
      const { RESOURCE_PACK_PROMPT, ...rest } = variables;
      assert.deepEqual({ ...rest }, {
        RESOURCE_PACK: record.url,
        RESOURCE_PACK_SHA1: SHA1,
        RESOURCE_PACK_ID: record.uuid,
        RESOURCE_PACK_ENFORCE: "TRUE",
      });
      assert.deepEqual(JSON.parse(RESOURCE_PACK_PROMPT), component);
    }

    const toml = await latest("forcepack", pack);
    assert.equal(toml.headers["content-type"], "application/toml");
    const global = parseToml(toml.text)["global-pack"] as any;
    const { enable, url, hash, "generate-hash": generate } = global;
    assert.deepEqual({ enable, url, hash, generate }, { enable: true, url: record.url, hash: SHA1, generate: false });
    assert.equal(shown(global.resourcepack.prompt), prompt);
    assert.equal(global.actions.DECLINED.kick, true);

    const yaml = await latest("resourcepacksplugins", pack);
    assert.equal(yaml.headers["content-type"], "application/yaml");
    for (const version of ["1.1", "1.2"] as const) {
      assert.deepEqual(parseYaml(yaml.text, { version }), {
        packs: { [pack]: { url: record.url, hash: SHA1, uuid: record.uuid, format: 34 } },
      });
    }
    assert.deepEqual((await latest("json", pack)).json(), record);
  });
}

test("without a prompt the keys are there and say so", { timeout: TIMEOUT }, async () => {
  assert.equal(getProperties((await latest("properties")).text)["resource-pack-prompt"], "");
  assert.equal(parseEnv((await latest("env")).text)["RESOURCE_PACK_PROMPT"], "");
  const global = parseToml((await latest("forcepack")).text)["global-pack"] as any;
  assert.deepEqual(Object.keys(global.resourcepack), []);
  assert.equal(global.actions.DECLINED.kick, false);
});

test("pack names that YAML would take for something else stay names", { timeout: TIMEOUT }, async () => {
  for (const pack of ["0", "1e3", "null", "true", "no"]) {
    assert.equal((await upload(system, BODY, { pack })).status, 201);
    const { packs } = parseYaml((await latest("resourcepacksplugins", pack)).text, { version: "1.1" });
    assert.deepEqual(Object.keys(packs), [pack]);
  }
});

test("every format has a tag of its own, answers 304 to it, and HEAD", { timeout: TIMEOUT }, async () => {
  const tags = new Map<string, Format>();
  for (const format of FORMATS) {
    const answer = await latest(format);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers["access-control-allow-origin"], "*");
    assert.equal(answer.headers["content-length"], `${answer.body.length}`);
    const tag = answer.headers["etag"] ?? "";
    assert.ok(!tags.has(tag), `${format} and ${tags.get(tag)}`);
    tags.set(tag, format);

    const again = await latest(format, "main", { "if-none-match": tag });
    assert.deepEqual([again.status, again.text], [304, ""]);
    const head = await system.request(`/api/pack/latest?format=${format}`, { method: "HEAD" });
    assert.deepEqual([head.status, head.headers["etag"], head.text], [200, tag, ""]);
    assert.equal(head.headers["content-type"], answer.headers["content-type"]);
  }
  for (const [tag, format] of tags) {
    const other = FORMATS.find((one) => one !== format) ?? "json";
    assert.equal((await latest(other, "main", { "if-none-match": tag })).status, 200);
  }
});

test("an unknown format is refused with those there are", { timeout: TIMEOUT }, async () => {
  for (const format of ["yaml", "JSON", ""]) {
    assertProblem(await latest(format), 400, "bad-request", /format: ".*" is none of json, text, .*forcepack/);
  }
});

test("in any format, what was never published is a problem", { timeout: TIMEOUT }, async () => {
  for (const format of FORMATS) assertProblem(await latest(format, "nobody"), 404, "not-found");
});
