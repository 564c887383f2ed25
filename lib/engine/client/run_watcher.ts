import { afterIdle, type Clock, monotonicOf } from "../../clock.ts";
import { ShutdownError } from "../../errors.ts";
import type { Logger } from "../../logger.ts";
import { isDatabaseLost } from "../../store/shared/lost.ts";
import type { Change, Store } from "../../store/port/store.ts";
import type { Observer } from "../telemetry/engine_events.ts";
import type { RunEnd } from "../runs/run_end.ts";

/**
 * Notifies waiters of the ends of runs, and subscribers of their changes. An event of this process is reported at once, one
 * of another process after a hint of the store or, at the latest, with the next poll, after one second.
 */
export interface RunWatcher {
  /**
   * Resolves when the run has ended: with its end if this process executed the run, or else with `undefined`, in which case
   * the end is to be read from the store.
   *
   * @throws {ShutdownError} If the watcher is closed before the run has ended.
   * @throws {StoreError} If the database is gone.
   */
  waitForEnd(runId: string): Promise<RunEnd | undefined>;
  /** Withdraws a call of `waitForEnd` that returned `end`: the polls no longer include the run for it. */
  stopWaiting(runId: string, end: Promise<RunEnd | undefined>): void;
  /**
   * Calls `changed` after the run has changed, sometimes without need, and with `true` when the watcher closes. Returns an
   * unsubscribe function. However many runs have subscribers, each poll is one statement for them.
   */
  subscribe(runId: string, changed: (isClosed: boolean) => void): () => void;
  /** Reports a run that has ended according to the store. */
  reportStoredEnd(runId: string): void;
  /** Receives the events of the runner and notifies waiters and subscribers of the run. */
  readonly observe: Observer;
  /** Rejects all waiters with a `ShutdownError` and ends all subscriptions. */
  close(): void;
}

/** Interval of the polls that find ends of which every hint was lost. */
export const POLL_INTERVAL_MS = 1_000;
/** Shortest time between two polls, however many hints arrive. */
const MIN_INTERVAL_MS = 20;
/** A poll is followed by a pause of this multiple of its duration, so that thousands of waiters do not load the store. */
const REST_FACTOR = 10;

/** Dependencies of a watcher. */
export interface RunWatcherOptions {
  /** Timers of the polls run on this clock. */
  readonly clock: Clock;
  /** Receives a warning when a poll fails. */
  readonly logger: Logger;
  /** Returns the ids of the runs that this process owns. @default {() => new Set()} */
  readonly ownRuns?: (() => ReadonlySet<string>) | undefined;
}

interface Subscribed {
  readonly listeners: Set<(isClosed: boolean) => void>;
  /** What the latest poll read of the run. */
  pulse: string | undefined;
}

interface Waiter {
  readonly promise: Promise<RunEnd | undefined>;
  readonly resolve: (end: RunEnd | undefined) => void;
  readonly reject: (error: Error) => void;
  /** Calls of `waitForEnd` that were not withdrawn. */
  calls: number;
}

/**
 * Creates a watcher. The ends of runs that this process owns are reported by its runner only: the store may report an end
 * before the runner has released the slot of the run, and the caller would start its next run against a full runner.
 */
