import type { ErrorRecord, Failure } from "../errors.ts";
import type { RunMove } from "../store/batch.ts";
import type { NewRecord } from "../definition/records.ts";
import { outputTextOf } from "./expanded_unit.ts";
import type { OutputText } from "./expansion.ts";
import type { LiveRun } from "./live_run.ts";
import { unhandledFailure } from "./run_result.ts";

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
  /** Outputs of completed tasks, in the order of their definition. */
  readonly outputs: Readonly<Record<string, OutputText>>;
}

/** The end of a run in memory. */
export interface LiveRunEnd extends RunEnd {
  /** Whether `outputs` has all outputs; otherwise only the store has some of them. */
  readonly isWhole: boolean;
}

/** Returns the change of the row of a run that the state machine ends. */
export function endMove(run: LiveRun, as: "completed" | "failed" | "cancelled", at: number): RunMove {
  switch (as) {
    case "completed":
      return { to: "completed", at };
    case "cancelled":
      return { to: "cancelled", at, reason: run.closing?.reason };
    case "failed":
      return { to: "failed", at, error: run.closing?.error ?? decisiveError(run) };
  }
}

/** Returns the end of a run in memory; `undefined` if the change does not end it. */
export function runEnd(run: LiveRun, move: RunMove): LiveRunEnd | undefined {
  if (move.to !== "completed" && move.to !== "failed" && move.to !== "cancelled") return undefined;
  const { plan, state } = run;
  const outputs = plan.newRecord<OutputText>();
  const failures: Failure[] = [];
  let isWhole = true;
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
