import type { Session } from "./session.ts";

const SLICE = `
select seq, created_at, ended_at
  from @runs
 where seq > $1::bigint
 order by seq
 limit $2::bigint`;

// Numbers come from a sequence and are never used again, so that the newest may go as well.
const DELETE = `
with gone as (
  delete from @runs
   where seq = any($1::bigint[]) and ended_at < $2::bigint
  returning seq
),
tasks as (
  delete from @tasks
   where run = any($1::bigint[]) and (run in (select seq from gone)) is true
  returning 1
),
events as (
  delete from @events
   where run = any($1::bigint[]) and (run in (select seq from gone)) is true
  returning 1
)
select (select count(*) from gone) as runs,
       (select count(*) from tasks) + (select count(*) from events) as rest`;

const SLICE_ROWS = 1_000;

/** Deletes at most `limit` runs that ended before `before`; answers how many. */
export type Prune = (before: number, limit: number) => Promise<number>;

/**
 * Walks from the oldest run on, and remembers where it stopped: runs that live long would else be passed over each
 * time. A call that deletes less than it may has reached the end, and the next one begins anew.
 */
export function createPrune(session: Session): Prune {
  let after = 0;
  return async (before, limit) => {
    let deleted = 0;
    while (deleted < limit) {
      const slice = await session.read(SLICE, [String(after), String(SLICE_ROWS)], "care");
      const old = slice.filter((row) => Number(row["created_at"]) < before);
      const ended = old.filter((row) => row["ended_at"] !== null && Number(row["ended_at"]) < before);
      const chosen = ended.slice(0, limit - deleted).map((row) => Number(row["seq"]));
      if (chosen.length > 0) deleted += await deleteRuns(session, chosen, before);
      if (chosen.length < ended.length) {
        after = chosen.at(-1) ?? after;
        break;
      }
      if (old.length < SLICE_ROWS) {
        after = 0;
        break;
      }
      after = Number(old.at(-1)?.["seq"]);
    }
    return deleted;
  };
}

async function deleteRuns(session: Session, seqs: readonly number[], before: number): Promise<number> {
  const values = [`{${seqs.join(",")}}`, String(before)];
  const [row] = await session.write(
    "care",
    DELETE,
    values,
    ([answer]) => Number(answer?.["runs"]) + Number(answer?.["rest"]),
  );
  return Number(row?.["runs"]);
}
