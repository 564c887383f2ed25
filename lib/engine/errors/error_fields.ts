import type { JsonValue } from "../../json_value.ts";

const LONGEST_FIELDS = 4_096;

/** How many characters of values may still be read. */
export interface ReadingBudget {
  left: number;
}

const LONGEST_TEXT = 1_000;
const DEEPEST = 4;
const MOST_MEMBERS = 50;

// What a Response, an Event and the like have as getters of their classes.
const GETTERS = ["status", "statusText", "url", "type", "code", "reason"];

/**
 * Returns the own fields of a thrown object that JSON can represent, at most 4,096 characters of JSON; `undefined` for
 * none. Dates and bigints become texts; what JSON cannot represent, what throws when it is read, and a field that is too
 * large is left out. What is read is deducted from `budget`: a graph of a few objects that refer to each other has
 * millions of paths.
 */
export function jsonFields(
  thrown: object,
  isWanted: (key: string) => boolean,
  budget: ReadingBudget,
): Readonly<Record<string, JsonValue>> | undefined {
  const own = keysOf(thrown);
  const keys = own.length > 0 || thrown instanceof Error ? own : GETTERS.filter((key) => key in thrown);
  const kept: [string, JsonValue][] = [];
  let left = LONGEST_FIELDS;
  for (const key of keys.filter(isWanted).slice(0, MOST_MEMBERS)) {
    const field = { left: Math.min(left, budget.left) };
    const before = field.left;
    const value = valueOf(thrown, key, { ancestors: [thrown], budget: field });
    budget.left -= before - field.left;
    if (value === undefined || field.left < 0) continue;
    const size = key.length + JSON.stringify(value).length;
    if (size > left) continue;
    left -= size;
    kept.push([key, value]);
  }
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}

/** Returns a value as JSON can represent it; `undefined` if JSON cannot, or the value is too large. */
export function toJsonValue(value: unknown): JsonValue | undefined {
  const budget = { left: LONGEST_FIELDS };
  const json = valueOf({ value }, "value", { ancestors: [], budget });
  return budget.left < 0 ? undefined : json;
}

/** Where a value is read: within which objects, and how much may still be read. */
interface Reading {
  readonly ancestors: readonly object[];
  readonly budget: ReadingBudget;
}

/** The own keys of an object; of elements only the first, as there may be millions. */
function keysOf(object: object): readonly string[] {
  if (ArrayBuffer.isView(object)) return [];
  return Object.keys(Array.isArray(object) ? object.slice(0, MOST_MEMBERS) : object);
}

function membersOf(object: object, keys: readonly string[], reading: Reading): Record<string, JsonValue> {
  const members: [string, JsonValue][] = [];
  for (const key of keys.slice(0, MOST_MEMBERS)) {
    reading.budget.left -= key.length;
    const value = valueOf(object, key, reading);
    if (value !== undefined) members.push([key, value]);
  }
  return Object.fromEntries(members);
}

/** `undefined` where JSON has no value for it. */
function valueOf(object: object, key: string, reading: Reading): JsonValue | undefined {
  try {
    return jsonOf((object as Readonly<Record<string, unknown>>)[key], reading);
  } catch {
    return undefined;
  }
}

function jsonOf(value: unknown, reading: Reading): JsonValue | undefined {
  const { budget } = reading;
  if (budget.left < 0) return undefined;
  budget.left -= typeof value === "string" ? Math.min(value.length, LONGEST_TEXT) : 1;
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
      return value === null ? null : jsonOfObject(value, reading);
    case "undefined":
    case "function":
    case "symbol":
      return undefined;
  }
}

function jsonOfObject(value: object, { ancestors, budget }: Reading): JsonValue | undefined {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof Error) return jsonOf(`${value.name}: ${value.message}`, { ancestors, budget });
  // An error of an HTTP client may hold a body of many megabytes.
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (isBoxed(value)) return jsonOf(value.valueOf(), { ancestors, budget });
  if (ancestors.includes(value)) return "[circular]";
  if (ancestors.length > DEEPEST) return "[deep]";
  const inner = { ancestors: [...ancestors, value], budget };
  if (!Array.isArray(value)) return membersOf(value, Object.keys(value), inner);
  return value.slice(0, MOST_MEMBERS).map((one) => jsonOf(one, inner) ?? null);
}

/** Whether an object wraps a primitive value. */
export function isBoxed(value: object): boolean {
  return value instanceof String || value instanceof Number || value instanceof Boolean;
}
