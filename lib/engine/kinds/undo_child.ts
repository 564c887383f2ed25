import type { ErrorRecord } from "../../errors.ts";
import { WAITS_FOR_CHILD } from "../../store/port/children.ts";
import { nodeOf } from "../runs/attempt.ts";
import type { UndoneChild } from "../runs/child_outcome.ts";
import { takeChild } from "../children/child_runs.ts";
import { fromErrorRecord } from "../errors/error_record.ts";
import type { Attempt } from "../runs/live_run.ts";
import { NO_ITEM } from "../machine/run_state.ts";
import type { Kind } from "./kind.ts";

/** Compensates the child run of a task, or of an item, and waits for its end. */
export const undoChildKind: Kind<unknown, UndoneChild> = {
  call(attempt, _task, port) {
    takeChild(attempt.unit);
    return port.undoChild(attempt);
  },
  end(attempt, child) {
    if (child.kind === "live") return { kind: "suspended", wake: { child: true }, reason: WAITS_FOR_CHILD };
    if (child.error === undefined) return { kind: "returned", output: undefined };
    return { kind: "failed", thrown: notCompensated(attempt, child.error) };
  },
};

function notCompensated({ unit }: Attempt, cause: ErrorRecord): Error {
  const { id } = nodeOf({ unit });
  const child = unit.item === NO_ITEM ? `task "${id}"` : `item ${unit.item} of task "${id}"`;
  return new Error(`The child run of ${child} was not compensated: ${cause.message}`, {
    cause: fromErrorRecord(cause),
  });
}
