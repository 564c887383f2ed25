import type { RecordWrite, RunMove, RunWrite, WriteVerdict } from "../port/batch.ts";
import { isPlainRecord, lastResultOf } from "../shared/last_result.ts";
import { REPLACE } from "../shared/replace_record.ts";
import { endSql, MAY_COMPLETE, MAY_FAIL, releaseSql } from "../shared/hand_over.ts";
import type { Row } from "./driver.ts";
import { addFact } from "./facts.ts";
import { type ChildSite, insertChildren } from "./children.ts";
import { recordValues } from "./inserts.ts";
import type { Session } from "./session.ts";

// The fence. Every change of ownership raises the epoch, and every end or release of a run clears its owner, so that this
// condition alone distinguishes the current owner from a previous one.
const FENCED = "seq = $1 and epoch = $2 and owner is not null";

const IS_OWNED = `select 1 from runs where ${FENCED}`;

// Nearly every record is a task that completed on its first attempt. One statement reads the fence and writes the row; the
// conflict clause costs nothing unless a row exists.
const COMPLETE_TASK = `
insert into tasks as t (run, task, epoch, state, attempts, started_at, ended_at, output)
select seq, $3, epoch, 'completed', 1, $4, $5, $6
  from runs
 where ${FENCED}
${REPLACE}`;

// For a task that took less than a millisecond, as most do under load: the statement binds one value less.
const COMPLETE_TASK_AT_ONCE = COMPLETE_TASK.replace("$5, $6", "$4, $5");

const COMPLETE_ITEM = COMPLETE_TASK.replace("output)", "output, item)").replace("$6", "$6, $7");

const WRITE_RECORD = `
insert into tasks as t (run, task, item, step, epoch, state, attempts, started_at, ended_at, due_at, output, failures, reason,
                   progress, items, input)
select seq, $3, $4, $5, epoch, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16
  from runs
 where ${FENCED}
${REPLACE}`;

/** The assignments and the condition of every statement that completes runs; `last` is the task, start and output of the last result. */
export const completeSql = (
  at: string,
  [task, startedAt, output]: readonly [task: string, startedAt: string, output: string],
): { readonly set: string; readonly where: string } => ({
  set: `${endSql({ state: "'completed'", at })},
       last_task = ${task},
       last_started_at = ${startedAt},
       last_output = ${output}`,
  where: MAY_COMPLETE,
});

const COMPLETE = `
update runs
   set ${completeSql("$3", ["$4", "$5", "$6"]).set}
 where ${FENCED} and ${MAY_COMPLETE}`;

// Used instead of COMPLETE and FAIL if a cancel is recorded that the owner has not seen.
const END_CANCELLED = `
update runs
   set ${releaseSql({ now: "$3", state: "'pending'", dueAt: "$3", at: "" })}
 where ${FENCED} and not (${MAY_FAIL})
returning reason, ended_at`;

const IS_COMPLETED = `select 1 from runs where seq = $1 and epoch = $2 and state = 'completed' and ended_at = $3`;

const FAIL = `
update runs
   set ${endSql({ state: "'failed'", at: "$3" })}, error = $4
 where ${FENCED} and ${MAY_FAIL}`;

const CANCEL = `
update runs
   set ${endSql({ state: "'cancelled'", at: "$3", reason: "$4" })}
 where ${FENCED}`;

// A recorded cancel stands.
const COMPENSATE = `
update runs
   set owner = null,
       state = case when closing = 'cancelOnly' then 'cancelled' else 'pending' end,
       ended_at = case when closing = 'cancelOnly' then $3 end,
       due_at = $3,
       error = case when ${MAY_FAIL} then $5 else error end,
       reason = case when ${MAY_FAIL} then $6 else reason end,
       closing = case closing when 'cancelOnly' then closing when 'cancel' then 'undoCancelled' else $4 end,
       acknowledged = attention
 where ${FENCED}`;

// A paused run stays paused until its owner ends it.
const KEEP = `
update runs
   set state = case state when 'paused' then 'paused' else $3 end, due_at = $4
 where ${FENCED}`;

const GO_ON = `
update runs
   set state = case state when 'paused' then 'paused' else 'running' end
 where ${FENCED}`;

const RELEASE = `
update runs
   set ${releaseSql({ now: "$4", state: "$3", dueAt: "$5", seen: "$8", at: "" })},
       stranded_by = $6,
       reason = case when closing is null then coalesce($7, reason) else reason end
 where ${FENCED}`;

const OWNER = `select owner from runs where seq = $1`;

const IS_PENDING = `select 1 from runs where seq = $1 and state = 'pending'`;

const ACKNOWLEDGE = `update runs set acknowledged = $3 where ${FENCED} and acknowledged < $3`;

/** Applies all writes of a run or, if the run has another owner or has ended, none. */
export function writeRun(session: Session, write: RunWrite, site: ChildSite): WriteVerdict {
  const last = lastResultOf(write);
  for (const record of write.records) {
    if (record === last) continue;
    // The fence cannot change inside a transaction: if the first record passes it, all records do.
    if (!writeRecord(session, write, record)) return "fenced";
  }
  if (write.children !== undefined && write.children.length > 0) insertChildren(session, write, site);
  if (write.seen !== undefined) session.run(ACKNOWLEDGE, write.seq, write.epoch, write.seen);
  if (write.move?.to === "completed") return completeRun(session, write, write.move.at);
  if (write.move?.to === "failed") return failRun(session, write, write.move);
  if (write.move) return move(session, write, write.move, site.now) ? "accepted" : "fenced";
  return write.records.length > 0 || isOwned(session, write) ? "accepted" : "fenced";
}

