import { permitKey } from "../../run_limits.ts";
import type { HeldStart, PermitHolder } from "../../limits.ts";
import { type Dialect, seqs, texts } from "../dialect.ts";
import { all, change, type Op, write } from "../operation.ts";
import { sql } from "../statement.ts";
import type { Grant, Queue, Waiter } from "./book.ts";
import { type BookState, distinct, HELD_BY_RUN } from "./book_state.ts";

/** Writes all changes of an exchange; returns the starts of the granted permits, by unit. */
export type BookSave = (grants: readonly Grant[], now: number) => Op<ReadonlyMap<string, readonly HeldStart[]>>;

/** Creates the writer for an exchange of a runner. */
export function createBookSave(
  db: Dialect,
  { lanes, queues, pages, touched, joined }: BookState,
  runner: number | undefined,
): BookSave {
  return save;

  function* save(grants: readonly Grant[], now: number): Op<ReadonlyMap<string, readonly HeldStart[]>> {
    yield* savePermits(grants, now);
    const starts = yield* saveStarts(grants);
    const idle = yield* saveQueues();
    yield* saveLanes(idle);
    return starts;
  }

  function* savePermits(grants: readonly Grant[], now: number): Op<void> {
    const stored = grants.flatMap(({ waiter }) => waiter.seq === undefined ? [] : [{ ...waiter, seq: waiter.seq }]);
    if (stored.length > 0) {
      const rows = db.rows("g", {
        of_seq: seqs(stored.map(({ seq }) => seq)),
        of_holder: seqs(stored.map((waiter) => holderOf(waiter) ?? -1)),
      });
      yield* change(sql`
update @permits
   set granted_at = ${now},
       holder = nullif(g.of_holder, -1)
  from ${rows}
 where seq = g.of_seq`);
    }
    const fresh = [...joined];
    if (fresh.length === 0) return;
    const granted = new Set(grants.map(({ waiter }) => waiter));
    const column = (value: (waiter: Waiter, queue: Queue) => number) =>
      seqs(fresh.map(([waiter, queue]) => value(waiter, queue)));
    const rows = db.rows("j", {
      of_run: column(({ run }) => run),
      of_task: texts(fresh.map(([{ task }]) => task)),
      of_item: column(({ item }) => item),
      of_queue: column((_, { seq }) => seq),
      of_rank: column(({ rank }) => rank),
      of_since: column(({ since }) => since),
      of_granted: column((waiter) => granted.has(waiter) ? now : -1),
      of_holder: column((waiter) => granted.has(waiter) ? holderOf(waiter) ?? -1 : -1),
      of_lasting: column(({ holder }) => holder === HELD_BY_RUN ? 1 : 0),
    });
    yield* change(sql`
insert into @permits (run, task, item, queue, rank, since, granted_at, holder, is_lasting)
select j.of_run, j.of_task, j.of_item, j.of_queue, j.of_rank, j.of_since, nullif(j.of_granted, -1),
       nullif(j.of_holder, -1), j.of_lasting
  from ${rows}
 where true`);
  }

  /**
   * Whole runs hold their places by themselves, as do units whose child runs go on without their runner. A unit in another
   * process, or in none, has yet to take what it was granted.
   */
  function holderOf({ task, holder, owner }: Waiter): number | undefined {
    if (task === "") return HELD_BY_RUN;
    return owner !== undefined && owner === runner ? holder : undefined;
  }

  function* saveStarts(grants: readonly Grant[]): Op<ReadonlyMap<string, readonly HeldStart[]>> {
    const starts = grants.flatMap(({ waiter, queue }) =>
      queue.lanes.flatMap((lane) => lane.isRate ? [{ waiter, lane }] : [])
    );
    if (starts.length === 0) return new Map();
    const rows = yield* write(sql`
insert into @starts (lane, run, task, item, holder)
select s.of_lane, s.of_run, s.of_task, s.of_item, nullif(s.of_holder, -1)
  from ${
      db.rows("s", {
        of_lane: seqs(starts.map(({ lane }) => lane.seq)),
        of_run: seqs(starts.map(({ waiter }) => waiter.run)),
        of_task: texts(starts.map(({ waiter }) => waiter.task)),
        of_item: seqs(starts.map(({ waiter }) => waiter.item)),
        of_holder: seqs(starts.map(({ waiter: { task, owner } }) =>
          task !== "" && owner !== undefined && owner === runner ? owner : -1
        )),
      })
    }
 where true
returning seq, lane, run, task, item`);
    const byUnit = new Map<string, HeldStart[]>();
    for (const row of rows) {
      const unit: PermitHolder = { run: Number(row["run"]), task: String(row["task"]), item: Number(row["item"]) };
      const own = byUnit.get(permitKey(unit)) ?? [];
      own.push({ seq: Number(row["seq"]), limit: lanes.get(Number(row["lane"]))!.limit });
      byUnit.set(permitKey(unit), own);
    }
    return byUnit;
  }

  /** Writes queues, and deletes those that are no longer needed; returns the lanes of these. */
  function* saveQueues(): Op<readonly number[]> {
    const known = [...queues.values()];
    if (known.length === 0) return [];
    const idle = known.filter((queue) => isIdle(queue) && !isRemembered(queue));
    const kept = known.filter((queue) => !idle.includes(queue));
    if (kept.length > 0) {
      yield* change(sql`
update @queues
   set cost = w.of_cost,
       waiting = w.of_waiting,
       held = w.of_held
  from ${
        db.rows("w", {
          of_seq: seqs(kept.map(({ seq }) => seq)),
          of_cost: seqs(kept.map(({ cost }) => cost)),
          of_waiting: seqs(kept.map(({ waiting }) => waiting)),
          of_held: seqs(kept.map(({ held }) => held)),
        })
      }
 where seq = w.of_seq`);
      yield* saveClocks(kept);
    }
    // A lane without waiting permits forgets whose turn it was.
    const drained = [...touched].filter(({ waiting, clock }) => waiting === 0 && clock > 0).map(({ seq }) => seq);
    const forgotten = drained.length === 0 ? [] : yield* all(sql`
select q.seq
  from @lane_queues as lq
 cross join @queues as q
 where ${db.isIn("lq.lane", seqs(drained))} and q.seq = lq.queue and q.waiting = 0 and q.held = 0`);
    const gone = distinct([...idle.map(({ seq }) => seq), ...forgotten.map((row) => Number(row["seq"]))]);
    if (gone.items.length === 0) return [];
    const of = yield* write(sql`delete from @lane_queues where ${db.isIn("queue", gone)} returning lane`);
    yield* change(sql`delete from @queues where ${db.isIn("seq", gone)}`);
    return of.map((row) => Number(row["lane"]));
  }

  function isIdle({ waiting, held }: Queue): boolean {
    return waiting === 0 && held === 0;
  }

  /** Whether another queue is before this one although nothing of this one waits. */
  function isRemembered({ lanes, clocks }: Queue): boolean {
    return lanes.some(({ seq, waiting, clock }) => waiting > 0 && (clocks.get(seq) ?? 0) > clock);
  }

  function* saveClocks(kept: readonly Queue[]): Op<void> {
    const pairs = kept.flatMap((queue) => {
      const hasChanged = queue.waiting > 0 !== pages.get(queue)!.wasActive;
      return queue.lanes.flatMap((lane) => hasChanged || queue.clocks.has(lane.seq) ? [{ lane, queue }] : []);
    });
    if (pairs.length === 0) return;
    yield* change(sql`
update @lane_queues
   set active = w.of_active,
       clock = case when w.of_clock > clock then w.of_clock else clock end
  from ${
      db.rows("w", {
        of_lane: seqs(pairs.map(({ lane }) => lane.seq)),
        of_queue: seqs(pairs.map(({ queue }) => queue.seq)),
        of_active: seqs(pairs.map(({ queue }) => queue.waiting > 0 ? 1 : 0)),
        of_clock: seqs(pairs.map(({ lane, queue }) => queue.clocks.get(lane.seq) ?? 0)),
      })
    }
 where lane = w.of_lane and queue = w.of_queue`);
  }

  function* saveLanes(freed: readonly number[]): Op<void> {
    const known = [...lanes.values()];
    if (known.length === 0) return;
    yield* change(sql`
update @lanes
   set held = w.of_held,
       waiting = w.of_waiting,
       clock = w.of_clock
  from ${
      db.rows("w", {
        of_seq: seqs(known.map(({ seq }) => seq)),
        of_held: seqs(known.map(({ held }) => held)),
        of_waiting: seqs(known.map(({ waiting }) => waiting)),
        of_clock: seqs(known.map(({ clock }) => clock)),
      })
    }
 where seq = w.of_seq`);
    const empty = new Set([...freed, ...known.flatMap(({ seq, held, waiting }) => held + waiting === 0 ? [seq] : [])]);
    if (empty.size === 0) return;
    yield* change(sql`
delete from @lanes
 where ${db.isIn("seq", seqs([...empty]))} and held = 0 and waiting = 0
   and not exists (select 1 from @lane_queues as lq where lq.lane = @lanes.seq)`);
  }
}
