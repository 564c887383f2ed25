import type { Row } from "./rows.ts";

/** Deletes at most `limit` runs that ended before `before`; answers how many. */
export type Prune = (before: number, limit: number) => Promise<number>;

/** How a backend prunes. */
export interface PruneOptions {
  /** How many runs are looked at at once. */
  readonly sliceRows: number;
  /** The next runs after a `seq`, in its order: `seq`, `created_at`, `ended_at`. */
  slice(after: number): Promise<readonly Row[]>;
  /** Deletes those of them that ended before `before`, and all that belongs to them; answers how many. */
  remove(seqs: readonly number[], before: number): Promise<number>;
}

/**
 * Walks from the oldest run on, and remembers where it stopped: runs that live long would else be passed over each
 * time. A call that deletes less than it may has reached the end, and the next one begins anew.
 */
export function createPrune({ sliceRows, slice, remove }: PruneOptions): Prune {
  let after = 0;
  return async (before, limit) => {
    let deleted = 0;
    while (deleted < limit) {
      const old = (await slice(after)).filter((row) => Number(row["created_at"]) < before);
      const ended = old.filter((row) => row["ended_at"] !== null && Number(row["ended_at"]) < before);
      const chosen = ended.slice(0, limit - deleted).map((row) => Number(row["seq"]));
      if (chosen.length > 0) deleted += await remove(chosen, before);
      if (chosen.length < ended.length) {
        after = chosen.at(-1) ?? after;
        break;
      }
      if (old.length < sliceRows) {
        after = 0;
        break;
      }
      after = Number(old.at(-1)?.["seq"]);
    }
    return deleted;
  };
}
