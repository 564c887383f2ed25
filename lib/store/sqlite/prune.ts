import { createPrune, type Prune } from "../prune.ts";
import { breathe } from "./breathe.ts";
import type { Session } from "./session.ts";

const SLICE = `
select seq, created_at, ended_at
  from runs
 where seq > $1
 order by seq
 limit $2`;

// The newest run stays: the next one is numbered after it, and a number used twice could let a late owner of the first
// write into the second.
const DELETE_RUN = `
delete from runs
 where seq = $1 and ended_at < $2 and seq < (select max(seq) from runs)`;

const DELETE_TASKS = `delete from tasks where run = $1`;

const DELETE_EVENTS = `delete from events where run = $1`;

const SLICE_ROWS = 500;

/** Prunes a file; the event loop turns between two slices. */
export function prune(session: Session): Prune {
  return createPrune({
    sliceRows: SLICE_ROWS,
    async slice(after) {
      if (after > 0) await breathe();
      return await session.read("read", () => session.all(SLICE, after, SLICE_ROWS));
    },
    remove: (seqs, before) => session.write("write to", () => deleteRuns(session, seqs, before)),
  });
}

function deleteRuns(session: Session, seqs: readonly number[], before: number): number {
  let deleted = 0;
  for (const seq of seqs) {
    if (session.run(DELETE_RUN, seq, before).changes === 0) continue;
    session.run(DELETE_TASKS, seq);
    session.run(DELETE_EVENTS, seq);
    deleted++;
  }
  return deleted;
}
