import type { Logger } from "../../logger.ts";
import { nodeOf } from "../runs/attempt.ts";
import type { Observer } from "../telemetry/engine_events.ts";
import type { LiveUnit } from "../runs/live_run.ts";

/** Where an executor reports. */
export interface ExecutorReports {
  readonly logger: Logger;
  readonly emit: Observer;
}

/** Reports that the undo of a task has failed for good: its effects remain, and need attention. */
export function reportFailedUndo(unit: LiveUnit, { logger, emit }: ExecutorReports): void {
  const { id, undo } = nodeOf({ unit });
  if (undo === undefined) return;
  const { run, failures, attempts } = unit;
  const why = failures.at(-1)?.error.message ?? "unknown error";
  const message =
    `Cannot undo task "${id}" of run "${run.id}": ${why}; its effects remain, and the other undos continue`;
  logger.error(message, { runId: run.id, workflow: run.plan.workflow.name, taskId: id, attempts });
  emit({ type: "undoFailed", unit, message });
}
