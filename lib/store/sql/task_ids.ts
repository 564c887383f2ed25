import { type Sql, sql } from "./statement.ts";

/** No task has as many items. */
export const LAST_ITEM = 2_147_483_647;

/**
 * A recursive common table expression `ids (id)`: the ids of the tasks of a run that have rows, from a given one on. Each
 * is one seek.
 */
export function taskIds(seq: Sql, from?: string): Sql {
  return sql`
ids (id) as (
  select (select min(task) from @tasks where run = ${seq}${from === undefined ? sql`` : sql` and task >= ${from}`})
   union all
  select (select min(task) from @tasks where run = ${seq} and task > id)
    from ids
   where id is not null
)`;
}
