import type { JournalRecord, RunMove, RunWrite, WriteVerdict } from "../batch.ts";
import { endSql, MAY_COMPLETE, releaseSql } from "../hand_over.ts";
import type { Row } from "./driver.ts";
import { addFact } from "./facts.ts";
import { recordValues } from "./inserts.ts";
import type { Session } from "./session.ts";

// The fence. Every change of hands raises the epoch, and whoever ends or releases a run clears its owner, so that
// this alone tells a live owner from a late one.
const FENCED = "seq = $1 and epoch = $2 and owner is not null";

const IS_OWNED = `select 1 from runs where ${FENCED}`;

const UPDATABLE = "tasks.state = 'running' or tasks.state = 'waiting' or tasks.state = 'pending'";

/** What becomes of a plain record whose row is there already, for groups of them too. */
export const UNLESS_TERMINAL = `
    on conflict (run, task, item, step) do update
   set epoch = excluded.epoch,
       state = excluded.state,
       attempts = excluded.attempts,
       started_at = excluded.started_at,
       ended_at = excluded.ended_at,
       due_at = null,
       output = excluded.output,
       failures = null,
       reason = null,
       progress = null
 where ${UPDATABLE}`;

// What nearly every record is: a task that completed at its first attempt. Reading the fence and writing the row are
// one statement; that a row may be there already costs nothing until one is.
const COMPLETE_TASK = `
insert into tasks (run, task, epoch, state, attempts, started_at, ended_at, output)
select seq, $3, epoch, 'completed', 1, $4, $5, $6
  from runs
 where ${FENCED}
${UNLESS_TERMINAL}`;

// The same for one that took less than a millisecond, as most do under load: a value less to bind.
const COMPLETE_TASK_AT_ONCE = COMPLETE_TASK.replace("$5, $6", "$4, $5");

const WRITE_RECORD = `
insert into tasks (run, task, item, step, epoch, state, attempts, started_at, ended_at, due_at, output, failures, reason,
                   progress)
select seq, $3, $4, $5, epoch, $6, $7, $8, $9, $10, $11, $12, $13, $14
  from runs
 where ${FENCED}
    on conflict (run, task, item, step) do update
   set epoch = excluded.epoch,
       state = excluded.state,
       attempts = excluded.attempts,
       started_at = excluded.started_at,
       ended_at = excluded.ended_at,
       due_at = excluded.due_at,
       output = excluded.output,
       failures = excluded.failures,
       reason = excluded.reason,
       progress = excluded.progress
 where ${UPDATABLE}`;

/** The assignments and the condition of every statement that completes runs. */
export const completeSql = (at: string): { readonly set: string; readonly where: string } => ({
  set: endSql({ state: "'completed'", at }),
  where: MAY_COMPLETE,
});

const COMPLETE = `
update runs
   set ${completeSql("$3").set}
 where ${FENCED} and ${completeSql("$3").where}`;

// In place of that where a cancel is recorded that the owner has not seen.
const COMPLETE_CANCELLED = `
update runs
   set ${endSql({ state: "'cancelled'", at: "$3", reason: "reason" })}
 where ${FENCED} and not (${MAY_COMPLETE})
returning reason`;

const IS_COMPLETED = `select 1 from runs where seq = $1 and epoch = $2 and state = 'completed' and ended_at = $3`;

const FAIL = `
update runs
   set ${endSql({ state: "'failed'", at: "$3" })}, error = $4
 where ${FENCED}`;

const CANCEL = `
update runs
   set ${endSql({ state: "'cancelled'", at: "$3", reason: "$4" })}
 where ${FENCED}`;

// A paused run stays so, whatever its owner does with it short of ending it.
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
   set ${releaseSql({ now: "$4", state: "$3", dueAt: "$5", seen: "$8" })},
       stranded_by = $6,
       reason = case when cancel_at is null then coalesce($7, reason) else reason end
 where ${FENCED}`;

const ACKNOWLEDGE = `update runs set acknowledged = $3 where ${FENCED} and acknowledged < $3`;

/** Writes what one run has to write: all of it or, if somebody else owns the run by now, nothing. */
export function writeRun(session: Session, write: RunWrite, now: number): WriteVerdict {
  for (const record of write.records) {
    // The fence cannot change inside of a transaction: if the first one passes it, all do.
    if (!writeRecord(session, write, record)) return "fenced";
  }
  if (write.seen !== undefined) session.run(ACKNOWLEDGE, write.seq, write.epoch, write.seen);
  if (write.move?.to === "completed") return completeRun(session, write, write.move.at);
  if (write.move) return move(session, write, write.move, now) ? "accepted" : "fenced";
  return write.records.length > 0 || isOwned(session, write) ? "accepted" : "fenced";
}

/** Completes a run. Doing it again, as after a group that was not taken whole, has the same result. */
export function completeRun(session: Session, { seq, epoch }: RunWrite, endedAt: number): WriteVerdict {
  if (session.run(COMPLETE, seq, epoch, endedAt).changes === 1) return "accepted";
  const [cancelled] = session.returning(COMPLETE_CANCELLED, seq, epoch, endedAt);
  if (cancelled !== undefined) return { cancelled: { reason: reasonOf(cancelled) } };
  return session.get(IS_COMPLETED, seq, epoch, endedAt) === undefined ? "fenced" : "accepted";
}

function reasonOf({ reason }: Row): string | undefined {
  return typeof reason === "string" ? reason : undefined;
}

/** Writes a row of the journal; false if it was fenced. Doing it again changes nothing. */
export function writeRecord(session: Session, { seq, epoch }: RunWrite, record: JournalRecord): boolean {
  const { changes } = !isPlainRecord(record)
    ? session.run(WRITE_RECORD, seq, epoch, ...recordValues(record))
    : record.startedAt === record.endedAt
    ? session.run(COMPLETE_TASK_AT_ONCE, seq, epoch, record.task, record.startedAt, record.output)
    : session.run(COMPLETE_TASK, seq, epoch, record.task, record.startedAt, record.endedAt, record.output);
  // No change: fenced, or the row is terminal already and stands.
  return changes === 1 || isOwned(session, { seq, epoch });
}

/** Whether a record says no more than that a task completed at its first attempt. */
export function isPlainRecord(record: JournalRecord): boolean {
  return record.state === "completed" && record.attempts === 1 && record.item === -1 && record.step === "" &&
    record.failures.length === 0 && record.reason === undefined && record.dueAt === undefined &&
    record.progress === undefined;
}

/** Whether the run is still owned under its epoch. */
export function isOwned(session: Session, { seq, epoch }: { readonly seq: number; readonly epoch: number }): boolean {
  return session.get(IS_OWNED, seq, epoch) !== undefined;
}

type Move = Exclude<RunMove, { readonly to: "completed" }>;

function move(session: Session, write: RunWrite, move: Move, now: number): boolean {
  const changed = change(session, write, move, now);
  if (changed && move.to === "stranded") {
    addFact(session, write.seq, { kind: "stranded", at: now, detail: move.reason });
  }
  return changed;
}

function change(session: Session, { seq, epoch, seen = 0 }: RunWrite, move: Move, now: number): boolean {
  switch (move.to) {
    case "failed":
      return session.run(FAIL, seq, epoch, move.at, JSON.stringify(move.error)).changes === 1;
    case "cancelled":
      return session.run(CANCEL, seq, epoch, move.at, move.reason).changes === 1;
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
