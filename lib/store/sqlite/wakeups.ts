/**
 * Wake-ups of other processes. `pragma data_version` reports that another connection has committed, but not what: the
 * table `wakeups` contains a counter for each kind of change that a bystander must react to. A commit raises a counter
 * only if it makes runs due for other runners or changes a run of another runner, so the commits of a runner that starts
 * and ends its own runs write no additional page.
 *
 * The end of a run raises no counter: a process that waits for ends polls the runs that it waits for after each change.
 *
 * @module
 */
import type { Batch, NewRun, Receipt, RunMove, StartVerdict } from "../port/batch.ts";
import { isSoonDue, SOON_MS } from "../shared/changes.ts";
import type { Change } from "../port/store.ts";
import { type Sql, sql } from "../sql/statement.ts";
import type { Row } from "./driver.ts";
import type { Session } from "./session.ts";

/** The number of times that each runner was woken, by id. */
export type Wakeups = ReadonlyMap<number, number>;

/** The entry of `wakeups` for changes that concern all runners: runs are due. Ids of runners begin with 1. */
const ALL_RUNNERS = 0;

/** Reads the counters. */
export const READ_WAKEUPS = "select runner, raised from wakeups";

const RAISE_ALL = `
insert into wakeups (runner, raised)
values (${ALL_RUNNERS}, 1)
    on conflict (runner) do update
   set raised = raised + 1`;

// The counter of a runner that has left is deleted when another joins, so that the table stays small.
const FORGET = `
delete from wakeups
 where runner <> ${ALL_RUNNERS} and runner not in (select id from runners)`;

const IS_ANY_DUE = `
select 1
  from json_each($1)
 cross join runs
 where seq = value and owner is null and (state = 'pending' or state = 'waiting') and due_at <= $2
 limit 1`;

/** Wakes all runners, inside the transaction, if the batch has made runs due for them. */
export function wakeForBatch(session: Session, { starts, writes }: Batch, receipt: Receipt): void {
  const released: number[] = [];
  let children = 0;
  for (let at = 0; at < writes.length; at++) {
    const { seq, move, children: started } = writes[at]!;
    children += started?.length ?? 0;
    if (move !== undefined && isRelease(move)) released.push(seq);
  }
  const isAnyChildDue = children > (receipt.children?.length ?? 0);
  if (isAnyChildDue || hasSoonDue(session, starts, receipt.starts) || isAnyDue(session, released)) raiseAll(session);
}

function isRelease(move: RunMove): boolean {
  return move.to === "pending" || move.to === "compensating" || move.to === "stranded" ||
    (move.to === "waiting" && move.release);
}

/** Wakes all runners, inside the transaction, if inserted runs are due for them. */
export function wakeForStarts(session: Session, starts: readonly NewRun[], verdicts: readonly StartVerdict[]): void {
  if (hasSoonDue(session, starts, verdicts)) raiseAll(session);
}

// Not counted as a written row, like a notification on Postgres.
function raiseAll(session: Session): void {
  session.all(RAISE_ALL);
}

function hasSoonDue(session: Session, starts: readonly NewRun[], verdicts: readonly StartVerdict[]): boolean {
  const now = session.now();
  return verdicts.some((verdict, at) =>
    verdict.kind === "started"
      ? !verdict.owned && isSoonDue(starts[at]!, now)
      : verdict.kind === "replaced" && isSoonDue(verdict, now)
  );
}

function isAnyDue(session: Session, seqs: readonly number[]): boolean {
  return seqs.length > 0 && session.get(IS_ANY_DUE, JSON.stringify(seqs), session.now() + SOON_MS) !== undefined;
}

/** Deletes the counters of runners that have left. */
export function forgetWakeups(session: Session): void {
  session.run(FORGET);
}

/** Returns the statement that wakes the runners which a change concerns; `undefined` if it concerns none. */
export function raiseSql({ due, attention }: Change): Sql | undefined {
  const runners = [...(due ? [ALL_RUNNERS] : []), ...(attention ?? [])];
  if (runners.length === 0) return undefined;
  return sql`
insert into wakeups (runner, raised)
select value, 1
  from json_each(${runners})
 where true
    on conflict (runner) do update
   set raised = raised + 1`;
}

/** Decodes the counters. */
export function decodeWakeups(rows: readonly Row[]): Wakeups {
  return new Map(rows.map(({ runner, raised }) => [Number(runner), Number(raised)]));
}

/** Returns what has changed between two reads of the counters. */
export function changeBetween(before: Wakeups, after: Wakeups): Change {
  const raised = [...after].filter(([runner, count]) => before.get(runner) !== count).map(([runner]) => runner);
  return {
    due: raised.includes(ALL_RUNNERS),
    ended: true,
    attention: raised.filter((runner) => runner !== ALL_RUNNERS),
  };
}
