/**
 * Group commit: everything to be written in one turn of the event loop is one transaction, and while one is in flight the
 * next gathers. There is no timer: an idle engine commits at once, a busy one hundreds of results together.
 *
 * A store that is a server works while its client waits. There more than one commit is in flight under load, each with
 * its share of the runs, so that both work at once; the writes of one run are committed one after the other even so.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { setImmediate } from "node:timers";
import { type Logger, silent } from "../../logger.ts";
import type {
  FinalVerdict,
  NewRun,
  Receipt,
  RecordWrite,
  RunMove,
  RunWrite,
  StartVerdict,
  WriteVerdict,
} from "../../store/port/batch.ts";
import type { OwnedChild } from "../../store/port/inserted_child.ts";
import { createPauses, jittered } from "../../store/shared/pauses.ts";
import type { Store } from "../../store/port/store.ts";
import { retryCommits } from "./commit_retry.ts";
import { MOST_CHARACTERS, MOST_ROWS, rowsIn, rowsOf, sizeOf } from "./commit_size.ts";

/** What one run has to write. It may grow until it is sent. */
export interface PendingWrite extends RunWrite {
  /** Its rows so far. */
  readonly records: RecordWrite[];
  /** The change of its state. */
  move: RunMove | undefined;
  /** How many changes from outside it acknowledges. */
  seen?: number | undefined;
  /** Whether it is in flight: nothing may be added any more. */
  isSent: boolean;
  /** Called immediately before it is sent, once: what its runner can own of it is decided then. */
  onSend?(write: PendingWrite): void;
  /** Called with the result of its commit, and with the child runs that the commit has inserted as owned, by id. */
  onResult(verdict: FinalVerdict, write: PendingWrite, children: ReadonlyMap<string, OwnedChild>): void;
  /** Called instead if the store was closed, or the committer given up, before it was committed. */
  onDropped(error: Error, write: PendingWrite): void;
}

/** Runs that one caller inserts, in one commit. */
export interface PendingStart {
  readonly runs: readonly NewRun[];
  /** Called with one verdict for each of them. */
  onResult(verdicts: readonly StartVerdict[], start: PendingStart): void;
  /** Called instead if the store was closed, or the committer given up, before they were committed. */
  onDropped(error: Error, start: PendingStart): void;
}

/** Gathers what is to be written and commits it. */
export interface Committer {
  /** Queues runs to insert. */
  start(start: PendingStart): void;
  /** Queues a write; those of one run are committed in the order in which they came. */
  write(write: PendingWrite): void;
  /** Resolves when nothing is queued or in flight. */
  idle(): Promise<void>;
  /** Drops what is queued or in flight, whatever becomes of it. Nothing is written any more. */
  giveUp(): void;
}

/** What a committer reports. */
export interface CommitterOptions {
  /** Receives log lines. */
  readonly logger?: Logger;
  /** Called for each try of a commit that failed. */
  readonly failed?: () => void;
  /** Called with the number of rows of a commit, and how long it took. */
  readonly committed?: (rows: number, ms: number) => void;
}

const FIRST_LOCK_PAUSE_MS = 50;
const LONGEST_LOCK_PAUSE_MS = 2_000;

// A commit costs as much by itself as about this many rows.
const LEAST_SHARE = 64;

const NO_CHILDREN: ReadonlyMap<string, OwnedChild> = new Map();

