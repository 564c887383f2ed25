import { type Html, markup } from "./html.ts";

/** A time relative to `now`, with the full date in `datetime` and in the tooltip. */
export function moment(at: number, now: number): Html {
  const iso = isoOf(at);
  return markup`<time datetime="${iso}" title="${inFull(iso)}" data-relative>${relative(at - now)}</time>`;
}

/** A date with time of day: in UTC, or with scripts in the reader's zone, with UTC in the tooltip. */
export function date(at: number): Html {
  const iso = isoOf(at);
  return markup`<time datetime="${iso}" title="${inFull(iso)}" data-local="second">${inFull(iso)}</time>`;
}

/** The same with hours and minutes only. */
export function clock(at: number): Html {
  const iso = isoOf(at);
  return markup`<time datetime="${iso}" title="${inFull(iso)}" data-local="minute">${iso.slice(11, 16)} UTC</time>`;
}

/**
 * A duration in at most two units.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([0, 312, 1_240, 75_000, 7_500_000, 300_000_000].map(duration), [
 *   "0 ms",
 *   "312 ms",
 *   "1.24 s",
 *   "1 min 15 s",
 *   "2 h 5 min",
 *   "3 d 11 h",
 * ]);
 * ```
 */
export function duration(ms: number): string {
  const whole = Math.max(0, Math.round(ms));
  if (whole < 1_000) return `${whole} ms`;
  if (whole < 59_950) return `${Number((whole / 1_000).toFixed(whole < 10_000 ? 2 : 1))} s`;
  // Rounded first, so that no "1 min 60 s" comes out.
  const seconds = Math.round(whole / 1_000);
  if (seconds < 3_600) return twoUnits(seconds, 60, "min", "s");
  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) return twoUnits(minutes, 60, "h", "min");
  return twoUnits(Math.round(minutes / 60), 24, "d", "h");
}

/**
 * A time relative to now, in words; negative is the past.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([-90_000, 400, 10_800_000].map(relative), ["90 s ago", "now", "in 3 h"]);
 * ```
 */
export function relative(ms: number): string {
  const distance = Math.abs(ms);
  if (distance < 1_000) return "now";
  // Up to two of a unit are shown in the next smaller one: "90 s" is more exact than "2 min".
  const [size, unit] = UNITS.find(([size]) => distance >= 2 * size) ?? UNITS.at(-1)!;
  const words = `${Math.round(distance / size)} ${unit}`;
  return ms < 0 ? `${words} ago` : `in ${words}`;
}

const UNITS = [[86_400_000, "d"], [3_600_000, "h"], [60_000, "min"], [1_000, "s"]] as const;

function twoUnits(count: number, size: number, large: string, small: string): string {
  const rest = count % size;
  return `${Math.floor(count / size)} ${large}${rest === 0 ? "" : ` ${rest} ${small}`}`;
}

function inFull(iso: string): string {
  return iso.replace("T", " ").replace(/(\.000)?Z$/, " UTC");
}

// A row edited by hand may contain an invalid time.
function isoOf(at: number): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? "1970-01-01T00:00:00.000Z" : date.toISOString();
}
