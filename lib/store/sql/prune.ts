import type { Row } from "../shared/decode.ts";
import type { PruneTimes } from "../port/listing.ts";
import { deleteUnusedDefinitions } from "./definitions.ts";
import { type Dialect, seqs } from "./dialect.ts";
import { all, change, type Op, pause, transaction, write } from "./operation.ts";
import { join, raw, type Sql, sql } from "./statement.ts";

/** Deletes at most `limit` runs that ended long enough ago, with all rows that belong to them; returns how many. */
export type Prune = (before: PruneTimes, limit: number) => Op<number>;

// Deleted in one transaction: a few milliseconds, and as many rows in the log.
export const RUNS_AT_ONCE = 200;
const TASKS_AT_ONCE = 1_000;

const SLICE_ROWS = 500;

// To find out which definitions are unused takes a walk over all runs.
const SWEEP_MS = 3_600_000;

/**
 * Walks from the oldest run on and remembers where it stopped, as runs that live long would else be read again each
 * time. A call that deletes less than it may has reached the end; the next one begins anew.
 *
 * A tree of runs is deleted from its root. A run is deleted before the last of its journal, so that it is never seen, or retried, without some of its rows. What
 * a process that died has left of a journal is deleted by the next walk.
 */
export function createPrune(db: Dialect): Prune {
  let after = 0;
  let sweptBefore = -Infinity;
  return function* (times, limit) {
    const before = Math.max(...ENDED.flatMap((state) => times[state] ?? []));
    if (before === -Infinity) return 0;
    const isOld = isOldSql(times);
    let deleted = 0;
    while (deleted < limit) {
      const { ended, end, isLast } = yield* readSlice(after, before, isOld);
      yield* deleteJournals(db, yield* readOrphans(after, end));
      const chosen = ended.slice(0, Math.min(limit - deleted, RUNS_AT_ONCE));
      if (chosen.length > 0) deleted += (yield* deleteRuns(db, chosen, isOld)).length;
      if (chosen.length < ended.length) after = chosen.at(-1) ?? after;
      else if (!isLast) after = end;
      else {
        after = 0;
        break;
      }
      yield* pause();
    }
    if (after === 0 && before >= sweptBefore + SWEEP_MS) {
      sweptBefore = before;
      yield* deleteUnusedDefinitions(db, before);
    }
    return deleted;
  };
}

interface Slice {
  /** Runs that ended in time, without children of runs that stay. */
  readonly ended: readonly number[];
  /** The last number that belongs to the slice. */
  readonly end: number;
  /** Whether younger runs, or none, follow. */
  readonly isLast: boolean;
}

const ENDED = ["completed", "failed", "cancelled"] as const;

/** The condition that a run ended before the time for its state. */
function isOldSql(times: PruneTimes): Sql {
  const conditions = ENDED.flatMap((state) =>
    times[state] === undefined ? [] : [sql`(state = ${state} and ended_at < ${times[state]})`]
  );
  return conditions.length === 0 ? raw("false") : sql`(${join(conditions, " or ")})`;
}

function* readSlice(after: number, before: number, isOldEnough: Sql): Op<Slice> {
  const rows = yield* all(sql`
select seq, created_at, parent, case when ended_at is not null and ${isOldEnough} then 1 else 0 end as is_over,
       case when parent is not null then (select 1 from @runs as p where p.seq = @runs.parent) end as has_parent
  from @runs
 where seq > ${after}
 order by seq
 limit ${SLICE_ROWS}`);
  const isOld = (row: Row): boolean => Number(row["created_at"]) < before;
  const old = rows.filter(isOld);
  const ended = deletable(old.filter((row) => row["is_over"] === 1));
  const [young] = rows.filter((row) => !isOld(row));
  const isLast = old.length < SLICE_ROWS;
  const end = !isLast ? Math.max(...old.map(seqOf)) : young === undefined ? Number.MAX_SAFE_INTEGER : seqOf(young) - 1;
  return { ended, end, isLast };
}

/** Trees are deleted from the root: a child after its parent, which has a lower number. */
function deletable(ended: readonly Row[]): readonly number[] {
  const chosen = new Set<number>();
  for (const row of ended) {
    if (row["has_parent"] === null || chosen.has(Number(row["parent"]))) chosen.add(seqOf(row));
  }
  return [...chosen];
}

/**
 * Deletes those of these runs that have ended and for which a condition holds, their facts and the first part of their
 * journals in one transaction, then the rest of the journals; returns their numbers.
 */
export function* deleteRuns(db: Dialect, chosen: readonly number[], where: Sql): Op<readonly number[]> {
  const { gone, tasks } = yield* transaction(function* () {
    if (db.reusesNumbers) yield* markNextNumber(db, chosen);
    const rows = yield* write(sql`
delete from @runs
 where ${db.isIn("seq", seqs(chosen))} and ended_at is not null
   and ${where}
returning seq`);
    const gone = rows.map(seqOf);
    for (const table of ["@events", "@messages"]) {
      yield* change(sql`delete from ${raw(table)} where ${db.isIn("run", seqs(gone))}`);
    }
    return { gone, tasks: yield* deleteTasks(db, gone) };
  });
  if (tasks === TASKS_AT_ONCE) yield* deleteJournals(db, gone);
  return gone;
}

/** If the newest run is among these, the next run is numbered after it nevertheless (see sqlite/inserts.ts). */
function* markNextNumber(db: Dialect, chosen: readonly number[]): Op<void> {
  yield* change(sql`
insert into @meta (key, value)
select 'next_run', newest + 1
  from (select max(seq) as newest from @runs)
 where ${db.isIn("newest", seqs(chosen))}
    on conflict (key) do update set value = max(cast(value as integer), cast(excluded.value as integer))`);
}

function* deleteJournals(db: Dialect, runs: readonly number[]): Op<void> {
  if (runs.length === 0) return;
  do yield* pause(); while ((yield* deleteTasks(db, runs)) === TASKS_AT_ONCE);
}

function deleteTasks(db: Dialect, runs: readonly number[]): Op<number> {
  return change(sql`
delete from @tasks
 where ${db.firstTasks(db.isIn("run", seqs(runs)), TASKS_AT_ONCE)}`);
}

/** Runs without a row of their own that have rows in the journal. Each run with a journal is sought once. */
function* readOrphans(after: number, end: number): Op<readonly number[]> {
  const rows = yield* all(sql`
with recursive journals (run) as (
  select (select min(run) from @tasks where run > ${after})
   union all
  select (select min(run) from @tasks where run > journals.run)
    from journals
   where journals.run <= ${end}
)
select run as seq
  from journals
 where run <= ${end} and (select 1 from @runs where seq = run) is null
 limit ${RUNS_AT_ONCE}`);
  return rows.map(seqOf);
}

function seqOf(row: Row): number {
  return Number(row["seq"]);
}
