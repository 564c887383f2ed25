/**
 * The offsets of a time zone from UTC, and when they change, according to the runtime.
 *
 * @module
 */

/** A change of the offset of a zone, as at the beginning of daylight saving time. */
export interface OffsetChange {
  /** The first instant of the new offset. */
  readonly at: number;
  /** The offset before, in milliseconds east of UTC. */
  readonly before: number;
  /** The offset from then on. */
  readonly after: number;
}

/** A time zone. Times are milliseconds since the epoch. */
export interface Zone {
  /** Returns the offset at an instant, in milliseconds east of UTC. */
  offsetAt(instant: number): number;
  /** Returns the first change after an instant and not after `until`; `undefined` if there is none. */
  nextChange(after: number, until: number): OffsetChange | undefined;
  /** Returns the last change after `from` and not after an instant; `undefined` if there is none. */
  lastChange(from: number, until: number): OffsetChange | undefined;
}

const DAY_MS = 86_400_000;

/** Days that are remembered, as the runtime takes microseconds for each offset. */
const MOST_DAYS = 5_000;

/** UTC, which has no changes. */
export const UTC: Zone = { offsetAt: () => 0, nextChange: () => undefined, lastChange: () => undefined };

/**
 * A zone of the runtime. No zone changes its offset twice within a day of UTC.
 *
 * @throws {RangeError} If the runtime does not know the zone.
 */
export function createZone(timeZone: string): Zone {
  if (timeZone === "UTC") return UTC;
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  const offsets = new Map<number, number>();
  const changes = new Map<number, OffsetChange | undefined>();
  return {
    offsetAt(instant) {
      const day = Math.floor(instant / DAY_MS);
      const change = changeOn(day);
      return change === undefined ? offsetOfDay(day) : instant < change.at ? change.before : change.after;
    },
    nextChange(after, until) {
      for (let day = Math.floor(after / DAY_MS); day * DAY_MS <= until; day++) {
        const change = changeOn(day);
        if (change !== undefined && change.at > after) return change.at <= until ? change : undefined;
      }
      return undefined;
    },
    lastChange(from, until) {
      for (let day = Math.floor(until / DAY_MS); (day + 1) * DAY_MS > from; day--) {
        const change = changeOn(day);
        if (change !== undefined && change.at <= until) return change.at > from ? change : undefined;
      }
      return undefined;
    },
  };

  /** The change after the beginning of a day and not after its end. */
  function changeOn(day: number): OffsetChange | undefined {
    if (changes.has(day)) return changes.get(day);
    const [before, after] = [offsetOfDay(day), offsetOfDay(day + 1)];
    const change = before === after ? undefined : { at: bisect(day, before), before, after };
    if (changes.size >= MOST_DAYS) changes.clear();
    changes.set(day, change);
    return change;
  }

  function bisect(day: number, before: number): number {
    let [low, high] = [day * DAY_MS, (day + 1) * DAY_MS];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (read(middle) === before) low = middle;
      else high = middle;
    }
    return high;
  }

  function offsetOfDay(day: number): number {
    const known = offsets.get(day);
    if (known !== undefined) return known;
    const offset = read(day * DAY_MS);
    if (offsets.size >= MOST_DAYS) offsets.clear();
    offsets.set(day, offset);
    return offset;
  }

  function read(instant: number): number {
    const part: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(instant)) part[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(instant / 1_000) * 1_000;
  }
}
