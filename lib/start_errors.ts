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

/** A limit of the workflow has no free place, and the workflow does not wait for one (`whenFull: "reject"`). */
export class LimitReachedError extends SluiceError {
  /** Names the class. */
  override name = "LimitReachedError";
  /** The code of the class. */
  declare readonly code: "limit_reached";
  /** Name of the workflow. */
  readonly workflow: string;
  /** Name of the limit. */
  readonly limit: string;
  /** Creates an error for a start that found no place. */
  constructor(workflow: string, limit: string) {
    super(
      "limit_reached",
      `Cannot start workflow "${workflow}": its limit "${limit}" has no free place; try again later`,
    );
    this.workflow = workflow;
    this.limit = limit;
  }
}
