import { raw, type Sql, sql } from "./statement.ts";

/** The condition of the index `runs_due`: what may be claimed by any version of its workflow. */
export const DUE = "owner is null and (state = 'pending' or state = 'waiting') and stranded_by is null";

/** The condition of the index `runs_stranded`. */
export const STRANDED = "owner is null and (state = 'pending' or state = 'waiting') and stranded_by is not null";

/** The condition of the index `runs_ordered`: live runs that are paused or to be cancelled. */
export const ORDERED = "ended_at is null and (state = 'paused' or cancel_at is not null)";

/**
 * The secondary indexes of `runs`. All are partial and cover live or rare states, so that the size of an index does not
 * grow with the number of ended runs, and a run that is inserted as owned and completes updates only `runs_owned`.
 */
export const RUN_INDEXES: readonly string[] = [
  `create unique index runs_key on @runs (workflow, key) where key is not null`,
  // A task, or an item of a task, has one child that is not superseded.
  `create unique index runs_parent on @runs (parent, parent_task, parent_item, coalesce(superseded, 0))
    where parent is not null`,
  // Includes the state, so that waiting runs can be counted and listed without a read of their rows.
  `create index runs_due on @runs (priority, workflow, version, due_at, seq, state)
    where ${DUE}`,
  `create index runs_stranded on @runs (workflow, version, priority, due_at, seq)
    where ${STRANDED}`,
  `create index runs_owned on @runs (owner) where owner is not null`,
  `create index runs_ordered on @runs (owner)
    where ${ORDERED}`,
  // Owned runs with external changes that their owner has not acknowledged.
  `create index runs_attention on @runs (owner) where attention > acknowledged`,
  `create index runs_unsuccessful on @runs (state, seq) where (state = 'failed' or state = 'cancelled')`,
  // Used by the inspector. The index contains only forks, which are few.
  `create index runs_forked on @runs (forked_from) where forked_from is not null`,
];

/** A part of the runs that a small index holds. All live runs are in the first four, each in one of them. */
export type Source = "held" | "paused" | "due" | "stranded" | "failed" | "cancelled";

/** The rows of each source, after `from`. */
export const SOURCES: Readonly<Record<Source, Sql>> = {
  held: raw("@runs indexed by runs_owned where owner is not null"),
  paused: raw(`@runs indexed by runs_ordered where ${ORDERED} and owner is null`),
  due: raw(`@runs indexed by runs_due where ${DUE}`),
  stranded: raw(`@runs indexed by runs_stranded where ${STRANDED}`),
  failed: unsuccessful("failed"),
  cancelled: unsuccessful("cancelled"),
};

/** Runs of one unsuccessful state, in the order of their numbers. */
export function unsuccessful(state: "failed" | "cancelled"): Sql {
  return raw(
    `@runs indexed by runs_unsuccessful where (state = 'failed' or state = 'cancelled') and state = '${state}'`,
  );
}

/** The first rows of a source, at most `limit`. */
export function firstRows(source: Sql, column: string, limit: number): Sql {
  return sql`select ${raw(column)} from (select ${raw(column)} from ${source} limit ${limit}) as source`;
}
