import type { RunState } from "../batch.ts";
import type { SearchQuery } from "../inspection.ts";
import type { ListedRun } from "../listing.ts";
import { decodeListedRun, LISTED_COLUMNS } from "../rows.ts";
import type { SearchWays, Stop, Stretch } from "../searching.ts";
import { DUE, STRANDED } from "./claim.ts";
import { ORDERED } from "./orders.ts";
import { FILTER, filters } from "./reads.ts";
import type { Session } from "./session.ts";

// By halving: each step looks at one row.
const SEQ_AT = `
with recursive narrowed (low, high) as (
  select (select min(seq) from runs), (select max(seq) from runs) + 1
  union all
  select case when (select created_at from runs where seq >= (low + high) / 2 order by seq limit 1) < $1
              then (low + high) / 2 + 1 else low end,
         case when (select created_at from runs where seq >= (low + high) / 2 order by seq limit 1) < $1
              then high else (low + high) / 2 end
    from narrowed
   where low < high
)
select low from narrowed where low = high`;

const STOP = `select seq, created_at from runs where seq < $1 order by seq desc limit 1 offset $2`;

const STOP_OF_STATE = `
select seq, created_at
  from runs
 where seq = (select seq
                from runs indexed by runs_unsuccessful
               where (state = 'failed' or state = 'cancelled') and state = $3 and seq < $1
               order by seq desc
               limit 1 offset $2)`;

const WALK = `
select ${LISTED_COLUMNS}
  from runs
 where seq < $1 and seq >= $2 and ${FILTER}
 order by seq desc
 limit $8`;

const WALK_OF_STATE = `
select ${LISTED_COLUMNS}
  from runs indexed by runs_unsuccessful
 where (state = 'failed' or state = 'cancelled') and state = $9 and seq < $1 and seq >= $2 and ${FILTER}
 order by seq desc
 limit $8`;

// Every live run stands in one of these small indexes. Each part ends at the limit, so that none is read further.
const HELD_SEQS = `
select seq from (select seq from runs indexed by runs_owned where owner is not null limit $1)
 union all
select seq from (select seq from runs indexed by runs_ordered where ${ORDERED} and owner is null limit $1)`;

const LIVE_SEQS = `${HELD_SEQS}
 union all
select seq from (select seq from runs indexed by runs_due where ${DUE} limit $1)
 union all
select seq from (select seq from runs indexed by runs_stranded where ${STRANDED} limit $1)`;

const OF_SEQS = `
select ${LISTED_COLUMNS}
  from runs
 where seq in (select value from json_each($9)) and seq < $1 and seq >= $2 and ${FILTER}
 order by seq desc
 limit $8`;

/** How a search goes on SQLite. */
export function searchWays(session: Session, breathe: () => Promise<void>): SearchWays {
  const read = <T>(work: () => T): Promise<T> => session.read("read", work);
  return {
    // A few milliseconds.
    stride: 2_500,
    breathe,
    seqAt: (at) => read(() => Number(session.get(SEQ_AT, at)?.["low"] ?? 0)),
    stop: (before, rows, state) => read(() => stop(session, before, rows, state)),
    walk: (stretch) => read(() => walk(session, stretch)),
    live: (query, before, from) => read(() => live(session, query, before, from)),
  };
}

function stop(session: Session, before: number, rows: number, state: RunState | undefined): Stop | undefined {
  const row = state === undefined
    ? session.get(STOP, before, rows - 1)
    : session.get(STOP_OF_STATE, before, rows - 1, state);
  return row && { seq: Number(row["seq"]), createdAt: Number(row["created_at"]) };
}

function walk(session: Session, { query, before, from, state, limit }: Stretch): readonly ListedRun[] {
  const values = [before, from, ...filters(query), limit];
  const rows = state === undefined ? session.all(WALK, ...values) : session.all(WALK_OF_STATE, ...values, state);
  return rows.map(decodeListedRun);
}

function live(session: Session, query: SearchQuery, before: number, from: number): readonly ListedRun[] | undefined {
  const isHeld = query.states?.every((state) => state === "running" || state === "paused") ?? false;
  const seqs = session.all(isHeld ? HELD_SEQS : LIVE_SEQS, query.budget + 1).map((row) => row["seq"]);
  if (seqs.length > query.budget) return undefined;
  return session.all(OF_SEQS, before, from, ...filters(query), query.limit, `[${seqs.join(",")}]`).map(decodeListedRun);
}
