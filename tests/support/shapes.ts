// Compares a value with a schema of `fixtures/shapes` (its README says how one is written), key by
// key and type by type.

import { readFileSync } from "node:fs";

export type Schema = string | Schema[] | { [key: string]: Schema };

export function schema(file: string): Record<string, Schema> {
  return JSON.parse(readFileSync(new URL(`../../fixtures/shapes/${file}`, import.meta.url), "utf8"));
}

/** What does not fit, one line each: `players.list[0].uuid: null is not string`. */
export function mismatches(value: unknown, schema: Schema, path = ""): string[] {
  const at = path === "" ? "(the whole)" : path;
  if (typeof schema === "string") {
    const type = typeOf(value);
    return schema.split("|").includes(type) ? [] : [`${at}: ${type} is not ${schema}`];
  }
  if (Array.isArray(schema)) {
    const [item] = schema;
    if (schema.length === 1 && Array.isArray(item) && item.length === 1) {
      if (!Array.isArray(value)) return [`${at}: ${typeOf(value)} is not a list`];
      return value.flatMap((one, index) => mismatches(one, item[0]!, `${path}[${index}]`));
    }
    const tries = schema.map((one) => mismatches(value, one, path));
    return tries.find((found) => found.length === 0) ?? tries[0]!;
  }
  if (typeOf(value) !== "object") return [`${at}: ${typeOf(value)} is not an object`];
  const object = value as Record<string, unknown>;
  const found: string[] = [];
  const known = new Set<string>();
  for (const [name, inner] of Object.entries(schema)) {
    const key = name.replace(/\?$/, "");
    known.add(key);
    const inside = path === "" ? key : `${path}.${key}`;
    if (key in object) found.push(...mismatches(object[key], inner, inside));
    else if (key === name) found.push(`${inside}: is missing`);
  }
  for (const key of Object.keys(object)) if (!known.has(key)) found.push(`${at}: has ${key}, which is not there`);
  return found;
}

/** The schema of `fixtures/shapes` that says the same as one of `openapi.json`; every object in it is closed. */
export function shapeOf(schema: any): Schema {
  if (schema.oneOf !== undefined) return schema.oneOf.map(shapeOf);
  if (schema.type === "array") return [[shapeOf(schema.items)]];
  if (schema.type !== "object") return [schema.type].flat().join("|");
  if (schema.additionalProperties !== false) throw new Error(`${JSON.stringify(schema)} is open`);
  const required: string[] = schema.required ?? [];
  const member = ([key, inner]: [string, unknown]) => [required.includes(key) ? key : `${key}?`, shapeOf(inner)];
  return Object.fromEntries(Object.entries(schema.properties).map((entry) => member(entry)));
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "list";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}
