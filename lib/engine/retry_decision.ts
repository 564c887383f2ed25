import { retryDelayMs, type RetryRule } from "../definition/retry.ts";
import type { Logger } from "../logger.ts";

/** What follows a failed attempt: the end of the task, another attempt, or the same attempt later. */
export type RetryDecision =
  | { readonly kind: "fail" }
  | { readonly kind: "retry"; readonly delayMs: number }
  | { readonly kind: "defer"; readonly delayMs: number };

// Recognised by code and not by class: a program may contain two copies of this library.
const NOT_RETRIED: ReadonlySet<string> = new Set([
  "non_retryable",
  "unstorable_payload",
  "payload_too_large",
  "corrupt_row",
  "transaction_ended",
]);

/** Decides what follows an attempt (counted from 1) that threw. `random` returns a number in [0, 1), for jitter. */
export function decideRetry(
  rule: RetryRule,
  attempt: number,
  thrown: unknown,
  random: () => number,
  logger: Logger,
): RetryDecision {
  const { code, delayMs } = marksOf(thrown);
  if (code === "deferred" && delayMs !== undefined) return { kind: "defer", delayMs };
  if (attempt >= rule.attempts || (code !== undefined && NOT_RETRIED.has(code))) return { kind: "fail" };
  if (code === "retry_after" && delayMs !== undefined) return { kind: "retry", delayMs };
  if (!isWorthRetrying(rule, thrown, logger)) return { kind: "fail" };
  return { kind: "retry", delayMs: retryDelayMs(rule, attempt, random()) };
}

function isWorthRetrying(rule: RetryRule, thrown: unknown, logger: Logger): boolean {
  try {
    return rule.retryIf === undefined || Boolean(rule.retryIf(thrown));
  } catch (error) {
    logger.warn("retryIf threw; its task is not retried", { error: String(error) });
    return false;
  }
}

function marksOf(thrown: unknown): { readonly code: string | undefined; readonly delayMs: number | undefined } {
  try {
    const { code, delayMs } = thrown as { code?: unknown; delayMs?: unknown };
    return {
      code: typeof code === "string" ? code : undefined,
      delayMs: typeof delayMs === "number" ? delayMs : undefined,
    };
  } catch {
    // The value is `null` or `undefined`, or one of its getters threw.
    return { code: undefined, delayMs: undefined };
  }
}
