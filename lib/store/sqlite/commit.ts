/**
 * The path of all results. A batch is one transaction: one row for a run that is kept by its starter, one for each task
 * that ended, one for the run's end; so a run of n tasks costs n + 2 rows. How few statements those take is for groups.ts.
 *
 * @module
 */
import type { Batch, NewRun, Receipt } from "../batch.ts";
import { faultOf } from "./faults.ts";
import { insertRuns, writeRuns } from "./groups.ts";
import { insertRun } from "./inserts.ts";
import { isJoined } from "./leases.ts";
import type { Session } from "./session.ts";
import { writeRun } from "./writes.ts";

/** Writes a batch. */
export async function commitBatch(session: Session, batch: Batch): Promise<Receipt> {
  if (batch.starts.length === 0 && batch.writes.length === 0) return { starts: [], writes: [] };
  try {
    return await session.write("write to", () => apply(session, batch, undefined));
  } catch (error) {
    if (!isOfOneUnit(error)) throw error;
  }
  // One of them is refused, and this finds out which: a savepoint for each would cost all others too much.
  return await session.write("write to", () => apply(session, batch, isolated(session)));
}

/** Does the work of one unit of the batch. */
type Guard = <T>(work: () => T, refused: (error: Error) => T) => T;

function isolated(session: Session): Guard {
  return (work, refused) => {
    try {
      return session.nested(work);
    } catch (error) {
      if (!isOfOneUnit(error)) throw error;
      return refused(error);
    }
  };
}

function isOfOneUnit(error: unknown): error is Error {
  return error instanceof Error && faultOf(error) === "values";
}

function apply(session: Session, { starts, writes }: Batch, guard: Guard | undefined): Receipt {
  const now = session.now();
  const at = { owners: liveOwners(session, starts), now };
  if (guard === undefined) {
    return {
      starts: insertRuns(session, starts, at),
      writes: writeRuns(session, writes, now),
    };
  }
  return {
    starts: starts.map((run) => guard(() => insertRun(session, run, at), (error) => ({ kind: "refused", error }))),
    writes: writes.map((write) => guard(() => writeRun(session, write, now), (error) => ({ refused: error }))),
  };
}

/** The owners among the starts that the store still knows: one question for each, not for each run. */
function liveOwners(session: Session, starts: readonly NewRun[]): ReadonlySet<number> {
  const live = new Set<number>();
  const gone = new Set<number>();
  for (const { owner } of starts) {
    if (owner === undefined || live.has(owner) || gone.has(owner)) continue;
    (isJoined(session, owner) ? live : gone).add(owner);
  }
  return live;
}
