/** Marks functions that return promises where functions of users are synchronous. */
const ASYNCHRONOUS = Symbol("asynchronous");

/**
 * Marks a function that returns a promise, where definitions otherwise demand a synchronous one: those of workers run in
 * another process.
 */
export function asynchronous<Args extends readonly unknown[], Result>(
  fn: (...args: Args) => Result,
): (...args: Args) => Result {
  return Object.defineProperty(fn, ASYNCHRONOUS, { value: true });
}

/** Whether a function is marked as asynchronous. */
export function isAsynchronous(fn: unknown): boolean {
  return typeof fn === "function" && ASYNCHRONOUS in fn;
}
