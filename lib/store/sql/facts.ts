import type { Change, Fact } from "../port/store.ts";
import type { Dialect } from "./dialect.ts";
import { all, change, type Op } from "./operation.ts";
import { sql } from "./statement.ts";
import { printable } from "./texts.ts";

/** Adds a rare fact to the history of a run, in the open transaction. */
export function* addFact(db: Dialect, seq: number, { kind, detail, failures = [] }: Omit<Fact, "at">): Op<void> {
  yield* change(sql`
insert into @events (run, kind, at, detail, failures)
values (${seq}, ${kind}, ${db.now()}, ${printable(detail)},
        ${failures.length === 0 ? undefined : printable(JSON.stringify(failures))})`);
}

/**
 * Returns a condition on a run, in a row `name` with the values before its claim: the claim belongs to the history, as
 * the run was handed back, recovered, resumed or retried. The claim of a run that has waited does not, nor the first one.
 */
export function isHandOverSql(name: string, at: "@" | ""): string {
  return `${name}.state = 'pending' and ${name}.started_at is not null
     and (select e.kind
            from ${at}events as e
           where e.run = ${name}.seq
           order by e.seq desc
           limit 1) in ('handBack', 'recovery', 'resume', 'retry', 'stranded')`;
}

/** Notifies other processes once the open transaction is committed. */
export function* notify(db: Dialect, what: Change): Op<void> {
  const notification = db.notification(what);
  if (notification !== undefined) yield* all(notification);
}
