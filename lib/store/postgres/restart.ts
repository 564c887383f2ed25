import { texts } from "./arrays.ts";
import { addFact } from "./facts.ts";
import { notify } from "./notify.ts";
import type { Session } from "./session.ts";

const RESTART = `
update @runs
   set state = 'pending', epoch = epoch + 1, crashed_epoch = epoch + 1, crashes = 0, due_at = @now, ended_at = null,
       deadline_at = null, paused_at = null, cancel_at = null, reason = null, error = null
 where seq = $2::bigint and epoch = $3::bigint and state = 'failed'
returning seq`;

// Only a restart raises the epoch of a run that has failed.
const WAS_RESTARTED = `select seq from @runs where seq = $1::bigint and crashed_epoch > $2::bigint`;

const FORGET = `delete from @tasks where run = $1::bigint and task = any($2::text[]) returning 1`;

const RETRY = `
delete from @tasks
 where run = $1::bigint and task = any($2::text[]) and step = '' and (item = -1 or state <> 'completed')
returning 1`;

/** Sets a failed run going again; false if it is no longer failed under that epoch. */
export async function restart(
  session: Session,
  { seq, epoch }: { readonly seq: number; readonly epoch: number },
  { retry, forget }: { readonly retry: readonly string[]; readonly forget: readonly string[] },
  told: string,
): Promise<boolean> {
  return await session.transact("care", async ({ run, wrote }, isDoubtful) => {
    const restarted = await run(RESTART, [session.at, String(seq), String(epoch)]);
    if (restarted.length === 0) {
      return isDoubtful && (await run(WAS_RESTARTED, [String(seq), String(epoch)])).length > 0;
    }
    const forgotten = await run(FORGET, [String(seq), texts(forget)]);
    const retried = await run(RETRY, [String(seq), texts(retry)]);
    await addFact(session, run, seq, { kind: "retry", detail: undefined });
    await notify(run, told);
    wrote(2 + forgotten.length + retried.length);
    return true;
  });
}
