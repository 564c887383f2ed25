import type { Renewal, RunnerCard } from "../port/runners.ts";
import { decodeInboxEntry, inboxColumns } from "../sql/control.ts";
import type { Row } from "./driver.ts";
import type { Session } from "./session.ts";
import { forgetWakeups } from "./wakeups.ts";

const JOIN = `
insert into runners (host, pid, pid_started_at, isolate, thread, served, pinned, concurrency, max_runs, started_at,
                     lease_until, lease_ms, schedules)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`;

/** Extends the lease of a runner that is not declared dead. */
export const RENEW = `update runners set lease_until = $2 where id = $1 and not dead`;

const OWNS_RUNS = `exists (select 1 from runs indexed by runs_owned where owner = runners.id) as owns_runs`;

const RENEW_AND_READ = `${RENEW} returning ${OWNS_RUNS}`;

const READ = `select ${OWNS_RUNS} from runners where id = $1 and not dead`;

const OWNED = `select seq, epoch from runs indexed by runs_owned where owner = $1`;

const INBOX = `
select ${inboxColumns("")}
  from runs indexed by runs_notified
 where notified is not null and notified = $1`;

/** Inserts a runner and returns its id. */
export function join(session: Session, card: RunnerCard, leaseMs: number): number {
  const now = session.now();
  forgetWakeups(session);
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
    JSON.stringify(card.schedules ?? []),
  ).lastInsertRowid;
}

/** Extends a lease, even an expired lease: a runner can renew until it is declared dead. */
export function renew(session: Session, runner: number, leaseMs: number): Renewal {
  return renewalOf(session, runner, session.returning(RENEW_AND_READ, runner, session.now() + leaseMs)[0]);
}

/** Returns the result of a renewal without extending the lease. */
export function readRenewal(session: Session, runner: number): Renewal {
  return renewalOf(session, runner, session.get(READ, runner));
}

/** Reads the runs only if there are any: the renewal of an idle runner is one statement. */
function renewalOf(session: Session, runner: number, row: Row | undefined): Renewal {
  if (row?.["owns_runs"] !== 1) return { alive: row !== undefined, inbox: [], owned: [] };
  return {
    alive: true,
    inbox: session.all(INBOX, runner).map(decodeInboxEntry),
    owned: session.all(OWNED, runner).map(({ seq, epoch }) => ({ seq: Number(seq), epoch: Number(epoch) })),
  };
}
