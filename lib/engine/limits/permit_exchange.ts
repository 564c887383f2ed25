/**
 * Exchanges of permits with the store, one at a time: what gathers while one is in flight is the next one. An exchange that
 * fails is repeated, before what has gathered since.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { setImmediate } from "node:timers";
import type { Clock } from "../../clock.ts";
import type { Logger } from "../../logger.ts";
import type { LeftStart, LimitAnswer, LimitStore, PermitAsk, PermitHolder } from "../../store/port/limits.ts";
import type { RunStarts } from "./unit_permit.ts";

const RETRY_MS = 1_000;

/** For so long lanes and queues that nothing uses remain: their keys mostly return. */
const TIDY_AFTER_MS = 5_000;

const ASKS_AT_ONCE = 500;
const RELEASES_AT_ONCE = 1_000;

/** Limits that refused runs, by the ids of these. */
type Refused = ReadonlyMap<string, string>;

/** What an exchange consists of. */
export interface PermitBatch {
  /** What units ask for, by `permitKey()`. */
  readonly asks: Map<string, PermitAsk>;
  readonly releases: PermitHolder[];
  readonly postponed: PermitHolder[];
  readonly untaken: PermitHolder[];
  readonly unbegun: number[];
  readonly ended: number[];
  readonly over: number[];
  /** Runs that have begun here, by number. */
  readonly begun: Map<number, RunStarts>;
  readonly left: LeftStart[];
  /** Ids of runs that were inserted just now. */
  readonly started: string[];
  readonly admissions: PromiseWithResolvers<Refused>[];
  recovers: boolean;
  tidies: boolean;
}

/** What exchanges need of a runner. */
export interface PermitExchangeOptions {
  readonly limits: LimitStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The id of the runner. */
  readonly runner: () => number;
  /** Called with the answer to a batch. */
  readonly answered: (answer: LimitAnswer, batch: PermitBatch) => void;
}

/** The exchanges of a runner. */
export interface PermitExchange {
  /** What the next exchange consists of. After an addition, `schedule()` is to be called. */
  readonly next: PermitBatch;
  /** Exchanges may begin. */
  begin(): void;
  /** Exchanges what has gathered in this turn of the event loop. */
  schedule(): void;
  /** Logs that something of limits has failed, once for each reason. */
  report(error: unknown): void;
  /** Exchanges the rest, with starts that are left to others; none follows. */
  stop(left: readonly LeftStart[]): Promise<void>;
}

/** Creates the exchanges of a runner; none happens before `begin()`. */
export function createPermitExchange(options: PermitExchangeOptions): PermitExchange {
  const { limits, clock, logger, runner } = options;
  // What an answer sets going, such as a body, must not see the async context of the code that asked.
  const inOwnContext = AsyncLocalStorage.snapshot();
  let next = newBatch();
  let isOpen = false;
  let isStopped = false;
  let isScheduled = false;
  let isMore = false;
  let isRetrying = false;
  let exchanging: Promise<void> | undefined;
  let failure: string | undefined;
  let cancelRetry = () => {};
  let cancelTidy: (() => void) | undefined;
  return {
    get next() {
      return next;
    },
    begin() {
      isOpen = true;
      // The first exchange finds what others have left behind.
      next.recovers = true;
      schedule();
    },
    schedule,
    report,
    async stop(left) {
      while (exchanging !== undefined) await exchanging;
      isStopped = true;
      cancelRetry();
      next.left.push(...left);
      if (cancelTidy !== undefined) next.tidies = true;
      cancelTidy?.();
      if (isOpen && hasWork()) await exchange();
      cancelRetry();
      for (const admission of next.admissions) admission.resolve(new Map());
    },
  };

  function schedule(): void {
    if (!isOpen || isScheduled || isStopped || exchanging !== undefined || isRetrying) return;
    isScheduled = true;
    inOwnContext(() => void setImmediate(start));
  }

  function start(): void {
    isScheduled = false;
    if (isStopped || exchanging !== undefined || !hasWork()) return;
    exchanging = exchange().finally(() => {
      exchanging = undefined;
      if (hasWork()) schedule();
    });
  }

  function hasWork(): boolean {
    const { asks, releases, postponed, untaken, ended, over, begun, left, started, recovers, tidies } = next;
    const size = asks.size + begun.size + releases.length + postponed.length + untaken.length + ended.length +
      over.length;
    return isMore || recovers || tidies || size + left.length + started.length > 0;
  }

  async function exchange(): Promise<void> {
    const sent = takeBatch();
    let answer: LimitAnswer;
    try {
      const { asks, begun, admissions: _, recovers, ...rest } = sent;
      answer = await limits.exchange({
        ...rest,
        runner: runner(),
        asks: [...asks.values()],
        begun: [...begun.keys()],
        recovers: recovers || rest.untaken.length > 0,
      });
    } catch (error) {
      // Nothing of it was written.
      next = merged(sent, next);
      report(error);
      isRetrying = true;
      cancelRetry = clock.after(RETRY_MS, () => {
        isRetrying = false;
        schedule();
      });
      return;
    }
    failure = undefined;
    isMore = answer.more;
    if (answer.isUntidy) next.tidies = true;
    else if (!sent.tidies) tidyLater();
    options.answered(answer, sent);
  }

  /** What has gathered since is exchanged with it. */
  function tidyLater(): void {
    if (isStopped || cancelTidy !== undefined) return;
    cancelTidy = clock.after(TIDY_AFTER_MS, () => {
      cancelTidy = undefined;
      next.tidies = true;
      schedule();
    });
  }

  /** What is exchanged at once: a transaction of thousands of asks would block the event loop. */
  function takeBatch(): PermitBatch {
    const batch = next;
    next = newBatch();
    next.releases.push(...batch.releases.splice(RELEASES_AT_ONCE));
    // A unit may ask again after its release.
    const most = next.releases.length > 0 ? 0 : ASKS_AT_ONCE;
    for (const [key, ask] of [...batch.asks].slice(most)) {
      batch.asks.delete(key);
      next.asks.set(key, ask);
    }
    return batch;
  }

  function report(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    if (reason !== failure && !isStopped) {
      logger.error(`Cannot exchange the permits of limits: ${reason}; retrying`);
    }
    failure = reason;
  }
}

function newBatch(): PermitBatch {
  return {
    asks: new Map(),
    releases: [],
    postponed: [],
    untaken: [],
    unbegun: [],
    ended: [],
    over: [],
    begun: new Map(),
    left: [],
    started: [],
    admissions: [],
    recovers: false,
    tidies: false,
  };
}

function merged(first: PermitBatch, second: PermitBatch): PermitBatch {
  return {
    asks: new Map([...first.asks, ...second.asks]),
    releases: [...first.releases, ...second.releases],
    postponed: [...first.postponed, ...second.postponed],
    untaken: [...first.untaken, ...second.untaken],
    unbegun: [...first.unbegun, ...second.unbegun],
    ended: [...first.ended, ...second.ended],
    over: [...first.over, ...second.over],
    begun: new Map([...first.begun, ...second.begun]),
    left: [...first.left, ...second.left],
    started: [...first.started, ...second.started],
    admissions: [...first.admissions, ...second.admissions],
    recovers: first.recovers || second.recovers,
    tidies: first.tidies || second.tidies,
  };
}
