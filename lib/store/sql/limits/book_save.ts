import { permitKey } from "../../shared/run_limits.ts";
import type { HeldStart, PermitHolder } from "../../port/limits.ts";
import { type Dialect, seqs, texts } from "../dialect.ts";
import { change, type Op, write } from "../operation.ts";
import { sql } from "../statement.ts";
import type { Grant, Queue, Waiter } from "./book.ts";
import { type BookState, HELD_BY_RUN } from "./book_state.ts";

/** Writes all changes of an exchange; returns the starts of the granted permits, by unit. */
export type BookSave = (grants: readonly Grant[], now: number) => Op<ReadonlyMap<string, readonly HeldStart[]>>;

/** Creates the writer for an exchange of a runner. */
export function createBookSave(
  db: Dialect,
  { lanes, stored, queues, pages, touched, joined }: BookState,
  runner: number | undefined,
): BookSave {
  return save;

  function* save(grants: readonly Grant[], now: number): Op<ReadonlyMap<string, readonly HeldStart[]>> {
    yield* savePermits(grants, now);
    const starts = yield* saveStarts(grants);
    yield* saveQueues();
    yield* saveLanes();
    return starts;
  }

  function* savePermits(grants: readonly Grant[], now: number): Op<void> {
    const granted = new Map(grants.map(({ waiter, queue }) => [waiter, queue]));
    // With those that had postponed what they were granted, and wait again.
    const known = new Map([...granted, ...joined].filter(([{ seq }]) => seq !== undefined));
    if (known.size > 0) {
      const rows = db.rows("g", {
        of_seq: seqs([...known.keys()].map(({ seq }) => seq!)),
        of_queue: seqs([...known.values()].map(({ seq }) => seq)),
        of_granted: seqs([...known.keys()].map((waiter) => granted.has(waiter) ? now : -1)),
        of_holder: seqs([...known.keys()].map((waiter) => granted.has(waiter) ? holderOf(waiter) ?? -1 : -1)),
      });
      yield* change(sql`
update @permits
   set queue = g.of_queue,
       granted_at = nullif(g.of_granted, -1),
       holder = nullif(g.of_holder, -1)
  from ${rows}
 where seq = g.of_seq`);
    }
    const fresh = [...joined].filter(([{ seq }]) => seq === undefined);
    if (fresh.length === 0) return;
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
   * Whole runs hold their slots by themselves, as do units whose child runs go on without their runner. A unit in another
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

  function* saveQueues(): Op<void> {
    const changed = [...queues.values()].filter((queue) => {
      const { cost, waiting } = pages.get(queue)!.stored;
      return queue.cost !== cost || queue.waiting !== waiting;
    });
    if (changed.length > 0) {
      yield* change(sql`
update @queues
   set cost = w.of_cost,
       waiting = w.of_waiting
  from ${
        db.rows("w", {
          of_seq: seqs(changed.map(({ seq }) => seq)),
          of_cost: seqs(changed.map(({ cost }) => cost)),
          of_waiting: seqs(changed.map(({ waiting }) => waiting)),
        })
      }
 where seq = w.of_seq`);
    }
    yield* saveClocks();
  }

  function* saveClocks(): Op<void> {
    const pairs = [...queues.values()].flatMap((queue) => {
      const { stored, clocks } = pages.get(queue)!;
      const hasChanged = queue.waiting > 0 !== stored.waiting > 0;
      return queue.lanes.flatMap((lane) =>
        hasChanged || queue.clocks.get(lane.seq) !== clocks.get(lane.seq) ? [{ lane, queue }] : []
      );
    });
    if (pairs.length > 0) {
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
    // A lane without waiting permits forgets whose turn it was.
    const drained = [...touched].filter(({ waiting, clock }) => waiting === 0 && clock > 0);
    if (drained.length === 0) return;
    yield* change(sql`
update @lane_queues
   set clock = 0
 where ${db.isIn("lane", seqs(drained.map(({ seq }) => seq)))} and clock > 0`);
    for (const lane of drained) lane.clock = 0;
  }

  function* saveLanes(): Op<void> {
    const changed = [...lanes.values()].filter((lane) => {
      const { held, waiting, clock } = stored.get(lane)!;
      return lane.held !== held || lane.waiting !== waiting || lane.clock !== clock;
    });
    if (changed.length === 0) return;
    yield* change(sql`
update @lanes
   set held = w.of_held,
       waiting = w.of_waiting,
       clock = w.of_clock
  from ${
      db.rows("w", {
        of_seq: seqs(changed.map(({ seq }) => seq)),
        of_held: seqs(changed.map(({ held }) => held)),
        of_waiting: seqs(changed.map(({ waiting }) => waiting)),
        of_clock: seqs(changed.map(({ clock }) => clock)),
      })
    }
 where seq = w.of_seq`);
  }
}
