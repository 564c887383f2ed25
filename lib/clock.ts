import { clearTimeout, setTimeout } from "node:timers";

/** Time as the engine sees it; tests replace it with one they move by hand. */
export interface Clock {
  /** Milliseconds since the epoch, whole. The clock of a machine can be set forward or backward. */
  now(): number;
  /**
   * Milliseconds since some moment of the past; never goes back. Durations are differences of it. It may stand still
   * while the machine is suspended. @default {now}
   */
  monotonic?(): number;
  /**
   * Calls `fire` once after `ms` milliseconds; the answer takes it back.
   * A `background` timer does not keep the process alive.
   */
  after(ms: number, fire: () => void, background?: boolean): () => void;
  /**
   * Told of what is under way outside of the process, such as a statement on its way to a server: a clock that is moved
   * by hand waits for it to settle.
   */
  outside?(work: PromiseLike<unknown>): void;
}

// setTimeout() fires at once beyond 2^31-1 ms, so a longer wait is slept in pieces.
const LONGEST_TIMER_MS = 2_147_483_647;

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, fire, background = false) {
    // What is overdue fires in the next turn; a runtime may complain of a time that is negative.
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

/** The monotonic time of a clock. */
export function monotonicOf(clock: Clock): () => number {
  return clock.monotonic ?? clock.now;
}
