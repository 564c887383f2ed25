import type { Change, Fact } from "../port.ts";
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

/** Notifies other processes once the open transaction is committed. */
export function* notify(db: Dialect, what: Change): Op<void> {
  const notification = db.notification(what);
  if (notification !== undefined) yield* all(notification);
}
