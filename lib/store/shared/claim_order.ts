/**
 * The order in which due runs are claimed: a step of priority is worth a minute. Runs are ordered by their rank, the time at
 * which they became due plus a minute for each step of their priority. So a run is claimed before one that is n steps more
 * urgent once that one became due more than n minutes after it: no flood of urgent runs delays another run for ever.
 *
 * The rank of a run does not change while it waits. Within a priority it is the order of the index `runs_due`, so that a
 * claim merges the beginnings of groups instead of sorting a backlog, and all runners agree on the order.
 *
 * @module
 */

/** How much longer a run waits for each step of its priority, in milliseconds. */
export const STEP_MS = 60_000;

/** The rank of a run. Runs with lower ranks are claimed first, and of those with equal ranks the more urgent ones. */
export function rankOf({ priority, dueAt }: { readonly priority: number; readonly dueAt: number }): number {
  return dueAt + priority * STEP_MS;
}

/** The same as SQL. */
export function rankSql(priority = "priority", dueAt = "due_at"): string {
  return `${dueAt} + ${priority} * ${STEP_MS}`;
}

/** Compares runs by the order in which they are claimed. */
export function byRank(a: Ranked, b: Ranked): number {
  return rankOf(a) - rankOf(b) || a.priority - b.priority || a.seq - b.seq;
}

/** What orders a run. */
export interface Ranked {
  /** Its number. */
  readonly seq: number;
  /** Its priority. */
  readonly priority: number;
  /** When it became due. */
  readonly dueAt: number;
}
