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
import type { ControlRequest, ControlResult } from "../control.ts";
import type { RunRow } from "../port.ts";
import type { InboxEntry } from "../runners.ts";
import type { Row } from "../decode.ts";
import { isHeld } from "../hand_over.ts";
import { decodeRun, SINGLE_COLUMNS } from "../run_rows.ts";
import { hasMessages, hasMessagesSql } from "../messages.ts";
import { wakeParents } from "./children.ts";
import {
  cancelSql,
  closingOf,
  controlChildren,
  controlRuns,
  holdSql,
  isFew,
  readDescendants,
  resumeSql,
} from "./descendants.ts";
import type { Dialect } from "./dialect.ts";
import { addFact, notify } from "./facts.ts";
import { all, first, type Op, transaction, write } from "./operation.ts";
import { declareDeadIfSilent, recoverRun } from "./recovery.ts";
import { raw, type Sql, sql } from "./statement.ts";
import { isUuid, printable } from "./texts.ts";

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

/** The runs of a runner that were changed from outside since it last acknowledged. */
export function* readInbox(runner: number): Op<readonly InboxEntry[]> {
  const rows = yield* all(sql`select ${raw(inboxColumns("@"))} from ${INBOX} and notified = ${runner}`);
  return rows.map(decodeInboxEntry);
}

/** Whether the owner of a run has acknowledged `attention`, or the run has no owner any more. */
export function* isAcknowledged(runId: string, attention: number): Op<boolean> {
  const open = yield* first(sql`
select 1 as one from @runs where id = ${runId} and owner is not null and acknowledged < ${attention}`);
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

function* lock(db: Dialect, runId: string): Op<Locked | undefined> {
  const row = yield* first(sql`
select ${raw(SINGLE_COLUMNS)}, attention
  from @runs
 where id = ${runId}${db.forUpdate}`);
  return row && { row, run: decodeRun(row), attention: Number(row["attention"]) };
}

/** Locks the row of a run; a run of a dead owner is released first. */
function* lockLive(db: Dialect, runId: string): Op<Locked | undefined> {
  const locked = yield* lock(db, runId);
  const owner = locked?.run.owner;
  if (locked === undefined || owner === undefined || !(yield* declareDeadIfSilent(db, owner))) return locked;
  yield* recoverRun(db, locked.run.seq);
  return yield* lock(db, runId);
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
  const assignments = assignmentsOf(db, run, request);
  // An earlier pause may not have reached all descendants.
  if (assignments === undefined && request.kind !== "pause") {
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
  const result = assignments === undefined
    ? { kind: "done", state: run.state, owner: run.owner, attention } as const
    : yield* changeRun(db, locked, request, assignments);
  if (left === undefined) yield* controlRuns(db, live.runs, request);
  return { result, left };
}

/** The request of a cancel that is recorded in the row of a run. */
function recordedCancel({ reason, closing }: RunRow): ControlRequest {
  return { kind: "cancel", reason, compensate: closing === "cancel" };
}

function* changeRun(db: Dialect, { row, run }: Locked, request: ControlRequest, assignments: Sql): Op<ControlResult> {
  const [changed] = yield* write(sql`
update @runs
   set ${assignments}
 where seq = ${run.seq}
returning state, attention, closing, ended_at, due_at`);
  const hasEnded = changed?.["ended_at"] !== null;
  yield* addFact(db, run.seq, { kind: request.kind, detail: request.kind === "resume" ? undefined : request.reason });
  if (run.parent !== undefined && run.owner === undefined && request.kind === "cancel") {
    yield* wakeParents(db, [run.seq]);
  }
  yield* notify(db, {
    due: run.owner === undefined && (request.kind === "resume" || (request.kind === "cancel" && !hasEnded)),
    ended: hasEnded,
    attention: run.owner === undefined ? [] : [run.owner],
  });
  const { state } = decodeRun({ ...row, ...changed });
  return { kind: "done", state, owner: run.owner, attention: Number(changed?.["attention"]) };
}

/** The assignments of a change; `undefined` if there is nothing to change. */
function assignmentsOf(db: Dialect, run: RunRow, request: ControlRequest): Sql | undefined {
  const isOwned = run.owner !== undefined;
  const attention = raw(isOwned ? "attention + 1" : "attention");
  const reason = request.kind === "resume" ? undefined : printable(request.reason);
  switch (request.kind) {
    case "cancel":
      if (run.closing !== undefined && !isHeld(run)) return undefined;
      if (!isOwned) return cancelSql(db.now(), request);
      return sql`closing = ${closingOf(request)}, reason = ${reason}, attention = ${attention}`;
    case "pause":
      if (run.state === "paused") return undefined;
      return sql`state = 'paused',
       paused_at = ${db.now()},
       reason = case when closing is null then ${reason} else reason end,
       attention = ${attention}`;
    case "resume":
      if (run.state !== "paused") return undefined;
      return sql`${resumeSql(db.now())}, attention = ${attention}`;
  }
}
