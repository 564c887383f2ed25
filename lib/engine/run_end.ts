import type { ErrorRecord, Failure } from "../errors.ts";
import type { RunMove } from "../store/batch.ts";
import type { NewRecord } from "../definition/records.ts";
import type { LiveRun } from "./live_run.ts";
import { unhandledFailure } from "./verdict.ts";

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
  const { plan, progress } = run;
  const outputs = plan.newRecord<string | undefined>();
  const failures: Failure[] = [];
  for (let number = 0; number < plan.tasks.length; number++) {
    const { state } = progress.tasks[number]!;
    if (state === "completed") outputs[plan.tasks[number]!.id] = run.outputs[number];
    if (state === "failed") failures.push(...run.failures?.get(number) ?? []);
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

/** The latest error of the first failed task that nobody handled, or of the one that cost the run its result. */
function decisiveError(run: LiveRun): ErrorRecord {
  const unhandled = unhandledFailure(run.plan, run.progress);
  const failed = unhandled >= 0 ? unhandled : run.progress.tasks.findIndex((task) => task.state === "failed");
  return run.failures?.get(failed)?.at(-1)?.error ?? { name: "Error", message: "a task failed" };
}
