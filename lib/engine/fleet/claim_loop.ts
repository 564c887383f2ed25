import { AsyncLocalStorage } from "node:async_hooks";
import { setImmediate } from "node:timers";
import { afterIdle, type Clock } from "../../clock.ts";
import type { Logger } from "../../logger.ts";
import type { Claim, ClaimedRun, ClaimRequest } from "../../store/port/batch.ts";
import type { Store } from "../../store/port/store.ts";
import type { EngineEvent, Observer } from "../telemetry/engine_events.ts";
import type { Executor } from "../execution/executor_options.ts";

/** How often a runner looks for due runs when every notification was lost. */
export const SLOW_POLL_MS = 2_000;

/** How long a runner waits before it claims again when other transactions hold all runs that are due; doubles each time. */
const FIRST_PAUSE_MS = 10;

/** Events after which a loop claims. */
export const CLAIMED_AFTER: readonly EngineEvent["type"][] = [
  "capacityReleased",
  "childrenStarted",
  "runsAdmitted",
  "runRecovered",
  "leaseConfirmed",
  "scheduleAdvanced",
  "pollChecked",
];

/** Claims due runs, one claim at a time: how many it brings is not known before it has returned. */
export interface ClaimLoop {
  /** Whether runs are known to wait in the store: then runs that are started here queue behind them. */
  readonly isBacklogged: boolean;
  /** Whether runs may be due that no claim has looked for yet. */
  readonly isWanting: boolean;
  /** How many runs the claim in flight may bring. */
  readonly requested: number;
  /** Resolves when the claim in flight has returned. */
  returned(): Promise<void>;
  /** Claims as soon as there is capacity: runs may be due. */
  look(): void;
  /** Claims at that time: a run becomes due then. */
  lookAt(dueAt: number): void;
  /** A run was left in the store that is due. */
  leftBehind(): void;
  /** Claims when capacity is released, and when runs become due. */
  readonly observe: Observer;
  /** Ends the loop; resolves when no claim is in flight. */
  stop(): Promise<void>;
}

/** What a claim loop needs of its runner. */
export interface ClaimLoopOptions {
  readonly store: Pick<Store, "claim">;
  readonly logger: Logger;
  /** Runs timers. */
  readonly clock: Clock;
  /** The store's time. */
  readonly now: () => number;
  /** How many runs may be claimed now. */
  readonly capacity: () => number;
  /** Reserves places in memory for what a claim may bring. */
  readonly executor: Pick<Executor, "reserve" | "unreserve">;
  /** The rest of a request. */
  readonly request: () => Omit<ClaimRequest, "limit">;
  /** Called with claimed runs and the runner that they were claimed for. */
  readonly claimed: (runs: readonly ClaimedRun[], runner: number) => void;
}

/** A loop that has yet to look for the first time. */
export function createClaimLoop(options: ClaimLoopOptions): ClaimLoop {
  const { store, clock, logger, now, capacity, executor } = options;
  // Bodies of claimed runs must not see the async context of the code that made the loop look.
  const inOwnContext = AsyncLocalStorage.snapshot();
  let wantsRuns = true;
  let isBacklogged = false;
  let isStopped = false;
  let isScheduled = false;
  let isAgain = false;
  let requested = 0;
  let inFlight = Promise.withResolvers<void>();
  let failure: string | undefined;
  let dueAt: number | undefined;
  let pauseMs = FIRST_PAUSE_MS;
  let cancelPause = () => {};
  let cancelDue = () => {};
  let cancelPoll = () => {};
  schedulePoll();
  return {
    get isBacklogged() {
      return isBacklogged;
    },
    get isWanting() {
      return wantsRuns;
    },
    get requested() {
      return requested;
    },
    returned: () => inFlight.promise,
    look,
    lookAt,
    leftBehind() {
      isBacklogged = true;
      look();
    },
    observe(event) {
      switch (event.type) {
        case "capacityReleased":
          if (event.dueAt !== undefined) lookAt(event.dueAt);
          if (wantsRuns && !isStopped) schedule();
          return;
        case "scheduleAdvanced":
          return event.advance.runs.length > 0 ? look() : undefined;
        case "pollChecked":
          return event.runIds.length > 0 ? look() : undefined;
        case "childrenStarted":
        case "runsAdmitted":
        case "runRecovered":
        case "leaseConfirmed":
          return look();
      }
    },
    async stop() {
      isStopped = true;
      cancelPause();
      cancelDue();
      cancelPoll();
      if (requested > 0) await inFlight.promise;
    },
  };

  function look(): void {
    wantsRuns = true;
    // A claim in flight has all capacity reserved, and may bring nothing.
    if (!isStopped && (requested > 0 || capacity() > 0)) schedule();
  }

  function lookAt(at: number): void {
    if (at <= now()) return look();
    if (isStopped || (dueAt !== undefined && dueAt <= at)) return;
    cancelDue();
    dueAt = at;
    cancelDue = clock.after(Math.max(0, at - now()), () => {
      dueAt = undefined;
      look();
    });
  }

  // This is the contract: notifications may be lost, polls cannot.
  function schedulePoll(): void {
    cancelPoll = afterIdle(clock, SLOW_POLL_MS, () => {
      look();
      schedulePoll();
    });
  }

  function schedule(): void {
    isAgain = true;
    if (isScheduled) return;
    isScheduled = true;
    inOwnContext(() => void setImmediate(claim));
  }

  async function claim(): Promise<void> {
    isAgain = false;
    const limit = wantsRuns && !isStopped ? capacity() : 0;
    if (limit > 0) await claimUpTo(limit);
    isScheduled = false;
    // In another turn of the event loop, as a claim on SQLite is over within this one.
    if (isAgain) schedule();
  }

  async function claimUpTo(limit: number): Promise<void> {
    wantsRuns = false;
    requested = limit;
    executor.reserve(limit);
    const request = { ...options.request(), limit };
    const claim = await store.claim(request).catch(failed);
    executor.unreserve(limit);
    // Before anything else, so that the runs have their places when the loop looks at the capacity again.
    if (claim !== undefined && claim.runs.length > 0) options.claimed(claim.runs, request.runner);
    requested = 0;
    inFlight.resolve();
    inFlight = Promise.withResolvers();
    if (claim !== undefined) plan(claim);
  }

  /** Decides when to claim next. */
  function plan({ runs, more, nextDueAt }: Claim): void {
    failure = undefined;
    // Runs of which none could be taken are no reason for others to wait behind them.
    isBacklogged = more && runs.length > 0;
    if (isBacklogged) look();
    if (more && runs.length === 0) lookAfterPause();
    else pauseMs = FIRST_PAUSE_MS;
    if (nextDueAt !== undefined) lookAt(nextDueAt);
  }

  function lookAfterPause(): void {
    cancelPause();
    if (isStopped) return;
    cancelPause = clock.after(pauseMs * (0.5 + Math.random() / 2), look);
    pauseMs = Math.min(2 * pauseMs, SLOW_POLL_MS);
  }

  /** Logs once for each reason: the next poll claims again. */
  function failed(thrown: unknown): undefined {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    if (reason !== failure && !isStopped) logger.error(`Cannot claim runs: ${reason}; retrying with the next poll`);
    failure = reason;
  }
}
