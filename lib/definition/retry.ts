import type { Duration } from "../duration.ts";

/** When and how often to try again. */
export interface RetryPolicy {
  /** Tries in all, the first included. @default {3} */
  readonly attempts?: number;
  /** How the delay grows. @default {"exponential"} */
  readonly backoff?: "exponential" | "linear" | "fixed";
  /** Before the second attempt. @default {"1s"} */
  readonly delay?: Duration;
  /** The longest delay, jitter included. @default {"30s"}, or `delay` if that is longer */
  readonly maxDelay?: Duration;
  /** Draws each delay between half of it and all of it, so that failures do not come back together. @default {true} */
  readonly jitter?: boolean;
  /** Whether an error is worth another attempt. @default {() => true} */
  readonly retryIf?: (error: unknown) => boolean;
}

/** A retry policy with every default filled in. */
export interface RetryRule {
  /** Tries in all. */
  readonly attempts: number;
  /** How the delay grows. */
  readonly backoff: "exponential" | "linear" | "fixed";
  /** Before the second attempt. */
  readonly delayMs: number;
  /** The longest delay. */
  readonly maxDelayMs: number;
  /** Whether delays are drawn. */
  readonly jitter: boolean;
  /** Whether an error is worth another attempt. */
  readonly retryIf: ((error: unknown) => boolean) | undefined;
}

/**
 * How long to wait after a failed attempt, in whole milliseconds; never beyond `maxDelayMs`.
 * `random` is in [0, 1) and used only with jitter.
 */
export function retryDelayMs(rule: RetryRule, failedAttempt: number, random: number): number {
  // Beyond 2^1023 a factor is Infinity, and nothing times that is not a number.
  const factor = rule.backoff === "exponential"
    ? 2 ** Math.min(failedAttempt - 1, 1_000)
    : rule.backoff === "linear"
    ? failedAttempt
    : 1;
  const delay = Math.min(rule.delayMs * factor, rule.maxDelayMs);
  return Math.round(rule.jitter ? delay * (0.5 + random / 2) : delay);
}