/** A committer for a store. */
export function createCommitter(store: Store, options: CommitterOptions = {}): Committer {
  const { logger = silent } = options;
  const mostInFlight = store.commitsAtOnce ?? 1;
  const starts: PendingStart[] = [];
  let writes: PendingWrite[] = [];
  let next = 0;
  let isScheduled = false;
  let inFlight = 0;
  let keyedStarts = 0;
  const pauses = createPauses();
  /** Writes of runs whose rows another transaction has locked, and how often they were sent. */
  const locked = new Map<PendingWrite, number>();
  let isGivenUp = false;
  /** Runs with a write in flight, and their next writes; only where several commits are in flight at once. */
  const busy = new Map<number, PendingWrite[] | undefined>();
  const idlers: (() => void)[] = [];
  // What a commit sets going, such as a body, must not see the async context of the code that asked for the commit.
  const inOwnContext = AsyncLocalStorage.snapshot();
  const retry = retryCommits(store, logger, () => options.failed?.());
  return {
    start(start) {
      if (store.keysWait === true && start.runs.some(({ key, debounce }) => (key ?? debounce) !== undefined)) {
        return startKeyed(start);
      }
      starts.push(start);
      schedule();
    },
    write(write) {
      writes.push(write);
      schedule();
    },
    idle: () => isBusy() ? new Promise((resolve) => idlers.push(resolve)) : Promise.resolve(),
    giveUp() {
      isGivenUp = true;
      retry.giveUp();
      pauses.end();
    },
  };

  function soon(work: () => void): void {
    inOwnContext(() => void setImmediate(work));
  }

  /** In a commit of its own, as a commit of several starts would wait for the key of each. */
  function startKeyed(start: PendingStart): void {
    keyedStarts++;
    soon(async () => {
      await commit([start], []);
      keyedStarts--;
      notifyIdle();
    });
  }

  function schedule(): void {
    if (isScheduled || inFlight >= mostInFlight) return;
    isScheduled = true;
    soon(flush);
  }

  async function flush(): Promise<void> {
    isScheduled = false;
    inFlight++;
    const started = takeStarts(share(starts.length));
    const written = takeWrites(share(writes.length - next));
    scheduleNext();
    try {
      if (started.length > 0 || written.length > 0) await commit(started, written);
    } finally {
      inFlight--;
      if (mostInFlight > 1) requeue(written);
      scheduleNext();
    }
  }

  /** How much of what is queued is committed now; the rest is for the commits that may be in flight beside this one. */
  function share(queued: number): number {
    const others = mostInFlight - inFlight;
    return others === 0 ? MOST_ROWS : Math.max(LEAST_SHARE, Math.ceil(queued / (others + 1)));
  }

  /** Whether a write of the same run is in flight: then this one is kept for the next commit. */
  function isHeldBack(write: PendingWrite): boolean {
    if (mostInFlight === 1) return false;
    const behind = busy.get(write.seq);
    if (behind !== undefined) behind.push(write);
    else if (busy.has(write.seq)) busy.set(write.seq, [write]);
    else {
      busy.set(write.seq, undefined);
      return false;
    }
    return true;
  }

  /** Queues the writes that were held back behind those of a commit, before all that came since. */
  function requeue(written: readonly PendingWrite[]): void {
    const behind: PendingWrite[] = [];
    for (const write of written) {
      // The writes behind one that waits for a lock stay behind it.
      if (locked.has(write)) continue;
      const own = busy.get(write.seq);
      busy.delete(write.seq);
      if (own !== undefined) behind.push(...own);
    }
    if (behind.length === 0) return;
    writes = [...behind, ...writes.slice(next)];
    next = 0;
  }

  function scheduleNext(): void {
    if (starts.length > 0 || next < writes.length) schedule();
    else notifyIdle();
  }

  function isBusy(): boolean {
    return inFlight > 0 || isScheduled || keyedStarts > 0 || locked.size > 0;
  }

  function notifyIdle(): void {
    if (!isBusy()) idlers.splice(0).forEach((resolve) => resolve());
  }

  async function commit(started: readonly PendingStart[], written: readonly PendingWrite[]): Promise<void> {
    const runs: NewRun[] = [];
    for (const start of started) for (const run of start.runs) runs.push(run);
    const began = performance.now();
    let receipt: Receipt;
    try {
      receipt = await retry.commit({ starts: runs, writes: written });
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      for (const start of started) drop(start, error);
      for (const write of written) drop(write, error);
      return;
    }
    options.committed?.(runs.length + rowsIn(written), performance.now() - began);
    let at = 0;
    for (const start of started) passVerdicts(start, receipt.starts.slice(at, at += start.runs.length));
    const children = byId(receipt.children);
    for (let index = 0; index < written.length; index++) passVerdict(written[index]!, receipt.writes[index]!, children);
  }

  // An error that one of these callbacks throws must not keep the rest of its commit from their results.
  function passVerdicts(start: PendingStart, verdicts: readonly StartVerdict[]): void {
    try {
      start.onResult(verdicts, start);
    } catch (thrown) {
      logInternal(thrown);
    }
  }

  function passVerdict(
    write: PendingWrite,
    verdict: WriteVerdict,
    children: ReadonlyMap<string, OwnedChild>,
  ): void {
    if (verdict === "locked") return void sendLater(write);
    if (locked.delete(write) && locked.size === 0) logger.warn(`Locked rows in ${store.name} are free again`);
    try {
      write.onResult(verdict, write, children);
    } catch (thrown) {
      logInternal(thrown);
    }
  }

  /** Repeats a write after a pause. It stays `busy` meanwhile, so that later writes of its run wait behind it. */
  async function sendLater(write: PendingWrite): Promise<void> {
    const tries = locked.get(write) ?? 0;
    if (locked.size === 0) {
      logger.warn(
        `Cannot write results to ${store.name}: another transaction locked the rows of their runs; other runs continue`,
      );
    }
    locked.set(write, tries + 1);
    await pauses.pause(jittered(Math.min(FIRST_LOCK_PAUSE_MS * 2 ** Math.min(tries, 10), LONGEST_LOCK_PAUSE_MS)));
    const behind = busy.get(write.seq) ?? [];
    busy.delete(write.seq);
    writes = [write, ...behind, ...writes.slice(next)];
    next = 0;
    if (isGivenUp) locked.clear();
    schedule();
  }

  function drop<Pending extends { onDropped(error: Error, pending: Pending): void }>(
    pending: Pending,
    error: Error,
  ): void {
    try {
      pending.onDropped(error, pending);
    } catch (thrown) {
      logInternal(thrown);
    }
  }

  function logInternal(thrown: unknown): void {
    logger.error("Internal error while results were distributed", { error: String(thrown) });
  }

  /** The starts of at least one caller, never a part of them: `startMany` is one commit however large. */
  function takeStarts(share: number): PendingStart[] {
    let rows = 0;
    let size = 0;
    const taken = starts.findIndex(({ runs }) => {
      rows += runs.length;
      for (const { input } of runs) size += input?.length ?? 0;
      return rows > Math.min(share, MOST_ROWS) || size > MOST_CHARACTERS;
    });
    return starts.splice(0, taken < 0 ? starts.length : Math.max(1, taken));
  }

  function takeWrites(share: number): PendingWrite[] {
    const taken: PendingWrite[] = [];
    let rows = 0;
    let size = 0;
    while (next < writes.length && taken.length < share && rows < MOST_ROWS && size < MOST_CHARACTERS) {
      const write = writes[next++]!;
      if (isHeldBack(write)) continue;
      write.isSent = true;
      write.onSend?.(write);
      taken.push(write);
      rows += 1 + rowsOf(write);
      size += sizeOf(write);
    }
    // Under load the queue never empties. It is cut by halves, as copying the rest each time would be quadratic.
    if (next * 2 >= writes.length) {
      writes = writes.slice(next);
      next = 0;
    }
    return taken;
  }
}

function byId(children: readonly OwnedChild[] = []): ReadonlyMap<string, OwnedChild> {
  return children.length === 0 ? NO_CHILDREN : new Map(children.map((child) => [child.id, child]));
}
