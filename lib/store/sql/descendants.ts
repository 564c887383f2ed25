/**
 * Control requests go downwards: they change all live descendants of a run. A request locks the row of the run first, as it
 * has to be atomic, and thus against the order of other locks (see children.ts); if it meets the end of a child at that
 * moment, Postgres rolls one of the two transactions back, and it is repeated.
 *
 * @module
 */
import type { Row } from "../shared/decode.ts";
import { endSql, hasEffectsSql, IS_HELD } from "../shared/hand_over.ts";
import type { Closing } from "../port/listing.ts";
import type { ControlRequest } from "../port/control.ts";
import { ownersOf, wakeParents } from "./children.ts";
import { type Dialect, seqs } from "./dialect.ts";
import { notify } from "./facts.ts";
import { all, change, type Op, pause, transaction, write } from "./operation.ts";
import { fill, raw, type Sql, sql } from "./statement.ts";
import { printable } from "./texts.ts";

/** Wakes the parents of runs that have ended, and cancels their live descendants, in the open transaction. */
export function* settleRelatives(db: Dialect, ended: readonly number[]): Op<void> {
  if (ended.length === 0) return;
  yield* wakeParents(db, ended);
  const { runs } = yield* readDescendants(db, ended, { request: CANCEL_WITH_PARENT });
  yield* controlRuns(db, runs, CANCEL_WITH_PARENT);
}

/** What the end of a run means for its descendants. */
export const CANCEL_WITH_PARENT: ControlRequest = { kind: "cancel", reason: "its parent run ended" };

/** The most descendants that one transaction changes, so that none holds its locks for long. */
const CONTROLLED_AT_ONCE = 1_000;

/**
 * Applies a control request to the live descendants of a run, or only to those that a task has started, in parts. A child
 * has a higher number than its parent, and the highest numbers are first: if a part is the last, as its process dies, no
 * run has ended above another that is left, and a repetition finds all of them. The ends of child runs lock rows in that
 * order, too. Before a cancel, the runs with children are held from the top down, as a parent would fail if it met the
 * end of a child that was cancelled before it.
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
export function* controlInParts(db: Dialect, { runs, parents }: Descendants, request: ControlRequest): Op<void> {
  if (request.kind === "cancel") {
    for (let from = 0; from < parents.length; from += CONTROLLED_AT_ONCE) {
      const part = parents.slice(from, from + CONTROLLED_AT_ONCE);
      yield* transaction(() => holdRuns(db, part, request));
      yield* pause();
    }
  }
  for (let end = runs.length; end > 0; end -= CONTROLLED_AT_ONCE) {
    const part = runs.slice(Math.max(0, end - CONTROLLED_AT_ONCE), end);
    yield* transaction(() => controlRuns(db, part, request));
    yield* pause();
  }
}

/** The live descendants of runs that a request changes, in ascending order. */
export interface Descendants {
  /** All of them. */
  readonly runs: readonly number[];
  /** Those that have live children. */
  readonly parents: readonly number[];
}

/** No descendants. */
export const NO_DESCENDANTS: Descendants = { runs: [], parents: [] };

/** Whether descendants are few enough to be changed in one transaction. */
export function isFew({ runs }: Descendants): boolean {
  return runs.length <= CONTROLLED_AT_ONCE;
}

/** Which descendants of runs are read. */
interface Descent {
  /** The request that they are read for: those that it changes. */
  readonly request: ControlRequest;
  /** Only those that this task has started. @default {undefined} */
  readonly task?: string | undefined;
}

/** Reads the live descendants of runs. */
export function* readDescendants(
  db: Dialect,
  parents: readonly number[],
  { request, task }: Descent,
): Op<Descendants> {
  if (parents.length === 0) return NO_DESCENDANTS;
  const live = yield* all(sql`
with recursive tree (seq, above, state, closing, owner) as (
  select seq, parent, state, closing, owner
    from @runs
   where ${db.isIn("parent", seqs(parents))} and ended_at is null${
    task === undefined ? sql`` : sql` and parent_task = ${task}`
  }
   union all
  select c.seq, c.parent, c.state, c.closing, c.owner
    from tree${
    db.each({
      as: "c",
      index: "runs_parent",
      where: sql`parent = tree.seq and ended_at is null`,
      limit: Number.MAX_SAFE_INTEGER,
    })
  }
)
select seq, above, case when ${raw(CHANGES[request.kind])} then 1 else 0 end as changes
  from tree
 order by seq`);
  const runs = live.flatMap((row) => row["changes"] === 1 ? [Number(row["seq"])] : []);
  const above = new Set(live.map((row) => Number(row["above"])));
  return { runs, parents: runs.filter((seq) => above.has(seq)) };
}

/** Which runs a request changes. A held run stays paused until its cancel ends it. */
const CHANGES: Readonly<Record<ControlRequest["kind"], string>> = {
  cancel: `(closing is null or ${IS_HELD})`,
  pause: "state <> 'paused'",
  resume: `state = 'paused' and not ${IS_HELD}`,
};

/**
 * Applies a control request to those of these runs that have not ended, in the open transaction. Returns what was changed
 * of them: the columns of `CHANGED`.
 */
