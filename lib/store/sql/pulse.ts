import type { Dialect } from "./dialect.ts";
import { all, type Op } from "./operation.ts";
import { sql } from "./statement.ts";
import { isUuid } from "./texts.ts";

const MOST_ROWS = 5_000;

/** For each of some runs, a text that differs when its page in the inspector does. An ended run never changes. */
export function* readPulses(
  db: Dialect,
  ids: readonly string[],
): Op<ReadonlyMap<string, { readonly text: string; readonly isOver: boolean }>> {
  const rows = yield* all(sql`
select id, ended_at,
       epoch || ',' || state || ',' || coalesce(due_at, 0) || ',' || coalesce(owner, 0) || ',' ||
       coalesce(cancel_at, 0) || ',' || coalesce(reason, '') || ',' || coalesce(stranded_by, '') as row,
       case when ended_at is null then
         (select count(*) || ',' || coalesce(sum(attempts), 0) || ',' || coalesce(max(started_at), 0) || ',' ||
                 coalesce(max(ended_at), 0) || ',' || coalesce(max(due_at), 0) || ',' ||
                 coalesce(${db.digest("progress", sql`state = 'running'`)}, '')
            from (select *
                    from @tasks
                   where run = seq
                   limit ${MOST_ROWS}) as recorded)
       end as journal
  from @runs
 where ${db.isIn("id", { type: "uuid", items: ids.filter(isUuid) })}`);
  return new Map(rows.map((row) => [
    String(row["id"]),
    { text: `${row["row"]};${row["journal"]}`, isOver: row["ended_at"] !== null },
  ]));
}
