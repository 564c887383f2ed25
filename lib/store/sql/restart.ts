import { supersedeChildren } from "./children.ts";
import type { Dialect } from "./dialect.ts";
import { addFact, notify } from "./facts.ts";
import { COMPENSATIONS_MARK, UNDO_MARK } from "../shared/undo_rows.ts";
import { change, first, type Op, transaction } from "./operation.ts";
import type { RestartRequest, RestartResult } from "../port/control.ts";
import { holdsKeySql } from "./sources.ts";
import { raw, sql } from "./statement.ts";

/**
 * Restarts failed runs in one transaction; false for those that are no longer failed under their epoch. On Postgres the
 * update is refused, and the transaction repeated, if another run takes a key at the same moment (see faults.ts there).
 */
export function* restart(db: Dialect, requests: readonly RestartRequest[]): Op<readonly RestartResult[]> {
  return yield* transaction(function* (isDoubtful) {
    const results: RestartResult[] = [];
    for (const request of requests) results.push(yield* restartRun(db, request, isDoubtful));
    return results;
  });
}

function* restartRun(db: Dialect, request: RestartRequest, isDoubtful: boolean): Op<RestartResult> {
  const { seq, epoch, retry, forget, compensated, failures = [] } = request;
  const holder = yield* first(sql`
select o.id
  from @runs as r
  join @runs as o on ${raw(HOLDS_KEY)}
 where r.seq = ${seq} and r.epoch = ${epoch} and r.state = 'failed' and r.key_scope = 'active'`);
  if (holder !== undefined) return { keyHeldBy: String(holder["id"]) };
  const changed = yield* change(sql`
update @runs
   set state = 'pending', epoch = epoch + 1, crashed_epoch = epoch + 1, crashes = 0,
       due_at = case when limits is null then ${db.now()} end,
       gate_at = case when limits is not null then ${db.now()} end,
       ended_at = null, deadline_at = null, paused_at = null, closing = null, reason = null, error = null
 where seq = ${seq} and epoch = ${epoch} and state = 'failed' and superseded is null`);
  if (changed === 0) {
    const superseded = sql`select 1 as one from @runs where seq = ${seq} and superseded is not null`;
    if ((yield* first(superseded)) !== undefined) return "superseded";
    // Only a restart raises the epoch of a run that has failed.
    const restarted = sql`select 1 as one from @runs where seq = ${seq} and crashed_epoch > ${epoch}`;
    return isDoubtful && (yield* first(restarted)) !== undefined;
  }
  yield* change(sql`
delete from @tasks
 where run = ${seq} and ${db.isIn("task", { type: "text", items: forget })}`);
  yield* change(sql`
delete from @tasks
 where run = ${seq} and ${db.isIn("task", { type: "text", items: retry })}
   and step = '' and ((item = -1 and items is null) or (item >= 0 and state <> 'completed'))`);
  if (compensated !== undefined) yield* forgetUndos(db, seq, compensated);
  // The items of a task are computed once: it continues as it was after its expansion.
  yield* change(sql`
update @tasks
   set state = 'running', ended_at = null, failures = null, reason = null
 where run = ${seq} and ${db.isIn("task", { type: "text", items: retry })}
   and step = '' and item = -1`);
  // A task that stopped waiting for a message waits again, and the attempts of a task are counted anew.
  yield* change(sql`
delete from @messages
 where run = ${seq} and (id is null or attempt > 0) and ${
    db.isIn("task", { type: "text", items: [...retry, ...forget] })
  }`);
  yield* supersedeChildren(seq);
  yield* addFact(db, seq, {
    kind: "retry",
    detail: compensated === undefined || compensated.length === 0 ? undefined : JSON.stringify(compensated),
    failures,
  });
  yield* notify(db, { due: true, ended: false, attention: [] });
  return true;
}

const HOLDS_KEY = holdsKeySql({ at: "o.", workflow: "r.workflow", key: "r.key", scope: "active" });

/** Deletes the rows of all undos of a run, and counts the tasks that were compensated. */
function* forgetUndos(db: Dialect, seq: number, compensated: readonly string[]): Op<void> {
  yield* change(sql`
delete from @tasks
 where run = ${seq} and task >= ${UNDO_MARK} and task < ${COMPENSATIONS_MARK}`);
  if (compensated.length === 0) return;
  const names = db.rows("counted", {
    name: { type: "text", items: compensated.map((task) => COMPENSATIONS_MARK + task) },
  });
  yield* change(sql`
insert into @tasks as t (run, task, item, step, epoch, state, attempts)
select r.seq, counted.name, -1, '', r.epoch, 'completed', 1
  from ${names}
 cross join @runs as r
 where r.seq = ${seq}
    on conflict (run, task, item, step) do update
   set attempts = t.attempts + 1`);
}
