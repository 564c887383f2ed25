import { PayloadError, StoreError } from "../errors.ts";
import { memberPath } from "./member_path.ts";
import { thrownMessage } from "./thrown_message.ts";

/**
 * The JSON text of a value that survives the round trip; `undefined` for `undefined`.
 *
 * Members that are `undefined` are left out, as are members under a symbol, and properties of an array that are not its
 * elements, such as the `groups` of a `match()`. Instances of classes are stored as the plain data they hold, and `-0`
 * as `0`. Everything else that JSON would change or lose is refused.
 *
 * @throws {PayloadError} Naming the place and the remedy, or both sizes when the text is longer than `maxBytes` in UTF-8.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals(encodeJson({ rows: [1, 2] }, "output", 1000), '{"rows":[1,2]}');
 * assertThrows(
 *   () => encodeJson({ rows: [{ at: new Date() }] }, "output", 1000),
 *   Error,
 *   "Cannot store output.rows[0].at: it is a Date - use date.toISOString()",
 * );
 * ```
 */
export function encodeJson(value: unknown, label: string, maxBytes: number): string | undefined {
  if (value === undefined) return undefined;
  const text = encodePlain(value, maxBytes) ?? encodeChecked(value, label, maxBytes);
  // A UTF-16 code unit takes at most three bytes, so most texts need not be measured.
  if (text.length * 3 > maxBytes) checkSize(text, label, maxBytes);
  return text;
}

/**
 * What `encodeJson` wrote; `undefined` for `undefined`. `what` it is, and of which task, stand in the message.
 *
 * @throws {StoreError} `corrupt_row`, if it is no JSON, as after an edit of the database by hand.
 */
export function decodeJson(text: string | undefined, what = "what is stored", taskId?: string): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    const of = taskId === undefined ? "" : ` of task "${taskId}"`;
    throw new StoreError("corrupt_row", `Cannot read ${what}${of}: its JSON is not what Sluice wrote`, { cause });
  }
}

// Deeper values are rare enough for the careful walk, which also tells a cycle from depth.
const PLAIN_DEPTH = 32;
const DEEPEST = 1_000;

// One object that occurs in many places can expand to more text than fits into memory. Up to this many times the
// limit the text is made, so that the message can say how long it is.
const MEASURED = 16;

// The hot path: no path is built and nothing is allocated but the text.
function encodePlain(value: unknown, maxBytes: number): string | undefined {
  try {
    return afterPlain(value, 0, maxBytes * MEASURED) >= 0 ? JSON.stringify(value) : undefined;
  } catch {
    return undefined; // the careful walk finds out where it threw
  }
}

// What is left of `bytes` after the least that `value` takes; negative when the careful walk must decide.
function afterPlain(value: unknown, depth: number, bytes: number): number {
  switch (typeof value) {
    case "string":
      return bytes - value.length;
    case "number":
      return Number.isFinite(value) ? bytes - 1 : -1;
    case "boolean":
      return bytes - 1;
    case "object":
      return value === null ? bytes - 1 : depth === PLAIN_DEPTH ? -1 : afterPlainObject(value, depth, bytes);
    default:
      return -1;
  }
}

function afterPlainObject(value: object, depth: number, bytes: number): number {
  let left = bytes - 1;
  if ((value as { toJSON?: unknown }).toJSON !== undefined) return -1;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length && left >= 0; i++) left = afterPlain(value[i], depth + 1, left);
    return left;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return -1;
  const record = value as Record<string, unknown>;
  for (const key in record) {
    const member = record[key];
    if (member !== undefined && (left = afterPlain(member, depth + 1, left)) < 0) return -1;
  }
  return left;
}

