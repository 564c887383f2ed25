/**
 * Changes of a run from outside. They are columns of its row, so that its owner reads what holds now: nothing can be lost
 * on the way, and nothing happens twice.
 *
 * The row is locked first, and its owner read then. An unowned run is changed at once. For an owned run `attention` is
 * raised and the owner notified; it applies the change and acknowledges with its next write. The runs of a dead owner
 * are released first.
 *
 * A few descendants are changed in the same transaction. Many are changed in parts, each of which may be the last, as the
 * process may die: a repetition of the request changes the others. So a run is paused before them, and resumed after
 * them. Of runs with children that are cancelled the cancel is recorded first: an unowned one is held, so that nothing
 * claims it, and ends after them. A resume does not lift that hold, as some of the run's children may have been cancelled:
 * it finishes the cancel, whose process may have died.
 *
 * @module
 */
import type { Acknowledgement, ControlledRun, ControlRequest, ControlResult } from "../port/control.ts";
import type { RunSelection } from "../port/listing.ts";
import type { RunRow } from "../port/store.ts";
import type { InboxEntry } from "../port/runners.ts";
import type { Row } from "../shared/decode.ts";
import { isHeld } from "../shared/hand_over.ts";
import { decodeRun, SINGLE_COLUMNS } from "../shared/run_rows.ts";
import { hasMessages, hasMessagesSql } from "../port/messages.ts";
import { controlChildren, controlOnly, controlRuns, holdSql, isFew, readDescendants } from "./descendants.ts";
import type { Dialect } from "./dialect.ts";
import { all, first, type Op, pause, transaction, write } from "./operation.ts";
import { declareDeadIfSilent, recoverRun } from "./recovery.ts";
import { selected } from "./run_filter.ts";
import { raw, type Sql, sql } from "./statement.ts";
import { isUuid } from "./texts.ts";

/** Changes a run from outside. */
export function* control(db: Dialect, runId: string, request: ControlRequest): Op<ControlResult> {
  if (!isUuid(runId)) return { kind: "unknown" };
  let begun: ControlRequest | undefined;
  for (;;) {
    const { result, left } = yield* transaction(function* (isDoubtful): Op<Changed> {
      const changed = yield* change(db, runId, request);
      const { result } = changed;
      // An earlier try of this transaction has done it, and its answer was lost, or another process has finished it.
      const mayBeDone = begun?.kind === "cancel" || (isDoubtful && request.kind === "cancel");
      return mayBeDone && result?.kind === "ended" && result.state === "cancelled"
        ? { result: { kind: "done", state: "cancelled", owner: undefined, attention: 0 }, left: undefined }
        : changed;
    });
    if (left !== undefined) yield* controlChildren(db, left.seq, left.request, undefined);
    if (result !== undefined) return result;
    begun = left?.request;
  }
}

/**
 * Changes those of the selected runs that match and have not ended, as `control()` does each of them: all in one
 * transaction, but for those with many descendants, with a dead owner or held ones, which are changed one by one.
 */
export function* controlMany(
  db: Dialect,
  selection: RunSelection,
  request: ControlRequest,
): Op<readonly ControlledRun[]> {
  const { changed, apart } = yield* transaction(() => changeMany(db, selection, request));
  const all = [...changed];
  for (const { id, isDone } of apart) {
    yield* pause();
    const result = yield* control(db, id, request);
    if (result.kind === "done" && !isDone) all.push({ ...result, id });
  }
  return all;
}

/** What a transaction has done with several runs. */
interface ManyChanged {
  readonly changed: readonly ControlledRun[];
  /** The runs that are left, and whether only their descendants are. */
  readonly apart: readonly { readonly id: string; readonly isDone: boolean }[];
}

function* changeMany(db: Dialect, selection: RunSelection, request: ControlRequest): Op<ManyChanged> {
  const found = yield* lock(db, sql`${selected(db, selection)} and ended_at is null`);
  // A repeated pause reaches the descendants that an earlier one has not.
  const wanted = found.filter(({ run }) => request.kind === "pause" || !isDone(run, request));
  const dead = new Set<number>();
  for (const owner of new Set(wanted.flatMap(({ run }) => run.owner ?? []))) {
    if (yield* declareDeadIfSilent(db, owner)) dead.add(owner);
  }
  const isSimple = ({ run }: Locked): boolean => !isHeld(run) && (run.owner === undefined || !dead.has(run.owner));
  const simple = wanted.filter(isSimple);
  const live = yield* readDescendants(db, simple.map(({ run }) => run.seq), { request });
  const chosen = isFew(live) ? simple : [];
  const rows = chosen.length === 0
    ? []
    : yield* controlRuns(db, [...new Set([...chosen.map(({ run }) => run.seq), ...live.runs])], request);
  const changed = new Map(rows.map((row) => [Number(row["seq"]), row]));
  // What happens to a run with one of its ancestors is a part of the change of that one.
  const descendants = new Set(live.runs);
  return {
    changed: chosen.flatMap((locked) => {
      const row = descendants.has(locked.run.seq) ? undefined : changed.get(locked.run.seq);
      return row === undefined ? [] : [{ id: locked.run.id, ...resultOf(locked, row) }];
    }),
    apart: wanted.filter((locked) => !chosen.includes(locked))
      .map(({ run }) => ({ id: run.id, isDone: isDone(run, request) })),
  };
}

