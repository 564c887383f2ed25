import { SluiceError } from "./sluice_error.ts";

/** Too many starts wait for the database, which is slow or away: start again later. Nothing was queued. */
export class QueueFullError extends SluiceError {
  /** Names the class. */
  override name = "QueueFullError";
  /** The code of the class. */
  declare readonly code: "queue_full";
  /** Number of runs that wait. */
  readonly waiting: number;
  /** Creates an error for a start that has no room. */
  constructor(waiting: number) {
    super("queue_full", `Cannot start a run: ${waiting} runs already wait for the database; try again later`);
    this.waiting = waiting;
  }
}

/**
 * Another run has the key: the option `ifExists` of a start does not allow to return that run, or a run that held its key
 * until it ended is to be retried.
 */
export class KeyConflictError extends SluiceError {
  /** Names the class. */
  override name = "KeyConflictError";
  /** The code of the class. */
  declare readonly code: "key_conflict";
  /** Id of the run that has the key. */
  readonly runId: string;
  /** The key. */
  readonly key: string;
  /** Creates an error; `action` completes "Cannot …". */
  constructor(
    action: string,
    { runId, key, why }: { readonly runId: string; readonly key: string; readonly why: string },
  ) {
    super("key_conflict", `Cannot ${action}: run "${runId}" ${why}`);
    this.runId = runId;
    this.key = key;
  }
}
