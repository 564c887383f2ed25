import type { Dialect } from "./dialect.ts";
import { all, type Op } from "./operation.ts";
import { taskIds } from "./task_ids.ts";
import { raw, type Sql, sql } from "./statement.ts";
import { isUuid } from "./texts.ts";

const MOST_ROWS = 5_000;

/**
 * For each of some runs, a text that differs when its page in the inspector or its events do. An ended run never changes.
 * Of the items of a run only the first 5,000 rows count.
 */
export function* readPulses(
  db: Dialect,
  ids: readonly string[],
): Op<ReadonlyMap<string, { readonly text: string; readonly isOver: boolean }>> {
  const known = ids.filter(isUuid);
  if (known.length === 0) return new Map();
  const rows = yield* all(sql`
select id, ended_at,
       epoch || ',' || state || ',' || coalesce(due_at, 0) || ',' || coalesce(owner, 0) || ',' ||
       coalesce(closing, '') || ',' || coalesce(reason, '') || ',' || coalesce(stranded_by, '') as row,
       case when ended_at is null then
         (with recursive ${taskIds(raw("runs.seq"))}
          ${summary(db)}
            from (select t.*
                    from ids
                   cross join @tasks as t
                   where t.run = runs.seq and t.task = ids.id and t.item = -1
                   limit ${MOST_ROWS}) as recorded)
       end as tasks,
       case when ended_at is null then
         (${summary(db)}
            from (select *
                    from @tasks
                   where run = runs.seq
                   limit ${MOST_ROWS}) as recorded)
       end as journal
  from @runs as runs
 where ${db.isIn("id", { type: "uuid", items: known })}`);
  return new Map(rows.map((row) => [
    String(row["id"]),
    { text: `${row["row"]};${row["tasks"]};${row["journal"]}`, isOver: row["ended_at"] !== null },
  ]));
}

function summary(db: Dialect): Sql {
  return sql`
select count(*) || ',' || coalesce(sum(attempts), 0) || ',' || coalesce(max(started_at), 0) || ',' ||
       coalesce(max(ended_at), 0) || ',' || coalesce(max(due_at), 0) || ',' ||
       count(*) filter (where state = 'blocked') || ',' ||
       coalesce(${db.digest("progress", sql`state = 'running'`)}, '')`;
}
