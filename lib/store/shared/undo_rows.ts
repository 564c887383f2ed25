/**
 * The names of journal rows that concern the compensation of a task. The undo of a task has rows of its own, with its items
 * and steps like those of a task. Ids of tasks contain no control characters, so these names are not ids.
 */

/** Begins the names of the rows of undos. */
export const UNDO_MARK = "\u0001";

/** Begins the names of rows that count how often a task was compensated and then restarted. */
export const COMPENSATIONS_MARK = "\u0002";

/** Returns the name of the rows of the undo of a task. */
export function undoRowOf(task: string): string {
  return UNDO_MARK + task;
}

/** Returns the task of a row of an undo; `undefined` for any other row. */
export function taskOfUndo(name: string): string | undefined {
  return name.startsWith(UNDO_MARK) ? name.slice(UNDO_MARK.length) : undefined;
}

/** Returns the task of a row that counts compensations; `undefined` for any other row. */
export function taskOfCompensations(name: string): string | undefined {
  return name.startsWith(COMPENSATIONS_MARK) ? name.slice(COMPENSATIONS_MARK.length) : undefined;
}

/** Whether a row is one of a task itself, of its items or of its steps. */
export function isOfForward(name: string): boolean {
  return !name.startsWith(UNDO_MARK) && !name.startsWith(COMPENSATIONS_MARK);
}
