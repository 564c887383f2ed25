import { RecoveryLimitError } from "../../errors.ts";
import type { RecoverRequest, Recovery } from "../port.ts";
import { recordOf, type Row } from "../rows.ts";
import { numbers, texts } from "./arrays.ts";
import { BURY_RUNNERS, SEIZE_RUNNERS } from "./fence.ts";
import { notify } from "./notify.ts";
import type { Bindable } from "./connection.ts";
import type { Session, Transaction } from "./session.ts";

// Owners are few: seek from one to the next instead of reading all their runs.
const DEAD = `
with recursive owners (owner) as (
  (select owner from @runs where owner is not null order by owner limit 1)
  union all
  select (select r.owner from @runs as r where r.owner is not null and r.owner > o.owner order by r.owner limit 1)
    from owners as o
   where o.owner is not null
)
select id, true as there
  from @runners
 where dead or (lease_until <= @now and id <> all($3::bigint[])) or id = any($2::bigint[])
 union all
select owner, false
  from owners
 where owner is not null and not exists (select from @runners as w where w.id = owner)
 order by id`;

// What an earlier version of itself committed is seen: the runners are locked by now. Rows carry the epoch under which
// they were written, so that this needs no clock.
const OWNED = `
select r.seq, r.id, r.workflow, r.state, r.cancel_at, r.crashes, r.epoch, r.owner,
       exists (select
                 from @tasks as t
                where t.run = r.seq and t.epoch > coalesce(r.crashed_epoch, 0)
                  and not (t.state = 'running' or t.state = 'waiting' or t.state = 'pending')) as further
  from @runs as r
 where r.owner = any($1::bigint[])
 order by r.seq
 limit $2::bigint
   for update`;

const TAKE = `
update @runs as r
   set owner = null,
       epoch = r.epoch + 1,
       crashed_epoch = r.epoch,
       crashes = t.crashes,
       state = case when t.way = 'released' then case r.state when 'paused' then 'paused' else 'pending' end
                    else t.way end,
       ended_at = case when t.way <> 'released' then @now end,
       due_at = case when t.way = 'released' then @now else r.due_at end,
       reason = case when t.way = 'failed' then null else r.reason end,
       error = coalesce(t.error, r.error)
  from unnest($2::bigint[], $3::integer[], $4::text[], $5::text[]) as t (seq, crashes, way, error)
 where r.seq = t.seq and r.seq = any($2::bigint[])`;

const NOTE = `
insert into @events (run, kind, at, detail)
select n.run, 'recovery', @now, n.detail
  from unnest($2::bigint[], $3::text[]) as n (run, detail)`;

const DELETE = `
delete from @runners as w
 where w.id = any($1::bigint[])
   and not exists (select from @runs as r where r.owner = w.id)
returning w.id`;

const NOTHING: Recovery = { released: [], failed: [], more: false };

/** Takes runs over from dead runners. */
export async function recover(session: Session, request: RecoverRequest, told: string): Promise<Recovery> {
  // Nearly always nobody is dead.
  const dead = await deadRunners(session, request);
  if (dead.length === 0) return NOTHING;
  return await session.transact("care", (transaction) => takeOver(session, transaction, request, told));
}

async function deadRunners(session: Session, request: RecoverRequest): Promise<readonly Row[]> {
  return await session.read(DEAD, deadValues(session, request), "care");
}

function deadValues({ at }: Session, { dead, alive = [] }: RecoverRequest): Bindable[] {
  return [at, numbers(dead), numbers(alive)];
}

async function takeOver(
  session: Session,
  { run, wrote }: Transaction,
  request: RecoverRequest,
  told: string,
): Promise<Recovery> {
  const { recoveryLimit, limit } = request;
  const candidates = await run(DEAD, deadValues(session, request));
  const there = candidates.filter((row) => row["there"] === true).map(idOf);
  const gone = candidates.filter((row) => row["there"] !== true).map(idOf);
  const seized = (await run(SEIZE_RUNNERS, [session.at, numbers(there), numbers(request.dead)])).map(idOf);
  if (seized.length + gone.length === 0) return NOTHING;
  await run(BURY_RUNNERS, [session.at, numbers(seized)]);
  const owned = await run(OWNED, [numbers([...seized, ...gone]), String(limit)]);
  const lost = owned.map((row) => lostRun(row, recoveryLimit));
  if (lost.length > 0) {
    await run(TAKE, [
      session.at,
      numbers(lost.map(({ seq }) => seq)),
      numbers(lost.map(({ crashes }) => crashes)),
      texts(lost.map(({ way }) => way)),
      texts(lost.map(({ error }) => error)),
    ]);
    await notify(run, told);
    await run(NOTE, [session.at, numbers(lost.map(({ seq }) => seq)), texts(lost.map(({ detail }) => detail))]);
  }
  const deleted = await run(DELETE, [numbers(seized)]);
  wrote(2 * lost.length + seized.length);
  const summary = lost.map(({ id, workflow, crashes, way }) => ({ way, run: { id, workflow, crashes } }));
  return {
    released: summary.filter(({ way }) => way === "released").map(({ run }) => run),
    failed: summary.filter(({ way }) => way === "failed").map(({ run }) => run),
    more: deleted.length < seized.length || (gone.length > 0 && owned.length === limit),
  };
}

interface LostRun {
  readonly seq: number;
  readonly id: string;
  readonly workflow: string;
  readonly crashes: number;
  readonly way: "released" | "failed" | "cancelled";
  readonly error: string | undefined;
  readonly detail: string;
}

function lostRun(row: Row, recoveryLimit: number): LostRun {
  const id = String(row["id"]);
  const crashes = row["further"] === true ? 1 : Number(row["crashes"]) + 1;
  const way = row["cancel_at"] !== null ? "cancelled" : crashes >= recoveryLimit ? "failed" : "released";
  return {
    seq: Number(row["seq"]),
    id,
    workflow: String(row["workflow"]),
    crashes,
    way,
    error: way === "failed" ? JSON.stringify(recordOf(new RecoveryLimitError(id, crashes))) : undefined,
    detail: `runner ${row["owner"]} died (${crashes} without progress)`,
  };
}

function idOf(row: Row): number {
  return Number(row["id"]);
}
