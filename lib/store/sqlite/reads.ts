import type { RunState } from "../batch.ts";
import type { ListQuery } from "../listing.ts";
import type { RunCounts, RunRow } from "../port.ts";
import { breathe } from "./breathe.ts";
import { DUE, STRANDED } from "./claim.ts";
import type { Bindable, Row } from "./driver.ts";
import { ORDERED } from "./orders.ts";
import { decodeListedRun, decodeRun, RUN_COLUMNS } from "../rows.ts";
import type { Session } from "./session.ts";

const BY_ID = `select ${RUN_COLUMNS} from runs where id = $1`;

const ENDED = `
select value as id
  from json_each($1) as wanted
 where not exists (select 1 from runs where id = wanted.value and ended_at is null)`;

/**
 * What a list asks for, as `filters()` binds it from `$3` on. Malformed JSON in one row's tags must not end the whole
 * list, hence the case: its branches are not reordered.
 */
export const FILTER = `
   ($3 is null or workflow = $3)
   and ($4 is null or state in (select value from json_each($4)))
   and ($5 is null or created_at >= $5)
   and ($6 is null or created_at < $6)
   and case when $7 is null then 1
            when not json_valid(tags) then 0
            else not exists (select 1
                               from json_each($7) as wanted
                              where wanted.value not in (select value from json_each(runs.tags))) end`;

const SLICE = `
select ${RUN_COLUMNS}
  from runs
 where seq < $1 and seq >= $2 and ${FILTER}
 order by seq desc
 limit $8`;

const SLICE_END = `select seq from runs where seq < $1 order by seq desc limit 1 offset $2`;

const NEWEST = `select seq, created_at from runs where seq < $1 order by seq desc limit 1`;

const UNSUCCESSFUL = `
select ${RUN_COLUMNS}
  from runs indexed by runs_unsuccessful
 where (state = 'failed' or state = 'cancelled') and state = $2 and seq < $1 and ${FILTER}
 order by seq desc
 limit $8`;

// Every live run stands in one of these small indexes: it is owned, or paused, or may be claimed, or is stranded.
const HELD_SEQS = `
select seq from runs indexed by runs_owned where owner is not null
 union all
select seq from runs indexed by runs_ordered where ${ORDERED} and owner is null`;

const LIVE_SEQS = `${HELD_SEQS}
 union all
select seq from runs indexed by runs_due where ${DUE} and state in (select value from json_each($4))
 union all
select seq from runs indexed by runs_stranded where ${STRANDED}`;

const HELD = listOf(HELD_SEQS);

const LIVE = listOf(LIVE_SEQS);

const COUNT = `select count(*) as runs from runs`;

const COUNT_HELD = `select state, count(*) as runs from runs where seq in (${HELD_SEQS}) group by state`;

const COUNT_UNOWNED = `
select count(*) as runs, count(*) filter (where state = 'waiting') as waiting
  from runs indexed by runs_due
 where ${DUE}`;

const COUNT_STRANDED = `
select count(*) as runs, count(*) filter (where state = 'waiting') as waiting
  from runs indexed by runs_stranded
 where ${STRANDED}`;

const COUNT_UNSUCCESSFUL = `
select state, count(*) as runs
  from runs indexed by runs_unsuccessful
 where (state = 'failed' or state = 'cancelled')
 group by state`;

const SLICE_ROWS = 10_000;

const DAY_MS = 86_400_000;

/** A run by its id. */
export function readRun(session: Session, id: string): RunRow | undefined {
  const row = session.get(BY_ID, id);
  return row && decodeRun(row);
}

/** Those of some runs that have ended, or that are not there any more. */
export function endedRuns(session: Session, ids: readonly string[]): readonly string[] {
  return session.all(ENDED, JSON.stringify(ids)).map((row) => String(row["id"]));
}

/**
 * Runs, newest first. Where a small index holds all that can match it is asked; else the table is walked from its new
 * end, in slices between which the event loop turns, as SQLite answers in the caller's thread.
 */
