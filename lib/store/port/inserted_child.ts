/** The types of child runs that a commit inserts. */

/** The task, or the item of a task, of a run that started a child run. */
export interface ParentTask {
  /** The row number of the parent run. */
  readonly run: number;
  /** The id of the task. */
  readonly task: string;
  /** The number of the item, from 0; -1 for the task itself. */
  readonly item: number;
}

/** A child run that a commit has inserted as owned, with epoch 1. */
export interface OwnedChild {
  /** The id of the run. */
  readonly id: string;
  /** The row number of the run. */
  readonly seq: number;
  /** When it was inserted. */
  readonly at: number;
}
