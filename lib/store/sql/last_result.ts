import { LAST_RESULTS } from "../shared/last_result.ts";
import { change, type Op } from "./operation.ts";
import { raw, type Sql, sql } from "./statement.ts";

/** Moves the last result of a completed run to the table of the journal, in the open transaction. */
export function* moveLastResult(seq: Sql): Op<void> {
  yield* change(sql`
insert into @tasks (run, task, item, step, epoch, state, attempts, started_at, ended_at, output)
select run, task, item, step, epoch, state, attempts, started_at, ended_at, output
  from (${raw(LAST_RESULTS)}) as last
 where run = ${seq}
    on conflict do nothing`);
  yield* change(sql`
update @runs
   set last_task = null, last_started_at = null, last_output = null
 where seq = ${seq} and last_task is not null`);
}
