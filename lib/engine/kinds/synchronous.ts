import { isThenable } from "../../definition/thenable.ts";

/**
 * Returns what a function of the user returned, which must not be a promise.
 *
 * @throws {TypeError} If it is a promise.
 */
export function synchronous<T>(value: T, what: string): T {
  if (!isThenable(value)) return value;
  // Handled, as an unhandled rejection would end the process.
  Promise.resolve(value).catch(() => {});
  throw new TypeError(
    `${what} returned a promise, and must return a value; compute it in a task, and name that in after`,
  );
}
