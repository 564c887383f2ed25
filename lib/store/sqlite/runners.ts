import type { Renewal, RunnerCard } from "../runners.ts";
import { decodeInboxEntry, inboxColumns } from "../sql/control.ts";
import { isJoined } from "./leases.ts";
import type { Session } from "./session.ts";

const JOIN = `
insert into runners (host, pid, pid_started_at, isolate, thread, served, pinned, concurrency, max_runs, started_at,
                     lease_until, lease_ms)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`;

/** Extends the lease of a runner that is not declared dead. */
export const RENEW = `update runners set lease_until = $2 where id = $1 and not dead`;

const OWNED = `select seq, epoch from runs indexed by runs_owned where owner = $1`;

const INBOX = `
select ${inboxColumns("messages")}
  from runs indexed by runs_attention
 where attention > acknowledged and owner = $1`;

/** Inserts a runner and returns its id. */
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

/** Extends a lease, even an expired lease: a runner can renew until it is declared dead. */
export function renew(session: Session, runner: number, leaseMs: number): Renewal {
  session.run(RENEW, runner, session.now() + leaseMs);
  return readRenewal(session, runner);
}

/** Returns the result of a renewal without extending the lease. */
export function readRenewal(session: Session, runner: number): Renewal {
  if (!isJoined(session, runner)) return { alive: false, inbox: [], owned: [] };
  return {
    alive: true,
    inbox: session.all(INBOX, runner).map(decodeInboxEntry),
    owned: session.all(OWNED, runner).map(({ seq, epoch }) => ({ seq: Number(seq), epoch: Number(epoch) })),
  };
}
