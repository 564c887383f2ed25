/**
 * What processes that died have left behind: permits of dead runners and of runs that have ended, starts that no runner ends,
 * and runs that were not notified of their permits.
 *
 * @module
 */
import type { LimitLook } from "../../port/limits.ts";
import type { Dialect } from "../dialect.ts";
import { all, first, type Op } from "../operation.ts";
import { raw, type Sql, sql } from "../statement.ts";
import { NO_QUEUE } from "./book_state.ts";
import { readNextGate } from "./gated.ts";
import { wakeUnits } from "./wake_units.ts";

/** A slot that was granted to a run without an owner is free again after this time, if no runner has claimed the run. */
const UNTAKEN_MS = 5_000;

/** A condition: no living runner has this number. */
export function isDead(column: string): Sql {
  return sql`${raw(column)} > 0 and not exists (select 1 from @runners as o where o.id = ${
    raw(column)
  } and not o.dead)`;
}

/** A condition: the run has ended, or was deleted. */
function isOver(column: string): Sql {
  return sql`not exists (select 1 from @runs as r where r.seq = ${raw(column)} and r.ended_at is null)`;
}

const HELD = raw("@permits as p indexed by permits_held where p.granted_at is not null");
const POSTPONED = raw(`@permits as p where p.queue = ${NO_QUEUE} and p.granted_at is null`);
const UNBEGUN = raw("s.holder is null and s.until is null");

/** Units that were granted slots and have not taken them, of paused runs, or of runs that no runner has claimed since. */
const untaken = (db: Dialect): Sql =>
  sql`${HELD} and p.task <> '' and p.holder is null
   and exists (select 1
                 from @runs as r
                where r.seq = p.run and r.owner is null
                  and (r.state = 'paused' or p.granted_at < ${db.now()} - ${UNTAKEN_MS}))`;

/** Runs without an owner of which a unit was granted its slots and has not taken them. */
const UNNOTIFIED = sql`
select distinct p.run
  from ${HELD} and p.task <> '' and p.holder is null
   and exists (select 1
                 from @runs as r
                where r.seq = p.run and r.owner is null and r.state = 'waiting' and r.due_at is null)`;

/** What is to be released. */
export interface Stale {
  /** Permits of dead runners. */
  readonly permits: readonly number[];
  /** Runs that have ended and have permits. */
  readonly endedRuns: readonly number[];
  /** Permits that units were granted and have not taken, and are not expected to take soon. */
  readonly untaken: readonly { readonly seq: number; readonly run: number }[];
  /** Starts of runs that have ended without having begun. */
  readonly starts: readonly number[];
}

/** Reads what is to be released. */
export function* readStale(db: Dialect): Op<Stale> {
  const permits = yield* all(sql`select p.seq from ${HELD} and ${isDead("p.holder")}`);
  const ended = yield* all(sql`
select p.run from ${HELD} and ${isOver("p.run")}
 union
select p.run from ${POSTPONED} and ${isOver("p.run")}`);
  const starts = yield* all(sql`select s.seq from @starts as s where ${UNBEGUN} and ${isOver("s.run")}`);
  const left = yield* all(sql`select p.seq, p.run from ${untaken(db)}`);
  return {
    permits: permits.map((row) => Number(row["seq"])),
    untaken: left.map((row) => ({ seq: Number(row["seq"]), run: Number(row["run"]) })),
    endedRuns: ended.map((row) => Number(row["run"])),
    starts: starts.map((row) => Number(row["seq"])),
  };
}

/** Makes runs due that were not notified of their permits; returns whether there are any. */
export function* staleRuns(db: Dialect): Op<boolean> {
  const rows = yield* all(UNNOTIFIED);
  return rows.length > 0 && (yield* wakeUnits(db, rows.map((row) => Number(row["run"])))) > 0;
}

/** Reads what there is to do for a runner. */
export function* lookAtLimits(db: Dialect, runner: number): Op<LimitLook> {
  const row = yield* first(sql`
select case when exists (select 1 from ${HELD} and (${isDead("p.holder")} or ${isOver("p.run")}))
              or exists (select 1 from ${POSTPONED} and ${isOver("p.run")})
              or exists (select 1
                           from @starts as s
                          where (s.holder is null and (s.until is not null or ${isOver("s.run")}))
                             or (${isDead("s.holder")}))
              or exists (${UNNOTIFIED})
              or exists (select 1 from ${untaken(db)})
              or exists (select 1
                           from @lanes as l
                           left join @limits as m on m.name = l.name
                          where l.waiting > 0 and l.held < coalesce(m.max, l.held + 1))
            then 1 else 0 end as is_stale,
       case when exists (select 1
                           from ${HELD} and p.task <> '' and p.holder is null
                            and exists (select 1 from @runs as r where r.seq = p.run and r.owner = ${runner}))
            then 1 else 0 end as is_granted`);
  return { isStale: row?.["is_stale"] === 1, isGranted: row?.["is_granted"] === 1, nextAt: yield* readNextGate() };
}
