import { SluiceError } from "./sluice_error.ts";

/** The queue of starts is full, as the database is slow or unavailable. Nothing was queued; start again later. */
export class QueueFullError extends SluiceError {
  /** Name of the class. */
  override name = "QueueFullError";
  /** Stable code for programs. */
  declare readonly code: "queue_full";
  /** Number of runs in the queue. */
  readonly waiting: number;
  /** Creates an error for a start that was not queued. */
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
  /** Name of the class. */
  override name = "KeyConflictError";
  /** Stable code for programs. */
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

/** A limit of the workflow has no free slot, and the workflow has `whenFull: "reject"`. */
export class LimitReachedError extends SluiceError {
  /** Name of the class. */
  override name = "LimitReachedError";
  /** Stable code for programs. */
  declare readonly code: "limit_reached";
  /** Name of the workflow. */
  readonly workflow: string;
  /** Name of the limit. */
  readonly limit: string;
  /** Creates an error for a rejected start. */
  constructor(workflow: string, limit: string) {
    super(
      "limit_reached",
      `Cannot start workflow "${workflow}": its limit "${limit}" has no free slot; try again later`,
    );
    this.workflow = workflow;
    this.limit = limit;
  }
}
