// Resource packs to upload: good ones of several sizes, and bad ones.

import { createHash, randomFillSync } from "node:crypto";
import { crc32 } from "node:zlib";
import { strToU8, zipSync } from "fflate";
import type { Answer, RequestOptions, System } from "./harness.ts";

/** Accepted by 1.21 to 1.21.8. */
export const MCMETA = `{"pack":{"pack_format":34,"supported_formats":[34,64],"description":"x"}}`;

export function sha1(bytes: Uint8Array): string {
  return createHash("sha1").update(bytes).digest("hex");
}

/** `Repr-Digest` of these bytes (RFC 9530). */
export function reprDigest(bytes: Uint8Array): string {
  return `sha=:${createHash("sha1").update(bytes).digest("base64")}:`;
}

type Files = Record<string, string | Uint8Array>;

/** An archive of these files, compressed; the same bytes every time. */
export function zip(files: Files): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(files).map(([name, data]) => [name, typeof data === "string" ? strToU8(data) : data]);
  const made = zipSync(Object.fromEntries(entries), { mtime: new Date(1980, 0, 1) });
  return new Uint8Array(made);
}

/** A pack with these files beside its `pack.mcmeta`. */
export function pack(files: Files = {}): Uint8Array<ArrayBuffer> {
  return zip({ "pack.mcmeta": MCMETA, ...files });
}

/** A small pack that differs from those with another label. */
export function packNamed(label: string): Uint8Array<ArrayBuffer> {
  return pack({ "assets/label.txt": label });
}

export function packWithEmptyEntry(variant = 0): Uint8Array<ArrayBuffer> {
  return pack({ [`assets/empty-${variant}.txt`]: "" });
}

/** A pack of exactly `size` bytes, another for each `variant`; what fills it is random and only stored. */
export function packOfSize(size: number, variant = 0): Uint8Array<ArrayBuffer> {
  const empty = storedPack(new Uint8Array(0));
  const filler = new Uint8Array(size - empty.length);
  for (let at = 0; at < filler.length; at += RANDOM.length) {
    filler.set(RANDOM.subarray(0, Math.min(RANDOM.length, filler.length - at)), at);
    filler[at] = (at / RANDOM.length) & 0xff; // no two stretches are alike
  }
  filler[filler.length - 1] = variant;
  return storedPack(filler);
}

const RANDOM = randomFillSync(new Uint8Array(1_000_000));

/** A zip archive by APPNOTE.TXT 6.3.10: `pack.mcmeta` and one file, both stored. */
function storedPack(filler: Uint8Array): Uint8Array<ArrayBuffer> {
  const files = [
    { name: strToU8("pack.mcmeta"), data: strToU8(MCMETA) },
    { name: strToU8("assets/filler.bin"), data: filler },
  ];
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const { name, data } of files) {
    const header = entryHeader(name, data);
    const local = Buffer.concat([bytes(4, 0x04034b50), header, name]);
    parts.push(local, data);
    const central = bytes(4, 0x02014b50, 2, 20);
    const rest = bytes(2, 0, 2, 0, 2, 0, 4, 0, 4, offset); // comment, disk, attributes, place
    directory.push(Buffer.concat([central, header, rest, name]));
    offset += local.length + data.length;
  }
  const central = Buffer.concat(directory);
  const count = files.length;
  const end = bytes(4, 0x06054b50, 2, 0, 2, 0, 2, count, 2, count, 4, central.length, 4, offset, 2, 0);
  return Uint8Array.from(Buffer.concat([...parts, central, end]));
}

/** What the local header and the directory's have in common: from "version needed" to "extra length". */
function entryHeader(name: Uint8Array, data: Uint8Array): Buffer {
  const midnight = 0x21; // 1980-01-01
  const sizes = [4, data.length, 4, data.length, 2, name.length, 2, 0];
  return bytes(2, 20, 2, 0, 2, 0, 2, 0, 2, midnight, 4, crc32(data), ...sizes);
}

/** Little-endian numbers, each after its width. */
function bytes(...widthsAndValues: number[]): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < widthsAndValues.length; at += 2) {
    const part = Buffer.alloc(widthsAndValues[at] ?? 0);
    part.writeUIntLE(widthsAndValues[at + 1] ?? 0, 0, part.length);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Archives that are refused with 422: why, the bytes, and what the answer must say. */
export const REFUSED: { why: string; body: Uint8Array<ArrayBuffer>; says: RegExp }[] = [
  { why: "that is not a zip", body: new Uint8Array(strToU8("this is no archive at all")), says: /not a zip/ },
  { why: "that was cut short", body: packOfSize(4096).subarray(0, 3000), says: /not a zip|cut off/ },
  { why: "without pack.mcmeta", body: zip({ "assets/a.txt": "a" }), says: /no pack\.mcmeta at the root/ },
  {
    why: "whose pack.mcmeta sits one folder down",
    body: zip({ "my-pack/pack.mcmeta": MCMETA, "my-pack/assets/a.txt": "a" }),
    says: /"my-pack".*not at the root.*zip what is in the folder/,
  },
  { why: "whose pack.mcmeta is not JSON", body: zip({ "pack.mcmeta": "pack_format: 34" }), says: /pack\.mcmeta/ },
  {
    why: "whose pack.mcmeta has no pack_format",
    body: zip({ "pack.mcmeta": `{"pack":{"description":"x"}}` }),
    says: /pack\.mcmeta.*(pack_format|format)/,
  },
  {
    why: "whose pack.mcmeta has no description",
    body: zip({ "pack.mcmeta": `{"pack":{"pack_format":34}}` }),
    says: /pack\.mcmeta.*description/,
  },
];

export interface UploadOptions extends RequestOptions {
  pack?: string;
  /** With the question mark. */
  query?: string;
}

/** `PUT /api/packs/<pack>` by the operator, unless another token is named. */
export function upload(system: System, body: Uint8Array, options: UploadOptions = {}): Promise<Answer> {
  const { pack = "main", query = "", ...rest } = options;
  return system.request(`/api/packs/${pack}${query}`, { method: "PUT", token: system.tokens.operator, body, ...rest });
}

/** All that is stored, to compare: R2's keys with their sizes, KV's with their values. What the cron saw is left out. */
export async function stored(system: System): Promise<Record<string, number | string | null>> {
  const { PACKS, PACK_KV } = await system.env("pack");
  const found: Record<string, number | string | null> = {};
  for (const object of (await PACKS.list()).objects) {
    if (object.key === "sweep.json") continue;
    const registry = object.key.startsWith("registry/");
    found[object.key] = registry ? ((await (await PACKS.get(object.key))?.text()) ?? null) : object.size;
  }
  for (const { name } of (await PACK_KV.list()).keys) found[`kv:${name}`] = await PACK_KV.get(name);
  return found;
}
