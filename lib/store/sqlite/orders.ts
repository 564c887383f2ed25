/**
 * Orders for a run. They are columns of its row, not messages: whoever owns it reads what stands now, so nothing can be
 * lost on the way or arrive twice.
 *
 * @module
 */
import type { RunState } from "../batch.ts";
import type { Order, OrderVerdict, StandingOrder } from "../port.ts";
import { addFact } from "./facts.ts";
import { decodeRun, RUN_COLUMNS } from "../rows.ts";
import { isAlive } from "./leases.ts";
import type { Session } from "./session.ts";

const BY_ID = `select ${RUN_COLUMNS} from runs where id = $1`;

/** Exactly the condition of the index `runs_ordered`, in SQL. */
export const ORDERED = "ended_at is null and (state = 'paused' or cancel_at is not null)";

const STANDING = `
select seq, state, cancel_at, reason
  from runs indexed by runs_ordered
 where owner = $1 and ${ORDERED}`;

const END_CANCELLED = `
update runs
   set state = 'cancelled', epoch = epoch + 1, owner = null, ended_at = $2, reason = $3
 where seq = $1`;

const ORDER_CANCEL = `update runs set cancel_at = $2, reason = $3 where seq = $1`;

const PAUSE = `
update runs
   set state = 'paused', paused_at = $2, reason = case when cancel_at is null then $3 else reason end
 where seq = $1`;

// While it is paused its time stands still, so its deadline moves by as much.
const RESUME = `
update runs
   set state = case when owner is not null then 'running'
                    when epoch = 0 or due_at <= $2 then 'pending'
                    else 'waiting' end,
       deadline_at = deadline_at + ($2 - paused_at),
       paused_at = null,
       reason = case when cancel_at is null and stranded_by is null then null else reason end
 where seq = $1
returning state`;

/** Carries out an order, or lets it stand for the run's owner. */
export function order(session: Session, runId: string, order: Order): OrderVerdict {
  const row = session.get(BY_ID, runId);
  if (!row) return { kind: "unknown" };
  const run = decodeRun(row);
  if (run.endedAt !== undefined) return { kind: "ended", state: run.state };
  const { seq } = run;
  const now = session.now();
  switch (order.kind) {
    case "cancel":
      return { kind: "done", state: cancel(order.reason) };
    case "pause":
      return { kind: "done", state: pause(order.reason) };
    case "resume":
      return { kind: "done", state: resume() };
  }

  function cancel(reason: string | undefined): RunState {
    const owned = run.owner !== undefined && isAlive(session, run.owner, now);
    if (owned && run.cancelling) return run.state;
    session.run(owned ? ORDER_CANCEL : END_CANCELLED, seq, now, run.cancelling ? run.reason : reason);
    if (!run.cancelling) addFact(session, seq, { kind: "cancel", at: now, detail: reason });
    return owned ? run.state : "cancelled";
  }

  function pause(reason: string | undefined): RunState {
    if (run.state === "paused") return "paused";
    session.run(PAUSE, seq, now, reason);
    addFact(session, seq, { kind: "pause", at: now, detail: reason });
    return "paused";
  }

  function resume(): RunState {
    if (run.state !== "paused") return run.state;
    const [resumed] = session.returning(RESUME, seq, now);
    addFact(session, seq, { kind: "resume", at: now, detail: undefined });
    return decodeRun({ ...row, ...resumed }).state;
  }
}

/** The orders that stand for a runner's runs. */
export function standingOrders(session: Session, runner: number): readonly StandingOrder[] {
  return session.all(STANDING, runner).map((row) => ({
    seq: Number(row["seq"]),
    cancel: row["cancel_at"] === null
      ? undefined
      : { reason: row["reason"] === null ? undefined : String(row["reason"]) },
    paused: row["state"] === "paused",
  }));
}
