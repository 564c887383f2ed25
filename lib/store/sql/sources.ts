import type { Dialect } from "./dialect.ts";
import { raw, type Sql, sql } from "./statement.ts";

/** The condition of the index `runs_due`: what may be claimed by any version of its workflow. */
export const DUE: string = "unowned is not null and stranded_by is null";

/** The condition of the index `runs_stranded`. */
export const STRANDED: string = "unowned is not null and stranded_by is not null";

/** The condition of the index `runs_key`: a run that holds its key for ever. */
export const HAS_KEY = "key is not null and key_scope is null";

/** The condition of the index `runs_active_key`: a run that holds its key until it ends. */
export const HAS_ACTIVE_KEY = "key_scope = 'active'";

/** The condition that a row is the run that holds a key; `workflow` and `key` are SQL expressions, as is `scope`. */
export function holdsKeySql({ at = "", workflow, key, scope }: {
  readonly at?: string;
  readonly workflow: string;
  readonly key: string;
  readonly scope: "ever" | "active";
}): string {
  const same = `${at}workflow = ${workflow} and ${at}key = ${key}`;
  return scope === "ever"
    ? `${same} and ${at}key is not null and ${at}key_scope is null`
    : `${same} and ${at}key_scope = 'active' and coalesce(${at}key_freed, 0) = 0`;
}

/** The condition of the index `runs_gated`: a run that is to ask for the places that its limits demand. */
export const GATED = "gate_at >= 0";

const RARE = "rare_state is not null";

/** Runs that are paused, whether owned or not. */
export const PAUSED: string = rare("paused");

/**
 * The secondary indexes of `runs`. All are partial and cover live or rare states, so that the size of an index does not
 * grow with the number of ended runs.
 */
export const RUN_INDEXES: readonly string[] = [
  `create unique index runs_key on @runs (workflow, key) where ${HAS_KEY}`,
  // Apart from the other keys, so that the end of a run with one of those changes no index.
  `create unique index runs_active_key on @runs (workflow, key, coalesce(key_freed, 0)) where ${HAS_ACTIVE_KEY}`,
  `create unique index runs_debouncing on @runs (workflow, debouncing) where debouncing is not null`,
  // A task, or an item of a task, has one child that is not superseded.
  `create unique index runs_parent on @runs (parent, parent_task, parent_item, coalesce(superseded, 0))
    where parent is not null`,
  `create index runs_due on @runs (priority, workflow, version, due_at, seq)
    where ${DUE}`,
  `create index runs_stranded on @runs (workflow, version, priority, due_at, seq)
    where ${STRANDED}`,
  `create index runs_rare on @runs (rare_state, seq) where ${RARE}`,
  `create index runs_notified on @runs (notified) where notified is not null`,
  // A tick of a schedule has one run, however many runners insert it.
  `create unique index runs_tick on @runs (schedule, tick) where tick is not null`,
  `create index runs_schedule on @runs (schedule, seq) where schedule is not null`,
  `create index runs_gated on @runs (gate_at, seq) where ${GATED}`,
  // Used by the inspector. The index contains only forks, which are few.
  `create index runs_forked on @runs (forked_from) where forked_from is not null`,
];

/** A part of the runs that a small index holds. All live runs are in the first four, each in one of them. */
export type Source = "held" | "paused" | "due" | "stranded" | "failed" | "cancelled";

/** The names of the sources. */
export const SOURCES: readonly Source[] = ["held", "paused", "due", "stranded", "failed", "cancelled"];

/** The rows of a source, after `from`. */
export function sourceSql({ held }: Pick<Dialect, "held">, source: Source): Sql {
  switch (source) {
    case "held":
      return held;
    case "paused":
      return raw(`${PAUSED_ROWS} and owner is null`);
    case "due":
      return raw(`@runs indexed by runs_due where ${DUE}`);
    case "stranded":
      return raw(`@runs indexed by runs_stranded where ${STRANDED}`);
    case "failed":
    case "cancelled":
      return unsuccessful(source);
  }
}

/** All paused runs, after `from`. */
export const PAUSED_ROWS: string = `@runs indexed by runs_rare where ${PAUSED}`;

/** Runs of one unsuccessful state, in the order of their numbers. */
export function unsuccessful(state: "failed" | "cancelled"): Sql {
  return raw(`@runs indexed by runs_rare where ${rare(state)}`);
}

/** The runs that a schedule has started, in the order of their numbers. */
export function ofSchedule(name: string): Sql {
  return sql`@runs indexed by runs_schedule where schedule is not null and schedule = ${name}`;
}

/** The child runs of a run. */
export function ofParent(seq: number): Sql {
  return sql`@runs indexed by runs_parent where parent is not null and parent = ${seq}`;
}

// SQLite uses a partial index only for a query that repeats its condition.
function rare(state: "paused" | "failed" | "cancelled"): string {
  return `${RARE} and rare_state = '${state}'`;
}

/** The first rows of a source, at most `limit`. */
export function firstRows(source: Sql, column: string, limit: number): Sql {
  return sql`select ${raw(column)} from (select ${raw(column)} from ${source} limit ${limit}) as source`;
}
