/**
 * The limits of the server that end a transaction while its body runs. The server closes the connection then, and the
 * driver drops the reason, so it is inferred from the time that has passed. Unlike a connection that is lost otherwise,
 * this happens again with each repetition: it fails the attempt.
 *
 * @module
 */
import type { Row } from "../../shared/decode.ts";

/** A setting of the server, in milliseconds; `undefined` if there is no limit. */
export interface BodyLimits {
  /** `idle_in_transaction_session_timeout`. */
  readonly idleMs: number | undefined;
  /** `transaction_timeout`, from Postgres 17 on. */
  readonly totalMs: number | undefined;
}

/** How long a transaction has lasted, and how long it has waited for a statement, in milliseconds. */
export interface BodyTimes {
  readonly totalMs: number;
  /** Zero while a statement is executed. */
  readonly idleMs: number;
}

/** How often a body is repeated whose connection ends while it runs: it may itself be the cause. */
export const MOST_LOSSES = 20;

/** The server's timers and those of this process differ by less. */
const TOLERANCE_MS = 20;

/** Reads the limits from a row with the settings `idle_limit` and `total_limit`. */
export function readBodyLimits(row: Row | undefined): BodyLimits {
  return { idleMs: millisecondsOf(row?.["idle_limit"]), totalMs: millisecondsOf(row?.["total_limit"]) };
}

/** Returns the limit that a lost transaction has reached, in words; `undefined` if it was lost for another reason. */
export function limitReached(limits: BodyLimits, { totalMs, idleMs }: BodyTimes): string | undefined {
  if (limits.idleMs !== undefined && idleMs >= limits.idleMs - TOLERANCE_MS) {
    return `it was idle for ${limits.idleMs} ms (idle_in_transaction_session_timeout)`;
  }
  if (limits.totalMs !== undefined && totalMs >= limits.totalMs - TOLERANCE_MS) {
    return `it lasted for ${limits.totalMs} ms (transaction_timeout)`;
  }
  return undefined;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 };

function millisecondsOf(setting: unknown): number | undefined {
  const [, amount, unit = "ms"] = /^(\d+)([a-z]*)$/.exec(String(setting)) ?? [];
  const ms = Number(amount) * (UNITS[unit || "ms"] ?? NaN);
  return ms > 0 ? ms : undefined;
}
