/**
 * Group commit: everything to be written within one turn of the event loop goes out as one transaction, and while one
 * is on its way the next gathers. There is no timer: an idle engine commits at once, a busy one hundreds of results
 * together. Claims go beside the commits, one at a time.
 *
 * A store that is a server works while its client waits. There more than one commit is on its way under load, each with
 * its share of the runs, so that both work at once; what one run writes goes out one commit after the other even so.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { setImmediate } from "node:timers";
import type {
  Claim,
  ClaimRequest,
  NewRun,
  Receipt,
  RecordWrite,
  RunMove,
  RunWrite,
  StartVerdict,
  WriteVerdict,
} from "../store/batch.ts";
import { type Logger, silent } from "../logger.ts";
import type { Store } from "../store/port.ts";
import { retryCommits } from "./commit_retry.ts";

/** What one run has to write. It may grow until it is sent. */
export interface Draft extends RunWrite {
  /** Its rows so far. */
  readonly records: RecordWrite[];
  /** What becomes of the run. */
  move: RunMove | undefined;
  /** How many changes from outside it acknowledges. */
  seen?: number;
  /** Whether it is on its way: nothing may be added any more. */
  sent: boolean;
  /** Called with the result of its commit. */
  settled(verdict: WriteVerdict, draft: Draft): void;
  /** Called instead if the store was closed, or the outbox given up, before it was committed. */
  dropped(error: Error, draft: Draft): void;
}

/** Gathers what is to be written and writes it. */
export interface Outbox {
  /**
   * Inserts many runs, all in one commit. `landed` is told of it before anything else that came of this commit, and
   * `undefined` if it failed.
   */
  startMany(
    runs: readonly NewRun[],
    landed?: (verdicts: readonly StartVerdict[] | undefined) => void,
  ): Promise<readonly StartVerdict[]>;
  /** Queues a draft; drafts of one run are written in the order they came. */
  write(draft: Draft): void;
  /** Asks for a claim soon. */
  poke(): void;
  /** Resolves when nothing is queued or on its way. */
  idle(): Promise<void>;
  /** Drops what is queued or on its way, whatever becomes of it. Nothing is written any more. */
  giveUp(): void;
}

/** What an outbox tells and asks. */
export interface OutboxOptions {
  /** What to claim, asked right before the claim is sent. @default {() => undefined} */
  readonly claim?: () => ClaimRequest | undefined;
  /** The answer to a claim; `undefined` if it failed. */
  readonly claimed?: (claim: Claim | undefined) => void;
  /** Receives log lines. */
  readonly logger?: Logger;
  /** Called for each try of a commit that failed. */
  readonly failed?: () => void;
  /** Told how many rows were committed, and how long that took. */
  readonly committed?: (rows: number, ms: number) => void;
}

// About 5 ms of work for SQLite, whose commits hold the event loop.
const MOST_ROWS = 2_000;
const MOST_BYTES = 2 * 1024 * 1024;

// What a commit costs by itself is worth that of about so many rows.
const LEAST_SHARE = 64;

interface Starting {
  readonly runs: readonly NewRun[];
  readonly landed: ((verdicts: readonly StartVerdict[] | undefined) => void) | undefined;
  readonly done: (verdicts: readonly StartVerdict[]) => void;
  readonly failed: (error: Error) => void;
}