/** The runs of a runner that were changed from outside since it last acknowledged. */
export function* readInbox(runner: number): Op<readonly InboxEntry[]> {
  const rows = yield* all(sql`select ${raw(inboxColumns("@"))} from ${INBOX} and notified = ${runner}`);
  return rows.map(decodeInboxEntry);
}

/** Whether the owners of runs have acknowledged their changes, or the runs have no owners any more. */
export function* areAcknowledged(db: Dialect, changes: readonly Acknowledgement[]): Op<boolean> {
  const awaited = db.rows("c", {
    id: { type: "uuid", items: changes.map(({ id }) => id) },
    raised: { type: "integer", items: changes.map(({ attention }) => attention) },
  });
  const open = yield* first(sql`
select 1 as one
  from ${awaited}
 cross join @runs as r
 where r.id = c.id and r.owner is not null and r.acknowledged < c.raised
 limit 1`);
  return open === undefined;
}

/** The columns of `runs` that `decodeInboxEntry` reads; `at` stands before the names of tables. */
export function inboxColumns(at: "@" | ""): string {
  return `seq, attention, state, closing, reason, ${hasMessagesSql(`${at}messages`)}`;
}

const INBOX = raw("@runs indexed by runs_notified where notified is not null");

/** A run that was changed from outside. */
export function decodeInboxEntry(row: Row): InboxEntry {
  return {
    seq: Number(row["seq"]),
    attention: Number(row["attention"]),
    cancel: row["closing"] === "cancel" || row["closing"] === "cancelOnly"
      ? {
        reason: row["reason"] === null ? undefined : String(row["reason"]),
        compensate: row["closing"] === "cancel",
      }
      : undefined,
    paused: row["state"] === "paused",
    hasMessages: hasMessages(row),
  };
}

/** A run whose row is locked. */
interface Locked {
  readonly row: Row;
  readonly run: RunRow;
  readonly attention: number;
}

// The highest numbers are first, as in other transactions that lock several runs (see descendants.ts).
function* lock(db: Dialect, where: Sql): Op<readonly Locked[]> {
  const rows = yield* all(sql`
select ${raw(SINGLE_COLUMNS)}, attention
  from @runs
 where ${where}
 order by seq desc${db.forUpdate}`);
  return rows.map((row) => ({ row, run: decodeRun(row), attention: Number(row["attention"]) }));
}

/** Locks the row of a run; a run of a dead owner is released first. */
function* lockLive(db: Dialect, runId: string): Op<Locked | undefined> {
  const [locked] = yield* lock(db, sql`id = ${runId}`);
  const owner = locked?.run.owner;
  if (locked === undefined || owner === undefined || !(yield* declareDeadIfSilent(db, owner))) return locked;
  yield* recoverRun(db, locked.run.seq);
  return (yield* lock(db, sql`id = ${runId}`))[0];
}

/** Locks the row of a run in the open transaction; a run of a dead owner is released first. */
export function* lockRun(db: Dialect, runId: string): Op<RunRow | undefined> {
  return (yield* lockLive(db, runId))?.run;
}

/** What a transaction has done. */
interface Changed {
  /** The result; `undefined` if the run itself is to be changed after its descendants. */
  readonly result: ControlResult | undefined;
  /** The run whose descendants are still to be changed, and how. */
  readonly left: { readonly seq: number; readonly request: ControlRequest } | undefined;
}

function* change(db: Dialect, runId: string, requested: ControlRequest): Op<Changed> {
  const locked = yield* lockLive(db, runId);
  if (locked === undefined) return { result: { kind: "unknown" }, left: undefined };
  const { run, attention } = locked;
  const request = requested.kind === "resume" && isHeld(run) ? recordedCancel(run) : requested;
  if (run.endedAt !== undefined) return { result: { kind: "ended", state: run.state }, left: undefined };
  // An earlier pause may not have reached all descendants.
  if (isDone(run, request) && request.kind !== "pause") {
    return { result: { kind: "done", state: run.state, owner: run.owner, attention }, left: undefined };
  }
  const live = yield* readDescendants(db, [run.seq], { request });
  const left = isFew(live) ? undefined : { seq: run.seq, request };
  const isLast = request.kind === "resume" || (request.kind === "cancel" && run.owner === undefined);
  if (left !== undefined && isLast) {
    if (request.kind === "cancel") {
      yield* write(sql`update @runs set ${holdSql(db.now(), request)} where seq = ${run.seq} returning seq`);
    }
    return { result: undefined, left };
  }
  const rows = left === undefined
    ? yield* controlRuns(db, [run.seq, ...live.runs], request)
    : yield* controlOnly(db, [run.seq], request);
  return { result: resultOf(locked, rows.find((row) => Number(row["seq"]) === run.seq)), left };
}

/** The request of a cancel that is recorded in the row of a run. */
function recordedCancel({ reason, closing }: RunRow): ControlRequest {
  return { kind: "cancel", reason, compensate: closing === "cancel" };
}

/** The result of a change; without a changed row the run was so before. */
function resultOf(
  { row, run, attention }: Locked,
  changed: Row | undefined,
): Extract<ControlResult, { readonly kind: "done" }> {
  const { state } = decodeRun({ ...row, ...changed });
  return { kind: "done", state, owner: run.owner, attention: Number(changed?.["attention"] ?? attention) };
}

/** Whether a request leaves a run as it is. */
function isDone(run: RunRow, request: ControlRequest): boolean {
  switch (request.kind) {
    case "cancel":
      return run.closing !== undefined && !isHeld(run);
    case "pause":
      return run.state === "paused";
    case "resume":
      return run.state !== "paused";
  }
}
