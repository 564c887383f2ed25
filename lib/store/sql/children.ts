/**
 * Child runs and their parents: the end of a run wakes its parent, in the transaction that ends the run. Locks are taken
 * upwards: the row of a run before that of its parent.
 *
 * @module
 */
import { CHILD_ENDS_AT_ONCE, type ChildEnd, type ChildWait } from "../port/children.ts";
import type { Row } from "../shared/decode.ts";
import type { ListedRun } from "../port/listing.ts";
import { decodeListedRun, LISTED_COLUMNS } from "../shared/run_rows.ts";
import { type Dialect, seqs } from "./dialect.ts";
import { notify } from "./facts.ts";
import { all, change, type Op, write } from "./operation.ts";
import { fill, raw, sql } from "./statement.ts";

/** How many children of a run `children()` returns. */
const MOST_CHILDREN = 1_000;

/** Reads which of these tasks and items have a child that has ended or does not exist, in their order. */
export function* readChildEnds(db: Dialect, waits: readonly ChildWait[]): Op<readonly ChildEnd[]> {
  if (waits.length === 0) return [];
  const waiting = db.rows("t", {
    at: { type: "integer", items: waits.map((_, at) => at) },
    run: { type: "bigint", items: waits.map(({ parent }) => parent) },
    task: { type: "text", items: waits.map(({ task }) => task) },
    item: { type: "integer", items: waits.map(({ item }) => item) },
  });
  // The child of each task is looked up by the index, whatever a planner knows about the tables.
  const rows = yield* all(sql`
select at, child
  from (select t.at,
               (select c.seq
                  from @runs as c
                 where c.parent = t.run and c.parent_task = t.task and c.parent_item = t.item
                   and coalesce(c.superseded, 0) = 0) as child
          from ${waiting}) as waiting
 where child is null or exists (select 1 from @runs as e where e.seq = waiting.child and e.ended_at is not null)
 order by at
 limit ${CHILD_ENDS_AT_ONCE}`);
  const children = yield* readListed(db, rows.flatMap((row) => row["child"] === null ? [] : [Number(row["child"])]));
  return rows.map((row) => {
    const at = Number(row["at"]);
    return { ...waits[at]!, at, child: row["child"] === null ? undefined : children.get(Number(row["child"])) };
  });
}

function* readListed(db: Dialect, children: readonly number[]): Op<ReadonlyMap<number, ListedRun>> {
  if (children.length === 0) return new Map();
  const rows = yield* all(sql`select ${raw(LISTED_COLUMNS)} from @runs where ${db.isIn("seq", seqs(children))}`);
  return new Map(rows.map((row) => [Number(row["seq"]), decodeListedRun(row)]));
}

/** Reads the child runs of a run, those of retried tasks included, in the order of their start. */
export function* readChildren(parent: number): Op<readonly ListedRun[]> {
  const rows = yield* all(sql`
select ${raw(LISTED_COLUMNS)}
  from @runs
 where parent = ${parent}
 order by seq
 limit ${MOST_CHILDREN}`);
  return rows.map(decodeListedRun);
}

/** Wakes the parents of those of these runs that have ended, in the open transaction. */
export function* wakeParents(db: Dialect, runs: readonly number[]): Op<void> {
  if (runs.length === 0) return;
  const parents = sql`
select p.seq
  from @runs as p
 where ${
    db.isIn(
      "p.seq",
      sql`select c.parent from @runs as c where ${db.isIn("c.seq", seqs(runs))} and c.ended_at is not null`,
    )
  }
   and p.ended_at is null
 order by p.seq${db.forUpdate}`;
  const woken = yield* write(sql`
update @runs
   set ${fill(WAKE, { now: db.now() })}
 where ${db.isIn("seq", parents)}
returning owner, state`);
  if (woken.length === 0) return;
  yield* notify(db, {
    due: woken.some((row) => row["owner"] === null && row["state"] === "waiting"),
    ended: false,
    attention: ownersOf(woken),
  });
}

/** The assignments that wake a run: it is due now if it waits without an owner, also once it is resumed. */
export const WAKE = `attention = attention + 1,
       due_at = case when owner is null and epoch > 0 and gate_at is null and (state = 'waiting' or state = 'paused') then :now
                     else due_at end`;

/** The runners that own rows of `runs`. */
export function ownersOf(rows: readonly Row[]): number[] {
  return [...new Set(rows.flatMap((row) => row["owner"] === null ? [] : [Number(row["owner"])]))];
}

/**
 * Keeps the children of deleted rows of a journal as history: the tasks may start others. Each is superseded by its own
 * number, so that the index has room for any number of them.
 */
export function* supersedeChildren(parent: number): Op<void> {
  yield* change(sql`
update @runs
   set superseded = seq
 where parent = ${parent} and superseded is null
   and not exists (select 1
                     from @tasks as t
                    where t.run = @runs.parent and t.task = @runs.parent_task and t.item = @runs.parent_item
                      and t.step = '')`);
}
