import type { JournalRecord } from "../port/batch.ts";
import { LAST_RESULTS } from "../shared/last_result.ts";
import type { Fact, ItemCount, ItemsQuery, RunRow } from "../port/store.ts";
import { decodeFact, decodeRecord, decodeTaskState, RECORD_COLUMNS } from "../shared/rows.ts";
import { decodeRun, SINGLE_COLUMNS } from "../shared/run_rows.ts";
import type { Dialect } from "./dialect.ts";
import { countImpliedWaits, withImpliedWaits } from "./implied_waits.ts";
import { all, first, type Op, pause } from "./operation.ts";
import { raw, type Sql, sql } from "./statement.ts";
import { LAST_ITEM, taskIds } from "./task_ids.ts";
import { isStorable, isUuid } from "./texts.ts";

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

/**
 * The journal of a run, without items and their steps. Each task is one seek, past all of its items. SQLite reads it in
 * parts, as a task may have tens of thousands of steps.
 */
export function* readJournal(db: Dialect, seq: number): Op<readonly JournalRecord[]> {
  const journal: JournalRecord[] = [];
  const most = Math.min(db.stride / DECODE_COST, 2 ** 31 - 1);
  for (;;) {
    const last = journal.at(-1);
    const after = last === undefined ? sql`true` : sql`(task > ${last.task} or step > ${last.step})`;
    const rows = yield* all(sql`
with recursive ${taskIds(sql`${seq}`, last?.task)}
select ${raw(RECORD_COLUMNS)}
  from (select *
          from (select ${raw(RECORD_COLUMNS)}
                  from ids
                 cross join @tasks
                 where run = ${seq} and task = id and item = -1 and ${after}
                 order by task, step
                 limit ${most}) as recorded
         union all
        select ${raw(RECORD_COLUMNS)}
          from (${raw(LAST_RESULTS)}) as last
         where run = ${seq} and ${after}) as journal
 order by task, step
 limit ${most}`);
    for (const row of rows) journal.push(decodeRecord(row));
    if (rows.length < most) return journal;
    yield* pause();
  }
}

/** How many rows can be counted in the time in which one is decoded. */
const DECODE_COST = 5;

/** The number of items of each task of a run by state. */
export function* readItemCounts(db: Dialect, seq: number): Op<readonly ItemCount[]> {
  const counts = new Map((yield* countRecordedItems(db, seq)).map((count) => [`${count.state} ${count.task}`, count]));
  for (const { task, state, count } of yield* countImpliedWaits(db, seq)) {
    const key = `${state} ${task}`;
    counts.set(key, { task, state, count: (counts.get(key)?.count ?? 0) + count });
  }
  return [...counts.values()];
}

/** SQLite counts them in parts. */
function* countRecordedItems(db: Dialect, seq: number): Op<readonly ItemCount[]> {
  const counts = new Map<string, ItemCount>();
  const most = Math.min(db.stride, 2 ** 31 - 1);
  let last: { readonly task: string; readonly item: number } | undefined;
  for (;;) {
    const rows = yield* all(sql`
select task, state, count(*) as items, max(item) as last
  from (select task, state, item
          from @tasks
         where run = ${seq} and item >= 0 and step = '' and ${
      last === undefined ? sql`true` : sql`(task, item) > (${last.task}, ${last.item})`
    }
         order by task, item
         limit ${most}) as part
 group by task, state
 order by task`);
    let read = 0;
    for (const row of rows) {
      const [task, state] = [String(row["task"]), decodeTaskState(row)];
      const key = `${state} ${task}`;
      read += Number(row["items"]);
      counts.set(key, { task, state, count: (counts.get(key)?.count ?? 0) + Number(row["items"]) });
      const item = Number(row["last"]);
      last = { task, item: last?.task === task ? Math.max(last.item, item) : item };
    }
    if (read < most) return [...counts.values()];
    yield* pause();
  }
}

/** Items of a task that have rows or wait for child runs. */
export function* readItems(query: ItemsQuery): Op<readonly JournalRecord[]> {
  if (!isStorable(query.task)) return [];
  const { until = LAST_ITEM, characters = Infinity } = query;
  const recorded = yield* readRecordedItems(query);
  // Those that were left out because of the size of the outputs before them are read next: no item after them may be.
  const size = recorded.reduce((sum, { output = "" }) => sum + output.length, 0);
  const last = size < characters ? until : recorded.at(-1)!.item;
  return yield* withImpliedWaits({ ...query, until: last }, recorded, (wait) => wait);
}

function* readRecordedItems(query: ItemsQuery): Op<readonly JournalRecord[]> {
  const { characters } = query;
  const items = itemsOf(query);
  const rows = yield* all(
    characters === undefined ? sql`select ${raw(RECORD_COLUMNS)} ${items}` : sql`
select ${raw(RECORD_COLUMNS)}
  from (select ${raw(RECORD_COLUMNS)},
               coalesce(sum(length(output)) over (order by item rows between unbounded preceding and 1 preceding), 0)
                 as characters
          from (select ${raw(RECORD_COLUMNS)} ${items}) as items) as sized
 where characters < ${characters}
 order by item`,
  );
  return rows.map(decodeRecord);
}

/** The clauses of a query of recorded items of a task, from `from` on. */
export function itemsOf(
  { seq, task, state, after = -1, until = LAST_ITEM, limit }: Omit<ItemsQuery, "characters">,
): Sql {
  return sql`
  from @tasks
 where run = ${seq} and task = ${task} and item > ${after} and item <= ${until} and step = ''
   and ${state === undefined ? sql`true` : sql`state = ${state}`}
 order by item
 limit ${limit}`;
}

/** The rare facts of a run, oldest first. */
export function* readFacts(seq: number): Op<readonly Fact[]> {
  const rows = yield* all(sql`
select run, kind, at, detail, failures
  from @events
 where run = ${seq}
 order by seq`);
  return rows.map(decodeFact);
}
