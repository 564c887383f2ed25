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
 * Deep equality by value, as `@std/assert` defines it: `NaN` equals itself, a
 * null prototype equals `Object`'s, and a missing key differs from an
 * `undefined` one.
 */
export function equal(a: unknown, b: unknown): boolean {
  if (a === b || Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || !a || !b) return false;
  if ((a.constructor ?? Object) !== (b.constructor ?? Object)) return false;
  if (a instanceof Date) return Object.is(+a, +(b as Date));
  if (a instanceof RegExp || a instanceof URL) return String(a) === String(b);
  if (a instanceof Map) {
    return equal([...a].sort(), [...(b as Map<unknown, unknown>)].sort());
  }
  if (a instanceof Set) {
    return equal([...a].sort(), [...(b as Set<unknown>)].sort());
  }
  if (a instanceof Error && a.message !== (b as Error).message) return false;
  const keys = Reflect.ownKeys(a);
  return keys.length === Reflect.ownKeys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && equal(Reflect.get(a, key), Reflect.get(b, key)));
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
