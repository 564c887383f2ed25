/**
 * Child runs and their parents. Upwards, the end of a run wakes its parent, in the transaction that ends the run.
 * Downwards, a control request changes all live descendants of a run.
 *
 * Locks are taken upwards: the row of a run before that of its parent. A control request takes them downwards, as it has
 * to be atomic; if it meets the end of a child at that moment, Postgres rolls one of the two transactions back, and it
 * is repeated.
 *
 * @module
 */
import { CHILD_ENDS_AT_ONCE, type ChildEnd, type ChildWait } from "../children.ts";
import type { Row } from "../decode.ts";
import { endSql, mayUndoSql } from "../hand_over.ts";
import type { Closing, ListedRun } from "../listing.ts";
import type { ControlRequest } from "../port.ts";
import { decodeListedRun, LISTED_COLUMNS } from "../run_rows.ts";
import { type Dialect, seqs } from "./dialect.ts";
import { notify } from "./facts.ts";
import { all, change, type Op, pause, transaction, write } from "./operation.ts";
import { fill, raw, type Sql, sql } from "./statement.ts";
import { printable } from "./texts.ts";

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
  yield* notify(db, {
    due: woken.some((row) => row["owner"] === null && row["state"] === "waiting"),
    ended: false,
    attention: ownersOf(woken),
  });
}

/** The assignments that wake a run: it is due now if it waits without an owner, also once it is resumed. */
export const WAKE = `attention = attention + 1,
       due_at = case when owner is null and epoch > 0 and (state = 'waiting' or state = 'paused') then :now
                     else due_at end`;

/** Wakes the parents of runs that have ended, and cancels their live descendants, in the open transaction. */
export function* settleRelatives(db: Dialect, ended: readonly number[]): Op<void> {
  if (ended.length === 0) return;
  yield* wakeParents(db, ended);
  const live = yield* readDescendants(db, ended, { request: CANCEL_WITH_PARENT });
  yield* controlRuns(db, live, CANCEL_WITH_PARENT);
}

/** What the end of a run means for its descendants. */
export const CANCEL_WITH_PARENT: ControlRequest = { kind: "cancel", reason: "its parent run ended" };

/** The most descendants that one transaction changes, so that none holds its locks for long. */
const CONTROLLED_AT_ONCE = 1_000;

/**
 * Applies a control request to the live descendants of a run, or only to those that a task has started, in parts. A child
 * has a higher number than its parent, and the highest numbers are first: if a part is the last, as its process dies, no
 * run has ended above another that is left, and a repetition finds all of them. The ends of child runs lock rows in that
 * order, too.
 */
export function* controlChildren(
  db: Dialect,
  parent: number,
  request: ControlRequest,
  task: string | undefined,
): Op<void> {
  yield* controlInParts(db, yield* readDescendants(db, [parent], { task, request }), request);
}

/** Applies a control request to descendants, as `readDescendants()` returns them, in parts. */
export function* controlInParts(db: Dialect, live: readonly number[], request: ControlRequest): Op<void> {
  for (let end = live.length; end > 0; end -= CONTROLLED_AT_ONCE) {
    const part = live.slice(Math.max(0, end - CONTROLLED_AT_ONCE), end);
    yield* transaction(() => controlRuns(db, part, request));
    yield* pause();
  }
}

/** Whether descendants are few enough to be changed in one transaction. */
export function isFew(runs: readonly number[]): boolean {
  return runs.length <= CONTROLLED_AT_ONCE;
}

/** Which descendants of runs are read. */
interface Descent {
  /** The request that they are read for: those that it changes. */
  readonly request: ControlRequest;
  /** Only those that this task has started. @default {undefined} */
  readonly task?: string | undefined;
}

/** Returns the live descendants of runs that a request changes, in ascending order. */
export function* readDescendants(
  db: Dialect,
  parents: readonly number[],
  { request, task }: Descent,
): Op<readonly number[]> {
  if (parents.length === 0) return [];
  const live = yield* all(sql`
with recursive tree (seq, state, closing) as (
  select seq, state, closing
    from @runs
   where ${db.isIn("parent", seqs(parents))} and ended_at is null${
    task === undefined ? sql`` : sql` and parent_task = ${task}`
  }
   union all
  select c.seq, c.state, c.closing
    from tree${
    db.each({
      as: "c",
      index: "runs_parent",
      where: sql`parent = tree.seq and ended_at is null`,
      limit: Number.MAX_SAFE_INTEGER,
    })
  }
)
select seq from tree where ${raw(CHANGES[request.kind])} order by seq`);
  return live.map((row) => Number(row["seq"]));
}

