import { QueueFullError } from "../../start_errors.ts";
import type { NewRun } from "../../store/port/batch.ts";

/** What may wait to be committed. */
export interface Most {
  readonly runs: number;
  /** UTF-16 code units of all inputs. */
  readonly inputs: number;
}

const MOST: Most = { runs: 100_000, inputs: 128 * 1024 * 1024 };

/** Bounds the starts that wait for their commit, as they do while the database is away. */
export interface StartBounds {
  /**
   * Adds the runs of a call. A single call may exceed the bounds when nothing waits.
   *
   * @throws {QueueFullError} If there is no room for them.
   */
  enter(runs: readonly NewRun[]): void;
  /** Removes the runs of a call that has a result. */
  leave(runs: readonly NewRun[]): void;
}

/** Creates bounds for one queue. */
export function createStartBounds(most: Most = MOST): StartBounds {
  let waiting = 0;
  let inputs = 0;
  return {
    enter(runs) {
      const size = sizeOf(runs);
      if (waiting > 0 && (waiting + runs.length > most.runs || inputs + size > most.inputs)) {
        throw new QueueFullError(waiting);
      }
      waiting += runs.length;
      inputs += size;
    },
    leave(runs) {
      waiting -= runs.length;
      inputs -= sizeOf(runs);
    },
  };
}

function sizeOf(runs: readonly NewRun[]): number {
  let size = 0;
  for (const { input } of runs) size += input?.length ?? 0;
  return size;
}
