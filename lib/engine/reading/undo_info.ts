import type { ErrorRecord, Failure } from "../../errors.ts";
import type { JournalRecord, TaskState } from "../../store/port/batch.ts";
import type { ListedRun } from "../../store/port/listing.ts";
import type { Progress } from "./events.ts";
import { type ItemsInfo, progressOf, undoneItemsInfo } from "./items_info.ts";
import type { ItemCount } from "../../store/port/store.ts";
import type { Compensated } from "../runs/run_end.ts";

/** The undo of a task, as `tasks()` returns it. Times are milliseconds since the epoch. */
export interface UndoInfo {
  /** State of the undo. One whose body has just started may still be `pending`. */
  readonly state: TaskState;
  /** Number of attempts that have started. */
  readonly attempts: number;
  /** What the undo waits for. */
  readonly reason: string | undefined;
  /** Error of the latest failed attempt. */
  readonly error: ErrorRecord | undefined;
  /** Failed attempts; of more than ten the first and the nine latest. */
  readonly failures: readonly Failure[];
  /** When the latest attempt started. */
  readonly startedAt: number | undefined;
  /** When the undo or its latest attempt ended. */
  readonly endedAt: number | undefined;
  /** When a waiting undo continues. */
  readonly dueAt: number | undefined;
  /** Latest progress that the undo reported; of a map how many items have been undone or could not be. */
  readonly progress: Progress | undefined;
  /** The items of a map whose undo has begun. */
  readonly items: ItemsInfo | undefined;
}

/** The numbers of recorded items, by state. */
export interface UndoCounts {
  /** Those of the undo. */
  readonly counts: readonly ItemCount[];
  /** Those of the task. */
  readonly ofTask: readonly ItemCount[];
}

/** Converts the row of an undo, and its items, to the form that callers see; `undefined` if there is none. */
export function undoInfo(
  row: ListedRun,
  record: JournalRecord | undefined,
  { counts, ofTask }: UndoCounts = { counts: [], ofTask: [] },
): UndoInfo | undefined {
  if (record === undefined) return undefined;
  const items = undoneItemsInfo(row, record, counts, ofTask);
  const { state, attempts, reason, failures, startedAt, endedAt, dueAt } = record;
  return {
    state: row.endedAt !== undefined && !isOver(state)
      ? "cancelled"
      : state === "running" && row.owner === undefined
      ? "pending"
      : state,
    attempts,
    reason: items === undefined ? reason : undefined,
    error: failures.at(-1)?.error,
    failures,
    startedAt,
    endedAt,
    dueAt,
    progress: progressOf(record, items),
    items,
  };
}

function isOver(state: TaskState): boolean {
  return state === "completed" || state === "failed";
}

/** Returns what became of the undo of a task, given the rows of both; `undefined` if it was not undone, and no undo of it failed. */
export function compensatedOf(
  task: Pick<JournalRecord, "task" | "state" | "items">,
  undo: Pick<JournalRecord, "state" | "failures"> | undefined,
): Compensated | undefined {
  if (undo?.state === "failed") {
    return { taskId: task.task, error: undo.failures.at(-1)?.error ?? { name: "Error", message: "its undo failed" } };
  }
  // A task whose child run compensated itself has not completed.
  const isUndone = undo?.state === "completed" && (task.state === "completed" || task.items !== undefined);
  return isUndone ? { taskId: task.task } : undefined;
}
