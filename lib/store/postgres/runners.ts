import type { Renewal, RunnerCard } from "../runners.ts";
import { decodeInboxEntry, inboxColumns } from "../sql/control.ts";
import { items } from "./arrays.ts";
import type { Session } from "./session.ts";

const JOIN = `
insert into @runners (host, pid, pid_started_at, isolate, thread, served, pinned, concurrency, max_runs, started_at,
                      lease_until, lease_ms)
select $2, $3::bigint, $4, $5, $6, $7, $8::smallint, $9::bigint, $10::bigint, now, now + $11::bigint, $11::bigint
  from (select @now as now) as clock
returning id, started_at as server_now`;

// Returns at least a single row, which contains the state of the runner itself.
const RENEW = `
with clock as materialized (
  select @now as now
),
renewed as (
  update @runners
     set lease_until = now + $3::bigint
    from clock
   where id = $2::bigint and not dead
  returning id
),
owned as materialized (
  select seq, epoch
    from @runs
   where owner = $2::bigint
)
select clock.now as server_now, (select count(*) from renewed) as alive,
       array(select seq from owned order by seq)::text as seqs,
       array(select epoch from owned order by seq)::text as epochs,
       r.*
  from clock
  left join (select ${inboxColumns("@")}
               from @runs
              where attention > acknowledged and owner = $2::bigint) as r on true`;

/** Inserts a runner. A row that an attempt with a lost response has inserted stays until its lease expires. */
export async function join(session: Session, card: RunnerCard, leaseMs: number): Promise<number> {
  const values = [
    session.at,
    card.host,
    String(card.pid),
    card.pidStartedAt ?? null,
    card.isolate ?? "",
    card.thread ?? null,
    JSON.stringify(card.served),
    card.pinned ? "1" : "0",
    String(card.concurrency),
    String(card.maxRuns),
    String(leaseMs),
  ];
  const [row] = await session.write("heartbeat", JOIN, values, () => 1);
  return Number(row?.["id"]);
}

/** Extends a lease, even an expired one: a runner may come back until it is declared dead. */
export async function renew(session: Session, runner: number, leaseMs: number): Promise<Renewal> {
  const values = [session.at, String(runner), String(leaseMs)];
  // A renewal that hangs must leave time for another renewal within the lease.
  const deadlineMs = leaseMs / 3;
  const rows = await session.persistence.attempt(
    "write to",
    () => session.single("heartbeat", RENEW, values, deadlineMs),
  );
  session.wrote(1);
  if (rows[0]?.["alive"] !== 1) return { alive: false, inbox: [], owned: [] };
  const epochs = items(rows[0]["epochs"]);
  return {
    alive: true,
    inbox: rows.filter((row) => row["seq"] !== null).map(decodeInboxEntry),
    owned: items(rows[0]["seqs"]).map((seq, at) => ({ seq: Number(seq), epoch: Number(epochs[at]) })),
  };
}
