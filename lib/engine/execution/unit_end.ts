import type { ExecutorOptions } from "./executor_options.ts";
import { reportFailedUndo } from "./failed_undo.ts";
import { callHooks } from "./hooks.ts";
import type { LiveUnit } from "../runs/live_run.ts";
import { NO_ITEM } from "../machine/run_state.ts";
import { releaseOutputs } from "./unit_arguments.ts";

/** The end of a unit is durable: reports it, calls its hooks, and releases what it was the last to read. */
export function reportEnd(
  unit: LiveUnit,
  tookMs: number | undefined,
  options: Pick<ExecutorOptions, "emit" | "logger">,
): void {
  const { attempt, run } = unit;
  const { emit, logger } = options;
  unit.attempt = undefined;
  if (attempt?.isRecorded === true) emit({ type: "runChanged", runId: run.id });
  emit({ type: "unitEnded", unit, tookMs });
  if (unit.state === "failed" && unit.item === NO_ITEM) reportFailedUndo(unit, options);
  if (attempt !== undefined) callHooks(attempt, logger);
  if (unit.item === NO_ITEM) releaseOutputs(unit);
}
