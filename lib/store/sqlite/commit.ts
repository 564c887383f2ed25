/**
 * Writes all results. A batch is one transaction. It writes one row for a run that its starting runner owns, one for
 * each task that ended, and one for the end of the run with its last result, so that a run of n tasks costs n + 1 rows.
 * The statements for these rows are in groups.ts.
 *
 * @module
 */
import type { Batch, NewRun, Receipt } from "../port/batch.ts";
import type { OwnedChild } from "../port/inserted_child.ts";
import { endingChildren, hasParent, heldParents } from "../shared/hand_over.ts";
import { wakeParents } from "../sql/children.ts";
import { executeWithin } from "./database.ts";
import { faultOf } from "./faults.ts";
import { insertRuns, writeRuns } from "./groups.ts";
import { insertRun } from "./inserts.ts";
import { isJoined } from "./leases.ts";
import type { Session } from "./session.ts";
import { wakeForBatch } from "./wakeups.ts";
import { isOwned, writeRun } from "./writes.ts";

/** Writes a batch in one transaction. */
export async function commitBatch(session: Session, batch: Batch): Promise<Receipt> {
  if (batch.starts.length === 0 && batch.writes.length === 0) return { starts: [], writes: [] };
  try {
    return await session.write("write to", () => apply(session, batch, undefined));
  } catch (error) {
    if (!isOfOneUnit(error)) throw error;
  }
  // At least one unit is refused. Savepoints identify it; they are too expensive for the batches without a refusal.
  return await session.write("write to", () => apply(session, batch, isolated(session)));
}

/** Runs the work of one unit of the batch; calls `refused` if the database refuses its values. */
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

function apply(session: Session, batch: Batch, guard: Guard | undefined): Receipt {
  const receipt = write(session, batch, guard);
  // The owners of held parents are read before they are woken.
  const ending = batch.writes.some(hasParent) ? endsToWakeFor(session, batch, receipt) : [];
  wakeForBatch(session, batch, receipt);
  if (ending.length > 0) executeWithin(session, (db) => wakeParents(db, ending));
  return receipt;
}

/** Returns the numbers of the child runs that may have ended and whose parents learn of it from the store alone. */
function endsToWakeFor(session: Session, { writes }: Batch, receipt: Receipt): readonly number[] {
  const { seqs, epochs } = heldParents(writes);
  const held = new Set<number | undefined>(seqs.filter((seq, at) => isOwned(session, { seq, epoch: epochs[at]! })));
  return endingChildren(writes.filter(({ parent }, at) => receipt.writes[at] !== "accepted" || !held.has(parent)));
}

function write(session: Session, { starts, writes }: Batch, guard: Guard | undefined): Receipt {
  const now = session.now();
  const at = { owners: liveOwners(session, starts), now };
  const children: OwnedChild[] = [];
  const site = { now, children };
  if (guard === undefined) {
    return { starts: insertRuns(session, starts, at), writes: writeRuns(session, writes, site), children };
  }
  return {
    starts: starts.map((run) => guard(() => insertRun(session, run, at), (error) => ({ kind: "refused", error }))),
    writes: writes.map((write) => {
      const before = children.length;
      return guard(() => writeRun(session, write, site), (error) => {
        children.length = before;
        return { refused: error };
      });
    }),
    children,
  };
}

/** Returns the owners of the starts that are joined, with one query for each owner instead of each run. */
function liveOwners(session: Session, starts: readonly NewRun[]): ReadonlySet<number> {
  const live = new Set<number>();
  const gone = new Set<number>();
  for (const { owner } of starts) {
    if (owner === undefined || live.has(owner) || gone.has(owner)) continue;
    (isJoined(session, owner) ? live : gone).add(owner);
  }
  return live;
}