export function createRunWatcher(
  store: Store,
  { clock, logger, ownRuns = () => new Set() }: RunWatcherOptions,
): RunWatcher {
  const monotonic = monotonicOf(clock);
  const waiters = new Map<string, Waiter>();
  const subscribers = new Map<string, Subscribed>();
  /** Runs whose end is durable and is reported by this process when their hooks have returned. */
  const ending = new Set<string>();
  let unwatch: (() => void) | undefined;
  let cancelPoll: (() => void) | undefined;
  let isHinted = false;
  let polledAt = -Infinity;
  let pollMs = 0;
  let isPolling = false;
  let isOutdated = false;
  let isClosed = false;
  return {
    waitForEnd(runId) {
      if (isClosed) {
        return Promise.reject(
          new ShutdownError("Cannot wait for a run: the runner or client is closed; open another one"),
        );
      }
      const known = waiters.get(runId);
      if (known !== undefined) {
        known.calls++;
        return known.promise;
      }
      const { promise, resolve, reject } = Promise.withResolvers<RunEnd | undefined>();
      waiters.set(runId, { promise, resolve, reject, calls: 1 });
      watch();
      return promise;
    },
    stopWaiting(runId, end) {
      const waiter = waiters.get(runId);
      if (waiter?.promise === end && --waiter.calls === 0) waiters.delete(runId);
    },
    subscribe(runId, changed) {
      if (isClosed) {
        changed(true);
        return () => {};
      }
      const subscribed = subscribers.get(runId) ?? { listeners: new Set(), pulse: undefined };
      subscribers.set(runId, subscribed);
      subscribed.listeners.add(changed);
      watch();
      return () => {
        subscribed.listeners.delete(changed);
        if (subscribed.listeners.size === 0 && subscribers.get(runId) === subscribed) subscribers.delete(runId);
      };
    },
    reportStoredEnd: (runId) => settle(runId, undefined),
    observe(event) {
      switch (event.type) {
        case "runChanged":
          return notifySubscribers(event.runId);
        case "runEnding":
          return void ending.add(event.run.id);
        case "runEnded":
          return settle(event.end.runId, event.end.isWhole ? event.end : undefined);
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
          new ShutdownError("The runner or client was closed before the run had ended; other runners continue the run"),
        );
      }
      waiters.clear();
      const listeners = [...subscribers.values()].flatMap(({ listeners }) => [...listeners]);
      subscribers.clear();
      stopPolling();
      for (const changed of listeners) changed(true);
    },
  };

  function settle(runId: string, end: RunEnd | undefined): void {
    if (ending.size > 0) ending.delete(runId);
    const waiter = waiters.get(runId);
    if (waiter !== undefined) {
      waiter.resolve(end);
      waiters.delete(runId);
    }
    notifySubscribers(runId);
  }

  function fail(runId: string, error: Error): void {
    waiters.get(runId)?.reject(error);
    waiters.delete(runId);
  }

  function failAll(error: Error): void {
    for (const runId of [...waiters.keys()]) fail(runId, error);
    // Their own reads fail with the same error.
    for (const runId of [...subscribers.keys()]) notifySubscribers(runId);
  }

  function notifySubscribers(runId: string): void {
    if (subscribers.size === 0) return;
    for (const changed of [...subscribers.get(runId)?.listeners ?? []]) changed(false);
  }

  function watch(): void {
    if (isClosed) return;
    unwatch ??= store.watch(onChange);
    cancelPoll ??= afterIdle(clock, POLL_INTERVAL_MS, poll);
  }

  /** Ends the polls. Called by a poll that finds no waiter, not by the last waiter: the next one often follows at once. */
  function stopPolling(): void {
    unwatch?.();
    cancelPoll?.();
    unwatch = undefined;
    cancelPoll = undefined;
  }

  function onChange(change: Change): void {
    // Only a subscriber to the events of a run needs more than ends.
    if (change.ended || subscribers.size > 0) onHint();
  }

  function onHint(): void {
    // The result of the poll in flight may be older than the hint.
    if (isPolling) return void (isOutdated = true);
    // Once per poll: hints that keep arriving must not postpone the poll for ever.
    if (isHinted || cancelPoll === undefined) return;
    isHinted = true;
    cancelPoll();
    // The first hint after a pause polls at once. No hint makes the poll later than it would be without it: a poll may have
    // been slow only once, such as on a busy machine.
    const sinceMs = Math.max(0, monotonic() - polledAt);
    const restMs = Math.min(Math.max(MIN_INTERVAL_MS, pollMs * REST_FACTOR), POLL_INTERVAL_MS);
    cancelPoll = clock.after(Math.max(0, restMs - sinceMs), poll);
  }

  /** Ids of runs with waiters whose end only the store can report. */
  function polledRuns(): string[] {
    const own = ownRuns();
    return [...waiters.keys()].filter((id) => !ending.has(id) && !own.has(id));
  }

  /** Notifies the subscribers of runs whose rows differ from those at the poll before. */
  async function pollSubscribed(): Promise<void> {
    const pulses = await store.inspection.pulses([...subscribers.keys()]);
    for (const [runId, subscribed] of [...subscribers]) {
      // Undefined for a run that does not exist, and for one whose subscribers came during the query.
      const pulse = pulses.get(runId)?.text;
      if (pulse !== undefined && pulse === subscribed.pulse) continue;
      subscribed.pulse = pulse;
      notifySubscribers(runId);
    }
  }

  async function poll(): Promise<void> {
    isPolling = true;
    isOutdated = false;
    isHinted = false;
    polledAt = monotonic();
    const began = performance.now();
    try {
      if (waiters.size > 0) {
        const ended = await store.ended(polledRuns());
        // Checked again: this process may have claimed or ended the run during the query.
        const still = new Set(polledRuns());
        for (const id of ended) if (still.has(id)) settle(id, undefined);
      }
      if (subscribers.size > 0) await pollSubscribed();
    } catch (error) {
      if (isDatabaseLost(error)) failAll(error);
      else logger.warn("Cannot read which runs have ended or changed; the next poll retries", { error: String(error) });
    }
    isPolling = false;
    pollMs = performance.now() - began;
    cancelPoll = undefined;
    if (waiters.size === 0 && subscribers.size === 0) return stopPolling();
    watch();
    if (isOutdated) onHint();
  }
}
