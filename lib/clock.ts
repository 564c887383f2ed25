import { clearTimeout, setTimeout } from "node:timers";

/** Time and timers of the engine. Tests replace it with a clock that they advance. */
export interface Clock {
  /** Returns whole milliseconds since the epoch. The clock of a machine can be set forward or backward. */
  now(): number;
  /**
   * Returns milliseconds since a fixed moment, for durations; never goes back. It may stand still while the machine is
   * suspended. @default {now}
   */
  monotonic?(): number;
  /**
   * Calls `fire` once after `ms` milliseconds; the returned function cancels it. A `background` timer does not keep the
   * process alive.
   */
  after(ms: number, fire: () => void, background?: boolean): () => void;
  /**
   * Like `after`, for a check that is repeated all the time, such as a poll: `fire` is called after `ms` milliseconds,
   * or up to `idleMs` later if nothing has happened until then. @default {after}
   */
  periodic?(ms: number, idleMs: number, fire: () => void, background?: boolean): () => void;
  /**
   * Returns for how many milliseconds from now nothing but periodic checks is due, and none of them can find anything.
   * Only a clock for tests can return more than 0. @default {0}
   */
  idleMs?(): number;
  /**
   * Receives work that is pending outside of the process, such as a statement that was sent to a server. A clock for
   * tests waits until it has settled.
   */
  outside?(work: PromiseLike<unknown>): void;
}

// setTimeout() fires at once beyond 2^31-1 ms, so a longer wait consists of several timers.
const LONGEST_TIMER_MS = 2_147_483_647;

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, fire, background = false) {
    // An overdue timer fires in the next turn. A runtime may warn of a negative time.
    let timer = sleep(Math.max(0, ms));
    return () => clearTimeout(timer);

    function sleep(leftMs: number): ReturnType<typeof setTimeout> {
      const nap = Math.min(leftMs, LONGEST_TIMER_MS);
      const id = setTimeout(() => {
        if (leftMs > nap) timer = sleep(leftMs - nap);
        else fire();
      }, nap);
      if (background) id.unref();
      return id;
    }
  },
};

/** Calls `fire` after `ms` milliseconds, for a check that is repeated all the time; see `Clock.periodic()`. */
export function afterIdle(clock: Clock, ms: number, fire: () => void, background?: boolean): () => void {
  return periodicOf(clock)(ms, idleMsOf(clock), fire, background);
}

/** Returns how a clock calls periodic checks. */
export function periodicOf(clock: Clock): NonNullable<Clock["periodic"]> {
  return clock.periodic ?? ((ms, _idleMs, fire, background) => clock.after(ms, fire, background));
}

/** Returns for how many milliseconds from now nothing can happen; 0 if that is unknown. */
export function idleMsOf(clock: Clock): number {
  return clock.idleMs?.() ?? 0;
}

/** Returns the monotonic time source of a clock. */
export function monotonicOf(clock: Clock): () => number {
  return clock.monotonic ?? clock.now;
}
