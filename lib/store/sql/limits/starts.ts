/**
 * Starts of limits of rate: each keeps a slot of its lane until the period after the beginning of the body is over. Its
 * runner ends it, by the monotonic clock, so that no step of another clock makes a period shorter or longer.
 *
 * @module
 */
import { permitKey } from "../../shared/run_limits.ts";
import type { HeldStart, LeftStart, LimitExchange, PermitHolder } from "../../port/limits.ts";
import { type Dialect, seqs } from "../dialect.ts";
import { all, change, type Op, write } from "../operation.ts";
import { type Sql, sql } from "../statement.ts";
import { ofUnits } from "./holder_rows.ts";
import { isDead } from "./stale.ts";
import type { Book } from "./store_book.ts";

/** Ends starts whose periods are over, and those of runs that have ended without having begun. */
export function* endStarts(db: Dialect, book: Book, over: readonly number[], ended: readonly number[]): Op<void> {
  if (over.length === 0 && ended.length === 0) return;
  const rows = yield* write(sql`
delete from @starts
 where ${db.isIn("seq", seqs(over))}
    or (${db.isIn("run", seqs(ended))} and holder is null and until is null)
returning lane`);
  yield* book.vacate(rows.map((row) => Number(row["lane"])));
}

/** Ends the starts of units that have released their permits and were not notified of them. */
export function* endUnbegun(db: Dialect, book: Book, holders: readonly PermitHolder[]): Op<void> {
  const where = ofUnits(db, "@starts", holders);
  if (where === undefined) return;
  const rows = yield* write(sql`
delete from @starts
 where holder is null and until is null and ${where}
returning lane`);
  yield* book.vacate(rows.map((row) => Number(row["lane"])));
}

/** A runner that stops leaves its starts to others. */
export function* leaveStarts(db: Dialect, { left = [] }: LimitExchange): Op<void> {
  yield* keepFor(db, left, undefined);
}

/** Stores how long starts keep their slots from now on, and the runner that ends them. */
function* keepFor(
  db: Dialect,
  left: readonly Pick<LeftStart, "seq" | "leftMs">[],
  holder: number | undefined,
): Op<void> {
  if (left.length === 0) return;
  const rows = db.rows("l", {
    of_seq: seqs(left.map(({ seq }) => seq)),
    left_ms: seqs(left.map(({ leftMs }) => leftMs)),
  });
  yield* change(sql`
update @starts
   set holder = ${holder},
       until = ${db.now()} + l.left_ms
  from ${rows}
 where seq = l.of_seq`);
}

/** The runner takes over starts that no runner ends; by the keys of their units. */
export function* takeStarts(
  runner: number | undefined,
  where: Sql | undefined,
): Op<ReadonlyMap<string, readonly HeldStart[]>> {
  if (where === undefined || runner === undefined) return new Map();
  const rows = yield* write(sql`
update @starts
   set holder = ${runner}
 where holder is null and until is null and ${where}
returning seq, run, task, item, (select l.name from @lanes as l where l.seq = lane) as name`);
  const starts = new Map<string, HeldStart[]>();
  for (const row of rows) {
    const key = permitKey({ run: Number(row["run"]), task: String(row["task"]), item: Number(row["item"]) });
    const own = starts.get(key) ?? [];
    own.push({ seq: Number(row["seq"]), limit: String(row["name"]) });
    starts.set(key, own);
  }
  return starts;
}

/** The runner takes over the starts of runs that begin here. */
export function* beginStarts(
  db: Dialect,
  runner: number | undefined,
  runs: readonly number[],
): Op<ReadonlyMap<number, readonly HeldStart[]>> {
  if (runs.length === 0) return new Map();
  const starts = yield* takeStarts(runner, sql`task = '' and ${db.isIn("run", seqs(runs))}`);
  return new Map(runs.map((run) => [run, starts.get(permitKey({ run, task: "", item: -1 })) ?? []]));
}

/**
 * A runner takes over starts of dead runners, and those that a runner has left as it stopped. It is not known when the
 * bodies of a dead runner began: their periods begin now.
 */
export function* recoverStarts(db: Dialect, runner: number | undefined): Op<readonly LeftStart[]> {
  if (runner === undefined) return [];
  const rows = yield* all(sql`
select s.seq, l.name, s.until, m.per_ms, ${db.now()} as now
  from @starts as s
 cross join @lanes as l
  left join @limits as m on m.name = l.name
 where l.seq = s.lane and ((s.holder is null and s.until is not null) or (${isDead("s.holder")}))`);
  const left = rows.map((row) => {
    const periodMs = Number(row["per_ms"] ?? 0);
    // What was left before the clock was set ahead is not known: at most a period, less what has passed since.
    const leftMs = row["until"] === null
      ? periodMs
      : Math.max(Number(row["until"]) - Number(row["now"]), periodMs - db.setAheadMs());
    return { seq: Number(row["seq"]), limit: String(row["name"]), leftMs: Math.min(periodMs, Math.max(0, leftMs)) };
  });
  // If this runner dies, too, no period begins anew.
  yield* keepFor(db, left, runner);
  return left;
}
