import { createPrune, type Prune } from "../prune.ts";
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

/** Prunes a schema. */
export function prune(session: Session): Prune {
  return createPrune({
    sliceRows: SLICE_ROWS,
    slice: (after) => session.read(SLICE, [String(after), String(SLICE_ROWS)], "care"),
    remove: (seqs, before) => deleteRuns(session, seqs, before),
  });
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
