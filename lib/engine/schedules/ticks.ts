/**
 * The ticks of a schedule: pure functions of its timing and a time.
 *
 * @module
 */
import type { CompileCron } from "./croner.ts";
import { cronTicks } from "./cron_ticks.ts";
import { createZone, type Zone } from "./zone.ts";

/** When a schedule ticks, as it is stored. */
export interface Timing {
  /** The fields of the cron expression; `undefined` for an interval. */
  readonly cron?: string | undefined;
  /** Whether the expression is a time of day. */
  readonly isTimeOfDay?: boolean | undefined;
  /** The time zone of the expression. */
  readonly timeZone?: string | undefined;
  /** The interval in milliseconds. */
  readonly everyMs?: number | undefined;
  /** The first time that can be a tick. */
  readonly startAt?: number | undefined;
  /** The first time after the last tick. */
  readonly endAt?: number | undefined;
}

/** The ticks of a schedule. */
export interface Ticks {
  /** Returns the first tick after a time; `undefined` if there is none. */
  next(after: number): number | undefined;
}

/** Computes the ticks of schedules; those with the same zone or expression share what is known of it. */
export interface Calculator {
  /**
   * Returns the ticks of a timing.
   *
   * @throws {Error} If the cron expression is wrong, or `cron` was not loaded.
   */
  ticks(timing: Timing): Ticks;
}

/** Creates a calculator; `compile` may be absent if no schedule has a cron expression. */
export function createCalculator(compile: CompileCron | undefined): Calculator {
  const zones = new Map<string, Zone>();
  const rules = new Map<string, (after: number) => number | undefined>();
  return {
    ticks(timing) {
      const { startAt = -Infinity, endAt = Infinity } = timing;
      const rule = timing.everyMs === undefined ? ruleOf(timing) : interval(timing.everyMs, timing.startAt ?? 0);
      return {
        next(after) {
          const tick = rule(Math.max(after, startAt - 1));
          return tick === undefined || tick >= endAt ? undefined : tick;
        },
      };
    },
  };

  function ruleOf({ cron = "", isTimeOfDay = false, timeZone = "UTC" }: Timing): (after: number) => number | undefined {
    const key = `${timeZone} ${cron}`;
    let rule = rules.get(key);
    if (rule === undefined) {
      if (compile === undefined) throw new Error("Cannot compute the ticks of a cron expression: it is not loaded");
      rule = cronTicks({ nextWall: compile(cron), zone: zoneOf(timeZone), isTimeOfDay });
      rules.set(key, rule);
    }
    return rule;
  }

  function zoneOf(timeZone: string): Zone {
    const zone = zones.get(timeZone) ?? createZone(timeZone);
    zones.set(timeZone, zone);
    return zone;
  }
}

function interval(everyMs: number, anchor: number): (after: number) => number {
  return (after) => anchor + (Math.floor((after - anchor) / everyMs) + 1) * everyMs;
}

/** The ticks of a period. */
export interface TickRange {
  /** The latest of them, at most as many as were wanted, in ascending order. */
  readonly latest: readonly number[];
  /** How many there are in all, if they are at most `MOST_COUNTED` or as many as were wanted; else the larger of both. */
  readonly count: number;
}

/** How many ticks of a period are counted. */
export const MOST_COUNTED = 1_000;

/** Returns the latest ticks after `after` and not after `until`, in a time that does not depend on how many there are. */
export function latestTicks(
  ticks: Ticks,
  { after, until, most }: { readonly after: number; readonly until: number; readonly most: number },
): TickRange {
  const limit = Math.max(most, MOST_COUNTED);
  const all = list(ticks, after, until, limit + 1);
  if (all.length <= limit) return { latest: all.slice(-most), count: all.length };
  // The period has more than are wanted: the latest of its halves that has enough has at most that many once it is small.
  let [early, late] = [after, until];
  while (late - early > 1) {
    const middle = Math.floor((early + late) / 2);
    const found = list(ticks, middle, until, limit + 1);
    if (found.length > limit) early = middle;
    else if (found.length < most) late = middle;
    else return { latest: found.slice(-most), count: limit };
  }
  return { latest: list(ticks, early, until, limit).slice(-most), count: limit };
}

/** Returns the first ticks after `after` and not after `until`, at most `most`. */
export function list(ticks: Ticks, after: number, until: number, most: number): readonly number[] {
  const found: number[] = [];
  for (let tick = ticks.next(after); tick !== undefined && tick <= until && found.length < most;) {
    found.push(tick);
    tick = ticks.next(tick);
  }
  return found;
}

/** Returns the delay of a tick by jitter: the same for the same schedule and tick in each process. */
export function jitterOf(name: string, tick: number, jitterMs: number): number {
  if (jitterMs === 0) return 0;
  // FNV-1a, with a last mix, as ticks differ in few bits.
  let hash = 0x811c9dc5;
  for (const letter of `${name}\n${tick}`) hash = Math.imul(hash ^ letter.codePointAt(0)!, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return Math.floor(((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32 * jitterMs);
}
