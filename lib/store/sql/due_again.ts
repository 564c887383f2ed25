import type { Dialect } from "./dialect.ts";
import { notify } from "./facts.ts";
import { change, type Op, pause, transaction } from "./operation.ts";
import { DUE } from "./sources.ts";
import { raw, sql } from "./statement.ts";

const AT_ONCE = 1_000;

// Woken since their release, handed back, or started without a delay.
const DUE_AT_ONCE = "(attention > acknowledged or (state = 'pending' and (epoch > 0 or due_at = created_at)))";

/**
 * Makes runs due now that were made due at once while the store's clock was ahead: otherwise they would wait until the
 * clock, which was set back, has reached that time again.
 */
export function* makeDueAgain(db: Dialect): Op<void> {
  for (;;) {
    const changed = yield* transaction(function* () {
      const early = sql`
select seq
  from @runs indexed by runs_due
 where ${raw(DUE)} and due_at > ${db.now()} and ${raw(DUE_AT_ONCE)}
 order by seq
 limit ${AT_ONCE}${db.forUpdate}`;
      const rows = yield* change(sql`update @runs set due_at = ${db.now()} where ${db.isIn("seq", early)}`);
      if (rows > 0) yield* notify(db, { due: true, ended: false, attention: [] });
      return rows;
    });
    if (changed < AT_ONCE) return;
    yield* pause();
  }
}
