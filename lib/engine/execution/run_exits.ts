import type { Clock } from "../../clock.ts";
import { LeaseLostError } from "../../errors.ts";
import type { Logger } from "../../logger.ts";
import type { RunMove } from "../../store/port/batch.ts";
import type { OwnedRun } from "../../store/port/runners.ts";
import type { ChildOutcome } from "../runs/child_outcome.ts";
import { outcomeForParent } from "../children/ended_child.ts";
import type { Observer } from "../telemetry/engine_events.ts";
import { hooksReturned } from "./hooks.ts";
import { type LiveRun, unitsOf } from "../runs/live_run.ts";
import { GRACE_MS } from "./run_control.ts";
import { type LiveRunEnd, runEnd } from "../runs/run_end.ts";
import type { TaskSlots } from "./task_slots.ts";
import { leaveOf, type RunLeave } from "../telemetry/tracing.ts";

/** What the exits of runs need of an executor. */
export interface RunExitsOptions {
  /** The runs in memory, by number. */
  readonly runs: Map<number, LiveRun>;
  readonly slots: Pick<TaskSlots, "abort" | "drop">;
  readonly clock: Clock;
  /** The store's time. */
  readonly now: () => number;
  readonly logger: Logger;
  readonly emit: Observer;
  /** A place in memory was released, of a run that is due at that time if it waits. */
  readonly released: (dueAt: number | undefined) => void;
  /** A child run of a run in memory has ended. */
  readonly childEnded: (parent: LiveRun, outcome: ChildOutcome) => void;
  /** A run has left memory. */
  readonly forgotten: (run: LiveRun, as: "ended" | "compensating" | "released") => void;
}

/** Takes runs out of memory, in every way that there is. */
export interface RunExits {
  /** The write that ends or releases a run is durable; `parent` has not been woken in the store. */
  leave(run: LiveRun, move: RunMove, parent?: LiveRun): void;
  /** Another runner owns a run: its bodies are aborted. */
  lose(run: LiveRun): void;
  /**
   * Called before the store reads which runs this runner owns; the result loses runs that are in memory and not owned any
   * more, and returns those that are owned and not in memory.
   */
  checkOwned(): (owned: readonly OwnedRun[]) => readonly OwnedRun[];
  /** The store refuses everything of a run. */
  giveUp(run: LiveRun, error: Error): void;
  /** The database is gone, and with it all runs: their bodies are aborted. */
  abandonAll(error: Error): void;
  /** Drops all runs, and waits for hooks of those that have ended. */
  forgetAll(): Promise<void>;
}

/** The exits of an executor's runs. */
export function createRunExits(options: RunExitsOptions): RunExits {
  const { runs, slots, clock, logger, emit, released } = options;
  const finishing = new Set<Promise<void>>();
  return {
    leave(run, move, parent) {
      forget(run, leaveOf(move), exitOf(run, move));
      if (parent !== undefined) options.childEnded(parent, outcomeForParent(run, move));
      else if (run.parent !== undefined) emit({ type: "parentWoken", run });
      const end = runEnd(run, move);
      if (end === undefined) {
        emit({ type: "runReleased", run, as: releasedAs(run, move) });
        const dueAt = move.to === "waiting" ? move.dueAt : undefined;
        return released(run.isChangedLate || move.to === "compensating" ? options.now() : dueAt);
      }
      released(undefined);
      if (run.hooks === undefined) emit({ type: "runEnded", run, end });
      else endAfterHooks(run, end, run.hooks);
    },
    lose,
    checkOwned() {
      const held = [...runs.values()].filter(({ isLeaving }) => !isLeaving);
      return (owned) => {
        const numbers = new Set(owned.map(({ seq }) => seq));
        for (const run of held) if (!run.isLeaving && !numbers.has(run.seq)) lose(run);
        return owned.filter(({ seq }) => !runs.has(seq));
      };
    },
    giveUp(run, error) {
      if (run.gone) return;
      logger.error(`Cannot save results of run "${run.id}": ${error.message}; it is dropped from memory`);
      abandon(run, error);
    },
    abandonAll(error) {
      for (const run of [...runs.values()]) abandon(run, error);
    },
    async forgetAll() {
      for (const run of [...runs.values()]) forget(run, { state: "pending" });
      await Promise.all(finishing);
    },
  };

  function lose(run: LiveRun): void {
    if (run.gone) return;
    const cause = new LeaseLostError(run.id);
    logger.warn(cause.message);
    emit({ type: "runLost", run });
    abort(run, cause);
  }

  function endAfterHooks(run: LiveRun, end: LiveRunEnd, hooks: readonly Promise<unknown>[]): void {
    emit({ type: "runEnding", run });
    const ended = hooksReturned(hooks, clock, GRACE_MS).then(() => {
      finishing.delete(ended);
      emit({ type: "runEnded", run, end });
    });
    finishing.add(ended);
  }

  function abandon(run: LiveRun, error: Error): void {
    abort(run, error);
    emit({ type: "runAbandoned", run, error });
  }

  /** Drops a run whose bodies may still be running. */
  function abort(run: LiveRun, cause: Error): void {
    for (const { attempt } of unitsOf(run)) if (attempt !== undefined) slots.abort(attempt, cause);
    forget(run, { state: "lost", error: cause });
    released(undefined);
  }

  function forget(run: LiveRun, leave: RunLeave, as: "ended" | "compensating" | "released" = "released"): void {
    run.gone = true;
    // It may be in memory again: another commit has claimed it before the answer of this one arrived.
    if (runs.get(run.seq) === run) runs.delete(run.seq);
    if (run.timers !== undefined) {
      run.timers.forEach((cancel) => cancel());
      run.timers = undefined;
    }
    run.childRequests?.forEach((requests) => requests.dispose());
    options.forgotten(run, as);
    for (const unit of unitsOf(run)) {
      unit.disarm?.();
      // A body that outlived its grace or its lease may never settle: its slot is released all the same.
      if (unit.attempt !== undefined) slots.drop(unit.attempt);
    }
    run.trace?.end(leave);
  }
}

function exitOf(run: LiveRun, move: RunMove): "ended" | "compensating" | "released" {
  if (move.to === "compensating") return "compensating";
  return runEnd(run, move) === undefined ? "released" : "ended";
}

function releasedAs(
  { state: { phase } }: LiveRun,
  { to }: RunMove,
): "waiting" | "paused" | "compensating" | "handedBack" {
  if (to === "waiting" || to === "compensating") return to;
  return phase === "paused" ? "paused" : "handedBack";
}
