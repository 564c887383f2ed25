import type { JsonValue } from "../json_value.ts";

const LONGEST_FIELDS = 4_096;
const LONGEST_TEXT = 1_000;
const DEEPEST = 4;
const MOST_MEMBERS = 50;

// What a Response, an Event and the like have as getters of their classes.
const GETTERS = ["status", "statusText", "url", "type", "code", "reason"];

/**
 * Returns the own fields of a thrown object that JSON can represent, at most 4,096 characters of JSON; `undefined` for
 * none. Dates and bigints become texts; what JSON cannot represent, and what throws when it is read, is left out.
 */
export function jsonFields(
  thrown: object,
  isWanted: (key: string) => boolean,
): Readonly<Record<string, JsonValue>> | undefined {
  const own = keysOf(thrown);
  const keys = own.length > 0 || thrown instanceof Error ? own : GETTERS.filter((key) => key in thrown);
  const fields = membersOf(thrown, keys.filter(isWanted), [thrown]);
  let left = LONGEST_FIELDS;
  const kept = Object.entries(fields).filter(([key, value]) => {
    const size = key.length + JSON.stringify(value).length;
    if (size > left) return false;
    left -= size;
    return true;
  });
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}

/** The own keys of an object; of elements only the first, as there may be millions. */
function keysOf(object: object): readonly string[] {
  if (ArrayBuffer.isView(object)) return [];
  return Object.keys(Array.isArray(object) ? object.slice(0, MOST_MEMBERS) : object);
}

function membersOf(object: object, keys: readonly string[], ancestors: readonly object[]): Record<string, JsonValue> {
  const members: [string, JsonValue][] = [];
  for (const key of keys.slice(0, MOST_MEMBERS)) {
    const value = valueOf(object, key, ancestors);
    if (value !== undefined) members.push([key, value]);
  }
  return Object.fromEntries(members);
}

/** `undefined` where JSON has no value for it. */
function valueOf(object: object, key: string, ancestors: readonly object[]): JsonValue | undefined {
  try {
    return jsonOf((object as Readonly<Record<string, unknown>>)[key], ancestors);
  } catch {
    return undefined;
  }
}

function jsonOf(value: unknown, ancestors: readonly object[]): JsonValue | undefined {
  switch (typeof value) {
    case "string":
      return value.length <= LONGEST_TEXT ? value : `${value.slice(0, LONGEST_TEXT)}…`;
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "boolean":
      return value;
    case "bigint":
      return String(value);
    case "object":
      return value === null ? null : jsonOfObject(value, ancestors);
    case "undefined":
    case "function":
    case "symbol":
      return undefined;
  }
}

function jsonOfObject(value: object, ancestors: readonly object[]): JsonValue | undefined {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof Error) return `${value.name}: ${value.message}`.slice(0, LONGEST_TEXT);
  // An error of an HTTP client may hold a body of many megabytes.
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof String) return jsonOf(String(value), ancestors);
  if (ancestors.includes(value)) return "[circular]";
  if (ancestors.length > DEEPEST) return "[deep]";
  const inner = [...ancestors, value];
  if (!Array.isArray(value)) return membersOf(value, Object.keys(value), inner);
  return value.slice(0, MOST_MEMBERS).map((one) => jsonOf(one, inner) ?? null);
}
