import { type Dialect, seqs } from "../dialect.ts";
import { change, type Op } from "../operation.ts";
import { sql } from "../statement.ts";

/** The value of `gate_at` in a run that waits for its slots. */
export const QUEUED = -1;

/** Makes runs without an owner due, of which a unit was granted its slots. A row that is locked is found by the recovery. */
export function wakeUnits(db: Dialect, runs: readonly number[]): Op<number> {
  const free = sql`
select seq
  from @runs
 where ${db.isIn("seq", seqs(runs))} and owner is null and ended_at is null and gate_at is null
   and (state = 'waiting' or state = 'paused')
 order by seq${db.forUpdateOfFree}`;
  return change(sql`
update @runs
   set attention = attention + 1,
       due_at = ${db.now()}
 where ${db.isIn("seq", free)}`);
}
