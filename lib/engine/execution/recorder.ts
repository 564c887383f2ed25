import type { Clock } from "../../clock.ts";
import { type ErrorRecord, LeaseLostError, PayloadError } from "../../errors.ts";
import type { FinalVerdict, NewRun, RunMove } from "../../store/port/batch.ts";
import { nodeOf } from "../runs/attempt.ts";
import { recordOf } from "../runs/journal_rows.ts";
import { isReported } from "../children/ended_child.ts";
import { closeMove, leavesMemory, moveByCancel } from "../runs/run_end.ts";
import type { Attempt, LiveRecord, LiveRun, LiveUnit, LiveWrite } from "../runs/live_run.ts";
import { newLiveWrite, type WriteObserver } from "../runs/live_write.ts";
import { toErrorRecord } from "../errors/error_record.ts";
import { NO_ITEM } from "../machine/run_state.ts";
import { MOST_CHARACTERS, MOST_ROWS, rowsOf } from "../commit/commit_size.ts";
import type { OwnedChild } from "../../store/port/inserted_child.ts";
import type { Committer } from "../commit/committer.ts";
import type { OwnChildren } from "../runs/spawning.ts";

/** A body that runs longer than this is marked as running in the journal. */
const MARK_AFTER_MS = 100;

/** Writes the rows of runs in memory, and reports what became durable. */
export interface Recorder {
  /** Writes the row of a unit as it is now. */
  record(unit: LiveUnit): void;
  /** Writes a row; resolves when it is durable. */
  append(run: LiveRun, record: LiveRecord): Promise<void>;
  /** Resolves when what was written of the run in this turn is durable. */
  durable(run: LiveRun): Promise<void>;
  /** Writes what becomes of the run, in the same commit as what was recorded in this turn. */
  move(run: LiveRun, move: RunMove): void;
  /** Acknowledges the changes from outside that were applied, at once. */
  acknowledge(run: LiveRun): void;
  /** Writes `running` for bodies that take long, from now on. */
  watch(): void;
  /** Ends its timer. */
  stop(): void;
}

/** What a recorder needs of an executor, and reports to it. */
export interface RecorderOptions {
  readonly committer: Committer;
  /** When to mark. */
  readonly clock: Clock;
  /** The store's time. */
  readonly now: () => number;
  /** Attempts that run now. */
  readonly active: () => readonly Attempt[];
  /** The end or the expansion of a unit is durable; its last attempt took that long. */
  readonly durable: (unit: LiveUnit, tookMs: number | undefined) => void;
  /** A row is durable that says that a unit waits. */
  readonly waitDurable: (unit: LiveUnit) => void;
  /** Owns child runs from their insert. */
  readonly ownChildren: OwnChildren;
  /** Child runs of a run are durable, and left to any runner. */
  readonly spawned: (run: LiveRun) => void;
  /** Something of a run became durable. */
  readonly touched: (run: LiveRun) => void;
  /** Returns the parent of a run if it is in memory. */
  readonly parentOf: (run: LiveRun) => LiveRun | undefined;
  /** A write that takes the run out of memory is durable; its end did not wake `parent` in the store. */
  readonly left: (run: LiveRun, move: RunMove, parent: LiveRun | undefined) => void;
  /** The store refuses everything of the run, even its failure. */
  readonly gaveUp: (run: LiveRun, error: Error) => void;
  /** Another runner owns it. */
  readonly lost: (run: LiveRun) => void;
}

