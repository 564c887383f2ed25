import { addFact } from "./facts.ts";
import type { Session } from "./session.ts";

const RESTART = `
update runs
   set state = 'pending', epoch = epoch + 1, crashed_epoch = epoch + 1, crashes = 0, due_at = $3, ended_at = null,
       deadline_at = null, paused_at = null, cancel_at = null, reason = null, error = null
 where seq = $1 and epoch = $2 and state = 'failed'`;

const FORGET = `delete from tasks where run = $1 and task in (select value from json_each($2))`;

const RETRY = `
delete from tasks
 where run = $1 and task in (select value from json_each($2)) and step = '' and (item = -1 or state <> 'completed')`;

/** Sets a failed run going again; false if it is no longer failed under that epoch. */
export function restart(
  session: Session,
  { seq, epoch }: { readonly seq: number; readonly epoch: number },
  { retry, forget }: { readonly retry: readonly string[]; readonly forget: readonly string[] },
): boolean {
  const now = session.now();
  if (session.run(RESTART, seq, epoch, now).changes === 0) return false;
  session.run(FORGET, seq, JSON.stringify(forget));
  session.run(RETRY, seq, JSON.stringify(retry));
  addFact(session, seq, { kind: "retry", at: now, detail: undefined });
  return true;
}
