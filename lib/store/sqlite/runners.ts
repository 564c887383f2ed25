import type { Renewal, RunnerCard, RunnerRow } from "../port.ts";
import { isJoined } from "./leases.ts";
import { standingOrders } from "./orders.ts";
import { decodeRunners, RUNNER_COLUMNS } from "../rows.ts";
import type { Session } from "./session.ts";

const JOIN = `
insert into runners (host, pid, pid_started_at, isolate, thread, served, pinned, concurrency, max_runs, started_at,
                     lease_until, lease_ms)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`;

/** Extends a lease. */
export const RENEW = `update runners set lease_until = $2 where id = $1`;

const HAND_BACK = `
update runs
   set owner = null,
       state = case when cancel_at is not null then 'cancelled' when state = 'paused' then 'paused' else 'pending' end,
       ended_at = case when cancel_at is not null then $2 end,
       due_at = $2
 where owner = $1`;

const DELETE = `delete from runners where id = $1`;

const RUNNERS = `
select ${RUNNER_COLUMNS}
  from runners
 order by id`;

/** Inserts a runner. */
export function join(session: Session, card: RunnerCard, leaseMs: number): number {
  const now = session.now();
  return session.run(
    JOIN,
    card.host,
    card.pid,
    card.pidStartedAt,
    card.isolate ?? "",
    card.thread,
    JSON.stringify(card.served),
    card.pinned,
    card.concurrency,
    card.maxRuns,
    now,
    now + leaseMs,
    leaseMs,
  ).lastInsertRowid;
}

/** Extends a lease, be it over already: until somebody has taken it for dead, a runner may come back. */
export function renew(session: Session, runner: number, leaseMs: number): Renewal {
  const alive = session.run(RENEW, runner, session.now() + leaseMs).changes === 1;
  return { alive, orders: alive ? standingOrders(session, runner) : [] };
}

/** What a renewal would return now, without extending the lease. */
export function readRenewal(session: Session, runner: number): Renewal {
  const alive = isJoined(session, runner);
  return { alive, orders: alive ? standingOrders(session, runner) : [] };
}

/** Hands back what a runner owns, and deletes it. */
export function leave(session: Session, runner: number): void {
  session.run(HAND_BACK, runner, session.now());
  session.run(DELETE, runner);
}

/** All runners that can be read. */
export function readRunners(session: Session): readonly RunnerRow[] {
  return decodeRunners(session.all(RUNNERS));
}
