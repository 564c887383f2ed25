import type { Clock } from "../clock.ts";
import type { Claim, ClaimRequest } from "../store/batch.ts";

/** How often a runner looks for due runs when every hint was lost. */
export const SLOW_POLL_MS = 2_000;

/** How long a runner waits before it claims again when other transactions hold all runs that are due; doubles each time. */
const FIRST_PAUSE_MS = 10;

/** When to claim, and how much. The outbox sends the claims. */
export interface Claims {
  /** Whether runs that others left are known to wait: then own starts queue behind them. */
  readonly isBacklogged: boolean;
  /** How many runs the claim may bring that is on its way. */
  readonly asked: number;
  /** Resolves when these have come, or are known not to. */
  settled(): Promise<void>;
  /** What to ask for with the next claim, if anything. */
  next(): ClaimRequest | undefined;
  /** Takes in the answer; `undefined` if there was none. */
  answered(claim: Claim | undefined): void;
  /** There may be due runs. */
  hint(): void;
  /** There is a run that becomes due at that time. */
  expect(dueAt: number): void;
  /** A run was left to whoever has room. */
  backlog(): void;
  /** Room has become free. */
  freed(): void;
  /** No more claims. */
  stop(): void;
}

/** What claims need of their runner. */
export interface ClaimsOptions {
  /** Timers run on it. */
  readonly clock: Clock;
  /** The store's time. */
  readonly now: () => number;
  /** How many more runs fit in memory. */
  readonly room: () => number;
  /** The rest of a request. */
  readonly request: () => Omit<ClaimRequest, "limit">;
  /** Asks for a claim. */
  readonly poke: () => void;
}

/** Claims that begin with a look for what is there already. */
export function createClaims(options: ClaimsOptions): Claims {
  const { clock, now, room, poke } = options;
  let isHungry = true;
  let isBacklogged = false;
  let isStopped = false;
  let asked = 0;
  let answer = Promise.withResolvers<void>();
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
    get asked() {
      return asked;
    },
    settled: () => answer.promise,
    next() {
      const limit = isHungry && !isStopped ? room() : 0;
      if (limit <= 0) return undefined;
      isHungry = false;
      asked = limit;
      return { ...options.request(), limit };
    },
    answered(claim) {
      asked = 0;
      answer.resolve();
      answer = Promise.withResolvers();
      if (claim === undefined) return;
      // Runs of which none could be taken are no reason for others to wait behind them.
      isBacklogged = claim.more && claim.runs.length > 0;
      if (isBacklogged) hint();
      if (claim.more && claim.runs.length === 0) hintAfterPause();
      else pauseMs = FIRST_PAUSE_MS;
      if (claim.nextDueAt !== undefined) expect(claim.nextDueAt);
    },
    hint,
    expect,
    backlog() {
      isBacklogged = true;
      hint();
    },
    freed() {
      if (isHungry && !isStopped) poke();
    },
    stop() {
      isStopped = true;
      cancelPause();
      cancelDue();
      cancelPoll();
    },
  };

  function hint(): void {
    isHungry = true;
    if (!isStopped && room() > 0) poke();
  }

  function hintAfterPause(): void {
    cancelPause();
    cancelPause = clock.after(pauseMs * (0.5 + Math.random() / 2), hint);
    pauseMs = Math.min(2 * pauseMs, SLOW_POLL_MS);
  }

  function expect(at: number): void {
    if (isStopped || (dueAt !== undefined && dueAt <= at)) return;
    cancelDue();
    dueAt = at;
    cancelDue = clock.after(Math.max(0, at - now()), () => {
      dueAt = undefined;
      hint();
    });
  }

  // The contract: hints may be lost, this cannot.
  function schedulePoll(): void {
    cancelPoll = clock.after(SLOW_POLL_MS, () => {
      hint();
      schedulePoll();
    });
  }
}
