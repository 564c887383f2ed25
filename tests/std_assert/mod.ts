/**
 * Offline stand-in for the part of `@std/assert` 1.x that our tests use.
 *
 * `deno.json` maps `@std/assert` to this file, so that the tests run where JSR
 * cannot be reached. Names, signatures and verdicts are those of
 * `@std/assert`; only the failure messages are plainer. CONTRIBUTING.md says
 * how to test with the real package.
 *
 * @module
 */
import { inspect } from "node:util";

/** Thrown by every assertion below that does not hold. */
export class AssertionError extends Error {
  override name = "AssertionError";
}

// deno-lint-ignore no-explicit-any
type Constructor<T> = abstract new (...args: any[]) => T;

// `what` is lazy: inspecting both sides of every passing assertion is slow.
function check(ok: boolean, what: () => string, msg = ""): asserts ok {
  if (!ok) throw new AssertionError(msg ? `${what()}: ${msg}` : what());
}

/**
 * Deep equality by value, as `@std/assert` defines it: `NaN` equals itself, zero
 * equals negative zero, a null prototype equals `Object`'s, a missing key
 * differs from an `undefined` one, entries of Maps and Sets have no order, and
 * errors are equal whatever their stacks. Weak collections cannot be compared.
 */
export function equal(a: unknown, b: unknown): boolean {
  return same(a, b, new Map());
}

function same(a: unknown, b: unknown, seen: Map<object, object>): boolean {
  if (a === b || Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || !a || !b) return false;
  if ((a.constructor ?? Object) !== (b.constructor ?? Object)) return false;
  if (a instanceof WeakMap || a instanceof WeakSet) {
    throw new TypeError(`cannot compare ${a.constructor.name} instances`);
  }
  // Values that are not, or not only, in their own properties.
  if (a instanceof WeakRef && !same(a.deref(), (b as WeakRef<object>).deref(), seen)) return false;
  if (a instanceof Date && !Object.is(+a, +(b as Date))) return false;
  if ((a instanceof RegExp || a instanceof URL) && String(a) !== String(b)) return false;
  if (isBoxed(a) && !Object.is(a.valueOf(), b.valueOf())) return false;
  if (isBuffer(a)) return isBuffer(b) && same([...new Uint8Array(a)], [...new Uint8Array(b)], seen);
  if (a instanceof DataView) return same(bytesOf(a), bytesOf(b as DataView), seen);
  if (seen.get(a) === b) return true;
  seen.set(a, b);
  if (a instanceof Map || a instanceof Set) {
    const others = [...b as Map<unknown, unknown> | Set<unknown>];
    if (a.size !== others.length || !paired([...a], others, seen)) return false;
  }
  const hidden = a instanceof Error ? ["name", "message", "cause", "errors"] : [];
  if (!hidden.every((key) => same(Reflect.get(a, key), Reflect.get(b, key), seen))) return false;
  const [keys, otherKeys] = [keysOf(a), keysOf(b)];
  return keys.length === otherKeys.length &&
    keys.every((key) => Object.hasOwn(b, key) && same(Reflect.get(a, key), Reflect.get(b, key), seen));
}

/** Whether each entry equals one of the others that no entry before it equals. */
function paired(entries: readonly unknown[], others: unknown[], seen: Map<object, object>): boolean {
  return entries.every((entry) => {
    // What is found equal in one pair must not be taken for equal in another.
    const at = others.findIndex((other) => same(entry, other, new Map(seen)));
    return at >= 0 && others.splice(at, 1).length === 1;
  });
}

/** Own enumerable keys. */
function keysOf(value: object): PropertyKey[] {
  return Reflect.ownKeys(value).filter((key) => Object.prototype.propertyIsEnumerable.call(value, key));
}

function isBoxed(value: object): boolean {
  return [Number, String, Boolean, BigInt, Symbol].some((type) => value instanceof type);
}

function isBuffer(value: object): value is ArrayBufferLike {
  return value instanceof ArrayBuffer ||
    (typeof SharedArrayBuffer === "function" && value instanceof SharedArrayBuffer);
}

function bytesOf({ buffer, byteOffset, byteLength }: DataView): number[] {
  return [...new Uint8Array(buffer, byteOffset, byteLength)];
}

/** Holds when `expr` is truthy. */
export function assert(expr: unknown, msg?: string): asserts expr {
  check(!!expr, () => "Assertion failed", msg);
}

/** Holds when both values are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  check(equal(actual, expected), () => differ(actual, expected), msg);
}

/** Holds when the values are not deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  check(!equal(actual, expected), () => `Both are ${inspect(actual)}`, msg);
}

/** Holds when both values are the same by `Object.is()`. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  check(Object.is(actual, expected), () => differ(actual, expected), msg);
}

/** Holds when `actual` is neither `null` nor `undefined`. */
export function assertExists<T>(
  actual: T,
  msg?: string,
): asserts actual is NonNullable<T> {
  check(actual !== undefined && actual !== null, () => `Got ${actual}`, msg);
}

/** Holds when `actual` is an instance of `expectedType`. */
export function assertInstanceOf<T>(
  actual: unknown,
  expectedType: Constructor<T>,
  msg?: string,
): asserts actual is T {
  check(
    actual instanceof expectedType,
    () => `Expected ${expectedType.name}, got ${inspect(actual)}`,
    msg,
  );
}

/** Holds when `actual` contains `expected`. */
export function assertStringIncludes(
  actual: string,
  expected: string,
  msg?: string,
): void {
  check(
    actual.includes(expected),
    () => `"${actual}" lacks "${expected}"`,
    msg,
  );
}

/** Holds when `actual` matches `expected`. */
export function assertMatch(
  actual: string,
  expected: RegExp,
  msg?: string,
): void {
  check(expected.test(actual), () => `"${actual}" is not ${expected}`, msg);
}

/** Holds when `actual >= expected`. */
export function assertGreaterOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  check(actual >= expected, () => `${actual} < ${expected}`, msg);
}

/** Holds when `actual <= expected`. */
export function assertLessOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  check(actual <= expected, () => `${actual} > ${expected}`, msg);
}

/** Fails. */
export function fail(msg?: string): never {
  throw new AssertionError(msg ? `Failed: ${msg}` : "Failed");
}

/** Holds when `fn` throws; given a class, an instance of it saying `msgIncludes`. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass?: Constructor<E>,
  msgIncludes = "",
): E {
  try {
    fn();
  } catch (error) {
    return matching(error, ErrorClass, msgIncludes);
  }
  return fail("the function did not throw");
}

/** Holds when `fn` rejects; given a class, with an instance of it saying `msgIncludes`. */
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass?: Constructor<E>,
  msgIncludes = "",
): Promise<E> {
  // Called outside the `try`: a function that throws instead of returning a
  // promise breaks its own contract and must not pass as a rejection.
  const promise = fn();
  try {
    await promise;
  } catch (error) {
    return matching(error, ErrorClass, msgIncludes);
  }
  return fail("the promise did not reject");
}

function matching<E extends Error>(
  error: unknown,
  ErrorClass: Constructor<E> | undefined,
  msgIncludes: string,
): E {
  if (!ErrorClass) return error as E;
  assertInstanceOf(error, ErrorClass);
  assertStringIncludes(error.message, msgIncludes);
  return error;
}

function differ(actual: unknown, expected: unknown): string {
  return `Values differ\nactual: ${inspect(actual)}\nexpected: ${inspect(expected)}`;
}
