import { clearImmediate, setImmediate } from "node:timers";
import { type Clock, systemClock } from "../clock.ts";
import { type Duration, toMs } from "../duration.ts";
import { isBreathing } from "../store/shared/breathe.ts";
import { type TimerQueue, timerQueue } from "./timer_queue.ts";

/** A clock whose time stands still until it is advanced. */
export interface FakeClock extends Clock {
  /** Number of pending timers. */
  readonly timers: number;
  /**
   * Advances the time and fires, in order, every timer that becomes due, including timers that are set meanwhile.
   * Before each one, and at the end, it waits like `settle()`, so that whole chains of retries pass.
   *
   * Idle time costs nothing, however long it is: polls and renewals of leases are skipped, except in the 20 seconds
   * before each timer and before the end.
   *
   * @throws {RangeError} If `duration` is not a duration.
   */
  advance(duration: Duration): Promise<void>;
  /** Waits, without advancing the time, until all work in this process has settled. */
  settle(): Promise<void>;
  /**
   * Advances the time from timer to timer until `promise` settles, and settles like it.
   *
   * @throws {Error} If the promise has not settled after `limit` of this clock's time.
   * @default {"1h"} for `limit`
   */
  until<T>(promise: PromiseLike<T>, limit?: Duration): Promise<T>;
  /**
   * Registers work that the clock cannot detect, such as that of a body on a file or a socket: the clock waits until it
   * settles.
   */
  outside(work: PromiseLike<unknown>): void;
}

/**
 * Checks are not left out of the time before a timer and before the end, so that whatever only a poll can find has been
 * found by then: twice the interval of the slowest check of a runner with the default lease.
 */
const WAKEFUL_MS = 20_000;

/**
 * How long a promise is waited for that only checks can settle, before the time in which they find nothing is left out:
 * longer than a runner with the default lease can be dead without being noticed.
 */
const CHECKED_MS = 60_000;

/** Turns of the event loop without a look at the clock after which nothing is taken to be under way. */
const QUIET_TURNS = 6;
const FIRST_OF_2026 = Date.UTC(2026, 0, 1);

/**
 * Creates a clock for tests, for the option `clock` of `createRunner()` and `createClient()`. Its time stands still
 * until it is advanced, so a retry an hour away costs no waiting. A timer without a delay fires by itself in the next
 * turn of the event loop.
 *
 * The clock detects when promises and immediates have settled, and waits for statements that a store has sent to a
 * server; for a statement of a transaction's body a second at most, as another body may block it. It does not detect
 * other work outside of the process: if a body waits for a file, a socket or a timer of the machine, await it before you
 * advance the time, or pass its promise to `outside()`.
 *
 * @param startMs The initial time, in milliseconds since the epoch.
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
    throw new RangeError("Cannot create a clock: its initial time must be in milliseconds since the epoch");
  }
  const timers = timerQueue();
  // Apart from the others, because they go on for ever: only the others say when something happens.
  const checks = timerQueue();
  /** Until when the time is being moved on without a stop, unless a timer is due before. */
  let knownUntil: (() => number) | undefined;
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
    periodic,
    idleMs,
    get timers() {
      return timers.size + checks.size;
    },
    async advance(duration) {
      const endMs = nowMs + toMs(duration, "The argument of advance()");
      await moving(() => Math.min(endMs, timers.first?.dueAt ?? endMs), async () => {
        await rest();
        while ((nextDueAt() ?? Infinity) <= endMs) await step();
        nowMs = endMs;
        await settle();
      });
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
    // Something happens after all: what it leads to may be for the checks to find.
    checks.hasten(nowMs);
    return ms <= 0 ? soon(fire) : later(timers, ms, 0, fire);
  }

  function periodic(ms: number, idleMs: number, fire: () => void): () => void {
    touched++;
    return ms <= 0 ? soon(fire) : later(checks, ms, idleMs, fire);
  }

  function idleMs(): number {
    return knownUntil === undefined ? 0 : Math.max(0, knownUntil() - WAKEFUL_MS - nowMs);
  }

  function soon(fire: () => void): () => void {
    const immediate = setImmediate(() => {
      touched++;
      fire();
    });
    return () => clearImmediate(immediate);
  }

  function later(queue: TimerQueue, ms: number, idleMs: number, fire: () => void): () => void {
    const soonestAt = nowMs + Math.round(ms);
    const remove = queue.add({ dueAt: soonestAt + idleMs, soonestAt, fire });
    return () => {
      touched++;
      remove();
    };
  }

  function nextDueAt(): number | undefined {
    return next()?.first?.dueAt;
  }

  /** The queue whose first timer is due next; that of the checks last. */
  function next(): TimerQueue | undefined {
    const [timer, check] = [timers.first, checks.first];
    if (check === undefined) return timer && timers;
    return timer === undefined || check.dueAt < timer.dueAt ? checks : timers;
  }

  /** Fires the next timer. */
  async function step(): Promise<void> {
    const timer = next()!.take();
    nowMs = timer.dueAt;
    timer.fire();
    await rest();
  }

  /** Moves the time on by `move`, which does not stop before `until`. */
  async function moving(until: () => number, move: () => Promise<void>): Promise<void> {
    knownUntil = until;
    try {
      await move();
    } finally {
      knownUntil = undefined;
      checks.hasten(nowMs);
    }
  }

  async function settle(): Promise<void> {
    await rest();
    // What a body waits for may take a moment of real time.
    await turnOfTimers();
    await rest();
  }

  /** Code at work reads the clock frequently: for each commit, each attempt, each timer. */
  async function rest(): Promise<void> {
    let before = touched;
    for (let quiet = 0; quiet < QUIET_TURNS; quiet++) {
      await new Promise<void>((resolve) => void setImmediate(resolve));
      if (outside > 0) await back.promise;
      else if (isBreathing()) await turnOfTimers();
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
    // Without a timer that is due, only the checks can find what settles the promise: soon, or not at all.
    let busyUntil = nowMs + CHECKED_MS;
    const until = (): number =>
      timers.first !== undefined && timers.first.dueAt <= endMs
        ? timers.first.dueAt
        : nowMs < busyUntil
        ? nowMs
        : endMs;
    await moving(until, async () => {
      await settle();
      while (!isSettled) {
        const dueAt = nextDueAt();
        if (dueAt === undefined || dueAt > endMs) {
          const why = dueAt === undefined ? "no timer is left that could settle it" : `it took more than ${limitMs} ms`;
          throw new Error(`Cannot wait for the promise: ${why}`);
        }
        if (next() === timers) busyUntil = dueAt + CHECKED_MS;
        await step();
      }
    });
    return await promise;
  }
}

/** Resolves after the timers of the machine that are due now. */
function turnOfTimers(): Promise<void> {
  return new Promise((resolve) => void systemClock.after(0, resolve));
}
