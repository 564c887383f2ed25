import { clearImmediate, setImmediate } from "node:timers";
import { type Clock, systemClock } from "../clock.ts";
import { type Duration, toMs } from "../duration.ts";

/** A clock that stands still until it is moved by hand. */
export interface FakeClock extends Clock {
  /** Timers that wait. */
  readonly timers: number;
  /**
   * Moves the time on and fires, in order, every timer that becomes due on the way, those that are set meanwhile
   * included. Before each one, and at the end, it waits as `settle()` does, so that whole chains of retries pass.
   *
   * @throws {RangeError} If `duration` is not a duration.
   */
  advance(duration: Duration): Promise<void>;
  /** Waits, without moving the time, until what was set off in this process has come to rest. */
  settle(): Promise<void>;
  /**
   * Moves the time on from timer to timer until `promise` settles, and answers as it does.
   *
   * @throws {Error} If it has not settled after `limit` of this clock's time.
   * @default {"1h"} for `limit`
   */
  until<T>(promise: PromiseLike<T>, limit?: Duration): Promise<T>;
  /** Tells it of work that it cannot see, as a body's on a file or a socket: nothing is at rest before that settles. */
  outside(work: PromiseLike<unknown>): void;
}

interface Timer {
  readonly dueAt: number;
  readonly fire: () => void;
}

/** Turns of the event loop without a look at the clock after which nothing is taken to be under way. */
const QUIET_TURNS = 6;
const FIRST_OF_2026 = Date.UTC(2026, 0, 1);

/**
 * A clock for tests, to be given to `createRunner()` or `createClient()`. The time stands still until it is moved, so a
 * retry an hour away costs no waiting. A timer of no duration fires by itself, in the next turn of the event loop.
 *
 * It knows when promises and immediates have come to rest, and waits for a store's statements on their way to a server.
 * Of what else happens outside of the process it knows nothing: a body that waits for a file, a socket or a timer of the
 * machine is to be awaited before the time is moved on, or told to `outside()`.
 *
 * @param startMs Its first time, in milliseconds since the epoch.
 * @default {1_767_225_600_000} for `startMs`, the beginning of 2026
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createRunner, workflow } from "@sluice/sluice";
 * import { createFakeClock } from "@sluice/sluice/testing";
 *
 * const flaky = workflow("flaky").task("call", {
 *   retry: { attempts: 3, delay: "1h", maxDelay: "1d", jitter: false },
 *   run({ ctx }) {
 *     if (ctx.attempt < 3) throw new Error("not yet");
 *     return ctx.attempt;
 *   },
 * });
 *
 * const clock = createFakeClock();
 * await using runner = await createRunner("sqlite::memory:", { workflows: [flaky], clock });
 * const run = await runner.start(flaky);
 * await clock.advance("1h"); // the second attempt
 * assertEquals((await run.status()).state, "waiting");
 * await clock.advance("2h"); // the third
 * assertEquals(await run.result(), { call: 3 });
 * ```
 */
export function createFakeClock(startMs: number = FIRST_OF_2026): FakeClock {
  if (!Number.isFinite(startMs)) {
    throw new RangeError("Cannot create a clock: its first time must be in milliseconds since the epoch");
  }
  // By due time, then in the order in which they were set.
  const timers: Timer[] = [];
  let nowMs = startMs;
  let touched = 0;
  let outside = 0;
  let back = Promise.withResolvers<void>();
  return {
    now() {
      touched++;
      return nowMs;
    },
    after,
    get timers() {
      return timers.length;
    },
    async advance(duration) {
      const endMs = nowMs + toMs(duration, "The argument of advance()");
      await rest();
      while (timers.length > 0 && timers[0]!.dueAt <= endMs) await step();
      nowMs = endMs;
      await settle();
    },
    settle,
    until,
    outside(work) {
      outside++;
      work.then(settled, settled);
    },
  };

  function settled(): void {
    if (--outside > 0) return;
    back.resolve();
    back = Promise.withResolvers();
  }

  function after(ms: number, fire: () => void): () => void {
    touched++;
    return ms <= 0 ? soon(fire) : later({ dueAt: nowMs + Math.round(ms), fire });
  }

  function soon(fire: () => void): () => void {
    const immediate = setImmediate(() => {
      touched++;
      fire();
    });
    return () => clearImmediate(immediate);
  }

  function later(timer: Timer): () => void {
    const at = timers.findLastIndex(({ dueAt }) => dueAt <= timer.dueAt);
    timers.splice(at + 1, 0, timer);
    return () => {
      touched++;
      const place = timers.indexOf(timer);
      if (place >= 0) timers.splice(place, 1);
    };
  }

  /** Fires the next timer. */
  async function step(): Promise<void> {
    const timer = timers.shift()!;
    nowMs = timer.dueAt;
    timer.fire();
    await rest();
  }

  async function settle(): Promise<void> {
    await rest();
    // The engine now and then gives way for a moment of real time, between two slices of something long.
    await new Promise<void>((resolve) => void systemClock.after(0, resolve));
    await rest();
  }

  /** Whoever is at work looks at the clock again and again: for each commit, each attempt, each timer. */
  async function rest(): Promise<void> {
    let before = touched;
    for (let quiet = 0; quiet < QUIET_TURNS; quiet++) {
      await new Promise<void>((resolve) => void setImmediate(resolve));
      if (outside > 0) await back.promise;
      else if (touched === before) continue;
      quiet = 0;
      before = touched;
    }
  }

  async function until<T>(promise: PromiseLike<T>, limit: Duration = "1h"): Promise<T> {
    const limitMs = toMs(limit, "The limit of until()");
    const endMs = nowMs + limitMs;
    let isSettled = false;
    const settled = (): void => void (isSettled = true);
    promise.then(settled, settled);
    await settle();
    while (!isSettled) {
      if (timers.length === 0 || timers[0]!.dueAt > endMs) {
        const why = timers.length === 0 ? "no timer is left that could settle it" : `it took more than ${limitMs} ms`;
        throw new Error(`Cannot wait for the promise: ${why}`);
      }
      await step();
    }
    return await promise;
  }
}
