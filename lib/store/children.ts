/** The types of child runs. */
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

/** How many entries one read of `childEnds()` returns at most. */
export const CHILD_ENDS_AT_ONCE = 200;

/** The reason in the journal row of a task that waits for a child run. */
export const WAITS_FOR_CHILD = "child";
