import { type Clock, monotonicOf } from "../../clock.ts";

/** A point in time by both clocks: only the difference of two moments means something. */
export interface Moment {
  /** By the monotonic clock. It may stand still while the machine is suspended. */
  readonly monotonic: number;
  /** By the wall clock. It can be set. */
  readonly wall: number;
}

/**
 * Records for how long this process, its machine or its database stood still. What looks expired right after that may
 * be alive: its owner stood still too, and has had no time to renew its lease.
 */
export interface Standstill {
  /** Now, by both clocks. */
  moment(): Moment;
  /** The time since a moment: by the monotonic clock, or by the wall clock if that is longer (a suspended machine). */
  since(moment: Moment): number;
  /** Records that something took longer than it should have, by so many milliseconds. */
  record(ms: number): void;
  /** Whether this process stood still for longer than `ms`, and that ended less than `ms` ago. */
  isRecent(ms: number): boolean;
}

/** A record without entries. */
export function createStandstill(clock: Clock): Standstill {
  const monotonic = monotonicOf(clock);
  let longest = { ms: 0, endedAt: -Infinity };
  return {
    moment: () => ({ monotonic: monotonic(), wall: clock.now() }),
    since: (moment) => Math.max(monotonic() - moment.monotonic, clock.now() - moment.wall),
    record(ms) {
      const endedAt = monotonic();
      // A shorter one replaces a longer one only when that cannot excuse anything any more.
      if (ms >= longest.ms || endedAt - longest.endedAt > longest.ms) longest = { ms, endedAt };
    },
    isRecent: (ms) => longest.ms > ms && monotonic() - longest.endedAt < ms,
  };
}
