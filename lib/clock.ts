import { clearTimeout, setTimeout } from "node:timers";

/** Time and timers of the engine. Tests replace it with a clock that is moved by hand. */
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
   * Receives work that is pending outside of the process, such as a statement that was sent to a server. A clock that is
   * moved by hand waits until it has settled.
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

/** Returns the monotonic time source of a clock. */
export function monotonicOf(clock: Clock): () => number {
  return clock.monotonic ?? clock.now;
}
