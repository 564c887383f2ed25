import type { Renewal, RunnerCard, RunnerRow, StandingOrder } from "../port.ts";
import { decodeRunners, type Row, RUNNER_COLUMNS } from "../rows.ts";
import { notify } from "./notify.ts";
import type { Session } from "./session.ts";

/** Exactly the condition of the index `runs_ordered`, in SQL. */
export const ORDERED = "r.ended_at is null and (r.state = 'paused' or r.cancel_at is not null)";

const JOIN = `
insert into @runners (host, pid, pid_started_at, isolate, thread, served, pinned, concurrency, max_runs, started_at,
                      lease_until, lease_ms)
select $2, $3::bigint, $4, $5, $6, $7, $8::smallint, $9::bigint, $10::bigint, now, now + $11::bigint, $11::bigint
  from (select @now as now) as clock
returning id, started_at as server_now`;

// One row at least, for what it says of the runner itself.
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
)
select clock.now as server_now, (select count(*) from renewed) as alive, r.seq, r.state, r.cancel_at, r.reason
  from clock
  left join @runs as r on r.owner = $2::bigint and ${ORDERED}`;

const STANDING = `
select r.seq, r.state, r.cancel_at, r.reason
  from @runs as r
 where r.owner = $1::bigint and ${ORDERED}`;

const SEIZE = `select id from @runners where id = $1::bigint for update`;

const HAND_BACK = `
update @runs
   set owner = null,
       state = case when cancel_at is not null then 'cancelled' when state = 'paused' then 'paused' else 'pending' end,
       ended_at = case when cancel_at is not null then @now end,
       due_at = @now
 where seq = any(array(select seq from @runs where owner = $2::bigint order by seq for update))
returning seq`;

const DELETE = `delete from @runners where id = $1::bigint`;

const RUNNERS = `
select ${RUNNER_COLUMNS}, @now as server_now
  from @runners
 order by id`;

/** Inserts a runner. One that was inserted by a try whose answer was lost stays until its lease is over. */
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

/** Extends a lease, be it over already: until somebody has taken it for dead, a runner may come back. */
export async function renew(session: Session, runner: number, leaseMs: number): Promise<Renewal> {
  const values = [session.at, String(runner), String(leaseMs)];
  // A renewal that hangs must leave time for another one within the lease.
  const deadlineMs = leaseMs / 3;
  const rows = await session.persistence.attempt(
    "write to",
    () => session.single("heartbeat", RENEW, values, deadlineMs),
  );
  session.wrote(1);
  const alive = rows[0]?.["alive"] === 1;
  return { alive, orders: alive ? rows.filter((row) => row["seq"] !== null).map(standingOrder) : [] };
}

/** The orders that stand for a runner's runs. */
export async function standingOrders(session: Session, runner: number): Promise<readonly StandingOrder[]> {
  return (await session.read(STANDING, [String(runner)], "heartbeat")).map(standingOrder);
}

/** Hands back what a runner owns, and deletes it. */
export async function leave(session: Session, runner: number, told: string): Promise<void> {
  await session.transact("care", async ({ run, wrote }) => {
    await run(SEIZE, [String(runner)]);
    const handedBack = await run(HAND_BACK, [session.at, String(runner)]);
    await run(DELETE, [String(runner)]);
    if (handedBack.length > 0) await notify(run, told);
    wrote(handedBack.length + 1);
  });
}

/** All runners that can be read. */
export async function readRunners(session: Session): Promise<readonly RunnerRow[]> {
  return decodeRunners(await session.read(RUNNERS, [session.at], "heartbeat"));
}

function standingOrder(row: Row): StandingOrder {
  return {
    seq: Number(row["seq"]),
    cancel: row["cancel_at"] === null
      ? undefined
      : { reason: row["reason"] === null ? undefined : String(row["reason"]) },
    paused: row["state"] === "paused",
  };
}
