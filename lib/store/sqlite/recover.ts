import { RecoveryLimitError } from "../../errors.ts";
import type { RecoverRequest, Recovery } from "../port.ts";
import type { Row } from "./driver.ts";
import { addFact } from "./facts.ts";
import { recordOf } from "../rows.ts";
import { isJoined } from "./leases.ts";
import type { Session } from "./session.ts";

const EXPIRED = `select id from runners where lease_until <= $1`;

// Owners are few: seek from one to the next instead of reading all their runs.
const NEXT_OWNER = `
select min(owner) as owner
  from runs indexed by runs_owned
 where owner is not null and owner > $1`;

const OWNED = `
select seq, id, workflow, state, cancel_at, crashes, epoch, crashed_epoch
  from runs indexed by runs_owned
 where owner = $1
 limit $2`;

// Rows carry the epoch under which they were written, so this needs no clock.
const GOT_FURTHER = `
select 1
  from tasks
 where run = $1 and epoch > $2 and not (state = 'running' or state = 'waiting' or state = 'pending')
 limit 1`;

const CANCEL = `update runs set state = 'cancelled', epoch = epoch + 1, owner = null, ended_at = $2 where seq = $1`;

const GIVE_UP = `
update runs
   set state = 'failed', epoch = epoch + 1, owner = null, ended_at = $2, reason = null, error = $3, crashes = $4
 where seq = $1`;

const RELEASE = `
update runs
   set state = case state when 'paused' then 'paused' else 'pending' end,
       crashed_epoch = epoch,
       epoch = epoch + 1,
       owner = null,
       due_at = $2,
       crashes = $3
 where seq = $1`;

const IS_OWNER = `select 1 from runs indexed by runs_owned where owner = $1 limit 1`;

const DELETE = `delete from runners where id = $1`;

const NOTHING: Recovery = { released: [], failed: [], more: false };

/** Takes runs over from dead runners. */
export async function recover(session: Session, request: RecoverRequest): Promise<Recovery> {
  // Nearly always nobody is dead, and asking must not take the write lock.
  const dead = await session.read("read", () => deadRunners(session, request));
  if (dead.length === 0) return NOTHING;
  return await session.write("write to", () => takeOver(session, request));
}

/** Which runners are dead. */
function deadRunners(session: Session, { dead: named, alive = [] }: RecoverRequest): readonly number[] {
  const dead = new Set(named);
  const expired = session.all(EXPIRED, session.now()).map((row) => Number(row["id"]));
  for (const id of expired) if (!alive.includes(id)) dead.add(id);
  let owner = nextOwner(session, 0);
  while (owner !== undefined) {
    if (!dead.has(owner) && !isJoined(session, owner)) dead.add(owner);
    owner = nextOwner(session, owner);
  }
  return [...dead];
}

function nextOwner(session: Session, after: number): number | undefined {
  const owner = session.get(NEXT_OWNER, after)?.["owner"];
  return typeof owner === "number" ? owner : undefined;
}

function takeOver(session: Session, request: RecoverRequest): Recovery {
  const { recoveryLimit, limit } = request;
  const now = session.now();
  const released: Recovery["released"][number][] = [];
  const failed: Recovery["failed"][number][] = [];
  let left = limit;
  let more = false;
  for (const runner of deadRunners(session, request)) {
    const runs = left > 0 ? session.all(OWNED, runner, left) : [];
    left -= runs.length;
    for (const run of runs) takeRun(runner, run);
    if (session.get(IS_OWNER, runner)) more = true;
    else session.run(DELETE, runner);
  }
  return { released, failed, more };

  function takeRun(runner: number, run: Row): void {
    const seq = Number(run["seq"]);
    const id = String(run["id"]);
    const further = session.get(GOT_FURTHER, seq, run["crashed_epoch"]) !== undefined;
    const crashes = further ? 1 : Number(run["crashes"]) + 1;
    const lost = { id, workflow: String(run["workflow"]), crashes };
    if (run["cancel_at"] !== null) {
      session.run(CANCEL, seq, now);
    } else if (crashes >= recoveryLimit) {
      session.run(GIVE_UP, seq, now, JSON.stringify(recordOf(new RecoveryLimitError(id, crashes))), crashes);
      failed.push(lost);
    } else {
      session.run(RELEASE, seq, now, crashes);
      released.push(lost);
    }
    addFact(session, seq, { kind: "recovery", at: now, detail: `runner ${runner} died (${crashes} without progress)` });
  }
}
