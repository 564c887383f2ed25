import { retryDelayMs, type RetryRule } from "../../definition/retry.ts";
import { isThenable } from "../../definition/thenable.ts";
import { isSluiceError } from "../../sluice_error.ts";
import type { Logger } from "../../logger.ts";
import { thrownText, toErrorRecord } from "./error_record.ts";
import { storableText } from "../../text_limits.ts";
import { defaultDeferMessage } from "./task_errors.ts";

/** What follows a failed attempt: the end of the task, another attempt, or the same attempt later. */
export type RetryDecision =
  | { readonly kind: "fail" }
  | { readonly kind: "retry"; readonly delayMs: number }
  | { readonly kind: "defer"; readonly delayMs: number; readonly message: string | undefined };

// Codes of errors of Sluice, of any copy of this library. Errors of others may have the same codes.
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
  if (code === "deferred" && delayMs !== undefined) {
    return { kind: "defer", delayMs, message: deferMessage(toErrorRecord(thrown).message, delayMs) };
  }
  if (attempt >= rule.attempts || (code !== undefined && NOT_RETRIED.has(code))) return { kind: "fail" };
  if (code === "retry_after" && delayMs !== undefined) return { kind: "retry", delayMs };
  if (!isWorthRetrying(rule, thrown, logger)) return { kind: "fail" };
  return { kind: "retry", delayMs: retryDelayMs(rule, attempt, random()) };
}

function isWorthRetrying(rule: RetryRule, thrown: unknown, logger: Logger): boolean {
  if (rule.retryIf === undefined) return true;
  try {
    const isWorth: unknown = rule.retryIf(thrown);
    if (!isThenable(isWorth)) return Boolean(isWorth);
    // Settled in any case, so that its rejection is handled.
    Promise.resolve(isWorth).catch(() => {});
    logger.error("retryIf returned a promise, and must return a boolean; the attempt is not repeated");
  } catch (error) {
    logger.warn("retryIf threw; the attempt is not repeated", { error: thrownText(error) });
  }
  return false;
}

function marksOf(thrown: unknown): { readonly code: string | undefined; readonly delayMs: number | undefined } {
  if (!isSluiceError(thrown)) return { code: undefined, delayMs: undefined };
  const { code, delayMs } = thrown as { readonly code: string; readonly delayMs?: unknown };
  return { code, delayMs: typeof delayMs === "number" ? delayMs : undefined };
}

/** The message that a body gave, as it fits into a reason; `undefined` if it gave none. */
function deferMessage(message: string, delayMs: number): string | undefined {
  return message === "" || message === defaultDeferMessage(delayMs) ? undefined : storableText(message, "reason");
}
