import type { ErrorRecord, Failure } from "../errors.ts";
import type { RunMove } from "../store/batch.ts";
import type { NewRecord } from "../definition/records.ts";
import type { LiveRun } from "./live_run.ts";
import { unhandledFailure } from "./run_result.ts";

/** How a run ended, with payloads as they are stored. */
export interface RunEnd {
  /** The run. */
  readonly runId: string;
  /** Its workflow's name. */
  readonly workflow: string;
  /** What it ended as. */
  readonly state: "completed" | "failed" | "cancelled";
  /** What decided that it failed. */
  readonly error: ErrorRecord | undefined;
  /** Why it was cancelled. */
  readonly reason: string | undefined;
  /** The limit of its duration. */
  readonly timeoutMs: number | undefined;
  /** From when a runner first took it to its end. */
  readonly tookMs: number | undefined;
  /** How many runners died with it. */
  readonly crashes: number;
  /** The task whose output is the result; without it the result is all outputs. */
  readonly result: string | undefined;
  /** Outputs of its completed tasks as JSON text, in the order of their definition. */
  readonly outputs: Readonly<Record<string, string | undefined>>;
  /** Makes an empty record that can have the ids of its tasks as keys. */
  readonly newRecord: NewRecord;
  /** The failed attempts of its failed tasks. */
  readonly failures: readonly Failure[];
}

/** What a run's row becomes when the machine says that it is over. */
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

/** How a run in memory ended. */
export function runEnd(run: LiveRun, move: RunMove): RunEnd | undefined {
  if (move.to !== "completed" && move.to !== "failed" && move.to !== "cancelled") return undefined;
  const { plan, state } = run;
  const outputs = plan.newRecord<string | undefined>();
  const failures: Failure[] = [];
  for (const unit of state.units) {
    if (unit.state === "completed") outputs[plan.nodes[unit.node]!.id] = unit.output;
    if (unit.state === "failed") failures.push(...unit.failures);
  }
  return {
    runId: run.id,
    workflow: plan.workflow.name,
    state: move.to,
    error: move.to === "failed" ? move.error : undefined,
    reason: move.to === "cancelled" ? move.reason : undefined,
    timeoutMs: run.timeoutMs,
    tookMs: run.begunAt === undefined ? undefined : move.at - run.begunAt,
    crashes: run.crashes,
    result: plan.workflow.result,
    outputs,
    newRecord: plan.newRecord,
    failures,
  };
}

/** The latest error of the first failed task that no handler made good, or of the one that cost the run its result. */
function decisiveError({ plan, state }: LiveRun): ErrorRecord {
  const unhandled = unhandledFailure(plan, state);
  const failed = unhandled >= 0 ? state.units[unhandled] : state.units.find((unit) => unit.state === "failed");
  return failed?.failures.at(-1)?.error ?? { name: "Error", message: "a task failed" };
}
