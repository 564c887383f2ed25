/** The types of child runs, and the waits for them that no row of a journal states. */
import type { JournalRecord } from "./batch.ts";
import type { ListedRun } from "./listing.ts";

/** A task, or an item of a task, that waits for a child run. */
export interface ChildWait {
  /** The row number of the parent run. */
  readonly parent: number;
  /** The id of the task. */
  readonly task: string;
  /** The number of the item, from 0; -1 for the task itself. */
  readonly item: number;
}

/** A task, or an item of a task, that waits for a child run which has ended or does not exist. */
export interface ChildEnd extends ChildWait {
  /** The index of the wait in the request. */
  readonly at: number;
  /** The child run; `undefined` if it does not exist: another run has its key, or it was deleted. */
  readonly child: ListedRun | undefined;
}

/**
 * Returns the row of an item that waits for a child run, which the journal does not have: a child run without a key,
 * which no later one has superseded, says by itself that its item waits, while the task of the item runs and the item has
 * no row of its own.
 */
export function impliedWait(task: string, item: number, startedAt: number): JournalRecord {
  return {
    task,
    item,
    step: "",
    state: "waiting",
    attempts: 1,
    output: undefined,
    failures: [],
    reason: WAITS_FOR_CHILD,
    startedAt,
    endedAt: undefined,
    dueAt: undefined,
    progress: undefined,
    items: undefined,
  };
}

/** Whether a row is that of a task whose items run, so that some of these may wait for child runs. */
export function isRunningMap({ item, step, state, items }: Omit<JournalRecord, "output">): boolean {
  return item === -1 && step === "" && state === "running" && items !== undefined;
}

/** How many entries one read of `childEnds()` returns at most. */
export const CHILD_ENDS_AT_ONCE = 200;

/** The reason in the journal row of a task that waits for a child run. */
export const WAITS_FOR_CHILD = "child";
