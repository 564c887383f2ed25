/**
 * Runs whose rows another transaction has locked, such as a session that was forgotten. A commit that waited for such a
 * row would hold up the results of all other runs. So it waits for a short time, finds the locked rows without waiting,
 * and leaves their runs out; the committer sends these again later.
 *
 * @module
 */
import type { Batch, Receipt, RunWrite } from "../../port/batch.ts";
import { numbers } from "./arrays.ts";
import { codeOf } from "../connect/faults.ts";
import type { Session } from "../connect/session.ts";

/** Runs whose row another transaction had locked when they were last written. */
export type LockedRuns = Set<number>;

// Locks nothing for longer than the statement, and waits for nothing.
const UNLOCKED = `
select seq
  from @runs
 where seq = any($1::bigint[])
   for no key update skip locked`;

/** Adds the verdicts of locked runs to the receipt of the others. */
export function withLocked({ writes }: Batch, locked: ReadonlySet<number>, receipt: Receipt): Receipt {
  if (locked.size === 0) return receipt;
  const verdicts = receipt.writes[Symbol.iterator]();
  return {
    ...receipt,
    writes: writes.map(({ seq }) => locked.has(seq) ? "locked" : verdicts.next().value!),
  };
}

/** Returns which of the runs another transaction has locked at the moment. */
export async function lockedOf(session: Session, seqs: readonly number[]): Promise<ReadonlySet<number>> {
  const unlocked = await session.single("flush", UNLOCKED, [numbers(seqs)]);
  const locked = new Set(seqs);
  for (const { seq } of unlocked) locked.delete(Number(seq));
  return locked;
}

/** Thrown when other transactions have locked the rows of runs; nothing was written. */
export class RunsLocked extends Error {
  /** The numbers of the runs. */
  readonly seqs: ReadonlySet<number>;
  /** Creates an error for these runs. */
  constructor(seqs: ReadonlySet<number>) {
    super("other transactions have locked the rows of runs");
    this.seqs = seqs;
  }
}

/** Throws the error of a commit, or a `RunsLocked` if a run's row is the lock that the commit has waited for. */
export async function throwIfLocked(session: Session, writes: readonly RunWrite[], error: unknown): Promise<never> {
  if (codeOf(error) !== "55P03" || writes.length === 0) throw error;
  const locked = await lockedOf(session, writes.map(({ seq }) => seq));
  throw locked.size === 0 ? error : new RunsLocked(locked);
}