/** An outbox over a store. */
export function createOutbox(store: Store, options: OutboxOptions = {}): Outbox {
  const mostFlights = store.commitsAtOnce ?? 1;
  const starting: Starting[] = [];
  let drafts: Draft[] = [];
  let next = 0;
  let isPoked = false;
  let isScheduled = false;
  let flights = 0;
  let isClaiming = false;
  let keyedStarts = 0;
  let claimFailure: string | undefined;
  /** Runs that are on their way and what they have to write after that; only where several commits fly at once. */
  const away = new Map<number, Draft[] | undefined>();
  const idlers: (() => void)[] = [];
  // What a commit sets going, such as a body, must not see the async context of the code that asked for the commit.
  const inOwnContext = AsyncLocalStorage.snapshot();
  const { logger = silent } = options;
  const retry = retryCommits(store, logger, () => options.failed?.());
  return { startMany, write, poke, idle, giveUp: retry.giveUp };

  function soon(work: () => void): void {
    inOwnContext(() => void setImmediate(work));
  }

  function startMany(runs: readonly NewRun[], landed?: Starting["landed"]): Promise<readonly StartVerdict[]> {
    return new Promise((done, failed) => {
      const one = { runs, landed, done, failed };
      if (store.keysWait === true && runs.some(({ key }) => key !== undefined)) return startKeyed(one);
      starting.push(one);
      schedule();
    });
  }

  /** By itself, as a commit of several would wait for the key of each. */
  function startKeyed(one: Starting): void {
    keyedStarts++;
    soon(async () => {
      await commit([one], []);
      keyedStarts--;
      rest();
    });
  }

  function write(draft: Draft): void {
    drafts.push(draft);
    schedule();
  }

  function poke(): void {
    isPoked = true;
    if (isClaiming) return;
    isClaiming = true;
    soon(claim);
  }

  /** One claim at a time: what it brings is not known before it has landed. */
  async function claim(): Promise<void> {
    isPoked = false;
    const request = options.claim?.();
    if (request !== undefined) {
      const answer = await store.claim(request).catch(claimFailed);
      if (answer !== undefined) claimFailure = undefined;
      guarded(() => options.claimed?.(answer));
    }
    // In another turn, as a claim on SQLite is over in this one.
    if (isPoked) soon(claim);
    else isClaiming = false;
    rest();
  }

  /** Logs once for each reason: claims are repeated with every poll. */
  function claimFailed(thrown: unknown): undefined {
    const { message } = errorOf(thrown);
    if (message !== claimFailure) logger.error(`Cannot claim runs: ${message}; trying again with the next poll`);
    claimFailure = message;
  }

  function idle(): Promise<void> {
    return isBusy() ? new Promise((resolve) => idlers.push(resolve)) : Promise.resolve();
  }

  function schedule(): void {
    if (isScheduled || flights >= mostFlights) return;
    isScheduled = true;
    soon(flush);
  }

  async function flush(): Promise<void> {
    isScheduled = false;
    flights++;
    const started = takeStarts(share(starting.length));
    const writes = takeDrafts(share(drafts.length - next));
    goOn();
    try {
      if (started.length > 0 || writes.length > 0) await commit(started, writes);
    } finally {
      flights--;
      if (mostFlights > 1) bringBack(writes);
      goOn();
    }
  }

  /** How much of what waits goes out now; the rest is for the commits that may yet go out beside this one. */
  function share(waiting: number): number {
    const others = mostFlights - flights;
    return others === 0 ? MOST_ROWS : Math.max(LEAST_SHARE, Math.ceil(waiting / (others + 1)));
  }

  /** Lets nothing out of a run that is on its way. */
  function isHeldBack(draft: Draft): boolean {
    if (mostFlights === 1) return false;
    const behind = away.get(draft.seq);
    if (behind !== undefined) behind.push(draft);
    else if (away.has(draft.seq)) away.set(draft.seq, [draft]);
    else {
      away.set(draft.seq, undefined);
      return false;
    }
    return true;
  }

  function bringBack(landed: readonly Draft[]): void {
    const behind: Draft[] = [];
    for (const { seq } of landed) {
      const own = away.get(seq);
      away.delete(seq);
      if (own !== undefined) behind.push(...own);
    }
    if (behind.length === 0) return;
    // Before all that came since, which may be of the same runs.
    drafts = [...behind, ...drafts.slice(next)];
    next = 0;
  }

  function goOn(): void {
    if (starting.length > 0 || next < drafts.length) schedule();
    else rest();
  }

  function isBusy(): boolean {
    return flights > 0 || isScheduled || keyedStarts > 0 || isClaiming;
  }

  function rest(): void {
    if (!isBusy()) idlers.splice(0).forEach((resolve) => resolve());
  }

  async function commit(started: readonly Starting[], writes: readonly Draft[]): Promise<void> {
    const starts: NewRun[] = [];
    for (const { runs } of started) for (const run of runs) starts.push(run);
    const began = performance.now();
    let receipt: Receipt;
    try {
      receipt = await retry.commit({ starts, writes });
    } catch (thrown) {
      const error = errorOf(thrown);
      for (const one of started) {
        guarded(() => one.landed?.(undefined));
        one.failed(error);
      }
      for (const draft of writes) guarded(() => draft.dropped(error, draft));
      return;
    }
    options.committed?.(starts.length + rowsOf(writes), performance.now() - began);
    let at = 0;
    for (const one of started) {
      land(one, receipt.starts.slice(at, at += one.runs.length));
    }
    writes.forEach((draft, index) => guarded(() => draft.settled(receipt.writes[index]!, draft)));
  }

  /** An error that a callback throws must not keep the others of its commit from their results. */
  function guarded(call: () => void): void {
    try {
      call();
    } catch (thrown) {
      logger.error("An internal error was caught while results were passed on", { error: String(thrown) });
    }
  }

  /** At least one caller's runs, never a part of them: `startMany` is one commit however large. */
  function takeStarts(share: number): Starting[] {
    let rows = 0;
    let bytes = 0;
    const taken = starting.findIndex(({ runs }) => {
      rows += runs.length;
      for (const { input } of runs) bytes += input?.length ?? 0;
      return rows > Math.min(share, MOST_ROWS) || bytes > MOST_BYTES;
    });
    return starting.splice(0, taken < 0 ? starting.length : Math.max(1, taken));
  }

  function takeDrafts(share: number): Draft[] {
    const taken: Draft[] = [];
    let rows = 0;
    let bytes = 0;
    while (next < drafts.length && taken.length < share && rows < MOST_ROWS && bytes < MOST_BYTES) {
      const draft = drafts[next++]!;
      if (isHeldBack(draft)) continue;
      draft.sent = true;
      taken.push(draft);
      rows += draft.records.length + 1;
      for (const record of draft.records) bytes += record.output?.length ?? 0;
    }
    // Under load there is always more: what was sent must not be kept until there is not. By halves, as to copy the rest
    // each time would be quadratic.
    if (next * 2 >= drafts.length) {
      drafts = drafts.slice(next);
      next = 0;
    }
    return taken;
  }
}

function rowsOf(writes: readonly Draft[]): number {
  let rows = 0;
  for (const { records, move } of writes) rows += records.length + (move === undefined ? 0 : 1);
  return rows;
}

// What goes wrong with one caller's runs must not keep the others from hearing of theirs.
function land(one: Starting, verdicts: readonly StartVerdict[]): void {
  try {
    one.landed?.(verdicts);
    one.done(verdicts);
  } catch (thrown) {
    one.failed(errorOf(thrown));
  }
}

function errorOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
