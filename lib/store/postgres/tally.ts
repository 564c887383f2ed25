import type { RunState } from "../batch.ts";
import type { Tally } from "../inspection.ts";
import { addUp, countable, estimate, SAMPLE_PLACES, SAMPLE_WIDTH, type SourceCount } from "../tally.ts";
import { DUE, groupWalk, STRANDED } from "./claim_sql.ts";
import { ORDERED } from "./runners.ts";
import type { Session } from "./session.ts";

const SOURCES: Readonly<Record<SourceCount["source"], string>> = {
  held: "r.owner is not null",
  paused: `${ORDERED} and r.owner is null`,
  due: DUE,
  stranded: STRANDED,
  failed: "(r.state = 'failed' or r.state = 'cancelled') and r.state = 'failed'",
  cancelled: "(r.state = 'failed' or r.state = 'cancelled') and r.state = 'cancelled'",
};

const COUNT_SOURCES = Object.entries(SOURCES)
  .map(([source, rows]) => `
select '${source}' as source, state, count(*) as runs
  from (select r.state from @runs as r where ${rows} limit $1::bigint) as counted
 group by state`)
  .join(" union all ");

const COUNT = `
select count(*) as runs, (select min(seq) from @runs) as low, (select max(seq) from @runs) as high
  from (select 1 from @runs limit $1::bigint) as counted`;

const SAMPLE = `
select r.state, count(*) as runs
  from generate_series(0, ${SAMPLE_PLACES - 1}) as place
 cross join lateral (select $1::bigint + ($2::bigint - $1::bigint - ${SAMPLE_WIDTH - 1}) * place / ${
  SAMPLE_PLACES - 1
} as first) as at
 cross join lateral (
         select state
           from @runs
          where seq >= at.first and seq < at.first + ${SAMPLE_WIDTH}
          order by seq) as r
 group by r.state`;

// Of groups that are beyond the limit nothing is counted, but their oldest may wait longer than all others.
const BACKLOG = `
with recursive clock as materialized (
  select @now as now
),${groupWalk("true")}
select sum(counted.runs) as runs, min(counted.oldest) as oldest, clock.now as server_now
  from clock
  left join (select * from groups limit 200) as g on true
  left join lateral (
         select count(*) as runs, min(due_at) as oldest
           from (select r.due_at
                   from @runs as r
                  where ${DUE} and r.priority = g.priority and r.workflow = g.workflow and r.version = g.version
                    and r.due_at <= clock.now
                  order by r.due_at
                  limit $2::bigint) as due) as counted on true
 group by clock.now`;

/** How many runs there are, each state counted up to `most`. */
export async function tallyRuns(session: Session, most: number): Promise<Tally> {
  const [counts, [waiting], [size]] = await Promise.all([
    session.read(COUNT_SOURCES, [String(most)]),
    session.read(BACKLOG, [session.at, String(most)]),
    session.read(COUNT, [String(countable(most))]),
  ]);
  const states = addUp(
    counts.map((row) => ({
      source: row["source"] as SourceCount["source"],
      state: String(row["state"]),
      runs: Number(row["runs"]),
    })),
    most,
  );
  const due = Number(waiting?.["runs"] ?? 0);
  const oldest = waiting?.["oldest"];
  const backlog = {
    backlog: { count: Math.min(due, most), isCapped: due >= most },
    oldestDueAt: oldest === null || oldest === undefined ? undefined : Number(oldest),
  };
  const counted = Number(size?.["runs"]);
  if (counted < countable(most)) return { states, ...backlog, total: counted, sample: {} };
  const low = Number(size?.["low"]);
  const high = Number(size?.["high"]);
  const sample: Partial<Record<RunState, number>> = {};
  for (const row of await session.read(SAMPLE, [String(low), String(high)])) {
    sample[row["state"] as RunState] = Number(row["runs"]);
  }
  return { states, ...backlog, total: Math.max(counted, estimate(sample, high - low + 1)), sample };
}
