import type { Duration } from "../duration.ts";
import { type Checks, newChecks, type Options, shown } from "./checks.ts";

/** How often and when a failed attempt is repeated. */
export interface RetryPolicy {
  /** The total number of attempts. @default {3} */
  readonly attempts?: number;
  /** How the delay grows. @default {"exponential"} */
  readonly backoff?: "exponential" | "linear" | "fixed";
  /** The delay before the second attempt. @default {"1s"} */
  readonly delay?: Duration;
  /** The maximum delay, with jitter. @default {"30s"}, or `delay` if that is longer */
  readonly maxDelay?: Duration;
  /** Draws each delay from its second half, so that tasks that failed together are not retried together. @default {true} */
  readonly jitter?: boolean;
  /** Whether an error is retried. @default {() => true} */
  readonly retryIf?: (error: unknown) => boolean;
}

/** A retry policy with all defaults, and with durations in milliseconds. */
export interface RetryRule {
  /** The total number of attempts. */
  readonly attempts: number;
  /** How the delay grows. */
  readonly backoff: "exponential" | "linear" | "fixed";
  /** The delay before the second attempt. */
  readonly delayMs: number;
  /** The maximum delay. */
  readonly maxDelayMs: number;
  /** Whether each delay is drawn from its second half. */
  readonly jitter: boolean;
  /** Whether an error is retried. */
  readonly retryIf: ((error: unknown) => boolean) | undefined;
}

/**
 * Returns the delay after a failed attempt in whole milliseconds, at most `maxDelayMs`. `random` is in [0, 1) and used
 * only with jitter.
 */
export function retryDelayMs(rule: RetryRule, failedAttempt: number, random: number): number {
  // A factor over 2^1023 is Infinity, and 0 * Infinity is NaN.
  const factor = rule.backoff === "exponential"
    ? 2 ** Math.min(failedAttempt - 1, 1_000)
    : rule.backoff === "linear"
    ? failedAttempt
    : 1;
  const delay = Math.min(rule.delayMs * factor, rule.maxDelayMs);
  return Math.round(rule.jitter ? delay * (0.5 + random / 2) : delay);
}

const BACKOFFS: Record<RetryRule["backoff"], true> = { exponential: true, linear: true, fixed: true };
const RETRY_OPTIONS = ["attempts", "backoff", "delay", "maxDelay", "jitter", "retryIf"];

/** The options of a runner for tasks that state none. */
export interface TaskDefaults {
  /** The option `retry` of tasks, transactions and maps that state none. @default {3} attempts, exponential */
  readonly retry?: number | RetryPolicy;
  /** The option `timeout` of tasks, transactions and maps that state none. @default {undefined} no limit */
  readonly timeout?: Duration;
}

/** The rule of a task that is not retried. */
export const ONE_ATTEMPT: RetryRule = Object.freeze({
  attempts: 1,
  backoff: "fixed",
  delayMs: 0,
  maxDelayMs: 0,
  jitter: false,
  retryIf: undefined,
});

const DEFAULT_ATTEMPTS = 3;
const DEFAULT_DELAY_MS = 1_000;
const DEFAULT_MAX_DELAY_MS = 30_000;

/** Reads the option `retry` of a task; returns `undefined` if the default of the runner applies. */
export function readTaskRetry(
  { retry, guarantee }: Options,
  what: string,
  checks: Checks,
): RetryRule | undefined {
  // What runs at most once is repeated only if the task itself allows it.
  if (retry === undefined) return guarantee === "atMostOnce" ? ONE_ATTEMPT : undefined;
  return readRetry(retry, what, checks);
}

/** Reads a retry rule: a total number of attempts, or a policy. */
export function readRetry(value: unknown, what: string, checks: Checks): RetryRule {
  const options = value === undefined ? {} : typeof value === "number" ? { attempts: value } : value;
  const { attempts = DEFAULT_ATTEMPTS, backoff, delay, maxDelay, jitter = true, retryIf } = checks.options(
    options,
    what,
    RETRY_OPTIONS,
  );
  if (!Number.isSafeInteger(attempts) || Number(attempts) < 1) {
    checks.report(`${what}: attempts must be a positive integer, not ${shown(attempts)}`);
  }
  if (typeof jitter !== "boolean") checks.report(`${what}: jitter must be true or false, not ${shown(jitter)}`);
  const delayMs = checks.duration(delay, `${what}: delay`);
  const maxDelayMs = checks.duration(maxDelay, `${what}: maxDelay`);
  if (delayMs !== undefined && maxDelayMs !== undefined && maxDelayMs < delayMs) {
    checks.report(`${what}: maxDelay (${maxDelayMs} ms) must not be shorter than delay (${delayMs} ms)`);
  }
  const cap = maxDelayMs ?? Math.max(DEFAULT_MAX_DELAY_MS, delayMs ?? 0);
  return Object.freeze({
    attempts: Number(attempts),
    backoff: checks.word(backoff, `${what}: backoff`, BACKOFFS) ?? "exponential",
    delayMs: delayMs ?? Math.min(DEFAULT_DELAY_MS, cap),
    maxDelayMs: cap,
    jitter: jitter === true,
    retryIf: checks.fn<(error: unknown) => boolean>(retryIf, `${what}: retryIf`),
  });
}

/** The rule of a task if neither the task nor its runner states one. */
export const DEFAULT_RETRY: RetryRule = readRetry(undefined, "retry", newChecks());
