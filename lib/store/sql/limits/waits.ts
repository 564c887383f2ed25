import { MOST_AHEAD, type WaitRow, type WaitsQuery } from "../../port/limits.ts";
import { lanesOf } from "../../shared/run_limits.ts";
import type { Dialect } from "../dialect.ts";
import { all, first, type Op } from "../operation.ts";
import { sql } from "../statement.ts";
import { distinct, laneText } from "./book_state.ts";
import { readLanesWhere } from "./lanes.ts";

/** Reads what permits of a run wait for. */
export function* readWaits(db: Dialect, { run, waits: most, holders }: WaitsQuery): Op<readonly WaitRow[]> {
  // A run asks with one priority: the permit that asked first also has the lowest rank.
  const rows = yield* all(sql`
select p.task, p.queue, q.lanes, count(*) as waiting, sum(count(*)) over (partition by p.task) as of_task,
       max(p.item) as item, min(p.since) as since, min(p.rank) as rank, min(p.seq) as seq
  from @permits as p
 cross join @queues as q
 where p.run = ${run} and p.granted_at is null and q.seq = p.queue
 group by p.task, p.queue, q.lanes
 order by count(*) desc, min(p.seq)
 limit ${most}`);
  if (rows.length === 0) return [];
  const queues = distinct(rows.map((row) => Number(row["queue"])));
  const refs = rows.map((row) => lanesOf(String(row["lanes"])).map(laneText));
  const lanes = yield* readLanesWhere(
    db,
    db.isIn("l.seq", sql`select lq.lane from @lane_queues as lq where ${db.isIn("lq.queue", queues)}`),
    { lanes: refs.flat().length, holders, waiters: 0 },
  );
  const byText = new Map(lanes.map((lane) => [laneText(lane), lane]));
  const waits: WaitRow[] = [];
  for (const [at, row] of rows.entries()) {
    const ahead = yield* first(sql`
select count(*) as ahead
  from (select 1
          from @permits
         where queue = ${Number(row["queue"])} and granted_at is null
           and (rank, seq) < (${Number(row["rank"])}, ${Number(row["seq"])})
         limit ${MOST_AHEAD}) as earlier`);
    waits.push({
      task: row["task"] === "" ? undefined : String(row["task"]),
      items: Number(row["item"]) < 0 ? undefined : Number(row["waiting"]),
      ofTask: Number(row["of_task"]),
      since: Number(row["since"]),
      ahead: Number(ahead?.["ahead"]),
      lanes: refs[at]!.flatMap((text) => byText.get(text) ?? []),
    });
  }
  return waits;
}
