import { raw, type Sql, sql } from "./statement.ts";

/** The condition of the index `runs_due`: what may be claimed by any version of its workflow. */
export const DUE = "owner is null and (state = 'pending' or state = 'waiting') and stranded_by is null";

/** The condition of the index `runs_stranded`. */
export const STRANDED = "owner is null and (state = 'pending' or state = 'waiting') and stranded_by is not null";

/** The condition of the index `runs_ordered`: live runs that are paused or to be cancelled. */
export const ORDERED = "ended_at is null and (state = 'paused' or cancel_at is not null)";

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
