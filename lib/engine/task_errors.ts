import { type Duration, toMs } from "../duration.ts";
import { SluiceError } from "../errors.ts";

/** Thrown by a body: do not try again, whatever the retry policy says. */
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
