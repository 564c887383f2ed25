import type { RunState } from "../batch.ts";
import type { SearchQuery } from "../inspection.ts";
import type { ListedRun } from "../listing.ts";
import { decodeListedRun, LISTED_COLUMNS } from "../rows.ts";
import type { SearchWays, Stop, Stretch } from "../searching.ts";
import { numbers } from "./arrays.ts";
import { DUE, STRANDED } from "./claim_sql.ts";
import type { Bindable } from "./connection.ts";
import { FILTER, filters } from "./reads.ts";
import { ORDERED } from "./runners.ts";
import type { Session } from "./session.ts";

// By halving: each step looks at one row.
const SEQ_AT = `
with recursive narrowed (low, high) as (
  select (select min(seq) from @runs), (select max(seq) from @runs) + 1
  union all
  select case when middle.is_before then (low + high) / 2 + 1 else low end,
         case when middle.is_before then high else (low + high) / 2 end
    from narrowed
   cross join lateral (
           select created_at < $1::bigint as is_before
             from @runs
            where seq >= (low + high) / 2
            order by seq
            limit 1) as middle
   where low < high
)
select low from narrowed where low = high`;

const STOP = `
select seq, created_at
  from @runs
 where seq < $1::bigint
 order by seq desc
 limit 1 offset $2::bigint`;

const STOP_OF_STATE = `
select seq, created_at
  from @runs
 where (state = 'failed' or state = 'cancelled') and state = $3 and seq < $1::bigint
 order by seq desc
 limit 1 offset $2::bigint`;

const WALK = `
select ${LISTED_COLUMNS}
  from @runs as r
 where r.seq < $1::bigint and r.seq >= $8::bigint and ${FILTER}
 order by r.seq desc
 limit $7::bigint`;

const WALK_OF_STATE = `
select ${LISTED_COLUMNS}
  from @runs as r
 where (r.state = 'failed' or r.state = 'cancelled') and r.state = $9::text
   and r.seq < $1::bigint and r.seq >= $8::bigint and ${FILTER}
 order by r.seq desc
 limit $7::bigint`;

// Every live run stands in one of these small indexes. Each part ends at the limit, so that none is read further.
const HELD_SEQS = `
(select r.seq from @runs as r where r.owner is not null limit $1::bigint)
 union all
(select r.seq from @runs as r where ${ORDERED} and r.owner is null limit $1::bigint)`;

const LIVE_SEQS = `${HELD_SEQS}
 union all
(select r.seq from @runs as r where ${DUE} limit $1::bigint)
 union all
(select r.seq from @runs as r where ${STRANDED} limit $1::bigint)`;

const OF_SEQS = `
select ${LISTED_COLUMNS}
  from @runs as r
 where r.seq = any($9::bigint[]) and r.seq < $1::bigint and r.seq >= $8::bigint and ${FILTER}
 order by r.seq desc
 limit $7::bigint`;

/** How a search goes on Postgres. */
export function searchWays(session: Session): SearchWays {
  return {
    stride: Number.MAX_SAFE_INTEGER,
    breathe: () => Promise.resolve(),
    async seqAt(at) {
      const [row] = await session.read(SEQ_AT, [String(at)]);
      return Number(row?.["low"] ?? 0);
    },
    stop: (before, rows, state) => stop(session, before, rows, state),
    walk: (stretch) => walk(session, stretch),
    live: (query, before, from) => live(session, query, before, from),
  };
}

async function stop(
  session: Session,
  before: number,
  rows: number,
  state: RunState | undefined,
): Promise<Stop | undefined> {
  const values = [String(before), String(rows - 1)];
  const [row] = state === undefined
    ? await session.read(STOP, values)
    : await session.read(STOP_OF_STATE, [...values, state]);
  return row && { seq: Number(row["seq"]), createdAt: Number(row["created_at"]) };
}

async function walk(session: Session, stretch: Stretch): Promise<readonly ListedRun[]> {
  const { query, before, from, state, limit } = stretch;
  const values: Bindable[] = [String(before), ...filters(query), String(limit), String(from)];
  const rows = state === undefined
    ? await session.read(WALK, values)
    : await session.read(WALK_OF_STATE, [...values, state]);
  return rows.map(decodeListedRun);
}

async function live(
  session: Session,
  query: SearchQuery,
  before: number,
  from: number,
): Promise<readonly ListedRun[] | undefined> {
  const isHeld = query.states?.every((state) => state === "running" || state === "paused") ?? false;
  const rows = await session.read(isHeld ? HELD_SEQS : LIVE_SEQS, [String(query.budget + 1)]);
  if (rows.length > query.budget) return undefined;
  const seqs = numbers(rows.map((row) => Number(row["seq"])));
  const values = [String(before), ...filters(query), String(query.limit), String(from), seqs];
  return (await session.read(OF_SEQS, values)).map(decodeListedRun);
}
