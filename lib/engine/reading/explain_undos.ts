/** Explains a run that is compensated: what its undos are at and wait for. */
import { WAITS_FOR_CHILD } from "../../store/port/children.ts";
import type { ListedRun } from "../../store/port/listing.ts";
import { inWords } from "./explain_waits.ts";
import { itemsInWords } from "./items_info.ts";
import type { TaskInfo } from "./run_reader.ts";

/** One reason why a run that is compensated does not progress. */
export interface UndoReason {
  readonly kind: "compensating" | "undo";
  readonly message: string;
  readonly taskId?: string;
  readonly runId?: string;
  readonly dueAt?: number;
}

/** Explains what a run that is compensated ends as. */
export function compensationReason({ closing, error, reason }: ListedRun): UndoReason {
  const [end, why] = closing === "undoFailed" ? ["failed", error?.message] : ["cancelled", reason];
  const message = `the run is compensated and then ends as ${end}${why === undefined ? "" : ` (${why})`}`;
  return { kind: "compensating", message };
}

/** Explains what the undo of a task is at or waits for. */
export function undoReasons(
  { id: taskId, state, undo }: Pick<TaskInfo, "id" | "state" | "undo">,
  { now, children, mayBegin }: {
    readonly now: number;
    readonly children: readonly ListedRun[];
    /** Whether the task has an undo that may not have begun. */
    readonly mayBegin: boolean;
  },
): UndoReason[] {
  const what = `the undo of task "${taskId}"`;
  switch (undo?.state) {
    case undefined:
      if (!mayBegin || state !== "completed") return [];
      return [{ kind: "undo", taskId, message: `${what} waits for the undos before it` }];
    case "running":
    case "pending": {
      const how = undo.items === undefined ? `attempt ${undo.attempts}` : itemsInWords(undo.items);
      return [{ kind: "undo", taskId, message: `${what} is running (${how})` }];
    }
    case "waiting": {
      if (undo.reason === WAITS_FOR_CHILD) {
        const child = children.findLast(({ parent }) => parent?.task === taskId);
        const of = child === undefined ? "its child run" : `run "${child.id}" of workflow "${child.workflow}"`;
        const message = `${what} waits until ${of} is compensated`;
        return [{ kind: "undo", taskId, ...(child === undefined ? {} : { runId: child.id }), message }];
      }
      const dueAt = undo.dueAt ?? now;
      const why = undo.reason?.startsWith("deferred") === true
        ? "was deferred and runs again"
        : `failed (${undo.error?.message ?? "unknown"}) and is retried`;
      return [{ kind: "undo", taskId, dueAt, message: `${what} ${why} ${inWords(dueAt - now)}` }];
    }
    case "failed":
      return [{ kind: "undo", taskId, message: `${what} failed (${undo.error?.message ?? "unknown"})` }];
    default:
      return [];
  }
}