/** Completes a run. A repeated call, for example after a group that was not fully written, returns the same result. */
export function completeRun(session: Session, write: RunWrite, endedAt: number): WriteVerdict {
  const { seq, epoch } = write;
  const last = lastResultOf(write);
  const values = [seq, epoch, endedAt, last?.task, last?.startedAt, last?.output];
  if (session.run(COMPLETE, ...values).changes === 1) return "accepted";
  // A recorded cancel ends the run otherwise, and the result is kept.
  if (last !== undefined) writeRecord(session, write, last);
  return endCancelled(session, { seq, epoch }, endedAt) ??
    (session.get(IS_COMPLETED, seq, epoch, endedAt) === undefined ? "fenced" : "accepted");
}

function failRun(session: Session, { seq, epoch }: Fence, { at, error }: Failed): WriteVerdict {
  if (session.run(FAIL, seq, epoch, at, JSON.stringify(error)).changes === 1) return "accepted";
  return endCancelled(session, { seq, epoch }, at) ?? "fenced";
}

/** Ends a run with a recorded cancel, or begins its compensation; returns `undefined` if none is recorded. */
function endCancelled(session: Session, { seq, epoch }: Fence, at: number): WriteVerdict | undefined {
  const [cancelled] = session.returning(END_CANCELLED, seq, epoch, at);
  if (cancelled === undefined) return undefined;
  const isCompensating = cancelled["ended_at"] === null;
  return { cancelled: { reason: reasonOf(cancelled), ...(isCompensating ? { isCompensating } : {}) } };
}

function reasonOf({ reason }: Row): string | undefined {
  return typeof reason === "string" ? reason : undefined;
}

/** Writes a row of the journal; returns false if it was fenced. A repeated call changes nothing. */
export function writeRecord(session: Session, { seq, epoch }: RunWrite, record: RecordWrite): boolean {
  const { changes } = !isPlainRecord(record)
    ? session.run(WRITE_RECORD, seq, epoch, ...recordValues(record))
    : record.item >= 0
    ? session.run(COMPLETE_ITEM, seq, epoch, record.task, record.startedAt, record.endedAt, record.output, record.item)
    : record.startedAt === record.endedAt
    ? session.run(COMPLETE_TASK_AT_ONCE, seq, epoch, record.task, record.startedAt, record.output)
    : session.run(COMPLETE_TASK, seq, epoch, record.task, record.startedAt, record.endedAt, record.output);
  // No change: the write was fenced, or the row is already terminal and is kept.
  return changes === 1 || isOwned(session, { seq, epoch });
}

/** Returns whether the run is still owned under its epoch. */
export function isOwned(session: Session, { seq, epoch }: Fence): boolean {
  return session.get(IS_OWNED, seq, epoch) !== undefined;
}

type Failed = Extract<RunMove, { readonly to: "failed" }>;
type Move = Exclude<RunMove, { readonly to: "completed" } | Failed>;
type Fence = Pick<RunWrite, "seq" | "epoch">;

function move(session: Session, write: RunWrite, move: Move, now: number): boolean {
  const owner = move.to === "pending" ? session.get(OWNER, write.seq)?.["owner"] : undefined;
  const changed = change(session, write, move, now);
  if (changed && move.to === "stranded") {
    addFact(session, write.seq, { kind: "stranded", at: now, detail: move.reason });
  }
  // A paused run, or one of which a cancel is recorded, is not handed back.
  if (changed && move.to === "pending" && session.get(IS_PENDING, write.seq) !== undefined) {
    addFact(session, write.seq, { kind: "handBack", at: now, detail: String(owner) });
  }
  return changed;
}

function change(session: Session, { seq, epoch, seen = 0 }: RunWrite, move: Move, now: number): boolean {
  switch (move.to) {
    case "cancelled":
      return session.run(CANCEL, seq, epoch, move.at, move.reason).changes === 1;
    case "compensating": {
      const { end } = move;
      return end.state === "failed"
        ? session.run(COMPENSATE, seq, epoch, now, "undoFailed", JSON.stringify(end.error), null).changes === 1
        : session.run(COMPENSATE, seq, epoch, now, "undoCancelled", null, end.reason).changes === 1;
    }
    case "running":
      return session.run(GO_ON, seq, epoch).changes === 1;
    case "waiting":
      return move.release
        ? session.run(RELEASE, seq, epoch, "waiting", now, move.dueAt, null, null, seen).changes === 1
        : session.run(KEEP, seq, epoch, "waiting", move.dueAt).changes === 1;
    case "pending":
      return session.run(RELEASE, seq, epoch, "pending", now, now, null, null, seen).changes === 1;
    case "stranded":
      return session.run(RELEASE, seq, epoch, "pending", now, now, move.by, move.reason, seen).changes === 1;
  }
}