export function* controlRuns(db: Dialect, runs: readonly number[], request: ControlRequest): Op<readonly Row[]> {
  if (runs.length === 0) return [];
  const changed = yield* controlOnly(db, runs, request);
  if (request.kind !== "cancel") return changed;
  // Those without an owner may have started child runs since the tree was read.
  const { runs: late } = yield* readDescendants(db, runs, { request });
  return [...changed, ...yield* controlRuns(db, late, request)];
}

/** The same for runs whose descendants are changed later. */
export function* controlOnly(db: Dialect, runs: readonly number[], request: ControlRequest): Op<readonly Row[]> {
  // A run that is claimed or released between the two updates of a cancel must not be missed by both of them.
  if (request.kind === "cancel") yield* lockRuns(db, runs);
  return yield* changeRuns(db, runs, { request, changes: changesOf(db, request) });
}

/** What a control request may change of a run. */
const CHANGED = "seq, owner, state, attention, closing, ended_at, due_at";

/** Records the cancel of these runs, and lets no runner claim those that have no owner, in the open transaction. */
function* holdRuns(db: Dialect, runs: readonly number[], request: Cancel): Op<void> {
  yield* lockRuns(db, runs);
  yield* change(sql`
update @runs
   set ${holdSql(db.now(), request)}
 where ${db.isIn("seq", seqs(runs))} and ended_at is null and owner is null and closing is null`);
  yield* changeRuns(db, runs, { request, changes: [recordCancel(request)] });
}

/** The assignments that hold a run without an owner while its descendants are being cancelled. */
export function holdSql(now: Sql, request: Cancel): Sql {
  return sql`state = 'paused', paused_at = coalesce(paused_at, ${now}), closing = ${closingOf(request)},
       reason = ${printable(request.reason)}`;
}

function* lockRuns(db: Dialect, runs: readonly number[]): Op<void> {
  yield* all(sql`
select seq
  from @runs
 where ${db.isIn("seq", seqs(runs))} and ended_at is null
 order by seq desc${db.forUpdate}`);
}

/** An update of runs that a request changes. */
interface RunChange {
  readonly set: Sql;
  readonly where: Sql;
}

interface Changes {
  readonly request: ControlRequest;
  readonly changes: readonly RunChange[];
}

function* changeRuns(db: Dialect, runs: readonly number[], { request, changes }: Changes): Op<readonly Row[]> {
  const changed: Row[] = [];
  for (const { set, where } of changes) {
    changed.push(
      ...yield* write(sql`
update @runs
   set ${set}
 where ${db.isIn("seq", seqs(runs))} and ended_at is null and ${where}
returning ${raw(CHANGED)}`),
    );
  }
  if (changed.length === 0) return changed;
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
  return changed;
}

/** The updates of a request, for runs with and without owners. */
function changesOf(db: Dialect, request: ControlRequest): readonly RunChange[] {
  const now = db.now();
  const reason = request.kind === "resume" ? undefined : printable(request.reason);
  switch (request.kind) {
    case "cancel":
      return [
        { set: cancelSql(now, request), where: raw(`owner is null and ${CHANGES.cancel}`) },
        recordCancel(request),
      ];
    case "pause":
      return [{
        set: sql`state = 'paused', paused_at = ${now}, ${RAISE},
       reason = case when closing is null then ${reason} else reason end`,
        where: raw(CHANGES.pause),
      }];
    case "resume":
      return [{ set: sql`${resumeSql(now)}, ${RAISE}`, where: raw(CHANGES.resume) }];
  }
}

/** The update of runs with owners that are cancelled: the owner of each carries it out. */
function recordCancel(request: Cancel): RunChange {
  return {
    set: sql`closing = ${closingOf(request)}, reason = ${printable(request.reason)}, attention = attention + 1`,
    where: raw("owner is not null and closing is null"),
  };
}

/** The assignments that resume a run: while it was paused its time stood still, so its deadline moves by as much. */
function resumeSql(now: Sql): Sql {
  return sql`state = case when owner is not null then 'running'
                    when epoch = 0 or due_at <= ${now} then 'pending'
                    else 'waiting' end,
       deadline_at = deadline_at + (${now} - paused_at),
       paused_at = null,
       reason = case when closing is null and stranded_by is null then null else reason end`;
}

const RAISE = raw("attention = attention + case when owner is null then 0 else 1 end");

const END_CANCELLED = endSql({ state: "'cancelled'", at: ":now", reason: ":reason" });

const HAS_EFFECTS = hasEffectsSql("@");

const CANCEL = `owner = null,
       state = case when ${HAS_EFFECTS} then 'pending' else 'cancelled' end,
       ended_at = case when ${HAS_EFFECTS} then null else :now end,
       due_at = case when ${HAS_EFFECTS} then :now else due_at end,
       stranded_by = case when ${HAS_EFFECTS} then null else stranded_by end,
       closing = case when ${HAS_EFFECTS} then 'undoCancelled' end,
       reason = :reason,
       acknowledged = attention`;

type Cancel = Extract<ControlRequest, { readonly kind: "cancel" }>;

/** The assignments that cancel runs without an owner: the compensation of those with something to undo begins. */
function cancelSql(now: Sql, { reason, compensate = true }: Cancel): Sql {
  return sql`epoch = epoch + 1, gate_at = null, ${
    fill(compensate ? CANCEL : END_CANCELLED, { now, reason: sql`${printable(reason)}` })
  }`;
}

/** What is recorded of a cancel of a run with an owner. */
function closingOf({ compensate = true }: Cancel): Closing {
  return compensate ? "cancel" : "cancelOnly";
}
