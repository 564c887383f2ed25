import type { RunState } from "../batch.ts";
import type { ListQuery } from "../listing.ts";
import type { RunCounts, RunRow } from "../port.ts";
import { decodeListedRun, decodeRun, RUN_COLUMNS } from "../rows.ts";
import { texts } from "./arrays.ts";
import { DUE, STRANDED } from "./claim_sql.ts";
import type { Bindable } from "./connection.ts";
import { ORDERED } from "./runners.ts";
import type { Session } from "./session.ts";

const BY_ID = `select ${RUN_COLUMNS} from @runs where id = $1::uuid`;

const LIVE_ONES = `select id from @runs where id = any($1::uuid[]) and ended_at is null`;

/** What a list asks for, as `filters()` binds it from `$2` to `$6`. */
export const FILTER = `
   ($2::text is null or r.workflow = $2::text)
   and ($3::text[] is null or r.state = any($3::text[]))
   and ($4::bigint is null or r.created_at >= $4::bigint)
   and ($5::bigint is null or r.created_at < $5::bigint)
   and case when $6::text[] is null then true
            when r.tags is null then false
            else r.tags::jsonb ?& $6::text[] end`;

const LIST = `
select ${RUN_COLUMNS}
  from @runs as r
 where r.seq < $1::bigint and ${FILTER}
 order by r.seq desc
 limit $7::bigint`;

// The newest live runs are mostly near the end, where to walk is cheaper than to sort all of them.
const NEAR_END = `
select ${RUN_COLUMNS}
  from (select *
          from @runs
         where seq < $1::bigint
         order by seq desc
         limit 10000) as r
 where ${FILTER}
 order by r.seq desc
 limit $7::bigint`;

const UNSUCCESSFUL = `
select ${RUN_COLUMNS}
  from (select r.*
          from unnest($3::text[]) as wanted (state)
         cross join lateral (
                 select *
                   from @runs as r
                  where (r.state = 'failed' or r.state = 'cancelled') and r.state = wanted.state
                    and r.seq < $1::bigint and ${FILTER}
                  order by r.seq desc
                  limit $7::bigint) as r) as r
 order by seq desc
 limit $7::bigint`;

// Every live run stands in one of these small indexes: it is owned, or paused, or may be claimed, or is stranded.
const HELD_SEQS = `
select r.seq from @runs as r where r.owner is not null
 union all
select r.seq from @runs as r where ${ORDERED} and r.owner is null`;

const LIVE_SEQS = `${HELD_SEQS}
 union all
select r.seq from @runs as r where ${DUE} and r.state = any($3::text[])
 union all
select r.seq from @runs as r where ${STRANDED}`;

const HELD = listOf(HELD_SEQS);

const LIVE = listOf(LIVE_SEQS);

const COUNT = `
select 'all' as kind, null as state, count(*) as runs from @runs
 union all
select 'held', r.state, count(*) from @runs as r where r.owner is not null group by r.state
 union all
select 'held', r.state, count(*) from @runs as r where ${ORDERED} and r.owner is null group by r.state
 union all
select 'due', r.state, count(*) from @runs as r where ${DUE} group by r.state
 union all
select 'stranded', r.state, count(*) from @runs as r where ${STRANDED} group by r.state
 union all
select 'ended', r.state, count(*) from @runs as r where (r.state = 'failed' or r.state = 'cancelled') group by r.state`;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether it can be the id of a run: Postgres refuses to compare with anything else. */
export function isUuid(id: string): boolean {
  return UUID.test(id);
}

/** A run by its id. */
export async function readRun(session: Session, id: string): Promise<RunRow | undefined> {
  if (!isUuid(id)) return undefined;
  const [row] = await session.read(BY_ID, [id]);
  return row && decodeRun(row);
}

/** Those of some runs that have ended, or that are not there any more. */
export async function endedRuns(session: Session, ids: readonly string[]): Promise<readonly string[]> {
  if (ids.length === 0) return [];
  const rows = await session.read(LIVE_ONES, [texts(ids.filter(isUuid))]);
  const live = new Set(rows.map((row) => String(row["id"])));
  return ids.filter((id) => !live.has(id));
}

/** Runs, newest first. Where a small index holds all that can match it is asked; else the table is walked from its new end. */
export async function listRuns(session: Session, query: ListQuery): Promise<readonly RunRow[]> {
  const { states } = query;
  if (query.limit <= 0 || states?.length === 0) return [];
  const values = [String(query.before ?? Number.MAX_SAFE_INTEGER), ...filters(query), String(query.limit)];
  const statement = statementFor(states);
  if (statement === LIVE || statement === HELD) {
    const near = await session.read(NEAR_END, values);
    if (near.length === query.limit) return near.map(decodeListedRun);
  }
  return (await session.read(statement, values)).map(decodeListedRun);
}

function statementFor(states: readonly RunState[] | undefined): string {
  if (states === undefined) return LIST;
  if (states.every(isUnsuccessful)) return UNSUCCESSFUL;
  if (states.every((state) => state === "running" || state === "paused")) return HELD;
  return states.every((state) => state !== "completed" && !isUnsuccessful(state)) ? LIVE : LIST;
}

/** How many runs are in each state. Completed ones are what is left: no index holds them. */
export async function countRuns(session: Session): Promise<RunCounts> {
  const counts = { pending: 0, running: 0, waiting: 0, paused: 0, completed: 0, failed: 0, cancelled: 0 };
  let all = 0;
  for (const row of await session.read(COUNT)) {
    const { state } = row;
    const runs = Number(row["runs"]);
    if (row["kind"] === "all") all = runs;
    else if (typeof state === "string" && state in counts) counts[state as RunState] += runs;
  }
  const others = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return { ...counts, completed: all - others };
}

/** The values of `FILTER`. */
export function filters({ workflow, states, since, until, tags }: ListQuery): readonly Bindable[] {
  return [
    workflow ?? null,
    states === undefined ? null : texts([...new Set(states)]),
    since === undefined ? null : String(since),
    until === undefined ? null : String(until),
    tags === undefined || tags.length === 0 ? null : texts(tags),
  ];
}

function isUnsuccessful(state: RunState): boolean {
  return state === "failed" || state === "cancelled";
}

function listOf(seqs: string): string {
  return `
select ${RUN_COLUMNS}
  from @runs as r
 where r.seq = any(array(${seqs})) and r.seq < $1::bigint and ${FILTER}
 order by r.seq desc
 limit $7::bigint`;
}