/** Which runs a request changes. */
const CHANGES: Readonly<Record<ControlRequest["kind"], string>> = {
  cancel: "closing is null",
  pause: "state <> 'paused'",
  resume: "state = 'paused'",
};

/** Applies a control request to those of these runs that have not ended, in the open transaction. */
export function* controlRuns(db: Dialect, runs: readonly number[], request: ControlRequest): Op<void> {
  if (runs.length === 0) return;
  const among = db.isIn("seq", seqs(runs));
  const changed: Row[] = [];
  for (const { set, where } of changesOf(db, request)) {
    changed.push(
      ...yield* write(sql`
update @runs
   set ${set}
 where ${among} and ended_at is null and ${where}
returning seq, owner, state, ended_at`),
    );
  }
  if (changed.length === 0) return;
  const noted = { type: "bigint", items: changed.map((row) => Number(row["seq"])) } as const;
  const detail = request.kind === "resume" ? undefined : printable(request.reason);
  yield* change(sql`
insert into @events (run, kind, at, detail)
select run, ${request.kind}, ${db.now()}, ${detail}
  from ${db.rows("controlled", { run: noted })}`);
  const ended = changed.filter((row) => row["ended_at"] !== null);
  yield* notify(db, {
    due: request.kind !== "pause" && changed.some((row) => row["owner"] === null && row["ended_at"] === null),
    ended: ended.length > 0,
    attention: ownersOf(changed),
  });
  yield* wakeParents(db, ended.map((row) => Number(row["seq"])));
}

/** The updates of a request. Like those of a single run (see control.ts), but for runs with and without owners. */
function changesOf(db: Dialect, request: ControlRequest): readonly { readonly set: Sql; readonly where: Sql }[] {
  const now = db.now();
  const reason = request.kind === "resume" ? undefined : printable(request.reason);
  switch (request.kind) {
    case "cancel":
      return [
        { set: cancelSql(now, request), where: raw("owner is null and closing is null") },
        {
          set: sql`closing = ${closingOf(request)}, reason = ${reason}, attention = attention + 1`,
          where: raw("owner is not null and closing is null"),
        },
      ];
    case "pause":
      return [{
        set: sql`state = 'paused', paused_at = ${now}, ${RAISE},
       reason = case when closing is null then ${reason} else reason end`,
        where: raw("state <> 'paused'"),
      }];
    case "resume":
      return [{ set: sql`${resumeSql(now)}, ${RAISE}`, where: raw("state = 'paused'") }];
  }
}

/** The assignments that resume a run: while it was paused its time stood still, so its deadline moves by as much. */
export function resumeSql(now: Sql): Sql {
  return sql`state = case when owner is not null then 'running'
                    when epoch = 0 or due_at <= ${now} then 'pending'
                    else 'waiting' end,
       deadline_at = deadline_at + (${now} - paused_at),
       paused_at = null,
       reason = case when closing is null and stranded_by is null then null else reason end`;
}

const RAISE = raw("attention = attention + case when owner is null then 0 else 1 end");

const END_CANCELLED = endSql({ state: "'cancelled'", at: ":now", reason: ":reason" });

const CANCEL = `owner = null,
       state = case when ${mayUndoSql("@")} then 'pending' else 'cancelled' end,
       ended_at = case when ${mayUndoSql("@")} then null else :now end,
       due_at = case when ${mayUndoSql("@")} then :now else due_at end,
       stranded_by = case when ${mayUndoSql("@")} then null else stranded_by end,
       closing = case when ${mayUndoSql("@")} then 'undoCancelled' end,
       reason = :reason,
       acknowledged = attention`;

type Cancel = Extract<ControlRequest, { readonly kind: "cancel" }>;

/** The assignments that cancel runs without an owner: the compensation of those with something to undo begins. */
export function cancelSql(now: Sql, { reason, compensate = true }: Cancel): Sql {
  return sql`epoch = epoch + 1, ${
    fill(compensate ? CANCEL : END_CANCELLED, { now, reason: sql`${printable(reason)}` })
  }`;
}

/** What is recorded of a cancel of a run with an owner. */
export function closingOf({ compensate = true }: Cancel): Closing {
  return compensate ? "cancel" : "cancelOnly";
}

function ownersOf(rows: readonly Row[]): number[] {
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
