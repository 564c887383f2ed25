import type { JournalRecord, TaskState } from "../../store/port/batch.ts";
import { nodeOf } from "./attempt.ts";
import { isBlocked } from "../machine/blocked.ts";
import type { Attempt, LiveRecord, LiveUnit } from "./live_run.ts";
import { hasEnded, NO_ITEM } from "../machine/run_state.ts";

/** The row of a unit as it is now. */
export function recordOf(unit: LiveUnit, now: number): LiveRecord {
  return {
    unit,
    task: nodeOf({ unit }).row,
    item: unit.item,
    step: "",
    state: storedState(unit),
    attempts: unit.attempts,
    output: unit.output,
    failures: unit.failures,
    reason: unit.reason,
    startedAt: unit.startedAt,
    endedAt: hasEnded(unit) ? now : undefined,
    dueAt: unit.state === "waiting" ? unit.wake?.at : undefined,
    progress: unit.attempt?.progress,
    // Written once: later rows leave both as they are.
    items: unit.expansion?.unwritten === undefined ? undefined : unit.expansion.total,
    input: unit.expansion?.unwritten?.text,
    isNew: !unit.isWritten,
    isExpansion: unit.state === "expanded",
  };
}

/** The row of a unit as it will be when its attempt, which is a transaction, is committed with `output`. */
export function committedRecord({ unit }: Attempt, output: string | undefined, now: number): LiveRecord {
  return { ...recordOf(unit, now), state: "completed", output, reason: undefined, endedAt: now };
}

/** The row of a step that has completed. */
export function stepRecord(attempt: Attempt, name: string, output: string | undefined, now: number): LiveRecord {
  const { unit, number, startedAt } = attempt;
  return {
    unit,
    task: nodeOf(attempt).row,
    item: unit.item,
    step: name,
    state: "completed",
    attempts: number,
    output,
    failures: [],
    reason: undefined,
    startedAt,
    endedAt: now,
    dueAt: undefined,
    progress: undefined,
    items: undefined,
    // Steps in the journal were loaded with the run, and no step is recorded twice.
    isNew: true,
    isExpansion: false,
  };
}

/** Whether a row is that of a task itself, not of one of its items or steps. */
export function isOfTask({ item, step }: JournalRecord): boolean {
  return item === NO_ITEM && step === "";
}

/** The state of a unit in terms of the journal: a node that waits for its items runs. */
function storedState(unit: LiveUnit): TaskState {
  if (isBlocked(unit)) return "blocked";
  return unit.state === "expanded" ? "running" : unit.state;
}

/** The message of the `DeferError` that made a task wait for that recorded reason; `undefined` if it had none. */
export function deferMessageOf(reason: string | undefined): string | undefined {
  const at = reason?.startsWith("deferred") ? reason.indexOf(": ") : -1;
  return at < 0 ? undefined : reason?.slice(at + 2);
}
