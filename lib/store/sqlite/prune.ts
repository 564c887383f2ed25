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
      const slice = await session.read("read", () => session.all(SLICE, after, SLICE_ROWS));
      const old = slice.filter((row) => Number(row["created_at"]) < before);
      const ended = old.filter((row) => row["ended_at"] !== null && Number(row["ended_at"]) < before);
      const chosen = ended.slice(0, limit - deleted).map((row) => Number(row["seq"]));
      if (chosen.length > 0) deleted += await session.write("write to", () => deleteRuns(session, chosen, before));
      if (chosen.length < ended.length) {
        after = chosen.at(-1) ?? after;
        break;
      }
      if (old.length < SLICE_ROWS) {
        after = 0;
        break;
      }
      after = Number(old.at(-1)?.["seq"]);
      await breathe();
    }
    return deleted;
  };
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
