import { retryDelayMs, type RetryRule } from "../definition/retry.ts";
import type { Logger } from "../logger.ts";

/** What follows a failed attempt. */
export type RetryDecision =
  | { readonly kind: "fail" }
  | { readonly kind: "retry"; readonly delayMs: number }
  | { readonly kind: "defer"; readonly delayMs: number };

// Told by their codes and not by their classes: a program may hold two copies of this library.
const FINAL: ReadonlySet<string> = new Set([
  "non_retryable",
  "unstorable_payload",
  "payload_too_large",
  "corrupt_row",
  "transaction_ended",
]);

/** Decides what follows an attempt (counted from 1) that threw. */
export function decideRetry(
  rule: RetryRule,
  attempt: number,
  thrown: unknown,
  random: () => number,
  logger: Logger,
): RetryDecision {
  const { code, delayMs } = marksOf(thrown);
  if (code === "deferred" && delayMs !== undefined) return { kind: "defer", delayMs };
  if (attempt >= rule.attempts || (code !== undefined && FINAL.has(code))) return { kind: "fail" };
  if (code === "retry_after" && delayMs !== undefined) return { kind: "retry", delayMs };
  if (!isWorthRetrying(rule, thrown, logger)) return { kind: "fail" };
  return { kind: "retry", delayMs: retryDelayMs(rule, attempt, random()) };
}

function isWorthRetrying(rule: RetryRule, thrown: unknown, logger: Logger): boolean {
  try {
    return rule.retryIf === undefined || Boolean(rule.retryIf(thrown));
  } catch (error) {
    logger.warn("A retryIf threw, so its task is not retried", { error: String(error) });
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
    // `null`, `undefined`, or a getter that throws.
    return { code: undefined, delayMs: undefined };
  }
}