function encodeChecked(value: unknown, label: string, maxBytes: number): string {
  const keys: PropertyKey[] = [];
  const ancestors = new Map<object, number>();
  let bytes = 0;
  try {
    check(value);
    const text: unknown = JSON.stringify(value);
    if (typeof text === "string") return text;
  } catch (error) {
    if (error instanceof PayloadError) throw error;
    // JSON.stringify() says so when the text would be longer than a string can be: checked values are never too deep.
    if (error instanceof RangeError && keys.length === 0) throw tooLarge(label, "too large for one text", maxBytes);
    throw refused(`reading it threw "${thrownMessage(error)}"`);
  }
  throw refused("it changes while it is read");

  function check(member: unknown): void {
    switch (typeof member) {
      case "string":
        return count(member.length);
      case "boolean":
        return count(1);
      case "number":
        if (!Number.isFinite(member)) throw refused(`it is ${member} - use null`);
        return count(1);
      case "undefined":
        throw refused("it is undefined in an array - use null");
      case "bigint":
        throw refused("it is a bigint - use String(n)");
      case "symbol":
        throw refused("it is a symbol");
      case "function":
        throw refused("it is a function");
      case "object":
        return member === null ? count(1) : checkObject(member);
    }
  }

  function checkObject(object: object): void {
    count(1);
    const seenAt = ancestors.get(object);
    if (seenAt !== undefined) throw refused(`it is a cycle: it refers back to ${pathOf(seenAt)}`);
    if (keys.length > DEEPEST) throw refused(`it is nested deeper than ${grouped(DEEPEST)} levels`, 0);
    const isArray = Array.isArray(object);
    const remedy = remedyFor(object, isArray);
    if (remedy !== undefined) throw refused(`it is ${remedy}`);
    ancestors.set(object, keys.length);
    if (isArray) checkElements(object);
    else checkMembers(object as Record<string, unknown>);
    ancestors.delete(object);
  }

  function checkElements(array: readonly unknown[]): void {
    for (let i = 0; i < array.length; i++) {
      keys.push(i);
      const element = array[i];
      if (element === undefined && !(i in array)) throw refused("it is a hole in an array - use null");
      check(element);
      keys.pop();
    }
  }

  function checkMembers(record: Readonly<Record<string, unknown>>): void {
    for (const key of Object.keys(record)) {
      keys.push(key);
      const member = record[key];
      if (member !== undefined) check(member);
      keys.pop();
    }
  }

  function count(least: number): void {
    bytes += least;
    if (bytes > maxBytes * MEASURED) throw tooLarge(label, `more than ${grouped(bytes - 1)} bytes as JSON`, maxBytes);
  }

  function refused(reason: string, depth = keys.length): PayloadError {
    const path = pathOf(depth);
    return new PayloadError("unstorable_payload", `Cannot store ${path}: ${reason}`, path);
  }

  function pathOf(depth: number): string {
    return keys.slice(0, depth).reduce<string>(memberPath, label);
  }
}

// Names of `Object.prototype.toString`, which see through realms and subclasses.
const REMEDIES: ReadonlyMap<string, string> = new Map([
  ["Date", "a Date - use date.toISOString()"],
  ["Map", "a Map - use Object.fromEntries(map)"],
  ["Set", "a Set - use [...set]"],
  ["RegExp", "a RegExp - use regexp.source"],
  ["Error", "an Error - use error.message"],
  ["Promise", "a Promise - missing await?"],
  ["ArrayBuffer", "binary data - encode it as base64"],
  ["SharedArrayBuffer", "binary data - encode it as base64"],
  ["Blob", "binary data - encode it as base64"],
  ["URL", "a URL - use url.href"],
  ["String", "a String object - use its valueOf()"],
  ["Number", "a Number object - use its valueOf()"],
  ["Boolean", "a Boolean object - use its valueOf()"],
  ["BigInt", "a BigInt object - use String(n)"],
  ["Symbol", "a Symbol object"],
]);

function remedyFor(object: object, isArray: boolean): string | undefined {
  const { toJSON, then } = object as { readonly toJSON?: unknown; readonly then?: unknown };
  const kind = isArray ? "Array" : Object.prototype.toString.call(object).slice(8, -1);
  if (ArrayBuffer.isView(object)) return "binary data - encode it as base64";
  const remedy = REMEDIES.get(kind) ?? (object instanceof Error ? REMEDIES.get("Error") : undefined);
  if (remedy !== undefined) return remedy;
  if (typeof then === "function") return REMEDIES.get("Promise");
  if (typeof toJSON === "function") return "an object with toJSON() - convert it yourself";
  // Such as a WeakMap, a Response or a generator: JSON would make `{}` of it.
  const isHollow = !isArray && kind !== "Object" && Object.keys(object).length === 0;
  return isHollow ? `a ${kind} - take what you need out of it` : undefined;
}

function checkSize(text: string, label: string, maxBytes: number): void {
  const bytes = text.length > maxBytes * MEASURED ? text.length : new TextEncoder().encode(text).byteLength;
  if (bytes > maxBytes) throw tooLarge(label, `${grouped(bytes)} bytes as JSON`, maxBytes);
}

function tooLarge(label: string, size: string, maxBytes: number): PayloadError {
  const message = `Cannot store ${label}: it is ${size}, and the limit is ${grouped(maxBytes)} (maxPayloadBytes)`;
  return new PayloadError("payload_too_large", message, label);
}

function grouped(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+$)/g, ",");
}
