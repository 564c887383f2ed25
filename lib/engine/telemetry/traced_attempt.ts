import { nodeOf } from "../runs/attempt.ts";
import type { LiveUnit } from "../runs/live_run.ts";
import { NO_ITEM } from "../machine/run_state.ts";
import type { TracedAttempt } from "./tracing.ts";

/** Converts an attempt at a unit to the form that tracing receives. */
export function tracedAttempt(unit: LiveUnit, attempt: number): TracedAttempt {
  const { id, task, undo } = nodeOf({ unit });
  return {
    taskId: id,
    kind: task.kind,
    ...(unit.item === NO_ITEM ? {} : { item: unit.item }),
    attempt,
    ...(undo === undefined ? {} : { isUndo: true }),
  };
}
