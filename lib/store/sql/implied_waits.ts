/**
 * Items that wait for child runs and have no rows of their own (see `impliedWait()`), as the reads of a journal show them.
 *
 * @module
 */
import type { JournalRecord } from "../port/batch.ts";
import { impliedWait } from "../port/children.ts";
import type { ItemCount, ItemsQuery } from "../port/store.ts";
import type { Dialect } from "./dialect.ts";
import { all, type Op, pause } from "./operation.ts";
import { type Sql, sql } from "./statement.ts";
import { LAST_ITEM, taskIds } from "./task_ids.ts";

/** The condition of a task, in a row of `@tasks`, whose items run. */
const RUNNING_MAP = sql`item = -1 and step = '' and state = 'running' and items is not null`;

/** Child runs `c` of a task that no later ones have superseded. */
function childrenSql(seq: number, task: string): Sql {
  return sql`c.parent = ${seq} and c.parent_task = ${task} and coalesce(c.superseded, 0) = 0`;
}

/** Whether the item of a child run `c` has a row. */
const IS_RECORDED = sql`exists (select 1
                 from @tasks as t
                where t.run = c.parent and t.task = c.parent_task and t.item = c.parent_item and t.step = '')`;

/** The number of such items of each task. SQLite counts them in parts. */
export function* countImpliedWaits(db: Dialect, seq: number): Op<readonly ItemCount[]> {
  const maps = yield* all(sql`
with recursive ${taskIds(sql`${seq}`)}
select task
  from ids
 cross join @tasks
 where run = ${seq} and task = id and ${RUNNING_MAP}`);
  const counts: ItemCount[] = [];
  for (const row of maps) {
    const task = String(row["task"]);
    const count = yield* countOf(db, seq, task);
    if (count > 0) counts.push({ task, state: "waiting", count });
  }
  return counts;
}

function* countOf(db: Dialect, seq: number, task: string): Op<number> {
  const most = Math.min(db.stride, 2 ** 31 - 1);
  let count = 0;
  for (let after = -1;;) {
    const [part] = yield* all(sql`
select count(*) as children, max(item) as last, coalesce(sum(case when is_recorded then 0 else 1 end), 0) as waits
  from (select c.parent_item as item, ${IS_RECORDED} as is_recorded
          from @runs as c
         where ${childrenSql(seq, task)} and c.parent_item > ${after}
         order by c.parent_item
         limit ${most}) as part`);
    count += Number(part?.["waits"]);
    if (Number(part?.["children"]) < most) return count;
    after = Number(part?.["last"]);
    yield* pause();
  }
}

/** Adds such items to recorded items of the same query, both in ascending order; `show` returns the row of one. */
export function* withImpliedWaits<Item extends Pick<JournalRecord, "item">>(
  { seq, task, state, after = -1, until = LAST_ITEM, limit }: Omit<ItemsQuery, "characters">,
  recorded: readonly Item[],
  show: (wait: JournalRecord) => Item,
): Op<readonly Item[]> {
  if (until < 0 || (state !== undefined && state !== "waiting")) return recorded;
  const rows = yield* all(sql`
select c.parent_item as item, c.created_at
  from @runs as c
 where ${childrenSql(seq, task)} and c.parent_item > ${Math.max(-1, after)} and c.parent_item <= ${until}
   and exists (select 1 from @tasks where run = ${seq} and task = ${task} and ${RUNNING_MAP})
   and not ${IS_RECORDED}
 order by c.parent_item
 limit ${limit}`);
  if (rows.length === 0) return recorded;
  const waits = rows.map((row) => show(impliedWait(task, Number(row["item"]), Number(row["created_at"]))));
  return [...recorded, ...waits].sort((a, b) => a.item - b.item).slice(0, limit);
}
