import { type Dialect, seqs } from "../dialect.ts";
import { all, change, type Op } from "../operation.ts";
import { sql } from "../statement.ts";

/** How many queues, and lanes, are deleted at once: more would block the event loop. */
const TIDIED_AT_ONCE = 500;

/**
 * Deletes queues without permits, and lanes without queues in which no slot is taken; returns whether there may be more.
 * Reads all queues and lanes. A queue that has had its turn before others is remembered while these wait.
 */
export function* tidy(db: Dialect): Op<boolean> {
  const queues = yield* all(sql`
select q.seq
  from @queues as q
 where q.waiting = 0
   and not exists (select 1 from @permits as p where p.queue = q.seq and p.granted_at is not null)
   and not exists (select 1
                     from @lane_queues as lq
                    cross join @lanes as l
                    where lq.queue = q.seq and l.seq = lq.lane and l.waiting > 0 and lq.clock > l.clock)
 limit ${TIDIED_AT_ONCE}`);
  if (queues.length > 0) {
    const gone = seqs(queues.map((row) => Number(row["seq"])));
    yield* change(sql`delete from @lane_queues where ${db.isIn("queue", gone)}`);
    yield* change(sql`delete from @queues where ${db.isIn("seq", gone)}`);
  }
  const lanes = yield* all(sql`
select l.seq
  from @lanes as l
 where l.held = 0 and l.waiting = 0 and not exists (select 1 from @lane_queues as lq where lq.lane = l.seq)
 limit ${TIDIED_AT_ONCE}`);
  if (lanes.length > 0) {
    yield* change(sql`delete from @lanes where ${db.isIn("seq", seqs(lanes.map((row) => Number(row["seq"]))))}`);
  }
  return Math.max(queues.length, lanes.length) === TIDIED_AT_ONCE;
}
