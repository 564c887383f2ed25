/** The types of child runs. */
import type { ListedRun } from "./listing.ts";

/** A task, or an item of a task, that waits for a child run which has ended or does not exist. */
export interface ChildEnd {
  /** The row number of the parent run. */
  readonly parent: number;
  /** The id of the task. */
  readonly task: string;
  /** The number of the item, from 0; -1 for the task itself. */
  readonly item: number;
  /** The child run; `undefined` if it does not exist: another run has its key, or it was deleted. */
  readonly child: ListedRun | undefined;
}

/** How many entries one read of `childEnds()` returns at most. */
export const CHILD_ENDS_AT_ONCE = 200;

/** The reason in the journal row of a task that waits for a child run. */
export const WAITS_FOR_CHILD = "child";

/**
 * Returns the column that says whether a run has child runs; `runs` is the name of the table, `row` that of the run's row.
 * `attention` is 0 for most runs, which saves the search.
 */
export function hasChildrenSql(runs: string, row: string): string {
  return `case when ${row}.attention > 0
            then (select 1 from ${runs} as c where c.parent = ${row}.seq limit 1)
       end as has_children`;
}

/** Decodes the column of `hasChildrenSql`. */
export function hasChildren(row: Readonly<Record<string, unknown>>): boolean {
  return row["has_children"] === 1;
}
