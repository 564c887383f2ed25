/** Milliseconds, or a number with a unit, such as `"250ms"`, `"30s"`, `"5m"`, `"2h"` or `"7d"`. */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const FORM = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

// Ten thousand years. A longer duration is a mistaken unit, and its end would be outside the range of dates.
const LONGEST_MS = 10_000 * 365 * UNITS.d;

/**
 * Converts a duration to whole milliseconds; returns `undefined` for a value that is not a duration, or negative.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseDuration("1.5s"), 1500);
 * assertEquals(parseDuration("5 minutes"), undefined);
 * ```
 */
export function parseDuration(value: unknown): number | undefined {
  const ms = typeof value === "number" ? value : typeof value === "string" ? ofText(value) : NaN;
  return ms >= 0 && ms <= LONGEST_MS ? Math.round(ms) : undefined;
}

/**
 * Converts a duration to whole milliseconds; `what` begins the message of the error.
 *
 * @throws {RangeError} If `value` is neither milliseconds nor a number with a unit.
 */
export function toMs(value: unknown, what: string): number {
  const ms = parseDuration(value);
  if (ms === undefined) throw new RangeError(invalidDuration(value, what));
  return ms;
}

/** Returns the error message for a value that is not a duration. */
export function invalidDuration(value: unknown, what: string): string {
  // A String() of an object may throw.
  const shown = typeof value === "string" ? `"${value}"` : typeof value === "object" ? "an object" : String(value);
  return `${what} is not a duration: ${shown} (use milliseconds or "250ms", "30s", "5m", "2h", "7d")`;
}

function ofText(text: string): number {
  const match = FORM.exec(text);
  return match ? Number(match[1]) * UNITS[match[2] as keyof typeof UNITS] : NaN;
}
