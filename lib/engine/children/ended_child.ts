import { RunFailedError } from "../../errors.ts";
import type { RunMove } from "../../store/port/batch.ts";
import type { ChildOutcome } from "../runs/child_outcome.ts";
import { jsonOf, textOf } from "./child_outcomes.ts";
import type { LiveRun } from "../runs/live_run.ts";
import { errorOf } from "../client/outcome.ts";
import { runEnd } from "../runs/run_end.ts";

/**
 * Whether the parent of a run in memory can be told how the run ends without a read of the store. A parent reads a cancel
 * in the store, as it may be its own.
 */
export function isReported(run: LiveRun, move: RunMove | undefined): boolean {
  if (run.compensation !== undefined) return false;
  if (move?.to === "failed") return true;
  if (move?.to !== "completed") return false;
  const { plan: { result }, state: { units } } = run;
  return result === undefined ? units.every(({ isStored }) => !isStored) : units[result]!.isStored === false;
}

/** How a run in memory ended, for its parent. */
export function outcomeForParent(run: LiveRun, move: RunMove): ChildOutcome {
  const { run: parent, task, item } = run.parent!;
  const end = runEnd(run, move)!;
  return {
    parent,
    task,
    item,
    end: end.state === "completed"
      ? { kind: "completed", result: end.result === undefined ? jsonOf(end.outputs) : textOf(end.outputs[end.result]) }
      : { kind: "failed", error: new RunFailedError(run.id, end.workflow, errorOf(end), end.failures) },
  };
}
