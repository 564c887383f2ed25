import { type Duration, toMs } from "../../duration.ts";
import { SluiceError } from "../../sluice_error.ts";

/**
 * Thrown by a body: fails the task at once, whatever its retry policy is.
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
  /** Name of the class. */
  override name = "NonRetryableError";
  /** Stable code for programs. */
  declare readonly code: "non_retryable";
  /** Creates an error that another attempt would not resolve. */
  constructor(message: string, options?: ErrorOptions) {
    super("non_retryable", message, options);
  }
}

/**
 * Thrown by a body: the next attempt starts after `delay` instead of the delay of the retry policy. It counts as an
 * attempt: after the last one the task fails.
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
  /** Name of the class. */
  override name = "RetryAfterError";
  /** Stable code for programs. */
  declare readonly code: "retry_after";
  /** Delay in milliseconds. */
  readonly delayMs: number;
  /**
   * Creates an error with the delay of the next attempt; a negative one, such as of a time that has passed, means now.
   *
   * @throws {RangeError} If `delay` is not a duration.
   */
  constructor(delay: Duration, message?: string, options?: ErrorOptions) {
    const delayMs = delayOf(delay, "The delay of RetryAfterError");
    super("retry_after", message ?? `try again in ${delayMs} ms`, options);
    this.delayMs = delayMs;
  }
}

/**
 * Thrown by a body: postpones the attempt by `delay`. It does not count as an attempt, the wait is durable, and a body
 * may postpone any number of times.
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
  /** Name of the class. */
  override name = "DeferError";
  /** Stable code for programs. */
  declare readonly code: "deferred";
  /** Delay in milliseconds. */
  readonly delayMs: number;
  /**
   * Creates an error that postpones the attempt; a negative delay means now.
   *
   * @throws {RangeError} If `delay` is not a duration.
   */
  constructor(delay: Duration, message?: string) {
    const delayMs = delayOf(delay, "The delay of DeferError");
    super("deferred", message ?? defaultDeferMessage(delayMs));
    this.delayMs = delayMs;
  }
}

/** An attempt at a step took longer than the `timeout` of the step. */
export class StepTimeoutError extends SluiceError {
  /** Name of the class. */
  override name = "StepTimeoutError";
  /** Stable code for programs. */
  declare readonly code: "step_timeout";
  /** Name of the step. */
  readonly step: string;
  /** The timeout in milliseconds. */
  readonly timeoutMs: number;
  /** Creates an error for an attempt at a step that timed out. */
  constructor(step: string, timeoutMs: number) {
    super("step_timeout", `Step "${step}" took longer than its timeout of ${timeoutMs} ms`);
    this.step = step;
    this.timeoutMs = timeoutMs;
  }
}

/** The message of a `DeferError` to which none was given. */
export function defaultDeferMessage(delayMs: number): string {
  return `not ready, runs again in ${delayMs} ms`;
}

function delayOf(delay: Duration, what: string): number {
  return toMs(typeof delay === "number" && delay < 0 ? 0 : delay, what);
}
