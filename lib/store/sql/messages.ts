/**
 * Messages to tasks of a run: payloads of events, and decisions about blocked attempts. An event, and each blocked
 * attempt, has one mailbox for one row: the message that was sent first, or the mark of an owner that stopped
 * waiting. Whichever is inserted first wins, so that a message is either accepted and received, or refused.
 *
 * @module
 */
import type {
  BlockedUnit,
  Delivery,
  Mailbox,
  Message,
  MessageAddress,
  SendRequest,
  SendResult,
} from "../port/messages.ts";
import type { Row } from "../shared/decode.ts";
import { isCompensating } from "../shared/hand_over.ts";
import { lockRun } from "./control.ts";
import { type Dialect, seqs } from "./dialect.ts";
import { notify } from "./facts.ts";
import { all, change, first, type Op, transaction } from "./operation.ts";
import { sql } from "./statement.ts";
import { isUuid } from "./texts.ts";

/** Sends a message: inserts it and wakes the run. */
export function* send(db: Dialect, runId: string, request: SendRequest): Op<SendResult> {
  if (!isUuid(runId)) return { kind: "unknown" };
  return yield* transaction(() => insert(db, runId, request));
}

/** Reads the messages of runs. */
export function* readMessages(db: Dialect, runs: readonly number[]): Op<readonly Message[]> {
  if (runs.length === 0) return [];
  const rows = yield* all(sql`
select run, task, item, attempt, payload
  from @messages
 where ${db.isIn("run", seqs(runs))} and id is not null
 order by run, task, item, attempt`);
  return rows.map((row) => ({ seq: Number(row["run"]), ...addressOf(row), payload: payloadOf(row) }));
}

/** Reads when the accepted messages of a run were sent. */
export function* readDeliveries(run: number): Op<readonly Delivery[]> {
  const rows = yield* all(sql`
select task, item, attempt, at
  from @messages
 where run = ${run} and id is not null
 order by at, task, item, attempt`);
  return rows.map((row) => ({ ...addressOf(row), at: Number(row["at"]) }));
}

/** Reads blocked units, at most `limit`: their runs have not ended, and no decision about the attempt was accepted. */
export function* readBlocked(limit: number): Op<readonly BlockedUnit[]> {
  const rows = yield* all(sql`
select r.id, r.workflow, t.task, t.item, t.attempts as attempt, t.started_at
  from @tasks as t indexed by tasks_blocked
  join @runs as r on r.seq = t.run
 where t.state = 'blocked' and r.ended_at is null
   and not exists (
         select 1 from @messages as m
          where m.run = t.run and m.task = t.task and m.item = t.item and m.attempt = t.attempts and m.id is not null)
 order by t.run, t.task, t.item
 limit ${limit}`);
  return rows.map((row) => ({
    runId: String(row["id"]),
    workflow: String(row["workflow"]),
    ...addressOf(row),
    startedAt: row["started_at"] === null ? undefined : Number(row["started_at"]),
  }));
}

/** Closes a mailbox unless it contains a message; returns what it contains. */
export function* closeMailbox(db: Dialect, seq: number, task: string): Op<Mailbox> {
  return yield* transaction(function* () {
    yield* change(sql`
insert into @messages (run, task, at)
values (${seq}, ${task}, ${db.now()})
on conflict do nothing`);
    const row = yield* readMailbox(seq, { task });
    return row === undefined || row["id"] === null ? { kind: "closed" } : { kind: "message", payload: payloadOf(row) };
  });
}

function* insert(db: Dialect, runId: string, request: SendRequest): Op<SendResult> {
  const run = yield* lockRun(db, runId);
  if (run === undefined) return { kind: "unknown" };
  const { seq, owner, state, endedAt } = run;
  if (endedAt !== undefined) return { kind: "ended", state };
  // No task that could receive it continues.
  if (isCompensating(run)) return { kind: "ended", state: "compensating" };
  const { id, task, item = -1, attempt = 0, payload } = request;
  const ended = yield* first(sql`
select 1 as one
  from @tasks
 where run = ${seq} and task = ${task} and item = ${item} and step = '' and ended_at is not null`);
  if (ended !== undefined) return { kind: "done", accepted: false };
  const inserted = yield* change(sql`
insert into @messages (run, task, item, attempt, id, at, payload)
values (${seq}, ${task}, ${item}, ${attempt}, ${id}, ${db.now()}, ${payload})
on conflict do nothing`);
  if (inserted === 0) {
    // An earlier try of this transaction may have inserted the message, if its answer was lost.
    const row = yield* readMailbox(seq, { task, item, attempt });
    return { kind: "done", accepted: row?.["id"] === id };
  }
  // A run that has not begun keeps its delay: its first claim finds the message.
  yield* change(sql`
update @runs
   set attention = attention + 1,
       due_at = case when owner is null and epoch > 0 and (state = 'waiting' or state = 'paused') then ${db.now()}
                     else due_at end
 where seq = ${seq}`);
  const isDue = owner === undefined && state === "waiting";
  yield* notify(db, { due: isDue, ended: false, attention: owner === undefined ? [] : [owner] });
  return { kind: "done", accepted: true };
}

function readMailbox(seq: number, { task, item = -1, attempt = 0 }: MessageAddress): Op<Row | undefined> {
  return first(sql`
select id, payload
  from @messages
 where run = ${seq} and task = ${task} and item = ${item} and attempt = ${attempt}`);
}

function addressOf(row: Row): Required<MessageAddress> {
  return { task: String(row["task"]), item: Number(row["item"]), attempt: Number(row["attempt"]) };
}

function payloadOf(row: Row): string | undefined {
  return row["payload"] === null ? undefined : String(row["payload"]);
}