export async function listRuns(session: Session, query: ListQuery): Promise<readonly RunRow[]> {
  const before = query.before ?? Number.MAX_SAFE_INTEGER;
  const { states } = query;
  if (query.limit <= 0 || states?.length === 0) return [];
  if (states?.every(isUnsuccessful)) return await session.read("read", () => unsuccessful(session, query, before));
  const live = states?.every(isLive) ?? false;
  const found: Row[] = [];
  for (let end = before;;) {
    const start = await session.read("read", () => sliceStart(session, end, query.since));
    if (start === undefined) break;
    const left = query.limit - found.length;
    const values = [...filters(query), left];
    found.push(...await session.read("read", () => session.all(SLICE, end, start, ...values)));
    if (found.length >= query.limit) break;
    end = start;
    if (live) {
      // The newest live runs are mostly near the end, where the walk is cheaper than to sort all of them.
      const sql = states?.every(isHeld) ? HELD : LIVE;
      const rest = [...filters(query), query.limit - found.length];
      found.push(...await session.read("read", () => session.all(sql, end, null, ...rest)));
      break;
    }
    await breathe();
  }
  return found.map(decodeListedRun);
}

/** How many runs are in each state. Completed ones are what is left: no index holds them. */
export function countRuns(session: Session): RunCounts {
  const counts = { pending: 0, running: 0, waiting: 0, paused: 0, completed: 0, failed: 0, cancelled: 0 };
  for (const row of [...session.all(COUNT_HELD), ...session.all(COUNT_UNSUCCESSFUL)]) {
    const state = row["state"];
    if (typeof state === "string" && state in counts) counts[state as RunState] += Number(row["runs"]);
  }
  for (const row of [session.get(COUNT_UNOWNED), session.get(COUNT_STRANDED)]) {
    counts.waiting += Number(row?.["waiting"]);
    counts.pending += Number(row?.["runs"]) - Number(row?.["waiting"]);
  }
  const others = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return { ...counts, completed: Number(session.get(COUNT)?.["runs"]) - others };
}

function unsuccessful(session: Session, query: ListQuery, before: number): readonly RunRow[] {
  const rows = [...new Set(query.states)].flatMap((state) =>
    session.all(UNSUCCESSFUL, before, state, ...filters(query), query.limit)
  );
  return rows.sort((a, b) => Number(b["seq"]) - Number(a["seq"])).slice(0, query.limit).map(decodeListedRun);
}

/** Where the slice that ends before `end` begins; `undefined` if there is nothing to find any more. */
function sliceStart(session: Session, end: number, since: number | undefined): number | undefined {
  const newest = session.get(NEWEST, end);
  if (!newest) return undefined;
  // Runs stand in the order in which they were inserted, but for clocks that were set back.
  if (since !== undefined && Number(newest["created_at"]) < since - DAY_MS) return undefined;
  return Number(session.get(SLICE_END, end, SLICE_ROWS - 1)?.["seq"] ?? 0);
}

/** The values of `FILTER`. */
export function filters({ workflow, states, since, until, tags }: ListQuery): Bindable[] {
  return [
    workflow,
    states && JSON.stringify(states),
    since,
    until,
    tags && tags.length > 0 ? JSON.stringify(tags) : undefined,
  ];
}

function isUnsuccessful(state: RunState): boolean {
  return state === "failed" || state === "cancelled";
}

/** Whether only runs that are owned or paused can be in this state. */
function isHeld(state: RunState): boolean {
  return state === "running" || state === "paused";
}

function listOf(seqs: string): string {
  return `
select ${RUN_COLUMNS}
  from runs
 where seq in (${seqs}) and seq < $1 and $2 is null and ${FILTER}
 order by seq desc
 limit $8`;
}

function isLive(state: RunState): boolean {
  return state !== "completed" && !isUnsuccessful(state);
}
