import type { RunState } from "../port/batch.ts";
import type { Capped, Tally } from "../port/inspection.ts";
import type { RunCounts } from "../port/store.ts";
import type { Row } from "../shared/decode.ts";
import { SHOWN_STATE } from "../shared/hand_over.ts";
import type { Dialect } from "./dialect.ts";
import { all, first, type Op } from "./operation.ts";
import { DUE, type Source, SOURCES, sourceSql } from "./sources.ts";
import { join, raw, type Sql, sql } from "./statement.ts";

type Counted = Exclude<RunState, "completed">;

/** How many places of the table a sample is of, and how many row numbers are read in each. */
const PLACES = 16;
const WIDTH = 256;

// A fleet may serve thousands of versions; the backlog is counted in the first groups of equal priority and version.
const MOST_GROUPS = 200;

const COUNTED: readonly Counted[] = [
  "pending",
  "running",
  "waiting",
  "paused",
  "compensating",
  "failed",
  "cancelled",
];

/** Which states the runs of a source can have. */
const STATES_OF: Readonly<Record<Source, readonly Counted[]>> = {
  held: ["running", "waiting", "paused", "compensating"],
  paused: ["paused"],
  due: ["pending", "waiting", "compensating"],
  stranded: ["pending", "waiting", "compensating"],
  failed: ["failed"],
  cancelled: ["cancelled"],
};

/** How many runs are in each state, exactly and at one moment. No index holds completed runs: they are what is left. */
export function* countRuns(db: Dialect): Op<RunCounts> {
  const counts = { pending: 0, running: 0, waiting: 0, paused: 0, compensating: 0, failed: 0, cancelled: 0 };
  const rows = yield* all(sql`${countSources(db, undefined)}
 union all
select 'all', count(*), ${raw(COUNTED.map(() => "0").join(", "))}
  from @runs`);
  for (const row of rows) {
    for (const state of COUNTED) counts[state] += Number(row[state]);
  }
  const total = Number(rows.find((row) => row["source"] === "all")?.["runs"]);
  return { ...counts, completed: total - Object.values(counts).reduce((sum, count) => sum + count, 0) };
}

/** How many runs there are, each source counted up to `most`; the whole table by a sample if it is large. */
export function* tallyRuns(db: Dialect, most: number): Op<Tally> {
  const sources = yield* all(countSources(db, most));
  return { states: addUp(sources, most), ...yield* backlog(db, most), ...yield* total(most) };
}

/** A row for each source with its number of runs, in all and by state. A group by state would sort them. */
function countSources(db: Dialect, most: number | undefined): Sql {
  const counts = SOURCES.map((source) => {
    const count = (state: Counted): string =>
      STATES_OF[source].includes(state) ? `count(*) filter (where state = '${state}') as ${state}` : `0 as ${state}`;
    return sql`
select '${raw(source)}' as source, count(*) as runs, ${raw(COUNTED.map(count).join(", "))}
  from (select ${raw(SHOWN_STATE)} as state from ${sourceSql(db, source)}${
      most === undefined ? sql`` : sql` limit ${most}`
    }) as counted`;
  });
  return join(counts, "\n union all ");
}

function addUp(sources: readonly Row[], most: number): Tally["states"] {
  const of = (state: Counted): Capped => {
    const holding = sources.filter((row) => STATES_OF[sourceOf(row)].includes(state));
    return {
      count: sources.reduce((sum, row) => sum + Number(row[state]), 0),
      isCapped: holding.some((row) => Number(row["runs"]) >= most),
    };
  };
  return {
    pending: of("pending"),
    running: of("running"),
    waiting: of("waiting"),
    paused: of("paused"),
    compensating: of("compensating"),
    failed: of("failed"),
    cancelled: of("cancelled"),
  };
}

/** Due runs. The oldest is looked for in every group, as one that is not counted may have waited longest. */
function* backlog(db: Dialect, most: number): Op<Pick<Tally, "backlog" | "oldestDueAt">> {
  const inGroup = sql`${raw(DUE)} and priority = of_priority and workflow = of_workflow and version = of_version
                  and due_at <= (select now from clock)`;
  const groups = sql`(select * from groups limit ${MOST_GROUPS}) as g`;
  const due = db.each({ as: "due", index: "runs_due", where: inGroup, limit: most });
  const row = yield* first(sql`
with recursive clock (now) as (select ${db.now()}),
${db.walk({ name: "groups", columns: ["priority", "workflow", "version"], index: "runs_due", where: raw(DUE) })}
select (select count(*) from ${groups}) as groups,
       (select count(*) from (select 1 from ${groups} ${due} limit ${most}) as counted) as runs,
       (select min((select min(due_at)
                      from @runs indexed by runs_due
                     where ${inGroup}))
          from ${groups}) as oldest`);
  const count = Number(row?.["runs"]);
  const oldest = row?.["oldest"];
  return {
    backlog: { count, isCapped: count >= most || row?.["groups"] === MOST_GROUPS },
    oldestDueAt: oldest === null || oldest === undefined ? undefined : Number(oldest),
  };
}

function* total(most: number): Op<Pick<Tally, "total" | "sample">> {
  // A sample would hold most of the rows of a smaller table.
  const countable = Math.max(most, 2 * PLACES * WIDTH);
  const table = yield* first(sql`
select count(*) as runs, (select min(seq) from @runs) as low, (select max(seq) from @runs) as high
  from (select 1 from @runs limit ${countable}) as counted`);
  const counted = Number(table?.["runs"]);
  if (counted < countable) return { total: counted, sample: {} };
  const low = Number(table?.["low"]);
  const high = Number(table?.["high"]);
  const sample: Partial<Record<RunState, number>> = {};
  const step = (high - low + 1 - WIDTH) / (PLACES - 1);
  for (const row of yield* all(places(Array.from({ length: PLACES }, (_, i) => low + Math.floor(i * step))))) {
    const state = String(row["state"]);
    if (isState(state)) sample[state] = Number(row["runs"]);
  }
  const found = Object.values(sample).reduce((sum, runs) => sum + runs, 0);
  return { total: Math.max(counted, Math.round(found / (PLACES * WIDTH) * (high - low + 1))), sample };
}

/** Runs by state in the stretches that begin at these numbers. */
function places(starts: readonly number[]): Sql {
  const stretches = starts.map((start) =>
    sql`select ${raw(SHOWN_STATE)} as state from @runs where seq >= ${start} and seq < ${start + WIDTH}`
  );
  return sql`select state, count(*) as runs from (${join(stretches, "\n union all ")}) as sampled group by state`;
}

function sourceOf(row: Row): Source {
  const source = String(row["source"]);
  if (!isSource(source)) throw new TypeError(`Cannot count runs: "${source}" is not a source`);
  return source;
}

function isSource(text: string): text is Source {
  return SOURCES.some((source) => source === text);
}

function isState(text: string): text is RunState {
  return text === "completed" || COUNTED.some((state) => state === text);
}
