import type { ChildWait } from "../port/children.ts";
import { mayUndoSql } from "../shared/hand_over.ts";
import type { Dialect } from "./dialect.ts";
import { notify } from "./facts.ts";
import { moveLastResult } from "./last_result.ts";
import { change, type Op, transaction } from "./operation.ts";
import { raw, sql } from "./statement.ts";
import { printable } from "./texts.ts";

/** Begins the compensation of the completed child run of a task or item, if it may have something to undo. */
export function* compensateChild(
  db: Dialect,
  { parent, task, item, epoch }: ChildWait & { readonly epoch: number },
  reason: string,
): Op<void> {
  const child = sql`
select c.seq
  from @runs as c
 where c.parent = ${parent} and c.parent_task = ${task} and c.parent_item = ${item}
   and coalesce(c.superseded, 0) = 0`;
  yield* transaction(function* () {
    yield* moveLastResult(sql`(${child})`);
    const begun = yield* change(sql`
update @runs
   set state = 'pending', closing = 'undoCancelled', reason = ${printable(reason)}, due_at = ${db.now()},
       epoch = epoch + 1, crashed_epoch = epoch + 1, crashes = 0, ended_at = null, paused_at = null
 where seq = (${child}) and state = 'completed' and ${raw(mayUndoSql("@"))}
   and exists (select 1
                 from @runs as p
                where p.seq = ${parent} and p.epoch = ${epoch} and p.owner + 0 is not null)`);
    if (begun > 0) yield* notify(db, { due: true, ended: false, attention: [] });
  });
}
