import type { Clock } from "../clock.ts";
import { ShutdownError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { Store } from "../store/port.ts";
import type { Observer } from "./engine_events.ts";
import type { RunEnd } from "./run_end.ts";

/** Who waits for which run. News come from this process at once, from others by a hint and, at the latest, by a slow poll. */
export interface RunWatcher {
  /** Resolves when the run has ended, with how, if this process has carried it; else it is read from the store. */
  waitForEnd(runId: string): Promise<RunEnd | undefined>;
  /** Calls `changed` whenever something of the run may have changed, and with `true` at the end; the answer ends it. */
  subscribe(runId: string, changed: (isClosed: boolean) => void): () => void;
  /** A run has ended: how is to be read from the store. */
  reportStoredEnd(runId: string): void;
  /** Notifies those that wait for the run of an event. */
  readonly observe: Observer;
  /** Rejects who still waits. */
  close(): void;
}

/** How long news from another process may take when every hint was lost. */
export const SLOW_POLL_MS = 1_000;
/** How often a hint may make us look, at most; less often where a look is costly, as with thousands of waiters. */
const LOOK_AGAIN_MS = 20;
const REST_FACTOR = 10;

interface Waiter {
  readonly promise: Promise<RunEnd | undefined>;
  readonly resolve: (end: RunEnd | undefined) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A watcher over a store. The runs that this process owns, whose ids `own` answers, it hears of itself: told by the store,
 * which may know of an end before its writer does, somebody could ask for a place that is not free yet.
 */
export function createRunWatcher(
  store: Store,
  clock: Clock,
  logger: Logger,
  own: () => ReadonlySet<string> = () => new Set(),
): RunWatcher {
  const waiters = new Map<string, Waiter>();
  const subscribers = new Map<string, Set<(isClosed: boolean) => void>>();
  const held = new Set<string>();
  let unwatch: (() => void) | undefined;
  let cancelPoll: (() => void) | undefined;
  let isSoon = false;
  let lookedAt = -Infinity;
  let lookMs = 0;
  let isLooking = false;
  let isOutdated = false;
  let isClosed = false;
  return {
    waitForEnd(runId) {
      if (isClosed) return Promise.reject(new ShutdownError("Cannot wait for a run: the runner or client is closed"));
      const known = waiters.get(runId);
      if (known !== undefined) return known.promise;
      const waiter: Waiter = Promise.withResolvers<RunEnd | undefined>();
      waiters.set(runId, waiter);
      watch();
      return waiter.promise;
    },
    subscribe(runId, changed) {
      if (isClosed) changed(true);
      const listeners = subscribers.get(runId) ?? new Set();
      subscribers.set(runId, listeners.add(changed));
      watch();
      return () => {
        listeners.delete(changed);
        if (listeners.size === 0) subscribers.delete(runId);
      };
    },
    reportStoredEnd: (runId) => settle(runId, undefined),
    observe(event) {
      switch (event.type) {
        case "runChanged":
          return touched(event.runId);
        case "runEnding":
          return void held.add(event.run.id);
        case "runEnded":
          return settle(event.end.runId, event.end);
        case "runGivenUp":
          return settle(event.run.id, undefined);
        case "runAbandoned":
          return fail(event.run.id, event.error);
      }
    },
    close() {
      isClosed = true;
      for (const { reject, promise } of waiters.values()) {
        promise.catch(() => {});
        reject(
          new ShutdownError("The runner or client was closed before the run had ended; the run goes on elsewhere"),
        );
      }
      waiters.clear();
      const listeners = [...subscribers.values()].flatMap((each) => [...each]);
      subscribers.clear();
      rest();
      for (const changed of listeners) changed(true);
    },
  };

  function settle(runId: string, end: RunEnd | undefined): void {
    held.delete(runId);
    waiters.get(runId)?.resolve(end);
    waiters.delete(runId);
    touched(runId);
  }

  function fail(runId: string, error: Error): void {
    waiters.get(runId)?.reject(error);
    waiters.delete(runId);
  }

  function touched(runId: string): void {
    if (subscribers.size === 0) return;
    for (const changed of subscribers.get(runId) ?? []) changed(false);
  }

  function watch(): void {
    if (isClosed) return;
    unwatch ??= store.watch(soon);
    cancelPoll ??= clock.after(SLOW_POLL_MS, look);
  }

  /** Ends the polls. Done by the look that finds nobody waiting, and not by who leaves: the next is often there at once. */
  function rest(): void {
    unwatch?.();
    cancelPoll?.();
    unwatch = undefined;
    cancelPoll = undefined;
  }

  function soon(): void {
    // What is being looked at may be older than the hint.
    if (isLooking) return void (isOutdated = true);
    // Once only: hints that keep coming must not put the look off for ever.
    if (isSoon || cancelPoll === undefined) return;
    isSoon = true;
    cancelPoll();
    // The first hint counts at once: who waits for another process has waited for the hint already. None makes it later
    // than it would be without: a look may have been slow but once, as when the machine was busy.
    const sinceMs = Math.max(0, clock.now() - lookedAt);
    const restMs = Math.min(Math.max(LOOK_AGAIN_MS, lookMs * REST_FACTOR), SLOW_POLL_MS);
    cancelPoll = clock.after(Math.max(0, restMs - sinceMs), look);
  }

  /** Runs that somebody waits for, and of whose end only the store can tell. */
  function others(): string[] {
    const here = own();
    return [...waiters.keys()].filter((id) => !held.has(id) && !here.has(id));
  }

  async function look(): Promise<void> {
    isLooking = true;
    isOutdated = false;
    isSoon = false;
    lookedAt = clock.now();
    const began = performance.now();
    try {
      if (waiters.size > 0) {
        const ended = await store.ended(others());
        // Once more: it may have come here, or ended here, while the store was asked.
        const still = new Set(others());
        for (const id of ended) if (still.has(id)) settle(id, undefined);
      }
    } catch (error) {
      logger.warn("Cannot see which runs have ended; trying again", { error: String(error) });
    }
    isLooking = false;
    lookMs = performance.now() - began;
    for (const listeners of [...subscribers.values()]) for (const changed of [...listeners]) changed(false);
    cancelPoll = undefined;
    if (waiters.size === 0 && subscribers.size === 0) return rest();
    watch();
    if (isOutdated) soon();
  }
}
