import { QueueFullError } from "../start_errors.ts";
import type { NewRun, StartVerdict } from "../store/batch.ts";

/** What may wait to be sent to the database. */
export interface StartBounds {
  readonly runs: number;
  /** UTF-16 code units of all inputs. */
  readonly inputs: number;
}

const BOUNDS: StartBounds = { runs: 100_000, inputs: 128 * 1024 * 1024 };

/** Inserts runs in one commit. */
export type Insert = (runs: readonly NewRun[]) => Promise<readonly StartVerdict[]>;

/**
 * Bounds the starts that wait for their commit, as they do while the database is away. A single call may exceed the
 * bounds when nothing waits.
 *
 * The returned function rejects with a `QueueFullError` where a start has no room.
 */
export function boundStarts(insert: Insert, bounds: StartBounds = BOUNDS): Insert {
  let [runs, inputs] = [0, 0];
  return async (wanted) => {
    const size = wanted.reduce((sum, { input = "" }) => sum + input.length, 0);
    if (runs > 0 && (runs + wanted.length > bounds.runs || inputs + size > bounds.inputs)) {
      throw new QueueFullError(runs);
    }
    runs += wanted.length;
    inputs += size;
    try {
      return await insert(wanted);
    } finally {
      runs -= wanted.length;
      inputs -= size;
    }
  };
}
