import { type Duration, toMs } from "../duration.ts";
import { SluiceError } from "../errors.ts";

/**
 * Thrown by a body: do not try again, whatever the retry policy says.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createRunner, NonRetryableError, workflow } from "@sluice/sluice";
 *
 * const pay = workflow("pay").task("charge", {
 *   retry: 5,
 *   run: () => Promise.reject(new NonRetryableError("the card has expired")),
 * });
 *
 * await using runner = await createRunner("sqlite::memory:", { workflows: [pay] });
 * const outcome = await runner.execute(pay);
 * assertEquals(outcome.status === "failed" && outcome.error.message, "the card has expired");
 * assertEquals(outcome.status === "failed" && outcome.failures.length, 1);
 * ```
 */
export class NonRetryableError extends SluiceError {
  /** Names the class. */
  override name = "NonRetryableError";
  /** An error that no further attempt would mend. */
  constructor(message: string, options?: ErrorOptions) {
    super("non_retryable", message, options);
  }
}

/**
 * Thrown by a body: try again after `delay`, instead of what the retry policy would wait. Counts as an attempt: after
 * the last one the task fails.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createRunner, RetryAfterError, workflow } from "@sluice/sluice";
 *
 * const poll = workflow("poll").task("fetch", {
 *   run({ ctx }) {
 *     if (ctx.attempt === 1) throw new RetryAfterError("5ms", "429 Too Many Requests");
 *     return ctx.attempt;
 *   },
 * }).returns("fetch");
 *
 * await using runner = await createRunner("sqlite::memory:", { workflows: [poll] });
 * const outcome = await runner.execute(poll);
 * assertEquals(outcome.status === "completed" && outcome.result, 2);
 * ```
 */
export class RetryAfterError extends SluiceError {
  /** Names the class. */
  override name = "RetryAfterError";
  /** How long to wait, in milliseconds. */
  readonly delayMs: number;
  /**
   * An error that knows when the next attempt makes sense.
   *
   * @throws {RangeError} If `delay` is not a duration.
   */
  constructor(delay: Duration, message?: string, options?: ErrorOptions) {
    const delayMs = toMs(delay, "The delay of RetryAfterError");
    super("retry_after", message ?? `try again in ${delayMs} ms`, options);
    this.delayMs = delayMs;
  }
}

/**
 * Thrown by a body: not ready, come back after `delay`. Not an attempt; the wait is durable and may be asked for any
 * number of times.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createRunner, DeferError, workflow } from "@sluice/sluice";
 *
 * let looks = 0;
 * const wait = workflow("wait").task("file", {
 *   retry: 1,
 *   run({ ctx }) {
 *     if (++looks < 3) throw new DeferError("5ms", "it is not there yet");
 *     return { looks, attempt: ctx.attempt };
 *   },
 * }).returns("file");
 *
 * await using runner = await createRunner("sqlite::memory:", { workflows: [wait] });
 * const outcome = await runner.execute(wait);
 * assertEquals(outcome.status === "completed" && outcome.result, { looks: 3, attempt: 1 });
 * ```
 */
export class DeferError extends SluiceError {
  /** Names the class. */
  override name = "DeferError";
  /** How long to wait, in milliseconds. */
  readonly delayMs: number;
  /**
   * Says that there is nothing to do yet.
   *
   * @throws {RangeError} If `delay` is not a duration.
   */
  constructor(delay: Duration, message?: string) {
    const delayMs = toMs(delay, "The delay of DeferError");
    super("deferred", message ?? `not ready, again in ${delayMs} ms`);
    this.delayMs = delayMs;
  }
}
