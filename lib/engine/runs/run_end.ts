import type { ErrorRecord, Failure } from "../../errors.ts";
import type { RunEnding, RunMove } from "../../store/port/batch.ts";
import type { NewRecord } from "../../definition/records.ts";
import { mayCompensate } from "./compensation.ts";
import { outputTextOf } from "./expanded_unit.ts";
import type { OutputText } from "./expansion.ts";
import type { LiveRun } from "./live_run.ts";
import { unhandledFailure } from "../machine/run_result.ts";

/** A task that was undone after its run failed or was cancelled, or whose undo failed. */
export interface Compensated {
  /** Id of the task. */
  readonly taskId: string;
  /** Why its undo failed; absent if the task was undone. */
  readonly error?: ErrorRecord;
}

const NOTHING_COMPENSATED: readonly Compensated[] = [];

/** The end of a run, with payloads as JSON text. */
export interface RunEnd {
  /** Id of the run. */
  readonly runId: string;
  /** Name of its workflow. */
  readonly workflow: string;
  /** Terminal state of the run. */
  readonly state: "completed" | "failed" | "cancelled";
  /** Decisive error of a failed run. */
  readonly error: ErrorRecord | undefined;
  /** Reason of a cancelled run. */
  readonly reason: string | undefined;
  /** Timeout of the run, in milliseconds. */
  readonly timeoutMs: number | undefined;
  /** When a runner first claimed it, in milliseconds since the epoch; `undefined` if none did. */
  readonly startedAt: number | undefined;
  /** When it ended, in milliseconds since the epoch. */
  readonly endedAt: number;
  /** Time from its first claim to its end, in milliseconds. */
  readonly tookMs: number | undefined;
  /** How many runners died while they owned it. */
  readonly crashes: number;
  /** Id of the task whose output is the result; without one the result is all outputs. */
  readonly result: string | undefined;
  /** Creates an empty record whose keys will be the ids of the tasks. */
  readonly newRecord: NewRecord;
  /** Failed attempts of failed tasks. */
  readonly failures: readonly Failure[];
  /** Tasks that were undone and undos that failed, in the order of their definition. */
  readonly compensated: readonly Compensated[];
  /** Outputs of completed tasks, in the order of their definition. */
  readonly outputs: Readonly<Record<string, OutputText>>;
}

/** The end of a run in memory. */
export interface LiveRunEnd extends RunEnd {
  /** Whether `outputs` has all outputs; otherwise only the store has some of them. */
  readonly isWhole: boolean;
}

/** Returns the change of the row of a run that the state machine ends. A run that was compensated ends as was decided before. */
export function endMove(run: LiveRun, as: "completed" | "failed" | "cancelled", at: number): RunMove {
  if (run.compensation !== undefined) return moveTo(run.compensation.ending, at);
  switch (as) {
    case "completed":
      // It ends with its last result: a store can keep both in one row (see store/last_result.ts).
      return { to: "completed", at: lastUnsentEnd(run) ?? at };
    case "cancelled":
      return closeMove(run, { state: "cancelled", reason: run.closing?.reason }, at);
    case "failed":
      return closeMove(run, { state: "failed", error: run.closing?.error ?? decisiveError(run) }, at);
  }
}

/** The time of the end of the last result that is not sent yet. */
function lastUnsentEnd({ pending }: LiveRun): number | undefined {
  return pending === undefined || pending.isSent ? undefined : pending.records.at(-1)?.endedAt;
}

/** Returns the change of the row of a run that has failed or is cancelled: it is compensated if there is something to undo. */
export function closeMove(run: LiveRun, end: RunEnding, at: number): RunMove {
  const isCompensated = run.closing?.compensate !== false && mayCompensate(run);
  return isCompensated ? { to: "compensating", end } : moveTo(end, at);
}

/** Returns what has become of a run that was to complete or to fail: a cancel is recorded that its owner had not seen. */
export function moveByCancel(
  move: RunMove | undefined,
  { reason, isCompensating = false }: RecordedCancel,
): RunMove | undefined {
  if (move?.to !== "completed" && move?.to !== "failed") return move;
  const end = { state: "cancelled", reason } as const;
  return isCompensating ? { to: "compensating", end } : moveTo(end, move.at);
}

/** A recorded cancel that a run has met when it was to end. */
interface RecordedCancel {
  readonly reason: string | undefined;
  readonly isCompensating?: boolean;
}

function moveTo(end: RunEnding, at: number): RunMove {
  return end.state === "failed" ? { to: "failed", at, error: end.error } : { to: "cancelled", at, reason: end.reason };
}

/** Returns the end of a run in memory; `undefined` if the change does not end it. */
export function runEnd(run: LiveRun, move: RunMove): LiveRunEnd | undefined {
  if (move.to !== "completed" && move.to !== "failed" && move.to !== "cancelled") return undefined;
  const { plan, state } = run.compensation?.base ?? run;
  const outputs = plan.newRecord<OutputText>();
  const failures: Failure[] = [];
  let isWhole = run.compensation === undefined;
  for (const unit of state.units) {
    const { id, task } = plan.nodes[unit.node]!;
    if (unit.isStored) isWhole = false;
    if (unit.state === "completed" && hasOutput(task.kind)) outputs[id] = outputTextOf(unit);
    if (unit.state === "failed") failures.push(...unit.failures);
  }
  return {
    runId: run.id,
    workflow: plan.workflow.name,
    state: move.to,
    error: move.to === "failed" ? move.error : undefined,
    reason: move.to === "cancelled" ? move.reason : undefined,
    timeoutMs: run.timeoutMs,
    startedAt: run.begunAt,
    endedAt: move.at,
    tookMs: run.begunAt === undefined ? undefined : Math.max(0, move.at - run.begunAt),
    crashes: run.crashes,
    result: plan.workflow.result,
    newRecord: plan.newRecord,
    failures,
    compensated: NOTHING_COMPENSATED,
    outputs,
    isWhole,
  };
}

/** Whether tasks of a kind have an output: a `sleep` has none, and so no key in the outputs of its run. */
export function hasOutput(kind: string): boolean {
  return kind !== "sleep";
}

/** Returns the latest error of the first failed task that was not handled, or else of the first failed task. */
function decisiveError({ plan, state }: LiveRun): ErrorRecord {
  const unhandled = unhandledFailure(plan, state);
  const failed = unhandled >= 0 ? state.units[unhandled] : state.units.find((unit) => unit.state === "failed");
  return failed?.failures.at(-1)?.error ?? { name: "Error", message: "a task failed" };
}

/** Whether a move takes the run out of memory. */
export function leavesMemory(move: RunMove): boolean {
  return move.to !== "running" && (move.to !== "waiting" || move.release);
}
