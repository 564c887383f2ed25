import { isAsynchronous } from "../../definition/asynchronous.ts";
import type { TaskFunction } from "../../definition/definition.ts";
import { isThenable } from "../../definition/thenable.ts";

/**
 * Returns what a function of the user returned: a promise only if the function is marked as asynchronous, as those of
 * workers are.
 *
 * @throws {TypeError} If it is a promise and the function is not marked.
 */
export function returnedBy(fn: TaskFunction, value: unknown, what: string): unknown {
  if (!isThenable(value) || isAsynchronous(fn)) return value;
  // Handled, as an unhandled rejection would end the process.
  Promise.resolve(value).catch(() => {});
  throw new TypeError(
    `${what} returned a promise, and must return a value; compute it in a task, and name that in after`,
  );
}
