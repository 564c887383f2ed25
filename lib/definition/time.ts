/** A point in time: a date, milliseconds since the epoch, or ISO 8601 text with a zone, such as `2026-11-30T08:00:00Z`. */
export type Time = Date | number | string;

/**
 * Returns a time in whole milliseconds since the epoch, or `undefined` if the value is not a time. Text without a zone is
 * not a time, as its meaning depends on the machine; a date without a time of day is midnight UTC.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseTime("1970-01-01T01:00:00+01:00"), 0);
 * assertEquals(parseTime("1970-01-02"), 86_400_000);
 * assertEquals(parseTime("tomorrow"), undefined);
 * ```
 */
export function parseTime(value: unknown): number | undefined {
  if (typeof value === "string") return ISO_8601.test(value) ? inRange(Date.parse(value)) : undefined;
  return inRange(value instanceof Date ? value.getTime() : value);
}

const ISO_8601 = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/;
/** The last time that a `Date` can represent. */
const LAST = 8.64e15;

function inRange(ms: unknown): number | undefined {
  return typeof ms === "number" && ms >= 0 && ms <= LAST ? Math.round(ms) : undefined;
}
