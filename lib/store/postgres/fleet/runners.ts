import type { Renewal, RunnerCard } from "../../port/runners.ts";
import { decodeInboxEntry, inboxColumns } from "../../sql/control.ts";
import { items } from "../write/arrays.ts";
import { NEWEST, seqsHeldBy, type StartMarks } from "./held.ts";
import type { Session } from "../connect/session.ts";

const JOIN = `
insert into @runners (host, pid, pid_started_at, isolate, thread, served, pinned, concurrency, max_runs, started_at,
                      lease_until, lease_ms, started_after, schedules)
select $2, $3::bigint, $4, $5, $6, $7, $8::smallint, $9::bigint, $10::bigint, now, now + $11::bigint, $11::bigint,
       ${NEWEST}, $12
  from (select @now as now) as clock
returning id, started_at as server_now`;

// Returns at least a single row, which contains the state of the runner itself.
const RENEW = `
with clock as materialized (
  select @now as now
),
renewed as (
  update @runners
     set lease_until = now + $3::bigint,
         started_after = case when $4::bigint <= ${NEWEST} then greatest(started_after, $4::bigint)
                              else started_after end
    from clock
   where id = $2::bigint and not dead
  returning id
),
owned as materialized (
  select seq, epoch
    from @runs
   where owner = $2::bigint and seq = any(array(${seqsHeldBy((id) => `${id} = $2::bigint`)}))
),
emptied as (
  delete from @claims
   where (runner = $2::bigint and exists (select from renewed)) or runner not in (select id from @runners)
),
replaced as (
  insert into @claims (runner, seqs)
  select $2::bigint, array_agg(seq order by seq)
    from owned
   where exists (select from renewed)
  having count(*) > 0
)
select ${NEWEST} as newest, clock.now as server_now, (select count(*) from renewed) as alive,
       array(select seq from owned order by seq)::text as seqs,
       array(select epoch from owned order by seq)::text as epochs,
       r.*
  from clock
  left join (select ${inboxColumns("@")}
               from @runs
              where notified is not null and notified = $2::bigint) as r on true`;

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
    JSON.stringify(card.schedules ?? []),
  ];
  const [row] = await session.write("heartbeat", JOIN, values, () => 1);
  return Number(row?.["id"]);
}

/** Extends a lease, even an expired one: a runner may come back until it is declared dead. */
export async function renew(
  session: Session,
  marks: StartMarks,
  { runner, leaseMs }: { readonly runner: number; readonly leaseMs: number },
): Promise<Renewal> {
  // A renewal that hangs must leave time for another renewal within the lease.
  const deadlineMs = leaseMs / 3;
  const rows = await session.persistence.attempt(
    "write to",
    () => {
      const values = [session.at, String(runner), String(leaseMs), String(marks.lowest())];
      return session.single("heartbeat", RENEW, values, deadlineMs);
    },
  );
  marks.noteNewest(Number(rows[0]?.["newest"]));
  session.wrote(1);
  if (rows[0]?.["alive"] !== 1) return { alive: false, inbox: [], owned: [] };
  const epochs = items(rows[0]["epochs"]);
  return {
    alive: true,
    inbox: rows.filter((row) => row["seq"] !== null).map(decodeInboxEntry),
    owned: items(rows[0]["seqs"]).map((seq, at) => ({ seq: Number(seq), epoch: Number(epochs[at]) })),
  };
}
