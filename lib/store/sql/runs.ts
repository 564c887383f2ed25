import type { JournalRecord } from "../batch.ts";
import type { Fact, ItemCount, ItemsQuery, RunRow } from "../port.ts";
import { decodeFact, decodeRecord, decodeTaskState, RECORD_COLUMNS } from "../rows.ts";
import { decodeRun, SINGLE_COLUMNS } from "../run_columns.ts";
import type { Dialect } from "./dialect.ts";
import { all, first, type Op } from "./operation.ts";
import { raw, type Sql, sql } from "./statement.ts";
import { isUuid } from "./texts.ts";

/** A run by its id. */
export function* readRun(id: string): Op<RunRow | undefined> {
  if (!isUuid(id)) return undefined;
  const row = yield* first(sql`select ${raw(SINGLE_COLUMNS)} from @runs where id = ${id}`);
  return row && decodeRun(row);
}

/** Which of these runs have ended or do not exist. */
export function* readEnded(db: Dialect, ids: readonly string[]): Op<readonly string[]> {
  if (ids.length === 0) return [];
  const known = { type: "uuid", items: ids.filter(isUuid) } as const;
  const rows = yield* all(sql`
select id
  from @runs
 where ${db.isIn("id", known)} and ended_at is null`);
  const live = new Set(rows.map((row) => row["id"]));
  return ids.filter((id) => !live.has(id));
}

/** The journal of a run, without items and their steps. Each task is one seek, past all of its items. */
export function* readJournal(seq: number): Op<readonly JournalRecord[]> {
  const rows = yield* all(sql`
with recursive ${taskIds(sql`${seq}`)}
select ${raw(RECORD_COLUMNS)}
  from ids
 cross join @tasks
 where run = ${seq} and task = id and item = -1
 order by task, step`);
  return rows.map(decodeRecord);
}

/** A recursive common table expression `ids (id)`: the ids of the tasks of a run that have rows. Each is one seek. */
export function taskIds(seq: Sql): Sql {
  return sql`
ids (id) as (
  select (select min(task) from @tasks where run = ${seq})
   union all
  select (select min(task) from @tasks where run = ${seq} and task > id)
    from ids
   where id is not null
)`;
}

/** The number of recorded items of each task of a run by state. */
export function* readItemCounts(seq: number): Op<readonly ItemCount[]> {
  const rows = yield* all(sql`
select task, state, count(*) as items
  from @tasks
 where run = ${seq} and item >= 0 and step = ''
 group by task, state`);
  return rows.map((row) => ({ task: String(row["task"]), state: decodeTaskState(row), count: Number(row["items"]) }));
}

/** Recorded items of a task. */
export function* readItems({ seq, task, state, after = -1, limit }: ItemsQuery): Op<readonly JournalRecord[]> {
  const rows = yield* all(sql`
select ${raw(RECORD_COLUMNS)}
  from @tasks
 where run = ${seq} and task = ${task} and item > ${Math.max(-1, after)} and step = ''
   and ${state === undefined ? sql`true` : sql`state = ${state}`}
 order by item
 limit ${limit}`);
  return rows.map(decodeRecord);
}

/** The rare facts of a run, oldest first. */
export function* readFacts(seq: number): Op<readonly Fact[]> {
  const rows = yield* all(sql`
select run, kind, at, detail
  from @events
 where run = ${seq}
 order by seq`);
  return rows.map(decodeFact);
}
