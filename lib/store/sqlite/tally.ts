import type { RunState } from "../batch.ts";
import type { Tally } from "../inspection.ts";
import { addUp, countable, estimate, SAMPLE_PLACES, SAMPLE_WIDTH, type SourceCount } from "../tally.ts";
import { DUE, dueGroups, STRANDED } from "./claim.ts";
import { ORDERED } from "./orders.ts";
import type { Session } from "./session.ts";

const SOURCES: Readonly<Record<SourceCount["source"], string>> = {
  held: "runs indexed by runs_owned where owner is not null",
  paused: `runs indexed by runs_ordered where ${ORDERED} and owner is null`,
  due: `runs indexed by runs_due where ${DUE}`,
  stranded: `runs indexed by runs_stranded where ${STRANDED}`,
  failed: "runs indexed by runs_unsuccessful where (state = 'failed' or state = 'cancelled') and state = 'failed'",
  cancelled:
    "runs indexed by runs_unsuccessful where (state = 'failed' or state = 'cancelled') and state = 'cancelled'",
};

const COUNT_SOURCES = Object.entries(SOURCES)
  .map(([source, rows]) => `
select '${source}' as source, state, count(*) as runs
  from (select state from ${rows} limit $1)
 group by state`)
  .join(" union all ");

const COUNT = `select count(*) as runs from (select 1 from runs limit $1)`;

const RANGE = `select (select min(seq) from runs) as low, (select max(seq) from runs) as high`;

const SAMPLE = `
with recursive places (place) as (select 0 union all select place + 1 from places where place < ${SAMPLE_PLACES - 1})
select state, count(*) as runs
  from places
 cross join runs
 where seq >= $1 + ($2 - $1 - ${SAMPLE_WIDTH - 1}) * place / ${SAMPLE_PLACES - 1}
   and seq < $1 + ($2 - $1 - ${SAMPLE_WIDTH - 1}) * place / ${SAMPLE_PLACES - 1} + ${SAMPLE_WIDTH}
 group by state`;

const DUE_IN_GROUP = `
select count(*) as runs, min(due_at) as oldest
  from (select due_at
          from runs indexed by runs_due
         where ${DUE} and priority = $1 and workflow = $2 and version = $3 and due_at <= $4
         order by due_at
         limit $5)`;

const MOST_GROUPS = 200;

/** How many runs there are, each state counted up to `most`. */
export function tallyRuns(session: Session, most: number): Tally {
  const counts = session.all(COUNT_SOURCES, most).map((row): SourceCount => ({
    source: row["source"] as SourceCount["source"],
    state: String(row["state"]),
    runs: Number(row["runs"]),
  }));
  return { states: addUp(counts, most), ...backlog(session, most), ...total(session, countable(most)) };
}

function backlog(session: Session, most: number): Pick<Tally, "backlog" | "oldestDueAt"> {
  const now = session.now();
  let count = 0;
  let oldest: number | undefined;
  let groups = 0;
  for (const { priority, workflow, version } of dueGroups(session, () => true)) {
    // Those that are left count nothing, but the oldest of them may wait longer than all others.
    const row = session.get(DUE_IN_GROUP, priority, workflow, version, now, Math.max(1, most - count));
    if (typeof row?.["oldest"] === "number") oldest = Math.min(oldest ?? Infinity, row["oldest"]);
    count = Math.min(most, count + Number(row?.["runs"]));
    if (++groups === MOST_GROUPS) break;
  }
  return { backlog: { count, isCapped: count >= most || groups === MOST_GROUPS }, oldestDueAt: oldest };
}

function total(session: Session, most: number): Pick<Tally, "total" | "sample"> {
  const counted = Number(session.get(COUNT, most)?.["runs"]);
  if (counted < most) return { total: counted, sample: {} };
  const range = session.get(RANGE);
  const low = Number(range?.["low"]);
  const high = Number(range?.["high"]);
  const sample: Partial<Record<RunState, number>> = {};
  for (const row of session.all(SAMPLE, low, high)) sample[row["state"] as RunState] = Number(row["runs"]);
  return { total: Math.max(counted, estimate(sample, high - low + 1)), sample };
}
