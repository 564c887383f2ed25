/**
 * The instants of a cron expression in a time zone. `croner` matches local times; this decides what becomes of those that
 * do not exist, in a gap, and of those that exist twice, in an overlap, because the offset of the zone changes.
 *
 * A time of day (`30 2 * * *`) ticks once per local day: in a gap at the first instant after it, or earlier by the length
 * of the gap if that would be on the next local day; in an overlap at the first of both instants. An interval
 * (`*\/15 * * * *`, `0 * * * *`) follows real time: it has no ticks in a gap, and all of them twice in an overlap.
 *
 * @module
 */
import type { NextWall } from "./croner.ts";
import type { OffsetChange, Zone } from "./zone.ts";

const DAY_MS = 86_400_000;

/** The longest gap or overlap: a zone that moves across the date line skips a day. */
const LONGEST_CHANGE_MS = DAY_MS;

/** Returns a function that returns the first tick after an instant; `undefined` if there is none. */
export function cronTicks(
  { nextWall, zone, isTimeOfDay }: { readonly nextWall: NextWall; readonly zone: Zone; readonly isTimeOfDay: boolean },
): (after: number) => number | undefined {
  return next;

  function next(after: number): number | undefined {
    let offset = zone.offsetAt(after);
    // The last local time that has had its tick.
    let wall = after + offset;
    const past = isTimeOfDay ? zone.lastChange(after - LONGEST_CHANGE_MS, after) : undefined;
    if (past !== undefined) wall = Math.max(wall, past.at + past.before - 1);
    for (let from = after;;) {
      const nextAt = nextWall(wall);
      if (nextAt === undefined) return undefined;
      const tick = nextAt - offset;
      const change = zone.nextChange(from, tick + (isTimeOfDay ? LONGEST_CHANGE_MS : 0));
      if (change === undefined) return tick;
      const early = isTimeOfDay ? movedBack(change, after) : undefined;
      if (early !== undefined && early < tick) return early;
      if (tick < change.at) return tick;
      if (isTimeOfDay && nextAt < change.at + change.after && nextAt >= dayOf(change.at + change.after)) {
        return change.at;
      }
      const hasRepeated = isTimeOfDay && change.after < change.before;
      wall = change.at + (hasRepeated ? change.before : change.after) - 1;
      offset = change.after;
      from = change.at;
    }
  }

  /** The first tick after an instant of those in a gap whose local day ends with the gap. */
  function movedBack({ at, before, after: offset }: OffsetChange, after: number): number | undefined {
    const nextDay = dayOf(at + offset);
    if (nextDay <= at + before) return undefined;
    const wall = nextWall(Math.max(at + before - 1, after + offset));
    return wall !== undefined && wall < nextDay ? wall - offset : undefined;
  }
}

/** The beginning of the local day. */
function dayOf(wall: number): number {
  return Math.floor(wall / DAY_MS) * DAY_MS;
}
