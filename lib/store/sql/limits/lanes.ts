import type { LanePermit, LaneRow, LanesQuery, LimitTotals } from "../../port/limits.ts";
import type { Row } from "../../shared/decode.ts";
import { type Dialect, seqs } from "../dialect.ts";
import { all, type Op } from "../operation.ts";
import { and, raw, type Sql, sql } from "../statement.ts";
import { isStorable } from "../texts.ts";

/** Reads lanes with their permits: those with most waiting permits first. */
export function* readLanes(db: Dialect, { limit, run, lanes: most, permits }: LanesQuery): Op<readonly LaneRow[]> {
  if (!isStorable(limit ?? "")) return [];
  const conditions: Sql[] = [
    raw("l.held + l.waiting > 0"),
    ...limit === undefined ? [] : [sql`l.name = ${limit}`],
    ...run === undefined ? [] : [sql`exists (
         select 1
           from @permits as p
          cross join @lane_queues as lq
          where p.run = ${run} and lq.queue = p.queue and lq.lane = l.seq)`],
  ];
  return yield* readLanesWhere(db, and(conditions), { lanes: most, holders: permits, waiters: permits });
}

/** Reads the lanes, in rows `l`, that meet a condition. */
export function* readLanesWhere(
  db: Dialect,
  where: Sql,
  most: { readonly lanes: number; readonly holders: number; readonly waiters: number },
): Op<readonly LaneRow[]> {
  const rows = yield* all(sql`
select l.seq, l.name, l.rate, l.key, l.held, l.waiting, m.max, m.per_ms
  from @lanes as l
  left join @limits as m on m.name = l.name
 where ${where}
 order by l.waiting desc, l.held desc, l.name, l.key
 limit ${most.lanes}`);
  const lanes: LaneRow[] = [];
  for (const row of rows) {
    const seq = Number(row["seq"]);
    const isRate = row["rate"] === 1;
    const held = Number(row["held"]);
    const waiting = Number(row["waiting"]);
    const holders = isRate || held === 0 ? 0 : most.holders;
    const waiters = waiting === 0 ? 0 : most.waiters;
    lanes.push({
      limit: String(row["name"]),
      isRate,
      key: JSON.parse(String(row["key"])) as string[],
      max: Number(row["max"] ?? 0),
      perMs: row["per_ms"] === null ? undefined : Number(row["per_ms"]),
      held,
      waiting,
      holders: holders === 0 ? [] : yield* readPermits(db, seq, { isGranted: true, limit: holders }),
      waiters: waiters === 0 ? [] : yield* readPermits(db, seq, { isGranted: false, limit: waiters }),
    });
  }
  return lanes;
}

/** Sums up the lanes of each limit. A limit that is not in use has none. */
export function* readTotals(limit: number): Op<readonly LimitTotals[]> {
  const rows = yield* all(sql`
select m.name, count(l.seq) as lanes, coalesce(sum(l.held), 0) as held, coalesce(sum(l.waiting), 0) as waiting
  from (select name from @limits order by name limit ${limit}) as m
  left join @lanes as l on l.name = m.name and l.held + l.waiting > 0
 group by m.name
 order by m.name`);
  return rows.map((row) => ({
    limit: String(row["name"]),
    lanes: Number(row["lanes"]),
    held: Number(row["held"]),
    waiting: Number(row["waiting"]),
  }));
}

/** The first permits of each queue of a lane are merged: a lane may have many queues, and a queue many permits. */
function* readPermits(
  db: Dialect,
  lane: number,
  { isGranted, limit }: { readonly isGranted: boolean; readonly limit: number },
): Op<readonly LanePermit[]> {
  const granted = sql`
select p.run, p.task, p.item, p.granted_at as since
  from @lane_queues as lq
 cross join @permits as p
 where lq.lane = ${lane} and p.queue = lq.queue and p.granted_at is not null
 order by p.granted_at, p.seq
 limit ${limit}`;
  const waiting = sql`
select p.run, p.task, p.item, p.since
  from ${db.rows("w", { of_lane: seqs([lane]) })}
 cross join @lane_queues as lq${
    db.each({
      table: "permits",
      as: "p",
      index: "permits_waiting",
      where: raw("granted_at is null and queue = lq.queue"),
      order: "rank, seq",
      limit,
    })
  }
 where lq.lane = w.of_lane and lq.active = 1
 order by p.rank, p.seq
 limit ${limit}`;
  const rows = yield* all(isGranted ? granted : waiting);
  const runs = yield* all(sql`
select seq, id, workflow
  from @runs
 where ${db.isIn("seq", seqs(rows.map((row) => Number(row["run"]))))}`);
  const byNumber = new Map(runs.map((row) => [Number(row["seq"]), row]));
  return rows.flatMap((row) => {
    const run = byNumber.get(Number(row["run"]));
    return run === undefined ? [] : [permitOf(row, run)];
  });
}

function permitOf(row: Row, run: Row): LanePermit {
  const item = Number(row["item"]);
  return {
    runId: String(run["id"]),
    workflow: String(run["workflow"]),
    task: row["task"] === "" ? undefined : String(row["task"]),
    item: item < 0 ? undefined : item,
    since: Number(row["since"]),
  };
}
