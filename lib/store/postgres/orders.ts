/**
 * Orders for a run. They are columns of its row, not messages: whoever owns it reads what stands now, so nothing can be
 * lost on the way or arrive twice.
 *
 * @module
 */
import type { RunState } from "../batch.ts";
import type { Order, OrderVerdict } from "../port.ts";
import { decodeRun, RUN_COLUMNS } from "../rows.ts";
import { isUuid } from "../sql/texts.ts";
import { addFact } from "./facts.ts";
import { BURY_RUNNERS, SEIZE_RUNNERS } from "./fence.ts";
import { numbers } from "./arrays.ts";
import { printable } from "./flush_values.ts";
import { notify } from "./notify.ts";
import type { Run, Session, Transaction } from "./session.ts";

const LOOK = `select owner from @runs where id = $1::uuid`;

const LOCK = `select ${RUN_COLUMNS} from @runs where id = $1::uuid for update`;

const IS_ALIVE = `select 1 as one from @runners where id = $2::bigint and not dead and lease_until > @now`;

const IS_THERE = `select 1 as one from @runners where id = $1::bigint`;

const END_CANCELLED = `
update @runs
   set state = 'cancelled', epoch = epoch + 1, owner = null, ended_at = @now, reason = $3
 where seq = $2::bigint`;

const ORDER_CANCEL = `update @runs set cancel_at = @now, reason = $3 where seq = $2::bigint`;

const PAUSE = `
update @runs
   set state = 'paused', paused_at = @now, reason = case when cancel_at is null then $3 else reason end
 where seq = $2::bigint`;

// While it is paused its time stands still, so its deadline moves by as much.
const RESUME = `
update @runs
   set state = case when owner is not null then 'running'
                    when epoch = 0 or due_at <= @now then 'pending'
                    else 'waiting' end,
       deadline_at = deadline_at + (@now - paused_at),
       paused_at = null,
       reason = case when cancel_at is null and stranded_by is null then null else reason end
 where seq = $2::bigint
returning state`;

/** Carries out an order, or lets it stand for the run's owner. */
export async function order(session: Session, runId: string, given: Order, told: string): Promise<OrderVerdict> {
  if (!isUuid(runId)) return { kind: "unknown" };
  return await session.transact("care", async (transaction, isDoubtful) => {
    const verdict = await carryOut(session, transaction, runId, given);
    if (verdict.kind === "done") await notify(transaction.run, told);
    // What an earlier try has done, whose answer was lost.
    if (isDoubtful && given.kind === "cancel" && verdict.kind === "ended" && verdict.state === "cancelled") {
      return { kind: "done", state: "cancelled" };
    }
    return verdict;
  });
}

async function carryOut(
  session: Session,
  { run: execute, wrote }: Transaction,
  runId: string,
  order: Order,
): Promise<OrderVerdict> {
  const isOwned = order.kind === "cancel" && await holdsOwner(session, execute, runId);
  const [row] = await execute(LOCK, [runId]);
  if (!row) return { kind: "unknown" };
  const run = decodeRun(row);
  if (run.endedAt !== undefined) return { kind: "ended", state: run.state };
  const values = (text: string | undefined) => [session.at, String(run.seq), printable(text) ?? null];
  switch (order.kind) {
    case "cancel":
      return { kind: "done", state: await cancel(order.reason) };
    case "pause":
      return { kind: "done", state: await pause(order.reason) };
    case "resume":
      return { kind: "done", state: await resume() };
  }

  async function cancel(reason: string | undefined): Promise<RunState> {
    const stands = run.owner !== undefined && isOwned;
    if (stands && run.cancelling) return run.state;
    await execute(stands ? ORDER_CANCEL : END_CANCELLED, values(run.cancelling ? run.reason : reason));
    if (!run.cancelling) await note("cancel", reason);
    wrote(1);
    return stands ? run.state : "cancelled";
  }

  async function pause(reason: string | undefined): Promise<RunState> {
    if (run.state === "paused") return "paused";
    await execute(PAUSE, values(reason));
    await note("pause", reason);
    wrote(1);
    return "paused";
  }

  async function resume(): Promise<RunState> {
    if (run.state !== "paused") return run.state;
    const [resumed] = await execute(RESUME, [session.at, String(run.seq)]);
    await note("resume", undefined);
    wrote(1);
    return decodeRun({ ...row, ...resumed }).state;
  }

  async function note(kind: Order["kind"], detail: string | undefined): Promise<void> {
    await addFact(session, execute, run.seq, { kind, detail });
    wrote(1);
  }
}

/**
 * Whether a living runner owns the run; its row in `runners` is looked at first, as locks are taken in that order. One
 * whose lease is over is taken for dead, so that nothing it has under way for the run is accepted any more.
 */
async function holdsOwner(session: Session, run: Run, runId: string): Promise<boolean> {
  const owner = (await run(LOOK, [runId]))[0]?.["owner"];
  if (typeof owner !== "number") return false;
  if ((await run(IS_ALIVE, [session.at, String(owner)])).length > 0) return true;
  const seized = await run(SEIZE_RUNNERS, [session.at, numbers([owner]), "{}"]);
  if (seized.length > 0) await run(BURY_RUNNERS, [session.at, numbers([owner])]);
  // It is gone, or is held by a commit of its own, or was renewed meanwhile.
  return seized.length === 0 && (await run(IS_THERE, [String(owner)])).length > 0;
}