/** A recorder for an executor. */
export function createRecorder(options: RecorderOptions): Recorder {
  const { committer, clock, now } = options;
  const observer: WriteObserver = { sent, settled, dropped };
  let stopSweep: (() => void) | undefined;
  return {
    record(unit) {
      wakeRow(unit.run, addUnit(unit));
    },
    append(run, record) {
      add(run, record);
      return durable(run);
    },
    durable,
    move(run, move) {
      if (move.to === "waiting") {
        if (!move.release && run.stored === "waiting" && run.storedDueAt === move.dueAt) return;
        run.stored = "waiting";
        run.storedDueAt = move.dueAt;
      }
      const write = writeOf(run);
      write.move = move;
      if (!leavesMemory(move)) return;
      run.isLeaving = true;
      if (run.seen > 0) write.seen = run.seen;
      // The ends of child runs that are in flight do not wake it.
      if (move.to === "waiting" && run.endingChildren > 0) write.move = { ...move, dueAt: now() };
      holdParent(run, write);
    },
    acknowledge(run) {
      writeOf(run).seen = run.seen;
    },
    watch() {
      stopSweep ??= clock.after(MARK_AFTER_MS, sweep);
    },
    stop() {
      stopSweep?.();
      stopSweep = undefined;
    },
  };

  function durable(run: LiveRun): Promise<void> {
    return new Promise((done, failed) => (writeOf(run).waiting ??= []).push({ done, failed }));
  }

  function addUnit(unit: LiveUnit): LiveWrite {
    if (unit.isWaitInFlight !== (unit.state === "waiting")) unit.isWaitInFlight = !unit.isWaitInFlight;
    const child = unit.spawning;
    if (child !== undefined && isImplied(unit, child)) return addWait(unit, child);
    const record = recordOf(unit, now());
    unit.isWritten = true;
    if (unit.expansion !== undefined) unit.expansion.unwritten = undefined;
    const write = add(unit.run, record);
    if (child !== undefined) addChild(write, child);
    return write;
  }

  /** Adds a wait that has no row: the child run says what waits for it. */
  function addWait(unit: LiveUnit, child: NewRun): LiveWrite {
    const { pending } = unit.run;
    const write = pending === undefined || pending.isSent || isFull(pending) ? newWrite(unit.run, []) : pending;
    (write.waits ??= []).push(unit);
    addChild(write, child);
    return write;
  }

  function addChild(write: LiveWrite, child: NewRun): void {
    write.run.hasChildren = true;
    write.hasChildren = true;
    write.size += child.input?.length ?? 0;
    (write.children ??= []).push(child);
  }

  function add(run: LiveRun, record: LiveRecord): LiveWrite {
    const { pending } = run;
    // An array that is made with its one record is much smaller than an empty one to which it is added.
    if (pending === undefined || pending.isSent || isFull(pending)) return newWrite(run, [record]);
    pending.records.push(record);
    pending.size += sizeOf(record);
    return pending;
  }

  function writeOf(run: LiveRun): LiveWrite {
    return run.pending === undefined || run.pending.isSent ? newWrite(run, []) : run.pending;
  }

  function newWrite(run: LiveRun, records: LiveRecord[]): LiveWrite {
    const write = newLiveWrite(run, records, observer);
    for (const record of records) write.size += sizeOf(record);
    run.pending = write;
    committer.write(write);
    return write;
  }

  /** The parent of a run that ends learns of it from the verdict, if it is in memory and stays there. */
  function holdParent(run: LiveRun, write: LiveWrite): void {
    const parent = run.parent === undefined || !isReported(run, write.move) ? undefined : options.parentOf(run);
    if (parent === undefined || parent.isLeaving) return;
    parent.endingChildren++;
    write.parentHeldAs = parent.epoch;
    write.holds = parent;
  }

  function sent(write: LiveWrite): void {
    if (write.children !== undefined) write.spawning = options.ownChildren.take(write.children);
  }

  function settled(
    write: LiveWrite,
    verdict: FinalVerdict,
    inserted: ReadonlyMap<string, OwnedChild>,
  ): void {
    const { run, spawning } = write;
    if (write.holds !== undefined) write.holds.endingChildren--;
    if (verdict === "accepted") {
      accepted(run, write);
      if (spawning !== undefined && options.ownChildren.settle(spawning, inserted)) options.spawned(run);
      return;
    }
    if (spawning !== undefined) options.ownChildren.drop(spawning);
    if (typeof verdict === "object" && "cancelled" in verdict) {
      write.move = moveByCancel(write.move, verdict.cancelled);
      write.holds = undefined;
      return accepted(run, write);
    }
    if (verdict === "fenced") {
      for (const { failed } of write.waiting ?? []) failed(new LeaseLostError(run.id));
      return options.lost(run);
    }
    refused(run, write, verdict.refused);
  }

  function dropped({ waiting, holds, spawning }: LiveWrite, error: Error): void {
    if (holds !== undefined) holds.endingChildren--;
    if (spawning !== undefined) options.ownChildren.drop(spawning);
    for (const { failed } of waiting ?? []) failed(error);
  }

  function accepted(run: LiveRun, write: LiveWrite): void {
    write.waiting?.forEach(({ done }) => done());
    if (run.gone) return;
    options.touched(run);
    if (write.waits !== undefined) { for (const unit of write.waits) options.waitDurable(unit); }
    for (const { unit, step, state, startedAt, endedAt, isExpansion } of write.records) {
      if (step === "" && (state === "waiting" || state === "blocked")) options.waitDurable(unit);
      // A node whose items start at once may have ended since it expanded.
      if (step !== "" || (endedAt === undefined && !(isExpansion && unit.state === "expanded"))) continue;
      const recordedMs = startedAt === undefined || endedAt === undefined ? undefined : endedAt - startedAt;
      // The recorded times are those of the wall clock, which may have been set.
      options.durable(unit, recordedMs === undefined ? undefined : unit.attempt?.tookMs ?? Math.max(0, recordedMs));
    }
    if (write.move !== undefined && leavesMemory(write.move)) options.left(run, write.move, write.holds);
  }

  /**
   * The database cannot hold the data of the write: its rows are recorded without their payloads, and the run fails with
   * the error of the database. Payloads are checked before, so this covers limits that only the database knows.
   */
  function refused(run: LiveRun, write: LiveWrite, error: Error): void {
    for (const { failed } of write.waiting ?? []) {
      failed(new PayloadError("unstorable_payload", error.message, "output"));
    }
    if (run.gone) return;
    if (run.isRefused) return options.gaveUp(run, error);
    run.isRefused = true;
    const what: ErrorRecord = toErrorRecord(error);
    const again = writeOf(run);
    const waits = write.waits?.map((unit) => recordOf(unit, now())) ?? [];
    for (const { unit, task, attempts, item, step, endedAt, startedAt } of [...write.records, ...waits]) {
      if (step !== "") continue;
      const failures = [{ taskId: task, attempt: attempts, error: what }];
      const bare = { output: undefined, reason: undefined, dueAt: undefined, progress: undefined, items: undefined };
      again.records.push({
        unit,
        task,
        item,
        step,
        state: "failed",
        attempts,
        failures,
        startedAt,
        endedAt: endedAt ?? now(),
        isExpansion: false,
        ...bare,
      });
      unit.failures = failures;
      unit.state = "failed";
    }
    again.move = closeMove(run, { state: "failed", error: what }, now());
    run.state.phase = "ended";
  }

  function sweep(): void {
    stopSweep = undefined;
    const startedBefore = now() - MARK_AFTER_MS;
    for (const attempt of options.active()) {
      if (attempt.isMarked || attempt.startedAt > startedBefore || isBeforeCondition(attempt)) continue;
      attempt.isMarked = true;
      wakeRow(attempt.unit.run, addUnit(attempt.unit));
    }
    if (options.active().some(({ isMarked }) => !isMarked)) stopSweep = clock.after(MARK_AFTER_MS, sweep);
  }

  /** The first write after a wait changes the state of the run from `waiting` to `running`. */
  function wakeRow(run: LiveRun, write: LiveWrite): void {
    if (run.stored !== "waiting" || write.move !== undefined || run.state.running === 0) return;
    run.stored = "running";
    write.move = { to: "running" };
  }
}

/** Whether a write fills a commit: further rows go into the next write of its run, as no write is divided. */
function isFull(write: LiveWrite): boolean {
  return rowsOf(write) >= MOST_ROWS || write.size >= MOST_CHARACTERS;
}

/**
 * Whether the store derives from a child run that an item waits for it. A child with a key may not be inserted, so its
 * item has a row, as has an item that has begun before.
 */
function isImplied({ item, isWritten }: LiveUnit, { key }: NewRun): boolean {
  return item !== NO_ITEM && !isWritten && key === undefined;
}

function sizeOf({ output, input }: LiveRecord): number {
  return (output?.length ?? 0) + (input?.length ?? 0);
}

/** Whether the condition is being evaluated: a row that says `running` would say that it was true. */
function isBeforeCondition(attempt: Attempt): boolean {
  const { unit } = attempt;
  return nodeOf(attempt).task.when !== undefined && unit.item === NO_ITEM && !unit.conditionPassed;
}
